"""Conventions: every conversion against its definition, and there and back."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from siftcli import conventions

byte_descriptors = arrays(np.uint8, st.tuples(st.integers(0, 4), st.just(128)))
angles = arrays(np.float32, st.integers(0, 6), elements=st.floats(-10, 10, width=32))


def vlfeat(descriptor: npt.NDArray[np.uint8], y: int, x: int, k: int) -> int:
    """One value by its place in the library's layout."""
    return int(descriptor[(y * 4 + x) * 8 + k])


@pytest.mark.parametrize(("value", "byte"), [(0.0, 0), (0.25, 128), (0.2, 102), (1 / 512 - 1e-6, 0), (1.0, 255)])
def test_quantise(value: float, byte: int) -> None:
    """Closed form: min(255, floor(512 d))."""
    assert conventions.quantise(np.array([[value]], np.float32)).tolist() == [[byte]]


@given(arrays(np.float32, (1, 128), elements=st.floats(0, 1, width=32)))
def test_quantise_never_wraps(values: npt.NDArray[np.float32]) -> None:
    """Closed form: in exact arithmetic, value by value."""
    expected = [min(255, math.floor(512 * float(v))) for v in values[0]]
    assert conventions.quantise(values).tolist() == [expected]


def test_dequantise() -> None:
    """Closed form: unit norm; zero stays zero."""
    d = np.zeros((3, 128), np.uint8)
    d[0, :2] = 3, 4
    d[1] = 255
    out = conventions.dequantise(d)
    assert out[0, :2].tolist() == pytest.approx([0.6, 0.8])
    assert np.linalg.norm(out, axis=1).tolist() == pytest.approx([1, 1, 0])


def test_descriptors_of_norm_512_from_floats() -> None:
    """Closed form: min(255, rint(512 d))."""
    values = np.array([[0.0, 0.25, 0.2, 1.4 / 512, 1.6 / 512, 1.0]], np.float32)
    assert conventions.quantise_512(values).tolist() == [[0, 128, 102, 1, 2, 255]]


def test_descriptors_of_norm_512_from_bytes_that_were_rounded_down() -> None:
    """Unit vectors rounded down have norm 508; they get 512, no element is off by more than one, once is enough."""
    rng = np.random.default_rng(0)
    unit = np.minimum(rng.gamma(0.6, 1, (200, 128)), 4)
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    unit = unit[unit.max(axis=1) < 255 / 512]
    floored = conventions.quantise(unit.astype(np.float32))
    assert np.median(np.linalg.norm(floored.astype(float), axis=1)) < 509
    rounded = conventions.quantise_512(floored)
    np.testing.assert_allclose(np.linalg.norm(rounded.astype(float), axis=1), 512, atol=0.3)
    assert np.abs(rounded - 512 * unit).max() <= 1
    assert ((rounded == 0) == (floored == 0)).all()
    np.testing.assert_array_equal(conventions.quantise_512(rounded), rounded)


@given(byte_descriptors, st.floats(480, 535))
def test_norm_512_is_reached_once_for_all(descriptors: npt.NDArray[np.uint8], norm: float) -> None:
    """Idempotence: bytes that were brought to norm 512 are not changed again, whatever is among them."""
    norms = np.maximum(np.linalg.norm(descriptors.astype(float), axis=1, keepdims=True), 1)
    for given_ in (descriptors, np.minimum(descriptors * norm / norms, 255).astype(np.uint8)):
        once = conventions.quantise_512(given_)
        np.testing.assert_array_equal(conventions.quantise_512(once), once)


def test_a_descriptor_far_from_norm_512_stays_as_it_is() -> None:
    """Two descriptors of norms 529 and 483: neither was rounded down from 512."""
    odd = np.full((2, 128), 35, np.uint8)
    odd[0, :6] = 182, 254, 50, 174, 3, 0
    odd[1, :3] = 253, 92, 87
    np.testing.assert_array_equal(conventions.quantise_512(odd), odd)


def test_descriptors_that_are_rounded_clipped_or_zero_stay_as_they_are() -> None:
    rounded = np.full((3, 128), 45, np.uint8)
    rounded[:, :2] = 64  # norm (126 * 45^2 + 2 * 64^2)^(1/2) = 513.2
    rounded[:, 2] = 32  # and with one of 32: 512.2
    np.testing.assert_array_equal(conventions.quantise_512(rounded), rounded)
    odd = np.zeros((2, 128), np.uint8)
    odd[0, :2] = 255
    np.testing.assert_array_equal(conventions.quantise_512(odd), odd)
    assert conventions.quantise_512(np.zeros((0, 128), np.uint8)).shape == (0, 128)


