"""What frames look like.

Oracles: closed forms: corners of turned squares, points of an ellipse, one bin of a descriptor.
"""

from __future__ import annotations

import numpy as np
import pytest

from siftcli.conventions import affine_of
from siftcli.draw import shapes

CENTRES = np.array([[10.0, 20.0], [-3.0, 7.5]])
SCALES, ANGLES = np.array([4.0, 1.5]), np.array([np.pi / 2, -0.4])
MAPS = affine_of(SCALES, ANGLES).astype(np.float64)
DIRECTIONS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def test_a_tick_goes_along_the_orientation() -> None:
    np.testing.assert_allclose(
        shapes.ticks(CENTRES, MAPS)[:, 0], np.hstack([CENTRES, CENTRES + SCALES[:, None] * DIRECTIONS]), atol=1e-6
    )


def test_clockwise_on_screen_is_positive() -> None:
    *_, tip_x, tip_y = shapes.ticks(CENTRES[:1], MAPS[:1])[0, 0]
    assert (tip_x, tip_y) == pytest.approx((10, 24), abs=1e-6)  # pi / 2 points down


def test_squares_have_their_corners_at_the_half_side() -> None:
    segments = shapes.squares(CENTRES, MAPS)
    corners = segments[:, :4, :2] - CENTRES[:, None]
    np.testing.assert_allclose(np.linalg.norm(corners, axis=2), np.sqrt(2) * SCALES[:, None].repeat(4, 1), rtol=1e-6)
    along = np.einsum("nki,ni->nk", corners, DIRECTIONS) / SCALES[:, None]
    np.testing.assert_allclose(np.sort(along), [[-1, -1, 1, 1]] * 2, atol=1e-6)
    np.testing.assert_allclose(segments[:, :4, 2:], np.roll(segments[:, :4, :2], -1, axis=1))  # closed


def test_ellipses_are_images_of_the_unit_circle() -> None:
    maps = np.array([[[3.0, 1.0], [0.5, 2.0]]])
    points = shapes.ellipses(CENTRES[:1], maps)[0]
    back = (points[:, :2] - CENTRES[0]) @ np.linalg.inv(maps[0]).T
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1)
    np.testing.assert_allclose(points[:, 2:], np.roll(points[:, :2], -1, axis=0))


@pytest.mark.parametrize(("head", "length"), [(100.0, 0.28 * 4), (0.5, 0.5)])
def test_arrows_have_their_tip_at_the_end_and_a_head_of_limited_length(head: float, length: float) -> None:
    shaft, *barbs = shapes.arrows(CENTRES[:1], MAPS[:1], head)[0]
    np.testing.assert_allclose(shaft, [10, 20, 10, 24], atol=1e-6)
    for barb in barbs:
        np.testing.assert_allclose(barb[2:], [10, 24], atol=1e-6)
        assert barb[1] == pytest.approx(24 - length, abs=1e-6)
        assert abs(barb[0] - 10) == pytest.approx(0.55 * length, abs=1e-6)


def test_grids_have_five_lines_each_way() -> None:
    segments = shapes.grids(np.zeros((1, 2)), np.eye(2)[None])[0]
    upright = segments[segments[:, 0] == segments[:, 2]]
    level = segments[segments[:, 1] == segments[:, 3]]
    assert sorted(upright[:, 0]) == sorted(level[:, 1]) == [-2, -1, 0, 1, 2]
    assert len(segments) == 10


@pytest.mark.parametrize(("row", "column", "angle"), [(0, 0, 0), (0, 3, 2), (2, 1, 5), (3, 3, 7)])
def test_a_bin_is_a_ray_from_its_cell_in_its_direction(row: int, column: int, angle: int) -> None:
    descriptor = np.zeros((1, 4, 4, 8), np.uint8)
    descriptor[0, row, column, angle] = 200
    segments, which = shapes.rays(np.zeros((1, 2)), np.eye(2)[None], descriptor.reshape(1, 128))
    cell = np.array([column - 1.5, row - 1.5])
    way = 0.5 * np.array([np.cos(angle * np.pi / 4), np.sin(angle * np.pi / 4)])
    np.testing.assert_allclose(segments, [[*cell, *(cell + way)]], atol=1e-12)
    assert which.tolist() == [0]


def test_rays_are_as_long_as_their_bins() -> None:
    random = np.random.default_rng(0)
    descriptors = random.integers(50, 256, (2, 128)).astype(np.uint8)
    segments, which = shapes.rays(CENTRES, MAPS, descriptors)
    assert np.bincount(which).tolist() == [128, 128]
    length = np.hypot(*(segments[:, 2:] - segments[:, :2]).T).reshape(2, 128)
    expected = 0.5 * SCALES[:, None] * descriptors / descriptors.max(axis=1, keepdims=True)
    np.testing.assert_allclose(np.sort(length), np.sort(expected), rtol=1e-6)


def test_an_empty_descriptor_has_no_rays() -> None:
    segments, which = shapes.rays(CENTRES, MAPS, np.zeros((2, 128), np.uint8))
    assert segments.shape == (0, 4)
    assert which.shape == (0,)
