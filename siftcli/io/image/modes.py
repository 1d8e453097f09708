"""Pillow's modes of 8 bits as luma, and where they are visible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...features import Image
from ..grey import key_mask, luma
from .opened import Mask

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

__all__ = ["grey_of", "some", "strips", "transparent_key"]

_STRIP = 1 << 20
"""Pixels converted at a time."""


def strips(im: PillowImage) -> Iterator[tuple[slice, PillowImage]]:
    width, height = im.size
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        yield slice(top, bottom), im.crop((0, top, width, bottom))


def grey_of(im: PillowImage, key: Any = None) -> tuple[Image, Mask | None]:
    """Convert pixels of 8 bits or fewer to luma, strip by strip, and find those that are visible."""
    grey = np.empty(im.size[::-1], np.uint8)
    mask = None
    planes = _palette_planes(im, key) if im.mode == "P" else partial(_planes, key=key)
    for rows, part in strips(im):
        grey[rows], visible = planes(part)
        if visible is not None:
            mask = np.ones(grey.shape, bool) if mask is None else mask
            mask[rows] = visible
    return grey, some(mask)


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


def _palette_planes(im: PillowImage, key: Any) -> Callable[[PillowImage], _Planes]:
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


def transparent_key(key: Any, mode: str, rawmode: str) -> Any:
    """Bring the one transparent value of a PNG, in the file's own bit depth, to the range of decoded pixels."""
    if mode == "P" or key is None:
        return key
    if isinstance(key, tuple):
        return tuple(value >> 8 for value in key) if "16" in rawmode else key
    if mode == "1":
        return 255 if key else 0
    return key * {"L;2": 85, "L;4": 17}.get(rawmode, 1) if isinstance(key, int) else None


def some(mask: Mask | None) -> Mask | None:
    """Return a mask that hides something, else None."""
    return None if mask is None or mask.all() else mask
