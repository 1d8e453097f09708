"""The descriptor from every pixel around a keypoint. [Lowe04 §6]

Orientation bins are linear in the angle t, here in [-4, 4]: the weight of bin k is max(0, 1 - |t - k|).  Bins are
therefore piecewise linear in t, and sums of eight basis functions: 1, |t| - 2, three tents over [0, 4] with their
tops at |t| = 1, 2 and 3, and these tents with the sign of t.  So samples are summed over the cells basis function by
basis function, without sorting them into bins, and a fixed 8 x 8 matrix turns the sums into bins.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ..features import Float32, Index
from ..params import DescriptorParams
from .gradients import SIGN, by_radius, windows
from .keypoints import Keypoints
from .tiles import Tile
from .workspace import scratch

__all__ = ["BASIS", "basis_to_bins", "fill_basis", "pixel_histograms"]

BASIS = 8
_DIRECTIONS = 8
_CENTRES = np.arange(4, dtype=np.float32) - np.float32(1.5)
_EDGE = 2.5
"""Half the side of the square, in cells, whose pixels count."""
_SAMPLES = 1 << 16
"""Pixels of windows at a time."""
_GROUP = 4
"""Keypoints whose spatial weights are computed at a time, so that they stay in the L2 cache."""


def pixel_histograms(
    tile: Tile, keypoints: Keypoints, angle: Float32, descriptor: DescriptorParams, *, lowe: bool
) -> Float32:
    """Return histograms (N, 128), before normalisation, of every pixel within 2.5 cells, with trilinear weights.

    With `lowe`, the offset of the keypoint from its nearest pixel is subtracted after the rotation, without being
    rotated itself.  Differs from [Lowe04], because Lowe's program does so.
    """
    cell = np.float32(descriptor.magnification) * keypoints.sigma
    cos, sin = np.cos(angle), np.sin(angle)
    # His disc, as far as the rotated square reaches; and a rim for the gradient.
    square = (np.abs(cos) + np.abs(sin)) * (cell * _EDGE + 0.5)
    radii = (np.minimum(math.sqrt(2) * cell * _EDGE, square) + 0.5).astype(np.intp) + 1
    # Positions in cells, u along the keypoint's x axis and v along its y axis, are one matrix product.
    row, column = ((v + np.float32(0.5)).astype(np.intp) for v in (keypoints.y, keypoints.x))
    cos, sin = cos / cell, sin / cell
    right, down = column - keypoints.x, row - keypoints.y
    shift = (right / cell, down / cell) if lowe else (cos * right + sin * down, cos * down - sin * right)
    rotation = np.stack([cos, sin, shift[0], -sin, cos, shift[1]]).reshape(2, 3, -1).swapaxes(1, 2).astype(np.float32)
    out = np.empty((len(keypoints), 128), np.float32)
    for radius, group in by_radius(radii, _SAMPLES):
        some = keypoints.take(group), row[group], column[group]
        out[group] = _histograms(tile, *some, angle[group], rotation[:, group], radius, descriptor)
    return out


def _histograms(
    tile: Tile,
    keypoints: Keypoints,
    row: Index,
    column: Index,
    angle: Float32,
    rotation: Float32,
    radius: int,
    descriptor: DescriptorParams,
) -> Float32:
    """Return the histograms of keypoints whose windows have one radius."""
    n, side, region = len(keypoints), 2 * radius + 1, keypoints.region
    position = np.matmul(rotation.reshape(2 * n, 3), _pixels(radius), out=scratch("position", 2 * n, side * side))
    u, v = position.reshape(2, n, side, side)
    inside = np.abs(u, out=scratch("spare", *u.shape)) < _EDGE
    inside &= np.abs(v, out=scratch("spare", *v.shape)) < _EDGE
    sample = np.arange(-radius, radius + 1)
    for pixel, size, axis in ((row, tile.regions.height[region], 2), (column, tile.regions.width[region], 1)):
        where = pixel[:, None] + sample
        if (where[:, 0] < 0).any() or (where[:, -1] >= size).any():
            inside &= np.expand_dims((where >= 0) & (where < size[:, None]), axis)
    pick = np.flatnonzero(inside)
    ends = np.searchsorted(pick, np.arange(n + 1) * side**2)

    picked = _aligned_rows("picked", 6, len(pick))
    u, v, gx, gy, spare, turn = picked
    for coordinate, out in zip(position.reshape(2, -1), (u, v), strict=True):
        coordinate.take(pick, out=out, mode="clip")
    # Differences across the end of a window's row are wrong; they are not picked.
    w = windows(tile, tile.flat(region, keypoints.level, row, column), radius).reshape(-1)
    difference = scratch("spare", len(w))
    pick -= 1
    np.subtract(w[2:], w[:-2], out=difference[:-2]).take(pick, out=gx, mode="clip")
    pick -= side - 1
    np.subtract(w[: -2 * side], w[2 * side :], out=difference[: -2 * side]).take(pick, out=gy, mode="clip")

    across, along = _aligned_rows("hats", 2, 4, len(pick))
    _bilinear(u, along)
    _bilinear(v, across)
    np.arctan2(np.negative(gy, out=spare), gx, out=turn)
    turn -= np.repeat(angle, np.diff(ends))
    basis = _aligned_rows("basis", BASIS, len(pick))
    fill_basis(turn, basis)
    # The weight: magnitude times Gaussian.
    for a, b in ((u, v), (gx, gy)):
        a *= a
        b *= b
        a += b
    u *= np.float32(-0.5 / descriptor.window_size**2)
    np.exp(u, out=u)
    np.sqrt(gx, out=gx)
    u *= gx
    across *= u
    sums = np.empty((n, 16, BASIS), np.float32)
    cells = _aligned_rows("cells", 4, 4, _GROUP * side**2)
    weights, samples = cells.reshape(16, -1), basis.T
    for first in range(0, n, _GROUP):
        start, *stops = ends[first : first + _GROUP + 1].tolist()
        group, before = slice(start, stops[-1]), start
        np.multiply(across[:, None, group], along[:, group], out=cells[..., : stops[-1] - start])
        for i, stop in enumerate(stops, first):
            np.matmul(weights[:, start - before : stop - before], samples[start:stop], out=sums[i])
            start = stop
    return (sums @ basis_to_bins().T).reshape(n, 128)


def _aligned_rows(name: str, *shape: int) -> Float32:
    """Return a buffer whose rows begin with a cache line; writing others takes half as long again."""
    *rows, length = shape
    return scratch(name, *rows, -(-length // 16) * 16)[..., :length]


@lru_cache
def _pixels(radius: int) -> Float32:
    """Return the pixels of a window relative to its centre, homogeneous: (3, pixels) of x, y, 1."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.stack([x.ravel(), y.ravel(), np.ones(x.size)]).astype(np.float32)


