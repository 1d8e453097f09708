"""Guided matching: a second round among the pairs of keypoints that obey a model. [HartleyZisserman04 §11.6]"""

from __future__ import annotations

import numpy as np

from ..features import Float32, Float64, Index, Mask
from ..matches import Matches, Model
from ..params import MatchParams
from .descriptor_set import DescriptorSet, squared_distances
from .epipolar import nearest_near_lines
from .neighbours import ratios, smallest_two
from .places import points_within
from .verify import errors, pixel_fundamental, transferred

__all__ = ["match_along"]

Size = tuple[int, int] | None

_SLACK = 1 + 1e-9
"""Factor by which rounding may raise a squared error."""


def match_along(
    model: Model,
    descriptors: tuple[DescriptorSet, DescriptorSet],
    xy: tuple[Float32, Float32],
    image_sizes: tuple[Size, Size],
    params: MatchParams,
) -> Matches:
    """Match two images among the pairs of keypoints whose error is at most the model's threshold.

    The tests are those of the first round, but the second nearest is the one among these pairs.  A keypoint that looks
    like another one elsewhere in the image is matched too.  Every match is an inlier.

    Parameters
    ----------
    model : Model
        A model of any kind.
    descriptors : two DescriptorSet
        N and M of them.
    xy : (N, 2) and (M, 2) float32
        Pixels.
    image_sizes : two of (width, height) or None
        Needed for an essential matrix.
    params : MatchParams
        The largest distance is the lesser of `max_distance` and `guided_distance`.

    Returns
    -------
    Matches
        Pairs of descriptors, by their index.
    """
    i, j, squared = _candidates(model, descriptors, xy, image_sizes)
    near = smallest_two(i, j, squared, len(xy[0]))
    back = smallest_two(j, i, squared, len(xy[1]))
    limit = params.guided_distance if params.max_distance is None else min(params.max_distance, params.guided_distance)
    a = np.flatnonzero(np.sqrt(near.first) <= limit)
    b = near.index[a]
    ratio = ratios(near.first[a], near.second[a])
    if params.ratio_both_ways:
        other = np.where(back.index[b] == a, back.second[b], back.first[b])
        ratio = np.maximum(ratio, ratios(near.first[a], other))
    good = ratio < params.ratio if params.ratio < 1 else np.ones(len(a), np.bool_)
    if params.mutual:
        good &= back.index[b] == a
    a, b = a[good], b[good]
    return Matches(
        indices=np.stack([a, b], axis=1).astype(np.int32),
        distances=np.sqrt(near.first[a]),
        ratios=ratio[good],
        xy_a=xy[0][a],
        xy_b=xy[1][b],
        inliers=np.ones(len(a), np.bool_),
        model=model,
    )


def _candidates(
    model: Model,
    descriptors: tuple[DescriptorSet, DescriptorSet],
    xy: tuple[Float32, Float32],
    image_sizes: tuple[Size, Size],
) -> tuple[Index, Index, Float64]:
    """Return pairs, (P,) and (P,), that obey the model, among them the two nearest, and their squared distances."""
    a, b = (points.astype(np.float64) for points in xy)

    def obeys(i: Index, j: Index) -> Mask:
        return errors(model, a[i], b[j], *image_sizes) <= model.threshold

    if model.kind not in ("homography", "similarity"):
        matrix = pixel_fundamental(model, *image_sizes)
        return nearest_near_lines(matrix, model.threshold, descriptors, (a, b), obeys)
    i, j = points_within(transferred(model.matrix, a), b, model.threshold * _SLACK)
    good = obeys(i, j)
    i, j = i[good], j[good]
    return i, j, squared_distances(descriptors[0].rows, descriptors[1].rows, i, j)
