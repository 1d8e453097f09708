"""Orientations of keypoints, from the gradients around them. [Lowe04 §5]"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..features import Float32
from ..params import DetectorParams
from .arctan import polar
from .localize import Points
from .octaves import Index
from .sheets import Sheet

__all__ = ["BINS", "assign_orientations", "by_radius", "orientation_reach", "peaks", "windows"]

BINS = 36
_OUTER = 2
"""Rows and columns at the end of the image that Lowe's program leaves out."""
_SQUARE = 0.8
"""Half the side of the standard variant's window, in radii of Lowe's disc: as good, with a fifth fewer pixels."""
_CLASSES = (6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 35, 38, 41, 44, 48, 56, 64)
"""Windows are cut in a few sizes, not in one per radius."""
_FEW = 1000
"""Samples, in fours, for which another call is worth it."""
_CHUNK = 1 << 16
"""Samples per chunk, to stay in the cache."""


def orientation_reach(sigma: float, detector: DetectorParams) -> float:
    """Pixels around a keypoint of this sigma that its orientation depends on."""
    return 3 * detector.orientation_window * sigma


def by_radius(radius: Index, samples: int) -> Iterator[tuple[int, Index]]:
    """Group keypoints by the window that holds their radius.

    Yields
    ------
    radius : int
        Of the windows.
    chunk : (N,) intp
        Indices of keypoints whose windows have about `samples` pixels together.
    """
    # Few keypoints join those of the next size: another call costs more than samples then.
    largest = int(radius.max(initial=0))
    sizes = [c for c in _CLASSES if c < largest]
    counts = np.searchsorted(np.sort(radius), sizes, side="right").tolist()
    classes: list[int] = []
    done = 0
    for size, larger, count in zip(sizes, [*sizes, largest][1:], counts, strict=True):
        if (count - done) * (larger**2 - size**2) > _FEW:
            classes.append(size)
            done = count
    classes.append(largest)
    which = np.searchsorted(classes, radius)
    for i, r in enumerate(classes):
        members = np.flatnonzero(which == i)
        step = max(1, samples // (2 * r + 1) ** 2)
        for start in range(0, len(members), step):
            yield r, members[start : start + step]


def windows(sheet: Sheet, centre: Index, radius: int) -> Float32:
    """Return copies of the squares of 2 radius + 1 pixels around those of these indices, see `Sheet.flat`.

    Returns
    -------
    (N, 2 radius + 1, 2 radius + 1) float32
    """
    side = 2 * radius + 1
    shape = sheet.levels.size - 2 * radius * (sheet.stride + 1), side, side  # all that lie in the sheet
    every = np.ndarray(shape, np.float32, sheet.levels, 0, (4, 4 * sheet.stride, 4))  # `as_strided` takes 20 us longer
    copies: Float32 = every[centre - radius * (sheet.stride + 1)]
    return copies


def assign_orientations(sheet: Sheet, points: Points, detector: DetectorParams) -> tuple[Index, Float32]:
    """Return the orientations of points: every peak of 0.8 of the highest, at most four. [Lowe04 §5]

    The standard variant interpolates gradients linearly between bins and sums them over a square; the lowe variant
    takes the nearest bin, of angles a thousandth of a radian too large, and sums over a disc.

    Returns
    -------
    index : (M,) intp
        Which point; ascending.
    orientation : (M,) float32
        Radians in [-pi, pi), y down.
    """
    if detector.upright:
        return np.arange(len(points)), np.zeros(len(points), np.float32)
    lowe = detector.variant == "lowe"
    sigma = np.float32(detector.orientation_window) * points.sigma
    disc = (3 * sigma).astype(np.intp)
    radii = disc if lowe else (np.float32(3 * _SQUARE) * sigma + np.float32(0.5)).astype(np.intp)
    position = np.array([points.y, points.x])
    pixel = (position + np.float32(0.5)).astype(np.intp)
    centre = sheet.flat(points.region, points.level, *pixel)
    last = np.array([sheet.height[points.region], sheet.width[points.region]]) - (_OUTER + 1)
    # Where windows and image end, from the pixel.
    limits = np.array([np.maximum(-pixel, -radii), np.minimum(last - pixel, radii)], np.float32)
    offset = (pixel - position).astype(np.float32)
    decay = -np.float32(0.5) / np.square(sigma)
    histograms = np.empty((len(points), BINS))
    for radius, chunk in by_radius(radii, _CHUNK):
        # Keypoints last: long inner loops, and neighbours in memory seldom share a bin, which `bincount` waits for.
        w = np.ascontiguousarray(windows(sheet, centre[chunk], radius + 1).transpose(1, 2, 0))
        # Twice the gradient, to the right and upwards.
        gx, gy = w[1:-1, 2:] - w[1:-1, :-2], w[:-2, 1:-1] - w[2:, 1:-1]
        (wy, wx), (dy, dx) = _profiles(offset.take(chunk, axis=1), decay[chunk], limits.take(chunk, axis=2), radius)
        weight = wy[:, None] * wx
        if lowe:
            weight *= dx * dx < ((disc[chunk] ** 2 + 0.5) - dy * dy)[:, None]
        histograms[chunk] = _histograms(gx, gy, weight, lowe=lowe)
    return peaks(histograms, detector)


def _profiles(offset: Float32, decay: Float32, limits: Float32, radius: int) -> tuple[Float32, Float32]:
    """Return both axes of windows, (2, 2 radius + 1, N): Gaussians, zero outside the limits, and distances.

    Parameters
    ----------
    offset : (2, N) float32
        From every keypoint to its pixel.
    decay : (N,) float32
        Of the Gaussian: -1 / (2 sigma^2).
    limits : (2, 2, N) float32
        The first and the last sample, from the pixel.
    """
    reach = np.arange(-radius, radius + 1, dtype=np.float32)[:, None]
    distance = reach + offset[:, None]
    weight = distance * distance
    weight *= decay
    np.exp(weight, out=weight)
    np.copyto(weight, 0, where=(reach < limits[0][:, None]) | (reach > limits[1][:, None]))
    return weight, distance


def _histograms(gx: Float32, gy: Float32, weight: Float32, *, lowe: bool) -> npt.NDArray[np.float64]:
    """Return gradient histograms (N, 36) of angles y up from -pi on, bin b centred at b + 1/2; arguments are spent.

    Gradients and weights are (side, side, N).

    Weights are split linearly between the two nearest centres, or go to the nearest one, of the angle and a thousandth
    of a radian, in the lowe variant.
    """
    n = gx.shape[2]
    gx, gy, weight = (a.reshape(-1, n) for a in (gx, gy, weight))
    norm, position = polar(gx, gy, BINS / (2 * np.pi), exact=lowe)
    weight *= norm
    position += np.float32(BINS / 2 + (0.001 * BINS / (2 * np.pi) if lowe else 0.5))
    # A bin before the first, or behind the last, takes what lies beyond.
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


def _sums(index: Index, weight: Float32, n: int) -> npt.NDArray[np.float64]:
    """Return the sum of the weights at every index, BINS + 1 of them for each of n keypoints."""
    sums = np.bincount(index, weight.ravel(), n * (BINS + 1)).astype(np.float64, copy=False)
    return sums.reshape(n, BINS + 1)


def _smoothed(histograms: npt.NDArray[np.float64], times: int, *, lowe: bool) -> npt.NDArray[np.float64]:
    """Return histograms after so many times [1 1 1], (BINS + 2, N), the last bin before the first, the first behind it.

    Sums in place of means: only the proportions of bins count.
    """
    # Bins first: rows of neighbouring bins are added as wholes.
    now, then = np.empty((2, BINS + 2, len(histograms)))
    now[1:-1] = histograms.T
    for _ in range(times):
        now[0], now[-1] = now[-2], now[1]
        inner = np.add(now[:-2], now[1:-1], out=then[1:-1])
        inner += now[2:]
        if lowe:
            # His program smooths in place, so that the last bin sees the first one already smoothed.
            inner[-1] += inner[0] / 3 - now[-1]
        now, then = then, now
    now[0], now[-1] = now[-2], now[1]
    return now


def peaks(histograms: npt.NDArray[np.float64], detector: DetectorParams) -> tuple[Index, Float32]:
    """Return the orientations that histograms of gradients show; see `assign_orientations`.

    Parameters
    ----------
    histograms : (N, BINS) float64
        Not smoothed yet; y up, from -pi on.

    Returns
    -------
    index : (M,) intp
        Which histogram; ascending.
    orientation : (M,) float32
        Radians in [-pi, pi), y down.
    """
    # Not a matrix product: its rounding would depend on the other keypoints.
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
    turned = -angle.astype(np.float32)
    turned[turned >= np.float32(np.pi)] = -np.float32(np.pi)  # by rounding
    return index, turned
