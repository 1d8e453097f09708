"""TIFF: Pillow reads what it represents without loss, tifffile the rest.

Pillow's modes have one band of 16 or 32 bits, or bands of 8; tifffile reads any number of bands of any type, in planes
and tiles, with the compressions of imagecodecs.
"""

from __future__ import annotations

import io
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ...errors import ImageError
from ..grey import INVERSE_TURN, grey_and_alpha, luma, turned
from ..image_kinds import missing_extra
from . import raw
from .opened import DAMAGE, Array, Decoded, Mask, Opened, needed
from .pillow import decoded, decoding_memory, header
from .streams import errors_of_libraries
from .tiff_tags import (
    BANDS,
    CMYK,
    COMPRESSION,
    DNG_VERSION,
    FLOAT,
    MASK,
    NO_DATA,
    ORIENTATION,
    PALETTE,
    PHOTOMETRIC,
    PLANAR,
    REDUCED,
    RGB,
    SAMPLE_FORMAT,
    SIGNED,
    SIZES,
    SMALL_TAGS,
    STARTS,
    SUBFILE_TYPE,
    TILE_HEIGHT,
    TILE_WIDTH,
    UNSIGNED,
    UNSUPPORTED,
    WHITE_IS_ZERO,
    YCBCR,
    Tags,
    bits_of,
    both,
    first,
    is_data,
    no_data_value,
    stated_range,
    strip_damage,
)

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["opened"]

_MOST_PAGES = 100
"""Pages that are looked at."""
_SEVERAL = "has several frames; only the first is used"


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
    if DNG_VERSION in tags:
        return raw.opened(stream, name)
    lossless = _lossless(tags)
    if not lossless and not missing_extra("tiff"):
        return _by_tifffile(stream, name)
    if not lossless and (first(tags, PLANAR, 1) == 2 or not _reducible(tags)):
        raise ImageError(name, f"is a TIFF of {_words(tags)}, which takes {needed('tiff')}")
    tile = float(first(tags, TILE_WIDTH, 0)) * first(tags, TILE_HEIGHT, 0)
    memory = decoding_memory(im) + tile * first(tags, BANDS, 1) * bits_of(tags) / 8
    return Opened(*im.size, memory, partial(_by_pillow, im, tags, stream, name))


def _lossless(tags: Tags) -> bool:
    """Tell whether Pillow's modes hold the samples."""
    bits, kind, bands = bits_of(tags), first(tags, SAMPLE_FORMAT, UNSIGNED), first(tags, BANDS, 1)
    if bits <= 8:
        return kind not in (SIGNED, FLOAT) or (kind == SIGNED and bits == 8 and bands == 1)
    kinds = {12: (UNSIGNED,), 16: (UNSIGNED, SIGNED), 32: (UNSIGNED, SIGNED, FLOAT)}.get(bits, ())
    return bands == 1 and kind in kinds


def _reducible(tags: Tags) -> bool:
    return bits_of(tags) == 16 and first(tags, SAMPLE_FORMAT, UNSIGNED) == UNSIGNED


def _words(tags: Tags) -> str:
    kind = {SIGNED: "signed ", FLOAT: "float "}.get(first(tags, SAMPLE_FORMAT, UNSIGNED), "")
    planes = " in separate planes" if first(tags, PLANAR, 1) == 2 else ""
    bands = first(tags, BANDS, 1)
    return f"{kind}{bits_of(tags)}-bit samples, {bands} band{'' if bands == 1 else 's'}{planes}"


# --- Pillow


def _by_pillow(im: ImageFile, tags: Tags, stream: BinaryIO, name: str) -> Decoded:
    notes: list[str] = []
    if first(tags, SUBFILE_TYPE, 0) == 1:
        notes.append("begins with a reduced preview, and that is what is used; convert it to a plain image")
    bits, photometric = bits_of(tags), first(tags, PHOTOMETRIC, 1)
    nothing = no_data_value(tags[NO_DATA]) if NO_DATA in tags else None
    key: Any = None
    if bits <= 8 and nothing is not None and nothing.is_integer() and 0 <= nothing <= 255:
        key = (int(nothing),) * 3 if photometric in (RGB, YCBCR) else int(nothing)
        key = 255 - key if photometric == WHITE_IS_ZERO else key  # Pillow swaps 8 bits
    if im.mode not in ("L", "RGB", "P"):
        key = None
    try:
        compressed = first(tags, COMPRESSION, 1) != 1  # others do not go through libtiff
        with errors_of_libraries(compressed) as said:
            result = decoded(im, notes, key=key)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        words = "; ".join(said)
        if not missing_extra("tiff") and (not words or UNSUPPORTED in words):
            with suppress(*DAMAGE, OSError):  # Pillow's words are the plainer ones
                return _by_tifffile(stream, name).decode()
        raise OSError(words or str(error)) if isinstance(error, OSError) else error from error
    values, visible = result.values, result.visible
    kind, bands = first(tags, SAMPLE_FORMAT, UNSIGNED), first(tags, BANDS, 1)
    if bits == 32 and kind == UNSIGNED and values.dtype == np.int32:
        values = values.view(np.uint32)  # Pillow has no such mode
    elif bits == 16 and kind == SIGNED:
        values = values.astype(np.int16)
    elif bits == 8 and kind == SIGNED and bands == 1:
        values = values.view(np.int8)
        visible = both(is_data(values, nothing))
    if bits > 8 and bands > 1:
        notes.append(f"has {bits}-bit colour, of which the upper 8 bits are used; all are with {needed('tiff')}")
    elif bits > 8:
        visible = both(visible, is_data(values, nothing))
    if getattr(im, "is_animated", False):
        visible = both(visible, _of_other_pages(stream, notes))
    orientation = first(tags, ORIENTATION, 1)
    orientation = orientation if orientation in range(2, 9) else 1
    if orientation != 1:  # Pillow has turned it upright
        back = INVERSE_TURN.get(orientation, orientation)
        values, visible = turned(values, back), None if visible is None else turned(visible, back)
    return result._replace(
        values=values,
        visible=visible,
        stated=stated_range(tags, bits) if bands == 1 else None,
        white_is_zero=photometric == WHITE_IS_ZERO and (bits > 8 or kind == SIGNED),
        orientation=orientation,
        notes=tuple(notes),
        damage=tuple(said) + strip_damage(stream, tags),
        exif_in_tags=True,
    )


