"""Descriptors: the closed form on a ramp, normalisation, and the window's reach."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import tolerances
from engine_tools import keypoints_at, tile_of
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad  # type: ignore[import-untyped]

from siftcli.engine.descriptor import compute_descriptors, normalise
from siftcli.params import DescriptorParams

Array = npt.NDArray[np.float64]

GRID, PIXELS = DescriptorParams(), DescriptorParams(sampling="pixels")
BOTH = pytest.mark.parametrize("sampling", ["grid", "pixels"])
SIZE = 129
CENTRE = (64.3, 63.8)


def ramp(angle: float, slope: float = 0.003) -> Array:
    """A plane that rises in this direction (radians, y down)."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    return np.asarray(0.5 + slope * (np.cos(angle) * x + np.sin(angle) * y))


def describe(image: Array, angle: float, descriptor: DescriptorParams, sigma: float = 2.4) -> Array:
    """Describe one point of an image; (4, 4, 8) of y, x, orientation."""
    tile = tile_of(np.repeat(image[None], 6, axis=0))
    tile.extrapolate_borders()
    out = compute_descriptors(tile, keypoints_at([CENTRE], sigma), np.array([angle], np.float32), descriptor)
    assert out.dtype == np.float32
    return out.astype(np.float64).reshape(4, 4, 8)


def cell_weights(window_size: float = 2.0) -> Array:
    """Weight of a cell along one axis: its hat times the Gaussian window, integrated."""

    def weight(centre: float) -> float:
        def integrand(u: float) -> float:
            return float(np.exp(-(u**2) / (2 * window_size**2)) * max(0.0, 1 - abs(u - centre)))

        return float(quad(integrand, centre - 1, centre + 1, points=[centre])[0])

    return np.array([weight(centre) for centre in (-1.5, -0.5, 0.5, 1.5)])


def ramp_descriptor(turn: float, *, clamp: float, window_size: float = 2.0) -> Array:
    """The descriptor of a plane that rises in the direction orientation + turn. [Lowe04 §6.1]"""
    cells = np.outer(cell_weights(window_size), cell_weights(window_size))
    bins = np.maximum(0, 1 - np.abs((turn * 4 / np.pi - np.arange(8) + 4) % 8 - 4))
    raw = cells[:, :, None] * bins
    clamped = np.minimum(raw / np.linalg.norm(raw), clamp)
    return np.asarray(clamped / np.linalg.norm(clamped))


@BOTH
@pytest.mark.parametrize("turn", [0.0, np.pi / 4, -np.pi / 2, np.pi, 0.3, 2.0])
@pytest.mark.parametrize("angle", [0.0, 0.6, -2.5])
def test_descriptor_of_a_ramp(sampling: str, turn: float, angle: float) -> None:
    """Closed form: one gradient everywhere; bins turn with the image, cells have the window's weight."""
    descriptor = DescriptorParams(sampling=sampling, clamp=1.0)  # type: ignore[arg-type]
    out = describe(ramp(angle + turn), angle, descriptor)
    np.testing.assert_allclose(out, ramp_descriptor(turn, clamp=1.0), atol=tolerances.RAMP_CELL[sampling])


@BOTH
def test_clamp_comes_between_two_normalisations(sampling: str) -> None:
    """Closed form: the same ramp, whose 16 values of about 1/4 are clamped at 0.2."""
    out = describe(ramp(0.3), 0.3, DescriptorParams(sampling=sampling))  # type: ignore[arg-type]
    np.testing.assert_allclose(out, ramp_descriptor(0.0, clamp=0.2), atol=tolerances.RAMP_CELL[sampling])
    assert np.linalg.norm(out) == pytest.approx(1, abs=1e-6)


@BOTH
def test_window_size(sampling: str) -> None:
    """Closed form: a wide window weighs all inner cells alike."""
    descriptor = DescriptorParams(sampling=sampling, clamp=1.0, window_size=100.0)  # type: ignore[arg-type]
    out = describe(ramp(0.3), 0.3, descriptor)
    expected = ramp_descriptor(0.0, clamp=1.0, window_size=100.0)
    np.testing.assert_allclose(out, expected, atol=tolerances.RAMP_CELL_WIDE)
    assert np.abs(ramp_descriptor(0.0, clamp=1.0) - expected).max() > 2 * tolerances.RAMP_CELL_WIDE


@BOTH
def test_cells_lie_in_the_keypoints_frame(sampling: str) -> None:
    """Closed form: an image with a gradient in one cell of the frame fills that cell, whatever the orientation."""
    sigma, descriptor = 2.4, DescriptorParams(sampling=sampling)  # type: ignore[arg-type]
    y, x = np.mgrid[:SIZE, :SIZE]
    for angle in (0.0, 0.7, np.pi / 2, -2.2):
        for v, u in ((0, 3), (3, 1), (2, 2)):
            offset = np.array([u - 1.5, v - 1.5]) * 3 * sigma
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            at = turn @ offset + CENTRE
            blob = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 2.0**2))
            energy = (describe(blob, angle, descriptor, sigma) ** 2).sum(axis=2)
            assert np.unravel_index(energy.argmax(), (4, 4)) == (v, u)
            assert energy[v, u] > 0.5


