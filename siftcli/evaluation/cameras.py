"""Readers of known cameras: Strecha's ``.camera`` files, and COLMAP's models as text or binary.

COLMAP's models are not read with pycolmap, because it crashes the process if a binary file is truncated, and refuses a
model whose points do not belong to it.  Points and tracks are not needed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..conventions import pixel_origin
from ..errors import FormatError
from ..io.files import open_source, why_unreadable
from ..io.limits import MAX_CONFIG, read_limited
from .truth import Camera

__all__ = ["read_colmap_model", "read_strecha", "read_text"]

_MODELS = (
    ("SIMPLE_PINHOLE", "f cx cy"),
    ("PINHOLE", "fx fy cx cy"),
    ("SIMPLE_RADIAL", "f cx cy k1"),
    ("RADIAL", "f cx cy k1 k2"),
    ("OPENCV", "fx fy cx cy k1 k2 p1 p2"),
)
"""COLMAP's camera models by their number, and the order of their parameters."""

_Intrinsics = dict[str, Any]


def read_text(path: Path, what: str) -> str:
    """Read a small text file.

    Raises
    ------
    FormatError
        If it cannot be read, or is larger than what it should be.
    """
    try:
        with open_source(path) as file:
            return read_limited(file, MAX_CONFIG, what).decode("utf-8", "replace")
    except OSError as error:
        raise FormatError(path, why_unreadable(error)) from error


# --- Strecha


def read_strecha(path: Path) -> Camera:
    """Read a camera of Strecha's multi-view benchmark: K, a line of zeros, R, the camera's position, the image size.

    R turns from the camera to the world: ``P = K [R^T | -R^T C]``. [Strecha08]

    Raises
    ------
    FormatError
        If it cannot be read or is no such file.
    """
    tokens = read_text(path, "a camera").split()
    try:
        values = np.array([float(token) for token in tokens[:26]])
    except ValueError:
        values = np.empty(0)
    if len(values) not in (24, 26) or not np.isfinite(values).all():
        raise FormatError(
            path, "is no camera of Strecha's: K (9 numbers), 3 of distortion, R (9), position (3), size (2)"
        )
    matrix, rotation, centre = values[:9].reshape(3, 3), values[12:21].reshape(3, 3).T, values[21:24]
    if values[9:12].any():
        raise FormatError(path, "has lens distortion, which is not supported; undistort the images first")
    return _checked(
        path,
        Camera(np.array([matrix[0, 0], matrix[1, 1]]), matrix[:2, 2].copy(), rotation, -rotation @ centre),
    )


def _checked(path: Path, camera: Camera) -> Camera:
    values = np.concatenate([camera.focal, camera.centre, camera.rotation.ravel(), camera.translation])
    if not np.isfinite(values).all() or not (camera.focal > 0).all():
        raise FormatError(path, "has a camera that cannot be: a focal length not above 0, or a number not finite")
    if np.abs(camera.rotation @ camera.rotation.T - np.eye(3)).max() > 1e-3 or np.linalg.det(camera.rotation) < 0:
        raise FormatError(path, "has a rotation that is not one: its rows are not orthonormal")
    return camera


# --- COLMAP


def read_colmap_model(folder: Path) -> dict[str, Camera]:
    """Read the cameras of a COLMAP model, by the names of their images.

    Parameters
    ----------
    folder : Path
        Holds ``cameras`` and ``images``, both ``.bin`` or both ``.txt``.

    Raises
    ------
    FormatError
        If they cannot be read, are damaged, or have a camera model other than the pinhole, radial and OPENCV ones.
    """
    binary = (folder / "images.bin").is_file()
    cameras, images = (folder / f"{name}.{'bin' if binary else 'txt'}" for name in ("cameras", "images"))
    known = dict(_records(cameras, _binary_cameras if binary else _text_cameras))
    found = {}
    for name, (number, pose) in _records(images, _binary_images if binary else _text_images):
        if number not in known:
            raise FormatError(images, f"image {name!r} has camera {number}, which {cameras.name} does not hold")
        found[name] = _posed(images, known[number], pose)
    return found


