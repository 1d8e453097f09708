"""TIFF: Pillow reads what it represents without loss, tifffile the rest.

Pillow's modes have one band of 16 or 32 bits, or bands of 8; tifffile reads any number of bands of any type, in planes
and tiles, with the compressions of imagecodecs.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ...errors import ImageError
from ..grey import INVERSE_TURN, grey_and_alpha, luma, turned
from ..image_kinds import missing_extra
from ..levels import Stated
from . import raw
from .jpeg import decoder_warning
from .opened import DAMAGE, EXIF_DAMAGE, Array, Decoded, Mask, Opened, needed
from .pillow import decoded, decoding_memory, header
from .streams import errors_of_libraries

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["opened"]

_SUBFILE_TYPE, _WIDTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION = 254, 256, 258, 259, 262, 274
_BANDS, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _SAMPLE_FORMAT = 277, 284, 322, 323, 339
_LIMITS = ((280, 340), (281, 341))
"""MinSampleValue and SMinSampleValue; MaxSampleValue and SMaxSampleValue."""
_JPEG_TABLES = 347
_STARTS, _SIZES, _TILE_STARTS, _TILE_SIZES = 273, 279, 324, 325
"""Tags. [TIFF 6.0]"""
_NO_DATA, _DNG_VERSION = 42113, 50706
"""Tags of GDAL and of DNG."""
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
"""Sample formats."""
_WHITE_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 2, 3, 5, 6
"""Photometric interpretations."""
_JPEG = 7
"""Compression."""
_UNSUPPORTED = "not configured"
"""What libtiff says of a compression that it was built without."""
_SMALL_TAGS = (_COMPRESSION, _ORIENTATION, _JPEG_TABLES, *(tag for pair in _LIMITS for tag in pair))

Tags = Mapping[int, Any]


def opened(stream: BinaryIO, name: str) -> Opened:
    """Open a TIFF file.

    Raises
    ------
    ImageError
        If neither Pillow nor, where it is installed, tifffile reads it.
    """
    try:
        im = header(stream, "TIFF", name)
    except (*DAMAGE, OSError) as error:
        if missing_extra("tiff"):
            raise ImageError(
                name, f"is damaged, or a TIFF of a kind that Pillow does not read; more are with {needed('tiff')}"
            ) from error
        return _by_tifffile(stream, name)
    tags: Tags = dict(im.tag_v2)  # type: ignore[attr-defined]  # before Pillow changes them
    if _DNG_VERSION in tags:
        return raw.opened(stream, name)
    lossless = _lossless(tags)
    if not lossless and not missing_extra("tiff"):
        return _by_tifffile(stream, name)
    if not lossless and (_first(tags, _PLANAR, 1) == 2 or not _reducible(tags)):
        raise ImageError(name, f"is a TIFF of {_words(tags)}, which takes {needed('tiff')}")
    tile = float(_first(tags, _TILE_WIDTH, 0)) * _first(tags, _TILE_HEIGHT, 0)
    memory = decoding_memory(im) + tile * _first(tags, _BANDS, 1) * _bits(tags) / 8
    return Opened(*im.size, memory, partial(_by_pillow, im, tags, stream, name))


def _first(tags: Tags, tag: int, default: Any) -> Any:
    value = tags.get(tag, default)
    return value[0] if isinstance(value, tuple) and value else value


def _bits(tags: Tags) -> int:
    return int(max(tags.get(_BITS) or (1,)))


def _lossless(tags: Tags) -> bool:
    """Tell whether Pillow's modes hold the samples."""
    bits, kind, bands = _bits(tags), _first(tags, _SAMPLE_FORMAT, _UNSIGNED), _first(tags, _BANDS, 1)
    if bits <= 8:
        return kind not in (_SIGNED, _FLOAT) or (kind == _SIGNED and bits == 8 and bands == 1)
    kinds = {12: (_UNSIGNED,), 16: (_UNSIGNED, _SIGNED), 32: (_UNSIGNED, _SIGNED, _FLOAT)}.get(bits, ())
    return bands == 1 and kind in kinds


def _reducible(tags: Tags) -> bool:
    return _bits(tags) == 16 and _first(tags, _SAMPLE_FORMAT, _UNSIGNED) == _UNSIGNED


def _words(tags: Tags) -> str:
    kind = {_SIGNED: "signed ", _FLOAT: "float "}.get(_first(tags, _SAMPLE_FORMAT, _UNSIGNED), "")
    planes = " in separate planes" if _first(tags, _PLANAR, 1) == 2 else ""
    bands = _first(tags, _BANDS, 1)
    return f"{kind}{_bits(tags)}-bit samples, {bands} band{'' if bands == 1 else 's'}{planes}"


