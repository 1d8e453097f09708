"""The eight orientation bins of a descriptor, from absolute values.

A bin's weight is a hat, max(0, 1 - |t - k|), and a hat is a second difference of |t - b|.  Sums of weights times
|t - b| over all samples therefore give the sums over the bins, by a fixed small matrix: no sample has to be sorted
into bins.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..features import Float32

__all__ = ["ANGLES", "KNOTS", "PLANES", "hats"]

ANGLES = 8
KNOTS = np.arange(-3, 4, dtype=np.float32)
"""b of the planes |u - b|."""
PLANES = 2 + len(KNOTS)
"""The planes are 1, u and |u - b|."""


@lru_cache
def hats() -> Float32:
    """Return the matrix (8, 9) from the planes to the eight bins.

    u = 4 / pi * angle - 2 lies in [-4, 4], and bin k is centred at u = k - 2.  The bin at both ends, u = +-4, is
    (|u - 3| + |u + 3|) / 2 - 3.
    """
    one, u, *knots = np.eye(PLANES)
    planes = dict(zip(range(-3, 4), knots, strict=True))
    planes[4], planes[-4] = 4 * one - u, 4 * one + u  # |u - 4| and |u + 4|
    out = np.zeros((ANGLES, PLANES))
    for b in range(-3, 4):
        out[b + 2] = (planes[b - 1] - 2 * planes[b] + planes[b + 1]) / 2
    out[6] = (planes[3] + planes[-3]) / 2 - 3 * one
    return out.astype(np.float32)
