"""Selection of keypoints by mask, region, scale and number."""

from __future__ import annotations

import numpy as np

from ..features import Features, Float32, Float64, Index, Mask
from ..params import SelectionParams

__all__ = ["inside", "select", "spread_radii"]

_ROBUST = 0.9
"""A keypoint is suppressed by those that have a larger response even times this. [Brown05 §3: c_robust]"""
_NEIGHBOURS = 8
"""Nearest keypoints of the first query; the number doubles while none of them suppresses."""


def select(features: Features, selection: SelectionParams, mask: Mask | None = None) -> Features:
    """Return the selected features, in their order.

    Mask, region and scales come first.  If more than `max_keypoints` remain, the first of a total order are kept:
    strongest, by descending response; largest, by descending scale, then response; spread, by descending suppression
    radius, then response.  Ties are broken by the order of `features`, so the selection is deterministic.  With levels,
    whole levels are kept, see `_coarse_levels`.

    Parameters
    ----------
    features : Features
        Features from `detect`.
    selection : SelectionParams
    mask : (H, W) bool, optional
        True keeps.
    """
    if mask is not None:
        features = inside(features, mask)
    keep = np.ones(len(features), np.bool_)
    if selection.region is not None:
        x, y, width, height = selection.region
        # A pixel extends half its side around its centre.
        for values, start, size in ((features.xy[:, 0], x, width), (features.xy[:, 1], y, height)):
            keep &= (values >= start - 0.5) & (values < start + size - 0.5)
    if selection.min_scale is not None:
        keep &= features.scales >= selection.min_scale
    if selection.max_scale is not None:
        keep &= features.scales <= selection.max_scale
    if not keep.all():
        features = features.take(keep)
    most = selection.max_keypoints
    if most is not None and len(features) > most:
        if selection.keep == "levels":
            return features.take(_coarse_levels(features, most))
        features = features.take(np.sort(_ranked(features, selection.keep)[:most]))
    return features


def _coarse_levels(features: Features, most: int) -> Mask:
    """Mark the coarsest levels, up to the one where their locations become more than `most`. [COLMAP sift.cc]

    Orientations of one location follow each other, and count as one.
    """
    assert features.octaves is not None
    assert features.levels is not None
    level = features.octaves * np.int32(1 << 16) + features.levels
    place = np.column_stack([features.xy, features.scales, level])
    first = np.ones(len(features), np.bool_)
    first[1:] = (place[1:] != place[:-1]).any(axis=1)
    found, which = np.unique(level, return_inverse=True)
    counts = np.bincount(which[first], minlength=len(found))[::-1].cumsum()
    last = min(int(np.searchsorted(counts, most, side="right")), len(found) - 1)
    return np.asarray(level >= found[::-1][last])


def inside(features: Features, mask: Mask) -> Features:
    """Return the features whose centre lies on a pixel that a mask keeps.

    Parameters
    ----------
    features : Features
        Centres beyond the image count as on its edge.
    mask : (H, W) bool
        True keeps.
    """
    last = np.array(mask.shape[::-1]) - 1
    column, row = np.clip(np.rint(features.xy).astype(np.intp), 0, last).T
    return features.take(mask[row, column])


def _ranked(features: Features, keep: str) -> Index:
    """Return the indices of features, in the order of preference."""
    scores = np.zeros(len(features)) if features.scores is None else features.scores.astype(np.float64)
    keys = {
        "strongest": (-scores,),
        "largest": (-scores, -features.scales),
        "spread": (-scores, -spread_radii(features.xy, scores) if keep == "spread" else scores),
    }
    return np.lexsort(keys[keep])  # stable; the last key is the primary one


def spread_radii(xy: Float32, scores: Float64) -> Float64:
    """Return the suppression radius of keypoints: the distance to the nearest clearly stronger one. [Brown05 §3]

    Keypoints with the largest radii are well distributed over the image.  Keypoints of one location share a radius.

    Parameters
    ----------
    xy : (N, 2) float32
        Centres.
    scores : (N,) float64
        Responses; a keypoint suppresses those of less than 0.9 times its own.

    Returns
    -------
    (N,) float64
        Infinite for the strongest.
    """
    from scipy.spatial import cKDTree  # type: ignore[import-untyped]

    # Complex numbers sort ten times faster than pairs.
    places, which = np.unique(xy.astype(np.float64) @ np.array([1, 1j]), return_inverse=True)
    points = np.column_stack([places.real, places.imag])
    strength = np.full(len(points), -np.inf)
    np.maximum.at(strength, which, scores)
    radii = np.full(len(points), np.inf)
    tree = cKDTree(points)
    waiting = np.flatnonzero(strength < _ROBUST * strength.max(initial=-np.inf))
    count = _NEIGHBOURS
    while len(waiting):
        count = min(count, len(points))
        distance, near = tree.query(points[waiting], count)
        stronger = _ROBUST * strength[near] > strength[waiting, None]
        found = stronger.any(axis=1)
        radii[waiting[found]] = distance[found, stronger[found].argmax(axis=1)]
        waiting = waiting[~found]
        count *= 2
    return radii[which]
