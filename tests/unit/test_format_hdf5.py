"""HDF5 files of features, in this package's layout and in hloc's.

Oracles: h5py alone, by the documented layout; hloc's way of reading, written anew; the folder's listing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from format_tools import PARAMETERS, make, same, write_three

from siftcli.conventions import flip_bins
from siftcli.errors import FormatError, OutputError
from siftcli.features import Features
from siftcli.io.registry import collection_reader, collection_writer, read_features, write_features

NAMES = ["a/1 é.jpg", "a/2.jpg", "b.jpg"]


def read_all(path: Path) -> dict[str, Features]:
    with collection_reader(path) as collection:
        return dict(collection)


# --- the layout


def test_the_layout_by_h5py(tmp_path: Path) -> None:
    images = write_three(tmp_path / "f.h5", "hdf5")
    with h5py.File(tmp_path / "f.h5", "r") as file:
        assert file.attrs["format"].decode() == "siftcli"
        assert file.attrs["version"] == 1
        assert file.attrs["contrast_threshold"] == 0.03
        assert file.attrs["variant"].decode() == "lowe"
        assert bool(file.attrs["upright"]) is True
        assert isinstance(file.attrs["octaves"], h5py.Empty)
        assert set(file.attrs) == {"format", "version", *PARAMETERS}
        assert set(file) == {"a", "b.jpg"}
        assert set(file["a"]) == {"1 é.jpg", "2.jpg"}
        for name, features in images.items():
            group = file[name]
            expected: dict[str, tuple[Any, str]] = {
                "keypoints": (features.xy, "float32"),
                "scales": (features.scales, "float32"),
                "orientations": (features.orientations, "float32"),
                "scores": (features.scores, "float32"),
                "octaves": (features.octaves, "int16"),
                "levels": (features.levels, "int16"),
                "descriptors": (features.descriptors, "uint8"),
                "image_size": (np.array([640, 480]), "int32"),
            }
            assert set(group) == set(expected)
            for key, (array, dtype) in expected.items():
                assert group[key].dtype == dtype
                np.testing.assert_array_equal(group[key][()], array)


@pytest.mark.parametrize(
    "features",
    [
        make(0),
        make(1),
        make(7, floats=True),
        make(3, affine=True),
        make(2, descriptors=None, scores=None, octaves=None, levels=None, image_size=None, parameters=None),
    ],
)
def test_what_features_have_comes_back(tmp_path: Path, features: Features) -> None:
    write_features(tmp_path / "f.h5", features, image="x.jpg")
    same(read_features(tmp_path / "f.h5"), features)


def test_equal_features_give_equal_bytes(tmp_path: Path) -> None:
    """Whatever the order in which they come, and whenever."""
    images = write_three(tmp_path / "f.h5", "hdf5")
    time.sleep(1.1)  # HDF5 can store times in seconds
    with collection_writer(tmp_path / "g.h5", parameters=PARAMETERS) as writer:
        for name in reversed(images):
            writer.add(name, images[name])
    assert (tmp_path / "f.h5").read_bytes() == (tmp_path / "g.h5").read_bytes()


# --- hloc


def as_hloc_reads(path: Path) -> dict[str, dict[str, Any]]:
    """Names: the parents of all datasets; then every dataset of a group as an array, and the size as a shape."""
    found: dict[str, dict[str, Any]] = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda _, thing: found.update({thing.parent.name.strip("/"): {}} if isinstance(thing, h5py.Dataset) else {})
        )
        for name, arrays in found.items():
            group = file[name]
            arrays.update((key, value.__array__()) for key, value in group.items())
            arrays["image"] = np.empty((1, *tuple(group["image_size"])[::-1]), np.int8)
            arrays["uncertainty"] = group["keypoints"].attrs.get("uncertainty")
    return found


def test_hloc_reads_its_flavour(tmp_path: Path) -> None:
    images = write_three(tmp_path / "f.h5", "hloc")
    found = as_hloc_reads(tmp_path / "f.h5")
    assert sorted(found) == NAMES
    for name, features in images.items():
        arrays, n = found[name], len(features)
        shapes = {"keypoints": (n, 2), "descriptors": (128, n), "scores": (n,), "scales": (n,), "oris": (n,)}
        for key, shape in shapes.items():
            assert arrays[key].shape == shape
            assert arrays[key].dtype == np.float32
        assert arrays["image"].shape == (1, 480, 640)
        assert arrays["uncertainty"] == 1
        # It adds half a pixel itself when it imports into COLMAP, so the first pixel's centre is (0, 0) here.
        np.testing.assert_array_equal(arrays["keypoints"], features.xy)
        np.testing.assert_allclose(np.linalg.norm(arrays["descriptors"], axis=0), 1, atol=1e-6)
        np.testing.assert_allclose(np.deg2rad(arrays["oris"]), features.orientations, atol=1e-6)
        assert features.descriptors is not None
        lowe = flip_bins(features.descriptors).T.astype(float)
        np.testing.assert_allclose(arrays["descriptors"], lowe / np.linalg.norm(lowe, axis=0), atol=1e-6)


def test_hloc_reads_an_image_without_keypoints(tmp_path: Path) -> None:
    write_features(tmp_path / "f.h5", make(0), "hloc", image="x.jpg")
    arrays = as_hloc_reads(tmp_path / "f.h5")["x.jpg"]
    assert arrays["keypoints"].shape == (0, 2)
    assert arrays["descriptors"].shape == (128, 0)
    assert len(read_features(tmp_path / "f.h5")) == 0


def test_hlocs_own_files_are_read(tmp_path: Path) -> None:
    """As its extraction writes them: half precision, angles in degrees, nested names."""
    with h5py.File(tmp_path / "f.h5", "w", libver="latest") as file:
        group = file.create_group("db/1.jpg")
        group["keypoints"] = np.array([[1.5, 2.5], [3, 4]], np.float16)
        group["scales"] = np.array([2, 3], np.float16)
        group["oris"] = np.array([90, -180], np.float16)
        group["scores"] = np.zeros(2, np.float16)
        group["descriptors"] = np.eye(128, 2).astype(np.float16)
        group["image_size"] = np.array([640, 480])
        group["keypoints"].attrs["uncertainty"] = 1.0
    (features,) = read_all(tmp_path / "f.h5").values()
    assert features.xy.tolist() == [[1.5, 2.5], [3, 4]]
    assert features.orientations.tolist() == pytest.approx([np.pi / 2, -np.pi])
    assert features.descriptors is not None
    assert np.argmax(features.descriptors, axis=1).tolist() == [0, 7]
    assert features.image_size == (640, 480)


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"descriptors": None}, "no descriptors, which hloc needs"),
        ({"image_size": None}, "no image size, which hloc needs"),
        ({"descriptors": np.full((3, 128), np.nan, np.float32)}, "keypoint 1 has a descriptor that is not finite"),
    ],
)
def test_what_hloc_cannot_use_is_refused_at_once(tmp_path: Path, others: dict[str, Any], words: str) -> None:
    with collection_writer(tmp_path / "f.h5", "hloc") as writer:
        with pytest.raises(OutputError, match=words):
            writer.add("x.jpg", make(3, **others))
        writer.add("y.jpg", make(3))
    assert list(as_hloc_reads(tmp_path / "f.h5")) == ["y.jpg"]


# --- building a file


def listing(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_the_final_name_is_free_until_the_end(tmp_path: Path) -> None:
    with collection_writer(tmp_path / "f.h5") as writer:
        writer.add("x.jpg", make(3))
        assert [name for name in listing(tmp_path) if not name.startswith(".")] == ["f.h5.sift.journal"]
        assert writer.done() == {"x.jpg"}
    assert listing(tmp_path) == ["f.h5"]


def add_and_fail(path: Path, names: list[str], **how: Any) -> None:
    """Add images, and stop with an error."""

    def run() -> None:
        with collection_writer(path, **how) as writer:
            for i, name in enumerate(names):
                writer.add(name, make(20, i))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        run()


def test_a_run_goes_on_where_another_stopped(tmp_path: Path) -> None:
    add_and_fail(tmp_path / "f.h5", NAMES[:2], parameters=PARAMETERS)
    assert listing(tmp_path) == ["f.h5.sift.journal"]
    with collection_writer(tmp_path / "f.h5", parameters=PARAMETERS, resume=True) as writer:
        assert writer.done() == set(NAMES[:2])
        writer.add(NAMES[2], make(20, 2))
    write_three(tmp_path / "whole.h5", "hdf5")
    assert (tmp_path / "f.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert listing(tmp_path) == ["f.h5", "whole.h5"]


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_a_record_cut_short_is_dropped(tmp_path: Path, cut: int) -> None:
    add_and_fail(tmp_path / "f.h5", NAMES[:2])
    journal = tmp_path / "f.h5.sift.journal"
    journal.write_bytes(journal.read_bytes()[:-cut])
    with collection_writer(tmp_path / "f.h5", resume=True) as writer:
        assert writer.done() == {NAMES[0]}
        writer.add(NAMES[1], make(20, 1))
    images = read_all(tmp_path / "f.h5")
    assert sorted(images) == NAMES[:2]
    same(images[NAMES[1]], make(20, 1, parameters=None))


def test_a_damaged_record_and_what_follows_is_dropped(tmp_path: Path) -> None:
    add_and_fail(tmp_path / "f.h5", NAMES)
    journal = tmp_path / "f.h5.sift.journal"
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 1
    journal.write_bytes(data)
    with collection_writer(tmp_path / "f.h5", resume=True) as writer:
        assert writer.done() == {NAMES[0]}
        writer.abort()


def test_without_resume_a_run_starts_anew(tmp_path: Path) -> None:
    add_and_fail(tmp_path / "f.h5", NAMES[:2])
    with collection_writer(tmp_path / "f.h5") as writer:
        assert writer.done() == set()
        writer.add("z.jpg", make(1))
    assert list(read_all(tmp_path / "f.h5")) == ["z.jpg"]


def test_other_parameters_are_not_gone_on_with(tmp_path: Path) -> None:
    add_and_fail(tmp_path / "f.h5", NAMES[:1], parameters={"contrast_threshold": 0.04})
    with pytest.raises(OutputError, match="other parameters"):
        collection_writer(tmp_path / "f.h5", parameters={"contrast_threshold": 0.05}, resume=True)
    with collection_writer(
        tmp_path / "f.h5", parameters={"contrast_threshold": 0.05}, resume=True, overwrite=True
    ) as writer:
        assert writer.done() == set()
        writer.add("z.jpg", make(1))
    with pytest.raises(OutputError, match="other parameters"):
        collection_writer(tmp_path / "f.h5", parameters={"contrast_threshold": 0.04}, resume=True)
    with pytest.raises(OutputError, match="another layout"):
        collection_writer(tmp_path / "f.h5", "hloc", parameters={"contrast_threshold": 0.05}, resume=True)


def test_a_file_that_exists_is_kept_unless_told(tmp_path: Path) -> None:
    write_three(tmp_path / "f.h5", "hdf5")
    old = (tmp_path / "f.h5").read_bytes()
    with pytest.raises(OutputError, match="--overwrite"):
        collection_writer(tmp_path / "f.h5")
    assert listing(tmp_path) == ["f.h5"]
    with collection_writer(tmp_path / "f.h5", parameters=PARAMETERS, resume=True) as writer:
        assert writer.done() == set(NAMES)
    assert (tmp_path / "f.h5").read_bytes() == old
    with collection_writer(tmp_path / "f.h5", parameters=PARAMETERS, resume=True) as writer:
        writer.add("z.jpg", make(2, 9))
        writer.add("b.jpg", make(4, 8))
        assert (tmp_path / "f.h5").read_bytes() == old
    images = read_all(tmp_path / "f.h5")
    assert sorted(images) == [*NAMES, "z.jpg"]
    same(images["a/2.jpg"], make(20, 1))
    same(images["b.jpg"], make(4, 8))
    with collection_writer(tmp_path / "f.h5", overwrite=True) as writer:
        writer.add("z.jpg", make(2, 9))
    assert list(read_all(tmp_path / "f.h5")) == ["z.jpg"]


def test_an_abort_leaves_the_old_file(tmp_path: Path) -> None:
    write_three(tmp_path / "f.h5", "hdf5")
    old = (tmp_path / "f.h5").read_bytes()
    writer = collection_writer(tmp_path / "f.h5", overwrite=True)
    writer.abort()
    assert listing(tmp_path) == ["f.h5"]
    add_and_fail(tmp_path / "f.h5", ["x.jpg"], overwrite=True)
    assert (tmp_path / "f.h5").read_bytes() == old


def test_no_images_are_a_file_too(tmp_path: Path) -> None:
    with collection_writer(tmp_path / "f.h5"):
        pass
    assert read_all(tmp_path / "f.h5") == {}


def test_one_run_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="no file locks on this system")
    with collection_writer(tmp_path / "f.h5") as writer:
        writer.add("x.jpg", make(1))
        with pytest.raises(OutputError, match="another run is writing"):
            collection_writer(tmp_path / "f.h5", resume=True)
    assert list(read_all(tmp_path / "f.h5")) == ["x.jpg"]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    write_three(tmp_path / "real" / "f.h5", "hdf5")
    (tmp_path / "link.h5").symlink_to(tmp_path / "real" / "f.h5")
    with collection_writer(tmp_path / "link.h5", overwrite=True) as writer:
        writer.add("x.jpg", make(1))
    assert (tmp_path / "link.h5").is_symlink()
    assert list(read_all(tmp_path / "real" / "f.h5")) == ["x.jpg"]
    assert listing(tmp_path / "real") == ["f.h5"]


@pytest.mark.parametrize("name", ["", "/a.jpg", "a//b.jpg", "../a.jpg", "a/./b.jpg", "a/..", "a\0b", "a\udcff.jpg"])
def test_names_that_are_no_relative_paths(tmp_path: Path, name: str) -> None:
    with collection_writer(tmp_path / "f.h5") as writer:
        with pytest.raises(OutputError, match="cannot hold an image named") as caught:
            writer.add(name, make(1))
        assert "\0" not in str(caught.value)
        writer.add("fine.jpg", make(1))
    assert list(read_all(tmp_path / "f.h5")) == ["fine.jpg"]


@pytest.mark.parametrize("name", ["new\nline.jpg", "keypoints", "a/keypoints/x.jpg", " ", "ü/日本.png", "a" * 200])
def test_odd_names(tmp_path: Path, name: str) -> None:
    write_features(tmp_path / "f.h5", make(2), image=name)
    with collection_reader(tmp_path / "f.h5") as collection:
        assert collection.names == (name,)
        same(collection.read(name), make(2))
        with pytest.raises(KeyError):
            collection.read("another")


@pytest.mark.parametrize(
    ("path", "words"),
    [("missing/f.h5", "folder does not exist"), (".", "is a folder"), ("x" * 300 + ".h5", "too long")],
)
def test_where_nothing_can_be_written(tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(OutputError, match=words):
        collection_writer(tmp_path / path, "hdf5")
    assert listing(tmp_path) == []


FULL_DISK = """
import resource, signal, sys
sys.path[:0] = sys.argv[3:]
from format_tools import make
from siftcli.errors import OutputError
from siftcli.io.registry import collection_writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = collection_writer(sys.argv[1])
for i in range(10):
    writer.add(f"{i}.jpg", make(20, i))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    for i in range(10, 40):
        writer.add(f"{i}.jpg", make(20, i))
    writer.close()
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [50_000, 205_000])
def test_a_full_disk_is_one_line(tmp_path: Path, limit: int) -> None:
    """While the journal grows, and while the file is made of it: 40 images take 200 kB in either."""
    pytest.importorskip("resource", reason="no limits on this system")
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "f.h5"), str(limit), *sys.path], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n") == 1
    assert "cannot be written: the file is larger than the file system" in result.stdout
    assert listing(tmp_path) == ["f.h5.sift.journal"]
    with collection_writer(tmp_path / "f.h5", resume=True) as writer:
        assert len(writer.done()) >= 10
        writer.abort()


