"""Line work on pixels.

Oracles: closed forms of the distance to a circle and to a segment; a slow renderer that looks at every stroke for
every pixel; Pillow's own drawing, sixteen times larger; and invariance to order and to what lies elsewhere.
"""

from __future__ import annotations

import numpy as np
import pytest
from draw_tools import (
    COVERAGE,
    LEVEL,
    STEPS,
    SUPERSAMPLED,
    Array,
    covered,
    distance_to_circle,
    distance_to_segment,
    supersampled,
)
from hypothesis import given
from hypothesis import strategies as st

from siftcli.draw.raster import Canvas

SHAPE = (70, 90)
WHITE = np.array([[255, 255, 255]], np.uint8)


def laid(canvas: Canvas, colors: Array, shape: tuple[int, int] = SHAPE, ground: int = 0, shade: float = 0) -> Array:
    picture = np.full((*shape, 3), ground, np.uint8)
    canvas.over(picture, colors, np.ones(len(colors), np.float32), shade)
    return picture


def one_circle(
    x: float, y: float, radius: float, width: float, *, halo: float = 0, shape: tuple[int, int] = SHAPE
) -> Canvas:
    canvas = Canvas(shape[1], shape[0], 1)
    canvas.circles(np.array([[x, y, radius]]), np.array([width]), np.array([halo]), np.array([0]))
    return canvas


def one_segment(ends: tuple[float, ...], width: float, *, halo: float = 0, shape: tuple[int, int] = SHAPE) -> Canvas:
    canvas = Canvas(shape[1], shape[0], 1)
    canvas.segments(np.array([ends]), np.array([width]), np.array([halo]), np.array([0]))
    return canvas


# --- one stroke


@pytest.mark.parametrize("radius", [0.0, 0.7, 3.0, 11.3])
@pytest.mark.parametrize("width", [1.0, 1.7, 4.0])
def test_a_circle_is_its_closed_form(radius: float, width: float) -> None:
    expected = covered(distance_to_circle(SHAPE, 41.3, 33.8, radius), width)
    got = laid(one_circle(41.3, 33.8, radius, width), WHITE)[..., 0] / 255
    np.testing.assert_allclose(got, expected, atol=COVERAGE)
    assert (got[expected == 0] == 0).all()
    assert (got[expected == 1] == 1).all()


@pytest.mark.parametrize("radius", [23.9, 170.4])
def test_a_large_circle_misses_its_closed_form_by_its_sagitta(radius: float) -> None:
    shape = (400, 420)
    expected = covered(distance_to_circle(shape, 210.2, 190.1, radius), 2)
    got = laid(one_circle(210.2, 190.1, radius, 2, shape=shape), WHITE, shape)[..., 0] / 255
    np.testing.assert_allclose(got, expected, atol=0.04 + COVERAGE)


@pytest.mark.parametrize(
    "ends", [(20, 20, 20, 20), (10.5, 12.25, 70.1, 60.6), (70, 12, 9.5, 60), (5, 30, 85, 30), (33.3, 5, 33.3, 66)]
)
def test_a_segment_is_its_closed_form(ends: tuple[float, ...]) -> None:
    expected = covered(distance_to_segment(SHAPE, ends), 2.4)
    got = laid(one_segment(ends, 2.4), WHITE)[..., 0] / 255
    np.testing.assert_allclose(got, expected, atol=COVERAGE)
    assert (got[expected == 0] == 0).all()


def test_the_rim_changes_and_what_is_off_it_does_not() -> None:
    distance = distance_to_circle(SHAPE, 45, 35, 20)
    picture = laid(one_circle(45, 35, 20, 2, halo=1.5), np.array([[10, 200, 30]], np.uint8), ground=128, shade=0.5)
    assert (picture[distance <= 0.5] == [10, 200, 30]).all()
    assert (picture[distance >= 1 + 1.5 + 0.5] == 128).all()
    dark = picture[(distance >= 1.5) & (distance <= 1.9)]
    assert len(dark) > 20
    assert (dark < 128).all(axis=1).all()


