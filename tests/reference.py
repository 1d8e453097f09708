"""SIFT once more, slow and obvious: the reference that the engine is compared with.

One pixel at a time, in double precision, written from [Lowe04] and from what is known of his program (see
docs/accuracy.md); nothing here comes from `siftcli.engine`.  ``lowe=True`` is the method of the `lowe` preset,
``lowe=False`` that of the default.  Conventions are the library's: x right, y down, angles y down.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d, map_coordinates  # type: ignore[import-untyped]

Array = npt.NDArray[np.float64]

SCALES = 3
SIGMA = 1.6
SIGMA_INPUT = 0.5
THRESHOLD = 0.04 / SCALES
EDGE = 10.0
BORDER = 5


@dataclass(frozen=True)
class Keypoint:
    """A keypoint in octave pixels; `scan` is the pixel of its extremum."""

    octave: int
    level: int
    scan: tuple[int, int]
    x: float
    y: float
    sigma: float
    score: float
    angle: float = 0.0

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """x, y, sigma in input pixels, and the orientation."""
        unit = 2.0**self.octave
        return self.x * unit, self.y * unit, self.sigma * unit, self.angle


# --- scale space


def kernel(sigma: float) -> Array:
    """Taps of the Gaussian; their sum runs over one tap too many, as in Lowe's program."""
    n = max(3, int(8 * sigma + 1))
    if n % 2 == 0:
        n += 1
    r = n // 2
    weights = [math.exp(-x * x / (2 * sigma * sigma)) for x in range(-r, r + 2)]
    return np.array(weights[:-1]) / sum(weights)


def blur(image: Array, sigma: float) -> Array:
    """Separable Gaussian blur with replicated borders."""
    taps = kernel(sigma)
    out: Array = correlate1d(correlate1d(image, taps, axis=0, mode="nearest"), taps, axis=1, mode="nearest")
    return out


