"""Images of any kind as one grey array.

Colour becomes luma, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).  The pixels are those of the stored grid: EXIF
orientation is applied on demand only.  :mod:`siftcli.io.levels` says which values are black and white.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import ImageError
from ...features import Image
from ..files import Source, open_source, source_name, why_unreadable
from ..formats import format_of_suffix
from ..grey import inverted, turned
from ..image_kinds import DEFAULT_MAX_PIXELS, READABLE, kind_of
from ..levels import Levels, check_levels, graded
from .opened import DAMAGE, EXIF_DAMAGE, Decoded, Mask, Opened, damaged, listening

__all__ = ["DEFAULT_MAX_PIXELS", "LoadedImage", "Needs", "decode_image", "read_colour", "read_image", "read_size"]

Needs = Callable[[int, int], int]
"""Width and height to the bytes that it takes to work on such an image."""

_LITTLE = 1 << 28
"""Bytes that are not worth asking for how much memory there is."""


class LoadedImage(NamedTuple):
    """A grey image, and what there is to say about how it was read.

    Attributes
    ----------
    pixels : (H, W) uint8, uint16 or float32
        0-255, 0-65535 or 0-1.
    mask : (H, W) bool or None
        False where the image is fully transparent or has no data; None if it is so nowhere.
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
    source: Source,
    *,
    name: str | None = None,
    exif_orientation: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    levels: Levels = "auto",
    strict: bool = False,
    needs: Needs | None = None,
) -> LoadedImage:
    """Read an image as luma.

    Parameters
    ----------
    source : path, bytes or binary file
        JPEG, PNG, TIFF, PBM, PGM, PPM, PFM, BMP, GIF, WebP, JPEG 2000 or AVIF, told by its first bytes; HEIC, camera
        raw and more kinds of TIFF with the extra ``siftcli[images]``; and what a plugin that is registered with Pillow
        reads.  An open file is read from its start if it is seekable.
    name : str, optional
        The file's name in messages.
    exif_orientation : bool
        Turn the image upright as its EXIF orientation says; otherwise one that is not 1 gives a warning.
    max_pixels : int
        The largest image to decode.
    levels : "auto", "full" or (low, high)
        The values that are black and white.  "auto" takes those that the file states, else the range of the type, else
        a guess that gives a warning; "full" takes the whole range of the type, [0, 1] for floats.
    strict : bool
        Refuse an image that its decoder says is damaged; otherwise that gives a warning.
    needs : callable, optional
        Takes width and height; returns the bytes that it will take to work on the image, which is refused if there is
        less memory.

    Returns
    -------
    LoadedImage
        The first of several frames, with a warning.  Integers of 8 and 16 bits keep their precision; deeper colour
        that is reduced to 8 bits gives a warning.

    Raises
    ------
    ImageError
        If the source cannot be read or decoded, whatever its bytes, or is too large.
    ParameterError
        If `levels` is no range.
    """
    levels = check_levels(levels)
    name = source_name(source, name)
    image = decode_image(
        source, name=name, exif_orientation=exif_orientation, max_pixels=max_pixels, strict=strict, needs=needs
    )
    try:
        pixels, note = graded(image.values, levels, full=image.full, stated=image.stated, visible=image.visible)
    except ValueError as error:
        raise ImageError(name, f"has {error}; replace them with numbers, or mark them as GDAL's no data") from error
    except MemoryError as error:
        raise _too_large(name) from error
    if image.white_is_zero:
        pixels = inverted(pixels)
    return LoadedImage(pixels, image.visible, (*image.notes, *([note] if note else [])), name)


