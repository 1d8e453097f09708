"""The measures of the literature, as functions of arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .overlap import OVERLAP_ERROR, correspondences, inverse, overlap_errors, projected

__all__ = [
    "accuracy_curve",
    "auc",
    "common",
    "corner_error",
    "count_distinct",
    "matching_score",
    "pose_errors",
    "repeatability",
    "repeatability_within",
]

Float64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def common(homography: Float64, xy: Float64, size: tuple[int, int]) -> Mask:
    """Return which points lie in the common part: those that a homography maps into an image of this size."""
    mapped, _ = projected(homography, xy)
    with np.errstate(invalid="ignore"):
        return np.asarray(((mapped >= -0.5) & (mapped < np.array(size) - 0.5)).all(axis=1))


def repeatability(homography: Float64, a: tuple[Float64, Float64], b: tuple[Float64, Float64]) -> float:
    """Compute the share of regions that correspond with an overlap error below 40 %. [MikolajczykEtAl05 §4.1]

    Parameters
    ----------
    homography : (3, 3) float64
        From pixels of the first image to the second.
    a, b : ((N, 2) float64, (N, 2, 2) float64)
        Centres and shapes of the regions in the common part of the two images.

    Returns
    -------
    float
        Pairs of corresponding regions, one to one, over the smaller number of regions; 0 where there are none.  Regions
        of one centre and area, as a keypoint with several orientations has them, count once.
    """
    a, b = _single(*a), _single(*b)
    fewest = min(len(a[0]), len(b[0]))
    if not fewest:
        return 0.0
    i, _ = correspondences(*a, *projected(inverse(homography), *b))
    return len(i) / fewest


def _single(xy: Float64, shapes: Float64) -> tuple[Float64, Float64]:
    """Remove regions that differ from another one by orientation only."""
    scales = np.sqrt(np.abs(np.linalg.det(shapes))).astype(np.float32)
    _, first = np.unique(np.column_stack([xy, scales]), axis=0, return_index=True)
    return xy[first], shapes[first]


def repeatability_within(homography: Float64, xy_a: Float64, xy_b: Float64, distance: float) -> float:
    """Compute the share of keypoints that have one of the other image near them. [SuperPoint18, appendix]

    Parameters
    ----------
    homography : (3, 3) float64
        From pixels of the first image to the second.
    xy_a, xy_b : (N, 2) and (M, 2) float64
        Keypoints in the common part of the two images; several at one place count once.
    distance : float
        In pixels of the image that keypoints are mapped to.

    Returns
    -------
    float
        Share of the keypoints of both images together; 0 where there are none.
    """
    from scipy.spatial import cKDTree  # type: ignore[import-untyped]

    xy_a, xy_b = np.unique(xy_a, axis=0), np.unique(xy_b, axis=0)
    if not len(xy_a) or not len(xy_b):
        return 0.0
    found = 0
    for matrix, from_xy, to_xy in ((homography, xy_a, xy_b), (inverse(homography), xy_b, xy_a)):
        near, _ = cKDTree(to_xy).query(projected(matrix, from_xy)[0])
        found += int(np.count_nonzero(near <= distance))
    return found / (len(xy_a) + len(xy_b))


def matching_score(homography: Float64, a: tuple[Float64, Float64], b: tuple[Float64, Float64], fewest: int) -> float:
    """Compute the share of regions whose descriptors find the corresponding region. [MikolajczykEtAl05 §4.2]

    Parameters
    ----------
    homography : (3, 3) float64
        From pixels of the first image to the second.
    a, b : ((M, 2) float64, (M, 2, 2) float64)
        Centres and shapes of mutual nearest neighbours, both in the common part of the two images.
    fewest : int
        The smaller number of regions in the common part.

    Returns
    -------
    float
        Matches with an overlap error below 40 % over `fewest`; 0 where that is 0.
    """
    if not fewest or not len(a[0]):
        return 0.0
    errors = overlap_errors(*a, *projected(inverse(homography), *b))
    return int(np.count_nonzero(errors < OVERLAP_ERROR)) / fewest


def count_distinct(xy_a: npt.NDArray[np.floating], xy_b: npt.NDArray[np.floating]) -> int:
    """Count matches between distinct places; those that differ only by orientation count once."""
    return len(np.unique(np.column_stack([xy_a, xy_b]), axis=0))


def accuracy_curve(errors: Float64, thresholds: npt.ArrayLike) -> Float64:
    """Compute the share of matches with an error up to each threshold, 0 where there are none. [HPatches; D2-Net]"""
    return np.asarray([float((errors <= t).mean()) if len(errors) else 0.0 for t in np.asarray(thresholds)])


def corner_error(estimate: Float64 | None, homography: Float64, size: tuple[int, int]) -> float:
    """Compute the mean distance between where two homographies map the corners of an image. [SuperPoint18]

    Parameters
    ----------
    estimate : (3, 3) float64 or None
        None gives infinity.
    homography : (3, 3) float64
        The true one.
    size : (width, height)
        Size of the first image, in pixels.
    """
    if estimate is None:
        return np.inf
    right, bottom = size[0] - 1.0, size[1] - 1.0
    corners = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]])
    distance = np.hypot(*(projected(estimate, corners)[0] - projected(homography, corners)[0]).T)
    return float(np.where(np.isfinite(distance), distance, np.inf).mean())


def pose_errors(estimate: tuple[Float64, Float64] | None, pose: tuple[Float64, Float64]) -> tuple[float, float]:
    """Compute the errors of a relative pose: angles between rotations and between translations. [IMC21 §4.3]

    Parameters
    ----------
    estimate : ((3, 3) float64, (3,) float64) or None
        Rotation and translation; None gives infinities.
    pose : ((3, 3) float64, (3,) float64)
        The true one.

    Returns
    -------
    rotation, translation : float
        Degrees; that of the translation up to 90, for its sign is not observable in an essential matrix.  It is 0 where
        the cameras have not moved.
    """
    if estimate is None:
        return np.inf, np.inf
    (r, t), (true_r, true_t) = estimate, pose
    # |R - R'| = 2 sqrt(2) sin(angle / 2): exact for small angles, unlike the arc cosine of the trace.
    rotation = 2 * np.arcsin(min(1.0, float(np.linalg.norm(r - true_r)) / np.sqrt(8)))
    norm = float(np.linalg.norm(t) * np.linalg.norm(true_t))
    translation = np.arctan2(np.linalg.norm(np.cross(t, true_t)), abs(float(t @ true_t))) if norm > 0 else 0.0
    return float(np.degrees(rotation)), float(np.degrees(translation))


def auc(errors: npt.ArrayLike, threshold: float) -> float:
    """Compute the area under the curve of recall over error, up to a threshold, as a share of the threshold.

    As SuperGlue, LoFTR and LightGlue compute it: the exact integral of the curve through the sorted errors, joined by
    straight lines from (0, 0), constant after the last one below the threshold. [SuperGlue20]

    Parameters
    ----------
    errors : (P,) array
        One of each image pair; infinite where nothing was found.
    threshold : float
        In the unit of the errors.

    Returns
    -------
    float
        In [0, 1]; 0 where there are no pairs.
    """
    values = np.sort(np.asarray(errors, np.float64))
    below = values[: np.searchsorted(values, threshold)]
    if not len(below):
        return 0.0
    recall = np.arange(len(below) + 1) / len(values)
    x = np.concatenate([[0.0], below, [threshold]])
    y = np.concatenate([recall, recall[-1:]])
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1])).sum() / 2 / threshold)
