"""Exact nearest neighbours of descriptors, by matrix products.

The squared distances of all pairs are one matrix product: with each descriptor `x` of the first side written as
``(2x, -|x|^2, 1)`` and each `y` of the second as ``(y, 1, -|y|^2)``, the product of two is ``-|x - y|^2``.  It is
computed in blocks that stay in cache, and of each block only the largest value of every row and of every column is
kept.  That is enough to tell which keypoints can have a match at all, and in which blocks the neighbours of those are:
only there is a second, exact look taken.  One product so serves both directions, and nothing of the size of all pairs
is ever stored.

Quantised descriptors are exact in float32: they are integers over 512, and every sum of products stays below 2^24 in
those units.  Other descriptors are compared in float32 with a proven bound on its error; what lies within that bound
is computed again in float64 before anything is decided.  So the result does not depend on block sizes, threads or the
BLAS in use.

Distances are in units of a descriptor's norm: those of quantised descriptors are divided by 512.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError
from ..features import Float32
from ..params import MatchParams

__all__ = ["Found", "Points", "match_points", "nearest_two"]

Float64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_BLOCK = 512
"""Descriptors on each side of a product: 1 MB of distances, which fits a core's own cache."""

_BANDS = 128
"""Maxima are kept for at most this many bands of a side; larger sides have bands of several blocks."""

_PAIRS = 4096
"""Distances computed at a time in float64."""

_WIDTH = 130
_UNIT = np.float32(1 / 512)
_ROUNDING = (_WIDTH + 6) * 2.0**-24
"""Relative error of a sum of `_WIDTH` products in float32, in any order, its terms rounded too."""

_TINY = 1e-36
"""More than what products of float32 lose to underflow."""


@dataclass(frozen=True, eq=False)
class Points:
    """Descriptors prepared for matching; may serve many matches.

    Attributes
    ----------
    rows : (N, 130) float32
        The descriptor in units of its norm, 1, and minus its squared norm.
    exact : bool
        The descriptors are integers over 512.
    reach : float
        The largest norm.
    """

    rows: Float32
    exact: bool
    reach: float

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, descriptors: npt.NDArray[np.uint8] | Float32, metric: str = "l2") -> Points:
        """Prepare descriptors.

        Parameters
        ----------
        descriptors : (N, 128) uint8 or float
            Quantised, or of about unit norm.
        metric : {"l2", "root"}
            "root" takes their RootSIFT form: divided by their sum, then the square root; zeros stay zeros.

        Raises
        ------
        ParameterError
            If a value is not finite, too large for float32 arithmetic, or negative with "root".
        """
        quantised = descriptors.dtype == np.uint8
        rows = np.empty((len(descriptors), _WIDTH), np.float32)
        values = rows[:, :128]
        if quantised:
            np.multiply(descriptors, _UNIT, out=values)
        else:
            values[:] = descriptors
            if not (np.abs(values) < 1e15).all():
                raise ParameterError("descriptors", "must be finite and of about unit norm")
        if metric == "root":
            if not (values >= 0).all():
                raise ParameterError("metric", "root needs descriptors without negative values; use l2")
            total = values.sum(axis=1, keepdims=True, dtype=np.float64)
            np.sqrt(values / np.where(total > 0, total, 1), out=values, casting="same_kind")
        norms = np.einsum("ij,ij->i", values, values, dtype=np.float64)
        rows[:, 128] = 1
        rows[:, 129] = -norms
        return cls(rows, bool(quantised and metric == "l2"), float(np.sqrt(norms.max(initial=0))))


@dataclass(frozen=True, eq=False)
class Found:
    """Matches, in the order of the first side.

    Attributes
    ----------
    indices : (M, 2) int32
        Into the first and the second side.
    distances : (M,) float64
        In units of a descriptor's norm.
    ratios : (M,) float64
        The distance over that of the second nearest on the second side, in [0, 1]; 0 where there is none.
    """

    indices: npt.NDArray[np.int32]
    distances: Float64
    ratios: Float64


