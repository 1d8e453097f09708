"""Decoding by Pillow, of whatever it represents without loss; and of the rest, in 8 bits."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ...errors import ImageError
from ...features import Image
from ..grey import key_mask
from ..levels import Range, Stated
from .deep import deep_colour
from .headers import avif_depth, gif_frames, jpeg2000_frame, png_significant_bits
from .modes import grey_of, some, strips, transparent_key
from .opened import DAMAGE, Array, Decoded, Opened, needed

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.ImageFile import ImageFile

__all__ = ["decoded", "decoding_memory", "header", "opened", "opened_by", "orientation_of", "registered"]

_PLUGINS = {"JPEG2000": "Jpeg2K", "WEBP": "WebP"}
"""Where the module is not named like the format."""

_MODE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
"""Bytes of a pixel in Pillow; 4 for the other modes."""
_DECODER_BYTES = {"JPEG2000": 24, "AVIF": 12, "WEBP": 8, "GIF": 4, "TIFF": 4}
"""Bytes of a pixel that the decoders of these formats take besides."""
_GREY_BYTES = 4
"""Bytes per pixel of the grey image and its mask."""

_ORIENTATION = 274


def header(stream: BinaryIO, kind: str, name: str) -> ImageFile:
    """Read the header, with the one plugin that the kind asks for: loading all takes longer than most images."""
    from PIL import Image

    stream.seek(0)
    head = stream.read(16)
    try:
        import_module(f"PIL.{_PLUGINS.get(kind, kind.capitalize())}ImagePlugin")
        factory, accept = Image.OPEN[kind]
        readable = not accept or accept(head) is True  # else why not, as text
    except (ImportError, KeyError):
        readable = False
    stream.seek(0)
    if readable:
        return factory(stream, "")
    other = registered(stream)
    if other is None:
        raise ImageError(name, f"is {kind}, which the installed Pillow does not read; convert it to PNG")
    return other


def registered(stream: BinaryIO) -> ImageFile | None:
    """Open a file with a plugin that the program has registered with Pillow; None if there is none for it."""
    from PIL import Image

    stream.seek(0)
    head = stream.read(16)
    for kind in Image.ID:
        factory, accept = Image.OPEN[kind]
        if getattr(factory, "__module__", "").startswith("PIL.") or (accept and accept(head) is not True):
            continue
        stream.seek(0)
        try:
            return factory(stream, "")
        except SyntaxError:  # what it says of files of other kinds
            continue
    return None


def opened(stream: BinaryIO, kind: str, name: str) -> Opened:
    """Open a file of any kind but JPEG and TIFF, of which this module does a part of the work."""
    frames = gif_frames(stream) if kind == "GIF" else 1
    frame = jpeg2000_frame(stream) if kind == "JPEG2000" else None
    im = header(stream, kind, name)
    if frame is not None and im.size != frame[1:]:
        raise ValueError(f"its file says {im.size[0]} x {im.size[1]} pixels, its data {frame[1]} x {frame[2]}")
    return opened_by(im, stream, frames)


def opened_by(im: ImageFile, stream: BinaryIO, frames: int = 1) -> Opened:
    """Open an image of which Pillow has read the header."""
    return Opened(*im.size, decoding_memory(im), partial(_decoded_file, im, stream, frames))


def decoding_memory(im: ImageFile) -> float:
    """Predict the bytes that it takes to decode an image."""
    width, height = im.size
    each = _MODE_BYTES.get(im.mode, 4) + _DECODER_BYTES.get(im.format or "", 0) + _GREY_BYTES
    return float(width) * height * each


def _decoded_file(im: ImageFile, stream: BinaryIO, frames: int) -> Decoded:
    notes: list[str] = []
    if (frames > 1) if im.format == "GIF" else getattr(im, "is_animated", False):
        notes.append("has several frames; only the first is used")
    result = _deep(im, stream, notes)
    if result is None:
        result = decoded(im, notes, stated=_stated(im, stream), full=_full(im, stream))
    orientation = orientation_of(im, notes)
    return result._replace(notes=tuple(notes), orientation=orientation)


def orientation_of(im: ImageFile, notes: list[str]) -> int:
    """Return the EXIF orientation."""
    try:
        value = im.getexif().get(_ORIENTATION, 1)
    except (*DAMAGE, OSError):
        notes.append("has damaged EXIF data, which is ignored")
        return 1
    return value if isinstance(value, int) and value in range(1, 9) else 1


# --- depth


def _rawmode(im: ImageFile) -> str:
    arguments: Any = im.tile[0][3] if im.tile else None
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _is_deep(im: ImageFile) -> bool:
    return im.mode in ("I", "F") or im.mode.startswith("I;16")


def _colour_depth(im: ImageFile, stream: BinaryIO) -> int:
    """Return the bits of colour that Pillow would reduce to 8."""
    if _is_deep(im):
        return 8
    if im.format == "PNG":
        return 16 if ";16" in _rawmode(im) else 8
    position = stream.tell()
    depth = _jpeg2000_depth(stream) if im.format == "JPEG2000" else avif_depth(stream) if im.format == "AVIF" else 8
    stream.seek(position)
    return depth


def _jpeg2000_depth(stream: BinaryIO) -> int:
    frame = jpeg2000_frame(stream)
    return 8 if frame is None else frame[0]


def _deep(im: ImageFile, stream: BinaryIO, notes: list[str]) -> Decoded | None:
    """Decode deep colour by a library that keeps it; None if there is none, or no need."""
    depth = _colour_depth(im, stream)
    if depth <= 8:
        return None
    found = deep_colour(stream, str(im.format), depth)
    if found is None:
        notes.append(f"has {depth}-bit colour, of which the upper 8 bits are used; all are with {needed('deep')}")
        return None
    return found._replace(stated=_stated(im, stream))


def _stated(im: ImageFile, stream: BinaryIO) -> Stated | None:
    if im.format != "PNG" or ";16" not in _rawmode(im):
        return None
    position = stream.tell()
    bits = png_significant_bits(stream)
    stream.seek(position)
    return Stated(0, (1 << bits) - 1, "sBIT", optional=True) if bits and 8 <= bits < 16 else None


def _full(im: ImageFile, stream: BinaryIO) -> Range | None:
    """Return the range of JPEG 2000's levels, which Pillow shifts up to 8 or 16 bits."""
    if im.format != "JPEG2000":
        return None
    position = stream.tell()
    depth = _jpeg2000_depth(stream)
    stream.seek(position)
    room = 16 if _is_deep(im) else 8
    return (0.0, float(((1 << depth) - 1) << (room - depth))) if depth < room else None