@BOTH
def test_magnification_is_the_side_of_a_cell(sampling: str) -> None:
    """Invariance: twice the magnification at half the sigma is the same descriptor."""
    image = np.random.default_rng(0).random((SIZE, SIZE))
    a = describe(image, 0.4, DescriptorParams(sampling=sampling, magnification=6.0), sigma=1.2)  # type: ignore[arg-type]
    b = describe(image, 0.4, DescriptorParams(sampling=sampling, magnification=3.0), sigma=2.4)  # type: ignore[arg-type]
    np.testing.assert_allclose(a, b, atol=tolerances.FLOAT32)


@BOTH
def test_nothing_beyond_two_and_a_half_cells_counts(sampling: str) -> None:
    """Closed form: a change outside the square changes nothing, one inside does."""
    sigma, angle = 2.4, 0.5
    y, x = np.mgrid[:SIZE, :SIZE]
    dx, dy = x - CENTRE[0], y - CENTRE[1]
    reach = np.maximum(abs(np.cos(angle) * dx + np.sin(angle) * dy), abs(np.cos(angle) * dy - np.sin(angle) * dx))
    image = np.random.default_rng(1).random((SIZE, SIZE))
    descriptor = DescriptorParams(sampling=sampling)  # type: ignore[arg-type]
    plain = describe(image, angle, descriptor, sigma)
    far = describe(np.where(reach > 2.5 * 3 * sigma + 3, 0.0, image), angle, descriptor, sigma)
    near = describe(np.where(reach > 2.0 * 3 * sigma, 0.0, image), angle, descriptor, sigma)
    assert np.array_equal(far, plain)
    assert np.abs(near - plain).max() > 0.01


@BOTH
def test_samples_outside_the_image_count_nothing(sampling: str) -> None:
    """Closed form: half of the cells of a point on the border are empty, as the ramp goes on only inside."""
    tile = tile_of(np.repeat(ramp(0.0)[None], 6, axis=0))
    tile.extrapolate_borders()
    descriptor = DescriptorParams(sampling=sampling)  # type: ignore[arg-type]
    for xy, empty in (((0.0, 64.0), np.s_[:, 0]), ((64.0, 0.0), np.s_[0]), ((128.0, 64.0), np.s_[:, 3])):
        out = compute_descriptors(tile, keypoints_at([xy], 2.4), np.zeros(1, np.float32), descriptor).reshape(4, 4, 8)
        assert not out[empty].any()
        assert np.linalg.norm(out) == pytest.approx(1, abs=1e-6)


@BOTH
@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.5, 1e-30])
def test_flat_patch_gives_zero(sampling: str, root: bool, value: float) -> None:
    """Closed form: no gradient, no descriptor; finite, and no warning is raised."""
    descriptor = DescriptorParams(sampling=sampling, root_sift=root)  # type: ignore[arg-type]
    assert not describe(np.full((SIZE, SIZE), value), 0.3, descriptor).any()


histograms = st.lists(st.floats(0, 1e6, width=32), min_size=128, max_size=128)


@given(histograms)
def test_normalise(values: list[float]) -> None:
    """Closed form: [Lowe04 §6.1] in double precision."""
    raw = np.array([values], np.float64)
    expected = np.minimum(raw / max(float(np.linalg.norm(raw)), 1e-30), 0.2)
    expected /= max(float(np.linalg.norm(expected)), 1e-30)
    out = normalise(raw.astype(np.float32), DescriptorParams())
    if np.linalg.norm(raw) > 1e-15:  # below that, squares vanish in float32
        np.testing.assert_allclose(out, expected, atol=tolerances.FLOAT32)
    assert np.isfinite(out).all()


@given(histograms)
def test_root_sift_is_the_root_of_the_shares(values: list[float]) -> None:
    """Closed form: the square root of the L1-normalised SIFT descriptor, of L2 norm 1 itself."""
    raw = np.array([values], np.float32)
    plain = normalise(raw, DescriptorParams()).astype(np.float64)
    root = normalise(raw, DescriptorParams(root_sift=True))
    assert np.isfinite(root).all()
    if plain.any():
        np.testing.assert_allclose(root, np.sqrt(plain / plain.sum()), atol=tolerances.FLOAT32)


def test_one_by_one_as_together() -> None:
    """Invariance: 200 points in one call, and each alone, byte for byte after quantising."""
    rng = np.random.default_rng(2)
    tile = tile_of(rng.random((6, SIZE, SIZE)))
    tile.extrapolate_borders()
    xy = rng.uniform(0, SIZE - 1, (200, 2))
    points = keypoints_at([tuple(p) for p in xy], 2.0)
    angle = rng.uniform(-np.pi, np.pi, 200).astype(np.float32)
    for descriptor in (GRID, PIXELS):
        together = compute_descriptors(tile, points, angle, descriptor)
        alone = [
            compute_descriptors(tile, points.take(np.array([i])), angle[i : i + 1], descriptor)[0] for i in range(200)
        ]
        np.testing.assert_allclose(together, alone, atol=tolerances.FLOAT32)
