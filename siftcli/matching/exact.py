"""Matching: which keypoints of two images have each other's descriptor. [Lowe04 §7.1]"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError
from ..features import Features, Float32
from ..matches import Matches
from ..params import MatchParams
from .neighbours import DescriptorSet, band_maxima, look_again, rounding, second_largest
from .verify import verify

__all__ = ["DescriptorSet", "Side", "match_descriptors", "match_features", "match_sides", "nearest_two"]

Float64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Side:
    """What matching needs of one image; may serve many matches.

    Attributes
    ----------
    descriptors : DescriptorSet
        N of them.
    xy : (N, 2) float32
        Centres, in pixels.
    image_size : (width, height) or None
        In pixels.
    """

    descriptors: DescriptorSet
    xy: Float32
    image_size: tuple[int, int] | None

    @classmethod
    def of(cls, features: Features, metric: str = "l2") -> Side:
        """Prepare an image's features.

        Parameters
        ----------
        features : Features
            With descriptors.
        metric : {"l2", "root"}
            See `DescriptorSet.of`.

        Raises
        ------
        ParameterError
            If there are no descriptors, or they cannot be compared.
        """
        if features.descriptors is None:
            raise ParameterError("descriptors", "there are none, keypoints alone cannot be matched; run sift describe")
        return cls(DescriptorSet.of(features.descriptors, metric), features.xy, features.image_size)


def match_features(a: Features, b: Features, params: MatchParams, threads: int = 1) -> Matches:
    """Match two images, and verify the matches if `params.verify` says so.

    Parameters
    ----------
    a, b : Features
        With descriptors.
    params : MatchParams
        The tests; see `match_descriptors` and `siftcli.matching.verify.verify`.
    threads : int
        How many may work at once; the result does not depend on it.

    Raises
    ------
    ParameterError
        If descriptors are missing or cannot be compared, or the verification lacks something.
    """
    return match_sides(Side.of(a, params.metric), Side.of(b, params.metric), params, threads)


def match_sides(a: Side, b: Side, params: MatchParams, threads: int = 1) -> Matches:
    """Do the same with images that are prepared with `params.metric`."""
    matches = match_descriptors(a.descriptors, b.descriptors, params, threads)
    i, j = matches.indices.T
    return verify(replace(matches, xy_a=a.xy[i], xy_b=b.xy[j]), params, a.image_size, b.image_size)


def match_descriptors(a: DescriptorSet, b: DescriptorSet, params: MatchParams, threads: int = 1) -> Matches:
    """Match two sets of descriptors.

    One of `a` matches its nearest in `b` if their distance is below `params.ratio` times that to its second nearest
    (there is no test where `b` has one, nor with the ratio 1), not above `params.max_distance`, and, with
    `params.mutual`, if it is itself the nearest in `a` of the one found.  Of equally near ones, that with the lowest
    index is the nearest.

    Parameters
    ----------
    a, b : DescriptorSet
        Prepared with `params.metric`; may be empty.
    params : MatchParams
        The tests.
    threads : int
        How many may work at once; the result does not depend on it.

    Returns
    -------
    Matches
        Without coordinates.
    """
    sizes = len(a), len(b)
    if not all(sizes):
        return Matches(np.empty((0, 2), np.int32), np.empty(0), np.empty(0), sizes=sizes)
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
    indices = np.stack([query[good], near.index[good]], axis=1).astype(np.int32)
    return Matches(indices, distance[good], ratio[good], sizes=sizes)


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


def _ratios(first: Float64, second: Float64) -> Float64:
    """Divide distances, given squared; two neighbours at distance 0 are at ratio 1."""
    ratio = np.ones(len(first))
    np.divide(np.sqrt(first), np.sqrt(second), out=ratio, where=second > 0)
    return ratio


def _may_match(rows: Float32, fuzz: float, params: MatchParams) -> npt.NDArray[np.bool_]:
    """Tell which descriptors can pass the tests, by bounds on the distances of their two nearest.

    The nearest are known up to rounding; the second nearest is at most as far as the nearest of another band.
    """
    first = np.sqrt(np.maximum(-rows.max(axis=0).astype(np.float64) - fuzz, 0))
    may = np.ones(rows.shape[1], bool)
    if params.max_distance is not None:
        may &= first <= params.max_distance
    if params.ratio < 1:
        may &= first <= params.ratio * np.sqrt(fuzz - second_largest(rows))
    return may