def test_a_halo_fades_out() -> None:
    distance = distance_to_circle(SHAPE, 45, 35, 20)
    picture = laid(one_circle(45, 35, 20, 2, halo=5), WHITE, ground=200, shade=1)[..., 0].astype(int)
    outside = (distance > 1.5) & (distance < 6.5)
    order = np.argsort(distance[outside])
    steps = np.diff(picture[outside][order])
    assert steps.min() >= 0
    assert picture[outside].min() < 20
    assert picture[outside].max() > 180


def test_opacity_mixes_linearly() -> None:
    canvas = one_circle(45, 35, 20, 4)
    picture = np.full((*SHAPE, 3), 100, np.uint8)
    canvas.over(picture, np.array([[200, 0, 100]], np.uint8), np.array([0.25], np.float32), 0)
    full = distance_to_circle(SHAPE, 45, 35, 20) < 1.5
    np.testing.assert_allclose(picture[full], np.broadcast_to([125, 75, 100], picture[full].shape), atol=1)


def test_strokes_make_a_transparent_picture_opaque() -> None:
    picture = np.zeros((*SHAPE, 4), np.uint8)
    one_circle(45, 35, 20, 4).over(picture, WHITE, np.array([0.6], np.float32), 0)
    distance = distance_to_circle(SHAPE, 45, 35, 20)
    np.testing.assert_allclose(picture[distance < 1.5], 0.6 * 255, atol=1)
    assert not picture[distance > 3].any()


# --- borders


@pytest.mark.parametrize(("x", "y"), [(0, 0), (-6, 30), (95, 66), (45, -19.5), (44.5, 90)])
def test_what_sticks_out_is_cut_off(x: float, y: float) -> None:
    expected = covered(distance_to_circle(SHAPE, x, y, 20), 3)
    np.testing.assert_allclose(laid(one_circle(x, y, 20, 3), WHITE)[..., 0] / 255, expected, atol=COVERAGE)
    ends = (x - 30, y - 9, x + 40, y + 7)
    expected = covered(distance_to_segment(SHAPE, ends), 3)
    np.testing.assert_allclose(laid(one_segment(ends, 3), WHITE)[..., 0] / 255, expected, atol=COVERAGE)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2)])
def test_tiny_pictures(shape: tuple[int, int]) -> None:
    expected = covered(distance_to_circle(shape, 0.2, 0.1, 2), 2)
    np.testing.assert_allclose(
        laid(one_circle(0.2, 0.1, 2, 2, shape=shape), WHITE, shape)[..., 0] / 255, expected, atol=COVERAGE
    )


def test_nothing_far_outside_leaves_a_trace() -> None:
    canvas = one_circle(-500, 3000, 40, 3, halo=2)
    canvas.segments(np.array([[200.0, 10, 900, 10]]), np.array([3.0]), np.array([2.0]), np.array([0]))
    assert (laid(canvas, WHITE, ground=77, shade=1) == 77).all()


@pytest.mark.parametrize("radius", [1e5, 1e6])
def test_a_circle_far_larger_than_the_picture_is_a_line_in_it(radius: float) -> None:
    picture = laid(one_circle(40 - radius, 30, radius, 3), WHITE)[..., 0]
    assert (picture[:, 39:42] > 220).all()
    assert (picture[:, :38] == 0).all()
    assert (picture[:, 43:] == 0).all()


def test_a_segment_far_longer_than_the_picture_is_cut() -> None:
    picture = laid(one_segment((-3e8, -3e8, 3e8, 3e8), 2), WHITE)[..., 0]
    expected = covered(distance_to_segment(SHAPE, (-100, -100, 200, 200)), 2)
    np.testing.assert_allclose(picture / 255, expected, atol=2 * COVERAGE)


@pytest.mark.parametrize("ends", [(np.nan, 5, 20, 20), (5, 5, np.inf, 20), (-np.inf, 5, np.inf, 20)])
def test_what_is_no_number_leaves_no_trace(ends: tuple[float, ...]) -> None:
    assert (laid(one_segment(ends, 2), WHITE) == 0).all()


# --- several strokes


def drawn(circles: Array, segments: Array, widths: Array, colors: Array, order: Array | None = None) -> Array:
    """All circles, then all segments, numbered in this order, handed over in any."""
    n, m = len(circles), len(segments)
    canvas = Canvas(SHAPE[1], SHAPE[0], n + m)
    halo = np.full(n + m, 1.3)
    first = np.arange(n) if order is None else order[order < n]
    second = np.arange(n, n + m) if order is None else order[order >= n]
    canvas.segments(segments[second - n], widths[second], halo[second], second)
    canvas.circles(circles[first], widths[first], halo[first], first)
    return laid(canvas, colors, ground=120, shade=0.6)