# --- decoding


def decoded(
    im: ImageFile,
    notes: list[str],
    *,
    key: Any = None,
    stated: Stated | None = None,
    full: Range | None = None,
) -> Decoded:
    """Decode the pixels as grey, and the mask of those that are not transparent.

    Parameters
    ----------
    im : ImageFile
    notes : list of str
        Gets what was chosen or lost.
    key : int, float, tuple or bytes, optional
        The value or colour that stands for transparent, if not that of a PNG or GIF.
    stated, full
        As of `Decoded`.
    """
    rawmode = _rawmode(im)
    grey = _shared(im)
    core = im.im if grey is not None else None
    im.load()
    own = transparent_key(im.info.pop("transparency", None), im.mode, rawmode)
    key = own if key is None else key
    if not _is_deep(im):
        if grey is None or im.im is not core:
            pixels, visible = grey_of(im, key)
            return Decoded(pixels, visible, full)
        return Decoded(grey, None if key is None else some(key_mask(grey, key)), full)
    samples: Array = _samples(im) if grey is None or im.im is not core else grey
    if im.mode == "I" and im.format in ("PNG", "PPM"):  # of 16 bits, in versions that have no I;16 for it
        samples = samples.astype(np.uint16)
    if rawmode == "I;12":
        full = (0.0, 4095.0)
    return Decoded(samples, None if key is None else some(key_mask(samples, key)), full, stated)


def _shared(im: ImageFile) -> Image | None:
    """Make Pillow decode into an array: half the memory.  None if the mode or the decoder does not allow it."""
    from PIL import Image

    dtype = {"L": "u1", "I;16": "<u2"}.get(im.mode)
    if dtype is None or im.format != "PNG":
        return None
    grey: npt.NDArray[Any] = np.zeros(im.size[::-1], dtype)
    im.im = Image.frombuffer(im.mode, im.size, grey, "raw", im.mode, 0, 1).im
    return grey


def _samples(im: PillowImage) -> Array:
    """Copy one band of 16 or 32 bits, in the machine's byte order."""
    samples: Array = np.empty(im.size[::-1], {"I": "i4", "F": "f4"}.get(im.mode, "u2"))
    for rows, part in strips(im):
        samples[rows] = np.asarray(part)
    return samples