def _bilinear(position: Float32, out: Float32) -> None:
    """Compute the weights of positions in the four cells of one axis, (4, N)."""
    np.subtract(position, _CENTRES[:, None], out=out)
    np.abs(out, out=out)
    np.subtract(np.float32(1), out, out=out)
    zero = scratch("spare", len(position))
    zero.fill(0)
    np.maximum(out, zero, out=out)  # three times as fast as with a scalar


def fill_basis(turn: Float32, basis: Float32) -> None:
    """Compute the basis functions, (BASIS, N), of angles in radians, which are overwritten."""
    turn *= np.float32(1 / (2 * np.pi))
    turn -= np.rint(turn)
    basis[0] = 1
    first, middle, last, up = basis[2:6]
    np.abs(turn, out=up)
    up *= np.float32(_DIRECTIONS)
    np.subtract(up, np.float32(2), out=basis[1])
    down = np.subtract(np.float32(4), up, out=last)
    np.minimum(up, down, out=middle)
    np.multiply(up, np.float32(3), out=first)
    np.minimum(first, down, out=first)
    down *= np.float32(3)
    np.minimum(up, down, out=last)
    signs = turn.view(np.uint32)
    signs &= SIGN
    np.bitwise_xor(basis[2:5].view(np.uint32), signs, out=basis[5:].view(np.uint32))


@lru_cache
def basis_to_bins() -> Float32:
    """Return the matrix (8, BASIS) from basis functions to bins; bin k is centred at the angle k pi / 4."""
    t = np.arange(5.0)  # |t| at the five centres from 0 to pi
    even = np.stack([np.ones(5), t - 2, np.minimum(3 * t, 4 - t), np.minimum(t, 4 - t), np.minimum(t, 12 - 3 * t)])
    # Row k: the sum of basis functions that is 1 at centre k and 0 at the others.
    hats, odd = np.linalg.inv(even), np.linalg.inv(even[2:, 1:4])
    out = np.zeros((_DIRECTIONS, BASIS))
    out[[0, 4], :5] = hats[[0, 4]]
    out[1:4] = out[[7, 6, 5]] = np.concatenate([hats[1:4], odd], axis=1) / 2
    out[5:, 5:] *= -1
    return out.astype(np.float32)
