"""The eight orientation bins of a descriptor, linear in the angle, from minima. [Lowe04 §6.1]

A bin's weight is a hat, max(0, 1 - |t - k|), so the bins are functions that are linear between the centres.  Any
such function of the angle is a sum of eight: 1 and the angle's absolute value, the tents over [0, 4] with their tops
at 1, 2 and 3, and these tents with the sign of the angle.  Sums of weights times these eight therefore give the sums
over the bins, by a fixed small matrix: no sample has to be sorted into bins.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..features import Float32
from .arctan import SIGN

__all__ = ["PLANES", "bins_of_planes", "fill_planes"]

_ANGLES = 8
PLANES = 8
"""The planes are 1, |t| - 2, three tents, and these tents with the sign of t, an angle in [-4, 4]."""


def fill_planes(turn: Float32, planes: Float32) -> None:
    """Compute the planes of angles, in radians, which are spent."""
    turn *= np.float32(1 / (2 * np.pi))
    turn -= np.rint(turn)
    planes[0] = 1
    first, middle, last, up = planes[2:6]
    np.abs(turn, out=up)
    up *= np.float32(_ANGLES)
    np.subtract(up, np.float32(2), out=planes[1])
    down = np.subtract(np.float32(4), up, out=last)
    np.minimum(up, down, out=middle)
    np.multiply(up, np.float32(3), out=first)
    np.minimum(first, down, out=first)
    down *= np.float32(3)
    np.minimum(up, down, out=last)
    signs = turn.view(np.uint32)
    signs &= SIGN
    np.bitwise_xor(planes[2:5].view(np.uint32), signs, out=planes[5:].view(np.uint32))


@lru_cache
def bins_of_planes() -> Float32:
    """Return the matrix (8, PLANES) from the planes to the bins; bin k is centred at the angle k pi / 4."""
    w = np.arange(5.0)  # the absolute angle at the five centres from 0 to pi
    even = np.stack([np.ones(5), w - 2, np.minimum(3 * w, 4 - w), np.minimum(w, 4 - w), np.minimum(w, 12 - 3 * w)])
    # A row for every centre: the sum of planes that is one there and zero at the others.
    hats, odd = np.linalg.inv(even), np.linalg.inv(even[2:, 1:4])
    out = np.zeros((_ANGLES, PLANES))
    out[[0, 4], :5] = hats[[0, 4]]
    out[1:4] = out[[7, 6, 5]] = np.concatenate([hats[1:4], odd], axis=1) / 2
    out[5:, 5:] *= -1
    return out.astype(np.float32)
