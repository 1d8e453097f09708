"""Orientations: ramps of known direction, the peak rule, and the window."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
import tolerances
from engine_tools import keypoints_at, tile_of

from siftcli.engine import gradients
from siftcli.engine.orientation import assign_orientations
from siftcli.params import DetectorParams

STANDARD, LOWE = DetectorParams(), DetectorParams(variant="lowe")
WIDE = DetectorParams(orientation_window=3.0)
SIZE = 97
DEGREES = np.arange(-179.7, 180.0, 1.9)


def ramp(degrees: float, slope: float = 0.004) -> npt.NDArray[np.float64]:
    """A plane that rises in this direction (y down)."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    return np.asarray(0.5 + slope * (np.cos(np.deg2rad(degrees)) * x + np.sin(np.deg2rad(degrees)) * y))


def orientations(
    image: npt.NDArray[np.float64],
    detector: DetectorParams = STANDARD,
    xy: tuple[float, float] = (48.2, 47.7),
    sigma: float = 2.0,
) -> npt.NDArray[np.float64]:
    """Orientations in degrees of one point."""
    tile = tile_of(np.repeat(image[None], 6, axis=0))
    tile.extrapolate_borders()
    index, angle = assign_orientations(tile, keypoints_at([xy], sigma), detector)
    assert (index == 0).all()
    assert angle.dtype == np.float32
    assert ((angle >= -np.pi) & (angle < np.pi)).all()
    return np.asarray(np.rad2deg(angle.astype(float)))


