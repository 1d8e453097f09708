"""Images: any file that Pillow can decode, as one grey array.

Colour becomes luma, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601); 16-bit and float greys keep their precision.  The
pixels are those of the stored grid: EXIF orientation is applied on demand only.
"""

from __future__ import annotations

import io
import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from ..features import Image
from .files import DEFAULT_MAX_PIXELS, Source, open_source, source_name, why_unreadable
from .grey import INVERSE_TURN, inverted, key_mask, levels, luma, read_samples, rescaled, turned

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.ImageFile import ImageFile

__all__ = ["DEFAULT_MAX_PIXELS", "LoadedImage", "read_image", "read_size"]

Mask = npt.NDArray[np.bool_]


class LoadedImage(NamedTuple):
    """A grey image, and what there is to say about how it was read.

    Attributes
    ----------
    pixels : (H, W) uint8, uint16 or float32
        0-255, 0-65535 or 0-1.
    mask : (H, W) bool or None
        False where the image is fully transparent; None if it is so nowhere.
    warnings : tuple of str
        Each one line, without the file's name.
    name : str
        The file's name in messages.
    """

    pixels: Image
    mask: Mask | None
    warnings: tuple[str, ...]
    name: str


def read_image(
    source: Source, *, name: str | None = None, exif_orientation: bool = False, max_pixels: int = DEFAULT_MAX_PIXELS
) -> LoadedImage:
    """Read an image as luma.

    Parameters
    ----------
    source : path, bytes or binary file
        JPEG, PNG, TIFF, PBM, PGM, PPM, PFM, BMP, GIF, WebP, JPEG 2000 or AVIF, told by its first bytes.  An open file
        is read from its start if it is seekable.
    name : str, optional
        The file's name in messages.
    exif_orientation : bool
        Turn the image upright as its EXIF orientation says; otherwise one that is not 1 gives a warning.
    max_pixels : int
        The largest image to decode.

    Returns
    -------
    LoadedImage
        Of several frames, the first, with a warning.  8-bit images are uint8, 16-bit grey ones uint16; 16-bit colour
        that Pillow reduces to 8 bits gives a warning.

    Raises
    ------
    ImageError
        If the source cannot be read or decoded, whatever its bytes, or is too large.

    Notes
    -----
    Grey levels other than 8- and 16-bit integers have no fixed range.  Floats within [0, 1] are taken as they are.
    Everything else gives a warning: floats and 32-bit integers up to 255 are taken as 8-bit levels, those up to 65535
    as 16-bit levels; what is negative, larger, or not above 2 is stretched from its own minimum and maximum to [0, 1].
    """
    name = source_name(source, name)
    try:
        with open_source(source) as file, _pillow():
            stream = file if file.seekable() else io.BytesIO(file.read())
            return _read(stream, name, exif_orientation, max_pixels)
    except ImageError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise ImageError(name, why_unreadable(error)) from error
        raise _damaged(name, error) from error
    except MemoryError as error:
        raise ImageError(name, "needs more memory than there is; make it smaller") from error
    except _DAMAGE as error:
        raise _damaged(name, error) from error


def read_size(source: Source, *, name: str | None = None) -> tuple[int, int]:
    """Read the size of an image without decoding it.

    Parameters
    ----------
    source, name
        As for `read_image`.

    Returns
    -------
    (width, height)
        In pixels of the stored grid.

    Raises
    ------
    ImageError
        If the source cannot be read, or its header is damaged.
    """
    name = source_name(source, name)
    try:
        with open_source(source) as file, _pillow():
            width, height = _open(file, name).size
            return width, height
    except OSError as error:
        raise ImageError(name, why_unreadable(error)) from error
    except MemoryError as error:
        raise ImageError(name, "needs more memory than there is; make it smaller") from error
    except _DAMAGE as error:
        raise _damaged(name, error) from error


