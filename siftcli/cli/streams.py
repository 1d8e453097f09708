"""Standard input, output and error: reading data, writing data, printing messages."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any, TextIO

import click

from ..errors import ImageError, OutputError, SiftWarning
from ..io.files import why_unreadable
from ..io.limits import BLOCK, MAX_IMAGE_STREAM, MAX_STREAM, Stream
from ..io.output import output_error

__all__ = ["one_line", "read_stdin", "say", "secure_streams", "write_json", "write_stdout"]


class _Stderr(io.TextIOWrapper):
    """Standard error that drops messages if it cannot be written, because it is full or closed."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            _drop(self)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _drop(self)


def secure_streams() -> None:
    """Make messages safe from errors, and open closed standard streams so that no file gets their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _Stderr(
            sys.stderr.buffer, encoding=sys.stderr.encoding, errors=sys.stderr.errors, line_buffering=True
        )
    warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning of this package like every other message, and one of Python as Python does."""
    if issubclass(category, SiftWarning):
        say(f"warning: {message}")
    elif sys.stderr is not None:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


def one_line(text: str) -> str:
    """Escape characters that do not print, such as a newline in the name of a file."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def say(text: str) -> None:
    """Print a message on stderr."""
    click.echo(f"sift: {one_line(text)}", err=True)


_IMAGES = (b"\x89PNG", b"\xff\xd8", b"II", b"MM", b"P", b"BM", b"GIF8", b"RIFF", b"FUJI", b"FOVb")
_BOXES = (b"ftyp", b"jP  ")
"""First bytes of image files, and the type that follows the length of a first box; these may be larger."""


def read_stdin() -> bytes:
    """Read all of standard input.

    Raises
    ------
    ImageError
        If it cannot be read, or is longer than `siftcli.io.limits` allows, which is more for images.
    """
    if sys.stdin is None:
        raise ImageError("<stdin>", "is closed")
    stream = sys.stdin.buffer
    try:
        head = stream.read(BLOCK)
        image = head.startswith(_IMAGES) or head[4:8] in _BOXES
        rest = Stream(stream, MAX_IMAGE_STREAM if image else MAX_STREAM, taken=len(head))
        return head + rest.read() if len(head) == BLOCK else head
    except OSError as error:
        raise ImageError("<stdin>", why_unreadable(error)) from error
    except MemoryError as error:
        raise ImageError("<stdin>", "is larger than the memory that is left; make it smaller") from error


def write_stdout(data: bytes) -> None:
    """Write data to standard output, and flush it.

    Raises
    ------
    OutputError
        If it cannot be written.
    BrokenPipeError
        If the reader has closed it.
    """
    if sys.stdout is None:
        raise OutputError("<stdout>", "is closed")
    stream = sys.stdout.buffer
    try:
        stream.write(data)
        stream.flush()
    except OSError as error:
        _drop(stream)
        if isinstance(error, BrokenPipeError):
            raise
        raise output_error("<stdout>", error) from error


def write_json(record: Mapping[str, object]) -> None:
    """Write a JSON object to standard output, as one line."""
    import json

    write_stdout(json.dumps(record).encode() + b"\n")


def _drop(stream: IO[Any]) -> None:
    """Redirect a stream to the null device, because Python would write its buffer again at exit."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
