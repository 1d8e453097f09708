"""JPEG: the luma as libjpeg decodes it, and the warnings of libjpeg about damaged data.

Pillow reads the header.  simplejpeg (extra ``jpeg``) decodes if it is installed, because Pillow discards libjpeg's
warnings; the pixels are the same.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..image_kinds import missing_extra
from .deep import deep_jpeg
from .headers import jpeg_frame
from .opened import Decoded, Opened
from .pillow import decoded, header, orientation_of

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["decoder_warning", "opened"]


def opened(stream: BinaryIO, name: str) -> Opened:
    """Open a JPEG file."""
    frame = jpeg_frame(stream)
    if frame is not None and frame[0] > 8:
        return deep_jpeg(stream, name, *frame)
    im = header(stream, "JPEG", name)
    # All coefficients of a progressive one are kept until its end.
    each = 10 if im.info.get("progressive") else 4
    return Opened(*im.size, float(im.size[0]) * im.size[1] * each, partial(_decode, im, stream))


def _decode(im: ImageFile, stream: BinaryIO) -> Decoded:
    notes: list[str] = []
    if getattr(im, "is_animated", False):
        notes.append("has several frames; only the first is used")
    orientation = orientation_of(im, notes)
    grey, warning = None, None
    if not missing_extra("jpeg"):
        stream.seek(0)
        data = stream.read()
        grey, warning = _luma(data) if im.mode in ("L", "RGB") else (None, decoder_warning(data, "CMYK"))
    if grey is None:  # Pillow decodes, or says why it cannot
        im.draft("L", None)
        result = decoded(im, notes)
    else:
        result = Decoded(grey)
    damage = () if warning is None else (warning,)
    return result._replace(orientation=orientation, notes=tuple(notes), damage=damage)


def _luma(data: bytes) -> tuple[Any, str | None]:
    """Return the luma, or the warning of libjpeg."""
    import simplejpeg  # type: ignore[import-untyped]

    try:
        return simplejpeg.decode_jpeg(data, "GRAY")[..., 0], None
    except ValueError as error:
        return None, _libjpegs(error)


def decoder_warning(data: bytes, colours: str = "GRAY") -> str | None:
    """Return the warning of libjpeg about a JPEG; None if there is none, or if simplejpeg is not installed."""
    if missing_extra("jpeg"):
        return None
    import simplejpeg

    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        simplejpeg.decode_jpeg(data, colours, buffer=np.empty((height, width, 4), np.uint8))
    except ValueError as error:
        return _libjpegs(error)
    return None


def _libjpegs(error: ValueError) -> str | None:
    """Return the words of libjpeg; None for what simplejpeg does not support, such as rare subsamplings."""
    words = str(error)
    return None if words.startswith(("tj", "Unsupported")) else words
