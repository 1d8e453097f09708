"""Matches: which keypoints of two images correspond, as arrays of stated dtype, shape and unit."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .features import Float32

__all__ = ["MODELS", "Matches", "Model"]

MODELS = {
    "homography": "a homography",
    "similarity": "a similarity",
    "fundamental": "a fundamental matrix",
    "essential": "an essential matrix",
}
"""Kind of a model to what it is, in words."""


@dataclass(frozen=True, eq=False)
class Model:
    """A geometric relation between two images, x being a point ``(x, y, 1)`` in pixels.

    Attributes
    ----------
    kind : "homography", "fundamental", "essential" or "similarity"
    matrix : (3, 3) float64
        homography and similarity: ``x_b = matrix @ x_a``, up to a factor; its last element is 1.
        fundamental: ``x_b @ matrix @ x_a = 0``, of unit norm.
        essential: as fundamental, for points ``(x - centre) / focal`` of pinhole cameras.
    threshold : float
        Largest error of an inlier, in pixels.  homography and similarity: distance in b between the point there and
        the one that a's goes to.  fundamental and essential: Sampson distance.
    focal : float or None
        Of an essential matrix: the focal length of both cameras, in pixels; their centre is the image's.
    pose : (3, 4) float64 or None
        Of an essential matrix: rotation and unit translation from a's camera to b's, ``[R | t]``.
    """

    kind: str
    matrix: npt.NDArray[np.float64]
    threshold: float
    focal: float | None = None
    pose: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Matches:
    """Which keypoints of two images, a and b, correspond.

    Attributes
    ----------
    indices : (M, 2) int32
        Into the keypoints of a and of b; ordered by the first.
    distances : (M,) float64 or None
        Of the descriptors, in units of their norm (bytes are divided by 512).
    ratios : (M,) float64 or None
        The distance over that to the second nearest keypoint of b, in [0, 1]; 0 where there is none.
    xy_a, xy_b : (M, 2) float32 or None
        Centres of the keypoints, in pixels of a and of b.
    inliers : (M,) bool or None
        Which matches obey `model`; none do if no model was found.  None where matches were not verified.
    model : Model or None
    sizes : (int, int) or None
        How many keypoints a and b have.

    What is None was not computed, or the file does not tell.
    """

    indices: npt.NDArray[np.int32]
    distances: npt.NDArray[np.float64] | None = None
    ratios: npt.NDArray[np.float64] | None = None
    xy_a: Float32 | None = None
    xy_b: Float32 | None = None
    inliers: npt.NDArray[np.bool_] | None = None
    model: Model | None = None
    sizes: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        n = len(self.indices)
        for name, shape in (
            ("indices", (n, 2)),
            ("distances", (n,)),
            ("ratios", (n,)),
            ("xy_a", (n, 2)),
            ("xy_b", (n, 2)),
            ("inliers", (n,)),
        ):
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} must be {shape}, not {value.shape}")

    def __len__(self) -> int:
        return len(self.indices)

    def only_inliers(self) -> Matches:
        """The inliers alone; all matches where they were not verified."""
        if self.inliers is None:
            return self
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        kept: dict[str, Any] = {k: v[self.inliers] for k, v in values.items() if isinstance(v, np.ndarray)}
        return replace(self, **kept)
