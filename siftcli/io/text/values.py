"""Numbers and bytes from the tokens of a text.

A function that finds something else calls its argument `fail` with a message and the position in the text; this raises
the error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["SPACE", "WHOLE", "Fail", "Float64", "Index", "UInt8", "byte_classes", "bytes_from", "numbers_from", "shown"]

UInt8: TypeAlias = npt.NDArray[np.uint8]
Float64: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.intp]
Fail: TypeAlias = Callable[[str, int], NoReturn]

SPACE, _OTHER = 0, 255
"""Classes of bytes; that of a digit is the digit + 1."""


def _classes() -> bytes:
    classes = bytearray([_OTHER]) * 256
    for byte in b" \t\n\r\v\f":
        classes[byte] = SPACE
    for digit in range(10):
        classes[ord("0") + digit] = digit + 1
    return bytes(classes)


_CLASSES = _classes()
_NUMBER = re.compile(rb"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_IN_NUMBERS = b"0123456789+-.eE \t\n\r\v\f"
WHOLE = re.compile(rb"[+-]?\d{1,18}")


def byte_classes(text: bytes) -> UInt8:
    """Return the class of every byte: `SPACE`, a digit + 1, or another number."""
    return np.frombuffer(text.translate(_CLASSES), np.uint8)


def shown(token: bytes) -> str:
    """Show a token in a message: printable, and short."""
    return ascii(token[:24].decode("latin-1") + ("..." if len(token) > 24 else ""))


def numbers_from(
    text: bytes, names: tuple[str, ...], positive: tuple[int, ...], spans: list[tuple[int, int]], fail: Fail
) -> Float64:
    """Read the numbers in each span of a text.

    Parameters
    ----------
    text : bytes
    names : tuple of str
        The names of the numbers of a span, for messages.
    positive : tuple of int
        Indices of the numbers that must not be below zero.
    spans : list of (int, int)
        First position of each span, and the one after its last.
    fail : callable
        Raises the error.

    Returns
    -------
    (N, K) float64
        Finite as float32.
    """
    joined = b" ".join([text[i:j] for i, j in spans])
    if not joined.translate(None, _IN_NUMBERS):
        try:
            numbers = np.array(list(map(float, joined.split()))).reshape(len(spans), -1)
        except ValueError:
            pass
        else:
            with np.errstate(over="ignore"):
                finite = np.isfinite(numbers.astype(np.float32)).all()
            if finite and (numbers[:, positive] >= 0).all():
                return numbers
    for begin, end in spans:
        for column, token in enumerate(re.finditer(rb"\S+", text[begin:end])):
            _check_number(names[column], column in positive, token[0], begin + token.start(), fail)
    raise AssertionError("numbers were refused without a reason")


def _check_number(what: str, positive: bool, token: bytes, position: int, fail: Fail) -> None:
    if b"," in token and _NUMBER.fullmatch(token.replace(b",", b".")):
        fail(f"{shown(token)} has a decimal comma; write numbers with a point", position)
    if not _NUMBER.fullmatch(token):
        fail(f"{shown(token)} is not a number, as the {what}", position)
    with np.errstate(over="ignore"):
        value = np.float32(float(token))
    if not np.isfinite(value):
        fail(f"{shown(token)} is too large for the {what}", position)
    if positive and value < 0:
        fail(f"{shown(token)} is below zero, as the {what}", position)


def bytes_from(text: bytes, codes: UInt8, last: Index, columns: slice, fail: Fail) -> UInt8:
    """Read integers 0-255 from tokens.

    Parameters
    ----------
    text : bytes
    codes : (len(text),) uint8
        Its byte classes.
    last : (N, W) int
        The position of the last byte of every token of every record.
    columns : slice
        The tokens of a record that are read.
    fail : callable
        Raises the error.

    Returns
    -------
    (N, M) uint8
    """
    split = columns.start
    at = last[:, columns].copy()
    ones = codes[at]
    at -= 1
    tens = codes[at]
    at -= 1
    hundreds = codes[at] * (tens != SPACE)
    at -= 1
    longer = codes[at] * (hundreds != SPACE)
    values = ones.astype(np.int16) - 1
    values += 10 * np.maximum(tens, 1).astype(np.int16) - 10
    values += 100 * np.maximum(hundreds, 1).astype(np.int16) - 100
    bad = (values > 255) | (longer != SPACE)
    bad |= np.maximum(np.maximum(ones, tens), hundreds) == _OTHER
    for i, j in zip(*np.nonzero(bad), strict=True):
        position = int(last[i, j + split])
        begin = int(last.flat[i * last.shape[1] + j + split - 1]) + 1 if i or j or split else 0
        token = text[begin : position + 1].strip()
        digits = token.lstrip(b"0") or b"0"
        if not token.isdigit() or len(digits) > 3 or int(digits) > 255:
            fail(f"{shown(token)} is not a whole number from 0 to 255, as a descriptor has", position)
        values[i, j] = int(digits)
    return values.astype(np.uint8)
