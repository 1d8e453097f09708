"""Standard input, output and error: data and messages, whole lines, no surprises from names."""

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
    """Standard error where it cannot be written (full, or its reader gone): what is said is lost, and nothing else."""

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
    """See to it that messages never fail, and that no output file becomes a standard stream that is closed."""
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
    """Escape what does not print, such as a newline in a file's name."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def say(text: str) -> None:
    """Tell the user something, on stderr."""
    click.echo(f"sift: {one_line(text)}", err=True)


_IMAGES = (b"\x89PNG", b"\xff\xd8", b"II", b"MM", b"P", b"BM", b"GIF8", b"RIFF", b"FUJI", b"FOVb")
_BOXES = (b"ftyp", b"jP  ")
"""How images begin that may be large, and what follows the length of their first box."""


def read_stdin() -> bytes:
    """Read all of standard input.

    Raises
    ------
    ImageError
        If it cannot be read, or is longer than `siftcli.io.limits` allows: what begins as an image may be larger.
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
    """Write data to standard output, at once.

    Raises
    ------
    OutputError
        If it cannot be written.
    BrokenPipeError
        If nobody reads it any more.
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
    """Write an object to standard output, as one line."""
    import json

    write_stdout(json.dumps(record).encode() + b"\n")


def _drop(stream: IO[Any]) -> None:
    """Send what is still in the buffer nowhere, or Python would try to write it again when it exits."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
