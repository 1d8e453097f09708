"""Guided matching: a second round among the pairs of keypoints that obey a model. [HartleyZisserman04 §11.6]"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..features import Float32
from ..matches import Matches, Model
from ..params import MatchParams
from .neighbours import DescriptorSet, ratios, smallest_two, squared_distances
from .places import points_within
from .verify import errors, pixel_fundamental, transferred

__all__ = ["match_along"]

Float64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Size = tuple[int, int] | None

_PAIRS = 1 << 18
"""Pairs of keypoints whose error is compared at a time."""
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
        Of any kind.
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
        Of descriptors, by their index.
    """
    i, j = _consistent(model, *xy, *image_sizes)
    squared = squared_distances(descriptors[0].rows, descriptors[1].rows, i, j)
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


def _consistent(model: Model, a: Float32, b: Float32, size_a: Size, size_b: Size) -> tuple[Index, Index]:
    """Find all pairs of points, (P,) and (P,), whose error is at most the model's threshold."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    if model.kind in ("homography", "similarity"):
        i, j = points_within(transferred(model.matrix, x), y, model.threshold * _SLACK)
    else:
        i, j = _near_lines(pixel_fundamental(model, size_a, size_b), x, y, model.threshold)
    good = errors(model, x[i], y[j], size_a, size_b) <= model.threshold
    return i[good], j[good]


def _near_lines(fundamental: Float64, a: Float64, b: Float64, threshold: float) -> tuple[Index, Index]:
    """Find the pairs of points whose Sampson distance is at most the threshold, or by rounding a little more."""
    x_a, x_b = (np.column_stack((points, np.ones(len(points)))) for points in (a, b))
    line_b, line_a = x_a @ fundamental.T, x_b @ fundamental
    slope_b, slope_a = (np.square(line[:, :2]).sum(axis=1) * (threshold**2 * _SLACK) for line in (line_b, line_a))
    found = [(np.empty(0, np.intp), np.empty(0, np.intp))]
    step = max(1, _PAIRS // max(1, len(b)))
    for start in range(0, len(a), step):
        some = slice(start, start + step)
        residual = line_b[some] @ x_b.T
        residual *= residual
        residual -= slope_a
        row, column = np.nonzero(residual <= slope_b[some, None])
        found.append((row + start, column))
    i, j = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return i, j
