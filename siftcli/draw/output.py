"""Pictures as files: which format a name means, and the bytes of each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from os import PathLike
from pathlib import PurePath
from typing import Any

from PIL import Image

from ..errors import OutputError, ParameterError
from .scene import Scene
from .svg import to_svg

__all__ = ["ANIMATED", "FORMATS", "encode", "encode_animation", "picture_format"]

FORMATS = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg", ".jpe"),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "svg": (".svg",),
    "pdf": (".pdf",),
    "gif": (".gif",),
    "html": (".html", ".htm"),
}
"""Name of a picture's format to its suffixes."""

ANIMATED = ("gif", "webp", "png")
"""Formats that hold several pictures, shown in turn."""

_SIDE = {"jpeg": 65500, "webp": 16383, "gif": 65535}
"""The longest side that a format can have, in pixels."""
_LARGE = 1 << 22
"""PNGs of more pixels are compressed less, in a third of the time, and hardly become larger."""
_QUALITY = 92
_DPI = 150.0


def picture_format(path: str | PathLike[str], name: str | None = None) -> str:
    """Return the format of a picture file: `name` where given, else by the suffix.

    Raises
    ------
    ParameterError
        If no format has that name or suffix.
    """
    if name is not None:
        if name not in FORMATS:
            raise ParameterError("format", f"must be one of {', '.join(FORMATS)}, not {name!r}")
        return name
    suffix = PurePath(path).suffix.lower()
    for format, suffixes in FORMATS.items():
        if suffix in suffixes:
            return format
    known = ", ".join(suffixes[0] for suffixes in FORMATS.values())
    raise ParameterError("output", f"{str(path)!r} has no picture's suffix; use one of {known}, or give --format")


def encode(scene: Scene, format: str, *, name: str | PathLike[str] = "<picture>") -> bytes:
    """Return a scene as a file of a format of `FORMATS`, but not of a page.

    Parameters
    ----------
    name : path
        The output's name in messages.

    Raises
    ------
    OutputError
        If the format cannot hold a picture so large.
    """
    if format == "svg":
        return to_svg(scene).encode()
    picture = scene.render()
    return _save(picture, format, name, **_options(format, picture))


def encode_animation(
    pictures: Sequence[Image.Image], format: str, milliseconds: int, *, name: str | PathLike[str] = "<picture>"
) -> bytes:
    """Return pictures of one size as an endless animation, of a format of `ANIMATED`.

    Raises
    ------
    OutputError
        If the format cannot hold pictures so large, or several.
    """
    if format not in ANIMATED:
        raise OutputError(name, f"{format} holds no animation; use one of {', '.join(ANIMATED)}")
    first, *rest = pictures
    options = _options(format, first)
    if format == "gif":
        first, *rest = (p.quantize(255, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG) for p in pictures)
        options = {"disposal": 1, "optimize": False}
    return _save(first, format, name, save_all=True, append_images=rest, duration=milliseconds, loop=0, **options)


def _options(format: str, picture: Image.Image) -> dict[str, Any]:
    if format == "png":
        return {"compress_level": 2 if picture.width * picture.height > _LARGE else 6}
    if format == "tiff":
        return {"compression": "tiff_lzw"}
    if format in ("jpeg", "pdf"):  # thin coloured lines need all of the colour
        return {"quality": _QUALITY, "subsampling": 0, **({"resolution": _DPI} if format == "pdf" else {})}
    return {"quality": _QUALITY} if format == "webp" else {}


def _save(picture: Image.Image, format: str, name: str | PathLike[str], **options: Any) -> bytes:
    longest = max(picture.size)
    if longest > _SIDE.get(format, longest):
        raise OutputError(name, f"{format} holds no more than {_SIDE[format]} pixels a side, not {longest}; use png")
    stream = io.BytesIO()
    picture.save(stream, format.upper(), **options)
    return stream.getvalue()