# What Pillow has been seen to raise on damaged files, besides OSError.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def _damaged(name: str, error: Exception) -> ImageError:
    words = " ".join(str(error).split())
    detail = "".join(c if c.isprintable() else "?" for c in words)[:160] or type(error).__name__
    if detail == "not identified by this driver":
        return ImageError(name, "has no pixels, or a damaged header; get the file again")
    if "truncated" in detail or "not enough image data" in detail or isinstance(error, EOFError):
        return ImageError(name, f"is truncated; get the whole file ({detail})")
    return ImageError(name, f"is damaged, or of a kind that Pillow does not read; convert it to PNG ({detail})")


_LOCK = threading.Lock()


@contextmanager
def _pillow() -> Iterator[None]:
    """Switch off Pillow's own limit, warnings and log messages; they are global, so one thread at a time."""
    from PIL import Image

    silent = logging.NullHandler()
    logger = logging.getLogger("PIL")
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        logger.addHandler(silent)
        try:
            yield
        finally:
            logger.removeHandler(silent)
            Image.MAX_IMAGE_PIXELS = limit


def _read(stream: BinaryIO, name: str, exif_orientation: bool, max_pixels: int) -> LoadedImage:
    notes: list[str] = []
    im = _open(stream, name)
    width, height = im.size
    if width * height > max_pixels:
        raise ImageError(
            name,
            f"has {width} x {height} pixels, more than the limit of {max_pixels}; "
            "if it is meant to be that large, raise the limit with --max-pixels",
        )
    tags = getattr(im, "tag_v2", {})  # a TIFF's, before Pillow changes them
    orientation = tags.get(_ORIENTATION, 1)
    if tags.get(_SUBFILE_TYPE, 0) == 1:
        notes.append("begins with a reduced preview, and that is what is used; convert it to a plain image")
    if _several_frames(im, stream, name):
        notes.append("has several frames; only the first is used")
    pixels, mask = _decode(im, stream, name, notes)
    if im.format != "TIFF":
        orientation = _exif_orientation(im, notes)
    turned_by_pillow = im.format == "TIFF"
    del im  # and its memory
    if orientation not in range(2, 9):
        return LoadedImage(pixels, mask, tuple(notes), name)
    if not exif_orientation:
        notes.append(
            f"has EXIF orientation {orientation}, which is not applied: keypoints are on the stored pixel grid; "
            "--exif-orientation applies it"
        )
    turn = orientation if exif_orientation else 1
    if turned_by_pillow:
        turn = 1 if exif_orientation else INVERSE_TURN.get(orientation, orientation)
    if turn != 1:
        pixels = cast("Image", turned(pixels, turn))
        mask = None if mask is None else turned(mask, turn)
    return LoadedImage(pixels, mask, tuple(notes), name)


_SUBFILE_TYPE, _BITS, _PHOTOMETRIC, _ORIENTATION, _PLANAR, _SAMPLE_FORMAT = 254, 258, 262, 274, 284, 339
"""TIFF tags. [TIFF 6.0 §8]"""


def _exif_orientation(im: ImageFile, notes: list[str]) -> int:
    try:
        value = im.getexif().get(_ORIENTATION, 1)
    except (*_DAMAGE, OSError):
        notes.append("has damaged EXIF data, which is ignored")
        return 1
    return value if isinstance(value, int) else 1


def _several_frames(im: ImageFile, stream: BinaryIO, name: str) -> bool:
    if im.format != "GIF":
        return bool(getattr(im, "is_animated", False))
    position = stream.tell()
    try:
        return bool(getattr(_open(stream, name), "is_animated", False))  # moves to the second frame to find out
    except (*_DAMAGE, OSError):
        return False
    finally:
        stream.seek(position)


# --- opening