def double(image: Array) -> Array:
    """Bilinear at (i/2, j/2), (2H - 2) x (2W - 2): even samples are the originals."""
    height, width = image.shape
    out = np.empty((2 * height - 2, 2 * width - 2))
    for i in range(2 * height - 2):
        for j in range(2 * width - 2):
            corners = [(i // 2, j // 2), ((i + 1) // 2, j // 2), (i // 2, (j + 1) // 2), ((i + 1) // 2, (j + 1) // 2)]
            out[i, j] = sum(image[c] for c in corners) / 4
    return out


def scale_space(image: Array, *, doubling: bool = True) -> list[Array]:
    """Gaussian levels of the octaves -1 (or 0), ..., each (SCALES + 3, H, W); every level is blurred from the last."""
    k = 2 ** (1 / SCALES)
    if doubling:
        level = blur(double(image), math.sqrt(SIGMA**2 - (2 * SIGMA_INPUT) ** 2))
    else:
        level = blur(image, math.sqrt(SIGMA**2 - SIGMA_INPUT**2))
    octaves = []
    while min(level.shape) >= 12:
        levels = [level]
        for i in range(SCALES + 2):
            levels.append(blur(levels[-1], SIGMA * k**i * math.sqrt(k * k - 1)))
        octaves.append(np.array(levels))
        height, width = level.shape
        level = levels[SCALES][: height // 2 * 2 : 2, : width // 2 * 2 : 2]
    return octaves


# --- detection


def extrema(dog: Array, threshold: float = THRESHOLD) -> Iterator[tuple[int, int, int]]:
    """Level, row and column of the strict extrema that are strong enough and not on an edge, in order."""
    for s in range(1, SCALES + 1):
        for i in range(BORDER, dog.shape[1] - BORDER):
            for j in range(BORDER, dog.shape[2] - BORDER):
                if abs(dog[s, i, j]) > 0.8 * threshold and is_extremum(dog, s, i, j) and not is_edge(dog[s], i, j):
                    yield s, i, j


def is_extremum(dog: Array, s: int, i: int, j: int) -> bool:
    """Whether a value is larger, or smaller, than all 26 others around it."""
    others = np.delete(dog[s - 1 : s + 2, i - 1 : i + 2, j - 1 : j + 2].ravel(), 13)
    return bool((others < dog[s, i, j]).all() or (others > dog[s, i, j]).all())


def is_edge(d: Array, i: int, j: int) -> bool:
    """Whether the principal curvatures differ in sign, or by more than the edge threshold. [Lowe04 §4.1]"""
    xx = d[i, j + 1] + d[i, j - 1] - 2 * d[i, j]
    yy = d[i + 1, j] + d[i - 1, j] - 2 * d[i, j]
    xy = (d[i + 1, j + 1] - d[i + 1, j - 1] - d[i - 1, j + 1] + d[i - 1, j - 1]) / 4
    det, trace = xx * yy - xy * xy, xx + yy
    return bool(det <= 0 or det * (EDGE + 1) ** 2 <= EDGE * trace**2)


def fit(dog: Array, s: int, i: int, j: int) -> tuple[Array, float]:
    """Offset (x, y, scale) and value of the stationary point of the quadratic through 27 values. [Lowe04 §4]"""

    def at(x: int, y: int, z: int) -> float:
        return float(dog[s + z, i + y, j + x])

    axes = np.eye(3, dtype=int)
    g, h = np.empty(3), np.empty((3, 3))
    for a in range(3):
        g[a] = (at(*axes[a]) - at(*-axes[a])) / 2
        for b in range(3):
            if a == b:
                h[a, a] = at(*axes[a]) + at(*-axes[a]) - 2 * at(0, 0, 0)
            else:
                p, m = axes[a] + axes[b], axes[a] - axes[b]
                h[a, b] = (at(*p) - at(*m) - at(*-m) + at(*-p)) / 4
    offset: Array = -np.linalg.solve(h, g).astype(np.float64)
    return offset, at(0, 0, 0) + float(g @ offset) / 2


def localize(dog: Array, octave: int) -> list[Keypoint]:
    """Refined extrema of an octave."""
    found: list[Keypoint] = []
    taken: set[tuple[int, int]] = set()
    _, height, width = dog.shape
    for s, row, column in extrema(dog):
        i, j = row, column
        for _ in range(5):
            offset, _ = fit(dog, s, i, j)
            moved = i, j
            if abs(offset[0]) > 0.6 and BORDER <= j + np.sign(offset[0]) < width - BORDER:
                j += int(np.sign(offset[0]))
            if abs(offset[1]) > 0.6 and BORDER <= i + np.sign(offset[1]) < height - BORDER:
                i += int(np.sign(offset[1]))
            if moved == (i, j):
                break
        offset, value = fit(dog, s, i, j)
        if (np.abs(offset) > 1.5).any() or abs(value) < THRESHOLD or (i, j) in taken:
            continue
        taken.add((i, j))
        x, y, sigma = j + offset[0], i + offset[1], SIGMA * 2 ** ((s + offset[2]) / SCALES)
        found.append(Keypoint(octave, s, (row, column), float(x), float(y), float(sigma), abs(value)))
    return found


# --- gradients


def gradient(level: Array, i: int, j: int) -> tuple[float, float]:
    """Twice the gradient (right, down); at the image's edge twice the one-sided difference."""
    height, width = level.shape

    def along(here: int, size: int, line: Array) -> float:
        if here == 0:
            return float(2 * (line[1] - line[0]))
        if here == size - 1:
            return float(2 * (line[-1] - line[-2]))
        return float(line[here + 1] - line[here - 1])

    return along(j, width, level[i]), along(i, height, level[:, j])


def orientations(level: Array, point: Keypoint, *, lowe: bool) -> list[float]:
    """Angles of the peaks of the gradient histogram, by ascending bin of the y-up angle. [Lowe04 §5]"""
    sigma = 1.5 * point.sigma
    radius = int(3 * sigma)
    row, column = int(point.y + 0.5), int(point.x + 0.5)
    histogram = np.zeros(36)
    for i in range(max(0, row - radius), min(level.shape[0] - 2, row + radius + 1)):
        for j in range(max(0, column - radius), min(level.shape[1] - 2, column + radius + 1)):
            d2 = (i - point.y) ** 2 + (j - point.x) ** 2
            if d2 >= radius * radius + 0.5:
                continue
            gx, gy = gradient(level, i, j)
            weight = math.hypot(gx, gy) * math.exp(-d2 / (2 * sigma * sigma))
            angle = math.atan2(0.0 - gy, gx)  # y up; never the negative zero, which would turn pi into -pi
            if lowe:
                histogram[min(35, int((angle + math.pi + 0.001) * 36 / (2 * math.pi)))] += weight
            else:
                b, part = divmod((angle + math.pi) * 36 / (2 * math.pi) - 0.5, 1.0)
                histogram[int(b) % 36] += weight * (1 - part)
                histogram[(int(b) + 1) % 36] += weight * part
    for _ in range(6):
        if lowe:  # in place: the last bin sees the first one already smoothed
            previous = histogram[35]
            for b in range(36):
                here = histogram[b]
                histogram[b] = (previous + here + histogram[(b + 1) % 36]) / 3
                previous = here
        else:
            histogram = np.array([histogram[b - 1] + histogram[b] + histogram[(b + 1) % 36] for b in range(36)]) / 3
    peaks = []
    for b in range(36):
        left, here, right = histogram[b - 1], histogram[b], histogram[(b + 1) % 36]
        if here > left and here > right and here >= 0.8 * histogram.max():
            position = b + 0.5 + (left - right) / (2 * (left - 2 * here + right))
            peaks.append((float(here), position * 2 * math.pi / 36 - math.pi))
    strongest = sorted(peaks, reverse=True)[:4]
    return [-angle for height, angle in peaks if (height, angle) in strongest]


# --- descriptors


def pixel_histogram(level: Array, point: Keypoint, *, lowe: bool) -> Array:
    """The raw histogram, from every pixel around; Lowe's program does not turn the sub-pixel shift. [Lowe04 §6.1]"""
    cell = 3 * point.sigma
    row, column = int(point.y + 0.5), int(point.x + 0.5)
    fx, fy = point.x - column, point.y - row
    cos, sin = math.cos(point.angle), math.sin(point.angle)
    radius = int(math.sqrt(2) * cell * 2.5 + 0.5)
    out = np.zeros((4, 4, 8))
    for i in range(max(0, row - radius), min(level.shape[0], row + radius + 1)):
        for j in range(max(0, column - radius), min(level.shape[1], column + radius + 1)):
            x, y = j - column, i - row
            if lowe:
                u, v = (cos * x + sin * y - fx) / cell, (-sin * x + cos * y - fy) / cell
            else:
                u = (cos * (x - fx) + sin * (y - fy)) / cell
                v = (-sin * (x - fx) + cos * (y - fy)) / cell
            if abs(u) < 2.5 and abs(v) < 2.5:
                add_sample(out, u, v, gradient(level, i, j), point.angle)
    return out.ravel()


def dense_histogram(level: Array, point: Keypoint, *, side: int) -> Array:
    """The raw histogram as an integral: side x side samples of the bilinear gradient over 5 x 5 cells."""
    cell = 3 * point.sigma
    gy, gx = (np.gradient(2 * level, axis=a) for a in (0, 1))
    along = ((np.arange(side) + 0.5) / side - 0.5) * 5
    v, u = np.meshgrid(along, along, indexing="ij")
    cos, sin = math.cos(point.angle), math.sin(point.angle)
    where = np.array([point.y + cell * (sin * u + cos * v), point.x + cell * (cos * u - sin * v)])
    inside = [(w > -0.5) & (w < size - 0.5) for w, size in zip(where, level.shape, strict=True)]
    sampled = [map_coordinates(g, where, order=1, mode="nearest") * inside[0] * inside[1] for g in (gx, gy)]
    out = np.zeros((4, 4, 8))
    for a, b, ga, gb in zip(u.flat, v.flat, sampled[0].flat, sampled[1].flat, strict=True):
        add_sample(out, a, b, (ga, gb), point.angle)
    return out.ravel()


def add_sample(out: Array, u: float, v: float, g: tuple[float, float], angle: float) -> None:
    """Spread a gradient at (u, v), in cells, over the eight bins around it."""
    weight = math.hypot(*g) * math.exp(-(u * u + v * v) / (2 * 2.0**2))
    if not weight:
        return
    t = (math.atan2(g[1], g[0]) - angle) * 8 / (2 * math.pi)
    parts = []
    for position in (v + 1.5, u + 1.5, t):
        b = math.floor(position)
        parts.append(((b, 1 - (position - b)), (b + 1, position - b)))
    for y, wy in parts[0]:
        for x, wx in parts[1]:
            for k, wk in parts[2]:
                if 0 <= y < 4 and 0 <= x < 4:
                    out[y, x, k % 8] += weight * wy * wx * wk


def normalise(histogram: Array) -> Array:
    """L2 norm 1, clamped at 0.2, L2 norm 1. [Lowe04 §6.1]"""
    clamped = np.minimum(histogram / (np.linalg.norm(histogram) or 1.0), 0.2)
    out: Array = clamped / (np.linalg.norm(clamped) or 1.0)
    return out


# --- the whole


def detect(octaves: list[Array], *, lowe: bool) -> list[Keypoint]:
    """Keypoints of a scale space in the order of Lowe's files: the reverse of processing."""
    found: list[Keypoint] = []
    for octave, levels in enumerate(octaves, start=-1):
        for point in localize(np.diff(levels, axis=0), octave):
            for angle in orientations(levels[point.level], point, lowe=lowe):
                values = {**point.__dict__, "angle": angle}
                found.append(Keypoint(**values))
    return found[::-1]
