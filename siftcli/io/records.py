"""Records of bytes in a file that grows, each with its length and checksum, so that what a kill cut short is told."""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from io import FileIO
from pathlib import Path

from ..errors import OutputError

__all__ = ["framed", "next_record", "open_locked", "write_all"]

_HEAD = struct.Struct("<QII")
"""Length of a record, of the key in it, and the checksum of both."""


def framed(key: bytes, payload: bytes) -> bytes:
    """Make a record of a key and what belongs to it."""
    return _HEAD.pack(len(key) + len(payload), len(key), zlib.crc32(payload, zlib.crc32(key))) + key + payload


def write_all(file: FileIO, data: bytes) -> None:
    """Write all of it: the system may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def next_record(file: FileIO) -> tuple[bytes, bytes] | None:
    """Read key and payload of the next record; None if there is no whole one."""
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


def open_locked(path: Path) -> FileIO:
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
