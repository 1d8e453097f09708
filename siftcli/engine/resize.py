"""Reduction of large images, and conversion of frames to the pixels of the original."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..features import Features, Float32, Float64, Image
from .octaves import to_unit

__all__ = ["Resize", "limit_size", "limited_size"]

_COLUMNS = 256
"""Columns averaged at a time, to bound the memory of the running sums."""


class Resize(NamedTuple):
    """How an image was resized.

    Attributes
    ----------
    size : (width, height)
        Size of the original.
    x, y : float
        Original pixels for one pixel of the resized image.
    """

    size: tuple[int, int]
    x: float = 1.0
    y: float = 1.0

    @property
    def scale(self) -> float:
        """Side of a square of the area that one pixel of the resized image covers."""
        return math.sqrt(self.x * self.y)

    def to_original(self, features: Features) -> Features:
        """Convert frames to pixels of the original.

        Pixels are areas: the corner of the first is the same in both images.  Octaves and levels stay those of the
        resized image.
        """
        return self._scaled(features, self.x, self.y, self.scale)

    def to_resized(self, features: Features) -> Features:
        """Convert frames to pixels of the resized image."""
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


def limited_size(height: int, width: int, longest: int | None) -> tuple[int, int, Resize]:
    """Return height and width of an image whose longer side is limited to `longest` pixels, and the resizing."""
    side = max(height, width)
    if longest is None or side <= longest:
        return height, width, Resize((width, height))
    h, w = (max(1, round(length * longest / side)) for length in (height, width))
    return h, w, Resize((width, height), width / w, height / h)


def limit_size(images: Image, longest: int | None) -> tuple[Image, Resize]:
    """Reduce images whose longer side exceeds a limit, by area averaging; return others as they are.

    Parameters
    ----------
    images : (N, H, W) uint8, uint16 or float32
    longest : int or None
        Most pixels of the longer side; None for no limit.

    Returns
    -------
    images : (N, h, w) array
        float32 in [0, 1] if they were reduced.
    Resize
    """
    _, height, width = images.shape
    h, w, resize = limited_size(height, width, longest)
    if (h, w) == (height, width):
        return images, resize
    out = np.empty((len(images), h, w), np.float32)
    for image, target in zip(images, out, strict=True):
        narrow = np.empty((height, w), np.float32)
        for start in range(0, height, _COLUMNS):
            rows = slice(start, start + _COLUMNS)
            narrow[rows] = _averages(to_unit(image[rows]).T, w).T
        for start in range(0, w, _COLUMNS):
            columns = slice(start, start + _COLUMNS)
            target[:, columns] = _averages(narrow[:, columns], h)
    return out, resize


def _averages(values: Float32, count: int) -> Float64:
    """Return the means of `count` equal intervals of the first axis, which may begin and end inside a sample."""
    size = len(values)
    edges = np.arange(count + 1) * (size / count)
    whole = np.minimum(edges.astype(np.intp), size - 1)
    sums = np.zeros((size + 1, *values.shape[1:]))
    np.cumsum(values, axis=0, dtype=np.float64, out=sums[1:])
    up_to = sums[whole] + (edges - whole)[:, None] * values[whole]
    means: Float64 = np.diff(up_to, axis=0) * (count / size)
    return means
