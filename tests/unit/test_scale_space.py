"""The Gaussian scale space: sizes, levels and borders, in row tiles and in the atlas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tolerances
from engine_tools import gaussian_levels
from hypothesis import given
from hypothesis import strategies as st

from siftcli.engine.octaves import INTENSITY_SCALE, Octave, octave_shapes, to_unit
from siftcli.engine.pyramid import Pyramid
from siftcli.engine.tuning import TUNING
from siftcli.params import DetectorParams

Pixels = Callable[[str], npt.NDArray[np.uint8]]
LOWE, STANDARD = DetectorParams(variant="lowe"), DetectorParams()


@pytest.fixture(scope="module")
def crop(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """A part of a photograph of odd size."""
    return pixels("astronaut.jpg")[40:169, 150:295]


def test_octave_sizes() -> None:
    """Closed form: 2 H - 2 for each doubling, then half of it rounded down, while both sides have 12 pixels."""
    assert octave_shapes(97, 121, STANDARD) == [(-1, 192, 240), (0, 96, 120), (1, 48, 60), (2, 24, 30), (3, 12, 15)]
    assert octave_shapes(97, 121, DetectorParams(first_octave=0))[:2] == [(0, 97, 121), (1, 48, 60)]
    assert octave_shapes(97, 121, DetectorParams(first_octave=1, octaves=1)) == [(1, 48, 60)]
    assert octave_shapes(97, 121, DetectorParams(first_octave=-2))[:2] == [(-2, 382, 478), (-1, 191, 239)]


@given(st.integers(0, 300), st.integers(0, 300), st.integers(-2, 3))
def test_octaves_end_where_a_side_is_too_short(height: int, width: int, first: int) -> None:
    """Invariance: every octave has 12 pixels a side, the one after the last has not."""
    shapes = octave_shapes(height, width, DetectorParams(first_octave=first))
    assert all(min(shape[1:]) >= 12 for shape in shapes)
    assert [shape[0] for shape in shapes] == list(range(first, first + len(shapes)))
    if shapes:
        assert min(shapes[-1][1:]) // 2 < 12


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_white_is_one(dtype: npt.DTypeLike, white: int) -> None:
    """Closed form: the largest value of the type is 1, half of it a half."""
    out = to_unit(np.array([[[0, white]]], dtype))
    assert out.dtype == np.float32
    assert out.tolist() == [[[0.0, 1.0]]]


@pytest.mark.parametrize("detector", [STANDARD, LOWE], ids=["standard", "lowe"])
def test_levels_without_doubling(crop: npt.NDArray[np.uint8], detector: DetectorParams) -> None:
    """Slow reference: every pixel of every level, borders included."""
    expected = reference.scale_space(crop / 255.0, doubling=False)
    levels = gaussian_levels(crop[None], DetectorParams(first_octave=0, variant=detector.variant))
    assert sorted(levels) == [(octave, 0) for octave in range(len(expected))]
    for octave, values in enumerate(expected):
        np.testing.assert_allclose(levels[octave, 0], values, atol=tolerances.FLOAT32)


def test_levels_of_large_octaves(crop: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow reference: the first levels to rounding; those from every second sample nearly, but for the border."""
    margin = 24
    monkeypatch.setattr(TUNING, "small_octave", 0)
    levels = gaussian_levels(crop[None], DetectorParams(first_octave=0))
    expected = reference.scale_space(crop / 255.0, doubling=False)
    assert sorted(levels) == [(octave, 0) for octave in range(len(expected))]
    np.testing.assert_allclose(levels[0, 0][:3], expected[0][:3], atol=tolerances.FLOAT32)
    for octave, values in enumerate(expected):
        error = np.abs(levels[octave, 0] - values)
        assert error[:, margin:-margin, margin:-margin].max(initial=0) < tolerances.DECIMATED_INSIDE
        assert error.max() < tolerances.DECIMATED_BORDER


def test_levels_of_the_lowe_variant(crop: npt.NDArray[np.uint8]) -> None:
    """Slow reference: every pixel of every level of the doubled image, borders included."""
    levels = gaussian_levels(crop[None], LOWE)
    for octave, values in enumerate(reference.scale_space(crop / 255.0), start=-1):
        np.testing.assert_allclose(levels[octave, 0], values, atol=tolerances.FLOAT32)


