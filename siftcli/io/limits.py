"""Limits on what a reader may take from a file before it knows that the file is sound.

Memory and time follow what a file holds, never what it claims.  Each reader takes its limit from here.
"""

from __future__ import annotations

import io
import os
import stat
from typing import Any, BinaryIO

__all__ = [
    "BLOCK",
    "MAX_CONFIG",
    "MAX_DIGITS",
    "MAX_IMAGE_STREAM",
    "MAX_LINE",
    "MAX_LINES",
    "MAX_LIST",
    "MAX_SMALL_TEXT",
    "MAX_STREAM",
    "Stream",
    "TooLong",
    "expanded",
    "is_stream",
    "parse_json",
    "read_limited",
]

MIB = 1 << 20

BLOCK = MIB
"""Bytes read at a time."""

MAX_STREAM = 64 * MIB
"""Bytes read from a pipe or a device, which may never end; a regular file is limited by its own size."""

MAX_IMAGE_STREAM = 1024 * MIB
"""The same for an image."""

MAX_CONFIG = MIB
"""Bytes of a configuration file."""

MAX_LIST = 256 * MIB
"""Bytes of a list of files or of pairs."""

MAX_LINES = 2_000_000
"""Lines of a list."""

MAX_LINE = 1 << 16
"""Bytes of a line of a list, a manifest or a table of matches."""

MAX_DIGITS = 18
"""Digits of a whole number in text: those that fit into 64 bits."""

MAX_SMALL_TEXT = 16 * MIB
"""Bytes that compressed text may expand to, whatever its own size."""

_FREE = 64 * MIB
_EXPANSION = 20


class TooLong(OSError):
    """A file that goes on beyond a limit.

    Parameters
    ----------
    limit : int
        Bytes that may be read.
    advice : str
        What the user can do.
    """

    def __init__(self, limit: int, advice: str) -> None:
        size = f"{limit // MIB} MiB" if limit >= MIB else f"{limit // 1024} KiB"
        super().__init__(0, f"it goes on beyond {size}; {advice}")


def expanded(stored: int, free: int = _FREE) -> int:
    """Return how many bytes data may take that a file stores in `stored` bytes, compressed or not.

    64 MiB, or 20 times as many: real features and matches shrink to a fifth at best, while a file that was made to
    exhaust memory shrinks a thousandfold.
    """
    return max(free, _EXPANSION * stored)


def is_stream(file: BinaryIO) -> bool:
    """Tell whether an open file is a pipe or a device, whose length is not known."""
    try:
        return not stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (OSError, AttributeError, ValueError):  # in memory
        return False


class Stream(io.BufferedIOBase):
    """Read a pipe or a device up to a limit; beyond it, raise `TooLong`.

    Parameters
    ----------
    file : binary file
        What is read.
    limit : int
        Bytes.
    taken : int
        Bytes that have been read of it already.
    """

    def __init__(self, file: BinaryIO, limit: int = MAX_STREAM, taken: int = 0) -> None:
        super().__init__()
        self._file = file
        self._limit = limit
        self._taken = taken

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        found = bytearray()
        while size is None or size < 0 or len(found) < size:
            left = BLOCK if size is None or size < 0 else min(size - len(found), BLOCK)
            block = self._file.read(left)
            if not block:
                break
            found += block
            self._taken += len(block)
            if self._taken > self._limit:
                raise TooLong(self._limit, "save it to a file, and give the name of that")
        return bytes(found)


def read_limited(file: BinaryIO, limit: int, what: str) -> bytes:
    """Read all of a file.

    Parameters
    ----------
    file : binary file
        From its place on.
    limit : int
        Bytes.
    what : str
        What it should be, for the message.

    Raises
    ------
    TooLong
        If there are more.
    """
    data = Stream(file, limit + 1).read(limit + 1)
    if len(data) > limit:
        raise TooLong(limit, f"this is not {what}")
    return data


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; ValueError for whatever cannot be parsed, nested too deeply included."""
    import json  # most runs on a single image read none

    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
