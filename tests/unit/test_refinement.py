"""The rules of other programs for refining extrema and smoothing orientations, each beside a slow reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import tolerances
from engine_tools import find_extrema, keypoints_at, tile_of, tile_of_dog
from scipy.ndimage import gaussian_filter

from siftcli.engine.keypoints import refine
from siftcli.engine.orientation import BINS, assign_orientations, histogram_peaks
from siftcli.params import DetectorParams
from siftcli.presets import PRESETS

Array = npt.NDArray[np.float64]
Keypoint = tuple[int, int, int, float, float, float]
"""Level, row and column of the last fit, and its offset."""

RULES = {
    "lowe": DetectorParams(),
    "vlfeat": PRESETS["vlfeat"].detector,
    "ipol": PRESETS["ipol"].detector,
    "opencv": PRESETS["opencv"].detector,
}


def field(seed: int, sharpness: float = 1.4) -> Array:
    """A smooth random DoG, (5, 60, 70): hills and hollows of some pixels, and between levels."""
    noise = np.random.default_rng(seed).normal(size=(5, 60, 70))
    smooth = gaussian_filter(noise, (0.7, sharpness, sharpness * 1.6))
    return np.asarray(0.05 * smooth / smooth.std())


def slow_fit(d: Array, s: int, i: int, j: int) -> tuple[Array, float]:
    """Offset (x, y, s) and value of the stationary point of the quadratic. [Lowe04 §4]"""
    axes = [(0, 0, 1), (0, 1, 0), (1, 0, 0)]

    def at(*steps: tuple[int, int, int]) -> float:
        return float(d[tuple(np.array([s, i, j]) + np.sum(steps, axis=0))])

    zero = (0, 0, 0)
    g = np.array([(at(a) - at(tuple(-v for v in a))) / 2 for a in axes])  # type: ignore[arg-type]
    h = np.empty((3, 3))
    for m, a in enumerate(axes):
        for n, b in enumerate(axes):
            back_a, back_b = tuple(-v for v in a), tuple(-v for v in b)
            if m == n:
                h[m, m] = at(a) + at(back_a) - 2 * at(zero)  # type: ignore[arg-type]
            else:
                h[m, n] = (at(a, b) - at(a, back_b) - at(back_a, b) + at(back_a, back_b)) / 4  # type: ignore[arg-type]
    offset = -np.linalg.solve(h, g)
    return offset, at(zero) + float(g @ offset) / 2


def slow_edge(d: Array, ratio: float) -> bool:
    """Whether a 3 x 3 neighbourhood is on an edge, or a saddle. [Lowe04 §4.1]"""
    xx, yy = d[1, 2] + d[1, 0] - 2 * d[1, 1], d[2, 1] + d[0, 1] - 2 * d[1, 1]
    xy = (d[2, 2] - d[2, 0] - d[0, 2] + d[0, 0]) / 4
    det = xx * yy - xy * xy
    return bool(det <= 0 or (xx + yy) ** 2 / det >= (ratio + 1) ** 2 / ratio)


def slow_refine(d: Array, detector: DetectorParams) -> list[Keypoint]:
    """All keypoints of a DoG, one pixel at a time."""
    b, far = detector.border, detector.max_offset
    _, height, width = d.shape
    converged = detector.refinement == "converged"
    found: dict[tuple[int, int], Keypoint] = {}
    for s in (1, 2, 3):
        for i in range(b, height - b):
            for j in range(b, width - b):
                cube = d[s - 1 : s + 2, i - 1 : i + 2, j - 1 : j + 2]
                others = np.delete(cube.ravel(), 13)
                if abs(d[s, i, j]) <= 0.8 * detector.dog_threshold:
                    continue
                # Bright blobs are minima below zero, dark ones maxima above.
                if not (others < d[s, i, j]).all() if d[s, i, j] > 0 else not (others > d[s, i, j]).all():
                    continue
                if detector.refinement == "lowe" and slow_edge(cube[1], detector.edge_threshold):
                    continue
                at = np.array([j, i, s])
                for attempt in range(6):
                    offset, value = slow_fit(d, at[2], at[1], at[0])
                    step = np.where(np.abs(offset) > far, np.sign(offset), 0).astype(int)
                    step[2] *= converged
                    there = at + step
                    step[(there < [b, b, 1]) | (there > [width - b - 1, height - b - 1, 3])] = 0
                    if attempt == 5 or not step.any():
                        break
                    at = at + step
                if (np.abs(offset) > (far if converged else 1.5)).any() or abs(value) < detector.dog_threshold:
                    continue
                x, y, level = (int(v) for v in at)
                patch = d[level, y - 1 : y + 2, x - 1 : x + 2]
                if detector.refinement != "lowe" and slow_edge(patch, detector.edge_threshold):
                    continue
                place = at[:2] + offset[:2]
                if (place < 0).any() or (place > [width - 1, height - 1]).any():
                    continue
                found.setdefault((y, x), (level, y, x, *(float(v) for v in offset)))
    return sorted(found.values())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(3))
def test_refinement(rule: str, seed: int) -> None:
    """Slow reference: every keypoint of three fields of hills and ridges, by each program's rule."""
    dog, detector = field(seed).astype(np.float32), RULES[rule]
    tile = tile_of_dog(dog)
    points = refine(tile, find_extrema(tile, detector), detector)
    expected = slow_refine(dog.astype(np.float64), detector)
    found = sorted(
        zip(
            points.level.tolist(),
            points.row.tolist(),
            points.column.tolist(),
            (points.x - points.column).tolist(),
            (points.y - points.row).tolist(),
            (3 * np.log2(points.sigma / 1.6) - points.level).tolist(),
            strict=True,
        )
    )
    assert len(expected) > 15
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    np.testing.assert_allclose(
        [row[3:] for row in found], [row[3:] for row in expected], atol=tolerances.REFINED_OFFSET
    )


