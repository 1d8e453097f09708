"""The one place where axes, angles, origins, bin orders and number formats are converted.

Inside the library
------------------
* `x` is the column, `y` the row; the centre of the first pixel is (0, 0).  Arrays index `[row, col]`.
* Angles are in radians, y down, clockwise on screen positive (VLFeat's convention), in [-pi, pi).
* A descriptor is `[y-bin][x-bin][orientation]`, orientation fastest (VLFeat's layout).
* A quantised descriptor is ``min(255, floor(512 d))`` in uint8.

Lowe's files
------------
* Orientation is y up, counter-clockwise: minus the library's, so in (-pi, pi].
* Within each of the 16 cells, bin k of Lowe is bin (8 - k) mod 8 of VLFeat; the cells keep their order.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .features import Float32

__all__ = ["flip_angles", "flip_bins", "quantise"]

_LOWE_BIN = (8 - np.arange(8)) % 8
_LOWE_ORDER = (8 * np.arange(16)[:, None] + _LOWE_BIN).ravel()

_Scalar = TypeVar("_Scalar", bound=np.generic)


def quantise(descriptors: Float32) -> npt.NDArray[np.uint8]:
    """Quantise unit-norm descriptors to bytes: ``min(255, floor(512 d))``.

    Parameters
    ----------
    descriptors : (N, 128) float32
        Non-negative.
    """
    return np.minimum(descriptors * np.float32(512), np.float32(255)).astype(np.uint8)


def flip_angles(orientations: Float32) -> Float32:
    """Turn y-down angles (the library's) into y-up ones (Lowe's), or back: the map is its own inverse."""
    return -orientations


def flip_bins(descriptors: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Turn y-down orientation bins (VLFeat's) into y-up ones (Lowe's), or back: the map is its own inverse.

    Parameters
    ----------
    descriptors : (N, 128) array
        16 cells of 8 orientation bins.
    """
    return descriptors[:, _LOWE_ORDER]
