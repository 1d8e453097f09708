"""Refinement: quadratics are found exactly, and the rules of moving, reach and contrast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tolerances
from engine_tools import tile_of_dog
from hypothesis import given
from hypothesis import strategies as st

from siftcli.engine.extrema import Extrema
from siftcli.engine.keypoints import Keypoints, refine
from siftcli.params import DetectorParams

DETECTOR = DetectorParams()
Array = npt.NDArray[np.float64]


def quadratic(x: float, y: float, s: float, top: float = 0.5, cross: tuple[float, float, float] = (0, 0, 0)) -> Array:
    """DoG levels (5, 40, 48) of one quadratic with its maximum at (x, y, s)."""
    z, i, j = np.ogrid[:5, :40, :48]
    dx, dy, dz = j - x, i - y, z - s
    a, b, c = cross
    shape = 1.0 * dx**2 + 0.8 * dy**2 + 1.2 * dz**2 + a * dx * dy + b * dx * dz + c * dy * dz
    return np.asarray(top - 0.002 * shape)


def refined(dog: Array, *where: tuple[int, int, int], detector: DetectorParams = DETECTOR) -> Keypoints:
    """Refine extrema at (level, row, column)."""
    level, row, column = (np.array(v) for v in zip(*where, strict=True))
    return refine(tile_of_dog(dog), Extrema(np.zeros_like(level), level, row, column), detector)


offsets = st.floats(-0.55, 0.55)


@given(offsets, offsets, st.floats(-1.4, 1.4), st.tuples(*[st.floats(-0.5, 0.5)] * 3), st.sampled_from([0.5, -0.1]))
def test_quadratics_are_found_exactly(
    x: float, y: float, s: float, cross: tuple[float, float, float], top: float
) -> None:
    """Closed form: the maximum of a quadratic, its value, and the sigma of its scale."""
    points = refined(quadratic(24 + x, 20 + y, 2 + s, top, cross), (2, 20, 24))
    assert len(points) == 1
    np.testing.assert_allclose(
        [points.x[0] - 24, points.y[0] - 20, 3 * np.log2(points.sigma[0] / 1.6) - 2],
        [x, y, s],
        atol=tolerances.QUADRATIC,
    )
    assert points.response[0] == pytest.approx(abs(top), abs=tolerances.FLOAT32)


@given(st.integers(0, 2**32 - 1))
def test_fit_of_any_values(seed: int) -> None:
    """Slow reference: the 3 x 3 system solved for noise around a peak."""
    dog = np.random.default_rng(seed).uniform(-0.15, 0.15, (5, 30, 34)).astype(np.float32)
    dog[2, 15, 20] = 0.9
    offset, value = reference.fit(dog.astype(float), 2, 15, 20)
    points = refined(dog.astype(float), (2, 15, 20))
    assert len(points) == 1
    np.testing.assert_allclose([points.x[0] - 20, points.y[0] - 15], offset[:2], atol=tolerances.FIT)
    assert 3 * np.log2(points.sigma[0] / 1.6) - 2 == pytest.approx(offset[2], abs=tolerances.FIT)
    assert points.response[0] == pytest.approx(abs(value), abs=tolerances.FIT)


def test_a_far_maximum_is_walked_to() -> None:
    """Closed form: five moves of a pixel, in x and in y at once, and the last fit reaches on."""
    points = refined(quadratic(24 + 3.2, 20 - 2.3, 2.0), (2, 20, 24))
    assert (points.row.tolist(), points.column.tolist()) == ([18], [27])
    np.testing.assert_allclose([points.x[0], points.y[0]], [27.2, 17.7], atol=tolerances.QUADRATIC)
    assert points.detected_at.tolist() == [[20, 24]]


@pytest.mark.parametrize(("distance", "column"), [(0.59, 24), (0.61, 25), (5.4, 29), (6.4, 29)])
def test_moves_beyond_six_tenths_at_most_five_times(distance: float, column: int) -> None:
    """Closed form: the pixel of the last fit of a quadratic at a known distance."""
    points = refined(quadratic(24 + distance, 20.0, 2.0), (2, 20, 24))
    assert points.column.tolist() == [column]
    assert points.x[0] == pytest.approx(24 + distance, abs=1e-3)


@pytest.mark.parametrize(("distance", "kept"), [(6.4, 1), (6.6, 0)])
def test_reach_is_one_and_a_half_pixels(distance: float, kept: int) -> None:
    """Closed form: after five moves, the maximum lies at most 1.5 from the last fit."""
    assert len(refined(quadratic(24 + distance, 20.0, 2.0), (2, 20, 24))) == kept


@pytest.mark.parametrize(("distance", "kept"), [(1.4, 1), (-1.4, 1), (1.6, 0), (-1.6, 0)])
def test_never_moves_in_scale(distance: float, kept: int) -> None:
    """Closed form: a maximum 1.6 scales off is out of reach though the next level would have it."""
    points = refined(quadratic(24.0, 20.0, 2 + distance), (2, 20, 24))
    assert len(points) == kept
    assert (points.level == 2).all()


def test_does_not_walk_into_the_border() -> None:
    """Closed form: the fifth pixel from the border is the last that is fitted."""
    points = refined(quadratic(4.0, 20.0, 2.0), (2, 20, 6))
    assert points.column.tolist() == [5]
    assert points.x[0] == pytest.approx(4.0, abs=tolerances.QUADRATIC)
    assert len(refined(quadratic(3.4, 20.0, 2.0), (2, 20, 6))) == 0


@pytest.mark.parametrize(("top", "kept"), [(1.001, 1), (0.999, 0), (-1.001, 1), (-0.999, 0)])
def test_contrast_threshold_is_that_of_the_refined_value(top: float, kept: int) -> None:
    """Closed form: the quadratic's own maximum, not the pixel's value, against 0.04 / 3."""
    limit = DETECTOR.dog_threshold
    dog = np.sign(top) * quadratic(24.5, 20.4, 2.4, abs(top) * limit)
    assert len(refined(dog, (2, 20, 24))) == kept
    assert abs(dog[2, 20, 24]) < limit


def test_a_pixel_gives_one_keypoint() -> None:
    """Closed form: two extrema that walk to one pixel; the first in order counts, on whichever level it is."""
    dog = quadratic(26.0, 20.0, 2.0)
    assert refined(dog, (2, 20, 24), (2, 20, 27)).detected_at.tolist() == [[20, 24]]
    points = refined(dog, (1, 20, 27), (2, 20, 24))
    assert (points.detected_at.tolist(), points.level.tolist()) == ([[20, 27]], [1])


def test_flat_surroundings_give_no_keypoint() -> None:
    """Closed form: a constant has no stationary point that could be told, and no warning is raised."""
    assert len(refined(np.full((5, 40, 48), 0.5), (2, 20, 24))) == 0


def test_a_valley_has_no_stationary_point() -> None:
    """Closed form: det(H) = 0 and a slope along the valley; dropped, without a warning of 0 times infinity."""
    z, y, x = np.ogrid[-2:3, -20:20, -24:24]
    valley = y + (x + y) ** 2 / 2 + z**2 / 2
    assert len(refined(valley / 2.0**10, (2, 20, 24))) == 0