def test_the_rules_differ() -> None:
    """Invariance: each keeps others than the next, or the comparison would show nothing."""
    dog = np.concatenate([field(seed) for seed in range(3)], axis=1)
    kept = {rule: {row[:3] for row in slow_refine(dog, detector)} for rule, detector in RULES.items()}
    assert len({frozenset(rows) for rows in kept.values()}) == len(RULES)


@pytest.mark.parametrize("border", [1, 2, 5, 9])
def test_border(border: int) -> None:
    """Closed form: peaks so many pixels from each side are the outermost that count."""
    height, width = 40, 50
    for near in (border - 1, border):
        if near < 1:
            continue
        for row, column in ((near, 25), (height - 1 - near, 25), (20, near), (20, width - 1 - near)):
            dog = np.zeros((5, height, width))
            dog[2, row, column] = 0.5
            found = find_extrema(tile_of_dog(dog), DetectorParams(border=border))
            assert len(found.row) == (near == border)


@pytest.mark.parametrize("times", [0, 1, 2, 6])
@pytest.mark.parametrize("variant", ["standard", "lowe"])
def test_orientation_smoothings(times: int, variant: str) -> None:
    """Closed form: two peaks a few bins apart, smoothed so often; half way round, away from the seam."""
    histogram = np.zeros(BINS)
    histogram[12:21] = 0, 0.5, 1, 0.4, 0.1, 0.35, 0.95, 0.5, 0
    smooth = histogram.copy()
    for _ in range(times):
        smooth = (np.roll(smooth, 1) + smooth + np.roll(smooth, -1)) / 3
    top = np.flatnonzero(
        (smooth > np.roll(smooth, 1)) & (smooth > np.roll(smooth, -1)) & (smooth >= 0.8 * smooth.max())
    )
    detector = DetectorParams(orientation_smoothings=times, variant=variant)  # type: ignore[arg-type]
    index, angle = histogram_peaks(histogram[None], detector)
    assert index.tolist() == [0] * len(top)
    before, here, after = smooth[top - 1], smooth[top], smooth[(top + 1) % BINS]
    expected = np.pi - (top + 0.5 + 0.5 * (before - after) / (before - 2 * here + after)) * 2 * np.pi / BINS
    np.testing.assert_allclose(angle, expected, atol=1e-6)
    assert len(top) == (1 if times == 6 else 2)


def test_fewer_smoothings_find_more_peaks() -> None:
    """Closed form: a picture of six directions shows them all, or some, by how often its histogram is smoothed."""
    y, x = np.mgrid[:97, :97] - 48.0
    sides = np.deg2rad(np.arange(0, 360, 36) + 7)
    pyramid = 0.5 + 0.004 * np.max([np.cos(a) * x + np.sin(a) * y for a in sides], axis=0)
    tile = tile_of(np.repeat(pyramid[None], 6, axis=0))
    tile.extrapolate_borders()
    point = keypoints_at([(48.0, 48.0)], 4.0)
    counts = [
        len(assign_orientations(tile, point, replace(DetectorParams(max_orientations=36), orientation_smoothings=n))[0])
        for n in (1, 40)
    ]
    assert counts[0] >= 10 > counts[1]
