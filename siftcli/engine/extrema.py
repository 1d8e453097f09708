"""Extrema of the difference of Gaussians, at whole pixels. [Lowe04 §3.1]

An extremum among its 26 neighbours is also the extremum of its row pair: of two pixels one above the other.  The dense
part of the search therefore compares maxima (and minima) of row pairs, as int16, with the pairs on the left, on the
right, and at the same place in the levels beside: a quarter of the data, and few comparisons.  Only pixels that pass
are compared exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..features import Float32, Index, Mask
from ..params import DetectorParams
from .octaves import INTENSITY_SCALE
from .tiles import Tile
from .workspace import scratch

__all__ = ["Candidates", "Extrema", "dog_cubes", "find_candidates", "passes_edge_test", "verify_extrema"]

_PREFILTER = 0.8
"""Part of the DoG threshold that an extremum has to reach before it is refined, as in Lowe's program."""
_LEAST_FOR_INT16 = 32
"""Smallest threshold, in scaled intensity, for which rounding to int16 rules out enough pixels."""
_LARGEST_INT16 = 32767
_UNIFORM_DOG = 2e-4
"""The |DoG| of a uniform area is smaller, for every blur and intensity: the gains of blurs are up to 5e-5 too small."""
_ROUNDING = 2.0**-20
"""Differences of the DoG in a uniform area are smaller than this part of the intensity: they are rounding errors."""


class Candidates(NamedTuple):
    """Pixels of a tile that may be extrema, as flat arrays.

    Attributes
    ----------
    flat : (N,) intp
        Indices in the levels; see `Tile.flat`.
    sign : (N,) int16 or float32
        1 for a maximum, -1 for a minimum.
    """

    flat: Index
    sign: npt.NDArray[Any]


class Extrema(NamedTuple):
    """Extrema of a tile, as flat arrays of one length.

    Attributes
    ----------
    region : (N,) intp
        Region of the tile.
    level, row, column : (N,) intp
        DoG level, from 1 on, and octave pixel.
    """

    region: Index
    level: Index
    row: Index
    column: Index


# --- candidates: the dense search


