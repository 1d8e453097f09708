"""Pictures as files: the bytes of each format."""

from __future__ import annotations

import io
from collections.abc import Sequence
from os import PathLike
from typing import Any

from PIL import Image

from ..errors import OutputError
from .formats import ANIMATED
from .scene import Scene
from .svg import to_svg

__all__ = ["encode", "encode_animation", "encode_picture"]

_SIDE = {"jpeg": 65500, "webp": 16383, "gif": 65535}
"""The longest side that a format can have, in pixels."""
_LARGE = 1 << 22
"""PNGs of more pixels are compressed less, in a third of the time, and hardly become larger."""
_QUALITY = 92
_DPI = 150.0


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
    return encode_picture(scene.render(), format, name=name)


def encode_picture(picture: Image.Image, format: str, *, name: str | PathLike[str] = "<picture>") -> bytes:
    """Return pixels as a file; parameters and errors as of :func:`encode`, without SVG."""
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
