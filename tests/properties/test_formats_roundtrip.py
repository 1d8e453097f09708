"""Every format, there and back.  Oracle: the features that were written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from format_tools import SINGLE, any_features, as_written, held, make, parts_of, same, write
from hypothesis import given, settings
from hypothesis import strategies as st

from siftcli.errors import OutputError
from siftcli.features import Features
from siftcli.io.formats import FORMATS, Format, format_for, format_of_suffix
from siftcli.io.registry import collection_reader, encode_features, read_features, write_features

EXACT = [name for name in FORMATS if FORMATS[name].conventions.precision == "exact"]
FILES = settings(max_examples=30)
"""Every example writes files, which takes some milliseconds."""

TURNED = {"ipol", "hloc", "opencv", "opencv-xml"}
"""Formats whose angles are a sum or product with a number that float32 cannot hold: these may cost a rounding."""

NEEDS_DESCRIPTORS = {"colmap", "colmap-db", "visualsfm", "hloc", "opensfm"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that all examples share; what they write is replaced."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def path_for(folder: Path, format: Format) -> Path:
    return folder / f"{format.name}{format.suffix}"


def comparable(format: Format, features: Features) -> Features:
    """What the format is able to hold, of features that it takes."""
    if format.name in NEEDS_DESCRIPTORS and features.descriptors is None:
        features = Features(**{**vars(features), "descriptors": np.zeros((len(features), 128), np.uint8)})
    if format.name in ("hloc", "colmap-db", "opensfm") and features.image_size is None:
        features = Features(**{**vars(features), "image_size": (640, 480)})
    if format.name in ("opencv", "opencv-xml"):  # which have a byte for each, and both or none
        known = features.octaves is not None and features.levels is not None and len(features) > 0
        octaves = (features.octaves % 256 - 128).astype(np.int16) if known else None
        levels = (features.levels % 255 + 1).astype(np.int16) if known else None
        scores = features.scores if features.scores is not None and features.scores.any() else None  # 0 is unknown
        features = Features(**{**vars(features), "octaves": octaves, "levels": levels, "scores": scores})
    return features


def same_angles(a: Features, b: Features) -> None:
    """Assert that orientations are the same direction, up to a rounding."""
    np.testing.assert_allclose(np.exp(1j * a.orientations), np.exp(1j * b.orientations), atol=5e-7)


def check(format: Format, features: Features, back: Features) -> None:
    """Assert that nothing is lost that the format holds; shifted origins and turned angles may cost a rounding."""
    features = as_written(format.name, features)
    kept = held(format, features)
    if format.name in ("hloc", "opensfm"):  # bytes become unit-norm floats, and scores are there always
        kept = tuple(name for name in kept if name not in ("descriptors", "scores"))
    if "floats" not in format.holds and features.descriptors is not None and features.descriptors.dtype != np.uint8:
        kept = tuple(name for name in kept if name != "descriptors")
        assert back.descriptors is not None
        assert back.descriptors.dtype == np.uint8
    same(features, back, (*kept, "scales"))
    if format.conventions.origin:
        np.testing.assert_allclose(back.xy, features.xy, rtol=2e-7, atol=1e-8 if format.name == "colmap" else 1e-7)
    else:
        same(features, back, ("xy",))
    if format.name in TURNED:
        same_angles(back, features)
    else:
        same(features, back, ("orientations",))


@pytest.mark.parametrize("name", EXACT)
@FILES
@given(data=st.data())
def test_nothing_is_lost_that_the_format_holds(folder: Path, name: str, data: st.DataObject) -> None:
    format = FORMATS[name]
    features = comparable(format, data.draw(any_features()))
    path = write(path_for(folder, format), features, name)
    back = read_features(path, name)
    if features.descriptors is None and len(features) == 0 and format.name in ("vlfeat", "ipol"):
        return  # an empty file does not tell whether there were descriptors to be
    check(format, features, back)


@pytest.mark.parametrize("name", ["lowe", "lowe-gz"])
@FILES
@given(features=any_features())
def test_lowes_files_round_to_what_they_print(folder: Path, name: str, features: Features) -> None:
    path = write(path_for(folder, FORMATS[name]), features, name)
    back = read_features(path, name)
    np.testing.assert_allclose(back.xy, features.xy, atol=0.0051, rtol=1e-7)
    np.testing.assert_allclose(back.scales, features.scales, atol=0.0051, rtol=1e-7)
    np.testing.assert_allclose(back.orientations, features.orientations, atol=0.00051)
    write(folder / "again.key", back, "lowe")
    assert read_features(folder / "again.key").xy.tobytes() == back.xy.tobytes()


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("hdf5", "colmap-db")])
@FILES
@given(features=any_features(floats=False, frames=False, whole=True))
def test_by_way_of_hdf5_nothing_more_is_lost(folder: Path, name: str, features: Features) -> None:
    """X -> .h5 -> X is the same file to the byte."""
    format = FORMATS[name]
    first = write(path_for(folder, format), comparable(format, features), name)
    write(folder / "between.h5", read_features(first, name), "hdf5")
    (folder / "second").mkdir(exist_ok=True)
    second = write(folder / "second" / first.name, read_features(folder / "between.h5"), name)
    if name in TURNED:
        same_angles(read_features(second, name), read_features(first, name))
        return
    for a, b in zip(parts_of(first, name), parts_of(second, name), strict=True):
        assert a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize("name", ["box", "library", "basmati"])
def test_lowes_own_files_by_way_of_hdf5(oracle_data: Path, tmp_path: Path, name: str) -> None:
    key = oracle_data / "lowe" / f"{name}.key"
    write_features(tmp_path / "f.h5", read_features(key), image=f"{name}.pgm")
    write_features(tmp_path / "back.key", read_features(tmp_path / "f.h5"))
    assert (tmp_path / "back.key").read_bytes() == key.read_bytes()


@pytest.mark.parametrize("name", SINGLE)
def test_a_format_is_told_by_suffix_and_contents(tmp_path: Path, name: str) -> None:
    """Where several formats share a suffix, what was written says which it is."""
    format = FORMATS[name]
    path = write(path_for(tmp_path, format), make(3), name)
    assert format_for(path, reading=True) is format
    same(read_features(path), read_features(path, name))


@pytest.mark.parametrize("name", ["hdf5", "npz", "csv", "colmap-db", "vlfeat", "vlfeat-frame"])
def test_affine_frames_are_kept(tmp_path: Path, name: str) -> None:
    features = make(6, affine=True)
    back = read_features(write(path_for(tmp_path, FORMATS[name]), features, name))
    assert features.affine is not None
    assert back.affine is not None
    np.testing.assert_array_equal(back.affine, features.affine)
    if "diverged" in FORMATS[name].holds:
        np.testing.assert_array_equal(back.diverged, features.diverged)
    np.testing.assert_allclose(back.scales, features.scales, rtol=1e-6)
    np.testing.assert_allclose(back.orientations, features.orientations, atol=1e-6)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_lost_is_named(name: str) -> None:
    format = FORMATS[name]
    lost = format.losses(make(2, affine=True, floats=True))
    for attribute, words in {"scores": "scores", "octaves": "octaves", "image_size": "image size"}.items():
        assert (words in lost) == (attribute not in format.holds)
    assert ("float precision of descriptors" in lost) == ("floats" not in format.holds)
    assert not format.losses(Features(*(getattr(make(2), n) for n in ("xy", "scales", "orientations"))))


@pytest.mark.parametrize("name", SINGLE)
def test_bytes_for_stdout_are_those_of_the_file(tmp_path: Path, name: str) -> None:
    format = FORMATS[name]
    features = make(5)
    if format.kind != "stream":
        with pytest.raises(OutputError, match="needs a file of its own"):
            encode_features(features, name)
        return
    assert encode_features(features, name) == write(path_for(tmp_path, format), features, name).read_bytes()


@pytest.mark.parametrize(
    ("path", "name", "image"),
    [
        ("photo.key", "lowe", "photo"),
        ("photo.KEY.GZ", "lowe-gz", "photo"),
        ("a.b/photo.x.h5", "hdf5", "a.b/photo.x"),
        ("photo.jpg.txt", "colmap", "photo.jpg"),
        ("photo.sift", "vlfeat", "photo"),
        ("photo.descr", "vlfeat-frame", "photo"),
        (".key", "lowe", ".key"),
    ],
)
def test_suffixes(path: str, name: str, image: str) -> None:
    format = format_of_suffix(path)
    assert format is not None
    assert format.name == name
    assert format.image_name(Path(path)) == image
    assert format_of_suffix("photo.jpg") is None


@pytest.mark.parametrize("name", SINGLE)
def test_a_file_of_one_image_is_a_collection_of_one(tmp_path: Path, name: str) -> None:
    path = write(path_for(tmp_path, FORMATS[name]), make(3), name)
    with collection_reader(path, name) as collection:
        assert collection.names == (name,)
        ((found, features),) = collection
        assert found == name
        same(features, collection.read(name))
        with pytest.raises(KeyError):
            collection.read("another")
