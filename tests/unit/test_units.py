"""Descriptors in files in other units than the library's.

Oracles: the bytes that OpenCV computes, which it keeps as floats of norm 512; closed forms.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from cli_tools import blobs
from format_tools import make, of_unit_norm

from siftcli import FormatError, OutputError
from siftcli.conventions import descriptor_unit, flip_bins, quantise
from siftcli.errors import SiftWarning
from siftcli.io import csv_table, npz
from siftcli.io.registry import read_features
from siftcli.io.units import recognised

GAMMA = of_unit_norm(np.random.default_rng(1).gamma(0.7, 60, (9, 128)))


def opencvs() -> tuple[np.ndarray, np.ndarray]:
    """Positions and descriptors as OpenCV gives them: float32, whole numbers from 0 to 255."""
    points, descriptors = cv2.SIFT_create().detectAndCompute(blobs(), None)
    assert descriptors.dtype == np.float32
    return np.float32([point.pt for point in points]), descriptors


@pytest.mark.parametrize("name", ["a.npz", "a.h5", "a.csv", "hloc.h5"])
def test_opencvs_floats_are_its_bytes_in_every_format(tmp_path: Path, name: str) -> None:
    xy, descriptors = opencvs()
    path, ones = tmp_path / name, np.ones(len(xy), np.float32)
    if name == "a.npz":
        np.savez(path, keypoints=xy, scales=ones, orientations=ones, descriptors=descriptors)
    elif name == "a.csv":
        header = ",".join(("x", "y", "sigma", *(f"f{k}" for k in range(128))))
        np.savetxt(path, np.column_stack((xy, ones, descriptors)), "%.7g", ",", header=header, comments="")
    else:
        hloc = name.startswith("hloc")
        with h5py.File(path, "w") as file:
            group = file.create_group("a.jpg")
            group["keypoints"], group["scales"], group["oris" if hloc else "orientations"] = xy, ones, ones
            group["descriptors"] = flip_bins(descriptors).T if hloc else descriptors
            if not hloc:
                file.attrs["format"], file.attrs["version"] = np.bytes_(b"siftcli"), 1
    with pytest.warns(SiftWarning, match="norm 512 as floats were taken for bytes"):
        read = read_features(path)
    assert read.descriptors is not None
    assert read.descriptors.dtype == np.uint8
    np.testing.assert_array_equal(read.descriptors, descriptors)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", ">i4", "u4", "i8", "u8"])
def test_whole_numbers_of_any_width(dtype: str) -> None:
    values = np.minimum(quantise(GAMMA), 127)
    found = recognised(values.astype(dtype), "f.npz")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
def test_floats_of_unit_norm_stay(dtype: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = recognised(GAMMA.astype(dtype), "f.npz")
    np.testing.assert_array_equal(found, GAMMA.astype(dtype).astype(np.float32))


def test_root_sift_has_the_same_norms() -> None:
    root = np.sqrt(GAMMA / GAMMA.sum(axis=1, keepdims=True)).astype(np.float32)
    assert recognised(root, "f").dtype == np.float32
    with pytest.warns(SiftWarning, match="taken for bytes"):
        assert recognised(np.rint(512 * root), "f").dtype == np.uint8


def test_floats_of_norm_512_that_are_not_whole_are_divided() -> None:
    with pytest.warns(SiftWarning, match="512 times descriptors of norm 1"):
        found = recognised(GAMMA * np.float32(512), "f")
    np.testing.assert_allclose(found, GAMMA, rtol=1e-6)


def test_zero_and_clipped_descriptors_fit_either_unit() -> None:
    values = np.zeros((3, 128), np.float32)
    values[1, 0] = 255
    values[2, :4] = 255
    assert descriptor_unit(values) == 512
    assert descriptor_unit(values / 512) == 1
    assert descriptor_unit(values[:1]) == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (GAMMA * 255, "norm 255 to 255; SIFT descriptors are of norm 1 or 512"),
        (GAMMA * 3, "norm 3 to 3"),
        (GAMMA / GAMMA.sum(axis=1, keepdims=True), "norm 0"),
        (np.concatenate((GAMMA, GAMMA * 512)), "norm 1 to 512"),
        (np.where(GAMMA[2] == GAMMA, np.nan, GAMMA), "keypoint 3 has a descriptor that is not finite"),
        (np.where(GAMMA[1] == GAMMA, np.inf, GAMMA), "keypoint 2 has a descriptor that is not finite"),
        (GAMMA - np.float32(0.1), "keypoint 1 has a descriptor with a value below zero"),
        (np.full((1, 128), 300), "int64 instead of whole numbers 0 to 255"),
        (np.full((1, 128), -1, np.int8), "int8 instead of whole numbers 0 to 255"),
        (np.full((1, 128), 1e300), "norm"),
    ],
)
def test_what_is_none_of_them_is_an_error(values: np.ndarray, words: str) -> None:
    with pytest.raises(FormatError, match=f"f.npz: a: .*{words}"):
        recognised(values, "f.npz", "a: ")


@pytest.mark.parametrize("values", ["{:g}", "{:.1f}"])
def test_bytes_in_csv_may_be_written_as_pandas_does(values: str) -> None:
    """Closed form: 12.0 is 12."""
    features = make(3)
    assert features.descriptors is not None
    rows = [",x,y,sigma," + ",".join(f"d{k}" for k in range(128))]
    rows += [",".join([str(i), "1", "2", "3", *map(values.format, row)]) for i, row in enumerate(features.descriptors)]
    found = csv_table.decode("\n".join(rows).encode()).descriptors
    np.testing.assert_array_equal(found, features.descriptors)


def test_writers_refuse_what_readers_would() -> None:
    bad = make(1, descriptors=np.full((1, 128), np.nan, np.float32))
    with pytest.raises(OutputError, match="a descriptor that is not finite"):
        npz.encode(bad)
