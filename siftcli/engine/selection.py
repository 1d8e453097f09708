"""Which of the keypoints that were found are kept: by mask, region, scale and number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..features import Features
from ..params import SelectionParams
from .octaves import Index

__all__ = ["inside", "select", "spread_radii"]

Mask = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

_ROBUST = 0.9
"""Only keypoints stronger by more than this suppress another. [Brown05 §3: c_robust]"""
_NEIGHBOURS = 8
"""Nearest keypoints that are looked at first; twice as many each time that they are too weak."""


def select(features: Features, selection: SelectionParams, mask: Mask | None = None) -> Features:
    """Return the features that are kept, in the order in which they are.

    Mask, region and scales come first.  If more than `max_keypoints` are left, the first so many are kept of a total
    order: strongest, by descending score; largest, by descending scale, then score; spread, by descending suppression
    radius, then score.  What is equal in that keeps the order of `features`, which is total as well, so nothing is
    left to chance.

    Parameters
    ----------
    features : Features
        Of `detect`.
    selection : SelectionParams
    mask : (H, W) bool, optional
        True keeps.
    """
    if mask is not None:
        features = inside(features, mask)
    keep = np.ones(len(features), np.bool_)
    if selection.region is not None:
        x, y, width, height = selection.region
        # Pixels reach half their side beyond their centres.
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
        features = features.take(np.sort(_ranked(features, selection.keep)[:most]))
    return features


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
    """Return the indices of features, the one to be kept first in front."""
    scores = np.zeros(len(features)) if features.scores is None else features.scores.astype(np.float64)
    keys = {
        "strongest": (-scores,),
        "largest": (-scores, -features.scales),
        "spread": (-scores, -spread_radii(features.xy, scores) if keep == "spread" else scores),
    }
    return np.lexsort(keys[keep])  # stable, and the last key counts first


def spread_radii(xy: npt.NDArray[np.float32], scores: Float64) -> Float64:
    """Return the suppression radius of keypoints: how far it is to the nearest that is clearly stronger. [Brown05 §3]

    Keypoints of the largest radii are well distributed over the image.  Those of one location share a radius.

    Parameters
    ----------
    xy : (N, 2) float32
        Centres.
    scores : (N,) float64
        Strength; a keypoint suppresses those of less than 0.9 times its own.

    Returns
    -------
    (N,) float64
        Infinite for the strongest.
    """
    from scipy.spatial import cKDTree  # type: ignore[import-untyped]

    # As complex numbers, which sort ten times faster than pairs.
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
