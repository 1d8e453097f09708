"""Affine shape of keypoints, from the second moments of their gradients. [Baumberg00; Mikolajczyk04; VLFeat's covdet]

A frame is ``sigma S``.  The shape S is a (2, 2) matrix whose shorter half axis is 1: frames grow along their longer
axis, and are sampled at the level of detection.  That level lacks blur along the longer axis, which is added to the
sampled gradients for orientations.  The shape of a keypoint is the one in whose frame the second moments of the
gradients are isotropic.  With that blur they give the shape of an ellipse without bias; without it, shapes lie between
the ellipse and a circle, as VLFeat's and COLMAP's do, are more stable, and match better.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..features import Float32, Float64, Index, Mask
from ..params import DetectorParams
from .grid_samples import ROWS, grid, sampled_gradients
from .keypoints import Keypoints
from .orientation import BINS, gradient_histograms, histogram_peaks
from .tiles import Tile

__all__ = ["AffineFrames", "affine_shapes", "assign_affine_frames", "rotated_shapes", "shape_orientations"]

_WINDOW = 3.0
"""Sigma of the window of the second moments, in sigmas of the keypoint."""
_EDGE, _SIDE = 9.0, 21
"""Half the side of the grid of the second moments, and its samples."""
_SQUARE = 2.4
"""Half the side of the grid of orientations, in sigmas of their window."""
_ORIENTATION_SIDE = 21
_LARGEST = 5.0
"""Largest ratio of the half axes."""
_CONVERGED = 1.003
"""Ratio of the half axes of an iteration's change below which a shape has converged."""


class AffineFrames(NamedTuple):
    """Affine frames of keypoints.

    Attributes
    ----------
    affine : (2, 2, N) float32
        In octave pixels.
    diverged : (N,) bool
        See `affine_shapes`.
    """

    affine: Float32
    diverged: Mask


def assign_affine_frames(
    tile: Tile, keypoints: Keypoints, detector: DetectorParams
) -> tuple[Index, Float32, AffineFrames]:
    """Return the affine frames of keypoints, one for each orientation.

    Returns
    -------
    index : (M,) intp
        Index of the keypoint; ascending.
    orientation : (M,) float32
        Direction of the frame's x axis in the image, radians in [-pi, pi), y down.
    frames : AffineFrames
    """
    shapes, diverged = affine_shapes(tile, keypoints, detector)
    index, angle = shape_orientations(tile, keypoints, shapes, detector)
    affine = _frames(keypoints.take(index), rotated_shapes(shapes[index], angle))
    return index, np.arctan2(affine[1, 0], affine[0, 0]), AffineFrames(affine, diverged[index])


def affine_shapes(tile: Tile, keypoints: Keypoints, detector: DetectorParams) -> tuple[Float64, Mask]:
    """Estimate the affine shapes of keypoints.

    A keypoint whose half axes would differ by more than a factor of 5 has diverged, and keeps the shape before that
    iteration.  In the end, the ratio of the half axes is raised to the power `affine_strength`.

    Returns
    -------
    shapes : (N, 2, 2) float64
        ``R diag(d, 1)`` with a rotation R and d >= 1: columns are the half axes.
    diverged : (N,) bool
    """
    x, y, _ = grid(_SIDE, _EDGE)
    window = np.exp(-(x * x + y * y) / (2 * _WINDOW**2)) * (x * x + y * y <= _EDGE**2)
    shapes, blur = np.tile(np.eye(2), (len(keypoints), 1, 1)), _level_blur(keypoints, detector)
    active, diverged = np.arange(len(keypoints)), np.zeros(len(keypoints), np.bool_)
    for _ in range(detector.affine_iterations):
        some = keypoints.take(active)
        moments = np.empty((len(active), 2, 2))
        for chunk, planes in sampled_gradients(tile, some, _frames(some, shapes[active]), _SIDE, _EDGE, ROWS):
            gx, gy = planes[:2]
            if detector.affine_blur == "round":
                gx, gy = _round_blur(planes[:2], shapes[active[chunk]], blur[active[chunk]], _SIDE, _EDGE)
            for (i, j), product in (((0, 0), gx * gx), ((0, 1), gx * gy), ((1, 1), gy * gy)):
                moments[chunk, i, j] = moments[chunk, j, i] = (product * window).sum(axis=1)
        change = _inverse_root(moments)
        changed, ratio = _canonical(shapes[active] @ change)
        good = np.isfinite(ratio) & (ratio <= _LARGEST)
        shapes[active[good]] = changed[good]
        diverged[active[~good]] = True
        lengths = np.linalg.svd(change, compute_uv=False)
        active = active[good & (lengths[:, 0] > _CONVERGED * lengths[:, 1])]
        if not len(active):
            break
    shapes[:, :, 0] *= np.hypot(shapes[:, 0, 0], shapes[:, 1, 0])[:, None] ** (detector.affine_strength - 1)
    return shapes, diverged