def test_levels_of_the_standard_variant(crop: npt.NDArray[np.uint8]) -> None:
    """Slow reference: as for lowe, but for the border.

    The doubled octave's levels come straight from the image, with a border that only comes near a replicated one at
    every level.
    """
    margin = 40
    levels = gaussian_levels(crop[None], STANDARD)
    for octave, values in enumerate(reference.scale_space(crop / 255.0), start=-1):
        error = np.abs(levels[octave, 0] - values)
        assert error[:, margin:-margin, margin:-margin].max(initial=0) < tolerances.DOUBLED_INSIDE
        assert error.max() < tolerances.DOUBLED_BORDER


@pytest.mark.parametrize("first", [-2, -1, 0, 1])
def test_levels_of_a_blob_are_wider_blobs(first: int) -> None:
    """Closed form: a Gaussian of s0 blurred to sigma, of which sigma_input is there already, at 2^octave spacing.

    Octave -2 begins with less blur (0.4 px) than the input has (0.5 px), which stays.
    """
    s0, size, centre = 8.0, 161, np.array([83.3, 76.6])
    y, x = np.mgrid[:size, :size]
    image = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * s0**2)).astype(np.float32)
    levels = gaussian_levels(image[None], DetectorParams(first_octave=first))
    for octave in (first, first + 1):
        unit = 2.0**octave
        y, x = (v * unit for v in np.mgrid[: levels[octave, 0].shape[1], : levels[octave, 0].shape[2]])
        for s, level in enumerate(levels[octave, 0]):
            variance = s0**2 + (1.6 * 2 ** (s / 3) * unit) ** 2 - min(0.5, 1.6 * 2.0**first) ** 2
            expected = s0**2 / variance * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * variance))
            tolerance = tolerances.BLOB_LEVEL if first >= 0 else tolerances.BLOB_LEVEL_INTERPOLATED
            np.testing.assert_allclose(level, expected, atol=tolerance)


@pytest.mark.parametrize("detector", [STANDARD, LOWE], ids=["standard", "lowe"])
def test_constant_stays_constant(detector: DetectorParams) -> None:
    """Closed form: the value times the gain of each blur, which is short by some 1e-5."""
    for levels in gaussian_levels(np.full((1, 60, 90), 0.5, np.float32), detector).values():
        assert np.ptp(levels, axis=(1, 2)).max() < tolerances.FLOAT32
        assert 0.4995 < levels.min() <= levels.max() < 0.5


