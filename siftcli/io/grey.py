"""Pixels as arrays: luma, transparency, 8 bits, EXIF turns.  No Pillow here."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..features import Image

__all__ = ["INVERSE_TURN", "grey_and_alpha", "inverted", "key_mask", "luma", "to_bytes", "turned"]

_Scalar = TypeVar("_Scalar", bound=np.generic)

_STRIP = 1 << 20
"""Pixels converted at a time."""
_WEIGHTS = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue. [ITU-R BT.601]"""


def luma(rgb: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> npt.NDArray[np.uint32]:
    """Compute 0.299 R + 0.587 G + 0.114 B, rounded. [ITU-R BT.601]

    Parameters
    ----------
    rgb : (..., 3) uint8 or uint16
        Any range.

    Returns
    -------
    (...) uint32
        In the range of the input.
    """
    r, g, b = (rgb[..., k].astype(np.uint32) for k in range(3))
    total = 19595 * r + 38470 * g + 7471 * b  # the weights times 65536; below 2^32
    total += np.uint32(0x8000)
    total >>= np.uint32(16)
    return total


def to_bytes(grey: Image) -> npt.NDArray[np.uint8]:
    """Return grey with 8 bits, rounded; floats beyond 0 to 1 are cut off."""
    if grey.dtype == np.uint8:
        return cast("npt.NDArray[np.uint8]", grey)
    if grey.dtype == np.uint16:
        return ((grey.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def inverted(grey: Image) -> Image:
    """Swap black and white."""
    white = {"u1": 255, "u2": 65535}.get(grey.dtype.str[1:], 1)
    return cast("Image", np.subtract(white, grey, dtype=grey.dtype))


def key_mask(samples: npt.NDArray[Any], key: int | tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return False where a pixel has the one value, or colour, that stands for transparent."""
    if isinstance(key, int):
        return np.asarray(samples != key)
    return np.asarray((samples != np.array(key)).any(axis=-1))


INVERSE_TURN = {6: 8, 8: 6}
"""The EXIF orientation that undoes another; the others undo themselves."""


def turned(image: npt.NDArray[_Scalar], orientation: int) -> npt.NDArray[_Scalar]:
    """Turn stored pixels upright.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
        As stored.
    orientation : int
        Orientation by EXIF, 1 to 8: where the first stored row and column are seen: 1 top and left, 2 top and right,
        3 bottom and right, 4 bottom and left, 5 left and top, 6 right and top, 7 right and bottom, 8 left and bottom.
        [EXIF 2.3 §4.6.4]

    Returns
    -------
    (H, W) or (W, H) array, or with C
        Contiguous.
    """
    if orientation >= 5:
        image = image.swapaxes(0, 1)  # the first stored row becomes a column
    right = orientation in (2, 3, 6, 7)
    bottom = orientation in (3, 4, 7, 8)
    return np.ascontiguousarray(image[:: -1 if bottom else 1, :: -1 if right else 1])


def grey_and_alpha(
    pixels: npt.NDArray[Any], alpha: int | None = None
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """Return the luma of pixels of any real type, and where they are not fully transparent.

    Parameters
    ----------
    pixels : (H, W, C) array
        Grey, or red, green and blue; then further bands, which count for nothing.
    alpha : int, optional
        Which band is opacity; by default the last of 2 or 4, and -1 for none.

    Returns
    -------
    grey : (H, W) array
        An image of the same type and range; of float64 for colour in floats or integers of 64 bits.
    visible : (H, W) bool, or None for everywhere
    """
    bands = pixels.shape[2]
    if alpha is None:
        alpha = bands - 1 if bands in (2, 4) else -1
    visible = None if alpha < 0 else pixels[..., alpha] > 0
    if bands < 3:
        grey = pixels[..., 0]
    else:
        exact = pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2
        whole = pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 4
        grey = np.empty(pixels.shape[:2], pixels.dtype.newbyteorder("=") if whole else np.float64)
        step = max(1, _STRIP // pixels.shape[1])
        for top in range(0, len(pixels), step):
            part = pixels[top : top + step, :, :3]
            if exact:
                grey[top : top + step] = luma(part)
            else:
                mixed = part.astype(np.float64) @ _WEIGHTS
                grey[top : top + step] = np.rint(mixed) if whole else mixed
    return np.ascontiguousarray(grey), None if visible is None or visible.all() else visible