def shape_orientations(
    tile: Tile, keypoints: Keypoints, shapes: Float64, detector: DetectorParams
) -> tuple[Index, Float32]:
    """Return the orientations of keypoints in their own frames; see `assign_orientations`.

    Returns
    -------
    index : (M,) intp
        Index of the keypoint; ascending.
    orientation : (M,) float32
        Radians in [-pi, pi), y down, by which a frame is rotated in itself.
    """
    if detector.upright:
        return np.arange(len(keypoints)), _upright(shapes)
    edge = _SQUARE * detector.orientation_window
    x, y, _ = grid(_ORIENTATION_SIDE, edge)
    window = np.exp(-(x * x + y * y) / np.float32(2 * detector.orientation_window**2))
    histograms = np.empty((len(keypoints), BINS))
    frames, blur = _frames(keypoints, shapes), _level_blur(keypoints, detector)
    for chunk, planes in sampled_gradients(tile, keypoints, frames, _ORIENTATION_SIDE, edge, ROWS):
        right, down = _round_blur(planes[:2], shapes[chunk], blur[chunk], _ORIENTATION_SIDE, edge)
        gx, up = np.ascontiguousarray(right.T), np.ascontiguousarray(-down.T)
        weight = np.repeat(window[:, None], len(chunk), axis=1)
        histograms[chunk] = gradient_histograms(gx[None], up[None], weight[None], lowe=False)
    return histogram_peaks(histograms, detector)


def rotated_shapes(shapes: Float64, angle: Float32) -> Float64:
    """Return shapes whose frames are rotated in themselves, (N, 2, 2)."""
    cos, sin = np.cos(angle.astype(np.float64)), np.sin(angle.astype(np.float64))
    rotation = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)
    return np.asarray(shapes @ rotation)


def _upright(shapes: Float64) -> Float32:
    """Return the angles by which frames are rotated in themselves for their y axis to point down in the image."""
    # S R (0, 1) is parallel to (0, 1): R (0, 1) is parallel to S^-1 (0, 1).
    down = np.linalg.solve(shapes, np.broadcast_to([[0.0], [1.0]], (len(shapes), 2, 1)))[..., 0]
    return np.arctan2(-down[:, 0], down[:, 1]).astype(np.float32)


def _frames(keypoints: Keypoints, shapes: Float64) -> Float32:
    """Return frames of unit sigma in octave pixels, (2, 2, N)."""
    return np.asarray(shapes.transpose(1, 2, 0) * keypoints.sigma, np.float32)


def _level_blur(keypoints: Keypoints, detector: DetectorParams) -> Float64:
    """Return the blur of the keypoints' levels in their sigmas, (N,)."""
    level = detector.sigma_base * 2.0 ** (keypoints.level / detector.scales_per_octave)
    return np.asarray(level / keypoints.sigma)


def _round_blur(gradient: Float32, shapes: Float64, blur: Float64, side: int, edge: float) -> Float32:
    """Return gradients (2, n, side^2), with the blur added that the level lacks along the longer half axis.

    Along that axis, x of the frame, the level has 1 / d of the blur that it has along the other one.
    """
    longer = np.hypot(shapes[:, 0, 0], shapes[:, 1, 0])
    lacking = (blur * np.sqrt(np.maximum(1 - longer**-2, 1e-4)))[:, None, None]
    position = (np.arange(side) * (2 * edge / side))[:, None]
    kernel = np.exp(-np.square((position - position.T) / lacking) / 2)
    kernel /= kernel.sum(axis=1, keepdims=True)
    n = len(shapes)
    blurred = np.matmul(gradient.reshape(2, n, side, side), kernel.swapaxes(1, 2).astype(np.float32))
    return blurred.reshape(2, n, side * side)


def _inverse_root(moments: Float64) -> Float64:
    """Return M^(-1/2) of second moments, up to a factor; the identity where there is no gradient."""
    trace = moments[:, 0, 0] + moments[:, 1, 1]
    m = moments + (1e-4 * trace + 1e-30)[:, None, None] * np.eye(2)
    root = m + np.sqrt(np.linalg.det(m))[:, None, None] * np.eye(2)  # the square root of M, up to a factor
    inverse = np.linalg.inv(root)
    return np.asarray(inverse / np.sqrt(np.linalg.det(inverse))[:, None, None])


def _canonical(shapes: Float64) -> tuple[Float64, Float64]:
    """Return shapes as ``R diag(d, 1)``, and d."""
    axes, lengths, _ = np.linalg.svd(shapes)
    axes[:, :, 1] *= np.linalg.det(axes)[:, None]
    ratio = lengths[:, 0] / lengths[:, 1]
    axes[:, :, 0] *= ratio[:, None]
    return axes, ratio