@pytest.mark.parametrize("detector", [STANDARD, LOWE], ids=["standard", "lowe"])
def test_row_tiles_make_no_difference(
    crop: npt.NDArray[np.uint8], detector: DetectorParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariance: an octave in one tile, and in tiles of 32 rows."""
    monkeypatch.setattr(TUNING, "small_octave", 0)
    whole = gaussian_levels(crop[None], detector)
    monkeypatch.setattr(TUNING, "tile_pixels", 32 * 240)
    monkeypatch.setattr(TUNING, "tile_rows", 32)
    tiles = gaussian_levels(crop[None], detector)
    assert sorted(tiles) == sorted(whole)
    for key, levels in tiles.items():
        np.testing.assert_allclose(levels, whole[key], atol=tolerances.CHUNKING)


def test_stack_makes_no_difference(crop: npt.NDArray[np.uint8]) -> None:
    """Invariance: two images in a stack, and one by one."""
    stack = np.stack([crop, crop[::-1]])
    together = gaussian_levels(stack, STANDARD)
    for image in (0, 1):
        for (octave, _), levels in gaussian_levels(stack[image : image + 1], STANDARD).items():
            np.testing.assert_allclose(together[octave, image], levels, atol=tolerances.CHUNKING)


@given(st.integers(10, 70), st.integers(10, 70), st.integers(1, 3), st.integers(-2, 1))
def test_octaves_of_an_atlas_lie_apart(height: int, width: int, images: int, first: int) -> None:
    """Brute force: no pixel is in two regions or next to two, each is told its own, and each region ends linearly.

    What continues it may come from another product than what it continues, and both are rounded.
    """
    stack = np.random.default_rng(1).random((images, height, width), np.float32)
    for tile in Pyramid.of(stack, DetectorParams(first_octave=first), 9).tiles():
        taken = np.zeros(tile.levels[0].shape, np.intp)
        tile.extrapolate_borders()
        for i, (top, left, rows, columns, _, _) in enumerate(np.transpose(tile.regions)):
            taken[top - 1 : top + rows + 1, left - 1 : left + columns + 1] += 1
            row, column = (grid.ravel() for grid in np.mgrid[top : top + rows, left : left + columns])
            np.testing.assert_array_equal(tile.region_at(row, column), i)
            around = tile.levels[:, top - 1 : top + rows + 1, left - 1 : left + columns + 1]
            for values in (around, around.swapaxes(1, 2)):
                for a, b, c in (values[:, :3].swapaxes(0, 1), values[:, :-4:-1].swapaxes(0, 1)):
                    np.testing.assert_allclose(a[0] + c[0], 2 * b[0], atol=1e-2)  # white is 16,384
                    np.testing.assert_allclose(a + c, 2 * b, atol=4 * tolerances.CHUNKING * INTENSITY_SCALE)
        assert taken.max(initial=0) == 1


@given(st.integers(10, 150), st.integers(10, 150), st.integers(1, 3), st.integers(-2, 1))
def test_small_octaves_blurred_at_once_are_those_blurred_in_blocks(
    height: int, width: int, images: int, first: int
) -> None:
    """Another method: borders that are copied, for any size and beginning."""
    stack = np.random.default_rng(1).random((images, height, width), np.float32)
    detector = DetectorParams(first_octave=first, octaves=2)
    found = gaussian_levels(stack, detector)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Octave, "blur_at_once", lambda *_: False)
        pieces = gaussian_levels(stack, detector)
    assert found.keys() == pieces.keys()
    for octave, levels in pieces.items():
        np.testing.assert_allclose(found[octave], levels, atol=tolerances.CHUNKING)


@given(st.integers(10, 70), st.integers(10, 70), st.integers(1, 3), st.integers(1, 40))
def test_marks_outside_the_octaves_of_an_atlas_are_cleared(height: int, width: int, images: int, border: int) -> None:
    """Brute force: what is left are the pairs of rows that have a pixel inside an octave, as far as its border."""
    stack = np.random.default_rng(1).random((images, height, width), np.float32)
    for tile in Pyramid.of(stack, DetectorParams(border=border), 9).tiles():
        inside = np.zeros(tile.levels[0].shape, np.bool_)
        for top, left, rows, columns, _, _ in np.transpose(tile.regions):
            for row in range(top + border, top + rows - border):
                inside[row, np.arange(left + border, left + columns - border)] = True
        for start, stop in tile.strips():
            marks = np.ones((2, (stop - start) // 2, tile.stride), np.bool_)
            tile.mask_padding(marks, start)
            pairs = inside[start:stop:2] | inside[start + 1 : stop : 2]
            np.testing.assert_array_equal(marks, np.broadcast_to(pairs, marks.shape))


@pytest.mark.parametrize("scales", [1, 2, 3, 5, 8])
def test_every_second_sample_is_enough_where_it_is_taken(
    crop: npt.NDArray[np.uint8], scales: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow reference: for other numbers of scales too, away from the border; fine steps do not take every second."""
    margin = 40
    monkeypatch.setattr(TUNING, "small_octave", 0)
    detector = DetectorParams(first_octave=0, octaves=1, scales_per_octave=scales)
    level = crop / 255.0
    sigma = 0.5
    for s, found in enumerate(gaussian_levels(crop[None], detector)[0, 0]):
        target = 1.6 * 2 ** (s / scales)
        level, sigma = reference.blur(level, (target**2 - sigma**2) ** 0.5), target
        error = np.abs(found - level)[margin:-margin, margin:-margin]
        assert error.max() < tolerances.DECIMATED_INSIDE


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 5000), (6, 6), (13, 3)])
def test_images_too_small_for_an_octave(shape: tuple[int, int]) -> None:
    """Closed form: no octave, no level."""
    assert gaussian_levels(np.ones((1, *shape), np.uint8), STANDARD) == {}