# --- what the tags say


def _stated(tags: Tags, bits: int) -> Stated | None:
    """Return the range that a file of more than 8 bits states."""
    low, high = (tags.get(typed, tags.get(tag)) for tag, typed in _LIMITS)
    if high is None or bits <= 8:
        return None
    try:
        least, most = (float(np.min(low)) if low is not None else 0.0), float(np.max(high))
    except (TypeError, ValueError):
        return None
    return Stated(least, most, "MaxSampleValue") if least < most and np.isfinite((least, most)).all() else None


def _nothing(text: Any) -> float | None:
    """Return the value that stands for no data; NaN is one."""
    try:
        return float(str(text).strip("\0 \n"))
    except ValueError:
        return None


def _is_data(values: Array, nothing: float | None) -> Mask | None:
    """Return where one of the bands differs from the value that stands for no data."""
    if nothing is None:
        return None
    if nothing != nothing:
        found = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    elif values.dtype.kind == "f":
        found = values == values.dtype.type(nothing)
    else:
        limits = np.iinfo(values.dtype)
        held = nothing.is_integer() and limits.min <= nothing <= limits.max
        found = values == int(nothing) if held else np.zeros(values.shape, bool)
    return np.asarray(~(found if found.ndim == 2 else found.all(axis=-1)))


def _both(*masks: Mask | None) -> Mask | None:
    given = [mask for mask in masks if mask is not None]
    kept = np.logical_and.reduce(given) if given else None
    return None if kept is None or kept.all() else kept


# --- Pillow


def _by_pillow(im: ImageFile, tags: Tags, stream: BinaryIO, name: str) -> Decoded:
    notes: list[str] = []
    if _first(tags, _SUBFILE_TYPE, 0) == 1:
        notes.append("begins with a reduced preview, and that is what is used; convert it to a plain image")
    if getattr(im, "is_animated", False):
        notes.append("has several frames; only the first is used")
    bits, photometric = _bits(tags), _first(tags, _PHOTOMETRIC, 1)
    nothing = _nothing(tags[_NO_DATA]) if _NO_DATA in tags else None
    key: Any = None
    if bits <= 8 and nothing is not None and nothing.is_integer() and 0 <= nothing <= 255:
        key = (int(nothing),) * 3 if photometric in (_RGB, _YCBCR) else int(nothing)
        key = 255 - key if photometric == _WHITE_IS_ZERO else key  # Pillow swaps 8 bits
    if im.mode not in ("L", "RGB", "P"):
        key = None
    try:
        compressed = _first(tags, _COMPRESSION, 1) != 1  # others do not go through libtiff
        with errors_of_libraries(compressed) as said, warnings.catch_warnings():
            # Pillow looks for the orientation once more, where BigTIFF does not have it.
            warnings.filterwarnings("ignore", EXIF_DAMAGE)
            result = decoded(im, notes, key=key)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        words = "; ".join(said)
        if not missing_extra("tiff") and (not words or _UNSUPPORTED in words):
            with suppress(*DAMAGE, OSError):  # Pillow's words are the plainer ones
                return _by_tifffile(stream, name).decode()
        raise OSError(words or str(error)) if isinstance(error, OSError) else error from error
    values, visible = result.values, result.visible
    kind, bands = _first(tags, _SAMPLE_FORMAT, _UNSIGNED), _first(tags, _BANDS, 1)
    if bits == 32 and kind == _UNSIGNED and values.dtype == np.int32:
        values = values.view(np.uint32)  # Pillow has no such mode
    elif bits == 16 and kind == _SIGNED:
        values = values.astype(np.int16)
    elif bits == 8 and kind == _SIGNED and bands == 1:
        values = values.view(np.int8)
        visible = _is_data(values, nothing)
    if bits > 8 and bands > 1:
        notes.append(f"has {bits}-bit colour, of which the upper 8 bits are used; all are with {needed('tiff')}")
    elif bits > 8:
        visible = _both(visible, _is_data(values, nothing))
    orientation = _first(tags, _ORIENTATION, 1)
    orientation = orientation if orientation in range(2, 9) else 1
    if orientation != 1:  # Pillow has turned it upright
        back = INVERSE_TURN.get(orientation, orientation)
        values, visible = turned(values, back), None if visible is None else turned(visible, back)
    return result._replace(
        values=values,
        visible=visible,
        stated=_stated(tags, bits) if bands == 1 else None,
        white_is_zero=photometric == _WHITE_IS_ZERO and (bits > 8 or kind == _SIGNED),
        orientation=orientation,
        notes=tuple(notes),
        damage=tuple(said) + _jpeg_damage(stream, tags),
    )


