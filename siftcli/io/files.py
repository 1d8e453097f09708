"""Opening inputs, and output files that are either complete or absent.

A result is written under a temporary name in the folder where it belongs and gets its final name when it is
complete, so neither an error nor an interrupt leaves a half-written file under that name.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TypeAlias

from ..errors import OutputError

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Source",
    "atomic_file",
    "atomic_path",
    "atomic_write",
    "open_source",
    "output_error",
    "source_name",
    "why_unreadable",
]

Source: TypeAlias = str | PathLike[str] | bytes | BinaryIO
"""What a reader accepts: a path, the file's bytes, or an open binary file."""

DEFAULT_MAX_PIXELS = 1_000_000_000
"""Larger images are refused before they are decoded."""

_UNREADABLE = {
    errno.ENOENT: "no such file; check the path",
    errno.ENOTDIR: "no such file; check the path",
    errno.EISDIR: "is a folder, not a file",
    errno.EACCES: "cannot be read: permission denied; change the file's permissions",
    errno.EPERM: "cannot be read: permission denied; change the file's permissions",
    errno.ELOOP: "the path is a loop of symbolic links; check it",
    errno.ENAMETOOLONG: "no such file: the name is too long",
}

_UNWRITABLE = {
    errno.ENOSPC: "no space left on the device; free some, or write elsewhere",
    errno.EDQUOT: "disk quota exceeded; free some space, or write elsewhere",
    errno.EROFS: "the file system is read-only; write elsewhere",
    errno.EACCES: "permission denied; write elsewhere, or change the folder's permissions",
    errno.EPERM: "permission denied; write elsewhere, or change the folder's permissions",
    errno.ENOENT: "the folder does not exist; create it first",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EFBIG: "the file is larger than the file system allows; write elsewhere",
    errno.ELOOP: "the path is a loop of symbolic links; check it",
}


def source_name(source: Source, name: str | None = None) -> str:
    """Name a source in messages: `name` where given, else the path."""
    if name is not None:
        return name
    if isinstance(source, (str, PathLike)):
        return os.fspath(source)
    return "<bytes>" if isinstance(source, bytes) else str(getattr(source, "name", "<stream>"))


@contextmanager
def open_source(source: Source) -> Iterator[BinaryIO]:
    """Open a source for reading; an open file is used as it is and left open.

    Raises
    ------
    OSError
        If a path cannot be opened; :func:`why_unreadable` says it in plain words.
    """
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, (str, PathLike)):
        with Path(source).open("rb") as file:
            yield file
    else:
        yield source


def why_unreadable(error: OSError) -> str:
    """Say in plain words why an input cannot be read, and what to do."""
    return _UNREADABLE.get(error.errno or 0) or f"cannot be read: {error.strerror or error or type(error).__name__}"


def output_error(path: str | PathLike[str], error: OSError) -> OutputError:
    """Say in plain words why `path` cannot be written."""
    reason = _UNWRITABLE.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__
    return OutputError(path, f"cannot be written: {reason}")


def _exists(path: str | PathLike[str]) -> OutputError:
    return OutputError(path, "exists already; use --overwrite to replace it, or another output name")


def _publish(temporary: Path, final: Path, overwrite: bool) -> None:
    """Give a complete file its final name; without `overwrite`, raise OutputError if that is taken."""
    if not overwrite:
        try:
            os.link(temporary, final)  # unlike a rename, never replaces a file made in the meantime
            return
        except FileExistsError:
            raise _exists(final) from None
        except (OSError, NotImplementedError):  # a file system without hard links
            if os.path.lexists(final):
                raise _exists(final) from None
    temporary.replace(final)


@contextmanager
def atomic_path(path: str | PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Lend the path of a temporary file, which becomes `path` when the block ends without an error.

    For writers that need a path; they close the file before the block ends.  The temporary file exists, empty, with
    the permissions of a new file; it is removed on any failure, an interrupt included.  A symbolic link is followed.
    A device or a pipe, such as ``/dev/null``, is lent itself.

    Parameters
    ----------
    path : path
        The final name; its folder must exist.
    overwrite : bool
        Replace a file of that name.

    Yields
    ------
    pathlib.Path
        In the same folder as the final name.

    Raises
    ------
    OutputError
        If the final name is taken and `overwrite` is false (found before the block runs, and again at its end), if it
        is a folder, or for any OSError, those raised in the block included.
    """
    path = Path(path)
    try:
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            mode = None
        if mode is not None and not stat.S_ISREG(mode):
            if stat.S_ISDIR(mode):
                raise OutputError(path, "is a folder; give the name of a file")
            yield path
            return
        if mode is not None and not overwrite:
            raise _exists(path)
        final = path.resolve() if path.is_symlink() else path
        temporary = final.parent / f".sift-{os.urandom(8).hex()}.tmp"
        try:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            yield temporary
            _publish(temporary, final, overwrite)
        finally:
            with suppress(OSError):
                temporary.unlink()
    except OSError as error:
        raise output_error(path, error) from error


@contextmanager
def atomic_file(path: str | PathLike[str], *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Open a binary file for writing, which becomes `path` when the block ends without an error.

    Parameters and errors are those of :func:`atomic_path`.

    Yields
    ------
    file object
        Binary, writable.
    """
    with atomic_path(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        yield file


def atomic_write(path: str | PathLike[str], data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` to the file `path`, all of it or nothing.

    Parameters and errors are those of :func:`atomic_path`.
    """
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(data)
