"""The descriptor: a histogram of gradients over 4 x 4 cells and 8 orientations. [Lowe04 §6; VLFeat's page]

The default samples a fixed grid in the keypoint's own frame, so every keypoint is the same few array operations,
affine frames come for nothing, and the spatial part of the histogram is one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..conventions import quantise
from ..features import Float32
from ..params import DescriptorParams
from .arctan import TINY
from .directions import DIRECTIONS, PLANES, bins_of_planes, fill_planes
from .localize import Points
from .octaves import WHITE, Index
from .scratch import scratch
from .sheets import Sheet

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
        norms = histograms.sum(axis=1)
    else:
        group = sheet.image[points.region] if group is None else group
        histograms, norms = grid_descriptors(sheet, points, angle, descriptor, group)
    if descriptor.norm_threshold > 0:
        histograms[_mean_gradient(norms, points, descriptor) < descriptor.norm_threshold] = 0
    return normalise(histograms, descriptor)


def stored(descriptors: Float32, descriptor: DescriptorParams) -> npt.NDArray[np.uint8] | Float32:
    """Return descriptors as features have them: quantised, or as they are."""
    return descriptors if descriptor.float_descriptors else quantise(descriptors)


def _mean_gradient(norms: Float32, points: Points, descriptor: DescriptorParams) -> Float32:
    """Return the mean norm of the gradient in octave pixels, (N,), over all that raw histograms are sums of.

    The mean is weighed as the sums `norms` are: by the Gaussian window and the spatial bins.  Samples outside the image
    count as zero.  The sums are of twice the gradient, that of a grid in the frame, where the unit is a cell.
    """
    cell = np.float32(descriptor.magnification) * points.sigma
    weights = _cells(descriptor.window_size).sum()
    if descriptor.sampling == "pixels":
        weights = weights * (2 * _REACH / _SIDE * cell) ** 2  # as many pixels as there are, instead of samples
        cell = np.ones_like(cell)
    means: Float32 = norms / (2 * WHITE * weights * cell)
    return means


def normalise(histograms: Float32, descriptor: DescriptorParams) -> Float32:
    """Return histograms with L2 norm 1, clamped at 0.2, with norm 1 again; zero stays zero. [Lowe04 §6.1]"""
    for clamp in (descriptor.clamp, None):
        norm = np.sqrt(np.einsum("ij,ij->i", histograms, histograms))
        histograms = histograms / np.maximum(norm, TINY)[:, None]
        if clamp is not None:
            # Bins that are made of differences are below zero by rounding.
            np.maximum(histograms, 0, out=histograms)
            np.minimum(histograms, np.float32(clamp), out=histograms)
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
) -> tuple[Float32, Float32]:
    """Return raw histograms (N, 128) from a grid of gradients, and, if there is a threshold, the sums (N,) of norms."""
    size = np.float32(descriptor.magnification) * points.sigma
    cos, sin = np.cos(angle) * size, np.sin(angle) * size
    frames = np.array([cos, -sin, sin, cos]).reshape(2, 2, -1)
    # Positions are relative to the nearest pixel, so that indices are exact in float32.
    row, column = (np.rint(v).astype(np.intp) for v in (points.y, points.x))
    shift = np.array([points.x - column, points.y - row], np.float32)
    transform = np.concatenate([frames, shift[:, None]], axis=1)
    # The first of the samples that `_gradient` takes.
    pixel = sheet.flat(points.region, points.level, row, column) - sheet.stride - 1
    # How far the image reaches from that pixel, and whether the grid reaches further.
    height, width = sheet.height[points.region], sheet.width[points.region]
    low = np.array([-column, -row], np.float32)
    high = np.array([width - 1 - column, height - 1 - row], np.float32)
    reach = _REACH * np.abs(frames).sum(axis=1) + 1
    leaves = ((reach > -low) | (reach > high)).any(axis=0)

    out = np.empty((len(points), CELLS * CELLS * DIRECTIONS), np.float32)
    norms = np.zeros(len(points), np.float32)
    for chunk in _chunks(group, leaves):
        limits = (low[:, chunk], high[:, chunk]) if leaves[chunk[-1]] else None  # if any, then the last one
        planes = _planes(sheet, pixel[chunk], transform[..., chunk], limits)
        out[chunk] = _histograms(planes, descriptor)
        if descriptor.norm_threshold > 0:
            norms[chunk] = np.hypot(*planes[:2]) @ _cells(descriptor.window_size).sum(axis=1)
    return out, norms


def _chunks(group: Index, leaves: npt.NDArray[np.bool_]) -> Iterator[Index]:
    """Divide keypoints, each group as if there were no others: a product rounds by the number of its rows.

    Those whose grid leaves the image come last in their group, so that most chunks need not look where it ends.
    """
    order = np.argsort(2 * group + leaves, kind="stable")
    others = (np.flatnonzero(np.diff(group[order])) + 1).tolist()
    for start, end in pairwise([0, *others, len(order)]):
        one = order[start:end]
        count = -(-len(one) // _CHUNK)
        for i in range(count):  # of about one size: a product of a single row would be another routine's
            yield one[len(one) * i // count : len(one) * (i + 1) // count]


def _planes(sheet: Sheet, first: Index, transform: Float32, limits: tuple[Float32, Float32] | None) -> Float32:
    """Return the planes of twice the gradients of one chunk, (PLANES, N, samples), see `directions`; a buffer.

    Parameters
    ----------
    first : (N,) intp
        Index of the pixel above and left of the one nearest to each keypoint.
    transform : (2, 3, N) float32
        From cells to pixels (x, y) relative to that.
    limits : (2, N) float32, twice, or None
        The first and the last pixel (x, y) of the image, relative to that, if a grid leaves it.
    """
    n, samples = len(first), _SIDE**2
    position, pixel = (scratch(name, 2, n, samples) for name in ("position", "pixel"))
    index = scratch("index", n, samples, dtype=np.intp)
    planes = scratch("planes", PLANES, n, samples)
    np.matmul(transform.swapaxes(1, 2).reshape(2 * n, 3), _grid(), out=position.reshape(2 * n, samples))
    np.rint(position, out=pixel)
    position -= pixel
    flat = np.multiply(pixel[1], np.float32(sheet.stride), out=planes[0])
    flat += pixel[0]
    np.copyto(index, flat, casting="unsafe")
    index += first[:, None]
    gradient, turned = planes[-2:], planes[:2]
    _gradient(sheet, index, position, gradient, planes[:4])
    # In the keypoint's frame: J A.
    np.matmul(transform[:, :2].transpose(2, 1, 0), gradient.swapaxes(0, 1), out=turned.swapaxes(0, 1))
    if limits is not None:
        low, high = limits
        there = pixel >= low[..., None]
        there &= pixel <= high[..., None]
        turned *= np.logical_and(*there)
    fill_planes(planes)
    return planes


def _gradient(sheet: Sheet, index: Index, offset: Float32, gradient: Float32, spare: Float32) -> None:
    """Compute twice the gradient at `offset` from pixels, by Taylor's formula with the Hessian there.

    `index` is that of the pixel above and left of each.  Gradient and offset are (2, N, samples), x and y, and four
    planes are to spare.

    Seven samples around the pixel, against twelve for a bilinear gradient of the same quality; the gradient at the
    nearest pixel, four samples, agrees visibly worse with Lowe's files.
    """
    flat, stride = sheet.levels.reshape(-1), sheet.stride

    def take(step: int, out: Float32) -> None:
        flat[step:].take(index, out=out, mode="wrap")

    corner, up, left, centre, right = 0, 1, stride, stride + 1, stride + 2
    down, opposite = up + 2 * stride, corner + 2 * stride + 2
    second, other = spare[:2], spare[2:4]
    for step, out in zip((left, up, right, down), spare, strict=True):
        take(step, out)
    np.subtract(other, second, out=gradient)
    second += other
    mixed, twice = other
    take(corner, mixed)
    take(opposite, twice)
    mixed += twice
    take(centre, twice)
    twice += twice
    second -= twice
    mixed -= twice
    mixed -= second[0]
    mixed -= second[1]
    second *= offset
    second += second
    gradient += second
    gradient += np.multiply(mixed, offset[::-1], out=second)


def _histograms(planes: Float32, descriptor: DescriptorParams) -> Float32:
    """Return the raw histograms (N, 128) of planes."""
    cells = planes @ _cells(descriptor.window_size)
    bins: Float32 = np.matmul(cells.reshape(PLANES, -1).T, bins_of_planes().T)
    return bins.reshape(-1, CELLS * CELLS * DIRECTIONS)
