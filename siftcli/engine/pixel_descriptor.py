"""The descriptor from every pixel around a keypoint, as Lowe's program computes it. [Lowe04 §6]"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..features import Float32
from ..params import DescriptorParams
from .localize import Points
from .orientation import by_radius, windows
from .scale_space import Sheet

__all__ = ["pixel_descriptors"]

_CENTRES = np.arange(4, dtype=np.float32) - np.float32(1.5)
_EDGE = 2.5
"""Half the side of the square, in cells, from which pixels are taken."""
_CHUNK = 1 << 16


def pixel_descriptors(sheet: Sheet, points: Points, angle: Float32, descriptor: DescriptorParams) -> Float32:
    """Return raw histograms (N, 128) of every pixel within 2.5 cells, trilinear, borders included.

    Pixels are those around the rounded position; the rest of the position is subtracted after the rotation, without
    being rotated itself.  This is what Lowe's program does, not what [Lowe04] says.
    """
    cell = np.float32(descriptor.magnification) * points.sigma
    radii = (math.sqrt(2) * cell * _EDGE + 0.5).astype(np.intp)
    out = np.empty((len(points), 128), np.float32)
    for radius, chunk in by_radius(radii, _CHUNK):
        out[chunk] = _histograms(sheet, points.take(chunk), angle[chunk], cell[chunk], radius, descriptor)
    return out


def _histograms(
    sheet: Sheet, points: Points, angle: Float32, cell: Float32, radius: int, descriptor: DescriptorParams
) -> Float32:
    row, column = ((v + np.float32(0.5)).astype(np.intp) for v in (points.y, points.x))
    gx, gy = windows(sheet, points, (row, column), radius)
    u, v = _cells(points.y - row, points.x - column, angle, cell, radius)
    # The square lies within the window, which is as large as its diagonal.
    inside = (np.abs(u) < _EDGE) & (np.abs(v) < _EDGE)
    reach = np.arange(-radius, radius + 1)
    for pixel, size, axis in ((row, sheet.height, 2), (column, sheet.width, 1)):
        where = pixel[:, None] + reach
        if (where[:, 0] < 0).any() or (where[:, -1] >= size[points.region]).any():
            inside &= np.expand_dims((where >= 0) & (where < size[points.region, None]), axis)
    pick = np.flatnonzero(inside)
    ends = np.searchsorted(pick, np.arange(len(points) + 1) * inside[0].size)
    u, v, gx, gy = (a.reshape(-1).take(pick) for a in (u, v, gx, gy))

    weight = np.exp((u * u + v * v) * np.float32(-0.5 / descriptor.window_size**2)) * np.sqrt(gx * gx + gy * gy)
    turn = np.arctan2(-gy, gx) - np.repeat(angle, np.diff(ends))
    planes = _orientation_planes(turn, weight)
    cells = (_hats(v)[:, None] * _hats(u)).reshape(16, -1)
    out = np.empty((len(points), 16, 8), np.float32)
    for i, (start, stop) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
        np.matmul(cells[:, start:stop], planes[:, start:stop].T, out=out[i])
    return out.reshape(-1, 128)


def _cells(fy: Float32, fx: Float32, angle: Float32, cell: Float32, radius: int) -> tuple[Float32, Float32]:
    """Return the position of every pixel of the windows in cells: u along the keypoint's x axis, v along its y."""
    reach = np.arange(-radius, radius + 1, dtype=np.float32)
    cos, sin = (np.cos(angle) / cell)[:, None] * reach, (np.sin(angle) / cell)[:, None] * reach
    u = (sin - (fx / cell)[:, None])[:, :, None] + cos[:, None, :]
    v = (cos - (fy / cell)[:, None])[:, :, None] - sin[:, None, :]
    return u, v


def _hats(position: Float32) -> Float32:
    """Return the bilinear weight of positions in the four cells of one axis, (4, N)."""
    weight = position - _CENTRES[:, None]
    np.abs(weight, out=weight)
    np.subtract(np.float32(1), weight, out=weight)
    return np.maximum(weight, np.float32(0), out=weight)


def _orientation_planes(turn: Float32, weight: Float32) -> npt.NDArray[np.float32]:
    """Spread weights linearly over the eight orientation bins, (8, N); angles in radians, within two turns."""
    position = turn * np.float32(8 / (2 * np.pi))
    position -= np.floor(position * np.float32(1 / 8)) * np.float32(8)
    planes = position - np.arange(8, dtype=np.float32)[:, None]
    np.abs(planes, out=planes)
    np.minimum(planes[0], np.float32(8) - planes[0], out=planes[0])
    np.subtract(np.float32(1), planes, out=planes)
    np.maximum(planes, np.float32(0), out=planes)
    planes *= weight
    return planes
