"""Matching: which keypoints of two images have each other's descriptor. [Lowe04 §7.1]"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..conventions import descriptor_unit
from ..errors import ParameterError
from ..features import Features, Float32
from ..matches import Matches, Origin, digest_of
from ..params import MatchParams
from .descriptor_set import DescriptorSet, rounding, squared_distances
from .evidence import verify_by_evidence
from .guided import match_along
from .neighbours import band_maxima, look_again, nearest_others, ratios, second_largest
from .places import points_within
from .verify import verify

__all__ = ["Side", "match_descriptors", "match_features", "match_sides"]

Float64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Side:
    """One image prepared for matching; may serve many matches.

    Keypoints whose descriptor is zero have none: they are left out, so that they match nothing.

    Attributes
    ----------
    descriptors : DescriptorSet
        N of them.
    index : (N,) intp
        Which keypoints they are of.
    xy : (N, 2) float32
        Centres of these, in pixels.
    count : int
        Keypoints of the image.
    image_size : (width, height) or None
        In pixels.
    origin : Origin
        What the matches will tell about the image.
    """

    descriptors: DescriptorSet
    index: Index
    xy: Float32
    count: int
    image_size: tuple[int, int] | None
    origin: Origin

    def __len__(self) -> int:
        return len(self.index)

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
        if features.descriptors.dtype != np.uint8 and descriptor_unit(features.descriptors) == 512:
            raise ParameterError("descriptors", "are floats of norm 512; divide them by 512, or make them uint8")
        index = np.flatnonzero(features.descriptors.any(axis=1))
        chosen, xy = features.descriptors, features.xy
        if len(index) < len(features):
            chosen, xy = chosen[index], xy[index]
        origin = Origin(size=features.image_size, digest=digest_of(features))
        return cls(DescriptorSet.of(chosen, metric), index, xy, len(features), features.image_size, origin)


def match_features(a: Features, b: Features, params: MatchParams, threads: int = 1) -> Matches:
    """Match two images, and verify the matches if `params.verify` says so.

    Parameters
    ----------
    a, b : Features
        With descriptors.
    params : MatchParams
        The tests; see `match_descriptors`, `siftcli.matching.verify.verify`,
        `siftcli.matching.evidence.verify_by_evidence` for ``verify="auto"``, and
        `siftcli.matching.guided.match_along`.
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
    matches = match_descriptors(a, b, params, threads)
    i, j = matches.indices.T
    matches = replace(matches, xy_a=a.xy[i], xy_b=b.xy[j])
    if params.verify == "auto":
        matches = verify_by_evidence(matches, params)
    else:
        matches = verify(matches, params, a.image_size, b.image_size)
    if params.guided and matches.model is not None:
        sizes = a.image_size, b.image_size
        matches = match_along(matches.model, (a.descriptors, b.descriptors), (a.xy, b.xy), sizes, params)
    index_a, index_b = a.index[matches.indices[:, 0]], b.index[matches.indices[:, 1]]
    indices = np.stack([index_a, index_b], axis=1).astype(np.int32)
    return replace(matches, indices=indices, sizes=(a.count, b.count), origins=(a.origin, b.origin))


def match_descriptors(a: Side, b: Side, params: MatchParams, threads: int = 1) -> Matches:
    """Match two images by their descriptors alone.

    One of `a` matches its nearest in `b` if their distance is not above `params.max_distance`, if, with
    `params.mutual`, it is itself the nearest in `a` of the one found, and if the distance is below `params.ratio` times
    that to the second nearest.  With the ratio test "fginn", the second nearest is the first geometrically inconsistent
    one: the nearest of those that are more than `params.fginn_radius` from the nearest. [Mishkin15]  With
    `params.ratio_both_ways`, the distance has to be below the same share of that from the one found to the second
    nearest in `a` too.  There is no ratio test where there is no second, nor with the ratio 1.  Of equally near ones,
    that with the lowest index is the nearest.

    Parameters
    ----------
    a, b : Side
        Prepared with `params.metric`; may be empty.
    params : MatchParams
        The tests.
    threads : int
        How many may work at once; the result does not depend on it.

    Returns
    -------
    Matches
        Pairs of descriptors, by their index in `a` and `b`; without coordinates.
    """
    if not len(a) or not len(b):
        return Matches(np.empty((0, 2), np.int32), np.empty(0), np.empty(0))
    base_a, base_b = a.descriptors, b.descriptors
    fuzz = rounding(base_a, base_b)
    rows, columns = band_maxima(base_a, base_b, threads)
    i = np.flatnonzero(_may_match(rows, fuzz, params))
    near = look_again(base_a.rows[i], base_b, rows[:, i], fuzz)

    good = np.ones(len(i), np.bool_)
    if params.max_distance is not None:
        good &= np.sqrt(near.first) <= params.max_distance
    if params.ratio_test == "nearest":
        good &= _passes(ratios(near.first, near.second), params)
    if params.mutual:
        j = near.index[good]
        good[good] = look_again(base_b.rows[j], base_a, columns[:, j], fuzz, -near.first[good]).index == i[good]
    i, j, first, second = i[good], near.index[good], near.first[good], near.second[good]
    if params.ratio_test == "fginn":
        second = _inconsistent(base_a.rows[i], b, j, second, fuzz, params.fginn_radius)
    ratio = ratios(first, second)
    if params.ratio_both_ways:
        back = look_again(base_b.rows[j], base_a, columns[:, j], fuzz)
        second = np.where(back.index == i, back.second, back.first)
        if params.ratio_test == "fginn":
            second = _inconsistent(base_b.rows[j], a, i, second, fuzz, params.fginn_radius)
        ratio = np.maximum(ratio, ratios(first, second))
    good = _passes(ratio, params)
    return Matches(np.stack([i, j], axis=1)[good].astype(np.int32), np.sqrt(first[good]), ratio[good])


def _passes(ratio: Float64, params: MatchParams) -> npt.NDArray[np.bool_]:
    """Tell which ratios pass the test; all do where there is none."""
    return ratio < params.ratio if params.ratio < 1 else np.ones(len(ratio), np.bool_)


def _inconsistent(query: Float32, base: Side, j: Index, second: Float64, fuzz: float, radius: float) -> Float64:
    """Return the squared distance of the nearest that is more than `radius` from the one found, `base.xy[j]`.

    Only where one of those around it is as near as the second nearest can it differ from `second`.
    """
    row, column = points_within(base.xy[j], base.xy, radius)
    other = column != j[row]
    near = squared_distances(query, base.descriptors.rows, row[other], column[other]) <= second[row[other]]
    some = np.unique(row[other][near])
    place = np.full(len(j), -1)
    place[some] = np.arange(len(some))
    hidden = place[row] >= 0
    out = second.copy()
    out[some] = nearest_others(query[some], base.descriptors, fuzz, place[row[hidden]], column[hidden])
    return out


def _may_match(rows: Float32, fuzz: float, params: MatchParams) -> npt.NDArray[np.bool_]:
    """Tell which descriptors can pass the tests, by bounds on the distances of their two nearest.

    The nearest are known up to rounding; the second nearest is at most as far as the nearest of another band.
    """
    first = np.sqrt(np.maximum(-rows.max(axis=0).astype(np.float64) - fuzz, 0))
    may = np.ones(rows.shape[1], bool)
    if params.max_distance is not None:
        may &= first <= params.max_distance
    if params.ratio < 1 and params.ratio_test == "nearest":
        may &= first <= params.ratio * np.sqrt(fuzz - second_largest(rows))
    return may
