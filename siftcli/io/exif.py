"""The camera and its position, from the EXIF metadata of an image.

The focal length in pixels is found as COLMAP finds it: from the focal length for 35 mm film, whose diagonal is taken
as 43.27 mm; else from the focal length and the resolution of the focal plane.  That resolution is of the image as it
was taken: where EXIF tells another size, it is scaled to the size that the image has.
"""

from __future__ import annotations

import math
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO

from ..features import Camera
from .files import Source, open_source, source_name
from .image import read_size
from .image_kinds import kind_of

if TYPE_CHECKING:
    from PIL.Image import Exif

__all__ = ["read_camera"]

_MAKE, _MODEL = 271, 272
_EXIF, _GPS = 0x8769, 0x8825
_FOCAL, _FOCAL_35 = 37386, 41989
_PLANE_X, _PLANE_UNIT = 41486, 41488
_SIDES = (40962, 40963)
_DIAGONAL_35 = 43.27
_UNITS = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}
"""Unit of the focal plane's resolution to millimetres."""


def read_camera(source: Source | str | PathLike[str]) -> Camera | None:
    """Read the camera of an image; None if its metadata do not tell of one or cannot be read.

    Parameters
    ----------
    source : path, bytes or binary file
        An image of any format but CR3 and RAF; its pixels are not decoded.
    """
    try:
        with open_source(source) as stream:
            exif, size = _metadata(stream, source_name(source))
            camera = Camera(
                " ".join(filter(None, (_text(exif.get(_MAKE)), _text(exif.get(_MODEL))))),
                _focal(exif.get_ifd(_EXIF), size),
                _position(exif.get_ifd(_GPS)),
            )
    except Exception:  # metadata are damaged in many ways, and the image may be good
        return None
    return None if camera == Camera() else camera


def _metadata(stream: BinaryIO, name: str) -> tuple[Exif, tuple[int, int]]:
    """Return the EXIF data of an image, and its width and height."""
    from PIL import Image

    head = stream.read(64)
    stream.seek(0)
    kind = kind_of(head, name)
    if kind not in ("HEIC", "RAW", "TIFF"):
        with Image.open(stream) as image:
            return image.getexif(), image.size
    exif = Image.Exif()
    if kind == "HEIC":
        from .image.heif import exif_block

        exif.load(exif_block(stream, name))
    elif kind_of(head) == "TIFF":
        exif.load_from_fp(stream)
    else:  # Olympus and Panasonic begin TIFF with a mark of their own
        exif.load({b"II": b"II*\0", b"MM": b"MM\0*"}[head[:2]] + stream.read()[4:])
    return exif, read_size(stream, name=name)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return " ".join(value.replace("\0", " ").split())[:100] if isinstance(value, str) else ""


def _number(value: Any) -> float:
    """Return a number, NaN for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return math.nan


def _focal(exif: Any, size: tuple[int, int]) -> float | None:
    on_film = _number(exif.get(_FOCAL_35))
    found = on_film / _DIAGONAL_35 * math.hypot(*size)
    if not on_film > 0:
        unit = _UNITS.get(exif.get(_PLANE_UNIT, 2), math.nan)
        found = _number(exif.get(_FOCAL)) * _number(exif.get(_PLANE_X)) / unit
        taken = max(_number(exif.get(side)) for side in _SIDES)
        if taken > 0:
            found *= max(size) / taken
    return found if 0 < found < math.inf else None


def _position(gps: Any) -> tuple[float, float, float] | None:
    latitude, longitude = _angle(gps.get(2), gps.get(1), "S"), _angle(gps.get(4), gps.get(3), "W")
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return None
    altitude = _number(gps.get(6))
    below = gps.get(5) in (1, b"\x01")
    return latitude, longitude, -altitude if below else altitude


def _angle(value: Any, reference: Any, negative: str) -> float:
    """Return degrees from degrees, minutes and seconds; NaN for what is none."""
    try:
        degrees, minutes, seconds = map(_number, value)
    except (TypeError, ValueError):
        return math.nan
    angle = degrees + minutes / 60 + seconds / 3600
    return -angle if _text(reference).upper().startswith(negative) else angle
