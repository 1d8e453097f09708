"""Orientation bins by basis functions: against the parallelogram, and beside bins that are linear in the angle."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import tolerances

from siftcli.engine import descriptor, lowe_descriptor

Array = npt.NDArray[np.float64]

TURN = np.linspace(-np.pi, np.pi, 8 * 101)


def bins_of(x: Array, y: Array) -> Array:
    """The eight bins of vectors, (8, N), by the basis functions."""
    basis = np.empty((descriptor.BASIS, x.size), np.float32)
    basis[:2] = x, y
    descriptor.fill_basis(basis)
    return np.asarray(descriptor.basis_to_bins() @ basis, np.float64)


def parallelogram(x: float, y: float) -> Array:
    """Slow reference: the two directions that a vector lies between, and their lengths by a system of equations."""
    out = np.zeros(8)
    k = int(np.floor(np.arctan2(y, x) / (np.pi / 4))) % 8
    pair = [k, (k + 1) % 8]
    angle = np.array(pair) * np.pi / 4
    out[pair] = np.linalg.solve(np.stack([np.cos(angle), np.sin(angle)]), [x, y])
    return out


@pytest.mark.parametrize("length", [1e-4, 1.0, 3e4])
def test_bins_are_the_sides_of_the_parallelogram(length: float) -> None:
    """Slow reference, in all directions, axes and diagonals included."""
    x, y = length * np.cos(TURN), length * np.sin(TURN)
    expected = np.stack([parallelogram(*xy) for xy in zip(x, y, strict=True)], axis=1)
    np.testing.assert_allclose(bins_of(x, y), expected, atol=tolerances.FLOAT32 * length)


def test_bins_add_up_to_the_vector() -> None:
    """Closed form: the sum of the bins' vectors."""
    x, y = np.random.default_rng(0).standard_normal((2, 500))
    angle = np.arange(8) * np.pi / 4
    found = np.stack([np.cos(angle), np.sin(angle)]) @ bins_of(x, y)
    np.testing.assert_allclose(found, [x, y], atol=4 * tolerances.FLOAT32)


def test_how_far_bins_are_from_linear_ones() -> None:
    """Closed form: what the module's text says of them; linear ones are those that the preset lowe has."""
    found = bins_of(np.cos(TURN), np.sin(TURN))
    basis = np.empty((lowe_descriptor.BASIS, TURN.size), np.float32)
    lowe_descriptor.fill_basis(TURN.astype(np.float32), basis)
    linear = lowe_descriptor.basis_to_bins() @ basis
    total = found.sum(axis=0)
    assert total.min() == pytest.approx(1, abs=1e-6)
    assert total.max() == pytest.approx(1 / np.cos(np.pi / 8), abs=1e-4)
    assert 0.010 < np.abs(found / total - linear).max() < 0.011
    hats = np.maximum(0, 1 - np.abs((TURN * 4 / np.pi - np.arange(8)[:, None] + 4) % 8 - 4))
    np.testing.assert_allclose(linear, hats, atol=tolerances.FLOAT32)
