"""Exact nearest neighbours of descriptors, by matrix products.

The squared distances of all pairs are one matrix product: with each descriptor `x` of the first side written as
``(2x, -|x|^2, 1)`` and each `y` of the second as ``(y, 1, -|y|^2)``, the product of two is ``-|x - y|^2``.  It is
computed in blocks that stay in cache.  A first look keeps nothing of a block but the largest value of every row and of
every column: minus the squared distance to the nearest there.  That tells in which blocks the nearest neighbours of a
keypoint must be, and a second, exact look is taken at those alone.  One product so serves both directions, and nothing
of the size of all pairs is ever stored.

Quantised descriptors are exact in float32: they are integers over 512, and every sum of products stays below 2^24 in
those units.  Other descriptors are compared in float32 with a proven bound on its error; what lies within that bound
is computed again in float64 before anything is decided.  So the result does not depend on block sizes, threads or the
BLAS in use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError
from ..features import Float32
from ..threads import share

__all__ = [
    "DescriptorSet",
    "Nearest",
    "band_maxima",
    "look_again",
    "nearest_others",
    "ratios",
    "rounding",
    "second_largest",
    "smallest_two",
    "squared_distances",
]

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

_LARGEST = 1e15
"""Descriptors beyond this would overflow."""


@dataclass(frozen=True, eq=False)
class DescriptorSet:
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
    def of(cls, descriptors: npt.NDArray[np.uint8] | Float32, metric: str = "l2") -> DescriptorSet:
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
            if not (np.abs(descriptors) < _LARGEST).all():
                raise ParameterError("descriptors", "must be finite and of about unit norm")
            values[:] = descriptors
        if metric == "root":
            if not (values >= 0).all():
                raise ParameterError("metric", "root needs descriptors without negative values; use l2")
            total = values.sum(axis=1, keepdims=True, dtype=np.float64)
            values[:] = np.sqrt(values / np.where(total > 0, total, 1))
        norms = np.einsum("ij,ij->i", values, values, dtype=np.float64)
        rows[:, 128] = 1
        rows[:, 129] = -norms
        return cls(rows, bool(quantised and metric == "l2"), float(np.sqrt(norms.max(initial=0))))


def rounding(a: DescriptorSet, b: DescriptorSet) -> float:
    """Bound the error of a squared distance that the product gives; 0 where it is exact."""
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
    out = np.multiply(rows, np.float32(2))
    out[:, 128] = rows[:, 129]
    out[:, 129] = 1
    return out


def band_maxima(a: DescriptorSet, b: DescriptorSet, threads: int = 1) -> tuple[Float32, Float32]:
    """Compute minus the squared distance to the nearest in every band of the other side, each off by `rounding`.

    Parameters
    ----------
    a, b : DescriptorSet
        Neither is empty.
    threads : int
        How many may work at once.

    Returns
    -------
    rows : (bands of b, N) float32
        For the descriptors of `a`.
    columns : (bands of a, M) float32
        For the descriptors of `b`.
    """
    band_a, band_b = _band(len(a)), _band(len(b))
    rows = np.full((-(-len(b) // band_b), len(a)), -np.inf, np.float32)
    columns = np.full((-(-len(a) // band_a), len(b)), -np.inf, np.float32)

    def work(band: int, scratch: Float32) -> None:
        start, nearest = band * band_a, columns[band]
        for i, i_stop in _starts(start, min(start + band_a, len(a))):
            first = _first_side(a.rows[i:i_stop])
            order = np.arange(i_stop - i)
            for j, j_stop in _starts(0, len(b)):
                product = scratch[: (i_stop - i) * (j_stop - j)].reshape(i_stop - i, j_stop - j)
                np.matmul(first, b.rows[j:j_stop].T, out=product)
                np.maximum(nearest[j:j_stop], product.max(axis=0), out=nearest[j:j_stop])
                # Along a row, NumPy finds the place of the maximum faster than the maximum.
                best = product[order, product.argmax(axis=1)]
                so_far = rows[j // band_b, i:i_stop]
                np.maximum(so_far, best, out=so_far)

    def share_of(thread: int) -> None:
        scratch = np.empty(_BLOCK * _BLOCK, np.float32)
        for band in range(thread, len(columns), threads):
            work(band, scratch)

    threads = min(threads, len(columns))
    share(share_of, threads)
    return rows, columns


def second_largest(maxima: Float32) -> Float64:
    """Find the second largest of each column; minus infinity where there is one row."""
    if len(maxima) == 1:
        return np.full(maxima.shape[1], -np.inf)
    return np.asarray(np.partition(maxima, len(maxima) - 2, axis=0)[-2], np.float64)


# --- the second look: where the nearest must be


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest of some descriptors, and how far the two nearest are.

    Attributes
    ----------
    index : (Q,) intp
        Of equally near ones the lowest; -1 if there is none.
    first, second : (Q,) float64
        Squared distances of the nearest and the second nearest; infinite if there is none.
    """

    index: Index
    first: Float64
    second: Float64

    @classmethod
    def none(cls, n: int) -> Nearest:
        """The nearest of n descriptors among none."""
        return cls(np.full(n, -1), np.full(n, np.inf), np.full(n, np.inf))

    def join(self, which: Index, other: Nearest, offset: int) -> None:
        """Take in what was found for the descriptors `which` among later ones, that begin at `offset`."""
        first, second = self.first[which], self.second[which]
        closer = other.first < first  # of equally near ones the earlier stays
        self.second[which] = np.where(closer, np.minimum(first, other.second), np.minimum(second, other.first))
        self.first[which] = np.where(closer, other.first, first)
        self.index[which] = np.where(closer, other.index + offset, self.index[which])


