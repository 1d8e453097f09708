"""``sift convert``, in a process of its own.

Oracles: the features that were written, read back by the library; the folder's listing; the exit status.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Sift
from format_tools import SINGLE, as_written, make, parts_of, same, write, write_three
from PIL import Image

from siftcli.batch.conversion.convert import convert
from siftcli.batch.conversion.plan import plan_conversion
from siftcli.batch.report import Result
from siftcli.errors import OutputError
from siftcli.io.formats import FORMATS
from siftcli.io.registry import collection_reader, read_features, write_features

NAMES = ["a/1 é.jpg", "a/2.jpg", "b.jpg"]


def tree(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def keys(folder: Path) -> Path:
    """A folder of key files: two below each other, one with blanks in its name, and other things."""
    (folder / "keys" / "sub").mkdir(parents=True)
    for seed, name in enumerate(("a.key", "b c.key", "sub/d.key")):
        write_features(folder / "keys" / name, make(20, seed))
    (folder / "keys" / "readme.txt").write_text("two words\n")
    (folder / "keys" / "photo.jpg").write_bytes(b"")
    (folder / "keys" / ".hidden.key").write_bytes(b"")
    return folder / "keys"


@pytest.mark.parametrize("source", FORMATS)
def test_any_to_any(tmp_path: Path, source: str) -> None:
    """From each format to every other; the frames and the descriptors are those of the source."""
    features = make(30)
    path = write(tmp_path / f"in{FORMATS[source].suffix}", features, source)
    (tmp_path / "photos" / "a").mkdir(parents=True)
    for name in ("in.jpg", "a/b.jpg"):
        Image.new("L", (640, 480)).save(tmp_path / "photos" / name)
    original = read_features(path, source)
    for target in FORMATS:
        out = tmp_path / f"{target}{FORMATS[target].suffix}"
        plan = plan_conversion(
            [str(path)], str(out), source_format=source, target_format=target, images=str(tmp_path / "photos")
        )
        results: list[Result] = []
        convert(plan, results.append)
        assert [(r.status, r.keypoints, r.error) for r in results] == [("done", 30, None)]
        back, expected = read_features(out, target), as_written(target, original)
        lowe = target.startswith("lowe")
        np.testing.assert_allclose(back.xy, expected.xy, atol=0.0051 if lowe else 1e-4)
        np.testing.assert_allclose(back.scales, expected.scales, atol=0.0051 if lowe else 0)
        np.testing.assert_allclose(back.orientations, expected.orientations, atol=0.00051 if lowe else 1e-6)
        if not {source, target} & {"hloc", "opensfm"}:  # whose descriptors are floats
            same(back, expected, ("descriptors",))


def test_key_files_by_way_of_hdf5(sift: Sift, tmp_path: Path) -> None:
    folder = keys(tmp_path)
    assert sift("convert", "keys", "all.h5", "-r").returncode == 0
    with collection_reader(tmp_path / "all.h5") as collection:
        assert collection.names == ("a", "b c", "sub/d")
    assert sift("convert", "all.h5", "back/", "--to", "lowe").returncode == 0
    assert tree(tmp_path / "back") == ["a.key", "b c.key", "sub/d.key"]
    for name in tree(tmp_path / "back"):
        assert (tmp_path / "back" / name).read_bytes() == (folder / name).read_bytes()


def test_a_folder_to_a_folder(sift: Sift, tmp_path: Path) -> None:
    keys(tmp_path)
    result = sift("convert", "keys", "out", "--to", "colmap")
    assert result.returncode == 0
    assert tree(tmp_path / "out") == ["a.txt", "b c.txt"]
    assert b"2 images done: 40 keypoints" in result.stderr
    result = sift("convert", "out", "again/", "--to", "vlfeat-frame")
    assert tree(tmp_path / "again") == ["a.descr", "a.frame", "b c.descr", "b c.frame"]
    result = sift("convert", "again", "last/", "--to", "lowe")
    assert tree(tmp_path / "last") == ["a.key", "b c.key"]
    assert (tmp_path / "last" / "a.key").read_bytes() == (tmp_path / "keys" / "a.key").read_bytes()


def test_names_and_sizes_from_the_images(sift: Sift, tmp_path: Path) -> None:
    keys(tmp_path)
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    for name, size in {"a.jpg": (640, 480), "b c.png": (700, 500), "sub/d.tif": (800, 600)}.items():
        Image.new("L", size).save(tmp_path / "photos" / name)
    result = sift("convert", "keys", "all.h5", "--to", "hloc", "--images", "photos", "-r")
    assert result.returncode == 0
    with collection_reader(tmp_path / "all.h5") as collection:
        sizes = {name: features.image_size for name, features in collection}
    assert sizes == {"a.jpg": (640, 480), "b c.png": (700, 500), "sub/d.tif": (800, 600)}
    assert sift("convert", "keys/a.key", "texts/", "--to", "colmap", "--images", "photos").returncode == 0
    assert tree(tmp_path / "texts") == ["a.jpg.txt"]
    Image.new("L", (5, 5)).save(tmp_path / "photos" / "a.png")
    result = sift("convert", "keys/a.key", "one.h5", "--images", "photos")
    assert result.returncode == 2
    assert b"a: may be of a.jpg or a.png in photos" in result.stderr
    assert b"--images needs the folder" in sift("convert", "keys/a.key", "one.h5", "--images", "nothing").stderr


def test_what_is_lost_and_how_it_was_converted_is_told(sift: Sift, tmp_path: Path) -> None:
    write_three(tmp_path / "f.h5", "hdf5")
    lines = sift("convert", "f.h5", "keys/", "--to", "lowe").stderr.decode().splitlines()
    assert lines == [
        *lines[:1],
        "sift: warning: Lowe's key file cannot hold: scores, octaves, levels, image size, parameters, "
        "precision beyond 0.01 px and 0.001 rad; left out (3 images)",
        "sift: hdf5 to lowe: coordinates x y to row column; angles radians, y down to radians, y up; "
        "descriptor bins VLFeat's to Lowe's",
    ]
    lines = sift("convert", "keys/b.key", "b.txt").stderr.decode().splitlines()
    assert "sift: warning: 'b' is the name of features" in lines[0]
    assert "first pixel's centre (0, 0) to (0.5, 0.5)" in lines[-1]
    told = sift("convert", "keys/b.key", "b.npz").stderr.decode()
    assert (told.count("\n"), "cannot hold" in told) == (2, False)  # nothing is lost
    assert sift("convert", "f.h5", "g.h5", "--to", "hdf5").stderr.decode().count("\n") == 1
    write_features(tmp_path / "floats.npz", make(3, floats=True))
    assert b"float precision of descriptors" in sift("convert", "floats.npz", "floats.sift").stderr


def test_one_bad_file_costs_itself_alone(sift: Sift, tmp_path: Path) -> None:
    folder = keys(tmp_path)
    (folder / "b c.key").write_bytes((folder / "b c.key").read_bytes()[:500])
    result = sift("convert", "keys", "all.h5", "-r", "--json")
    assert result.returncode == 1
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(Path(r["path"]).name, r["status"], r["keypoints"]) for r in records] == [
        ("a.key", "done", 20),
        ("b c.key", "failed", None),
        ("d.key", "done", 20),
    ]
    assert "ends after" in records[1]["error"]
    assert b"sift: error: keys/b c.key:" in result.stderr
    assert b"2 images done, 1 failed: 40 keypoints" in result.stderr
    with collection_reader(tmp_path / "all.h5") as collection:
        assert collection.names == ("a", "sub/d")


def test_nothing_good_writes_nothing(sift: Sift, tmp_path: Path) -> None:
    (tmp_path / "bad.key").write_bytes(b"rubbish")
    for out in ("out.h5", "out.sift", "new/"):
        result = sift("convert", "bad.key", out, "--to", "hdf5" if out.endswith("h5") else "vlfeat")
        assert result.returncode == 1
    assert tree(tmp_path) == ["bad.key"]


def test_what_cannot_be_published_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike a batch, a conversion is not gone on with."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    source = keys(tmp_path)
    before = tree(tmp_path)
    monkeypatch.setattr("os.fsync", fail)
    plan = plan_conversion([str(source / "a.key")], str(tmp_path / "out.h5"))
    with pytest.raises(OutputError, match="no space left"):
        convert(plan, lambda result: None)
    assert tree(tmp_path) == before


def test_hloc_without_sizes_says_what_to_do(sift: Sift, tmp_path: Path) -> None:
    keys(tmp_path)
    result = sift("convert", "keys/a.key", "out.h5", "--to", "hloc")
    assert result.returncode == 1
    assert b"has no image size, which hloc needs; give the folder of the images with --images" in result.stderr
    assert not list(tmp_path.glob("out*"))


def test_pipes(sift: Sift, tmp_path: Path) -> None:
    data = (keys(tmp_path) / "a.key").read_bytes()
    sifts = sift("convert", "-", "-", "--to", "vlfeat", "-q", stdin=data)
    assert sifts.stderr == b""
    assert sift("convert", "-", "-", "--from", "vlfeat", stdin=sifts.stdout).stdout == data
    assert sift("convert", "-", "x.h5", stdin=data).returncode == 0
    same(read_features(tmp_path / "x.h5"), read_features(tmp_path / "keys" / "a.key"), ("xy", "descriptors"))
    assert sift("convert", "-", "-", stdin=b"rubbish").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["keys", "out"], "has no suffix of a feature format; say what to convert to with --to"),
        (["keys", "keys"], "is a folder; say what to convert to with --to"),
        (["keys", "out.key"], "holds one image; give a folder ('out/') for several"),
        (["f.h5", "out.key"], "holds one image; give a folder ('out/') for several"),
        (["keys", "out/", "--to", "hdf5"], "is one file for all; give the name of a file"),
        (["keys/a.key", "out.xyz"], "has no suffix of a feature format"),
        (["keys/a.key", "out.sift", "--to", "nothing"], "--format: must be one of lowe, lowe-gz, hdf5"),
        (["keys/a.key", "keys/a.key"], "is an input, and would be overwritten"),
        (["keys/a.key", "f.h5"], "exists already; use --overwrite"),
        (["empty", "out.h5"], "no feature files in it, subfolders not searched"),
        (["", "out.h5"], "is empty"),
        (["keys", "-"], "standard output takes one file of one image"),
        (["keys/a.key", "-", "--to", "hdf5"], "standard output takes one file of one image"),
        (["-", "x.key", "--from", "openmvg"], "standard input holds one file of one image"),
        (["keys/a.key", "-", "--json"], "stdout cannot take both"),
        (["keys/a.key", "x.sift", "-q", "-v"], "exclude each other"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_work(
    sift: Sift, tmp_path: Path, arguments: list[str], words: str
) -> None:
    keys(tmp_path)
    write_three(tmp_path / "f.h5", "hdf5")
    (tmp_path / "empty").mkdir()
    before = tree(tmp_path)
    result = sift("convert", *arguments)
    assert result.returncode == 2
    assert words in result.stderr.decode()
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.key", "no such file"),
        ("none.h5", "no such file"),
        ("photo.jpg", "is an image, not a feature file; sift detect finds its features"),
        ("notes.xyz", "its suffix does not say which format"),
        ("none", "no such file"),
        ("bad.h5", "is not HDF5"),
        ("x" * 300 + ".key", "too long"),
    ],
)
def test_inputs_that_cannot_be_read(sift: Sift, tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "bad.h5").write_bytes(b"rubbish")
    (tmp_path / "photo.jpg").write_bytes(b"")
    (tmp_path / "notes.xyz").write_bytes(b"")
    before = tree(tmp_path)
    result = sift("convert", name, "out.npz")
    assert result.returncode == 1
    assert words in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1
    assert tree(tmp_path) == before


def test_overwriting(sift: Sift, tmp_path: Path) -> None:
    keys(tmp_path)
    write_three(tmp_path / "f.h5", "hdf5")
    assert sift("convert", "keys/a.key", "f.h5", "--overwrite").returncode == 0
    with collection_reader(tmp_path / "f.h5") as collection:
        assert collection.names == ("a",)


def test_two_images_of_one_output_are_refused(sift: Sift, tmp_path: Path) -> None:
    from siftcli.io.registry import collection_writer

    with collection_writer(tmp_path / "f.h5") as writer:
        for name in ("x.jpg", "x.png"):
            writer.add(name, make(2))
    result = sift("convert", "f.h5", "out/", "--to", "lowe")
    assert result.returncode == 2
    assert b"would both write out/x.key" in result.stderr
    assert not (tmp_path / "out").exists()
    assert sift("convert", "f.h5", "out/", "--to", "colmap").returncode == 0
    assert tree(tmp_path / "out") == ["x.jpg.txt", "x.png.txt"]


def test_no_images_convert_to_none(sift: Sift, tmp_path: Path) -> None:
    from siftcli.io.registry import collection_writer

    collection_writer(tmp_path / "f.h5").close()
    assert sift("convert", "f.h5", "g.npz").returncode == 2
    assert sift("convert", "f.h5", "g.h5", "--to", "hdf5").returncode == 0


@pytest.mark.parametrize("name", SINGLE)
def test_no_keypoints_are_a_success(sift: Sift, tmp_path: Path, name: str) -> None:
    write_features(tmp_path / "none.npz", make(0))
    out = f"out{FORMATS[name].suffix}"
    assert sift("convert", "none.npz", out, "--to", name).returncode == 0
    assert all(part.exists() for part in parts_of(tmp_path / out, name))
    assert len(read_features(tmp_path / out, name)) == 0
