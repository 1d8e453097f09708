"""Lowe's ``.key`` files, plain or compressed (``.key.gz``, as Bundler has them).

The format
----------
A header ``N 128``.  Per keypoint one line ``row col sigma orientation`` as ``%.2f %.2f %.2f %.3f``, then 128 integers
0-255 on seven lines of 20, 20, 20, 20, 20, 20 and 8, each integer preceded by one space; no trailing blanks, LF, and a
final newline.  Programs that read these files count on the seven lines.  Orientations are y up and the bins of a
descriptor run the other way round than in the library, see :mod:`siftcli.conventions`; the first pixel's centre is at
(0, 0) in both.

Features without descriptors are written with the header ``N 0`` and frame lines only.  That is this package's own
extension: it is read back here, and Lowe's format has no such files.

A file is read by tokens, wrapped as it may be, in blocks of bounded size: memory follows what the file holds, never
what its header promises.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from os import PathLike
from typing import NoReturn, cast

import numpy as np
import numpy.typing as npt

from ..conventions import flip_angles, flip_bins, quantise
from ..errors import FormatError, OutputError
from ..features import Features, Float32
from .files import Source, open_source, source_name, why_unreadable

__all__ = ["read_key", "write_key"]

UInt8 = npt.NDArray[np.uint8]

_LINES = (20, 20, 20, 20, 20, 20, 8)
_FRAME = "%.2f %.2f %.2f %.3f\n"

_ROWS = 4096
"""Keypoints written at a time."""

_BLOCK = 1 << 20
"""Bytes read at a time; also the most that one keypoint may take."""

_MAX_RATIO = 200
"""The largest expansion of a compressed file; keypoints with empty descriptors stay under 50."""

_GZIP = 31
"""zlib's name for the largest window with a gzip header."""

_TINY = np.finfo(np.float32).tiny


# --- writing


def _cells() -> npt.NDArray[np.uint32]:
    """The integers 0-255 as text with the space before them, four bytes each, padded with NUL."""
    text = np.array([b" %d" % value for value in range(256)], dtype="S4")
    return text.view(np.uint32)


def write_key(features: Features, *, compress: bool = False, name: str | PathLike[str] = "<key>") -> bytes:
    """Encode features as a ``.key`` file.

    Parameters
    ----------
    features : Features
        Float descriptors are quantised (see :func:`siftcli.conventions.quantise`).  Without descriptors, the frames
        alone are written, under the header ``N 0``.
    compress : bool
        Compress with gzip, without a time stamp.
    name : path
        The file's name in error messages.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    OutputError
        If a number is not finite, or a descriptor negative: the format cannot hold it.
    """
    frames = np.column_stack(
        (
            features.xy[:, ::-1].astype(np.float64),
            features.scales,
            flip_angles(features.orientations) + np.float32(0),  # no -0.000 for an angle that is exactly zero
        )
    )
    _require(np.isfinite(frames), "a coordinate, scale or orientation that is not finite", name)
    descriptors = None if features.descriptors is None else _quantised(features.descriptors, name)
    parts = [b"%d %d\n" % (len(features), 0 if descriptors is None else 128)]
    for i in range(0, len(features), _ROWS):
        rows = frames[i : i + _ROWS]
        text = ((_FRAME * len(rows)) % tuple(rows.ravel().tolist())).encode()
        parts.append(text if descriptors is None else _encode(text.splitlines(), flip_bins(descriptors[i : i + _ROWS])))
    data = b"".join(parts)
    if not compress:
        return data
    gzip = zlib.compressobj(6, zlib.DEFLATED, _GZIP)  # its header has no time and no name
    return gzip.compress(data) + gzip.flush()


def _require(good: npt.NDArray[np.bool_], what: str, name: str | PathLike[str]) -> None:
    if not good.all():
        raise OutputError(name, f"keypoint {int(np.nonzero(~good)[0][0]) + 1} has {what}; leave it out")


def _quantised(descriptors: UInt8 | Float32, name: str | PathLike[str]) -> UInt8:
    if descriptors.dtype == np.uint8:
        return cast(UInt8, descriptors)
    _require(descriptors >= 0, "a descriptor with a value below 0 or not a number", name)
    return quantise(cast(Float32, descriptors))