# --- reading what others wrote


def h5(path: Path, **arrays: Any) -> h5py.File:
    """Open a new file with an image of one keypoint in this package's layout, but for these arrays."""
    file = h5py.File(path, "w")
    whole: dict[str, Any] = {"keypoints": [[1.0, 2.0]], "scales": [3.0], "orientations": [0.5], **arrays}
    group = file.create_group("x.jpg")
    for key, value in whole.items():
        if value is not None:
            group.create_dataset(key, data=value)
    return file


def refused(path: Path, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        read_all(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


def test_without_the_attributes(tmp_path: Path) -> None:
    h5(tmp_path / "f.h5").close()
    (features,) = read_all(tmp_path / "f.h5").values()
    assert features.xy.tolist() == [[1, 2]]
    assert features.parameters is None


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"keypoints": None}, "'x.jpg/orientations' is no group with keypoints"),
        ({"scales": None}, "x.jpg: has no scales"),
        ({"orientations": None}, "x.jpg: has no orientations"),
        ({"keypoints": [[1.0, 2.0, 3.0]]}, "keypoints has shape"),
        ({"keypoints": 5.0}, "keypoints has shape"),
        ({"keypoints": [[b"a", b"b"]]}, "keypoints holds"),
        ({"keypoints": h5py.Empty("f4")}, "keypoints is no array"),
        ({"keypoints": np.zeros((1, 2), [("a", "f4")])}, "keypoints holds"),
        ({"scales": [-1.0]}, "scale below zero"),
        ({"scales": [np.inf]}, "not finite"),
        ({"descriptors": np.zeros((1, 64), np.uint8)}, "descriptors has shape"),
        ({"descriptors": np.zeros((128, 1), np.uint8)}, "descriptors has shape"),
        ({"octaves": [1.5]}, "octaves holds float64"),
        ({"image_size": [0, 5]}, "cannot be"),
    ],
)
def test_what_are_no_features(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    h5(tmp_path / "f.h5", **arrays).close()
    refused(tmp_path / "f.h5", words)


def test_a_newer_version_is_named(tmp_path: Path) -> None:
    write_three(tmp_path / "f.h5", "hdf5")
    with h5py.File(tmp_path / "f.h5", "a") as file:
        file.attrs["version"] = 2
    refused(tmp_path / "f.h5", "is of version 2; this program reads version 1")


@pytest.mark.parametrize("link", [h5py.SoftLink("/x.jpg"), h5py.ExternalLink("other.h5", "/x.jpg")])
@pytest.mark.parametrize("place", ["y.jpg", "folder/y.jpg", "x.jpg/descriptors"])
def test_links_are_not_followed(tmp_path: Path, link: Any, place: str) -> None:
    h5(tmp_path / "other.h5", descriptors=np.zeros((1, 128), np.uint8)).close()
    with h5(tmp_path / "f.h5") as file:
        file[place] = link
    refused(tmp_path / "f.h5", rf"'{place}' is a link to another place or file")


def test_data_in_other_files_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(1000))
    with h5(tmp_path / "f.h5", scales=None) as file:
        file["x.jpg"].create_dataset("scales", (1,), "f4", external=[(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)])
    refused(tmp_path / "f.h5", "scales is kept in another file")
    with h5(tmp_path / "g.h5", scales=None) as file:
        layout = h5py.VirtualLayout((1,), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "f.h5"), "x.jpg/orientations", (1,))
        file["x.jpg"].create_virtual_dataset("scales", layout)
    refused(tmp_path / "g.h5", "scales is kept in another file")