def _records(path: Path, parse: Callable[[Any], Iterator[tuple[Any, Any]]]) -> list[tuple[Any, Any]]:
    if not path.is_file():
        raise FormatError(path, "is missing; a model has cameras and images, both .bin or both .txt")
    try:
        with open_source(path, limited=True) as file:
            data = file.read()
        return list(
            parse(data.decode("utf-8", "surrogateescape").splitlines() if path.suffix == ".txt" else _Bytes(data))
        )
    except OSError as error:
        raise FormatError(path, why_unreadable(error)) from error
    except (struct.error, ValueError, IndexError, OverflowError, UnicodeDecodeError) as error:
        raise FormatError(path, f"is damaged, or no file of a COLMAP model: {error}") from error
    except _UnknownModel as error:
        raise FormatError(
            path, f"has the camera model {error}, which is not supported; undistort with colmap image_undistorter"
        ) from error


class _UnknownModel(Exception):
    """A camera model that is not in `_MODELS`."""


class _Bytes:
    """A little-endian file, read from its start."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, format: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{format}", self._data, self._at)
        self._at += struct.calcsize(f"<{format}")
        return values

    def name(self) -> str:
        end = self._data.index(b"\0", self._at)
        text = self._data[self._at : end].decode("utf-8", "surrogateescape")
        self._at = end + 1
        return text

    def skip(self, count: int) -> None:
        self._at += count
        if self._at > len(self._data):
            raise ValueError("it ends too early")


def _intrinsics(model: str, values: tuple[float, ...]) -> _Intrinsics:
    order = dict(_MODELS)[model].split()
    if len(values) != len(order):
        raise ValueError(f"{model} has {len(order)} parameters, not {len(values)}")
    named = dict(zip(order, values, strict=True))
    get = named.get
    return {
        "focal": np.array([get("f", get("fx")), get("f", get("fy"))]),
        "centre": pixel_origin(np.array([named["cx"], named["cy"]])).astype(np.float64),
        "radial": (get("k1", 0.0), get("k2", 0.0)),
        "tangential": (get("p1", 0.0), get("p2", 0.0)),
    }


def _binary_cameras(file: _Bytes) -> Iterator[tuple[int, _Intrinsics]]:
    for _ in range(file.take("Q")[0]):
        number, model, _, _ = file.take("IiQQ")
        if not 0 <= model < len(_MODELS):
            raise _UnknownModel(f"number {model}")
        name, order = _MODELS[model]
        yield number, _intrinsics(name, file.take(f"{len(order.split())}d"))


def _text_cameras(lines: list[str]) -> Iterator[tuple[int, _Intrinsics]]:
    for line in lines:
        parts = line.split()
        if parts and not line.startswith("#"):
            if parts[1] not in dict(_MODELS):
                raise _UnknownModel(parts[1])
            yield int(parts[0]), _intrinsics(parts[1], tuple(float(part) for part in parts[4:]))


def _binary_images(file: _Bytes) -> Iterator[tuple[str, tuple[int, tuple[float, ...]]]]:
    for _ in range(file.take("Q")[0]):
        _, *pose, camera = file.take("I7dI")
        name = file.name()
        file.skip(24 * file.take("Q")[0])
        yield name, (camera, tuple(pose))


def _text_images(lines: list[str]) -> Iterator[tuple[str, tuple[int, tuple[float, ...]]]]:
    rows = [line for line in lines if not line.startswith("#")]
    while rows and not rows[0].strip():
        rows.pop(0)
    for line in rows[::2]:  # every second line holds points, and may be empty
        if line.strip():
            parts = line.split(maxsplit=9)
            yield parts[9], (int(parts[8]), tuple(float(part) for part in parts[1:8]))


def _posed(path: Path, intrinsics: _Intrinsics, pose: tuple[float, ...]) -> Camera:
    quaternion = np.array(pose[:4])
    norm = np.linalg.norm(quaternion)
    w, x, y, z = quaternion / (norm if np.isfinite(norm) and norm > 0 else np.nan)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    return _checked(path, Camera(rotation=rotation, translation=np.array(pose[4:]), **intrinsics))
