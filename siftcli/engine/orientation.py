"""Orientations of keypoints: the peaks of a histogram of gradient angles. [Lowe04 §5]"""

from __future__ import annotations

import numpy as np

from ..features import Float32, Float64, Index
from ..params import DetectorParams
from .gradients import by_radius, magnitude_angle, windows
from .keypoints import Keypoints
from .tiles import Tile

__all__ = ["BINS", "assign_orientations", "gradient_histograms", "histogram_peaks", "orientation_radius"]

BINS = 36
_SKIPPED = 2
"""Rows and columns at the lower and right border whose gradients do not count, as in Lowe's program."""
_SQUARE = 0.8
"""Half the side of the standard variant's square window, in radii of Lowe's disc: a fifth fewer pixels, as good."""
_WIDE = 3.0
"""Windows of this sigma or more are sampled at every second pixel, where the standard variant loses no orientation."""
_SAMPLES = 1 << 16
"""Pixels of windows at a time, so that they stay in the cache."""


def orientation_radius(sigma: float, detector: DetectorParams) -> float:
    """Return how many pixels around a keypoint of this sigma its orientation depends on."""
    return 3 * detector.orientation_window * sigma


def assign_orientations(tile: Tile, keypoints: Keypoints, detector: DetectorParams) -> tuple[Index, Float32]:
    """Return the orientations of keypoints: every peak of at least 0.8 of the highest, at most four. [Lowe04 §5]

    The standard variant interpolates linearly between bins, over a square window.  The lowe variant, like Lowe's
    program, adds to the nearest bin, of the angle plus 0.001 radians, over a disc.

    Returns
    -------
    index : (M,) intp
        Index of the keypoint; ascending.
    orientation : (M,) float32
        Radians in [-pi, pi), y down.
    """
    if detector.upright:
        return np.arange(len(keypoints)), np.zeros(len(keypoints), np.float32)
    lowe, region, regions = detector.variant == "lowe", keypoints.region, tile.regions
    sigma = np.float32(detector.orientation_window) * keypoints.sigma
    step = 2 if detector.orientation_window >= _WIDE and not lowe else 1
    disc = (3 * sigma).astype(np.intp)
    radii = disc if lowe else (np.float32(3 * _SQUARE / step) * sigma + np.float32(0.5)).astype(np.intp)
    position = np.array([keypoints.y, keypoints.x])
    pixel = (position + np.float32(0.5)).astype(np.intp)
    centre = tile.flat(region, keypoints.level, *pixel)
    last = np.array([regions.height[region], regions.width[region]]) - (_SKIPPED + 1)
    # First and last sample inside both the image and the window, relative to the pixel.
    limits = np.array([np.maximum(-pixel, -step * radii), np.minimum(last - pixel, step * radii)], np.float32)
    offset = (pixel - position).astype(np.float32)
    decay = -np.float32(0.5) / np.square(sigma)
    histograms = np.empty((len(keypoints), BINS))
    for radius, group in by_radius(radii, _SAMPLES):
        # Keypoints along the last axis: long inner loops, and adjacent samples seldom add to one bin, for which
        # `bincount` would wait.
        # Twice the gradient, to the right and upwards.
        if step == 1:
            w = np.ascontiguousarray(windows(tile, centre[group], radius + 1).transpose(1, 2, 0))
            gx, gy = w[1:-1, 2:] - w[1:-1, :-2], w[:-2, 1:-1] - w[2:, 1:-1]
        else:
            gx, gy = (_differences(tile, centre[group], radius, step, along) for along in (1, -tile.stride))
        samples = step * np.arange(-radius, radius + 1, dtype=np.float32)[:, None]
        (wy, wx), (dy, dx) = _profiles(offset.take(group, axis=1), decay[group], limits.take(group, axis=2), samples)
        weight = wy[:, None] * wx
        if lowe:
            weight *= dx * dx < ((disc[group] ** 2 + 0.5) - dy * dy)[:, None]
        histograms[group] = gradient_histograms(gx, gy, weight, lowe=lowe)
    return histogram_peaks(histograms, detector)


def _differences(tile: Tile, centre: Index, radius: int, step: int, along: int) -> Float32:
    """Return differences of the pixels behind and before every `step`-th pixel of windows, (side, side, N)."""
    behind, before = (windows(tile, centre + shift, radius, step) for shift in (along, -along))
    return np.ascontiguousarray((behind - before).transpose(1, 2, 0))


def _profiles(offset: Float32, decay: Float32, limits: Float32, samples: Float32) -> tuple[Float32, Float32]:
    """Return the Gaussian weights along both axes of windows, zero outside the limits, and the distances.

    Parameters
    ----------
    offset : (2, N) float32
        From every keypoint to its pixel.
    decay : (N,) float32
        -1 / (2 sigma^2) of the Gaussian.
    limits : (2, 2, N) float32
        First and last sample, relative to the pixel.
    samples : (2 radius + 1, 1) float32
        Positions relative to the pixel.

    Returns
    -------
    weight, distance : (2, 2 radius + 1, N) float32
    """
    distance = samples + offset[:, None]
    weight = distance * distance
    weight *= decay
    np.exp(weight, out=weight)
    np.copyto(weight, 0, where=(samples < limits[0][:, None]) | (samples > limits[1][:, None]))
    return weight, distance


