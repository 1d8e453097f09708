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


def dog_cubes(sheet: Sheet, level: Index, flat: Index) -> Float32:
    """Return the 3 x 3 x 3 DoG neighbourhoods [level, row, column] of pixels, by one gather of 36 values each.

    Parameters
    ----------
    level : (N,) intp
        DoG level, 1 to scales per octave.
    flat : (N,) intp
        Index of the pixel in a level of the sheet, see `Sheet.flat`.

    Returns
    -------
    (N, 3, 3, 3) float32
    """
    plane = sheet.levels[0].size
    ring = np.arange(-1, 2)
    around = (np.arange(4)[:, None, None] - 1) * plane + ring[:, None] * sheet.stride + ring
    values = sheet.levels.reshape(-1).take((level * plane + flat)[:, None, None, None] + around, mode="wrap")
    return values[:, 1:] - values[:, :-1]


def find_extrema(sheet: Sheet, start: int, stop: int, detector: DetectorParams) -> Extrema:
    """Return the extrema in buffer rows start to stop of a sheet.

    An extremum exceeds 0.8 of the DoG threshold, lies strictly above or below all its 26 neighbours, and is not on an
    edge: det(H) > 0 and tr(H)^2 / det(H) < (r + 1)^2 / r at the pixel itself. [Lowe04 §4.1]
    """
    threshold = np.float32(_PREFILTER * detector.dog_threshold)
    upper, pairs = _row_pairs(sheet, start, stop)
    peak = np.maximum(upper, pairs)
    peaks = _survivors(peak, np.less, peak[1:-1] > threshold)
    pit = np.minimum(upper, pairs)
    pits = _survivors(pit, np.greater, pit[1:-1] < -threshold)
    extremal = np.concatenate([peak.reshape(-1).take(peaks), pit.reshape(-1).take(pits)])
    where = np.concatenate([peaks, pits])
    in_lower = upper.reshape(-1).take(where) != extremal
    level, rest = np.divmod(where, peak[0].size)
    pair, column = np.divmod(rest, sheet.stride)
    row = start + 2 * pair + in_lower

    region = np.searchsorted(sheet.top, row, side="right") - 1
    region = np.maximum(region, 0)
    y, x = row - sheet.top[region], column - sheet.margin
    inside = (y >= BORDER) & (y < sheet.height[region] - BORDER) & (row < sheet.last)
    inside &= (x >= BORDER) & (x < sheet.width[region] - BORDER)
    keep = np.flatnonzero(inside)
    keep = keep[_exact(dog_cubes(sheet, level[keep], row[keep] * sheet.stride + column[keep]), detector)]
    return Extrema(region[keep], level[keep], y[keep], x[keep])


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


def _exact(cubes: Float32, detector: DetectorParams) -> Index:
    """Return the indices of the cubes whose centre is a strict extremum and not on an edge."""
    flat = cubes.reshape(-1, 27)
    centre = flat[:, 13].copy()
    sign = np.sign(centre)
    flat = flat * sign[:, None]
    flat[:, 13] = -np.inf
    extremal = np.abs(centre) > flat.max(axis=1)
    d = cubes[:, 1]
    dxx = d[:, 1, 2] + d[:, 1, 0] - 2 * centre
    dyy = d[:, 2, 1] + d[:, 0, 1] - 2 * centre
    dxy = ((d[:, 2, 2] - d[:, 2, 0]) - (d[:, 0, 2] - d[:, 0, 0])) * np.float32(0.25)
    det, trace, r = dxx * dyy - dxy * dxy, dxx + dyy, np.float32(detector.edge_threshold)
    return np.flatnonzero(extremal & (det > 0) & (det * (r + 1) ** 2 > r * trace * trace))
