"""Ground truth of image pairs: a homography, or two cameras with known poses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..matches import Model
from ..matching.verify import errors

__all__ = ["Camera", "Cameras", "Homography", "Truth"]

Float64 = npt.NDArray[np.float64]

_ITERATIONS = 100
_SETTLED = 1e-12
"""Undistortion stops after so many steps, or when no coordinate changes by more than this (focal length 1)."""


@dataclass(frozen=True, eq=False)
class Homography:
    """The images show one plane, or were taken from one place.

    Attributes
    ----------
    matrix : (3, 3) float64
        Maps pixels (x, y, 1) of a to b, up to a factor.
    """

    matrix: Float64
    kind: Literal["homography"] = "homography"

    def errors(self, xy_a: npt.NDArray[np.floating], xy_b: npt.NDArray[np.floating]) -> Float64:
        """Compute the distances, in pixels of b, between points of b and where those of a are mapped to."""
        return errors(Model("homography", self.matrix, 0.0), xy_a.astype(np.float64), xy_b.astype(np.float64))


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera with known pose; distortion as in OpenCV's model.

    Attributes
    ----------
    focal, centre : (2,) float64
        Focal lengths and principal point along x and y, in pixels; the centre of the first pixel is (0, 0).
    rotation, translation : (3, 3) and (3,) float64
        From the world to the camera, ``x = R X + t``.
    radial, tangential : (float, float)
        k1, k2 and p1, p2.
    """

    focal: Float64
    centre: Float64
    rotation: Float64
    translation: Float64
    radial: tuple[float, float] = (0.0, 0.0)
    tangential: tuple[float, float] = (0.0, 0.0)

    def ideal(self, xy: npt.NDArray[np.floating]) -> Float64:
        """Map pixels to an ideal pinhole camera: no distortion, mean focal length, principal point (0, 0)."""
        distorted = (xy.astype(np.float64) - self.centre) / self.focal
        (k1, k2), (p1, p2) = self.radial, self.tangential
        points = distorted
        for _ in range(_ITERATIONS if k1 or k2 or p1 or p2 else 0):
            x, y = points.T
            square = x * x + y * y
            shift = np.stack(
                [2 * p1 * x * y + p2 * (square + 2 * x * x), p1 * (square + 2 * y * y) + 2 * p2 * x * y], axis=1
            )
            before, points = points, (distorted - shift) / (1 + k1 * square + k2 * square**2)[:, None]
            if np.abs(points - before).max(initial=0) < _SETTLED:
                break
        return np.asarray(points * self.focal.mean())


@dataclass(frozen=True, eq=False)
class Cameras:
    """The cameras of the two images."""

    a: Camera
    b: Camera
    kind: Literal["cameras"] = "cameras"

    @property
    def pose(self) -> tuple[Float64, Float64]:
        """Rotation and translation from the camera of a to that of b."""
        rotation = self.b.rotation @ self.a.rotation.T
        return rotation, self.b.translation - rotation @ self.a.translation

    def errors(self, xy_a: npt.NDArray[np.floating], xy_b: npt.NDArray[np.floating]) -> Float64:
        """Compute Sampson distances from the true epipolar geometry, in pixels of the undistorted images."""
        rotation, (x, y, z) = self.pose
        essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ rotation
        a, b = (np.array([camera.focal.mean(), camera.focal.mean(), 1]) for camera in (self.a, self.b))
        fundamental = essential / a / b[:, None]
        return errors(Model("fundamental", fundamental, 0.0), self.a.ideal(xy_a), self.b.ideal(xy_b))


Truth: TypeAlias = Homography | Cameras
