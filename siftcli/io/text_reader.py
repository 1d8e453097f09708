"""Records of numbers and bytes from text, a bounded block at a time, with the line of whatever is wrong.

Memory follows what the file holds, never what its header promises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from .files import Source, source_name
from .text_source import read_blocks

__all__ = ["Record", "TextReader", "open_text"]

UInt8 = npt.NDArray[np.uint8]
Float64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_LONGEST = 1 << 20
"""The most bytes that one record may take."""

_SPACE, _OTHER = 0, 255
"""Classes of bytes; that of a digit is the digit + 1."""


def _classes() -> bytes:
    classes = bytearray([_OTHER]) * 256
    for byte in b" \t\n\r\v\f":
        classes[byte] = _SPACE
    for digit in range(10):
        classes[ord("0") + digit] = digit + 1
    return bytes(classes)


_CLASSES = _classes()
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_IN_NUMBERS = b"0123456789+-.eE \t\n\r\v\f"
_WHOLE = re.compile(rb"[+-]?\d{1,18}")


@dataclass(frozen=True)
class Record:
    """Contents of a record.

    Attributes
    ----------
    numbers : tuple of str
        The names of its numbers, for messages.
    positive : tuple of int
        Which of them must not be below zero.
    integers : int
        How many integers 0-255 follow.
    after : tuple of str
        The names of numbers that follow them, and are checked but not returned.
    one_line : bool
        Whether a record is exactly one line, or wrapped as it may be.
    """

    numbers: tuple[str, ...]
    positive: tuple[int, ...] = ()
    integers: int = 0
    after: tuple[str, ...] = ()
    one_line: bool = False

    @property
    def width(self) -> int:
        """How many tokens it has."""
        return len(self.numbers) + self.integers + len(self.after)


@contextmanager
def open_text(source: Source, what: str, name: str | None = None) -> Iterator[TextReader]:
    """Open text, plain or compressed with gzip, which is recognised by its first bytes.

    Parameters
    ----------
    source : path, bytes or binary file
        The file.
    what : str
        What it should be, such as "a Lowe key file", for messages.
    name : str, optional
        The file's name in messages.

    Yields
    ------
    TextReader

    Raises
    ------
    FormatError
        If the file cannot be read, here or in the block.
    """
    name = source_name(source, name)
    with read_blocks(source, name) as blocks:
        yield TextReader(blocks, what, name)


def _shown(token: bytes) -> str:
    """Show a token in a message: printable, and short."""
    return ascii(token[:24].decode("latin-1") + ("..." if len(token) > 24 else ""))


class TextReader:
    """Reads one file from its start; knows which line it is at.

    Parameters
    ----------
    blocks : iterator of bytes
        The text.
    what : str
        What it should be, for messages.
    name : str
        The file's name in messages.

    Attributes
    ----------
    line : int
        The line on which what has been read but not used begins.
    """

    def __init__(self, blocks: Iterator[bytes], what: str, name: str) -> None:
        self.what = what
        self.name = name
        self.line = 1
        self._blocks = blocks
        self._text = b" "  # a token has white space before it
        self._on_line = 0  # tokens of the line at hand that have been used

    def peek_line(self) -> bytes:
        """Return the first line that is not blank, or what is left of it, without using it."""
        while b"\n" not in self._text.lstrip() and len(self._text) <= _LONGEST:
            block = next(self._blocks, None)
            if block is None:
                break
            self._text += block
        return self._text.lstrip().partition(b"\n")[0]

    def take_line(self) -> bytes:
        """Return the first line that is not blank, and use it."""
        line = self.peek_line()
        self._use(len(self._text) - len(self._text.lstrip()) + len(line), len(line.split()))
        return line

    def header(self) -> tuple[int, int]:
        """Read the two whole numbers at the start: a count of keypoints, and the length of a descriptor, 128 or 0."""
        while len(self._text.split(None, 2)) < 3 and len(self._text) <= _LONGEST:
            block = next(self._blocks, None)
            if block is None:
                break
            self._text += block
        tokens = self._text.split(None, 2)[:2]
        if len(tokens) < 2 or not all(_WHOLE.fullmatch(token) for token in tokens):
            found = _shown(b" ".join(tokens)) if tokens else "nothing"
            self.fail(f"begins with {found} instead of a count and 128; this is not {self.what}")
        count, length = map(int, tokens)
        if count < 0:
            self.fail(f"promises {count} keypoints, which cannot be")
        if length not in (0, 128):
            self.fail(f"has descriptors of length {length}; only 128 is read, or 0 for none")
        header = re.match(rb"\s*\S+\s+\S+", self._text)
        assert header is not None
        self._use(header.end(), 2)
        return count, length

    def records(self, record: Record, count: int | None = None) -> tuple[Float64, UInt8]:
        """Read the rest of the file.

        Parameters
        ----------
        record : Record
            What each record holds.
        count : int, optional
            How many records the header promises; without it, as many as there are.

        Returns
        -------
        numbers : (N, K) float64
            Finite as float32.
        integers : (N, M) uint8

        Raises
        ------
        FormatError
            If there are fewer or more, or they hold something else; with the line.
        """
        numbers = [np.empty((0, len(record.numbers)))]
        integers = [np.empty((0, record.integers), np.uint8)]
        found = 0
        for block in chain((b"",), self._blocks, (b"\n",)):  # the newline ends a last token that has none
            self._text += block
            new_numbers, new_integers, used = self._whole(record, None if count is None else count - found)
            numbers.append(new_numbers)
            integers.append(new_integers)
            found += len(new_numbers)
            if found == count and (extra := self._text[used:].lstrip()):
                self.fail(f"goes on after the {count} keypoints that the header promises", len(self._text) - len(extra))
            self._use(used, record.width)
            if found != count and len(self._text) > _LONGEST:
                self.fail(f"has no whole keypoint in {_LONGEST} bytes; this is not {self.what}")
        end = len(self._text.rstrip())
        if count is not None and found < count:
            self.fail(f"ends after {found} of the {count} keypoints that the header promises; get the whole file", end)
        if end:
            self._misfit(record, len(self._text) - len(self._text.lstrip()))
        return np.concatenate(numbers), np.concatenate(integers)

    def fail(self, message: str, position: int = 0) -> NoReturn:
        """Raise a FormatError for the line of a position in the text at hand."""
        self.fail_at(self.line + self._text.count(b"\n", 0, position), message)

    def fail_at(self, line: int | None, message: str) -> NoReturn:
        """Raise a FormatError for a line, or for the whole file."""
        raise FormatError(self.name, message, line)

    def _use(self, length: int, tokens: int) -> None:
        """Drop the start of the text, which ends with this many tokens of one line."""
        if length:
            self.line += self._text.count(b"\n", 0, length)
            self._text = self._text[length:]
            self._on_line = tokens

    def _whole(self, record: Record, most: int | None) -> tuple[Float64, UInt8, int]:
        """Read the whole records at the start of the text, at most `most`; return where the last one ends."""
        text, split = self._text, len(record.numbers)
        width = record.width
        codes = np.frombuffer(text.translate(_CLASSES), np.uint8)
        ends = np.flatnonzero((codes[:-1] != _SPACE) & (codes[1:] == _SPACE))  # the last byte of each token
        n = len(ends) // width
        n = n if most is None else min(n, most)
        if not n:
            return np.empty((0, split)), np.empty((0, record.integers), np.uint8), 0
        last = ends[: n * width].reshape(n, width)
        if record.one_line:
            self._check_lines(record, last)
        numbers = np.empty((n, 0))
        if split:
            starts = [0, *(last[:-1, -1] + 1).tolist()]
            spans = list(zip(starts, (last[:, split - 1] + 1).tolist(), strict=True))
            numbers = self._numbers(record.numbers, record.positive, spans)
        stop = split + record.integers
        if record.after:
            spans = list(zip((last[:, stop - 1] + 1).tolist(), (last[:, -1] + 1).tolist(), strict=True))
            self._numbers(record.after, (), spans)
        return numbers, self._integers(codes, last, split, stop), int(last[-1, -1]) + 1

    def _check_lines(self, record: Record, last: Index) -> None:
        """See that every record is one line, given the last byte of every token."""
        newlines = np.flatnonzero(np.frombuffer(self._text, np.uint8) == ord("\n"))
        lines = np.searchsorted(newlines, last[:, [0, -1]])
        before = np.concatenate(([0 if self._on_line else -1], lines[:-1, 1]))
        bad = (lines[:, 0] != lines[:, 1]) | (lines[:, 0] <= before)
        if bad.any():
            self._misfit(record, int(last[int(bad.argmax()), 0]))

    def _misfit(self, record: Record, position: int) -> NoReturn:
        """Say how many values the line of `position` has."""
        start = self._text.rfind(b"\n", 0, position) + 1
        stop = self._text.find(b"\n", position)
        values = len(self._text[start : stop if stop >= 0 else None].split()) + (0 if start else self._on_line)
        width = record.width
        self.fail(f"has {values} values on a line where {width} belong; get the whole file", position)

    def _numbers(self, names: tuple[str, ...], positive: tuple[int, ...], spans: list[tuple[int, int]]) -> Float64:
        """Read the numbers in each span of the text."""
        joined = b" ".join([self._text[i:j] for i, j in spans])
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
            for column, token in enumerate(re.finditer(rb"\S+", self._text[begin:end])):
                self._check_number(names[column], column in positive, token[0], begin + token.start())
        raise AssertionError("numbers were refused without a reason")

    def _check_number(self, what: str, positive: bool, token: bytes, position: int) -> None:
        if b"," in token and _NUMBER.fullmatch(token.replace(b",", b".")):
            self.fail(f"{_shown(token)} has a decimal comma; write numbers with a point", position)
        if not _NUMBER.fullmatch(token):
            self.fail(f"{_shown(token)} is not a number, as the {what}", position)
        with np.errstate(over="ignore"):
            value = np.float32(float(token))
        if not np.isfinite(value):
            self.fail(f"{_shown(token)} is too large for the {what}", position)
        if positive and value < 0:
            self.fail(f"{_shown(token)} is below zero, as the {what}", position)

    def _integers(self, codes: UInt8, last: Index, split: int, stop: int) -> UInt8:
        """Read the integers 0-255 from column `split` of the tokens to before `stop`, given every token's last byte."""
        at = last[:, split:stop].copy()
        ones = codes[at]
        at -= 1
        tens = codes[at]
        at -= 1
        hundreds = codes[at] * (tens != _SPACE)
        at -= 1
        longer = codes[at] * (hundreds != _SPACE)
        values = ones.astype(np.int16) - 1
        values += 10 * np.maximum(tens, 1).astype(np.int16) - 10
        values += 100 * np.maximum(hundreds, 1).astype(np.int16) - 100
        bad = (values > 255) | (longer != _SPACE)
        bad |= np.maximum(np.maximum(ones, tens), hundreds) == _OTHER
        for i, j in zip(*np.nonzero(bad), strict=True):
            position = int(last[i, j + split])
            begin = int(last.flat[i * last.shape[1] + j + split - 1]) + 1 if i or j or split else 0
            token = self._text[begin : position + 1].strip()
            digits = token.lstrip(b"0") or b"0"
            if not token.isdigit() or len(digits) > 3 or int(digits) > 255:
                self.fail(f"{_shown(token)} is not a whole number from 0 to 255, as a descriptor has", position)
            values[i, j] = int(digits)
        return values.astype(np.uint8)
