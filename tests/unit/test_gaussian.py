"""The blur: against the closed form of its kernel, and against plain convolution."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tolerances
from hypothesis import given
from hypothesis import strategies as st

from siftcli.engine.gaussian import (
    BLOCK,
    BandedFilter,
    blur_columns,
    blur_rows,
    decimated_filter,
    gaussian_filter,
    kernel,
)

SIGMAS = (0.4, 0.8, 1.2489996, 1.5450078, 1.946588, 3.0900156)


def apply(image: npt.NDArray[np.floating], banded: BandedFilter) -> npt.NDArray[np.floating]:
    """Both passes over a whole image of which all but the radius of the filter is used."""
    blocks = [max(1, (size - banded.left_support - banded.right_support) // banded.step + 1) for size in image.shape]
    half = np.empty((1, blocks[0] * BLOCK, image.shape[1]), banded.matrix.dtype)
    blur_columns(np.ascontiguousarray(image[None], banded.matrix.dtype), banded, half)
    out = np.empty((1, blocks[0] * BLOCK, blocks[1] * BLOCK), banded.matrix.dtype)
    blur_rows(half, banded, out)
    return np.asarray(out[0])


@pytest.mark.parametrize("sigma", SIGMAS)
def test_taps_are_a_sampled_gaussian(sigma: float) -> None:
    """Closed form: ratios exp(-(2 i + 1) / 2 sigma^2), symmetric, 4 sigma to each side."""
    taps = kernel(sigma)
    radius = len(taps) // 2
    assert radius == max(3, math.floor(8 * sigma + 1)) // 2
    assert np.array_equal(taps, taps[::-1])
    steps = np.arange(radius)
    np.testing.assert_allclose(taps[radius + 1 :] / taps[radius:-1], np.exp(-(2 * steps + 1) / (2 * sigma**2)))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_gain_is_short_by_one_tap(sigma: float) -> None:
    """Closed form: what Lowe's program leaves out is the tap after the last."""
    taps = kernel(sigma)
    missing = taps[len(taps) // 2] * math.exp(-((len(taps) // 2 + 1) ** 2) / (2 * sigma**2))
    assert 1 - taps.sum() == pytest.approx(missing, rel=1e-6)
    assert missing > 0


@pytest.mark.parametrize("sigma", [0.8, 1.2489996, 3.0900156])
def test_kernel_has_its_variance(sigma: float) -> None:
    """Closed form: the second moment is sigma^2, less what lies beyond 4 sigma."""
    taps = kernel(sigma)
    x = np.arange(len(taps)) - len(taps) // 2
    assert (taps * x * x).sum() == pytest.approx(sigma**2, rel=tolerances.KERNEL_VARIANCE)


def test_no_blur_is_the_identity() -> None:
    """Closed form: the unit impulse."""
    assert kernel(0.0).tolist() == [1.0]
    assert gaussian_filter(0.0).identity
    assert not gaussian_filter(0.5).identity


@pytest.mark.parametrize("octave", [-1, 0, 1])
def test_gain_multiplies_the_output(octave: int) -> None:
    """Invariance: the bits of the output times a power of 2; without blur, it is no identity any more."""
    image = np.random.default_rng(8).random((80, 96), np.float32)
    once, more = (apply(image, gaussian_filter(1.3, octave, gain=gain)) for gain in (1.0, 128.0))
    assert (more == once * 128.0**2).all()
    assert once.size
    assert not gaussian_filter(0.0, gain=128.0).identity


def test_blurred_impulse_is_the_kernel() -> None:
    """Closed form: the outer product of the taps."""
    banded, taps = gaussian_filter(1.6), kernel(1.6)
    image = np.zeros((64, 80))
    image[30, 40] = 1
    out = apply(image, banded)
    expected = np.zeros_like(out)
    row, column = 30 - banded.left_support, 40 - banded.left_support
    expected[
        row - banded.left_support : row + banded.left_support + 1,
        column - banded.left_support : column + banded.left_support + 1,
    ] = np.outer(taps, taps)
    np.testing.assert_allclose(out, expected, atol=tolerances.FLOAT32)


@given(st.sampled_from(SIGMAS), st.booleans(), st.integers(0, 2**32 - 1))
def test_matrix_product_is_convolution(sigma: float, double: bool, seed: int) -> None:
    """Slow reference: scipy.ndimage.correlate1d in double precision, away from the border."""
    banded = gaussian_filter(sigma, double=double)
    image = np.random.default_rng(seed).random((72, 88), np.float32)
    out = apply(image, banded)
    inner = (
        slice(banded.left_support, banded.left_support + out.shape[0]),
        slice(banded.left_support, banded.left_support + out.shape[1]),
    )
    expected = reference.blur(image.astype(np.float64), sigma)[inner]
    np.testing.assert_allclose(out, expected, atol=tolerances.DOUBLE if double else tolerances.FLOAT32)


@given(st.sampled_from([0.8, 1.2489996, 3.0]), st.integers(0, 2**32 - 1))
def test_upsampling_filter_is_doubling_then_blur(sigma: float, seed: int) -> None:
    """Slow reference: the doubled image, blurred; sigma in its pixels."""
    banded = gaussian_filter(sigma, -1)
    image = np.random.default_rng(seed).random((48, 56), np.float32)
    out = apply(image, banded)
    expected = reference.blur(reference.double(image.astype(np.float64)), sigma)
    start = 2 * banded.left_support
    expected = expected[start : start + out.shape[0], start : start + out.shape[1]]
    np.testing.assert_allclose(out[: expected.shape[0], : expected.shape[1]], expected, atol=tolerances.FLOAT32)


def test_two_fold_upsampling_filter_is_doubling_twice() -> None:
    """Slow reference: the image doubled twice, then blurred."""
    banded = gaussian_filter(2.0, -2)
    image = np.random.default_rng(0).random((40, 48), np.float32)
    out = apply(image, banded)
    expected = reference.blur(reference.double(reference.double(image.astype(np.float64))), 2.0)
    start = 4 * banded.left_support
    size = 4 * 20  # away from the other border, where doubling twice ends earlier
    np.testing.assert_allclose(
        out[:size, :size], expected[start : start + size, start : start + size], atol=tolerances.FLOAT32
    )


@given(st.sampled_from([0.8, 1.5, 2.7]), st.integers(0, 2**32 - 1))
def test_decimating_filter_is_blur_then_every_second(sigma: float, seed: int) -> None:
    """Slow reference: the blurred image at every second row and column."""
    banded = gaussian_filter(sigma, 1)
    image = np.random.default_rng(seed).random((120, 136), np.float32)
    out = apply(image, banded)
    expected = reference.blur(image.astype(np.float64), sigma)[banded.left_support :: 2, banded.left_support :: 2]
    rows, columns = out.shape
    np.testing.assert_allclose(out, expected[:rows, :columns], atol=tolerances.FLOAT32)


UPPER = ((1.946588, 2.5398417), (2.452548, 3.2), (3.0900156, 4.0317474))
"""The blurs of the three upper levels of an octave, and those that they add to."""


@given(st.sampled_from(UPPER), st.integers(0, 2**32 - 1))
def test_decimated_filter_needs_every_second_sample_only(blurs: tuple[float, float], seed: int) -> None:
    """Slow reference: a blurred image, blurred again with all of its samples."""
    sigma, smooth = blurs
    banded = decimated_filter(sigma, smooth)
    image = reference.blur(np.random.default_rng(seed).random((112, 136)), smooth)
    out = apply(image[::2, ::2], banded)
    start = 2 * banded.left_support
    expected = reference.blur(image, sigma)[start : start + out.shape[0], start : start + out.shape[1]]
    np.testing.assert_allclose(out, expected, atol=tolerances.DECIMATED)


@pytest.mark.parametrize("blurs", UPPER)
def test_decimated_filter_has_the_gain_of_the_kernel(blurs: tuple[float, float]) -> None:
    """Closed form: the sum of the taps, for even and for odd samples."""
    np.testing.assert_allclose(
        decimated_filter(*blurs).matrix.sum(axis=1), kernel(blurs[0]).sum(), atol=tolerances.FLOAT32
    )


@pytest.mark.parametrize("banded", [gaussian_filter(1.6), *(decimated_filter(*blurs) for blurs in UPPER)])
def test_reach_is_how_far_an_impulse_comes(banded: BandedFilter) -> None:
    """Closed form: the last input sample of a block, in output samples from the block's end."""
    last = np.flatnonzero(banded.matrix.any(axis=0)).max() - banded.left_support
    assert BLOCK <= last * BLOCK // banded.step < BLOCK + banded.radius + BLOCK // banded.step
