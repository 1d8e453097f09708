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
from .scratch import scratch

__all__ = ["Extrema", "dog_cubes", "find_extrema", "no_edge"]

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
    ring = np.arange(-1, 2)
    return _dog(sheet, flat, ring, ring[:, None] * sheet.stride + ring)


def _dog(sheet: Sheet, flat: Index, levels: Index, pixels: Index) -> Float32:
    """Gather the DoG at these levels and pixels, relative to `flat`: (levels, *pixels.shape, N)."""
    steps = np.append(levels, levels[-1] + 1) * sheet.levels[0].size
    around = steps.reshape(-1, *[1] * pixels.ndim) + pixels
    values = sheet.levels.reshape(-1).take(around[..., None] + flat, mode="wrap")
    return values[1:] - values[:-1]


def find_extrema(sheet: Sheet, detector: DetectorParams) -> Extrema:
    """Return the extrema of a sheet, in the order level, row, column.

    An extremum exceeds 0.8 of the DoG threshold, lies strictly above or below all its 26 neighbours, and is not on an
    edge: det(H) > 0 and tr(H)^2 / det(H) < (r + 1)^2 / r at the pixel itself. [Lowe04 §4.1]  With another `refinement`
    than "lowe", edges are left in, to be tested where the fit ends.
    """
    threshold = np.float32(_PREFILTER * detector.dog_threshold)
    border = detector.border
    signs = ((np.maximum, np.less, threshold), (np.minimum, np.greater, -threshold))
    square = np.arange(-1, 2) + sheet.stride * np.arange(-1, 2)[:, None]
    candidates: tuple[list[Index], list[Index]] = ([], [])
    for start, stop in sheet.strips():
        upper, lower = _row_pairs(sheet, start, stop)
        pair = scratch("pair", *upper.shape)
        for (extreme, precedes, beyond), found in zip(signs, candidates, strict=True):
            extreme(upper, lower, out=pair)
            where = _survivors(pair, precedes, precedes(beyond, pair[1:-1]))
            in_lower = upper.reshape(-1).take(where) != pair.reshape(-1).take(where)
            line = where // sheet.stride  # of upper: level * pairs + pair
            level = line // upper.shape[1]
            row = line * 2 + (sheet.levels.shape[1] - 2 * upper.shape[1]) * level + start + in_lower
            flat = (row - line) * sheet.stride + where
            # The rows above and below first: most candidates fail there.
            (rows,) = _dog(sheet, flat, np.zeros(1, np.intp), square)
            found.append(flat[precedes(extreme.reduce(rows[::2], axis=(0, 1)), rows[1, 1])])
    parts = []
    for (extreme, precedes, _), found in zip(signs, candidates, strict=True):
        flat = np.concatenate(found)
        level, rest = np.divmod(flat, sheet.levels[0].size)
        row, column = np.divmod(rest, sheet.stride)
        region = np.maximum(np.searchsorted(sheet.top, row, side="right") - 1, 0)
        y, x = row - sheet.top[region], column - sheet.margin
        inside = (row < sheet.last) & (y >= border) & (y < sheet.height[region] - border)
        inside &= (x >= border) & (x < sheet.width[region] - border)
        keep = np.flatnonzero(inside)
        cubes = dog_cubes(sheet, flat[keep])
        good = _strict(cubes, precedes, extreme)
        if detector.refinement == "lowe":
            good &= no_edge(cubes[1], detector.edge_threshold)
        keep = keep[good]
        parts.append(np.stack([region[keep], level[keep], y[keep], x[keep]]))
    region, level, y, x = np.concatenate(parts, axis=1)
    order = np.lexsort((x, y, level))
    return Extrema(region[order], level[order], y[order], x[order])


def _row_pairs(sheet: Sheet, start: int, stop: int) -> tuple[Float32, Float32]:
    """Return the DoG of the upper and of the lower rows of the pairs (start, start + 1), ... , each contiguous."""
    count = -(-(stop - start) // 2)
    levels = sheet.levels[:, start : start + 2 * count]
    shape = (len(levels) - 1, count, sheet.stride)
    upper, lower = scratch("upper", *shape), scratch("lower", *shape)
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
    mask = strong.reshape(-1)
    mask[1:-1] &= np.greater(beside[:-1], beside[1:])
    # Eight at a time first, for few survive. Rows are whole blocks, so the size is a multiple of eight.
    eights = mask.view(np.uint64)
    words = np.flatnonzero(eights != 0)
    byte = np.flatnonzero(eights.take(words).view(np.bool_))
    return words.take(byte >> 3) * 8 + (byte & 7) + values[0].size


def _strict(cubes: Float32, precedes: np.ufunc, extreme: np.ufunc) -> npt.NDArray[np.bool_]:
    """Tell of which cubes the centre is strictly more extreme than all 26 others."""
    flat = cubes.reshape(27, -1)
    return precedes(extreme(extreme.reduce(flat[:13], axis=0), extreme.reduce(flat[14:], axis=0)), flat[13])


def no_edge(d: Float32, ratio: float) -> npt.NDArray[np.bool_]:
    """Tell which DoG neighbourhoods (3, 3, N) have principal curvatures of one sign, of a ratio below `ratio`."""
    xx = d[1, 2] + d[1, 0] - 2 * d[1, 1]
    yy = d[2, 1] + d[0, 1] - 2 * d[1, 1]
    xy = ((d[2, 2] - d[2, 0]) - (d[0, 2] - d[0, 0])) * np.float32(0.25)
    det, trace, r = xx * yy - xy * xy, xx + yy, np.float32(ratio)
    return (det > 0) & (det * (r + 1) ** 2 > r * trace * trace)
