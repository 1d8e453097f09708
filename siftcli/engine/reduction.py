"""Large images at a smaller size, and the way back to their own pixels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..features import Features, Float32, Image
from .octaves import to_unit

__all__ = ["Reduction", "reduced", "reduced_size"]

_COLUMNS = 256
"""Columns averaged at a time, to bound the memory of the running sums."""


class Reduction(NamedTuple):
    """How an image was reduced.

    Attributes
    ----------
    size : (width, height)
        Of the image as it was.
    x, y : float
        Pixels of it for one of the reduced image.
    """

    size: tuple[int, int]
    x: float = 1.0
    y: float = 1.0

    @property
    def scale(self) -> float:
        """Side of a square of the area that one pixel of the reduced image stands for."""
        return math.sqrt(self.x * self.y)

    def outward(self, features: Features) -> Features:
        """Bring frames of the reduced image to the pixels of the image as it was.

        Pixels are areas: the corner of the first is the same in both.  Octaves and levels stay those of the reduced
        image.
        """
        return self._scaled(features, self.x, self.y, self.scale)

    def inward(self, features: Features) -> Features:
        """Bring frames to the reduced image."""
        return self._scaled(features, 1 / self.x, 1 / self.y, 1 / self.scale)

    def _scaled(self, features: Features, x: float, y: float, scale: float) -> Features:
        if x == y == 1:
            return features
        return replace(
            features,
            xy=((features.xy.astype(np.float64) + 0.5) * (x, y) - 0.5).astype(np.float32),
            scales=features.scales * np.float32(scale),
            affine=None if features.affine is None else features.affine * np.float32(scale),
            image_size=None if features.image_size is None else self.size,
        )


def reduced_size(height: int, width: int, longest: int | None) -> tuple[int, int, Reduction]:
    """Return the height and width that an image is reduced to, and how."""
    side = max(height, width)
    if longest is None or side <= longest:
        return height, width, Reduction((width, height))
    h, w = (max(1, round(length * longest / side)) for length in (height, width))
    return h, w, Reduction((width, height), width / w, height / h)


def reduced(images: Image, longest: int | None) -> tuple[Image, Reduction]:
    """Reduce images whose longer side is above a limit, by averaging areas; others are returned as they are.

    Parameters
    ----------
    images : (N, H, W) uint8, uint16 or float32
    longest : int or None
        Most pixels of the longer side; None for no limit.

    Returns
    -------
    images : (N, h, w) array
        In [0, 1] if they were reduced.
    Reduction
    """
    _, height, width = images.shape
    h, w, reduction = reduced_size(height, width, longest)
    if (h, w) == (height, width):
        return images, reduction
    out = np.empty((len(images), h, w), np.float32)
    for image, target in zip(images, out, strict=True):
        narrow = np.empty((height, w), np.float32)
        for start in range(0, height, _COLUMNS):
            rows = slice(start, start + _COLUMNS)
            narrow[rows] = _averages(to_unit(image[rows]).T, w).T
        for start in range(0, w, _COLUMNS):
            columns = slice(start, start + _COLUMNS)
            target[:, columns] = _averages(narrow[:, columns], h)
    return out, reduction


def _averages(values: Float32, count: int) -> npt.NDArray[np.float64]:
    """Return the means of `count` equal stretches of the first axis, which may begin and end inside a sample."""
    size = len(values)
    edges = np.arange(count + 1) * (size / count)
    whole = np.minimum(edges.astype(np.intp), size - 1)
    sums = np.zeros((size + 1, *values.shape[1:]))
    np.cumsum(values, axis=0, dtype=np.float64, out=sums[1:])
    up_to = sums[whole] + (edges - whole)[:, None] * values[whole]
    means: npt.NDArray[np.float64] = np.diff(up_to, axis=0) * (count / size)
    return means