def match_points(a: Points, b: Points, params: MatchParams, threads: int = 1) -> Found:
    """Match two sides.

    A keypoint of `a` matches its nearest in `b` if their distance is below `params.ratio` times that to its second
    nearest (there is no test where `b` holds one keypoint, nor with the ratio 1), not above `params.max_distance`,
    and, with `params.mutual`, if it is itself the nearest in `a` of the one found.  Of equally near ones, that with
    the lowest index is the nearest.

    Parameters
    ----------
    a, b : Points
        Prepared with `params.metric`.
    params : MatchParams
    threads : int
        How many may work at once; the result does not depend on it.

    Returns
    -------
    Found
    """
    if not len(a) or not len(b):
        return _found(np.empty((0, 2), np.intp), np.empty(0), np.empty(0))
    fuzz = _fuzz(a, b)
    rows, columns = _band_maxima(a, b, threads)
    query = np.flatnonzero(_may_match(rows, fuzz, params))
    near = _look_again(a.rows[query], b, rows[:, query], fuzz)
    distance, ratio = np.sqrt(near.first), near.ratios()
    good = (ratio < params.ratio) if params.ratio < 1 else np.ones(len(query), bool)
    if params.max_distance is not None:
        good &= distance <= params.max_distance
    if params.mutual:
        j = near.index[good]
        back = _look_again(b.rows[j], a, columns[:, j], fuzz, -near.first[good])
        good[good] = back.index == query[good]
    return _found(np.stack([query[good], near.index[good]], axis=1), distance[good], ratio[good])


def nearest_two(a: Points, b: Points, threads: int = 1) -> tuple[Index, Float64, Float64]:
    """Find the nearest and the distance of the second nearest in `b`, for all of `a`.

    Returns
    -------
    index : (N,) intp
        Of the nearest, the lowest of equally near ones; -1 if `b` is empty.
    first, second : (N,) float64
        The distances of the nearest and the second nearest; infinite where there is none.
    """
    if not len(a) or not len(b):
        return np.full(len(a), -1), np.full(len(a), np.inf), np.full(len(a), np.inf)
    rows, _ = _band_maxima(a, b, threads)
    near = _look_again(a.rows, b, rows, _fuzz(a, b))
    return near.index, np.sqrt(near.first), np.sqrt(near.second)


def _found(indices: Index, distances: Float64, ratios: Float64) -> Found:
    return Found(indices.astype(np.int32), distances, ratios)


def _fuzz(a: Points, b: Points) -> float:
    """Bound the error of a squared distance that the product gives."""
    return 0.0 if a.exact and b.exact else _ROUNDING * (a.reach + b.reach) ** 2 + _TINY


# --- the first look: the nearest in every band