def gap(a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Absolute difference of angles, in degrees."""
    difference = np.asarray(a, float) - np.asarray(b, float)
    return np.asarray(np.abs((difference + 180) % 360 - 180))


@pytest.mark.parametrize("window", [1.5, 3.0], ids=["every pixel", "every second pixel"])
@pytest.mark.parametrize("sigma", [1.6, 2.4, 3.4])
def test_orientation_of_a_ramp(sigma: float, window: float) -> None:
    """Closed form: the direction in which the plane rises, within half a degree."""
    detector = DetectorParams(orientation_window=window)
    found = [orientations(ramp(d), detector, sigma=sigma) for d in DEGREES]
    assert {len(f) for f in found} == {1}
    assert gap(np.concatenate(found), DEGREES).max() < tolerances.RAMP_DEGREES


def test_orientation_without_vectors_for_the_arc_tangent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: as above, by the polynomial, which changes it by less than a fiftieth of a degree."""
    usual, found = [], []
    for d in DEGREES:
        for vectorised, out in ((True, usual), (False, found)):
            monkeypatch.setattr(gradients, "_has_fast_arctan2", lambda answer=vectorised: answer)
            out.append(orientations(ramp(d)))
    assert gap(np.concatenate(found), DEGREES).max() < tolerances.RAMP_DEGREES
    assert 0 < gap(np.concatenate(found), np.concatenate(usual)).max() < tolerances.POLYNOMIAL_DEGREES


def test_orientation_of_a_ramp_at_the_border_of_the_image() -> None:
    """Closed form: the linear continuation beyond the border keeps the gradient."""
    for xy in ((0.0, 0.0), (1.4, 60.0), (50.2, 94.0)):
        found = [orientations(ramp(d), xy=xy)[0] for d in DEGREES]
        assert gap(found, DEGREES).max() < tolerances.RAMP_DEGREES


def test_lowe_takes_the_nearest_of_36_bins() -> None:
    """Closed form: all weight in one bin of 10 degrees gives its middle, 5 degrees from either end.

    Away from 180 degrees, where smoothing in place moves peaks by up to half a bin (see test_reference.py).
    """
    for d in np.arange(-115.0, 120.0, 10.0):
        for off in (-4.0, 0.0, 4.0):
            assert gap(orientations(ramp(d + off), LOWE), d).tolist() == pytest.approx([0], abs=1e-3)


def roof(strength: float) -> tuple[npt.NDArray[np.float64], float, float]:
    """Two planes that meet without a step half way between rows 47 and 48, and their directions in degrees.

    The gradient of the lower one is `strength` times that of the upper one, and along the ridge both are the same.
    """
    upper = 60.0
    lower = -np.rad2deg(np.arccos(np.cos(np.deg2rad(upper)) / strength))
    y, x = np.mgrid[:SIZE, :SIZE] - np.array([47.5, 48.0])[:, None, None]
    planes = [
        size * (np.cos(np.deg2rad(angle)) * x + np.sin(np.deg2rad(angle)) * y)
        for size, angle in ((0.004, upper), (0.004 * strength, lower))
    ]
    return 0.5 + np.where(y < 0, *planes), upper, float(lower)


@pytest.mark.parametrize("strength", [0.7, 0.9])
@pytest.mark.parametrize("variant", ["standard", "lowe"])
def test_second_peak_counts_from_eight_tenths(strength: float, variant: Literal["standard", "lowe"]) -> None:
    """Closed form: gradients of two directions on two halves, their strengths in a known ratio."""
    image, upper, lower = roof(strength)
    found = orientations(image, DetectorParams(variant=variant, orientation_window=4.0), xy=(48.0, 47.5))
    assert gap(found, upper).min() < 6
    assert bool((gap(found, lower) < 6).any()) == (strength > 0.8)
    assert len(found) == 1 + (strength > 0.8)


def test_peak_ratio_is_a_parameter() -> None:
    """Closed form: with a ratio of 1 only the highest peak is left."""
    image, _, _ = roof(0.7)
    only, more = (DetectorParams(peak_ratio=ratio, orientation_window=4.0) for ratio in (1.0, 0.5))
    assert len(orientations(image, only, xy=(48.0, 47.5))) == 1
    assert len(orientations(image, more, xy=(48.0, 47.5))) == 2


@pytest.mark.parametrize("most", [1, 2, 3, 4, 36])
def test_no_more_than_max_orientations(most: int) -> None:
    """Closed form: a six-sided pyramid has six equal directions; so many of them are given, ascending y up."""
    sides = np.deg2rad(np.arange(0, 360, 60) + 7)
    y, x = np.mgrid[:SIZE, :SIZE] - 48.0
    pyramid = 0.5 + 0.004 * np.max([np.cos(a) * x + np.sin(a) * y for a in sides], axis=0)
    found = orientations(pyramid, DetectorParams(max_orientations=most), xy=(48.0, 48.0), sigma=4.0)
    assert len(found) == min(most, 6)
    assert (np.diff(found) < 0).all()
    assert (gap(found[:, None], np.rad2deg(sides)).min(axis=1) < 3).all()


def test_upright_is_zero() -> None:
    """Closed form: orientation 0 for every point, one each."""
    assert orientations(ramp(50.0), DetectorParams(upright=True)).tolist() == [0.0]


def test_flat_image_has_no_orientation() -> None:
    """Closed form: an empty histogram has no peak."""
    assert len(orientations(np.full((SIZE, SIZE), 0.5))) == 0


@pytest.mark.parametrize("detector", [STANDARD, LOWE, WIDE], ids=["standard", "lowe", "wide"])
def test_window_ends_at_three_sigma(detector: DetectorParams) -> None:
    """Closed form: what lies beyond 3 windows' sigma in every direction changes nothing; what lies within does."""
    sigma, (x, y) = 2.0, (48.2, 47.7)
    i, j = np.mgrid[:SIZE, :SIZE]
    outside = (np.hypot(i - y, j - x) > 3 * detector.orientation_window * sigma * 2**0.5 + 1.5) * 0.1
    inside = (np.hypot(i - y, j - x) > 3 * sigma) * 0.1 * (j > x)
    image = ramp(25.0)
    plain = orientations(image, detector)
    assert orientations(image + outside, detector).tolist() == plain.tolist()
    assert orientations(image + inside, detector).tolist() != plain.tolist()


@pytest.mark.parametrize("detector", [STANDARD, LOWE, WIDE], ids=["standard", "lowe", "wide"])
def test_last_two_rows_and_columns_are_left_out(detector: DetectorParams) -> None:
    """Closed form: their pixels reach the gradients of the third last, and no further."""
    image = ramp(25.0)
    plain = orientations(image, detector, xy=(90.0, 90.0))
    for change, rows in ((False, slice(-1, None)), (True, slice(-2, None))):
        for axis in (0, 1):
            other = image.copy()
            np.moveaxis(other, axis, 0)[rows] += 0.2
            assert (orientations(other, detector, xy=(90.0, 90.0)).tolist() != plain.tolist()) == change


@pytest.mark.parametrize("radius", [1, 7, 40])
def test_windows_are_squares_around_their_pixels(radius: int) -> None:
    """Closed form: the tile's own pixels, of windows wider than its rows too, up to its last pixel."""
    tile = tile_of(np.random.default_rng(5).random((2, 40, 21)))
    flat, stride = tile.levels.reshape(-1), tile.stride
    last = flat.size - 1 - radius * (stride + 1)
    centre = np.array([radius * (stride + 1), flat.size // 2, last])
    square = np.arange(-radius, radius + 1)
    expected = flat[centre[:, None, None] + square[:, None] * stride + square]
    np.testing.assert_array_equal(gradients.windows(tile, centre, radius), expected)