def _jpeg_damage(stream: BinaryIO, tags: Tags) -> tuple[str, ...]:
    """Ask libjpeg about the JPEGs in a TIFF."""
    if _first(tags, _COMPRESSION, 1) != _JPEG:
        return ()
    tables = bytes(tags.get(_JPEG_TABLES) or b"")[:-2]
    starts, sizes = (tags.get(a, tags.get(b, ())) for a, b in ((_TILE_STARTS, _STARTS), (_TILE_SIZES, _SIZES)))
    for start, size in zip(starts, sizes, strict=False):
        stream.seek(start)
        data = stream.read(size)
        warning = decoder_warning(tables + data[2:] if tables else data)
        if warning is not None:
            return (warning,)
    return ()


# --- tifffile


def _by_tifffile(stream: BinaryIO, name: str) -> Opened:
    import tifffile

    stream.seek(0)
    file = tifffile.TiffFile(stream, name=name if isinstance(stream, io.BytesIO) else None)
    page: Any = file.pages[0]
    if _DNG_VERSION in page.tags:
        return raw.opened(stream, name)
    if page.dtype is None or page.imagewidth * page.imagelength == 0:
        raise ValueError(f"tifffile does not read {page.bitspersample}-bit samples")
    pixels = float(page.imagewidth) * page.imagelength
    tile = float(page.tilewidth) * page.tilelength
    memory = max(pixels, tile) * page.samplesperpixel * page.imagedepth * page.dtype.itemsize * 2 + pixels * 12
    return Opened(page.imagewidth, page.imagelength, memory, partial(_decode, file, page))


def _decode(file: Any, page: Any) -> Decoded:
    notes: list[str] = []
    if page.subfiletype & 1:
        notes.append("begins with a reduced preview, and that is what is used; convert it to a plain image")
    if len(file.pages) > 1:
        notes.append("has several frames; only the first is used")
    values, visible = _grey(page, page.asarray(), notes)
    tags = {tag.code: tag.value for tag in page.tags if tag.code in _SMALL_TAGS}
    bits = max(np.atleast_1d(page.bitspersample))
    orientation = int(tags.get(_ORIENTATION, 1))
    full = (0.0, float((1 << int(bits)) - 1)) if page.dtype.kind == "u" and bits < 8 * page.dtype.itemsize else None
    return Decoded(
        values,
        visible,
        full,
        _stated(tags, int(bits)),
        white_is_zero=int(page.photometric) == _WHITE_IS_ZERO,
        orientation=orientation if orientation in range(2, 9) else 1,
        notes=tuple(notes),
        damage=_jpeg_damage(file.filehandle, tags | {_STARTS: page.dataoffsets, _SIZES: page.databytecounts}),
    )


def _grey(page: Any, pixels: Array, notes: list[str]) -> tuple[Array, Mask | None]:
    """Return the grey of a page, and where it is data."""
    axes = page.axes
    if "Z" in axes:
        pixels = pixels.take(0, axes.index("Z"))
        axes = axes.replace("Z", "")
        notes.append("has several planes of depth; only the first is used")
    if pixels.dtype.kind not in "biuf":
        raise ValueError(f"samples of type {pixels.dtype}")
    pixels = np.moveaxis(pixels, axes.index("S"), -1) if "S" in axes else pixels[..., None]
    tag = page.tags.get(_NO_DATA)
    photometric, bands = int(page.photometric), pixels.shape[-1]
    extra = [int(kind) for kind in page.extrasamples or ()]
    alpha = next((bands - len(extra) + i for i, kind in enumerate(extra) if kind in (1, 2)), -1)
    colours = pixels[..., : bands - len(extra)] if len(extra) < bands else pixels[..., :1]
    data = _is_data(colours, _nothing(tag.value)) if tag is not None else None
    visible = pixels[..., alpha] > 0 if alpha >= 0 else None
    if photometric == _PALETTE:
        table = np.asarray(page.colormap).T[None]
        return luma(table)[0].astype(np.uint16)[pixels[..., 0]], _both(visible, data)
    if photometric == _CMYK:
        white = np.iinfo(pixels.dtype).max
        ink = pixels[..., :4].astype(np.float64) / white
        colours = ((1 - ink[..., :3]) * (1 - ink[..., 3:]) * white).round().astype(pixels.dtype)
    elif photometric not in (_RGB, _YCBCR):
        if colours.shape[-1] > 1:
            notes.append(f"has {colours.shape[-1]} bands that are no colours; only the first is used")
        colours = colours[..., :1]
    return grey_and_alpha(colours, alpha=-1)[0], _both(visible, data)