def look_again(
    query: Float32, base: DescriptorSet, maxima: Float32, fuzz: float, bound: Float64 | None = None
) -> Nearest:
    """Find the two nearest exactly.

    Parameters
    ----------
    query : (Q, 130) float32
        As in `DescriptorSet`.
    base : DescriptorSet
        Where to look.
    maxima : (bands of base, Q) float32
        Minus the squared distance of the nearest in every band.
    fuzz : float
        By how much those, and products, may be wrong; 0 if they are exact.
    bound : (Q,) float64, optional
        Minus a squared distance: only the nearest is asked for, and only if it is not farther than that.

    Returns
    -------
    Nearest
        With a `bound`, `second` is not that of all of `base`.
    """
    band = _band(len(base))
    # No farther than this are two neighbours at least, so the two nearest are among those as near.
    limit = (second_largest(maxima) if bound is None else bound) - 2 * fuzz
    near = Nearest.none(len(query))
    for k, maximum in enumerate(maxima):
        hit = np.flatnonzero(maximum >= limit)
        for i, i_stop in _starts(0, len(hit)):
            which = hit[i:i_stop]
            for j, j_stop in _starts(k * band, min((k + 1) * band, len(base))):
                near.join(which, _two_nearest(query[which], base.rows[j:j_stop], limit[which], fuzz), j)
    return near


def nearest_others(query: Float32, base: DescriptorSet, fuzz: float, row: Index, column: Index) -> Float64:
    """Compute the squared distance of the nearest that is not left out.

    Parameters
    ----------
    query : (Q, 130) float32
        As in `DescriptorSet`.
    base : DescriptorSet
        Where to look.
    fuzz : float
        See `look_again`.
    row, column : (P,) intp
        Pairs of a query and a descriptor of `base` that are left out.

    Returns
    -------
    (Q,) float64
        Infinite where all are left out.
    """
    near = Nearest.none(len(query))
    order = np.argsort(row, kind="stable")
    row, column = row[order], column[order]
    limit = np.full(_BLOCK, -np.inf)
    for i, i_stop in _starts(0, len(query)):
        which = np.arange(i, i_stop)
        some = slice(*np.searchsorted(row, (i, i_stop)))
        rows, columns = row[some] - i, column[some]
        for j, j_stop in _starts(0, len(base)):
            here = (columns >= j) & (columns < j_stop)
            left_out = rows[here], columns[here] - j
            near.join(which, _two_nearest(query[which], base.rows[j:j_stop], limit[: len(which)], fuzz, left_out), j)
    return near.first


def _two_nearest(
    query: Float32, base: Float32, limit: Float64, fuzz: float, left_out: tuple[Index, Index] | None = None
) -> Nearest:
    """Find the two nearest in one block exactly, or none of those that are left out or farther than `limit`."""
    product = _first_side(query) @ base.T
    if left_out is not None:
        product[left_out] = -np.inf
    every = np.arange(len(query))
    index = product.argmax(axis=1)
    first = product[every, index]
    product[every, index] = -np.inf
    second = product.max(axis=1)
    if not fuzz:
        return Nearest(index, -first.astype(np.float64), -second.astype(np.float64))
    product[every, index] = first
    enough = product >= np.maximum(limit, second.astype(np.float64) - 2 * fuzz)[:, None]
    row, column = np.nonzero(enough & (product > -np.inf))
    return smallest_two(row, column, squared_distances(query, base, row, column), len(query))


def squared_distances(query: Float32, base: Float32, row: Index, column: Index) -> Float64:
    """Compute the squared distances, (P,), of pairs of rows of two `DescriptorSet`, in float64."""
    out = np.empty(len(row))
    for i in range(0, len(row), _PAIRS):
        pick = slice(i, i + _PAIRS)
        difference = query[row[pick], :128].astype(np.float64) - base[column[pick], :128]
        out[pick] = np.square(difference, out=difference).sum(axis=1)
    return out


def smallest_two(row: Index, column: Index, value: Float64, n: int) -> Nearest:
    """Find the two smallest values of each row; of equal ones, the lowest column is the first."""
    order = np.lexsort((column, value, row))
    row, column, value = row[order], column[order], value[order]
    near = Nearest.none(n)
    start = np.flatnonzero(np.diff(row, prepend=-1))
    near.index[row[start]], near.first[row[start]] = column[start], value[start]
    following = start[:-1] + 1 if len(start) and start[-1] + 1 == len(row) else start + 1
    following = following[row[following] == row[following - 1]]
    near.second[row[following]] = value[following]
    return near


def ratios(first: Float64, second: Float64) -> Float64:
    """Divide distances, given squared; two neighbours at distance 0 are at ratio 1, and none exceeds it."""
    ratio = np.ones(len(first))
    np.divide(np.sqrt(first), np.sqrt(second), out=ratio, where=second > 0)
    return np.minimum(ratio, 1)
