"""Self-test against closed forms: blobs of known centre and scale on a ramp of known direction.

A blob ``exp(-r^2 / 2 s^2)`` has its extremum of the difference of Gaussians at its centre and at
``sigma^2 = (s^2 + 1/8 - 1/4) / 2^(1/3)``: 1/4 is the assumed variance of the input blur, 1/8 the variance
that doubling adds.  A ramp has a constant gradient, which determines the orientation of a blob on it.  The descriptor
of a ramp along its gradient has one non-zero bin in each cell: the integral of the Gaussian window over the cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..api import describe, detect
from ..features import Features, Float32

__all__ = ["BLOBS", "DIRECTION", "RAMP_DESCRIPTOR", "Check", "blob_image", "ramp_image", "self_test"]


class Blob(NamedTuple):
    """Centre and standard deviation of a blob, in pixels, and its sign."""

    x: float
    y: float
    s: float
    sign: int

    @property
    def sigma(self) -> float:
        """Scale of the keypoint."""
        return math.sqrt((self.s**2 + 1 / 8 - 1 / 4) / 2 ** (1 / 3))


BLOBS = (Blob(40.3, 44.6, 3.0, 1), Blob(120.75, 50.25, 4.0, -1), Blob(60.5, 140.2, 6.0, 1), Blob(155.1, 140.9, 5.0, -1))
DIRECTION = 0.6
"""Direction of the ramp, in radians, y down."""

RAMP_DESCRIPTOR = ((123, 129, 129, 123), (129, 129, 129, 129), (129, 129, 129, 129), (123, 129, 129, 123))
"""Bin 0 of each cell of the descriptor of a ramp: integrals of window and cell, clamped at 0.2, times 512."""

_SIZE, _SLOPE, _HEIGHT = 200, 0.004, 0.15
_PLACE, _SCALE, _ANGLE, _BYTES = 0.06, 0.015, 0.06, 2
"""Tolerances: errors of a parabola through three samples (px, share, radians), and of rounding (units of a byte)."""


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes
    ----------
    name : str
        Quantity that was compared.
    error : float
        Largest difference from the closed form; infinite if there is nothing to compare.
    limit : float
        Tolerance.
    unit : str
        Unit of both.
    """

    name: str
    error: float
    limit: float
    unit: str

    @property
    def passed(self) -> bool:
        """True if the error is within the tolerance."""
        return self.error <= self.limit


def ramp_image(size: int = _SIZE) -> Float32:
    """Return a square image of a ramp in direction `DIRECTION`."""
    y, x = np.mgrid[:size, :size] - size / 2
    return np.asarray(0.5 + _SLOPE * (x * math.cos(DIRECTION) + y * math.sin(DIRECTION)), np.float32)


def blob_image() -> Float32:
    """Return an image of `BLOBS` on the ramp."""
    image = ramp_image().astype(np.float64)
    y, x = np.mgrid[:_SIZE, :_SIZE]
    for blob in BLOBS:
        image += blob.sign * _HEIGHT * np.exp(-((x - blob.x) ** 2 + (y - blob.y) ** 2) / (2 * blob.s**2))
    return image.astype(np.float32)


def self_test() -> list[Check]:
    """Compare keypoints and a descriptor with their closed forms."""
    return [*_keypoints(detect(blob_image(), max_orientations=1, descriptors=False)), _descriptor()]


def _keypoints(found: Features) -> list[Check]:
    number = Check("number of keypoints", abs(len(found) - len(BLOBS)), 0, "")
    if not number.passed:
        return [number]
    nearest = [int(np.argmin(np.hypot(*(found.xy - (blob.x, blob.y)).T))) for blob in BLOBS]
    truth = np.array([(blob.x, blob.y, blob.sigma) for blob in BLOBS])
    turns = found.orientations.astype(np.float64) - DIRECTION
    return [
        number,
        Check("centres of blobs", _largest(np.hypot(*(found.xy[nearest] - truth[:, :2]).T)), _PLACE, "px"),
        Check("scales of blobs", _largest(found.scales[nearest] / truth[:, 2] - 1), _SCALE, "of sigma"),
        Check("orientations along a ramp", _largest(np.angle(np.exp(1j * turns))), _ANGLE, "radians"),
    ]


def _descriptor() -> Check:
    middle = np.full((1, 2), _SIZE / 2, np.float32)
    frame = Features(xy=middle, scales=np.full(1, 3, np.float32), orientations=np.full(1, DIRECTION, np.float32))
    values = describe(ramp_image(), frame).descriptors
    truth = np.zeros((4, 4, 8))
    truth[:, :, 0] = RAMP_DESCRIPTOR
    error = math.inf if values is None else _largest(values.reshape(4, 4, 8) - truth)
    return Check("descriptor of a ramp", error, _BYTES, "of 512")


def _largest(errors: npt.NDArray[np.floating]) -> float:
    return float(np.max(np.abs(errors)))