def test_a_group_in_itself_ends(tmp_path: Path) -> None:
    with h5(tmp_path / "f.h5") as file:
        file["folder/again"] = file.create_group("folder")
    refused(tmp_path / "f.h5", "nested too deeply, or in itself")


def test_groups_nested_without_end(tmp_path: Path) -> None:
    with h5(tmp_path / "f.h5") as file:
        file.create_group("a/" * 5000)
    refused(tmp_path / "f.h5", "nested too deeply, or in itself")


@pytest.mark.parametrize(
    "how",
    [
        {"shape": (10**13, 2), "chunks": (100, 2)},
        {"shape": (10**13, 2), "chunks": (100, 2), "compression": "gzip"},
        {"shape": (1, 2), "chunks": (10**8, 2), "maxshape": (None, 2)},
        {"shape": (10**9, 2)},
    ],
)
def test_sizes_that_the_file_does_not_back(tmp_path: Path, how: dict[str, Any]) -> None:
    with h5(tmp_path / "f.h5", keypoints=None) as file:
        file["x.jpg"].create_dataset("keypoints", dtype="f4", **how)
    assert (tmp_path / "f.h5").stat().st_size < 100_000
    refused(tmp_path / "f.h5", "keypoints promises shape")


def test_a_compressed_bomb_is_refused(tmp_path: Path) -> None:
    with h5(tmp_path / "f.h5", keypoints=None) as file:
        file["x.jpg"].create_dataset("keypoints", data=np.zeros((10**7, 2), "f4"), compression="gzip")
    refused(tmp_path / "f.h5", "keypoints promises shape")


