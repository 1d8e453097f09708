"""Standard input, output and error: data and messages, whole lines, no surprises from names."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import BinaryIO

import click

from ..errors import ImageError, OutputError
from ..io.files import output_error, why_unreadable

__all__ = ["one_line", "read_stdin", "say", "write_stdout"]


def one_line(text: str) -> str:
    """Escape what does not print, such as a newline in a file's name."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def say(text: str) -> None:
    """Tell the user something, on stderr."""
    click.echo(f"sift: {one_line(text)}", err=True)


def read_stdin() -> bytes:
    """Read all of standard input.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    if sys.stdin is None:
        raise ImageError("<stdin>", "is closed")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise ImageError("<stdin>", why_unreadable(error)) from error


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


def _drop(stream: BinaryIO) -> None:
    """Send what is still in the buffer nowhere, or Python would try to write it again when it exits."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
