"""Matches of the keypoints of two images, as arrays of stated dtype, shape and unit."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .features import Features, Float32

__all__ = ["MODELS", "Matches", "Model", "Origin", "digest_of"]

MODELS = {
    "homography": "a homography",
    "similarity": "a similarity",
    "fundamental": "a fundamental matrix",
    "essential": "an essential matrix",
}
"""Kinds of models and their names in sentences."""


@dataclass(frozen=True, eq=False)
class Model:
    """A geometric relation between two images; x is a point ``(x, y, 1)`` in pixels.

    Attributes
    ----------
    kind : "homography", "fundamental", "essential" or "similarity"
    matrix : (3, 3) float64
        homography, similarity: ``x_b = matrix @ x_a`` up to a factor; the last element is 1.
        fundamental: ``x_b @ matrix @ x_a = 0``; the norm is 1.
        essential: like fundamental, for points ``(x - centre) / focal`` of pinhole cameras.
    threshold : float
        Maximum error of an inlier, in pixels.  homography, similarity: transfer error in b.  fundamental, essential:
        Sampson distance.
    focal : float or None
        Focal length of both cameras in pixels, for an essential matrix; the principal point is the image centre.
    pose : (3, 4) float64 or None
        Rotation and unit translation ``[R | t]`` from camera a to camera b, for an essential matrix.
    """

    kind: str
    matrix: npt.NDArray[np.float64]
    threshold: float
    focal: float | None = None
    pose: npt.NDArray[np.float64] | None = None

    def inverted(self) -> Model:
        """Return the same relation from b to a; the threshold of a homography stays that of errors in b."""
        if self.kind in ("homography", "similarity"):
            matrix = np.linalg.inv(self.matrix)
            return replace(self, matrix=matrix / matrix[2, 2])
        pose = self.pose
        if pose is not None:
            pose = np.column_stack([pose[:, :3].T, -pose[:, :3].T @ pose[:, 3]])
        return replace(self, matrix=self.matrix.T.copy(), pose=pose)


@dataclass(frozen=True)
class Origin:
    """The image that matches are of.

    Attributes
    ----------
    name : str or None
    size : (width, height) or None
        In pixels.
    digest : str or None
        Digest of the features that the indices refer to, see :func:`digest_of`.
    """

    name: str | None = None
    size: tuple[int, int] | None = None
    digest: str | None = None


def digest_of(features: Features) -> str:
    """Return 16 hexadecimal digits that other keypoints, or the same in another order, do not have."""
    from hashlib import blake2b

    frames = np.column_stack([features.xy, features.scales, features.orientations]).astype("<f4")
    return blake2b(np.ascontiguousarray(frames).tobytes(), digest_size=8).hexdigest()


@dataclass(frozen=True, eq=False)
class Matches:
    """Matching keypoints of two images, a and b.

    Attributes
    ----------
    indices : (M, 2) int32
        Indices of the keypoints of a and b, ordered by a.
    distances : (M,) float64 or None
        Distances of the descriptors, in units of their norm (bytes are divided by 512).
    ratios : (M,) float64 or None
        Distance to the nearest over distance to the second nearest descriptor of b, in [0, 1]; 0 without a second.
        `ratio_test` of the parameters says which one that is; with `ratio_both_ways`, the larger ratio of the two
        directions.
    xy_a, xy_b : (M, 2) float32 or None
        Positions of the keypoints, in pixels of a and b.
    inliers : (M,) bool or None
        Matches that agree with `model`, none if no model was found.  None if the matches were not verified.
    model : Model or None
    sizes : (int, int) or None
        Numbers of keypoints of a and b.
    origins : (Origin, Origin) or None
        The images a and b.
    model_kind : str or None
        Kind of the model in a file that names it without its matrix, such as CSV; see `kind`.

    An attribute is None if it was not computed or not stored.
    """

    indices: npt.NDArray[np.int32]
    distances: npt.NDArray[np.float64] | None = None
    ratios: npt.NDArray[np.float64] | None = None
    xy_a: Float32 | None = None
    xy_b: Float32 | None = None
    inliers: npt.NDArray[np.bool_] | None = None
    model: Model | None = None
    sizes: tuple[int, int] | None = None
    origins: tuple[Origin, Origin] | None = None
    model_kind: str | None = None

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

    @property
    def kind(self) -> str | None:
        """Kind of the model that the inliers agree with, a key of `MODELS`; None if there is none or it is unknown."""
        return self.model_kind if self.model is None else self.model.kind

    def named(self, name_a: str, name_b: str) -> Matches:
        """Return these matches with the names of the two images."""
        a, b = self.origins or (Origin(), Origin())
        return replace(self, origins=(replace(a, name=name_a), replace(b, name=name_b)))

    def swapped(self) -> Matches:
        """Return the matches from b to a, ordered by the keypoints of b."""
        order = np.argsort(self.indices[:, 1], kind="stable")

        def taken(values: npt.NDArray[Any] | None) -> Any:
            return None if values is None else values[order]

        return replace(
            self,
            indices=self.indices[order, ::-1].copy(),
            distances=taken(self.distances),
            ratios=taken(self.ratios),
            xy_a=taken(self.xy_b),
            xy_b=taken(self.xy_a),
            inliers=taken(self.inliers),
            model=None if self.model is None else self.model.inverted(),
            sizes=None if self.sizes is None else self.sizes[::-1],
            origins=None if self.origins is None else self.origins[::-1],
        )

    def only_inliers(self) -> Matches:
        """Return the inliers, or all matches if they were not verified."""
        if self.inliers is None:
            return self
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        kept: dict[str, Any] = {k: v[self.inliers] for k, v in values.items() if isinstance(v, np.ndarray)}
        return replace(self, **kept)
