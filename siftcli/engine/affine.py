"""Affine frames: their gradients, descriptors and orientations. [VLFeat's page, "Calculation in the image frame"]

The image of a frame A, T at canonical scale 1 is I(T + A p), smoothed by g_A: by a Gaussian that is as wide as the
frame in every direction, which no level of the scale space is.  So the frame is sampled at a level that is no wider
than its narrow side, and what is lacking is smoothed along its two axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..features import Float32
from ..params import DescriptorParams, DetectorParams
from .descriptor import CELLS, normalise
from .localize import Points
from .octaves import WHITE, Index
from .orientation import BINS, peaks
from .sheets import Sheet

__all__ = ["affine_descriptors", "affine_orientations", "affine_reach"]

Float64 = npt.NDArray[np.float64]

_CUT = 4.0
"""Where the smoothing kernel ends, in its sigmas."""
_RIM = 12
"""Pixels around a patch that its interpolation depends on; the spline's memory fades by 0.27 a pixel."""
_NOISE = 1e-9
"""Gradients below this are rounding: levels of float32 differ by more."""
_ANGLES = 8
_EDGE = (CELLS + 1) / 2
"""Half the side of a descriptor, in cells."""


def affine_reach(longest: float, extent: float) -> float:
    """Pixels around a frame that a patch depends on.

    Parameters
    ----------
    longest : float
        The frame's longer half axis, in pixels.
    extent : float
        Half the side of the patch, in canonical units.
    """
    return (math.sqrt(2) * extent + _CUT) * longest + _RIM + 4


@dataclass(frozen=True, eq=False)
class _Patch:
    """Gradients around a frame.

    Attributes
    ----------
    position : (2, N) float64
        Of the samples, in the frame: in units of sigma along its own axes.
    gradient : (2, N) float64
        In the same frame, J A; zero outside the image.
    """

    position: Float64
    gradient: Float64


def affine_descriptors(
    sheet: Sheet, points: Points, affine: Float32, detector: DetectorParams, descriptor: DescriptorParams
) -> Float32:
    """Return the descriptors of affine frames, as `compute_descriptors` those of similarities.

    Parameters
    ----------
    sheet : Sheet
    points : Points
        N of them, at levels no wider than the frames' narrow sides.
    affine : (N, 2, 2) float32
        In octave pixels.
    detector, descriptor : DetectorParams, DescriptorParams

    Returns
    -------
    (N, 128) float32
    """
    out = np.zeros((len(points), CELLS * CELLS * _ANGLES), np.float32)
    m = descriptor.magnification
    for i, a in enumerate(affine.astype(np.float64)):
        patch = _patch(sheet, points, i, a, m * _EDGE, detector)
        histogram, weight = _descriptor(patch, m, descriptor.window_size)
        # The mean norm of the gradient, in octave pixels.
        if histogram.sum() / weight / math.sqrt(abs(np.linalg.det(a))) >= descriptor.norm_threshold:
            out[i] = histogram
    return normalise(out, descriptor)


def affine_orientations(
    sheet: Sheet, points: Points, affine: Float32, detector: DetectorParams
) -> tuple[Index, Float32]:
    """Return the orientations of affine frames, in the frames themselves, as `assign_orientations` for similarities.

    Parameters
    ----------
    affine : (N, 2, 2) float32
        In octave pixels.

    Returns
    -------
    index : (M,) intp
        Which frame; ascending.
    orientation : (M,) float32
        By which to turn the frame: A becomes A R(orientation).
    """
    if detector.upright:
        return np.arange(len(points)), np.zeros(len(points), np.float32)
    histograms = np.zeros((len(points), BINS))
    window = detector.orientation_window
    for i, a in enumerate(affine.astype(np.float64)):
        patch = _patch(sheet, points, i, a, 3 * window, detector)
        u, v = patch.gradient
        weight = np.exp(-(patch.position**2).sum(axis=0) / (2 * window**2)) * np.hypot(u, v)
        weight *= (patch.position**2).sum(axis=0) <= (3 * window) ** 2
        # y up, from -pi on, split between the two nearest centres.
        place = (np.arctan2(-v, u) + np.pi) * (BINS / (2 * np.pi)) - 0.5
        low = np.floor(place)
        for part, b in ((1 - (place - low), low), (place - low, low + 1)):
            histograms[i] += np.bincount(b.astype(np.intp) % BINS, weight * part, BINS)
    return peaks(histograms, detector)


