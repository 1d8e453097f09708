"""The descriptor: a histogram of gradients over 4 x 4 cells and 8 orientations. [Lowe04 §6; VLFeat's page]

The default samples a fixed grid in the keypoint's own frame, so every keypoint is the same few array operations,
affine frames come for nothing, and the spatial part of the histogram is one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..conventions import quantise
from ..features import Float32
from ..params import DescriptorParams
from .arctan import TINY, terms
from .localize import Points
from .orientation_bins import ANGLES, PLANES, bins_of_planes, fill_tents, flip
from .scale_space import WHITE, Index, Sheet

__all__ = ["CELLS", "compute_descriptors", "descriptor_reach", "normalise", "stored"]

CELLS = 4
_REACH = 2.5
"""The grid covers +-2.5 cells, all that the spatial bins reach."""
_SIDE = 20
"""Samples along a side of the grid."""
_CHUNK = 64
"""Keypoints at a time, so that what they need stays in the L2 cache."""


def descriptor_reach(sigma: float, descriptor: DescriptorParams) -> float:
    """Pixels around a keypoint of this sigma that its descriptor depends on."""
    return 2**0.5 * 2.5 * descriptor.magnification * sigma + 1


def compute_descriptors(
    sheet: Sheet, points: Points, angle: Float32, descriptor: DescriptorParams, group: Index | None = None
) -> Float32:
    """Return the descriptors of points with orientations.

    Parameters
    ----------
    angle : (N,) float32
        Radians, y down.
    group : (N,) intp, optional
        Points of different groups have no influence on each other, not even by rounding; those of an image, if None.

    Returns
    -------
    (N, 128) float32
        Normalised, clamped and normalised again; see `normalise`.
    """
    if descriptor.sampling == "pixels":
        from .pixel_descriptor import pixel_descriptors  # the lowe preset's alone

        histograms = pixel_descriptors(sheet, points, angle, descriptor)
    else:
        group = sheet.image[points.region] if group is None else group
        histograms = grid_descriptors(sheet, points, angle, descriptor, group)
    if descriptor.norm_threshold > 0:
        histograms[_mean_gradient(histograms, points, descriptor) < descriptor.norm_threshold] = 0
    return normalise(histograms, descriptor)


def stored(descriptors: Float32, descriptor: DescriptorParams) -> npt.NDArray[np.uint8] | Float32:
    """Return descriptors as features have them: quantised, or as they are."""
    return descriptors if descriptor.float_descriptors else quantise(descriptors)


def _mean_gradient(histograms: Float32, points: Points, descriptor: DescriptorParams) -> Float32:
    """Return the mean norm of the gradient in octave pixels, (N,), over all that raw histograms are sums of.

    The mean is weighed as the sums are: by the Gaussian window and the spatial bins.  Samples outside the image count
    as zero.  Histograms have twice the gradient, that of a grid in the frame, where the unit is a cell.
    """
    cell = np.float32(descriptor.magnification) * points.sigma
    weights = _cells(descriptor.window_size).sum()
    if descriptor.sampling == "pixels":
        weights = weights * (2 * _REACH / _SIDE * cell) ** 2  # as many pixels as there are, instead of samples
        cell = np.ones_like(cell)
    means: Float32 = histograms.sum(axis=1) / (2 * WHITE * weights * cell)
    return means


def normalise(histograms: Float32, descriptor: DescriptorParams) -> Float32:
    """Return histograms with L2 norm 1, clamped at 0.2, with norm 1 again; zero stays zero. [Lowe04 §6.1]"""
    for clamp in (descriptor.clamp, None):
        norm = np.sqrt(np.einsum("ij,ij->i", histograms, histograms))
        histograms = histograms / np.maximum(norm, TINY)[:, None]
        if clamp is not None:
            # Hats that are made of differences are below zero by rounding.
            np.clip(histograms, np.float32(0), np.float32(clamp), out=histograms)
    if descriptor.root_sift:
        histograms = np.sqrt(histograms / np.maximum(histograms.sum(axis=1, keepdims=True), TINY))
    return histograms


@lru_cache
def _grid() -> Float32:
    """Return the sample positions in cells, homogeneous: (3, samples) of x, y, 1."""
    along = (np.arange(_SIDE) + 0.5) * (2 * _REACH / _SIDE) - _REACH
    y, x = np.meshgrid(along, along, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.ones(_SIDE**2)]).astype(np.float32)


@lru_cache
def _cells(window_size: float) -> Float32:
    """Return the weight of every sample in every cell, (samples, 16): bilinear times Gaussian."""
    x, y, _ = _grid()
    centres = np.arange(CELLS) - (CELLS - 1) / 2
    wx, wy = (np.maximum(0, 1 - np.abs(v[:, None] - centres)) for v in (x, y))
    gauss = np.exp(-(x * x + y * y) / (2 * window_size**2))
    weights = wy[:, :, None] * wx[:, None, :] * gauss[:, None, None]
    return weights.reshape(len(x), CELLS * CELLS).astype(np.float32)


def grid_descriptors(
    sheet: Sheet, points: Points, angle: Float32, descriptor: DescriptorParams, group: Index
) -> Float32:
    """Return raw histograms (N, 128) from a grid of gradients."""
    size = np.float32(descriptor.magnification) * points.sigma
    cos, sin = np.cos(angle) * size, np.sin(angle) * size
    frames = np.stack([cos, -sin, sin, cos]).reshape(2, 2, -1)
    # Positions are relative to the nearest pixel, so that indices are exact in float32.
    row, column = (np.rint(v).astype(np.intp) for v in (points.y, points.x))
    shift = np.stack([points.x - column, points.y - row]).astype(np.float32)
    transform = np.concatenate([frames, shift[:, None]], axis=1)
    # The first of the samples that `_gradient` takes.
    pixel = sheet.flat(points.region, points.level, row, column) - sheet.stride - 1
    # How far the image reaches from that pixel, and whether the grid reaches further.
    height, width = sheet.height[points.region], sheet.width[points.region]
    low = np.stack([-column, -row]).astype(np.float32)
    high = np.stack([width - 1 - column, height - 1 - row]).astype(np.float32)
    reach = _REACH * np.abs(frames).sum(axis=1) + 1
    leaves = ((reach > -low) | (reach > high)).any(axis=0)

    out = np.empty((len(points), CELLS * CELLS * ANGLES), np.float32)
    scratch = _Scratch()
    for chunk in _chunks(group):
        near = np.flatnonzero(leaves[chunk])
        limits = near, low[:, chunk][:, near], high[:, chunk][:, near]
        out[chunk] = _histograms(sheet, pixel[chunk], transform[..., chunk], limits, descriptor, scratch)
    return out


def _chunks(group: Index) -> Iterator[Index]:
    """Divide keypoints, each group as if there were no others: a product rounds by the number of its rows."""
    order = np.argsort(group, kind="stable")
    for one in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        count = -(-len(one) // _CHUNK)
        for i in range(count):  # of about one size: a product of a single row would be another routine's
            yield one[len(one) * i // count : len(one) * (i + 1) // count]


class _Scratch:
    """Buffers for one chunk, reused for all and by several steps, so that all of them stay in the L2 cache."""

    def __init__(self) -> None:
        size = _CHUNK * _SIDE**2
        self.position, self.pixel, self.gradient = np.empty((3, 2 * size), np.float32)
        self.index = np.empty(size, np.intp)
        self.planes = np.empty(PLANES * size, np.float32)


def _histograms(
    sheet: Sheet,
    first: Index,
    transform: Float32,
    limits: tuple[Index, Float32, Float32],
    descriptor: DescriptorParams,
    scratch: _Scratch,
) -> Float32:
    """Return the raw histograms of one chunk.

    Parameters
    ----------
    first : (N,) intp
        Index of the pixel above and left of the one nearest to each keypoint.
    transform : (2, 3, N) float32
        From cells to pixels (x, y) relative to that.
    limits : (near, low, high)
        The keypoints whose grid leaves the image, and the first and last pixel (x, y) of the image for each.
    """
    n, samples = len(first), _SIDE**2
    size = n * samples
    position, pixel, gradient = (
        buffer[: 2 * size].reshape(2, n, samples) for buffer in (scratch.position, scratch.pixel, scratch.gradient)
    )
    planes = scratch.planes[: PLANES * size].reshape(PLANES, n, samples)
    index = scratch.index[:size].reshape(n, samples)
    np.matmul(transform.swapaxes(1, 2).reshape(2 * n, 3), _grid(), out=position.reshape(2 * n, samples))
    np.rint(position, out=pixel)
    position -= pixel
    gx, gy = planes[-2:]
    np.multiply(pixel[1], np.float32(sheet.stride), out=gx)
    gx += pixel[0]
    np.copyto(index, gx, casting="unsafe")
    index += first[:, None]
    _gradient(sheet, index, position, gx, gy, planes[:5])

    # The gradient in the keypoint's frame: J A.
    np.matmul(transform[:, :2].transpose(2, 1, 0), planes[-2:].swapaxes(0, 1), out=gradient.swapaxes(0, 1))
    near, low, high = limits
    if len(near):
        there = pixel[:, near]
        gradient[:, near] *= ((there >= low[..., None]) & (there <= high[..., None])).all(axis=0)
    _angle_planes(gradient[0], gradient[1], planes)
    cells = planes @ _cells(descriptor.window_size)
    bins = bins_of_planes() @ cells.reshape(PLANES, n * CELLS * CELLS)
    return bins.T.reshape(n, CELLS * CELLS * ANGLES)


def _gradient(sheet: Sheet, index: Index, offset: Float32, gx: Float32, gy: Float32, spare: Float32) -> None:
    """Compute twice the gradient at `offset` from pixels, by Taylor's formula with the Hessian there.

    `index` is that of the pixel above and left of each.

    Seven samples around the pixel, against twelve for a bilinear gradient of the same quality; the gradient at the
    nearest pixel, four samples, agrees visibly worse with Lowe's files.
    """
    flat, stride = sheet.levels.reshape(-1), sheet.stride
    a, b, xx, yy, xy = spare

    def take(step: int, out: Float32) -> Float32:
        return flat[step:].take(index, out=out, mode="wrap")

    corner, up, left, centre, right = 0, 1, stride, stride + 1, stride + 2
    down, opposite = up + 2 * stride, corner + 2 * stride + 2
    take(left, a)
    take(right, b)
    np.subtract(b, a, out=gx)
    np.add(a, b, out=xx)
    take(up, a)
    take(down, b)
    np.subtract(b, a, out=gy)
    np.add(a, b, out=yy)
    take(corner, xy)
    xy += take(opposite, a)
    take(centre, b)
    b += b
    xx -= b
    xy -= yy
    xy -= xx
    yy -= b
    x, y = offset
    for g, along, second, across in ((gx, x, xx, y), (gy, y, yy, x)):
        second *= along
        second += second
        g += second
        np.multiply(xy, across, out=second)
        g += second


def _angle_planes(gx: Float32, gy: Float32, planes: Float32) -> None:
    """Fill the planes of `orientation_bins` from gradients, which are spent.

    The angle's absolute value is 2 arctan(|gy| / (|gx| + m)), or pi less that where gx < 0: less pi / 2, it changes
    its sign with gx.
    """
    m, q, a, d = planes[:4]
    np.multiply(gx, gx, out=m)
    np.multiply(gy, gy, out=d)
    m += d
    np.sqrt(m, out=m)
    np.abs(gx, out=d)
    d += m
    d += TINY
    np.divide(gy, d, out=d)
    np.abs(d, out=d)
    np.multiply(d, d, out=a)
    c0, c1, c2 = terms(ANGLES / np.pi, 3)  # off by 2e-3 of a bin at most
    np.multiply(a, c2, out=q)
    q += c1
    q *= a
    q += c0
    q *= d
    q *= m
    twice = np.add(m, m, out=planes[-1])
    q -= twice
    flip(q, gx)
    fill_tents(q, twice, gy, planes[2:])