def find_candidates(tile: Tile, rows: tuple[int, int], detector: DetectorParams) -> Candidates:
    """Return the pixels of some rows whose |DoG| exceeds 0.8 of the threshold and that may be extrema.

    Parameters
    ----------
    tile : Tile
    rows : (start, stop)
        Buffer rows; their levels, and two more rows on both sides, have been computed.
    detector : DetectorParams
    """
    start, stop = rows
    threshold = _threshold(detector) * INTENSITY_SCALE
    # Truncation to int16 halves the memory traffic.  It is monotone, so no extremum is lost.
    coarse = threshold >= _LEAST_FOR_INT16
    limit = np.int16(min(np.floor(threshold) - 1, _LARGEST_INT16)) if coarse else threshold
    dog = _dog(tile, start, stop, np.int16 if coarse else np.float32)
    upper, lower = dog[:, 1:-1:2], dog[:, 2::2]
    pair = scratch("pair", *upper.shape, dtype=dog.dtype)
    marks = np.empty((2, *upper[1:-1].shape), np.bool_)
    np.maximum(upper, lower, out=pair)
    _mark(pair, np.less, limit, marks[0])
    np.minimum(upper, lower, out=pair)
    _mark(pair, np.greater, -limit, marks[1])
    tile.mask_padding(marks, start)
    where = _marked(marks)
    minimum = where >= marks[0].size
    where -= marks[0].size * minimum
    # From the index of the pair to that of its upper row in the DoG, which has two rows for each pair, a row more on
    # both sides, and a level below.
    line, pairs = where // tile.stride, pair.shape[1]
    where += (line + 2 * (line // pairs + pairs) + 3) * tile.stride
    where, sign = _not_exceeded(dog, where, (1 - 2 * minimum).astype(dog.dtype))
    level = where // dog[0].size
    return Candidates(where + (level * (tile.levels[0].size - dog[0].size) + (start - 1) * tile.stride), sign)


def _threshold(detector: DetectorParams) -> np.float32:
    """Return the smallest |DoG| of an extremum."""
    return np.float32(_PREFILTER * detector.dog_threshold)


def _dog(tile: Tile, start: int, stop: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return the DoG of whole row pairs from row `start` on, and of a row more on both sides."""
    pairs = -(-(stop - start) // 2)
    levels = tile.levels[:, start - 1 : start + 2 * pairs + 1]
    dog = scratch("dog", len(levels) - 1, *levels.shape[1:], dtype=dtype)
    with np.errstate(invalid="ignore"):  # undefined values outside all regions may exceed int16
        np.subtract(levels[1:], levels[:-1], out=dog, casting="unsafe")
    return dog


def _mark(values: npt.NDArray[Any], precedes: np.ufunc, limit: np.generic, out: Mask) -> None:
    """Mark which of `values[1:-1]` exceed the limit and are not exceeded by the pairs beside, below and above in scale.

    `precedes(a, b)` tells whether b is more extreme than a.  Ties survive; the exact test decides.
    """
    precedes(limit, values[1:-1], out=out)
    flat = values[1:-1].reshape(-1)
    for along, mark in ((values, out), (flat, out.reshape(-1)[1:-1])):
        exceeded = precedes(along[1:-1], along[2:])
        exceeded |= precedes(along[1:-1], along[:-2])
        np.greater(mark, exceeded, out=mark)  # of booleans: mark and not exceeded


def _marked(marks: Mask) -> Index:
    """Return the flat indices of marks, which are few; rows are whole blocks, so the size is a multiple of eight."""
    words = marks.reshape(-1).view(np.uint64)
    some = np.flatnonzero(words != 0)
    byte = np.flatnonzero(words.take(some).view(np.bool_))
    return some.take(byte >> 3) * 8 + (byte & 7)


def _not_exceeded(dog: npt.NDArray[Any], where: Index, sign: npt.NDArray[Any]) -> Candidates:
    """Return the pixels of marked pairs that no neighbour exceeds, with indices in the DoG; both if they are equal.

    Parameters
    ----------
    dog : (levels, rows, stride) array
    where : (N,) intp
        The upper pixels.  Neighbouring pairs do not exceed them; those in other rows and levels have to be compared.
    sign : (N,) array of the dtype of `dog`
    """
    flat, stride = dog.reshape(-1), dog.shape[2]
    rows = flat.take(_pair_and_rows(stride) + where, mode="wrap") * sign
    pair, others = rows[3:5], np.array([rows[:3].max(axis=0), rows[5:].max(axis=0)])  # most candidates fail here
    good = pair >= pair[::-1]
    good &= pair >= others
    kept = np.flatnonzero(good)
    peak, lower = pair.reshape(-1)[kept], kept >= len(where)
    kept -= len(where) * lower
    where, sign = where[kept] + stride * lower, sign[kept]
    levels_beside = _cube_offsets(dog[0].size, stride)[:3:2].reshape(-1, 1)
    left = np.flatnonzero((flat.take(levels_beside + where, mode="wrap") * sign).max(axis=0) <= peak)
    return Candidates(where[left], sign[left])


@lru_cache
def _pair_and_rows(stride: int) -> Index:
    """Return offsets from the upper pixel of a pair: three pixels above it, the pair, three pixels below it, (8, 1)."""
    beside = np.arange(-1, 2)
    return np.concatenate([beside - stride, [0, stride], beside + 2 * stride])[:, None]


# --- extrema: the exact test


def verify_extrema(tile: Tile, candidates: Sequence[Candidates], detector: DetectorParams) -> Extrema:
    """Return the candidates that are extrema, in the order level, region, row, column.

    An extremum lies in the core of the tile and off the border; |DoG| exceeds 0.8 of the threshold and, strictly, all
    26 neighbours; and it passes the edge test at its pixel. [Lowe04 §3.1, §4.1]  With another `refinement` than "lowe",
    the edge test follows the refinement.  If the threshold is so low that the DoG of a uniform area may exceed it, an
    extremum also has to differ from its neighbours by more than rounding errors.
    """
    border, regions = detector.border, tile.regions
    flat, sign = (np.concatenate(arrays) for arrays in zip(*candidates, strict=True))
    level, rest = np.divmod(flat, tile.levels[0].size)
    row, column = np.divmod(rest, tile.stride)
    region = tile.region_at(row, column)
    y, x = row - regions.top[region], column - regions.left[region]
    inside = (row < tile.core_stop) & (y >= border) & (y < regions.height[region] - border)
    inside &= (x >= border) & (x < regions.width[region] - border)
    keep = np.flatnonzero(inside)
    cubes = dog_cubes(tile, flat[keep])
    cubes *= sign[keep]
    neighbours = cubes.reshape(27, -1)  # the 14th is the centre
    good = np.maximum(neighbours[:13].max(axis=0), neighbours[14:].max(axis=0)) < neighbours[13]
    good &= neighbours[13] > _threshold(detector)
    if _threshold(detector) < _UNIFORM_DOG:
        intensity = np.abs(tile.levels.reshape(-1)[flat[keep]] / INTENSITY_SCALE)
        good &= neighbours[13] - neighbours[9:18].min(axis=0) > _ROUNDING * intensity  # of its own level
    if detector.refinement == "lowe":
        good &= passes_edge_test(cubes[1], detector.edge_threshold)
    keep = keep[good]
    rank = ((level * len(regions.top) + region) * tile.levels.shape[1] + row) * tile.stride + column
    order = keep[np.argsort(rank[keep])]
    return Extrema(region[order], level[order], y[order], x[order])


def dog_cubes(tile: Tile, flat: Index) -> Float32:
    """Return the 3 x 3 x 3 DoG neighbourhoods [level, row, column] of pixels, for intensities in [0, 1].

    Parameters
    ----------
    tile : Tile
    flat : (N,) intp
        Indices of the pixels in the levels; see `Tile.flat`.

    Returns
    -------
    (3, 3, 3, N) float32
    """
    values = tile.levels.reshape(-1).take(_cube_offsets(tile.levels[0].size, tile.stride) + flat, mode="wrap")
    cubes: Float32 = values[1:] - values[:-1]
    cubes *= 1 / INTENSITY_SCALE
    return cubes


@lru_cache
def _cube_offsets(size: int, stride: int) -> Index:
    """Return offsets to 3 x 3 pixels in the level below a pixel, in its own, and in two above: (4, 3, 3, 1)."""
    level, row, column = np.ix_(np.arange(-1, 3), np.arange(-1, 2), np.arange(-1, 2))
    offsets: Index = (level * size + row * stride + column)[..., None]
    return offsets


def passes_edge_test(d: Float32, ratio: float) -> Mask:
    """Tell which DoG neighbourhoods (3, 3, N) have principal curvatures of one sign and a ratio below `ratio`.

    With the Hessian H: det(H) > 0 and tr(H)^2 / det(H) < (r + 1)^2 / r. [Lowe04 §4.1]
    """
    xx = d[1, 2] + d[1, 0] - 2 * d[1, 1]
    yy = d[2, 1] + d[0, 1] - 2 * d[1, 1]
    xy = ((d[2, 2] - d[2, 0]) - (d[0, 2] - d[0, 0])) * np.float32(0.25)
    det, trace, r = xx * yy - xy * xy, xx + yy, np.float32(ratio)
    return (det > 0) & (det * (r + 1) ** 2 > r * trace * trace)