def gradient_histograms(gx: Float32, gy: Float32, weight: Float32, *, lowe: bool) -> Float64:
    """Return histograms (N, 36) of gradients (side, side, N), which are overwritten.

    Angles are y up and begin at -pi; bin b is centred at b + 1/2.  A weight is split linearly between the two nearest
    centres; in the lowe variant, it goes to the nearest one, of the angle plus 0.001 radians.
    """
    n = gx.shape[2]
    gx, gy, weight = (a.reshape(-1, n) for a in (gx, gy, weight))
    magnitude, position = magnitude_angle(gx, gy, BINS / (2 * np.pi), exact=lowe)
    weight *= magnitude
    position += np.float32(BINS / 2 + (0.001 * BINS / (2 * np.pi) if lowe else 0.5))
    # An additional bin receives angles before the centre of the first bin, or behind that of the last.
    bins = np.floor(position, out=gy)
    position -= bins
    bins += (np.arange(n) * (BINS + 1)).astype(np.float32)
    index = bins.astype(np.intp).ravel()
    here = _sums(index, weight, n)
    if lowe:
        here[:, -2] += here[:, -1]
        return here[:, :-1]
    weight *= position
    after = _sums(index, weight, n)
    here -= after
    out = here[:, 1:] + after[:, :-1]
    out[:, -1] += here[:, 0]
    out[:, 0] += after[:, -1]
    return out


def _sums(index: Index, weight: Float32, n: int) -> Float64:
    """Return the sums of weights with equal index, BINS + 1 of them for each of n keypoints."""
    sums = np.bincount(index, weight.ravel(), n * (BINS + 1)).astype(np.float64, copy=False)
    return sums.reshape(n, BINS + 1)


def _smoothed(histograms: Float64, times: int, *, lowe: bool) -> Float64:
    """Smooth histograms (N, BINS) with [1 1 1] repeatedly, without division: only proportions of bins count.

    Returns
    -------
    (BINS + 2, N) float64
        The last bin also before the first, and the first also behind the last.
    """
    # Bins along the first axis: adding neighbouring bins adds whole rows.
    now, then = np.empty((2, BINS + 2, len(histograms)))
    now[1:-1] = histograms.T
    for _ in range(times):
        now[0], now[-1] = now[-2], now[1]
        inner = np.add(now[:-2], now[1:-1], out=then[1:-1])
        inner += now[2:]
        if lowe:
            # His program smooths in place: the last bin is added to the first one already smoothed.
            inner[-1] += inner[0] / 3 - now[-1]
        now, then = then, now
    now[0], now[-1] = now[-2], now[1]
    return now


def histogram_peaks(histograms: Float64, detector: DetectorParams) -> tuple[Index, Float32]:
    """Return the orientations at the peaks of gradient histograms; see `assign_orientations`.

    Parameters
    ----------
    histograms : (N, BINS) float64
        Before smoothing; angles are y up and begin at -pi.
    detector : DetectorParams

    Returns
    -------
    index : (M,) intp
        Index of the histogram; ascending.
    orientation : (M,) float32
        Radians in [-pi, pi), y down.
    """
    # Not by a matrix product: its rounding would depend on the other keypoints.
    smooth = _smoothed(histograms, detector.orientation_smoothings, lowe=detector.variant == "lowe")
    left, histograms, right = (smooth[i : i + BINS] for i in range(3))
    peak = (histograms > left) & (histograms > right) & (histograms >= detector.peak_ratio * histograms.max(axis=0))
    peak = np.ascontiguousarray(peak.T)
    crowded = np.flatnonzero(np.count_nonzero(peak, axis=1) > detector.max_orientations)
    if len(crowded):
        height = np.where(peak[crowded], histograms.T[crowded], -1.0)
        rank = np.argsort(np.argsort(-height, axis=1, kind="stable"), axis=1)
        peak[crowded] &= rank < detector.max_orientations
    index, b = np.divmod(np.flatnonzero(peak), BINS)
    here, before, after = histograms[b, index], left[b, index], right[b, index]
    position = b + 0.5 + 0.5 * (before - after) / (before - 2 * here + after)  # [Lowe04 §5], parabola
    angle = position * (2 * np.pi / BINS) - np.pi
    angle = np.where(angle <= -np.pi, angle + 2 * np.pi, np.where(angle > np.pi, angle - 2 * np.pi, angle))
    orientation = -angle.astype(np.float32)
    orientation[orientation >= np.float32(np.pi)] = -np.float32(np.pi)  # by rounding
    return index, orientation
