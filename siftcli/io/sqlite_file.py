"""Opening SQLite files so that a file that is read stays alone and as it is."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing, suppress
from os import PathLike
from pathlib import Path

from ..errors import FormatError, OutputError
from .files import why_unreadable
from .output import output_error

__all__ = ["SqliteReader", "check_writable", "connect_for_writing", "insert", "why_full", "why_not_written"]

_BUSY = 2.0
"""Seconds to wait for another program."""

_WAL_VERSION = (2, 2)
"""Bytes 18 and 19 of a database that has a write-ahead log."""


def _connect(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=_BUSY)
    connection.isolation_level = None
    connection.text_factory = bytes
    return connection


def connect_for_writing(path: Path) -> sqlite3.Connection:
    """Open a database that exists; transactions are begun and ended by the caller."""
    return _connect(path, "mode=rw")


def insert(connection: sqlite3.Connection, table: str, **values: object) -> int:
    """Insert a row; return its number."""
    marks = ", ".join("?" * len(values))
    query = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
    return int(connection.execute(query, tuple(values.values())).lastrowid or 0)


def why_not_written(path: str | PathLike[str], error: sqlite3.Error) -> OutputError:
    """Say in plain words why a database cannot be written."""
    words = " ".join(str(error).split())
    if "locked" in words or "busy" in words:
        return OutputError(path, "is in use by another program; close it there and try again")
    if "not a database" in words or "malformed" in words:
        return OutputError(path, "is no COLMAP database, or a damaged one; give another name")
    if "full" in words:
        return output_error(path, OSError(errno.ENOSPC, "no space"))
    if "readonly" in words:
        return OutputError(path, "cannot be written: permission denied; write elsewhere, or change its permissions")
    return OutputError(path, f"cannot be written: {words[:160]}")


class SqliteReader:
    """A database that is read; a context manager.

    A database with a write-ahead log makes SQLite create files beside it, even to read, which a read-only medium does
    not allow and a reader should not leave.  Where no log is beside it, nobody has it open, and it is read as a file
    that does not change; if it does, that is an error.  Where there is a log that nobody has open, the log is read
    without the index that programs share.

    Parameters
    ----------
    path : path
        The file.

    Attributes
    ----------
    connection : sqlite3.Connection
        Text comes as bytes.

    Raises
    ------
    FormatError
        If it cannot be read.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = str(path)
        self._file = Path(path)
        try:
            with self._file.open("rb") as file:  # for an error in plain words
                logged = tuple(file.read(20)[18:]) == _WAL_VERSION
            log = self._file.with_name(self._file.name + "-wal")
            alone = not (log.exists() and log.stat().st_size)
            shared = log.with_name(self._file.name + "-shm").exists()
            self._state = self._told() if logged and alone else None
        except OSError as error:
            raise FormatError(self.path, why_unreadable(error)) from error
        how = "mode=ro"
        if logged and alone:
            how += "&immutable=1"
        elif logged and not shared:
            how += "&vfs=unix-none"
        try:
            self.connection = _connect(self._file, how)
            if logged and not alone and not shared:
                self.connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        except sqlite3.Error as error:
            raise self.failed(error) from error

    def _told(self) -> tuple[int, int, int]:
        status = self._file.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns

    def check_unchanged(self) -> None:
        """Raise FormatError if the file was written to while it is read as one that does not change."""
        if self._state is not None:
            with suppress(OSError):
                if self._told() != self._state:
                    raise FormatError(self.path, "was written to while it was read; try again")

    def failed(self, error: Exception) -> FormatError:
        """Say in plain words why the database cannot be read."""
        words = " ".join(str(error).split())
        if isinstance(error, sqlite3.Error) and ("locked" in words or "busy" in words):
            return FormatError(self.path, "is in use by another program; close it there and try again")
        if "unable to open" in words:
            return FormatError(
                self.path, "cannot be read where it is: a log lies beside it; copy both to a folder that can be written"
            )
        return FormatError(self.path, f"is no COLMAP database, or a damaged one ({words[:100]})")

    def __enter__(self) -> SqliteReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def why_full(error: sqlite3.Error) -> Exception:
    """Return the error that stands behind SQLite's: a full disk, or itself."""
    return OSError(errno.ENOSPC, str(error)) if "full" in str(error) else error


def check_writable(path: Path) -> None:
    """Raise OutputError if a database cannot be written to now."""
    try:
        with path.open("r+b"):  # for an error in plain words
            pass
        with closing(connect_for_writing(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except OSError as error:
        raise output_error(path, error) from error
    except sqlite3.Error as error:
        raise why_not_written(path, error) from error
