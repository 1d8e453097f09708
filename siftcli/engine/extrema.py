"""Extrema of the difference of Gaussians, at whole pixels. [Lowe04 §3.1]

An extremum over 26 neighbours is the extremum of its pair of rows, so the dense part works on the maximum (and the
minimum) of two rows, rounded to whole numbers: a quarter of the bytes, and only comparisons with the pair left, right,
above and below in scale.  The few survivors are tested exactly.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..features import Float32
from ..params import DetectorParams
from .octaves import WHITE, Index
from .scratch import scratch
from .sheets import Sheet

__all__ = ["Extrema", "dog_cubes", "find_extrema", "no_edge"]

_PREFILTER = 0.8
"""Share of the DoG threshold that an extremum has to reach before it is refined; as in Lowe's program."""
_COARSE = 32
"""Least threshold, in units of the levels, for which pixels are compared as whole numbers."""
_LARGEST = 32767
"""No DoG is larger than this, in units of the levels."""


class Extrema(NamedTuple):
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

    White is 1 in them, as in the image.

    Parameters
    ----------
    flat : (N,) intp
        Index of the pixel in the sheet, DoG level 1 to scales per octave; see `Sheet.flat`.

    Returns
    -------
    (3, 3, 3, N) float32
    """
    values = sheet.levels.reshape(-1).take(_around(sheet.levels[0].size, sheet.stride) + flat, mode="wrap")
    cubes: Float32 = values[1:] - values[:-1]
    cubes *= 1 / WHITE
    return cubes


@lru_cache
def _around(size: int, stride: int) -> Index:
    """Return where the 3 x 3 pixels around one are, in the level below, its own and two above: (4, 3, 3, 1)."""
    level, row, column = np.ix_(np.arange(-1, 3), np.arange(-1, 2), np.arange(-1, 2))
    around: Index = (level * size + row * stride + column)[..., None]
    return around


def find_extrema(sheet: Sheet, detector: DetectorParams) -> Extrema:
    """Return the extrema of a sheet, in the order level, region, row, column.

    An extremum exceeds 0.8 of the DoG threshold, lies strictly above or below all its 26 neighbours, and is not on an
    edge: det(H) > 0 and tr(H)^2 / det(H) < (r + 1)^2 / r at the pixel itself. [Lowe04 §4.1]  With another `refinement`
    than "lowe", edges are left in, to be tested where the fit ends.
    """
    border = detector.border
    threshold = np.float32(_PREFILTER * detector.dog_threshold)
    flat, sign = _candidates(sheet, threshold * WHITE)
    level, rest = np.divmod(flat, sheet.levels[0].size)
    row, column = np.divmod(rest, sheet.stride)
    region = sheet.region(row, column)
    y, x = row - sheet.top[region], column - sheet.left[region]
    inside = (row < sheet.last) & (y >= border) & (y < sheet.height[region] - border)
    inside &= (x >= border) & (x < sheet.width[region] - border)
    keep = np.flatnonzero(inside)
    cubes = dog_cubes(sheet, flat[keep])
    cubes *= sign[keep]
    around = cubes.reshape(27, -1)  # the 14th is the centre
    good = np.maximum(around[:13].max(axis=0), around[14:].max(axis=0)) < around[13]
    good &= around[13] > threshold
    if detector.refinement == "lowe":
        good &= no_edge(cubes[1], detector.edge_threshold)
    keep = keep[good]
    rank = ((level * len(sheet.table.T) + region) * sheet.levels.shape[1] + row) * sheet.stride + column
    order = keep[np.argsort(rank[keep])]
    return Extrema(region[order], level[order], y[order], x[order])


def _candidates(sheet: Sheet, threshold: np.float32) -> tuple[Index, npt.NDArray[Any]]:
    """Return pixels beyond a threshold that may be extrema: indices in the sheet, and 1 for maxima, -1 for minima."""
    # Rounded towards zero, a DoG of pixels is half as much to read, and what exceeds another one is at least as large.
    coarse = threshold >= _COARSE
    limit = np.int16(min(np.floor(threshold) - 1, _LARGEST)) if coarse else threshold
    size = sheet.levels[0].size
    extremes = ((np.maximum, np.less, limit), (np.minimum, np.greater, -limit))
    found: list[tuple[Index, npt.NDArray[Any]]] = []
    for start, stop in sheet.strips():
        dog, count = _strip(sheet, start, stop, np.int16 if coarse else np.float32)
        upper, lower = dog[:, 1:-1:2], dog[:, 2::2]
        pair = scratch("pair", *upper.shape, dtype=dog.dtype)
        marks = np.empty((len(extremes), *upper[1:-1].shape), np.bool_)
        for (extreme, precedes, beyond), mark in zip(extremes, marks, strict=True):
            extreme(upper, lower, out=pair)
            _mark(pair, precedes, beyond, mark)
        sheet.leave_out(marks, start)
        where = _marked(marks)
        minimum = where >= marks[0].size
        where -= marks[0].size * minimum
        # From the pair to its upper row, in the DoG: two rows for each pair, and two more for each level.
        line = where // sheet.stride
        where += (line + 2 * (line // count + count) + 3) * sheet.stride
        where, sign = _not_exceeded(dog, where, (1 - 2 * minimum).astype(dog.dtype))
        level = where // dog[0].size
        found.append((where + (level * (size - dog[0].size) + (start - 1) * sheet.stride), sign))
    return np.concatenate([flat for flat, _ in found]), np.concatenate([sign for _, sign in found])


def _not_exceeded(dog: npt.NDArray[Any], where: Index, sign: npt.NDArray[Any]) -> tuple[Index, npt.NDArray[Any]]:
    """Return the pixels of marked pairs that no neighbour exceeds, and their signs; both, if they are equal.

    Parameters
    ----------
    where : (N,) intp
        The upper pixels.  What lies beside the pairs, and right above and below them in scale, does not exceed them.
    sign : (N,) of the dtype of `dog`
        With it, all are maxima.
    """
    flat, stride = dog.reshape(-1), dog.shape[2]
    rows = flat.take(_pair_and_rows(stride) + where, mode="wrap") * sign
    pair, beyond = rows[3:5], np.array([rows[:3].max(axis=0), rows[5:].max(axis=0)])  # most fail there
    good = pair >= pair[::-1]
    good &= pair >= beyond
    kept = np.flatnonzero(good)
    peak, lower = pair.reshape(-1)[kept], kept >= len(where)
    kept -= len(where) * lower
    where, sign = where[kept] + stride * lower, sign[kept]
    scales = _around(dog[0].size, stride)[:3:2].reshape(-1, 1)
    left = np.flatnonzero((flat.take(scales + where, mode="wrap") * sign).max(axis=0) <= peak)
    return where[left], sign[left]


@lru_cache
def _pair_and_rows(stride: int) -> Index:
    """Return where three pixels above a pair are, from its upper one, the pair, and three below it: (8, 1)."""
    beside = np.arange(-1, 2)
    return np.concatenate([beside - stride, [0, stride], beside + 2 * stride])[:, None]


def _strip(sheet: Sheet, start: int, stop: int, dtype: npt.DTypeLike) -> tuple[npt.NDArray[Any], int]:
    """Return the DoG of the rows start to stop, rounded up to pairs, and of one more on both sides; and how many pairs.

    Returns
    -------
    dog : (levels - 1, 2 count + 2, stride) array
    count : int
    """
    count = -(-(stop - start) // 2)
    levels = sheet.levels[:, start - 1 : start + 2 * count + 1]
    dog = scratch("dog", len(levels) - 1, *levels.shape[1:], dtype=dtype)
    with np.errstate(invalid="ignore"):  # what is left over outside every region may not fit, and does not count
        np.subtract(levels[1:], levels[:-1], out=dog, casting="unsafe")
    return dog, count


def _mark(values: npt.NDArray[Any], precedes: np.ufunc, beyond: np.generic, out: npt.NDArray[np.bool_]) -> None:
    """Tell which of `values[1:-1]` are strong and not exceeded by the pairs beside, above and below.

    `precedes(a, b)` tells whether b is the more extreme.  Ties survive; the exact test decides.
    """
    precedes(beyond, values[1:-1], out=out)
    flat = values[1:-1].reshape(-1)
    for along, mark in ((values, out), (flat, out.reshape(-1)[1:-1])):
        less = precedes(along[1:-1], along[2:])  # than the next
        less |= precedes(along[1:-1], along[:-2])
        np.greater(mark, less, out=mark)  # a > b of booleans: a and not b


def _marked(marks: npt.NDArray[np.bool_]) -> Index:
    """Return flat indices of what is marked."""
    # Eight at a time first, for few are. Rows are whole blocks, so the size is a multiple of eight.
    eights = marks.reshape(-1).view(np.uint64)
    words = np.flatnonzero(eights != 0)
    byte = np.flatnonzero(eights.take(words).view(np.bool_))
    return words.take(byte >> 3) * 8 + (byte & 7)


def no_edge(d: Float32, ratio: float) -> npt.NDArray[np.bool_]:
    """Tell which DoG neighbourhoods (3, 3, N) have principal curvatures of one sign, of a ratio below `ratio`."""
    xx = d[1, 2] + d[1, 0] - 2 * d[1, 1]
    yy = d[2, 1] + d[0, 1] - 2 * d[1, 1]
    xy = ((d[2, 2] - d[2, 0]) - (d[0, 2] - d[0, 0])) * np.float32(0.25)
    det, trace, r = xx * yy - xy * xy, xx + yy, np.float32(ratio)
    return (det > 0) & (det * (r + 1) ** 2 > r * trace * trace)