_SIGNATURES = (
    ("JPEG", 0, (b"\xff\xd8\xff",)),
    ("PNG", 0, (b"\x89PNG\r\n\x1a\n",)),
    ("TIFF", 0, (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")),
    ("PPM", 0, (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf")),
    ("BMP", 0, (b"BM",)),
    ("GIF", 0, (b"GIF87a", b"GIF89a")),
    ("WEBP", 8, (b"WEBP",)),
    ("JPEG2000", 0, (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")),
    ("AVIF", 4, (b"ftypavif", b"ftypavis", b"ftypmif1", b"ftypmsf1")),
    ("HEIC", 4, (b"ftyphei", b"ftyphev")),
)
"""Pillow's name of a format, and how its files begin: any of the bytes, at the offset."""

_PLUGINS = {"JPEG2000": "Jpeg2K", "WEBP": "WebP"}
"""Where the module is not named like the format."""


def _open(stream: BinaryIO, name: str) -> ImageFile:
    """Read the header, with the one plugin that the first bytes ask for: loading all takes longer than most images."""
    from PIL import Image

    stream.seek(0)
    head = stream.read(16)
    if not head:
        raise ImageError(name, "is empty (0 bytes); get the file again")
    kind = next((kind for kind, offset, starts in _SIGNATURES if head[offset:].startswith(starts)), None)
    if kind is None:
        raise ImageError(
            name,
            "is not an image that can be read (JPEG, PNG, TIFF, PBM, PGM, PPM, PFM, BMP, GIF, WebP, JPEG 2000, AVIF); "
            "convert it to one of these",
        )
    try:
        import_module(f"PIL.{_PLUGINS.get(kind, kind.capitalize())}ImagePlugin")
        factory, accept = Image.OPEN[kind]
        readable = not accept or accept(head) is True  # else why not, as text
    except (ImportError, KeyError):
        readable = False
    if not readable:
        raise ImageError(name, f"is {kind}, which the installed Pillow does not read; convert it to PNG")
    stream.seek(0)
    return factory(stream, "")


# --- decoding

_STRIP = 1 << 20
"""Pixels converted at a time."""

_NETPBM_MAXIMUM = {"L": 255, "RGB": 255, "I;16B": 65535}
"""White in the binary samples that Pillow reads without conversion."""


def _decode(im: ImageFile, stream: BinaryIO, name: str, notes: list[str]) -> tuple[Image, Mask | None]:
    """Decode the pixels as grey, and the mask of those that are not transparent."""
    if im.format in ("JPEG", "MPO"):
        im.draft("L", None)  # only the luma is decoded
    arguments: Any
    codec, _, offset, arguments = im.tile[0] if im.tile else ("", None, 0, None)
    rawmode = str(arguments[0] if isinstance(arguments, tuple) else arguments)
    if im.format == "PPM" and (codec == "ppm" or (codec == "raw" and rawmode in _NETPBM_MAXIMUM)):
        maximum = arguments[1] if codec == "ppm" else _NETPBM_MAXIMUM[rawmode]
        stream.seek(offset)
        return read_samples(stream, *im.size, 3 if im.mode == "RGB" else 1, maximum), None
    tags = dict(getattr(im, "tag_v2", {}))
    bits = max(tags.get(_BITS, (1,)))
    if tags.get(_PLANAR) == 2 and codec == "raw" and bits > 8:  # Pillow takes its bytes for samples
        raise ImageError(name, f"has {bits}-bit colour in separate planes, which cannot be read; convert it to PNG")
    grey = _shared(im)
    core = im.im if grey is not None else None
    im.load()
    key = _transparent_key(im.info.pop("transparency", None), im.mode, rawmode)
    if im.mode not in ("I", "F") and not im.mode.startswith("I;16"):
        if bits > 8 or (im.format == "PNG" and ";16" in rawmode):
            notes.append("has 16-bit colour, of which the upper 8 bits are used")
        if grey is None or im.im is not core:
            return _luma(im, key)
        return grey, None if key is None else _some(key_mask(grey, key))
    samples: npt.NDArray[Any] = _samples(im) if grey is None or im.im is not core else grey
    mask = None if key is None else _some(key_mask(samples, key))
    if samples.dtype != np.float32 and (im.format in ("PNG", "PPM") or samples.dtype.itemsize == 2):
        grey = cast("Image", rescaled(samples, 4095 if rawmode == "I;12" else 65535, np.uint16))
    else:
        if samples.dtype == np.int32 and tags.get(_SAMPLE_FORMAT, (1,)) == (1,) and bits == 32:
            samples = samples.view(np.uint32)  # Pillow has no such mode
        if not np.isfinite(samples.sum(dtype=np.float64)):
            raise ImageError(name, "has pixels that are NaN or infinite; replace them with numbers")
        grey, note = levels(samples)
        notes += [note] if note else []
    if tags.get(_PHOTOMETRIC) == 0:  # white is zero; Pillow sees to it in 8 bits only
        grey = inverted(grey)
    return grey, mask


def _shared(im: ImageFile) -> Image | None:
    """Make Pillow decode into an array: half the memory.  None if the mode or the decoder does not allow it."""
    from PIL import Image

    dtype = {"L": "u1", "I;16": "<u2"}.get(im.mode)
    if dtype is None or im.format not in ("JPEG", "MPO", "PNG"):
        return None
    grey: npt.NDArray[Any] = np.zeros(im.size[::-1], dtype)
    im.im = Image.frombuffer(im.mode, im.size, grey, "raw", im.mode, 0, 1).im
    return grey


def _strips(im: ImageFile) -> Iterator[tuple[slice, PillowImage]]:
    width, height = im.size
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        yield slice(top, bottom), im.crop((0, top, width, bottom))


def _samples(im: ImageFile) -> npt.NDArray[Any]:
    """Copy one band of 16 or 32 bits, in the machine's byte order."""
    samples: npt.NDArray[Any] = np.empty(im.size[::-1], {"I": "i4", "F": "f4"}.get(im.mode, "u2"))
    for rows, part in _strips(im):
        samples[rows] = np.asarray(part)
    return samples


def _luma(im: ImageFile, key: Any) -> tuple[Image, Mask | None]:
    """Convert pixels of 8 bits or fewer to luma, strip by strip."""
    grey = np.empty(im.size[::-1], np.uint8)
    mask = None
    planes = _palette_planes(im, key) if im.mode == "P" else partial(_planes, key=key)
    for rows, part in _strips(im):
        grey[rows], visible = planes(part)
        if visible is not None:
            mask = np.ones(grey.shape, bool) if mask is None else mask
            mask[rows] = visible
    return grey, _some(mask)


_Planes = tuple[npt.NDArray[np.uint8], Mask | None]

_PLAIN_MODES = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"} | {m: m for m in ("L", "LA", "RGBA", "YCbCr")}
"""The mode from which to take luma and alpha; RGB for the modes that are not here."""


def _planes(part: PillowImage, key: Any) -> _Planes:
    """Return luma, and where pixels are visible; None for everywhere."""
    part = part.convert(_PLAIN_MODES.get(part.mode, "RGB"))
    grey = np.asarray(part.convert("L"))
    if part.mode in ("LA", "RGBA"):
        return grey, np.asarray(part.getchannel("A")) > 0
    return grey, None if key is None else key_mask(np.asarray(part), key)


def _palette_planes(im: ImageFile, key: Any) -> Callable[[PillowImage], _Planes]:
    """Return what :func:`_planes` does, for palette images: a look-up in 256 entries."""
    entries = np.full((256, 4), (0, 0, 0, 255), np.uint8)
    palette = np.array(im.getpalette("RGBA"), np.uint8).reshape(-1, 4)
    entries[: len(palette)] = palette
    if isinstance(key, bytes):
        entries[: len(key), 3] = np.frombuffer(key, np.uint8)[:256]
    elif key is not None:
        entries[key, 3] = 0
    grey = luma(entries[:, :3]).astype(np.uint8)
    visible = entries[:, 3] > 0

    def planes(part: PillowImage) -> _Planes:
        indices = np.asarray(part)
        return grey[indices], visible[indices]

    return planes


def _transparent_key(key: Any, mode: str, rawmode: str) -> Any:
    """Bring the one transparent value of a PNG, in the file's own bit depth, to the range of decoded pixels."""
    if mode == "P" or key is None:
        return key
    if isinstance(key, tuple):
        return tuple(value >> 8 for value in key) if "16" in rawmode else key
    if mode == "1":
        return 255 if key else 0
    return key * {"L;2": 85, "L;4": 17}.get(rawmode, 1) if isinstance(key, int) else None


def _some(mask: Mask | None) -> Mask | None:
    """Return a mask that hides something, else None."""
    return None if mask is None or mask.all() else mask
