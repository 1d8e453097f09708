"""Extrema of the difference of Gaussians, at whole pixels. [Lowe04 §3.1]

An extremum over 26 neighbours is the extremum of its pair of rows, so the dense part works on the maximum (and the
minimum) of two rows: half the samples, and only comparisons with the pair left, right, above and below in scale,
each made once and used for both sides.  The few survivors are tested exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..features import Float32
from ..params import DetectorParams
from .scale_space import Index, Sheet

__all__ = ["BORDER", "Extrema", "dog_cubes", "find_extrema", "join"]

BORDER = 5
"""Extrema lie at least this many pixels from the border."""
_PREFILTER = 0.8
"""Share of the DoG threshold that an extremum has to reach before it is refined; as in Lowe's program."""


@dataclass(frozen=True, eq=False)
class Extrema:
    """Extrema of a sheet, as flat arrays of one length.

    Attributes
    ----------
    region : (N,) intp
        Region of the sheet.
    level, row, column : (N,) intp
        Scale s, and octave pixel.
    """

    region: Index
    level: Index
    row: Index
    column: Index


def join(parts: list[Extrema]) -> Extrema:
    """Return the extrema of several strips of a sheet as one, in the order level, row, column."""
    region, level, row, column = (np.concatenate([getattr(p, f) for p in parts]) for f in Extrema.__dataclass_fields__)
    order = np.lexsort((column, row, level))
    return Extrema(region[order], level[order], row[order], column[order])


def dog_cubes(sheet: Sheet, flat: Index) -> Float32:
    """Return the 3 x 3 x 3 DoG neighbourhoods [level, row, column] of pixels, by one gather of 36 values each.

    Parameters
    ----------
    flat : (N,) intp
        Index of the pixel in the sheet, DoG level 1 to scales per octave; see `Sheet.flat`.

    Returns
    -------
    (3, 3, 3, N) float32
    """
    return _dog(sheet, flat, np.arange(-1, 2), np.arange(-1, 2)[:, None] * sheet.stride + np.arange(-1, 2))


def _dog(sheet: Sheet, flat: Index, levels: Index, pixels: Index) -> Float32:
    """Gather the DoG at these levels and pixels, relative to `flat`: (levels, *pixels.shape, N)."""
    plane = sheet.levels[0].size
    steps = np.append(levels, levels[-1] + 1) * plane
    around = steps.reshape(-1, *[1] * pixels.ndim) + pixels
    values = sheet.levels.reshape(-1).take(around[..., None] + flat, mode="wrap")
    return values[1:] - values[:-1]


def find_extrema(sheet: Sheet, start: int, stop: int, detector: DetectorParams) -> Extrema:
    """Return the extrema in buffer rows start to stop of a sheet.

    An extremum exceeds 0.8 of the DoG threshold, lies strictly above or below all its 26 neighbours, and is not on an
    edge: det(H) > 0 and tr(H)^2 / det(H) < (r + 1)^2 / r at the pixel itself. [Lowe04 §4.1]
    """
    threshold = np.float32(_PREFILTER * detector.dog_threshold)
    upper, lower = _row_pairs(sheet, start, stop)
    found = []
    for extreme, precedes, beyond in ((np.maximum, np.less, threshold), (np.minimum, np.greater, -threshold)):
        pair = extreme(upper, lower)
        where = _survivors(pair, precedes, precedes(beyond, pair[1:-1]))
        value = pair.reshape(-1).take(where)
        is_lower = upper.reshape(-1).take(where) != value
        level, rest = np.divmod(where, pair[0].size)
        row, column = np.divmod(rest, sheet.stride)
        row = start + 2 * row + is_lower
        flat = (level * sheet.levels.shape[1] + row) * sheet.stride + column
        # The row beyond the pair first: three neighbours, of which one is enough to reject most.
        outer = _dog(sheet, flat + (2 * is_lower - 1) * sheet.stride, np.zeros(1, np.intp), np.arange(-1, 2))
        region = np.maximum(np.searchsorted(sheet.top, row, side="right") - 1, 0)
        y, x = row - sheet.top[region], column - sheet.margin
        keep = precedes(extreme.reduce(outer, axis=(0, 1)), value) & (row < sheet.last)
        keep &= (y >= BORDER) & (y < sheet.height[region] - BORDER)
        keep &= (x >= BORDER) & (x < sheet.width[region] - BORDER)
        keep = np.flatnonzero(keep)
        cubes = dog_cubes(sheet, flat[keep])
        keep = keep[_strict(cubes, precedes, extreme) & _no_edge(cubes[1], detector.edge_threshold)]
        found.append(Extrema(region[keep], level[keep], y[keep], x[keep]))
    return join(found)


def _row_pairs(sheet: Sheet, start: int, stop: int) -> tuple[Float32, Float32]:
    """Return the DoG of the upper and of the lower rows of the pairs (start, start + 1), ... , each contiguous."""
    count = -(-(stop - start) // 2)
    levels = sheet.levels[:, start : start + 2 * count]
    shape = (len(levels) - 1, count, sheet.stride)
    upper, lower = np.empty(shape, np.float32), np.empty(shape, np.float32)
    np.subtract(levels[1:, ::2], levels[:-1, ::2], out=upper)
    np.subtract(levels[1:, 1::2], levels[:-1, 1::2], out=lower)
    return upper, lower


def _survivors(values: Float32, precedes: np.ufunc, strong: npt.NDArray[np.bool_]) -> Index:
    """Return flat indices of `values` that are strong and not exceeded by the pairs beside, above and below.

    `precedes(a, b)` tells whether b is the more extreme.  A tie may survive; the exact test decides.
    """
    scale = precedes(values[:-1], values[1:])
    np.logical_and(strong, np.greater(scale[:-1], scale[1:]), out=strong)  # a > b of booleans: a and not b
    flat = values[1:-1].reshape(-1)
    beside = precedes(flat[:-1], flat[1:])
    mask = strong.reshape(-1)[1:-1]
    mask &= np.greater(beside[:-1], beside[1:])
    return np.flatnonzero(mask) + (values[0].size + 1)


def _strict(cubes: Float32, precedes: np.ufunc, extreme: np.ufunc) -> npt.NDArray[np.bool_]:
    """Tell of which cubes the centre is strictly more extreme than all 26 others."""
    flat = cubes.reshape(27, -1)
    return precedes(extreme(extreme.reduce(flat[:13], axis=0), extreme.reduce(flat[14:], axis=0)), flat[13])


def _no_edge(d: Float32, ratio: float) -> npt.NDArray[np.bool_]:
    """Tell which DoG neighbourhoods (3, 3, N) have principal curvatures of one sign, of a ratio below `ratio`."""
    xx = d[1, 2] + d[1, 0] - 2 * d[1, 1]
    yy = d[2, 1] + d[0, 1] - 2 * d[1, 1]
    xy = ((d[2, 2] - d[2, 0]) - (d[0, 2] - d[0, 0])) * np.float32(0.25)
    det, trace, r = xx * yy - xy * xy, xx + yy, np.float32(ratio)
    return (det > 0) & (det * (r + 1) ** 2 > r * trace * trace)