def decode_image(
    source: Source,
    *,
    name: str,
    exif_orientation: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    strict: bool = False,
    needs: Needs | None = None,
) -> Decoded:
    """Decode an image, without bringing its values to a range.

    Parameters and errors are those of :func:`read_image`.

    Returns
    -------
    Decoded
        On the grid that was asked for, with all that there is to say in its notes.
    """
    with _reading(source, name) as stream, listening() as heard:
        file = _opened(stream, name)
        _check_size(file, name, max_pixels, needs)
        image = file.decode()
    damaged_exif = [words for words in heard if words.startswith(EXIF_DAMAGE)]
    damage = (*image.damage, *(words for words in heard if words not in damaged_exif))
    if damage and strict:
        raise ImageError(name, f"is damaged: {damage[0]}; get the file again, or leave out --strict")
    notes = [*image.notes, *(f"may be damaged, its decoder says: {words}" for words in damage)]
    if damaged_exif and image.orientation == 1 and not image.exif_in_tags:
        notes.append("has damaged EXIF data, which is ignored")
    if image.orientation != 1 and not exif_orientation:
        notes.append(
            f"has EXIF orientation {image.orientation}, which is not applied: keypoints are on the stored pixel grid; "
            "--exif-orientation applies it"
        )
    elif image.orientation != 1:
        visible = image.visible
        image = image._replace(
            values=turned(image.values, image.orientation),
            visible=None if visible is None else turned(visible, image.orientation),
        )
    return image._replace(notes=tuple(notes))


def read_colour(
    source: Source, *, name: str | None = None, exif_orientation: bool = False
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | None:
    """Read an image in colour, to be shown, of a kind that Pillow alone does not read: HEIC and camera raw.

    Parameters
    ----------
    source, name, exif_orientation
        As for `read_image`, which has read the image.

    Returns
    -------
    (H, W, 3) uint8 or uint16, or None
        RGB over the whole range of the type; None for other kinds, and for grey.

    Raises
    ------
    ImageError
        As of `read_image`.
    """
    name = source_name(source, name)
    with _reading(source, name) as stream, listening():
        file = _opened(stream, name)
        if file.colour is None:
            return None
        pixels, orientation = file.colour()
    return turned(pixels, orientation) if exif_orientation else pixels


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
    with _reading(source, name) as stream, listening():
        file = _opened(stream, name)
        return file.width, file.height


@contextmanager
def _reading(source: Source, name: str) -> Iterator[BinaryIO]:
    """Open a source, and give whatever goes wrong with it a name."""
    try:
        with open_source(source) as file:
            yield file if file.seekable() else io.BytesIO(file.read())
    except ImageError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise ImageError(name, why_unreadable(error)) from error
        raise damaged(name, error) from error
    except MemoryError as error:
        raise _too_large(name) from error
    except DAMAGE as error:
        raise damaged(name, error) from error


def _too_large(name: str) -> ImageError:
    return ImageError(name, "needs more memory than there is; make it smaller")


def _opened(stream: BinaryIO, name: str) -> Opened:
    """Read the header, by the module for this kind of file."""
    stream.seek(0)
    head = stream.read(64)
    if not head:
        raise ImageError(name, "is empty (0 bytes); get the file again")
    kind = kind_of(head, name)
    if kind == "JPEG":
        from . import jpeg

        return jpeg.opened(stream, name)
    if kind == "PPM":
        from . import netpbm

        return netpbm.opened(stream, name)
    if kind == "TIFF":
        from . import tiff

        return tiff.opened(stream, name)
    if kind == "HEIC":
        from . import heif

        return heif.opened(stream, name)
    if kind == "RAW":
        from . import raw

        return raw.opened(stream, name)
    from . import pillow

    if kind is not None:
        return pillow.opened(stream, kind, name)
    plugin = pillow.registered(stream)
    if plugin is None:
        if (format := format_of_suffix(name)) is not None:
            raise ImageError(name, f"is not an image; its suffix is that of a feature file ({format.title})")
        raise ImageError(name, f"is not an image that can be read ({READABLE}); convert it to one of these")
    return pillow.opened_by(plugin, stream)


def _check_size(file: Opened, name: str, max_pixels: int, needs: Needs | None) -> None:
    """Refuse an image that is larger than the limit or than the memory."""
    width, height = file.width, file.height
    if width * height > max_pixels:
        raise ImageError(
            name,
            f"has {width} x {height} pixels, more than the limit of {max_pixels}; "
            "if it is meant to be that large, raise the limit with --max-pixels",
        )
    memory = max(file.memory, 0 if needs is None else needs(width, height))
    if memory < _LITTLE:
        return
    from ...machine import available_memory

    free = available_memory()
    if free is not None and memory > free:
        raise ImageError(
            name,
            f"has {width} x {height} pixels, which take {memory / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are "
            "free; make it smaller",
        )
