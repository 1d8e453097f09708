"""A journal: what a long run has finished so far, on disk, so that a kill loses next to nothing.

Records are appended, each with its length and checksum.  One that a kill cut short is dropped when the journal is
opened again, and the run goes on after the last whole one.  The head says what the run is about; a journal of another
run is not gone on with.  A lock keeps a second run away, where the system has locks.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from types import TracebackType

from ..errors import OutputError
from .files import output_error

__all__ = ["Journal"]

_MAGIC = b"SIFTJNL1"
_HEAD = struct.Struct("<QII")
"""Length of a record, of the key in it, and the checksum of both."""


class Journal:
    """Records of bytes by keys of bytes; a context manager that closes the file and keeps it.

    Of several records with one key the last counts.

    Parameters
    ----------
    path : path
        Its folder must exist.
    about : bytes
        What the run depends on.
    resume : bool
        Go on with a journal that exists; otherwise there must be none, or `overwrite`.
    overwrite : bool
        Drop a journal that exists, if it cannot be gone on with.

    Raises
    ------
    OutputError
        If there is a journal and it is not to be gone on with, if it is about something else, if another run has it
        open, or if it cannot be written.
    """

    def __init__(self, path: Path, about: bytes, *, resume: bool = False, overwrite: bool = False) -> None:
        self._path = path
        self._places: dict[bytes, int] = {}
        try:
            self._file = _locked(path)
            try:
                self._begin(about, resume, overwrite)
            except BaseException:
                self._file.close()
                raise
        except OSError as error:
            raise output_error(path, error) from error

    def _begin(self, about: bytes, resume: bool, overwrite: bool) -> None:
        head = _next_record(self._file) if self._file.read(len(_MAGIC)) == _MAGIC else None
        if head is not None and resume and head[1] == about:
            self._recover()
            return
        if head is not None and not overwrite:
            if resume:
                raise OutputError(
                    self._path,
                    "is what a run with other parameters or inputs has left; repeat that run, or start anew with "
                    "--overwrite and without --resume",
                )
            if _next_record(self._file) is not None:
                raise OutputError(
                    self._path, "is of an unfinished run; go on with --resume, or start anew with --overwrite"
                )
        self._file.seek(0)
        self._file.truncate()
        _write_all(self._file, _MAGIC + _record(b"", about))

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
            raise output_error(self._path, error) from error
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
            raise OutputError(self._path, "has been changed by another program; start anew")
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
        else:
            self.remove()

    def remove(self) -> None:
        """Close the file, and remove it."""
        if self._file.closed:
            return
        if os.name == "nt":  # where an open file cannot be removed; elsewhere, nobody else may open it meanwhile
            self._file.close()
        with suppress(OSError):
            self._path.unlink()
        self._file.close()

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


def _locked(path: Path) -> FileIO:
    """Open a file for reading and writing that no other run has open, where the system can tell.

    Raises
    ------
    OutputError
        If another run has it open.
    OSError
        If it cannot be opened.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        file = FileIO(descriptor, "r+b")
        try:
            from fcntl import LOCK_EX, LOCK_NB, flock
        except ImportError:  # no such locks on Windows
            return file
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise OutputError(path, "another run is writing this file; wait for it, or give another name") from error
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return file
        file.close()  # the run that had it open has just removed it
