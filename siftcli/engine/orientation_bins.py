"""The eight orientation bins of a descriptor, from minima.

A bin's weight is a hat, max(0, 1 - |t - k|), so the bins are functions that are linear between the centres.  Any
such function of the angle is a sum of eight: 1 and the angle's absolute value, the tents over [0, 4] with their tops
at 1, 2 and 3, and these tents with the sign of the angle.  Sums of weights times these eight therefore give the sums
over the bins, by a fixed small matrix: no sample has to be sorted into bins.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..features import Float32

__all__ = ["ANGLES", "PLANES", "bins_of_planes", "fill_tents", "flip"]

ANGLES = 8
PLANES = 8
"""The planes are m, m q, three tents times m, and these tents with the sign of the angle, for weights m and
q = |angle| * 4 / pi - 2, in [-2, 2]."""
_SIGN = np.uint32(0x80000000)
"""The sign bit of a float32."""


def flip(values: Float32, like: Float32) -> None:
    """Change the sign of values where `like` has one; `like` is spent."""
    signs = like.view(np.uint32)
    signs &= _SIGN
    bits = values.view(np.uint32)
    bits ^= signs


def fill_tents(q: Float32, twice: Float32 | np.float32, turn: Float32, tents: Float32) -> None:
    """Compute the six planes of tents from m q and 2 m; `twice` may be the last of them.

    `turn` has the sign of the angle, and is spent.
    """
    three = np.float32(3)
    first, middle, last = tents[:3]
    up, down = np.add(twice, q, out=tents[3]), np.subtract(twice, q, out=last)  # |angle|, and what it lacks to 4
    np.minimum(up, down, out=middle)
    np.multiply(up, three, out=first)
    np.minimum(first, down, out=first)
    down *= three
    np.minimum(up, down, out=last)
    signs = turn.view(np.uint32)
    signs &= _SIGN
    np.bitwise_xor(tents[:3].view(np.uint32), signs, out=tents[3:].view(np.uint32))


@lru_cache
def bins_of_planes() -> Float32:
    """Return the matrix (8, PLANES) from the planes to the bins; bin k is centred at the angle k pi / 4."""
    w = np.arange(5.0)  # the absolute angle at the five centres from 0 to pi
    even = np.stack([np.ones(5), w - 2, np.minimum(3 * w, 4 - w), np.minimum(w, 4 - w), np.minimum(w, 12 - 3 * w)])
    # A row for every centre: the sum of planes that is one there and zero at the others.
    hats, odd = np.linalg.inv(even), np.linalg.inv(even[2:, 1:4])
    out = np.zeros((ANGLES, PLANES))
    out[[0, 4], :5] = hats[[0, 4]]
    out[1:4] = out[[7, 6, 5]] = np.concatenate([hats[1:4], odd], axis=1) / 2
    out[5:, 5:] *= -1
    return out.astype(np.float32)