def random_strokes(seed: int, count: int = 25) -> tuple[Array, Array, Array, Array]:
    random = np.random.default_rng(seed)
    circles = np.column_stack(
        [random.uniform(-5, 95, count), random.uniform(-5, 75, count), random.uniform(0, 23, count)]
    )
    start = random.uniform(-5, 90, (count, 2))
    segments = np.hstack([start, start + random.normal(0, 20, (count, 2))])
    return circles, segments, random.uniform(1, 4, 2 * count), random.integers(0, 256, (2 * count, 3)).astype(np.uint8)


@given(st.integers(0, 10_000))
def test_the_order_of_drawing_changes_nothing(seed: int) -> None:
    circles, segments, widths, colors = random_strokes(seed)
    order = np.random.default_rng(seed).permutation(2 * len(circles))
    np.testing.assert_array_equal(
        drawn(circles, segments, widths, colors, order), drawn(circles, segments, widths, colors)
    )


def test_many_strokes_are_as_a_slow_renderer_has_them() -> None:
    circles, segments, widths, colors = random_strokes(3)
    distances = [distance_to_circle(SHAPE, *c) for c in circles] + [distance_to_segment(SHAPE, s) for s in segments]
    coverages = np.stack([covered(d, w) for d, w in zip(distances, widths, strict=True)])
    reach = np.stack([((w / 2 + 0.5 + 1.3 - d) / 1.3).clip(0, 1) for d, w in zip(distances, widths, strict=True)])
    # The one that covers a pixel most shows, in steps; of several, the last.
    steps = np.rint(coverages * STEPS)
    winner = len(steps) - 1 - steps[::-1].argmax(axis=0)
    core = coverages.max(axis=0)[..., None]
    shade = 0.6 * (1.5 * reach.max(axis=0)).clip(0, 1)[..., None]
    expected = 120 * (1 - shade) * (1 - core) + colors[winner] * core
    got = drawn(circles, segments, widths, colors).astype(float)
    second = np.sort(coverages, axis=0)[-2]
    # Where rounding decides which one it is, either may show.
    clear = (second < core[..., 0] - 1.5 / STEPS) | (second == 1) | (core[..., 0] == 0)
    assert clear.mean() > 0.97
    np.testing.assert_allclose(got[clear], expected[clear], atol=LEVEL)


def test_pillow_at_sixteen_times_the_size_agrees() -> None:
    circles = [(20.3, 30.1, 12.5), (60.7, 20.2, 5.2), (70, 50, 15.75)]
    segments = [(5.0, 5.0, 80.2, 61.3), (40.4, 66.0, 44.0, 8.0)]
    expected = supersampled((SHAPE[1], SHAPE[0]), circles, segments, 2)
    canvas = Canvas(SHAPE[1], SHAPE[0], 1)
    canvas.circles(np.array(circles), np.full(3, 2.0), np.zeros(3), np.zeros(3, int))
    canvas.segments(np.array(segments), np.full(2, 2.0), np.zeros(2), np.zeros(2, int))
    difference = np.abs(laid(canvas, WHITE)[..., 0] / 255 - expected)
    largest, mean = SUPERSAMPLED
    assert difference.max() < largest
    assert difference.mean() < mean
    assert expected.mean() > 0.05  # or nothing would be compared


def test_more_strokes_than_a_small_number_holds() -> None:
    canvas = Canvas(30, 20, (1 << 24) + 5)
    last = (1 << 24) + 4
    canvas.circles(np.array([[10.0, 10, 3], [20, 10, 3]]), np.full(2, 2.0), np.zeros(2), np.array([0, last]))
    colors = np.zeros((last + 1, 3), np.uint8)
    colors[0], colors[last] = (9, 8, 7), (6, 5, 4)
    picture = laid(canvas, colors, (20, 30))
    assert picture[10, 13].tolist() == [9, 8, 7]
    assert picture[10, 17].tolist() == [6, 5, 4]