def _patch(sheet: Sheet, points: Points, i: int, affine: Float64, extent: float, detector: DetectorParams) -> _Patch:
    """Return the gradients of point `i` within the square of half side `extent`, in canonical units, and around it."""
    from scipy.ndimage import gaussian_filter1d  # type: ignore[import-untyped]

    axes, lengths, turn = np.linalg.svd(affine)  # affine = axes diag(lengths) turn
    sigma = detector.sigma_base * 2 ** (points.level[i] / detector.scales_per_octave)
    lacking = np.sqrt(np.maximum(0, 1 - (sigma / lengths) ** 2))
    # Samples a pixel apart along both axes.
    count = np.ceil((math.sqrt(2) * extent + _CUT * lacking) * lengths).astype(np.intp) + 1
    along = np.meshgrid(*(np.arange(-n, n + 1) / length for n, length in zip(count, lengths, strict=True)))
    local = np.stack(along).reshape(2, -1)
    x, y = (axes * lengths) @ local + np.array([[points.x[i]], [points.y[i]]], np.float64)
    shape = along[0].shape
    values = _interpolated(sheet, points, i, x, y).reshape(shape)
    for axis, k in ((1, 0), (0, 1)):
        if lacking[k] > 0:
            values = gaussian_filter1d(values, lacking[k] * lengths[k], axis, mode="nearest", truncate=_CUT)
    down, right = np.gradient(values)
    down[np.abs(down) < _NOISE], right[np.abs(right) < _NOISE] = 0, 0
    region = points.region[i]
    gradient = turn.T @ np.stack([right.ravel() * lengths[0], down.ravel() * lengths[1]])
    gradient *= (x >= 0) & (x <= sheet.width[region] - 1) & (y >= 0) & (y <= sheet.height[region] - 1)
    position = turn.T @ local
    near = (np.abs(position) <= extent).all(axis=0)
    return _Patch(position[:, near], gradient[:, near])


def _interpolated(sheet: Sheet, points: Points, i: int, x: Float64, y: Float64) -> Float64:
    """Return the level of point `i` at octave pixels, by a cubic spline; beyond the image, its border."""
    from scipy.ndimage import map_coordinates

    region = points.region[i]
    bounds = []
    for where, size in ((y, sheet.height[region]), (x, sheet.width[region])):
        low, high = int(where.min()) - _RIM, int(where.max()) + _RIM + 2
        bounds.append((min(max(low, 0), int(size) - 1), max(min(high, int(size)), 1)))
    (top, bottom), (left, right) = bounds
    row, column = int(sheet.top[region]), int(sheet.left[region])
    level = sheet.levels[points.level[i], row + top : row + bottom, column + left : column + right] / WHITE
    values: Float64 = map_coordinates(level.astype(np.float64), [y - top, x - left], order=3, mode="nearest")
    return values


def _descriptor(patch: _Patch, magnification: float, window_size: float) -> tuple[Float64, float]:
    """Return the histogram h(t, i, j) of a patch, [y][x][orientation], and the sum of its weights."""
    cells = patch.position / magnification
    window = np.exp(-(cells**2).sum(axis=0) / (2 * window_size**2))
    centres = np.arange(CELLS) - (CELLS - 1) / 2
    across, down = (np.maximum(0, 1 - np.abs(c - centres[:, None])) for c in cells)
    u, v = patch.gradient
    turn = np.arctan2(v, u) * (_ANGLES / (2 * np.pi)) - np.arange(_ANGLES)[:, None]
    hats = np.maximum(0, 1 - np.abs((turn + _ANGLES / 2) % _ANGLES - _ANGLES / 2))
    spatial = (down[:, None] * across * window).reshape(CELLS * CELLS, -1)
    histogram: Float64 = (spatial * np.hypot(u, v)) @ hats.T
    return histogram.ravel(), float(spatial.sum())
