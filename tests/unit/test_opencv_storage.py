"""Files of OpenCV's FileStorage.

Oracles: what OpenCV 4.6 in C++ wrote with ``fs << "keypoints" << keypoints``, word for word; keypoints and descriptors
that cv2 finds and writes itself; cv2's reader, for what is written here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from format_tools import make
from image_tools import scene

import siftcli
from siftcli.errors import FormatError, OutputError
from siftcli.io import opencv_storage
from siftcli.io.registry import read_features, write_features

BY_CPP = {
    ".yml": b"""%YAML:1.0
---
keypoints:
   - [ 1.2500000000000000e+01, 7.2500000000000000e+00,
       4.5000000000000000e+00, -1., 3.2099999487400055e-02, 5046783, -1 ]
   - [ 1.0012500000000000e+02, 3., 3.2345678806304932e+00,
       3.5950000000000000e+02, 9.9999997764825821e-03, 770, -1 ]
empty:
   []
""",
    ".xml": b"""<?xml version="1.0"?>
<opencv_storage>
<keypoints>
  <_>
    1.2500000000000000e+01 7.2500000000000000e+00 4.5000000000000000e+00
    -1. 3.2099999487400055e-02 5046783 -1</_>
  <_>
    1.0012500000000000e+02 3. 3.2345678806304932e+00
    3.5950000000000000e+02 9.9999997764825821e-03 770 -1</_></keypoints>
<empty>
  </empty>
</opencv_storage>
""",
}
"""``KeyPoint(12.5, 7.25, 4.5, -1, 0.0321, 255 | 1 << 8 | 77 << 16)``, and
``KeyPoint(100.125, 3, 3.2345678, 359.5, 0.01, 2 | 3 << 8)``."""


@pytest.mark.parametrize("suffix", BY_CPP)
def test_a_vector_of_keypoints_that_cpp_wrote(suffix: str) -> None:
    features = opencv_storage.decode(BY_CPP[suffix])
    np.testing.assert_array_equal(features.xy, np.float32([[12.5, 7.25], [100.125, 3]]))
    np.testing.assert_array_equal(features.scales, np.float32([2.25, 3.2345678 / 2]))
    np.testing.assert_allclose(features.orientations, np.deg2rad([0, -0.5]), atol=1e-7)  # -1 is no angle
    np.testing.assert_array_equal(features.scores, np.float32([0.0321, 0.01]))
    np.testing.assert_array_equal(features.octaves, [-1, 2])
    np.testing.assert_array_equal(features.levels, [1, 3])
    assert features.descriptors is None


# --- cv2


@pytest.fixture(scope="module")
def found() -> tuple[np.ndarray, Any, np.ndarray]:
    """An image, cv2's keypoints and its descriptors."""
    image = np.rint(scene() * 255).astype(np.uint8)
    keypoints, descriptors = cv2.SIFT_create(enable_precise_upscale=True).detectAndCompute(image, None)
    assert len(keypoints) > 50
    return image, keypoints, descriptors


def rows_of(keypoints: Any) -> list[tuple[float, ...]]:
    return [(*k.pt, k.size, k.angle, k.response, k.octave, k.class_id) for k in keypoints]


def stored(path: Path, keypoints: Any, descriptors: np.ndarray | None, how: str, names: tuple[str, str]) -> Path:
    """Write keypoints with cv2, as C++ does, as it did before OpenCV 3, or as Python scripts do."""
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    if how == "matrix":
        file.write(names[0], np.array(rows_of(keypoints)))
    else:
        file.startWriteStruct(names[0], cv2.FILE_NODE_SEQ | (cv2.FILE_NODE_FLOW if how == "flat" else 0))
        for row in rows_of(keypoints):
            if how == "nested":
                file.startWriteStruct("", cv2.FILE_NODE_SEQ | cv2.FILE_NODE_FLOW)
            for i, number in enumerate(row):
                file.write("", int(number) if i > 4 else number)
            if how == "nested":
                file.endWriteStruct()
        file.endWriteStruct()
    if descriptors is not None:
        file.write(names[1], descriptors)
    file.release()
    return path


@pytest.mark.parametrize("suffix", [".yml", ".yaml", ".xml", ".yml.gz"])
@pytest.mark.parametrize("how", ["nested", "flat", "matrix"])
def test_what_cv2_writes(tmp_path: Path, found: Any, suffix: str, how: str) -> None:
    _, keypoints, descriptors = found
    names = ("keypoints", "descriptors") if how == "nested" else ("Keypoints_1", "query_descriptors")
    path = stored(tmp_path / f"a{suffix}", keypoints, descriptors, how, names)
    features = read_features(path, "opencv" if suffix == ".yml.gz" else None)
    rows = np.float32(rows_of(keypoints))
    np.testing.assert_array_equal(features.xy, rows[:, :2])
    np.testing.assert_array_equal(features.scales, rows[:, 2] / 2)
    np.testing.assert_allclose(np.exp(1j * features.orientations), np.exp(1j * np.deg2rad(rows[:, 3])), atol=1e-6)
    np.testing.assert_array_equal(features.scores, rows[:, 4])
    assert features.descriptors is not None
    assert features.descriptors.dtype == np.uint8
    assert set(np.unique(features.descriptors)) == set(np.unique(descriptors))


def test_frames_and_descriptors_are_those_of_the_library(tmp_path: Path, found: Any) -> None:
    """OpenCV's SIFT against this one on the same frames: conventions of angles, bins, octaves and levels."""
    image, keypoints, descriptors = found
    features = read_features(stored(tmp_path / "a.yml", keypoints, descriptors, "nested", ("keypoints", "descriptors")))
    assert features.octaves is not None
    assert features.levels is not None
    nominal = 1.6 * 2.0 ** (features.octaves + features.levels / 3)
    assert (np.abs(np.log2(features.scales / nominal)) * 3 < 1.01).all()  # the fit moves a level by one at most
    again = siftcli.describe(image, features).descriptors
    a, b = (
        d / np.linalg.norm(d, axis=1, keepdims=True) for d in (again.astype(float), features.descriptors.astype(float))
    )
    assert np.median((a * b).sum(axis=1)) > 0.98  # 0.6 with another order of bins, see docs/conventions.md


