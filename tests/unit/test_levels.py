"""The range of an image.  Oracle: the closed form (value - black) / (white - black), cut off at 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import siftcli
from siftcli.errors import ParameterError
from siftcli.features import Image
from siftcli.io.levels import Stated, check_levels, graded

TYPES = ["u1", "<u2", ">u2", "<u4", ">u8", "i1", ">i2", "<i4", "i8", "<f2", ">f4", "f8"]
QUARTERS = np.array([[0.0, 0.25, 0.5, 1.0]])


def unit(image: Image) -> np.ndarray:
    """What the engine makes of an image."""
    assert image.dtype in (np.uint8, np.uint16, np.float32)
    assert image.dtype.isnative
    return image / {"u1": 255.0, "u2": 65535.0}.get(image.dtype.str[1:], 1.0)


@given(st.data(), st.sampled_from(TYPES), st.floats(-1000, 1000), st.floats(1, 70000))
def test_a_range_that_is_given_holds_for_every_type(data: st.DataObject, kind: str, low: float, span: float) -> None:
    finite = {"allow_nan": False, "allow_infinity": False} if "f" in kind else None
    values = data.draw(arrays.arrays(kind, (2, 3), elements=finite))
    before = values.copy()
    image, note = graded(values, (low, low + span))
    wanted = ((values.astype(np.longdouble) - low) / span).clip(0, 1)
    np.testing.assert_allclose(unit(image), wanted, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(values, before)
    assert note is None


@pytest.mark.parametrize("kind", TYPES)
def test_the_whole_range_of_a_type(kind: str) -> None:
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        values, wanted = np.array([[-1, 0, 0.5, 1, 2]], dtype), [[0, 0, 0.5, 1, 1]]
    else:
        limits = np.iinfo(dtype)
        values, wanted = np.array([[limits.min, limits.max]], dtype), [[0, 1]]
    image, note = graded(values, "full")
    np.testing.assert_array_equal(unit(image), wanted)
    assert note is None


@pytest.mark.parametrize(
    ("kind", "white", "low", "note"),
    [
        ("u1", 255, 0, None),
        ("i1", 255, -128, None),
        (">u2", 65535, 0, None),
        ("<i2", 65535, -32768, None),
        ("i4", 2**32 - 1, -(2**31), None),
        ("i2", 4095, 0, "12-bit"),
        ("u4", 1023, 0, "10-bit"),
        ("i8", 16383, 0, "14-bit"),
        ("f8", 255, 0, "8-bit"),
        ("f2", 4095, 0, "12-bit"),
        ("f4", 1, 0, None),
        ("i2", 2000, -400, "stretched"),
        ("f4", 2e6, 0, "stretched"),
        ("i4", 1, 0, "stretched"),
    ],
)
def test_without_a_statement_the_values_tell(kind: str, white: float, low: float, note: str | None) -> None:
    values = np.rint(QUARTERS * white + low) if np.dtype(kind).kind != "f" else QUARTERS * white + low
    image, told = graded(values.astype(kind))
    np.testing.assert_allclose(unit(image), QUARTERS, atol=0.51 / min(white, 65535) + 1e-7)
    assert (told is None) if note is None else (note in str(told) and "--levels" in str(told))


@pytest.mark.parametrize(("high", "white"), [(200, 255), (900, 1023), (4080, 4095), (16000, 16383)])
def test_16_bits_that_fill_less_are_told_and_not_scaled(high: int, white: int) -> None:
    values = np.array([[0, high]], np.uint16)
    image, note = graded(values)
    np.testing.assert_array_equal(image, values)
    assert f"--levels 0,{white}" in str(note)
    assert graded(values, "full")[1] is None
    assert graded(np.array([[0, 16384]], np.uint16))[1] is None
    assert graded(np.zeros((2, 2), np.uint16))[1] is None


def test_a_statement_that_the_values_break_is_told() -> None:
    values = np.array([[100, 5000, 20000]], np.uint16)
    np.testing.assert_allclose(unit(graded(values, stated=Stated(100, 20000, "MaxSampleValue"))[0]), [[0, 49 / 199, 1]])
    image, note = graded(values, stated=Stated(0, 4095, "MaxSampleValue"))
    np.testing.assert_array_equal(image, values)
    assert "MaxSampleValue" in str(note)
    assert graded(values, stated=Stated(0, 4095, "sBIT", optional=True))[1] is None


def test_what_is_masked_has_no_part_in_the_range() -> None:
    values = np.array([[-9999, 0.0, 100, 255, np.nan]], np.float32)
    image, note = graded(values, visible=np.array([[False, True, True, True, False]]))
    np.testing.assert_allclose(image, [[0, 0, 100 / 255, 1, 0]], rtol=1e-6)
    assert "8-bit" in str(note)
    with pytest.raises(ValueError, match="NaN"):
        graded(values)


@pytest.mark.parametrize("wrong", ["", "0", "0,", "a,b", "1,1", "2,1", "nan,1", "0,inf", "0,1,2", (1,), None, 5])
def test_levels_that_are_none(wrong: Any) -> None:
    with pytest.raises(ParameterError, match=r"^levels: "):
        check_levels(wrong)


def test_levels_as_they_are_written() -> None:
    assert check_levels("0,4095") == (0.0, 4095.0)
    assert check_levels("-1e3, 2.5") == (-1000.0, 2.5)
    assert check_levels([0, 1]) == (0.0, 1.0)


@pytest.mark.parametrize("kind", TYPES)
def test_arrays_of_any_type_give_the_keypoints_of_their_picture(kind: str) -> None:
    """Invariance: the same picture in another type."""
    y, x = np.mgrid[:64, :64]
    blob = np.rint(100 * np.exp(-((x - 30.25) ** 2 + (y - 33.75) ** 2) / 32))
    expected = siftcli.detect(blob.astype(np.float32) / 100)
    found = siftcli.detect(blob.astype(kind), levels=(0, 100))
    assert len(found) > 0
    np.testing.assert_allclose(found.xy, expected.xy, atol=0.01)
    again = siftcli.describe(blob.astype(kind), found, levels="0,100")
    np.testing.assert_array_equal(again.descriptors, found.descriptors)


def test_a_type_without_a_customary_range_is_refused() -> None:
    for kind in ("i1", "i2", "u4", "i8", "?"):
        with pytest.raises(ParameterError, match="levels"):
            siftcli.detect(np.zeros((32, 32), kind))
    with pytest.raises(ParameterError, match="real type"):
        siftcli.detect(np.zeros((32, 32), complex), levels="full")