@pytest.mark.parametrize(
    "fill",
    [
        lambda file: file.create_dataset("global_descriptor", data=[1.0]),
        lambda file: file.create_group("empty"),
        lambda file: file.create_dataset("a/b/keypoint", data=[[1.0, 2.0]]),
        lambda file: file.attrs.update(format="something else"),
    ],
)
def test_other_peoples_hdf5(tmp_path: Path, fill: Any) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        fill(file)
    refused(tmp_path / "f.h5", "is no group with keypoints|has no group with keypoints")


def test_attributes_of_any_kind_do_no_harm(tmp_path: Path) -> None:
    write_three(tmp_path / "f.h5", "hdf5")
    with h5py.File(tmp_path / "f.h5", "a") as file:
        file.attrs["array"] = np.arange(10)
        file.attrs["text of any length"] = "x"
        file.attrs["many"] = ["a", "b"]
        file.attrs["complex"] = 1j
        file.attrs["reference"] = file["b.jpg"].ref
    with collection_reader(tmp_path / "f.h5") as collection:
        assert collection.read("b.jpg").parameters == PARAMETERS


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(1000)])
def test_what_is_no_hdf5(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f.h5").write_bytes(data)
    refused(tmp_path / "f.h5", "is not HDF5, or not a whole file")


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    refused(tmp_path / "none.h5", "no such file")
    (tmp_path / "folder.h5").mkdir()
    refused(tmp_path / "folder.h5", "is a folder")


def test_reading_does_not_change_the_file(tmp_path: Path) -> None:
    write_three(tmp_path / "f.h5", "hdf5")
    before = (tmp_path / "f.h5").read_bytes()
    (tmp_path / "f.h5").chmod(0o400)
    read_all(tmp_path / "f.h5")
    assert (tmp_path / "f.h5").read_bytes() == before


LOCKS_FAIL = """
import os, sys, warnings
import h5py
from siftcli.errors import FormatError
from siftcli.io.registry import collection_reader
open_file = h5py.File
def fail(path, mode, locking=None):
    if isinstance(path, (str, os.PathLike)) and locking is None:
        raise OSError(f"Unable to synchronously open file (unable to lock file, errno = {sys.argv[2]})")
    if locking is False and os.environ.get("HDF5_USE_FILE_LOCKING"):
        raise ValueError("the environment says otherwise")
    return open_file(path, mode)
h5py.File = fail
warnings.simplefilter("always")
try:
    with collection_reader(sys.argv[1]) as collection:
        print(*collection.names)
except FormatError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("number", "wanted", "said", "warned"),
    [
        *((number, wanted, "x.jpg", True) for number in (37, 95, 524) for wanted in ("", "BEST_EFFORT")),
        (37, "TRUE", "cannot be locked, as HDF5_USE_FILE_LOCKING wants", False),
        (11, "", "is being written by another program", False),
    ],
)
def test_reading_where_there_are_no_locks(tmp_path: Path, number: int, wanted: str, said: str, warned: bool) -> None:
    """HDF5's own lock fails as on NFS or Lustre; in a process of its own, as the environment is part of it."""
    with collection_writer(tmp_path / "f.h5") as writer:
        writer.add("x.jpg", make(3))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment |= {"HDF5_USE_FILE_LOCKING": wanted} if wanted else {}
    run = subprocess.run(
        [sys.executable, "-c", LOCKS_FAIL, str(tmp_path / "f.h5"), str(number)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert said in run.stdout
    assert ("has no locks; do not change the file" in run.stderr) == warned
