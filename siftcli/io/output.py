"""Output files that are either complete or absent: every file that this package writes is written here.

A file is written under a temporary name in the folder where it belongs, see :mod:`siftcli.io.temporary`, and gets its
final name when it is complete, so neither an error nor an interrupt leaves a half-written file under that name.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError, SiftError
from .temporary import create_temporary, new_temporary, remove_temporary, sweep

__all__ = [
    "atomic_file",
    "atomic_path",
    "atomic_write",
    "exists_error",
    "followed",
    "is_fatal",
    "make_folder",
    "output_error",
    "reason_line",
    "reason_of",
]

_UNWRITABLE = {
    errno.ENOSPC: "no space left on the device; free some, or write elsewhere",
    errno.EDQUOT: "disk quota exceeded; free some space, or write elsewhere",
    errno.EROFS: "the file system is read-only; write elsewhere",
    errno.EACCES: "permission denied; write elsewhere, or change the folder's permissions",
    errno.EPERM: "permission denied; write elsewhere, or change the folder's permissions",
    errno.ENOENT: "the folder does not exist; create it first",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.EISDIR: "is a folder; give the name of a file",
    errno.EEXIST: "exists already, and is not a folder; give another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EFBIG: "the file is larger than the file system, or the limit on this process, allows; write elsewhere",
    errno.ELOOP: "the path is a loop of symbolic links; check it",
    errno.EMFILE: "too many files are open in this process; raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine; close some programs",
    errno.ENOMEM: "not enough memory; close other programs",
}


def output_error(path: str | PathLike[str], error: OSError) -> OutputError:
    """Say in plain words why `path` cannot be written."""
    reason = _UNWRITABLE.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__
    return OutputError(path, f"cannot be written: {reason}")


def reason_of(error: BaseException) -> str | None:
    """Say in plain words what the system could not give: memory, file handles, processes; None for other errors."""
    if isinstance(error, MemoryError):
        return "needs more memory than there is; use fewer --jobs or --workers, smaller inputs, or a machine with more"
    if isinstance(error, OSError):
        if error.errno in (errno.EAGAIN, errno.ENOMEM):
            return "no room for another process or for its memory; use --jobs 1 --workers 1, or raise the limits"
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return _UNWRITABLE[error.errno]
        return f"{error.filename or 'the system says'}: {error.strerror or error}"
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "no room for another thread; use --jobs 1 --workers 1, or raise the limit on processes (ulimit -u)"
    return None


def reason_line(error: Exception) -> str:
    """Say in one line why work failed; for an error that is a fault of this package, with the line that raised it."""
    reason = str(error) if isinstance(error, SiftError) else reason_of(error)
    if reason is not None:
        return reason
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"internal error, please report it: {type(error).__name__}{place}: {error}"


def is_fatal(error: Exception) -> bool:
    """Tell whether an output failed for a reason that all other outputs share: such as a full disk."""
    shared = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT)
    cause = error.__cause__
    return isinstance(error, OutputError) and isinstance(cause, OSError) and cause.errno in shared


def exists_error(path: str | PathLike[str]) -> OutputError:
    """Say that `path` is taken."""
    return OutputError(path, "exists already; use --overwrite to replace it, or another output name")


def make_folder(path: str | PathLike[str]) -> None:
    """Make a folder, and those on the way to it, if they are not there.

    Raises
    ------
    OutputError
        If that is not possible.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a name with NUL
        raise output_error(path, error if isinstance(error, OSError) else OSError(str(error))) from error


def followed(path: str | PathLike[str]) -> Path:
    """Return the file that a name leads to, if it is a symbolic link, else itself.

    Raises
    ------
    OutputError
        If it is a folder, or cannot be a file.
    """
    path = Path(path)
    try:
        target = path.resolve() if path.is_symlink() else path
        if target.is_dir():
            raise OutputError(path, "is a folder; give the name of a file")
    except OSError as error:
        raise output_error(path, error) from error
    return target


@contextmanager
def atomic_path(path: str | PathLike[str], *, overwrite: bool = False, sync: bool = False) -> Iterator[Path]:
    """Lend the path of a temporary file, which becomes `path` when the block ends without an error.

    For writers that need a path; they close the file before the block ends.  The temporary file exists, empty, with
    the permissions of a new file; it is removed on any failure, an interrupt included, with the files that SQLite makes
    beside it.  A symbolic link is followed.  A device or a pipe, such as ``/dev/null``, is lent itself.

    Parameters
    ----------
    path : path
        The final name; its folder must exist.
    overwrite : bool
        Replace a file of that name.
    sync : bool
        Wait until the contents are on the disk, so that they survive a loss of power.

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
        with _temporary(path, overwrite, sync) as (_, temporary):
            yield temporary
    except OSError as error:
        raise output_error(path, error) from error


@contextmanager
def atomic_file(path: str | PathLike[str], *, overwrite: bool = False, sync: bool = False) -> Iterator[BinaryIO]:
    """Open a binary file for reading and writing, which becomes `path` when the block ends without an error.

    Parameters and errors are those of :func:`atomic_path`.

    Yields
    ------
    file object
        Binary; its `fileno` is that of the temporary file.  A device or a pipe can only be written.
    """
    path = Path(path)
    try:
        with _temporary(path, overwrite, sync) as (descriptor, temporary):
            if descriptor is None:
                with temporary.open("wb") as file:
                    yield file
            else:
                with os.fdopen(os.dup(descriptor), "w+b") as file:
                    yield file
    except OSError as error:
        raise output_error(path, error) from error


def atomic_write(path: str | PathLike[str], data: bytes, *, overwrite: bool = False, sync: bool = False) -> None:
    """Write `data` to the file `path` atomically.

    Parameters and errors are those of :func:`atomic_path`.
    """
    with atomic_file(path, overwrite=overwrite, sync=sync) as file:
        file.write(data)


@contextmanager
def _temporary(path: Path, overwrite: bool, sync: bool) -> Iterator[tuple[int | None, Path]]:
    """Lend a temporary file, and publish it; the descriptor is None for what is written in place."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    except ValueError as error:  # NUL in the name
        raise OutputError(path, f"cannot be written: {error}") from error
    if mode is not None and not stat.S_ISREG(mode):
        if stat.S_ISDIR(mode):
            raise OutputError(path, "is a folder; give the name of a file")
        yield None, path
        return
    if mode is not None and not overwrite:
        raise exists_error(path)
    final = path.resolve() if path.is_symlink() else path
    sweep(final.parent)
    temporary, descriptor = new_temporary(final.parent), -1
    try:
        while (created := create_temporary(temporary)) is None:
            temporary = new_temporary(final.parent)
        descriptor = created
        yield descriptor, temporary
        if sync:
            os.fsync(descriptor)
        os.close(os.dup(descriptor))  # on NFS, some writes fail only when a file is closed
        if os.name == "nt":  # where an open file cannot be renamed
            os.close(descriptor)
            descriptor = -1
        _publish(temporary, final, overwrite)
    finally:
        remove_temporary(temporary)
        if descriptor != -1:
            with suppress(OSError):
                os.close(descriptor)


def _publish(temporary: Path, final: Path, overwrite: bool) -> None:
    """Give a complete file its final name; without `overwrite`, raise OutputError if that is taken."""
    if not overwrite:
        try:
            os.link(temporary, final)  # unlike a rename, never replaces a file made in the meantime
            return
        except FileExistsError:
            raise exists_error(final) from None
        except (OSError, NotImplementedError):  # a file system without hard links
            if os.path.lexists(final):
                raise exists_error(final) from None
    temporary.replace(final)
