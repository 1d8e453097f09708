"""Read lists and tables line by line, within limits, and refuse files that are not text."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import FormatError
from ..files import Source, open_source, source_name, why_unreadable
from ..limits import BLOCK, MAX_LINE, MAX_LINES, MAX_LIST

__all__ = ["byte_lines", "text_lines"]

_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def text_lines(source: Source, what: str, name: str | None = None, *, many: bool = False) -> Iterator[str]:
    """Yield the lines of a text, without their ends.

    Parameters
    ----------
    source : path, bytes or binary file
        In UTF-8, with or without a byte-order mark.  Other bytes are escaped as `os.fsdecode` does.
    what : str
        What it should be, for messages.
    name : str, optional
        The file's name in messages.
    many : bool
        The caller keeps a few lines at a time, so the whole has no limit.

    Raises
    ------
    FormatError
        If it cannot be read, has NUL bytes, or a line or the whole is longer than its limit.
    """
    for line in byte_lines(source, what, name, many=many):
        yield line.removesuffix(b"\r").decode("utf-8", "surrogateescape")


def byte_lines(
    source: Source, what: str, name: str | None = None, *, separator: bytes = b"\n", many: bool = False
) -> Iterator[bytes]:
    """Yield the pieces between separators, as bytes; parameters and errors are those of `text_lines`."""
    name = source_name(source, name)
    number = taken = 0
    rest = b""
    try:
        with open_source(source, limited=True) as file:
            while block := file.read(BLOCK):
                if not taken:
                    block = _begun(block, what, name)
                taken += len(block)
                if separator != b"\0" and b"\0" in block:
                    line = number + block[: block.index(b"\0")].count(separator) + 1
                    raise FormatError(name, f"has NUL bytes; this is not {what} in UTF-8", line)
                *lines, rest = (rest + block).split(separator)
                if not many and (taken > MAX_LIST or number + len(lines) > MAX_LINES):
                    raise FormatError(name, f"is longer than {MAX_LIST >> 20} MiB or {MAX_LINES:,} lines; split it")
                for line_bytes in lines:
                    number += 1
                    yield _short(line_bytes, what, name, number)
                _short(rest, what, name, number + 1)
    except OSError as error:
        raise FormatError(name, why_unreadable(error)) from error
    if rest:
        yield rest


def _begun(block: bytes, what: str, name: str) -> bytes:
    """Remove the byte-order mark from the first block."""
    if block[:2] in _MARKS:
        raise FormatError(name, f"is in {_MARKS[block[:2]]}; save {what} as UTF-8")
    return block.removeprefix(b"\xef\xbb\xbf")


def _short(line: bytes, what: str, name: str, number: int) -> bytes:
    if len(line) > MAX_LINE:
        raise FormatError(name, f"has a line of more than {MAX_LINE:,} bytes; this is not {what}", number)
    return line
