"""Read records of numbers and bytes from text in bounded blocks; errors name the line.

Memory grows with the contents of the file, whatever its header promises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import NoReturn

import numpy as np

from ...errors import FormatError
from ..files import Source, source_name
from .source import read_blocks
from .values import SPACE, WHOLE, Float64, Index, UInt8, byte_classes, bytes_from, numbers_from, shown

__all__ = ["Record", "TextReader", "open_text"]

_LONGEST = 1 << 20
"""The most bytes that one record may take."""


@dataclass(frozen=True)
class Record:
    """Contents of a record.

    Attributes
    ----------
    numbers : tuple of str
        Names of its numbers, for messages.
    positive : tuple of int
        Indices of the numbers that must not be below zero.
    integers : int
        Number of integers 0-255 that follow.
    after : tuple of str
        Names of further numbers, which are checked but not returned.
    one_line : bool
        A record is exactly one line; otherwise lines may break anywhere.
    """

    numbers: tuple[str, ...]
    positive: tuple[int, ...] = ()
    integers: int = 0
    after: tuple[str, ...] = ()
    one_line: bool = False

    @property
    def width(self) -> int:
        """Number of tokens."""
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


class TextReader:
    """Reads one file from its start and keeps track of the line.

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
        The line on which the text that is not yet used begins.
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
        if len(tokens) < 2 or not all(WHOLE.fullmatch(token) for token in tokens):
            found = shown(b" ".join(tokens)) if tokens else "nothing"
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
        codes = byte_classes(text)
        ends = np.flatnonzero((codes[:-1] != SPACE) & (codes[1:] == SPACE))  # the last byte of each token
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
            numbers = numbers_from(text, record.numbers, record.positive, spans, self.fail)
        stop = split + record.integers
        if record.after:
            spans = list(zip((last[:, stop - 1] + 1).tolist(), (last[:, -1] + 1).tolist(), strict=True))
            numbers_from(text, record.after, (), spans, self.fail)
        integers = bytes_from(text, codes, last, slice(split, stop), self.fail)
        return numbers, integers, int(last[-1, -1]) + 1

    def _check_lines(self, record: Record, last: Index) -> None:
        """Refuse records that are not exactly one line, given the last byte of every token."""
        newlines = np.flatnonzero(np.frombuffer(self._text, np.uint8) == ord("\n"))
        lines = np.searchsorted(newlines, last[:, [0, -1]])
        before = np.concatenate(([0 if self._on_line else -1], lines[:-1, 1]))
        bad = (lines[:, 0] != lines[:, 1]) | (lines[:, 0] <= before)
        if bad.any():
            self._misfit(record, int(last[int(bad.argmax()), 0]))

    def _misfit(self, record: Record, position: int) -> NoReturn:
        """Raise a FormatError that says how many values the line of `position` has."""
        start = self._text.rfind(b"\n", 0, position) + 1
        stop = self._text.find(b"\n", position)
        values = len(self._text[start : stop if stop >= 0 else None].split()) + (0 if start else self._on_line)
        width = record.width
        self.fail(f"has {values} values on a line where {width} belong; get the whole file", position)