def _encode(frames: list[bytes], descriptors: UInt8) -> bytes:
    """Interleave frame lines and descriptors: one row of fixed width a keypoint, padded with NUL, then squeezed."""
    n = len(frames)
    heads = np.array(frames)  # padded with NUL
    heads = heads.astype(f"S{-(-heads.itemsize // 4) * 4}")
    width = heads.itemsize // 4
    rows = np.empty((n, width + len(_LINES) + 128 + 1), np.uint32)
    rows[:, :width] = heads.view(np.uint32).reshape(n, width)
    cells = np.take(_cells(), descriptors)
    newline = np.array([b"\n"], dtype="S4").view(np.uint32)[0]
    column = width
    done = 0
    for length in _LINES:
        rows[:, column] = newline
        rows[:, column + 1 : column + 1 + length] = cells[:, done : done + length]
        column += 1 + length
        done += length
    rows[:, column] = newline
    return rows.tobytes().translate(None, b"\0")


# --- reading


def read_key(source: Source, *, name: str | None = None) -> Features:
    """Read a ``.key`` file, plain or compressed with gzip.

    Parameters
    ----------
    source : path, bytes or binary file
        The file; gzip is recognised by its first bytes, not by its name.
    name : str, optional
        The file's name in error messages.

    Returns
    -------
    Features
        With uint8 descriptors, or None if the header says 0 instead of 128; without scores, octaves and levels.
        Angles are what the file says, negated and not wrapped: 3.142 becomes -3.142.  An angle printed as ``-0.000``
        keeps its sign as the smallest normal float32, so that it is printed the same again.

    Raises
    ------
    FormatError
        If the file cannot be read, is cut short, or holds something else than its header promises, numbers, and
        descriptor values 0-255; with the line.
    """
    name = source_name(source, name)
    try:
        with open_source(source) as file:
            first = file.read(_BLOCK)
            blocks = _blocks(first, file.read)
            return _Reader(name).read(_gunzip(blocks, name) if first.startswith(b"\x1f\x8b") else blocks)
    except OSError as error:
        raise FormatError(name, why_unreadable(error)) from error
    except zlib.error as error:
        raise FormatError(name, f"the gzip data is damaged ({error}); get the file again") from error


def _blocks(first: bytes, read: Callable[[int], bytes]) -> Iterator[bytes]:
    while first:
        yield first
        first = read(_BLOCK)


