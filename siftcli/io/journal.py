"""A journal: what a long run has finished so far, on disk, so that a kill loses next to nothing.

Records are appended, each with its length and checksum.  One that a kill cut short is dropped when the journal is
opened again, and the run goes on after the last whole one.  The head says what the run is about; a journal of another
run is not gone on with.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ..errors import OutputError
from .files import output_error

__all__ = ["Journal"]

_MAGIC = b"SIFTRUN1"
_HEAD = struct.Struct("<QQI")
"""Key and length of a record, and the checksum of all three parts."""


class Journal:
    """Numbered records of bytes; a context manager that closes the file and keeps it.

    Parameters
    ----------
    path : path
        Its folder must exist.
    about : bytes
        What the run depends on.
    resume : bool
        Go on with a journal that exists; otherwise there must be none, or `overwrite`.
    overwrite : bool
        Drop a journal that exists, if it is not gone on with.

    Raises
    ------
    OutputError
        If there is a journal and it is not to be gone on with, if it is about something else, if another run has it
        open, or if it cannot be written.
    """

    def __init__(self, path: Path, about: bytes, *, resume: bool = False, overwrite: bool = False) -> None:
        self._path = path
        self._places: dict[int, tuple[int, int]] = {}
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
        if self._file.read(len(_MAGIC)) == _MAGIC:
            head = _next_record(self._file)
            if head is not None:
                if resume:
                    if head[1] != about:
                        raise OutputError(
                            self._path,
                            "is of a run with other parameters, features or pairs; "
                            "repeat that one, or start anew with --overwrite and without --resume",
                        )
                    self._recover()
                    return
                if not overwrite and _next_record(self._file) is not None:
                    raise OutputError(
                        self._path,
                        "is of an unfinished run; go on with --resume, or start anew with --overwrite",
                    )
        self._file.seek(0)
        self._file.truncate()
        self._file.write(_MAGIC + _record(0, about))
        self._file.flush()

    def _recover(self) -> None:
        """Find the whole records, and drop what follows them."""
        start = self._file.tell()
        while (record := _next_record(self._file)) is not None:
            self._places[record[0]] = (start, self._file.tell())
            start = self._file.tell()
        self._file.seek(start)
        self._file.truncate()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: int) -> bool:
        return key in self._places

    def add(self, key: int, data: bytes) -> None:
        """Append a record.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        try:
            start = self._file.seek(0, os.SEEK_END)
            self._file.write(_record(key, data))
            self._file.flush()
        except OSError as error:
            raise output_error(self._path, error) from error
        self._places[key] = (start, self._file.tell())

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield key and data of all records, by ascending key."""
        for key in sorted(self._places):
            start, stop = self._places[key]
            self._file.seek(start + _HEAD.size)
            yield key, self._file.read(stop - start - _HEAD.size)

    def close(self) -> None:
        """Close the file, and keep it if there is anything in it."""
        self._file.close()
        if not self._places:
            self.remove()

    def remove(self) -> None:
        """Close the file, and remove it."""
        self._file.close()
        with suppress(OSError):
            self._path.unlink()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:
            self.close()


def _record(key: int, data: bytes) -> bytes:
    sizes = struct.pack("<QQ", key, len(data))
    return _HEAD.pack(key, len(data), zlib.crc32(data, zlib.crc32(sizes))) + data


def _next_record(file: BinaryIO) -> tuple[int, bytes] | None:
    """Read the next record; None if there is no whole one."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    key, length, checksum = _HEAD.unpack(head)
    if length > os.fstat(file.fileno()).st_size - file.tell():
        return None
    data = file.read(length)
    if len(data) < length or zlib.crc32(data, zlib.crc32(head[:16])) != checksum:
        return None
    return key, data


def _locked(path: Path) -> BinaryIO:
    """Open a file for reading and writing that no other run has open, where the system can tell."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+b")
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:  # no such locks on Windows
        return file
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise OutputError(path, "another run is writing it; wait for that, or give another output name") from error
    return file
