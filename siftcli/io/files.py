"""Opening inputs, and saying why one cannot be read."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

__all__ = [
    "STDIN",
    "STDOUT",
    "Source",
    "open_source",
    "source_name",
    "why_unreadable",
]

STDIN = STDOUT = "-"
"""Name that stands for standard input among inputs, and for standard output among outputs."""

Source: TypeAlias = str | PathLike[str] | bytes | BinaryIO
"""Input of a reader: a path, the bytes of the file, or an open binary file."""

_UNREADABLE = {
    errno.ENOENT: "no such file; check the path",
    errno.ENOTDIR: "no such file; check the path",
    errno.EISDIR: "is a folder, not a file",
    errno.EACCES: "cannot be read: permission denied; change the file's permissions",
    errno.EPERM: "cannot be read: permission denied; change the file's permissions",
    errno.ELOOP: "the path is a loop of symbolic links; check it",
    errno.ENAMETOOLONG: "no such file: the name is too long",
}


def source_name(source: Source, name: str | None = None) -> str:
    """Name a source in messages: `name` where given, else the path."""
    if name is not None:
        return name
    if isinstance(source, (str, PathLike)):
        return os.fspath(source)
    return "<bytes>" if isinstance(source, bytes) else str(getattr(source, "name", "<stream>"))


@contextmanager
def open_source(source: Source, *, limited: bool = False) -> Iterator[BinaryIO]:
    """Open a source for reading; an open file is used as it is and left open.

    Parameters
    ----------
    source : path, bytes or binary file
        The file.
    limited : bool
        Refuse a pipe or a device that goes on beyond `siftcli.io.limits.MAX_STREAM`.  It cannot be searched.

    Raises
    ------
    OSError
        If a path cannot be opened; :func:`why_unreadable` says it in plain words.
    """
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, (str, PathLike)):
        with Path(source).open("rb") as file:
            yield _limited(file) if limited else file
    else:
        yield _limited(source) if limited else source


def _limited(file: BinaryIO) -> BinaryIO:
    from .limits import Stream, is_stream

    return cast(BinaryIO, Stream(file)) if is_stream(file) else file


def why_unreadable(error: OSError) -> str:
    """Say in plain words why an input cannot be read, and what to do."""
    return _UNREADABLE.get(error.errno or 0) or f"cannot be read: {error.strerror or error or type(error).__name__}"