def _gunzip(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Decompress, a bounded piece at a time; several members follow one another as one text."""
    gzip = zlib.decompressobj(_GZIP)
    taken = given = 0
    for block in blocks:
        taken += len(block)
        while block:
            if gzip.eof:
                block = block.lstrip(b"\0")  # padding between members
                gzip = zlib.decompressobj(_GZIP) if block else gzip
                continue
            text = gzip.decompress(block, _BLOCK)
            given += len(text)
            if given > max(_MAX_RATIO * taken, 16 * _BLOCK):
                raise FormatError(name, f"expands more than {_MAX_RATIO}-fold; this is not a feature file")
            yield text
            block = gzip.unused_data if gzip.eof else gzip.unconsumed_tail
    yield gzip.flush()
    if not gzip.eof:
        raise FormatError(name, "the gzip data is truncated; get the file again")


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


def _shown(token: bytes) -> str:
    """Show a token in a message: printable, and short."""
    return ascii(token[:24].decode("latin-1") + ("..." if len(token) > 24 else ""))


class _Reader:
    """Reads one file; knows which line it is at."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.line = 1

    def read(self, blocks: Iterator[bytes]) -> Features:
        text = b""
        for block in blocks:
            text += block
            if len(text.split(None, 2)) > 2 or len(text) > _BLOCK:
                break
        count, length, used = self._header(text)
        frames = [np.empty((0, 4), np.float32)]
        descriptors = [np.empty((0, length), np.uint8)]
        missing = count
        self.line += text.count(b"\n", 0, used)
        text = text[used:]
        for block in chain((b"",), blocks, (b"\n",)):  # the newline ends a last token that has none
            text += block
            new_frames, new_descriptors, used = self._records(text, missing, length)
            frames.append(new_frames)
            descriptors.append(new_descriptors)
            missing -= len(new_frames)
            if not missing and (extra := text[used:].lstrip()):
                self._fail(
                    f"goes on after the {count} keypoints that the header promises", text, len(text) - len(extra)
                )
            self.line += text.count(b"\n", 0, used)
            text = text[used:]
            if missing and len(text) > _BLOCK:
                self._fail(f"has no whole keypoint in {_BLOCK} bytes; this is not a Lowe key file")
        if missing:
            self._fail(
                f"ends after {count - missing} of the {count} keypoints that the header promises; get the whole file",
                text,
                len(text.rstrip()),
            )
        return _features(np.concatenate(frames), np.concatenate(descriptors))

    def _header(self, text: bytes) -> tuple[int, int, int]:
        """Return the number of keypoints, the length of a descriptor, and where the header ends."""
        tokens = text.split(None, 2)[:2]
        if len(tokens) < 2 or not all(re.fullmatch(rb"[+-]?\d{1,18}", token) for token in tokens):
            found = _shown(b" ".join(tokens)) if tokens else "nothing"
            self._fail(f"begins with {found} instead of a count and 128; this is not a Lowe key file")
        count, length = map(int, tokens)
        if count < 0:
            self._fail(f"promises {count} keypoints, which cannot be")
        if length not in (0, 128):
            self._fail(f"has descriptors of length {length}; only 128 is read, or 0 for none")
        header = re.match(rb"\s*\S+\s+\S+", text)
        assert header is not None
        return count, length, header.end()

    def _records(self, text: bytes, most: int, length: int) -> tuple[Float32, UInt8, int]:
        """Read the whole keypoints at the start of `text`, at most `most`; return where the last one ends."""
        width = 4 + length
        codes = np.frombuffer(text.translate(_CLASSES), np.uint8)
        ends = np.flatnonzero((codes[:-1] != _SPACE) & (codes[1:] == _SPACE))  # the last byte of each token
        n = min(len(ends) // width, most)
        if not n:
            return np.empty((0, 4), np.float32), np.empty((0, length), np.uint8), 0
        last = ends[: n * width].reshape(n, width)
        starts = [0, *(last[:-1, -1] + 1).tolist()]
        frames = self._frames(text, list(zip(starts, (last[:, 3] + 1).tolist(), strict=True)))
        return frames, self._integers(text, codes, last), int(last[-1, -1]) + 1

    def _frames(self, text: bytes, spans: list[tuple[int, int]]) -> Float32:
        """Read the four numbers in each span of `text`."""
        joined = b" ".join([text[i:j] for i, j in spans])
        if not joined.translate(None, _IN_NUMBERS):
            try:
                numbers = np.array(list(map(float, joined.split())))
            except ValueError:
                pass
            else:
                with np.errstate(over="ignore"):
                    frames = numbers.astype(np.float32).reshape(-1, 4)
                if np.isfinite(frames).all() and (frames[:, 2] >= 0).all():
                    return frames
        for begin, end in spans:
            for column, token in enumerate(re.finditer(rb"\S+", text[begin:end])):
                self._check_number(token[0], column, text, begin + token.start())
        raise AssertionError("frames were refused without a reason")

    def _check_number(self, token: bytes, column: int, text: bytes, position: int) -> None:
        what = ("row", "column", "sigma", "orientation")[column]
        if not _NUMBER.fullmatch(token):
            self._fail(f"{_shown(token)} is not a number, as the {what}", text, position)
        with np.errstate(over="ignore"):
            value = np.float32(float(token))
        if not np.isfinite(value):
            self._fail(f"{_shown(token)} is too large for the {what}", text, position)
        if column == 2 and value < 0:
            self._fail(f"{_shown(token)} is below zero, as the {what}", text, position)

    def _integers(self, text: bytes, codes: UInt8, last: npt.NDArray[np.intp]) -> UInt8:
        """Read the integers 0-255 from the fifth column of tokens on, given the last byte of every token."""
        at = last[:, 4:].copy()
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
            position = int(last[i, j + 4])
            token = text[last[i, j + 3] + 1 : position + 1].strip()
            digits = token.lstrip(b"0") or b"0"
            if not token.isdigit() or len(digits) > 3 or int(digits) > 255:
                self._fail(f"{_shown(token)} is not a whole number from 0 to 255, as a descriptor has", text, position)
            values[i, j] = int(digits)
        return values.astype(np.uint8)

    def _fail(self, message: str, text: bytes = b"", position: int = 0) -> NoReturn:
        """Raise a FormatError for the line of a position in `text`, which begins at the current line."""
        raise FormatError(self.name, message, self.line + text.count(b"\n", 0, position))


def _features(frames: Float32, descriptors: UInt8) -> Features:
    """Turn Lowe's rows, y-up angles and bins into the library's."""
    angles = flip_angles(frames[:, 3]) + np.float32(0)
    angles[(frames[:, 3] == 0) & np.signbit(frames[:, 3])] = _TINY
    return Features(
        xy=np.ascontiguousarray(frames[:, 1::-1]),
        scales=np.ascontiguousarray(frames[:, 2]),
        orientations=angles,
        descriptors=flip_bins(descriptors) if descriptors.shape[1] else None,
    )