# --- tifffile


def _by_tifffile(stream: BinaryIO, name: str) -> Opened:
    import tifffile

    stream.seek(0)
    file = tifffile.TiffFile(stream, name=name if isinstance(stream, io.BytesIO) else None)
    page: Any = file.pages[0]
    if DNG_VERSION in page.tags:
        return raw.opened(stream, name)
    if page.dtype is None or page.imagewidth * page.imagelength == 0:
        raise ValueError(f"tifffile does not read {page.bitspersample}-bit samples")
    pixels = float(page.imagewidth) * page.imagelength
    tile = float(page.tilewidth) * page.tilelength
    memory = max(pixels, tile) * page.samplesperpixel * page.imagedepth * page.dtype.itemsize * 2 + pixels * 12
    return Opened(page.imagewidth, page.imagelength, memory, partial(_decode, file, page))


def _decode(file: Any, page: Any) -> Decoded:
    notes: list[str] = []
    if page.subfiletype & REDUCED:
        notes.append("begins with a reduced preview, and that is what is used; convert it to a plain image")
    values, visible = _grey(page, page.asarray(), notes)
    visible = both(visible, _mask_of(file, notes))
    tags = {tag.code: tag.value for tag in page.tags if tag.code in SMALL_TAGS}
    bits = max(np.atleast_1d(page.bitspersample))
    orientation = int(tags.get(ORIENTATION, 1))
    full = (0.0, float((1 << int(bits)) - 1)) if page.dtype.kind == "u" and bits < 8 * page.dtype.itemsize else None
    return Decoded(
        values,
        visible,
        full,
        stated_range(tags, int(bits)),
        white_is_zero=int(page.photometric) == WHITE_IS_ZERO,
        orientation=orientation if orientation in range(2, 9) else 1,
        notes=tuple(notes),
        damage=strip_damage(file.filehandle, tags | {STARTS: page.dataoffsets, SIZES: page.databytecounts}),
        exif_in_tags=True,
    )


def _of_other_pages(stream: BinaryIO, notes: list[str]) -> Mask | None:
    """Return the mask in another page, if tifffile is there: Pillow does not read pages of that kind."""
    if missing_extra("tiff"):
        notes.append(_SEVERAL)
        return None
    import tifffile

    stream.seek(0)
    with suppress(*DAMAGE, OSError):
        return _mask_of(tifffile.TiffFile(stream), notes)
    return None


def _mask_of(file: Any, notes: list[str]) -> Mask | None:
    """Return the mask that GDAL keeps in a page of its own, and tell of other images; overviews are none."""
    first_page, *others = _pages(file)
    if any(not page.subfiletype & (MASK | REDUCED) for page in others):
        notes.append(_SEVERAL)
    masks = (page for page in others if page.subfiletype == MASK)
    page = next((page for page in masks if page.shape == first_page.shape[:2]), None)
    return None if page is None else np.asarray(page.asarray() > 0)


def _pages(file: Any) -> list[Any]:
    """Return the first pages; a file may have any number."""
    pages: list[Any] = []
    with suppress(IndexError):
        pages.extend(file.pages[i] for i in range(_MOST_PAGES))
    return pages


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
    tag = page.tags.get(NO_DATA)
    photometric, bands = int(page.photometric), pixels.shape[-1]
    extra = [int(kind) for kind in page.extrasamples or ()]
    alpha = next((bands - len(extra) + i for i, kind in enumerate(extra) if kind in (1, 2)), -1)
    colours = pixels[..., : bands - len(extra)] if len(extra) < bands else pixels[..., :1]
    data = is_data(colours, no_data_value(tag.value)) if tag is not None else None
    visible = pixels[..., alpha] > 0 if alpha >= 0 else None
    if photometric == PALETTE:
        table = np.asarray(page.colormap).T[None]
        return luma(table)[0].astype(np.uint16)[pixels[..., 0]], both(visible, data)
    if photometric == CMYK:
        white = np.iinfo(pixels.dtype).max
        ink = pixels[..., :4].astype(np.float64) / white
        colours = ((1 - ink[..., :3]) * (1 - ink[..., 3:]) * white).round().astype(pixels.dtype)
    elif photometric not in (RGB, YCBCR):
        if colours.shape[-1] > 1:
            notes.append(f"has {colours.shape[-1]} bands that are no colours; only the first is used")
        colours = colours[..., :1]
    return grey_and_alpha(colours, alpha=-1)[0], both(visible, data)
