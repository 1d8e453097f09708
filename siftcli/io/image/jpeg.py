"""JPEG: the luma as libjpeg decodes it, and the warnings of libjpeg about damaged data.

Pillow reads the header.  simplejpeg (extra ``jpeg``) decodes if it is installed, because Pillow discards libjpeg's
warnings; the pixels are the same.  Without it, data that ends too early is found in files of one scan: Pillow gets them
without the mark of the end, and waits for more unless the image is complete.
"""

from __future__ import annotations

import io
from contextlib import suppress
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

_SCAN, _END = b"\xff\xda", b"\xff\xd9"
"""Markers, which the data of a scan does not contain. [ISO 10918-1 §B.1.1.5]"""
_PADDING = 64
"""Bytes that libjpeg may look ahead, and more."""


def opened(stream: BinaryIO, name: str) -> Opened:
    """Open a JPEG file."""
    frame = jpeg_frame(stream)
    if frame is not None and frame[0] > 8:
        return deep_jpeg(stream, name, *frame)
    im = header(stream, "JPEG", name)
    start = stream.tell()
    # All coefficients of a progressive one are kept until its end.
    each = 10 if im.info.get("progressive") else 4
    return Opened(*im.size, float(im.size[0]) * im.size[1] * each, partial(_decode, im, stream, start))


def _decode(im: ImageFile, stream: BinaryIO, start: int) -> Decoded:
    notes: list[str] = []
    several = getattr(im, "is_animated", False)
    if several:
        notes.append("has several frames; only the first is used")
    orientation = orientation_of(im, notes)
    grey = warning = None
    stream.seek(0)
    if not missing_extra("jpeg"):
        data = stream.read()
        grey, warning = _luma(data) if im.mode in ("L", "RGB") else (None, decoder_warning(data, "CMYK"))
        stream.seek(0)
    if grey is not None:
        result = Decoded(grey)
    else:  # Pillow decodes, or says why it cannot
        endless = _endless(stream, start) if warning is None and not several else None
        result, early = _by_pillow(im, endless, stream, notes)
        warning = warning or early
    damage = () if warning is None else (warning,)
    return result._replace(orientation=orientation, notes=tuple(notes), damage=damage)


def _by_pillow(im: ImageFile, endless: bytes | None, stream: BinaryIO, notes: list[str]) -> tuple[Decoded, str | None]:
    """Decode by Pillow, and tell whether the data ends too early, if there is a copy without its end."""
    warning = None
    if endless is not None:
        with suppress(OSError):
            whole = header(io.BytesIO(endless), "JPEG", "")
            whole.draft("L", None)
            return decoded(whole, notes), None
        warning = "its data ends before the image does"
    stream.seek(0)
    im.draft("L", None)
    return decoded(im, notes), warning


def _endless(stream: BinaryIO, start: int) -> bytes | None:
    """Return a JPEG with zeros instead of the mark of its end; None if it has several scans, or no such mark.

    Parameters
    ----------
    stream : binary file
        At its beginning.
    start : int
        Where the data of the first scan begins.
    """
    data = stream.read()
    end = data.find(_END, start)
    several = _SCAN in data[start:end]
    return None if end < 0 or several else data[:end] + bytes(_PADDING)


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