def _band(n: int) -> int:
    """Descriptors in a band: whole blocks."""
    return _BLOCK * -(-n // (_BLOCK * _BANDS))


def _starts(start: int, stop: int) -> Iterator[tuple[int, int]]:
    for i in range(start, stop, _BLOCK):
        yield i, min(i + _BLOCK, stop)


def _first_side(rows: Float32) -> Float32:
    """Turn (x, 1, -|x|^2) into (2x, -|x|^2, 1)."""
    out = rows * np.float32(2)
    out[:, 128] = rows[:, 129]
    out[:, 129] = 1
    return out


def _band_maxima(a: Points, b: Points, threads: int) -> tuple[Float32, Float32]:
    """Compute minus the squared distance to the nearest in every band of the other side.

    Returns
    -------
    rows : (bands of b, N) float32
        For the keypoints of `a`.
    columns : (bands of a, M) float32
        For the keypoints of `b`.
    """
    band_a, band_b = _band(len(a)), _band(len(b))
    rows = np.full((-(-len(b) // band_b), len(a)), -np.inf, np.float32)
    columns = np.full((-(-len(a) // band_a), len(b)), -np.inf, np.float32)

    def work(start: int) -> None:
        scratch = np.empty(_BLOCK * _BLOCK, np.float32)
        nearest = columns[start // band_a]
        for i, i_stop in _starts(start, min(start + band_a, len(a))):
            first = _first_side(a.rows[i:i_stop])
            order = np.arange(i_stop - i)
            for j, j_stop in _starts(0, len(b)):
                product = scratch[: (i_stop - i) * (j_stop - j)].reshape(i_stop - i, j_stop - j)
                np.matmul(first, b.rows[j:j_stop].T, out=product)
                np.maximum(nearest[j:j_stop], product.max(axis=0), out=nearest[j:j_stop])
                # Along a row, NumPy finds the place of the maximum faster than the maximum.
                best = product[order, product.argmax(axis=1)]
                band = rows[j // band_b, i:i_stop]
                np.maximum(band, best, out=band)

    _run(work, range(0, len(a), band_a), threads)
    return rows, columns


def _run(work: Callable[[int], None], items: range, threads: int) -> None:
    if threads == 1 or len(items) == 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, items):
            pass


def _second_largest(maxima: Float32) -> Float32:
    """Find the second largest of each column; minus infinity where there is one row."""
    if len(maxima) == 1:
        return np.full(maxima.shape[1], -np.inf, np.float32)
    return np.partition(maxima, len(maxima) - 2, axis=0)[-2]


def _may_match(rows: Float32, fuzz: float, params: MatchParams) -> npt.NDArray[np.bool_]:
    """Tell which keypoints can pass the tests, by bounds on the distances of their two nearest.

    The nearest are known up to rounding; the second nearest is at most as far as the nearest of another band.
    """
    first = np.sqrt(np.maximum(-rows.max(axis=0).astype(np.float64) - fuzz, 0))
    may = np.ones(rows.shape[1], bool)
    if params.max_distance is not None:
        may &= first <= params.max_distance
    if params.ratio < 1:
        second = np.sqrt(fuzz - _second_largest(rows).astype(np.float64))
        may &= first <= params.ratio * second
    return may


# --- the second look, where the nearest can be


@dataclass(frozen=True, eq=False)
class _Near:
    """The nearest of some keypoints (-1: none), and the squared distances of the two nearest (infinite: none)."""

    index: Index
    first: Float64
    second: Float64

    def ratios(self) -> Float64:
        """Divide the distances; two neighbours at distance 0 are at ratio 1."""
        return np.divide(
            np.sqrt(self.first), np.sqrt(self.second), out=np.ones(len(self.index)), where=self.second > 0
        )

    def join(self, which: Index, other: _Near, offset: int) -> None:
        """Take in what was found for the keypoints `which` among later ones, that begin at `offset`."""
        first, second = self.first[which], self.second[which]
        closer = other.first < first  # of equally near ones the earlier stays
        self.second[which] = np.where(closer, np.minimum(first, other.second), np.minimum(second, other.first))
        self.first[which] = np.where(closer, other.first, first)
        self.index[which] = np.where(closer, other.index + offset, self.index[which])


def _nothing(n: int) -> _Near:
    return _Near(np.full(n, -1), np.full(n, np.inf), np.full(n, np.inf))


def _look_again(query: Float32, base: Points, maxima: Float32, fuzz: float, bound: Float64 | None = None) -> _Near:
    """Find the two nearest in `base` exactly.

    Parameters
    ----------
    query : (Q, 130) float32
        As in `Points`.
    base : Points
    maxima : (bands of base, Q) float32
        Minus the squared distance of the nearest in every band, each wrong by at most `fuzz`.
    bound : (Q,) float64, optional
        Minus a squared distance: then only the nearest is found, if it is not farther than that.
    """
    band = _band(len(base))
    # No farther than this are two neighbours at least, so the two nearest are among those as near.
    limit = (_second_largest(maxima).astype(np.float64) if bound is None else bound) - 2 * fuzz
    near = _nothing(len(query))
    for k, maximum in enumerate(maxima):
        hit = np.flatnonzero(maximum >= limit)
        for i, i_stop in _starts(0, len(hit)):
            which = hit[i:i_stop]
            for j, j_stop in _starts(k * band, min((k + 1) * band, len(base))):
                near.join(which, _two_nearest(query[which], base.rows[j:j_stop], limit[which], fuzz), j)
    return near


def _two_nearest(query: Float32, base: Float32, limit: Float64, fuzz: float) -> _Near:
    """Find the two nearest in one block exactly, or, where they are farther than `limit`, none."""
    product = _first_side(query) @ base.T
    every = np.arange(len(query))
    index = product.argmax(axis=1)
    first = product[every, index]
    product[every, index] = -np.inf
    second = product.max(axis=1)
    if not fuzz:
        return _Near(index, -first.astype(np.float64), -second.astype(np.float64))
    product[every, index] = first
    row, column = np.nonzero(product >= np.maximum(limit, second.astype(np.float64) - 2 * fuzz)[:, None])
    return _smallest_two(row, column, _squared_distances(query, base, row, column), len(query))


def _squared_distances(query: Float32, base: Float32, row: Index, column: Index) -> Float64:
    """Compute squared distances of pairs in float64."""
    out = np.empty(len(row))
    for i in range(0, len(row), _PAIRS):
        pick = slice(i, i + _PAIRS)
        difference = query[row[pick], :128].astype(np.float64) - base[column[pick], :128]
        out[pick] = np.square(difference, out=difference).sum(axis=1)
    return out


def _smallest_two(row: Index, column: Index, value: Float64, n: int) -> _Near:
    """Find the two smallest values of each row; of equal ones, the lowest column is the first."""
    order = np.lexsort((column, value, row))
    row, column, value = row[order], column[order], value[order]
    near = _nothing(n)
    start = np.flatnonzero(np.diff(row, prepend=-1))
    near.index[row[start]] = column[start]
    near.first[row[start]] = value[start]
    follows = np.flatnonzero(row[1:] == row[:-1]) + 1
    follows = follows[np.isin(follows - 1, start)]
    near.second[row[follows]] = value[follows]
    return near