@given(byte_descriptors)
def test_flip_bins_is_lowes_order_and_its_own_inverse(d: npt.NDArray[np.uint8]) -> None:
    """Closed form: bin k of a cell is bin (8 - k) mod 8; the cells keep their order."""
    out = conventions.flip_bins(d)
    assert np.array_equal(conventions.flip_bins(out), d)
    for a, b in zip(d, out, strict=True):
        for y, x, k in ((0, 0, 0), (0, 3, 1), (2, 1, 7), (3, 3, 4)):
            assert vlfeat(b, y, x, k) == vlfeat(a, y, x, (8 - k) % 8)


def test_a_gradient_keeps_its_bin_when_both_are_flipped() -> None:
    """Closed form: a gradient at angle a (y down) to the orientation lies at -a (y up)."""
    for k in range(8):
        a = k * math.pi / 4
        descriptor = np.zeros((1, 128), np.uint8)
        descriptor[0, round(a * 4 / math.pi) % 8] = 1
        assert conventions.flip_bins(descriptor)[0, round(-a * 4 / math.pi) % 8] == 1


@given(angles)
def test_flip_angles(a: npt.NDArray[np.float32]) -> None:
    """Closed form: the same direction with y up; there and back, bit by bit."""
    up = conventions.flip_angles(a)
    np.testing.assert_allclose(np.sin(up), -np.sin(a), atol=1e-6)
    np.testing.assert_allclose(np.cos(up), np.cos(a), atol=1e-6)
    assert np.array_equal(conventions.flip_angles(up), a)


@given(arrays(np.float32, st.tuples(st.integers(0, 5), st.just(2)), elements=st.floats(-1, 5000, width=32)))
def test_origins(xy: npt.NDArray[np.float32]) -> None:
    """Closed form: the first pixel's centre is (0, 0) here and (0.5, 0.5) there; there and back."""
    corner = conventions.corner_origin(xy)
    np.testing.assert_array_equal(corner, xy.astype(np.float64) + 0.5)
    np.testing.assert_allclose(conventions.pixel_origin(corner), xy, rtol=1e-7, atol=1e-12)


@given(angles)
def test_wrapped(a: npt.NDArray[np.float32]) -> None:
    """Closed form: in [-pi, pi), the same direction, idempotent."""
    out = conventions.wrapped(a)
    assert out.dtype == np.float32
    assert ((out >= np.float32(-np.pi)) & (out < np.float32(np.pi))).all()
    np.testing.assert_allclose(np.exp(1j * out), np.exp(1j * a.astype(float)), atol=2e-6)
    assert np.array_equal(conventions.wrapped(out), out)


def test_wrapped_ends() -> None:
    """Closed form: -pi stays, pi becomes it, and the number before pi stays."""
    pi = np.float32(np.pi)
    before = np.nextafter(pi, np.float32(0))
    out = conventions.wrapped(np.array([-pi, pi, 3 * pi, before]))
    assert (out[0], out[3]) == (-pi, before)
    assert (out[1:3] >= -pi).all()
    np.testing.assert_allclose(out[1:3], -np.pi, atol=2e-6)


@given(angles)
def test_ipol_angles(a: npt.NDArray[np.float32]) -> None:
    """Closed form: measured from the row axis (down) towards the column axis (right)."""
    out = conventions.ipol_angles(conventions.wrapped(a))
    np.testing.assert_allclose(np.cos(out), np.sin(a.astype(float)), atol=2e-6)  # the row component
    np.testing.assert_allclose(np.sin(out), np.cos(a.astype(float)), atol=2e-6)  # the column component


@given(byte_descriptors)
def test_ipol_bins(d: npt.NDArray[np.uint8]) -> None:
    """Closed form: [i][j][k] is the library's [3 - j][i][(8 - k) mod 8]; there and back."""
    out = conventions.ipol_bins(d)
    assert np.array_equal(conventions.library_bins(out), d)
    for a, b in zip(d, out, strict=True):
        for i, j, k in ((0, 0, 0), (3, 1, 2), (2, 3, 7)):
            assert vlfeat(b, i, j, k) == vlfeat(a, 3 - j, i, (8 - k) % 8)


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(-3.1, 3.1)), max_size=5))
def test_similarity_is_an_affine_map(frames: list[tuple[float, float]]) -> None:
    """Closed form: sigma R(orientation), y down; there and back."""
    scales, orientations = np.array(frames, np.float32).reshape(-1, 2).T
    affine = conventions.affine_of(scales, orientations)
    for a, s, o in zip(affine, scales, orientations, strict=True):
        expected = s * np.array([[math.cos(o), -math.sin(o)], [math.sin(o), math.cos(o)]])
        np.testing.assert_allclose(a, expected, rtol=1e-5, atol=1e-5)
    back = conventions.similarity_of(affine)
    np.testing.assert_allclose(back[0], scales, rtol=1e-5)
    np.testing.assert_allclose(back[1], orientations, atol=1e-5)
