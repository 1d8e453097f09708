"""The descriptor from every pixel around a keypoint, as Lowe's program computes it. [Lowe04 §6]"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ..features import Float32
from ..params import DescriptorParams
from .localize import Points
from .octaves import Index
from .orientation import by_radius, windows
from .orientation_bins import PLANES, bins_of_planes, fill_planes
from .scratch import scratch
from .sheets import Sheet

__all__ = ["pixel_descriptors"]

_CENTRES = np.arange(4, dtype=np.float32) - np.float32(1.5)
_EDGE = 2.5
"""Half the side of the square, in cells, from which pixels are taken."""
_CHUNK = 1 << 16
"""Pixels of windows at a time."""
_GROUP = 4
"""Keypoints whose products are made at a time, so that they stay in the L2 cache."""


def pixel_descriptors(sheet: Sheet, points: Points, angle: Float32, descriptor: DescriptorParams) -> Float32:
    """Return raw histograms (N, 128) of every pixel within 2.5 cells, trilinear, borders included.

    Pixels are those around the rounded position; the rest of the position is subtracted after the rotation, without
    being rotated itself.  This is what Lowe's program does, not what [Lowe04] says.
    """
    cell = np.float32(descriptor.magnification) * points.sigma
    cos, sin = np.cos(angle), np.sin(angle)
    # His circle, as far as the turned square reaches; and a rim for the gradient.
    square = (np.abs(cos) + np.abs(sin)) * (cell * _EDGE + 0.5)
    radii = (np.minimum(math.sqrt(2) * cell * _EDGE, square) + 0.5).astype(np.intp) + 1
    # Positions in cells, u along the keypoint's x axis and v along its y, are one matrix product.
    row, column = ((v + np.float32(0.5)).astype(np.intp) for v in (points.y, points.x))
    cos, sin = cos / cell, sin / cell
    shift = (column - points.x) / cell, (row - points.y) / cell
    rotation = np.stack([cos, sin, shift[0], -sin, cos, shift[1]]).reshape(2, 3, -1).swapaxes(1, 2).astype(np.float32)
    out = np.empty((len(points), 128), np.float32)
    for radius, chunk in by_radius(radii, _CHUNK):
        some = points.take(chunk), row[chunk], column[chunk]
        out[chunk] = _histograms(sheet, *some, angle[chunk], rotation[:, chunk], radius, descriptor)
    return out


def _histograms(
    sheet: Sheet,
    points: Points,
    row: Index,
    column: Index,
    angle: Float32,
    rotation: Float32,
    radius: int,
    descriptor: DescriptorParams,
) -> Float32:
    n, side = len(points), 2 * radius + 1
    position = np.matmul(rotation.reshape(2 * n, 3), _pixels(radius), out=scratch("position", 2 * n, side * side))
    u, v = position.reshape(2, n, side, side)
    inside = np.abs(u, out=scratch("spare", *u.shape)) < _EDGE
    inside &= np.abs(v, out=scratch("spare", *v.shape)) < _EDGE
    reach = np.arange(-radius, radius + 1)
    for pixel, size, axis in ((row, sheet.height, 2), (column, sheet.width, 1)):
        where = pixel[:, None] + reach
        if (where[:, 0] < 0).any() or (where[:, -1] >= size[points.region]).any():
            inside &= np.expand_dims((where >= 0) & (where < size[points.region, None]), axis)
    pick = np.flatnonzero(inside)
    ends = np.searchsorted(pick, np.arange(n + 1) * side**2)

    picked = _rows("picked", 6, len(pick))
    u, v, gx, gy, spare, turn = picked
    for coordinate, out in zip(position.reshape(2, -1), (u, v), strict=True):
        coordinate.take(pick, out=out, mode="clip")
    # Where a row of a window ends, differences mean nothing; those are not picked.
    w = windows(sheet, sheet.flat(points.region, points.level, row, column), radius).reshape(-1)
    difference = scratch("spare", len(w))
    pick -= 1
    np.subtract(w[2:], w[:-2], out=difference[:-2]).take(pick, out=gx, mode="clip")
    pick -= side - 1
    np.subtract(w[: -2 * side], w[2 * side :], out=difference[: -2 * side]).take(pick, out=gy, mode="clip")

    across, along = _rows("hats", 2, 4, len(pick))
    _hats(u, along)
    _hats(v, across)
    np.arctan2(np.negative(gy, out=spare), gx, out=turn)
    turn -= np.repeat(angle, np.diff(ends))
    planes = _rows("planes", PLANES, len(pick))
    fill_planes(turn, planes)
    # The weight: gradient times Gaussian.
    for a, b in ((u, v), (gx, gy)):
        a *= a
        b *= b
        a += b
    u *= np.float32(-0.5 / descriptor.window_size**2)
    np.exp(u, out=u)
    np.sqrt(gx, out=gx)
    u *= gx
    across *= u
    sums = np.empty((n, 16, PLANES), np.float32)
    cells = _rows("cells", 4, 4, _GROUP * side**2)
    flat, turned = cells.reshape(16, -1), planes.T
    for first in range(0, n, _GROUP):
        start, *others = ends[first : first + _GROUP + 1].tolist()
        group, before = slice(start, others[-1]), start
        np.multiply(across[:, None, group], along[:, group], out=cells[..., : others[-1] - start])
        for i, stop in enumerate(others, first):
            np.matmul(flat[:, start - before : stop - before], turned[start:stop], out=sums[i])
            start = stop
    return (sums @ bins_of_planes().T).reshape(n, 128)


def _rows(name: str, *shape: int) -> Float32:
    """Return work memory whose rows begin with a cache line; other ones take half as long again to write."""
    *rows, length = shape
    return scratch(name, *rows, -(-length // 16) * 16)[..., :length]


@lru_cache
def _pixels(radius: int) -> Float32:
    """Return the pixels of a window relative to its centre, homogeneous: (3, pixels) of x, y, 1."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.stack([x.ravel(), y.ravel(), np.ones(x.size)]).astype(np.float32)


def _hats(position: Float32, out: Float32) -> None:
    """Compute the bilinear weight of positions in the four cells of one axis, (4, N)."""
    np.subtract(position, _CENTRES[:, None], out=out)
    np.abs(out, out=out)
    np.subtract(np.float32(1), out, out=out)
    zero = scratch("spare", len(position))
    zero.fill(0)
    np.maximum(out, zero, out=out)  # three times as fast as with a number
