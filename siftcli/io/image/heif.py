"""HEIC, by pillow-heif."""

from __future__ import annotations

from functools import partial
from typing import Any, BinaryIO

import numpy as np

from ..grey import grey_and_alpha
from ..image_kinds import missing_extra
from .opened import Array, Decoded, Opened, package
from .pillow import decoded, decoding_memory, registered

__all__ = ["exif_block", "opened"]


def opened(stream: BinaryIO, name: str) -> Opened:
    """Open a HEIC file; the grid is that of the decoded image, upright as the file says.

    Raises
    ------
    ImageError
        If pillow-heif is not installed.
    """
    if missing_extra("heif") and (im := registered(stream)) is not None:
        return Opened(*im.size, decoding_memory(im) * 4, partial(decoded, im, []))
    library = package("heif", name, "HEIC")
    stream.seek(0)
    file = library.open_heif(stream, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    image = file[file.primary_index]
    width, height = image.size
    colour = partial(_colour, image) if image.mode.startswith("RGB") else None
    return Opened(width, height, float(width) * height * 24, partial(_decode, image, len(file)), colour)


def exif_block(stream: BinaryIO, name: str) -> bytes:
    """Return the EXIF data of a HEIC file, empty without any; errors are those of `opened`."""
    return package("heif", name, "HEIC").open_heif(stream).info.get("exif") or b""


def _depth(image: Any) -> int:
    return int(image.info.get("bit_depth") or 8)


def _colour(image: Any) -> tuple[Array, int]:
    bits, pixels = _depth(image), np.asarray(image)[..., :3]
    return pixels << (16 - bits) if bits > 8 else pixels, 1


def _decode(image: Any, count: int) -> Decoded:
    bits, pixels = _depth(image), np.asarray(image)
    grey, visible = grey_and_alpha(pixels[..., None] if pixels.ndim == 2 else pixels)
    full = None if bits in (8, 16) else (0.0, float((1 << bits) - 1))
    notes = ("has several images; only the primary one is used",) if count > 1 else ()
    return Decoded(grey, visible, full, notes=notes)