@pytest.mark.parametrize("suffix", [".yml", ".xml"])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_cv2_reads_what_is_written(tmp_path: Path, suffix: str, count: int) -> None:
    features = make(count)
    write_features(tmp_path / f"a{suffix}", features)
    file = cv2.FileStorage(str(tmp_path / f"a{suffix}"), cv2.FILE_STORAGE_READ)
    node = file.getNode("keypoints")
    rows = [[node.at(i).at(k).real() for k in range(7)] for i in range(node.size())]
    assert len(rows) == count
    if not count:
        return
    x, y, size, angle, response, octave, kind = np.array(rows).T
    np.testing.assert_array_equal(np.float32([x, y]).T, features.xy)
    np.testing.assert_array_equal(np.float32(size), 2 * features.scales)
    np.testing.assert_allclose(np.exp(1j * np.deg2rad(angle)), np.exp(1j * features.orientations), atol=1e-6)
    assert ((angle >= 0) & (angle < 360)).all()
    np.testing.assert_array_equal(np.float32(response), features.scores)
    np.testing.assert_array_equal(octave.astype(int) & 255, features.octaves % 256)
    np.testing.assert_array_equal(octave.astype(int) >> 8, features.levels)
    assert (kind == -1).all()
    matrix = file.getNode("descriptors").mat()
    assert matrix.dtype == np.float32
    lowe = matrix.reshape(count, 16, 8)[:, :, (8 - np.arange(8)) % 8].reshape(count, 128)
    np.testing.assert_array_equal(lowe, features.descriptors)


def test_without_descriptors_and_of_another_detector(tmp_path: Path, found: Any) -> None:
    image = found[0]
    points = cv2.ORB_create(20).detect(image)
    features = read_features(stored(tmp_path / "b.xml", points, None, "nested", ("keypoints", "")))
    assert len(features) == len(points)
    assert features.octaves is None  # ORB's count otherwise
    assert features.descriptors is None


# --- files that are none


HEAD = b"%YAML:1.0\n---\n"
ONE = b"keypoints:\n   - [ 1., 2., 3., 4., 5., 257, -1 ]\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "has no node 'keypoints'"),
        (HEAD + b"camera_matrix: 3\n", "has no node 'keypoints'"),
        (
            HEAD + ONE + ONE.replace(b"keypoints", b"keypoints2"),
            r"keypoints of several images \(keypoints, keypoints2\)",
        ),
        (HEAD + ONE[:-4], "is truncated"),
        (HEAD + ONE.replace(b"3., ", b""), "keypoints has 6 numbers"),
        (HEAD + ONE.replace(b"3.", b"three"), "keypoints holds something else than numbers"),
        (HEAD + b"keypoints:\n   - { x:1., y:2. }\n", "keypoints holds something else"),
        (HEAD + ONE.replace(b"3.", b".Nan"), "keypoints holds something else"),
        (HEAD + ONE.replace(b"3.", b"-3."), "keypoint 1 has a frame that is not finite, or a scale below zero"),
        (HEAD + ONE.replace(b"2.", b"1e400"), "keypoint 1 has a frame that is not finite"),
        (
            HEAD + b"keypoints: !!opencv-matrix\n   rows: 2\n   cols: 7\n   dt: f\n   data: [ 1, 2, 3, 4, 5, 6, 7 ]\n",
            "7 num",
        ),
        (HEAD + b"keypoints: !!opencv-matrix\n   rows: 2\n   data: [ 1 ]\n", "a matrix without rows, columns or type"),
        (b"<?xml version='1.0'?><opencv_storage><keypoints><_>1 2", "is no complete XML"),
        (b"<?xml version='1.0'?><!DOCTYPE x><opencv_storage/>", "defines entities"),
        (b"<opencv_storage><keypoints><_><x>1</x><y>2</y></_></keypoints></opencv_storage>", "has 2 numbers"),
        (b"<opencv_storage><keypoints><x>1</x></keypoints></opencv_storage>", "something else than numbers"),
    ],
)
def test_what_is_no_file_of_keypoints(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as error:
        opencv_storage.decode(data, name="a.yml")
    assert str(error.value).startswith("a.yml: ")


@pytest.mark.parametrize(
    ("descriptors", "words"),
    [
        (np.full((2, 128), 45, np.float32), r"numbers of keypoints and descriptors differ \(1 and 2\)"),
        (np.full((1, 64), 45, np.float32), "descriptors has 64 numbers"),
        (np.full((1, 128), 300, np.float32), "instead of whole numbers 0 to 255"),
        (np.full((1, 128), 0.3, np.float32), "of norm 3.394 to 3.394"),
        (np.full((1, 128), -45.5, np.float32), "below zero"),
    ],
)
def test_descriptors_of_another_kind_are_refused(
    tmp_path: Path, found: Any, descriptors: np.ndarray, words: str
) -> None:
    path = stored(tmp_path / "a.yml", found[1][:1], descriptors, "nested", ("keypoints", "descriptors"))
    with pytest.raises(FormatError, match=words):
        read_features(path)


def test_levels_that_a_byte_does_not_hold_are_refused() -> None:
    with pytest.raises(OutputError, match="keypoint 2 has the level 0, and OpenCV has 1 to 255"):
        opencv_storage.encode(make(2, levels=np.array([1, 0], np.int16)))
