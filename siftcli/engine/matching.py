"""Matching: which keypoints of two images have each other's descriptor. [Lowe04 §7.1]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..features import Float32
from ..params import MatchParams
from .neighbours import DescriptorSet, band_maxima, look_again, rounding, second_largest

__all__ = ["DescriptorSet", "Found", "match_sets", "nearest_two"]

Float64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Found:
    """Matches, in the order of the first side.

    Attributes
    ----------
    indices : (M, 2) int32
        Into the first and the second side.
    distances : (M,) float64
        In units of a descriptor's norm; bytes are divided by 512.
    ratios : (M,) float64
        The distance over that of the second nearest on the second side, in [0, 1]; 0 where there is none.
    """

    indices: npt.NDArray[np.int32]
    distances: Float64
    ratios: Float64


def match_sets(a: DescriptorSet, b: DescriptorSet, params: MatchParams, threads: int = 1) -> Found:
    """Match two sides.

    A keypoint of `a` matches its nearest in `b` if their distance is below `params.ratio` times that to its second
    nearest (there is no test where `b` holds one keypoint, nor with the ratio 1), not above `params.max_distance`,
    and, with `params.mutual`, if it is itself the nearest in `a` of the one found.  Of equally near ones, that with
    the lowest index is the nearest.

    Parameters
    ----------
    a, b : DescriptorSet
        Prepared with `params.metric`; may be empty.
    params : MatchParams
        The tests.
    threads : int
        How many may work at once; the result does not depend on it.
    """
    if not len(a) or not len(b):
        return _found(np.empty((0, 2), np.intp), np.empty(0), np.empty(0))
    fuzz = rounding(a, b)
    rows, columns = band_maxima(a, b, threads)
    query = np.flatnonzero(_may_match(rows, fuzz, params))
    near = look_again(a.rows[query], b, rows[:, query], fuzz)
    distance, ratio = np.sqrt(near.first), _ratios(near.first, near.second)
    good = (ratio < params.ratio) if params.ratio < 1 else np.ones(len(query), bool)
    if params.max_distance is not None:
        good &= distance <= params.max_distance
    if params.mutual:
        j = near.index[good]
        back = look_again(b.rows[j], a, columns[:, j], fuzz, -near.first[good])
        good[good] = back.index == query[good]
    return _found(np.stack([query[good], near.index[good]], axis=1), distance[good], ratio[good])


def nearest_two(a: DescriptorSet, b: DescriptorSet, threads: int = 1) -> tuple[Index, Float64, Float64]:
    """Find the nearest and the distance of the second nearest in `b`, for all of `a`.

    Parameters
    ----------
    a, b : DescriptorSet
        Prepared with the same metric; may be empty.
    threads : int
        How many may work at once; the result does not depend on it.

    Returns
    -------
    index : (N,) intp
        Of the nearest, the lowest of equally near ones; -1 if `b` is empty.
    first, second : (N,) float64
        The distances of the nearest and the second nearest; infinite where there is none.
    """
    if not len(a) or not len(b):
        return np.full(len(a), -1), np.full(len(a), np.inf), np.full(len(a), np.inf)
    rows, _ = band_maxima(a, b, threads)
    near = look_again(a.rows, b, rows, rounding(a, b))
    return near.index, np.sqrt(near.first), np.sqrt(near.second)


def _found(indices: Index, distances: Float64, ratios: Float64) -> Found:
    return Found(indices.astype(np.int32), distances, ratios)


def _ratios(first: Float64, second: Float64) -> Float64:
    """Divide distances, given squared; two neighbours at distance 0 are at ratio 1."""
    return np.divide(np.sqrt(first), np.sqrt(second), out=np.ones(len(first)), where=second > 0)


def _may_match(rows: Float32, fuzz: float, params: MatchParams) -> npt.NDArray[np.bool_]:
    """Tell which keypoints can pass the tests, by bounds on the distances of their two nearest.

    The nearest are known up to rounding; the second nearest is at most as far as the nearest of another band.
    """
    first = np.sqrt(np.maximum(-rows.max(axis=0).astype(np.float64) - fuzz, 0))
    may = np.ones(rows.shape[1], bool)
    if params.max_distance is not None:
        may &= first <= params.max_distance
    if params.ratio < 1:
        may &= first <= params.ratio * np.sqrt(fuzz - second_largest(rows))
    return may
