"""Exact nearest neighbours of descriptors, by matrix products.

The squared distances of all pairs are one matrix product (see `descriptor_set`), which is computed in blocks that stay
in cache.  A first look keeps nothing of a block but the largest value of every row and of
every column: minus the squared distance to the nearest there.  That tells in which blocks the nearest neighbours of a
keypoint must be, and a second, exact look is taken at those alone.  One product so serves both directions, and nothing
of the size of all pairs is ever stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..features import Float32, Float64, Index
from ..threads import share
from .descriptor_set import DescriptorSet, first_side, squared_distances

__all__ = [
    "Nearest",
    "band_maxima",
    "look_again",
    "nearest_others",
    "ratios",
    "second_largest",
    "smallest_two",
]

_BLOCK = 512
"""Descriptors on each side of a product: 1 MB of distances, which fits a core's own cache."""

_BANDS = 128
"""Maxima are kept for at most this many bands of a side; larger sides have bands of several blocks."""


# --- the first look: the nearest in every band


def _band(n: int) -> int:
    """Descriptors in a band: whole blocks."""
    return _BLOCK * -(-n // (_BLOCK * _BANDS))


def _starts(start: int, stop: int) -> Iterator[tuple[int, int]]:
    for i in range(start, stop, _BLOCK):
        yield i, min(i + _BLOCK, stop)


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
            first = first_side(a.rows[i:i_stop])
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
        The lowest of those that are equally near; -1 if there is none.
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
    product = first_side(query) @ base.T
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
