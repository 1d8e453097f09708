"""Write keypoints as text: numbers by one format operation for many rows, bytes through a table of digits."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["EXACT", "compress", "encode_records"]

UInt8 = npt.NDArray[np.uint8]

EXACT = "%.9g"
"""The shortest fixed format that reproduces every float32."""

_ROWS = 4096
"""Keypoints written at a time."""

_GZIP = 31
"""The `wbits` of zlib for the largest window with a gzip header."""


def encode_records(
    template: str,
    numbers: npt.NDArray[Any],
    integers: UInt8 | None = None,
    *,
    lines: tuple[int, ...] = (),
    separator: bytes = b" ",
    header: bytes = b"",
) -> bytes:
    """Encode one record a row: numbers, then integers 0-255.

    Parameters
    ----------
    template : str
        How the numbers of a row are formatted, such as ``"%.2f %.3f"``; empty if there are none.
    numbers : (N, K) array
        One record a row.
    integers : (N, M) uint8, optional
        What follows the numbers.
    lines : tuple of int
        How many integers go on each of the lines that follow the numbers' own; none given, they go on that line.
    separator : bytes
        One character, before each integer that has something before it or a line of its own.
    header : bytes
        What comes before the records.

    Returns
    -------
    bytes
        Every line ends with LF.
    """
    parts = [header]
    for i in range(0, len(numbers), _ROWS):
        rows = numbers[i : i + _ROWS]
        text = (((template + "\n") * len(rows)) % tuple(rows.ravel().tolist())).encode()
        if integers is not None:
            text = _with_integers(text.split(b"\n")[:-1], integers[i : i + _ROWS], lines, separator)
        parts.append(text)
    return b"".join(parts)


def _with_integers(heads: list[bytes], integers: UInt8, lines: tuple[int, ...], separator: bytes) -> bytes:
    """Interleave lines and integers: one row of fixed width a record, padded with NUL, then squeezed."""
    n, m = integers.shape
    head = np.array(heads)  # padded with NUL
    head = head.astype(f"S{-(-max(head.itemsize, 1) // 4) * 4}")
    width = head.itemsize // 4
    rows = np.empty((n, width + len(lines) + m + 1), np.uint32)
    rows[:, :width] = head.view(np.uint32).reshape(n, width)
    cells = np.take(_cells(separator), integers)
    if not any(heads):
        cells[:, 0] = np.take(_cells(b""), integers[:, 0])
    newline = np.array([b"\n"], dtype="S4").view(np.uint32)[0]
    column = width
    done = 0
    for length in lines or (m,):
        if lines:
            rows[:, column] = newline
            column += 1
        rows[:, column : column + length] = cells[:, done : done + length]
        column += length
        done += length
    rows[:, column] = newline
    return rows.tobytes().translate(None, b"\0")


def _cells(separator: bytes) -> npt.NDArray[np.uint32]:
    """The integers 0-255 as text after a separator, four bytes each, padded with NUL."""
    return np.array([separator + b"%d" % value for value in range(256)], dtype="S4").view(np.uint32)


def compress(data: bytes) -> bytes:
    """Compress with gzip; equal data give equal bytes, for the header has no time and no name.

    Digits have little to repeat: looking for runs only takes a tenth of the time, and gives files a tenth larger.
    """
    gzip = zlib.compressobj(6, zlib.DEFLATED, _GZIP, 9, zlib.Z_RLE)
    return gzip.compress(data) + gzip.flush()
