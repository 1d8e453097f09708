"""Agreement of two sets of features of one image, such as those of two programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..features import Features

__all__ = ["QUANTILES", "Agreement", "agreement", "angle_gap", "common", "cosines"]

Index = npt.NDArray[np.intp]
Float64 = npt.NDArray[np.float64]

POSITION, RELATIVE, SCALE, ANGLE = 0.25, 0.1, 0.05, 0.1
"""The same keypoint: within max(0.25 px, 0.1 sigma), 5 % in sigma, 0.1 rad."""

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Agreement:
    """Agreement of two sets of keypoints: how many are the same, and how close those are.

    Attributes
    ----------
    keypoints : (int, int)
        Numbers of keypoints, of ours and theirs.
    recall : float
        Share of their keypoints that are among ours.
    precision : float
        Share of ours that are among theirs.
    quantiles : dict of str to tuple of float
        Quantiles over the keypoints in common, at 10, 25, 50, 75 and 90 %: `position`, distance in pixels; `sigma`,
        absolute difference of the logarithms; `orientation`, absolute difference in radians; `descriptor`, cosine
        between descriptors.  Empty where there is nothing to compare.
    """

    keypoints: tuple[int, int]
    recall: float
    precision: float
    quantiles: dict[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def count(self) -> float:
        """Number of our keypoints over the number of theirs."""
        return self.keypoints[0] / max(self.keypoints[1], 1)

    @property
    def position(self) -> float:
        """Median distance, in pixels; NaN where there is nothing to compare."""
        return self._quantile("position", 0.5)

    @property
    def cosine(self) -> float:
        """Median cosine between descriptors; NaN where there are none."""
        return self._quantile("descriptor", 0.5)

    @property
    def cosine_p10(self) -> float:
        """10 % quantile of the cosine between descriptors; NaN where there are none."""
        return self._quantile("descriptor", 0.1)

    def _quantile(self, name: str, level: float) -> float:
        return self.quantiles[name][QUANTILES.index(level)] if name in self.quantiles else np.nan


def agreement(ours: Features, theirs: Features, *, angle: float = ANGLE) -> Agreement:
    """Compare two sets of features of one image.

    A keypoint is the same if it lies within max(0.25 px, 0.1 sigma), 5 % in sigma and `angle` in orientation; of
    several, the nearest counts.

    Parameters
    ----------
    ours, theirs : Features
        Descriptors are compared where both have them.
    angle : float
        Radians; infinity compares positions and scales alone.
    """
    i, j = common(ours, theirs, angle=angle)
    values: dict[str, npt.NDArray[Any]] = {}
    if len(i):
        values["position"] = np.linalg.norm(ours.xy[i].astype(np.float64) - theirs.xy[j], axis=1)
        values["sigma"] = np.abs(np.log(ours.scales[i].astype(np.float64) / theirs.scales[j]))
        values["orientation"] = angle_gap(ours.orientations[i], theirs.orientations[j])
        if ours.descriptors is not None and theirs.descriptors is not None:
            values["descriptor"] = cosines(ours, theirs, i, j)
    back, _ = common(theirs, ours, angle=angle)
    return Agreement(
        keypoints=(len(ours), len(theirs)),
        recall=len(j) / max(len(theirs), 1),
        precision=len(back) / max(len(ours), 1),
        quantiles={name: tuple(np.quantile(v, QUANTILES).tolist()) for name, v in values.items()},
    )


def common(ours: Features, theirs: Features, *, angle: float = ANGLE) -> tuple[Index, Index]:
    """Pair the keypoints that two sets have in common.

    Parameters
    ----------
    ours, theirs : Features
        Those that are searched, and those that are looked for.
    angle : float
        Largest difference of orientation, in radians; infinity compares positions and scales alone.

    Returns
    -------
    i, j : (K,) intp
        Indices into ours and theirs; each of theirs occurs once, in ascending order.
    """
    from scipy.spatial import cKDTree  # type: ignore[import-untyped]

    if not len(ours) or not len(theirs):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    xy, their_xy = ours.xy.astype(np.float64), theirs.xy.astype(np.float64)
    near = cKDTree(xy).query_ball_point(their_xy, np.maximum(POSITION, RELATIVE * theirs.scales.astype(np.float64)))
    j = np.repeat(np.arange(len(theirs)), [len(found) for found in near])
    i = np.concatenate([np.asarray(found, np.intp) for found in near])
    with np.errstate(divide="ignore", invalid="ignore"):
        same = np.abs(np.log(ours.scales[i] / theirs.scales[j])) < SCALE
    same &= angle_gap(ours.orientations[i], theirs.orientations[j]) < angle
    i, j = i[same], j[same]
    order = np.lexsort((i, np.linalg.norm(xy[i] - their_xy[j], axis=1), j))
    first = order[np.diff(j[order], prepend=-1) > 0]
    return i[first], j[first]


def angle_gap(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Float64:
    """Compute the absolute difference of angles, in radians, 0 to pi."""
    return np.asarray(np.abs((np.asarray(a, np.float64) - b + np.pi) % (2 * np.pi) - np.pi))


def cosines(ours: Features, theirs: Features, i: Index, j: Index) -> Float64:
    """Compute the cosines between the descriptors of pairs of keypoints; 0 with a descriptor of zeros."""
    return np.asarray((_unit(ours)[i] * _unit(theirs)[j]).sum(axis=1))


def _unit(features: Features) -> Float64:
    if features.descriptors is None:
        raise ValueError("features have no descriptors")
    values = features.descriptors.astype(np.float64)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9))
