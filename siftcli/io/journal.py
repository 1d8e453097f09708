"""A journal: what a long run has finished so far, on disk, so that a kill loses next to nothing.

Records are appended, each with its length and checksum.  One that a kill cut short is dropped when the journal is
opened again, and the run goes on after the last whole one.  The head says what the run is about; a journal of another
run is not resumed.  The journal of ``features.h5`` is ``features.h5.sift.journal``; a file of that name that does
not begin as a journal does is left alone, and so is a link to another file.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from os import PathLike
from pathlib import Path
from types import TracebackType

from ..errors import OutputError
from .output import output_error
from .run_lock import RunLock

__all__ = ["Journal", "abandoned_journal", "has_journal", "journal_path"]

_MAGIC = b"SIFTJNL1"
_HEAD = struct.Struct("<QII")
"""Length of a record, of the key in it, and the checksum of both."""

_OPEN = (
    os.O_RDWR
    | os.O_CREAT
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # for a pipe of that name
)


def journal_path(output: str | PathLike[str]) -> Path:
    """Return the name of the journal of an output."""
    path = Path(output)
    return path.with_name(f"{path.name}.sift.journal")


def has_journal(output: str | PathLike[str]) -> bool:
    """Tell whether there is a journal of an output: of a run that has not ended yet, or that was killed."""
    path = journal_path(output)
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with FileIO(path) as file:
            return _is_journal(file)
    except (OSError, ValueError):  # a name with NUL
        return False


def abandoned_journal(output: str | PathLike[str]) -> Path | None:
    """Return the journal that a run has left of an output, or None.

    Raises
    ------
    OutputError
        If the run has not ended.
    """
    if not has_journal(output):
        return None
    with RunLock(output):
        return journal_path(output) if has_journal(output) else None  # the run may have ended since


class Journal:
    """Records of bytes by keys of bytes; a context manager that closes the file and keeps it.

    The last of several records with one key counts.  No other run can write the output until it is closed.

    Parameters
    ----------
    output : path
        The output that the journal is of; its folder must exist.
    about : bytes
        What the run depends on.
    resume : bool
        Resume a journal that exists; without it there must be none, or `overwrite`.
    overwrite : bool
        Discard a journal that exists and cannot be resumed.
    join : bool
        This process has locked the output already, see `RunLock`.

    Raises
    ------
    OutputError
        If there is a journal and it is not to be resumed, if it is about something else, if another run is
        writing the output, or if it cannot be written.
    """

    def __init__(
        self,
        output: str | PathLike[str],
        about: bytes,
        *,
        resume: bool = False,
        overwrite: bool = False,
        join: bool = False,
    ) -> None:
        self.path = journal_path(output)
        self._places: dict[bytes, int] = {}
        self._lock = RunLock(output, join=join)
        try:
            self._file = _opened(self.path)
            try:
                self._begin(about, resume, overwrite)
            except BaseException:
                self._file.close()
                raise
        except OSError as error:
            self._lock.release()
            raise output_error(self.path, error) from error
        except BaseException:
            self._lock.release()
            raise

    def _begin(self, about: bytes, resume: bool, overwrite: bool) -> None:
        head = _next_record(self._file) if self._file.read(len(_MAGIC)) == _MAGIC else None
        if head is not None and resume and head[1] == about:
            self._recover()
            return
        if head is not None and not overwrite:
            if resume:
                raise OutputError(
                    self.path,
                    "was left by a run with other parameters or inputs; repeat that run, or start over with "
                    "--overwrite and without --resume",
                )
            if _next_record(self._file) is not None:
                raise OutputError(
                    self.path, "belongs to an unfinished run; continue with --resume, or start over with --overwrite"
                )
        try:
            self._file.seek(0)
            self._file.truncate()
            _write_all(self._file, _MAGIC + _record(b"", about))
        except OSError:
            with suppress(OSError):
                self.path.unlink()
            raise

    def _recover(self) -> None:
        """Find the whole records, and drop what follows them."""
        start = self._file.tell()
        while (record := _next_record(self._file)) is not None:
            self._places[record[0]] = start
            start = self._file.tell()
        self._file.seek(start)
        self._file.truncate()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def add(self, key: bytes, data: bytes) -> None:
        """Append a record.

        Raises
        ------
        OutputError
            If it cannot be written; the records before it are there.
        """
        start = self._file.seek(0, os.SEEK_END)
        try:
            _write_all(self._file, _record(key, data))
        except OSError as error:
            self._file.seek(start)
            self._file.truncate()
            raise output_error(self.path, error) from error
        self._places[key] = start

    def read(self, key: bytes) -> bytes:
        """Return the data of a record.

        Raises
        ------
        KeyError
            If there is none of that key.
        OutputError
            If it is not what was appended.
        """
        self._file.seek(self._places[key])
        record = _next_record(self._file)
        if record is None or record[0] != key:
            raise OutputError(self.path, "has been changed by another program; start over")
        return record[1]

    def __iter__(self) -> Iterator[bytes]:
        """Yield the keys in their order."""
        yield from sorted(self._places)

    def close(self) -> None:
        """Close the file, and keep it if there is anything in it."""
        if self._file.closed:
            return
        if self._places:
            self._file.close()
            self._lock.release()
        else:
            self.remove()

    def remove(self) -> None:
        """Close the file, and remove it."""
        if self._file.closed:
            return
        self._file.close()
        with suppress(OSError):
            self.path.unlink()
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _record(key: bytes, data: bytes) -> bytes:
    return _HEAD.pack(len(key) + len(data), len(key), zlib.crc32(data, zlib.crc32(key))) + key + data


def _write_all(file: FileIO, data: bytes) -> None:
    """Write all of it: the system may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _next_record(file: FileIO) -> tuple[bytes, bytes] | None:
    """Read key and data of the next record; None if there is no whole one."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, split, checksum = _HEAD.unpack(head)
    left = os.fstat(file.fileno()).st_size - file.tell()
    if length > left or split > length:
        return None
    data = file.read(length)
    if len(data) < length or zlib.crc32(data) != checksum:
        return None
    return data[:split], data[split:]


def _opened(path: Path) -> FileIO:
    """Open a journal for reading and writing, at its beginning; make one if there is none.

    Raises
    ------
    OutputError
        If there is something else of that name.
    OSError
        If it cannot be opened.
    """
    if path.is_symlink():
        raise _not_ours(path)
    file = FileIO(os.open(path, _OPEN, 0o666), "r+b")
    if not _is_journal(file):
        file.close()
        raise _not_ours(path)
    return file


def _is_journal(file: FileIO) -> bool:
    """Tell whether an open file is a journal, perhaps cut short in its first bytes, and has no other name."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        return False
    start = file.read(len(_MAGIC)) or b""
    file.seek(0)
    return _MAGIC.startswith(start)


def _not_ours(path: Path) -> OutputError:
    return OutputError(path, "is not a journal of sift, and stays as it is; move it away, or give another output name")
