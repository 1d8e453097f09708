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

from siftcli.engine.gaussian import BLOCK, Operator, blur_columns, blur_rows, kernel, operator, widening

SIGMAS = (0.4, 0.8, 1.2489996, 1.5450078, 1.946588, 3.0900156)


def apply(image: npt.NDArray[np.floating], op: Operator) -> npt.NDArray[np.floating]:
    """Both passes over a whole image of which all but the reach of the operator is used."""
    blocks = [max(1, (size - op.before - op.after) // op.step + 1) for size in image.shape]
    half = np.empty((1, blocks[0] * BLOCK, image.shape[1]), op.matrix.dtype)
    blur_columns(np.ascontiguousarray(image[None], op.matrix.dtype), op, half)
    out = np.empty((1, blocks[0] * BLOCK, blocks[1] * BLOCK), op.matrix.dtype)
    blur_rows(half, op, out)
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
    assert operator(0.0).identity
    assert not operator(0.5).identity


@pytest.mark.parametrize("octave", [-1, 0, 1])
def test_gain_multiplies_the_output(octave: int) -> None:
    """Invariance: the bits of the output times a power of 2; without blur, it is no identity any more."""
    image = np.random.default_rng(8).random((80, 96), np.float32)
    once, more = (apply(image, operator(1.3, octave, gain=gain)) for gain in (1.0, 128.0))
    assert (more == once * 128.0**2).all()
    assert once.size
    assert not operator(0.0, gain=128.0).identity


def test_blurred_impulse_is_the_kernel() -> None:
    """Closed form: the outer product of the taps."""
    op, taps = operator(1.6), kernel(1.6)
    image = np.zeros((64, 80))
    image[30, 40] = 1
    out = apply(image, op)
    expected = np.zeros_like(out)
    row, column = 30 - op.before, 40 - op.before
    expected[row - op.before : row + op.before + 1, column - op.before : column + op.before + 1] = np.outer(taps, taps)
    np.testing.assert_allclose(out, expected, atol=tolerances.FLOAT32)


@given(st.sampled_from(SIGMAS), st.booleans(), st.integers(0, 2**32 - 1))
def test_matrix_product_is_convolution(sigma: float, double: bool, seed: int) -> None:
    """Slow reference: scipy.ndimage.correlate1d in double precision, away from the border."""
    op = operator(sigma, double=double)
    image = np.random.default_rng(seed).random((72, 88), np.float32)
    out = apply(image, op)
    inner = slice(op.before, op.before + out.shape[0]), slice(op.before, op.before + out.shape[1])
    expected = reference.blur(image.astype(np.float64), sigma)[inner]
    np.testing.assert_allclose(out, expected, atol=tolerances.DOUBLE if double else tolerances.FLOAT32)


@given(st.sampled_from([0.8, 1.2489996, 3.0]), st.integers(0, 2**32 - 1))
def test_upsampling_operator_is_doubling_then_blur(sigma: float, seed: int) -> None:
    """Slow reference: the doubled image, blurred; sigma in its pixels."""
    op = operator(sigma, -1)
    image = np.random.default_rng(seed).random((48, 56), np.float32)
    out = apply(image, op)
    expected = reference.blur(reference.double(image.astype(np.float64)), sigma)
    start = 2 * op.before
    expected = expected[start : start + out.shape[0], start : start + out.shape[1]]
    np.testing.assert_allclose(out[: expected.shape[0], : expected.shape[1]], expected, atol=tolerances.FLOAT32)


def test_two_fold_upsampling_operator_is_doubling_twice() -> None:
    """Slow reference: the image doubled twice, then blurred."""
    op = operator(2.0, -2)
    image = np.random.default_rng(0).random((40, 48), np.float32)
    out = apply(image, op)
    expected = reference.blur(reference.double(reference.double(image.astype(np.float64))), 2.0)
    start = 4 * op.before
    size = 4 * 20  # away from the other border, where doubling twice ends earlier
    np.testing.assert_allclose(
        out[:size, :size], expected[start : start + size, start : start + size], atol=tolerances.FLOAT32
    )


@given(st.sampled_from([0.8, 1.5, 2.7]), st.integers(0, 2**32 - 1))
def test_decimating_operator_is_blur_then_every_second(sigma: float, seed: int) -> None:
    """Slow reference: the blurred image at every second row and column."""
    op = operator(sigma, 1)
    image = np.random.default_rng(seed).random((120, 136), np.float32)
    out = apply(image, op)
    expected = reference.blur(image.astype(np.float64), sigma)[op.before :: 2, op.before :: 2]
    rows, columns = out.shape
    np.testing.assert_allclose(out, expected[:rows, :columns], atol=tolerances.FLOAT32)


UPPER = ((1.946588, 2.5398417), (2.452548, 3.2), (3.0900156, 4.0317474))
"""The blurs of the three upper levels of an octave, and those that they add to."""


@given(st.sampled_from(UPPER), st.integers(0, 2**32 - 1))
def test_widening_operator_needs_every_second_sample_only(blurs: tuple[float, float], seed: int) -> None:
    """Slow reference: a blurred image, blurred again with all of its samples."""
    sigma, smooth = blurs
    op = widening(sigma, smooth)
    image = reference.blur(np.random.default_rng(seed).random((112, 136)), smooth)
    out = apply(image[::2, ::2], op)
    start = 2 * op.before
    expected = reference.blur(image, sigma)[start : start + out.shape[0], start : start + out.shape[1]]
    np.testing.assert_allclose(out, expected, atol=tolerances.WIDENED)


@pytest.mark.parametrize("blurs", UPPER)
def test_widening_operator_has_the_gain_of_the_kernel(blurs: tuple[float, float]) -> None:
    """Closed form: the sum of the taps, for even and for odd samples."""
    np.testing.assert_allclose(widening(*blurs).matrix.sum(axis=1), kernel(blurs[0]).sum(), atol=tolerances.FLOAT32)


@pytest.mark.parametrize("op", [operator(1.6), *(widening(*blurs) for blurs in UPPER)])
def test_reach_is_how_far_an_impulse_comes(op: Operator) -> None:
    """Closed form: the last input sample of a block, in output samples from the block's end."""
    last = np.flatnonzero(op.matrix.any(axis=0)).max() - op.before
    assert BLOCK <= last * BLOCK // op.step < BLOCK + op.reach + BLOCK // op.step
