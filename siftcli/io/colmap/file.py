"""An open COLMAP database of any version, of which the tables are known."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ...errors import FormatError
from ..sqlite_file import SqliteReader
from .schema import Layout, columns_of

__all__ = ["TABLES", "DatabaseReader", "blob_array", "image_name"]

TABLES = {
    "images": {"image_id", "name", "camera_id"},
    "cameras": {"camera_id", "width", "height"},
    "keypoints": {"image_id", "rows", "cols", "data"},
    "descriptors": {"image_id", "rows", "cols", "data"},
}
"""Tables and columns that are read; all versions have them."""


class DatabaseReader:
    """A COLMAP database that is read; a context manager.

    Parameters
    ----------
    path : path
        The file.
    tables : iterable of str
        Those of `TABLES` that it must have.

    Attributes
    ----------
    path : str
        The file.
    layout : Layout
        Layout of its tables.
    columns : dict of str to set of str
        Columns of every table.
    connection : sqlite3.Connection
        Text comes as bytes.

    Raises
    ------
    FormatError
        If it cannot be read, is in use, or is not COLMAP's.
    """

    def __init__(self, path: str | PathLike[str], tables: Iterable[str] = TABLES) -> None:
        self.path = str(path)
        self._file = SqliteReader(path)
        self.connection = self._file.connection
        try:
            with self.reading():
                self.columns = columns_of(self.connection)
                for table in tables:
                    if not TABLES[table] <= self.columns.get(table, set()):
                        raise FormatError(path, f"is no COLMAP database: it has no table {table!r} as COLMAP's")
                self.layout = Layout.of(self.columns)
                self._begin()
        except BaseException:
            self.connection.close()
            raise

    def _begin(self) -> None:
        """Read what a class of readers needs from the start."""

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Raise FormatError, in plain words, if the database cannot be read or a row is none of COLMAP's."""
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise self._file.failed(error) from error

    def check_unchanged(self) -> None:
        """Raise FormatError if the file was written to while it is read as one that does not change."""
        self._file.check_unchanged()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()


def image_name(value: object) -> str:
    """Return the name of an image, whose bytes need not be UTF-8; ValueError if it is no text."""
    if not isinstance(value, bytes):
        raise ValueError(f"the name of an image is {value!r}")
    return value.decode("utf-8", "surrogateescape")


def blob_array(
    rows: object, columns: object, data: object, dtype: str, widths: tuple[int, ...], what: str, path: str
) -> npt.NDArray[Any]:
    """Return the array that COLMAP stores as rows, columns and bytes; FormatError if they do not agree."""
    data = b"" if data is None else data
    if not isinstance(rows, int) or not isinstance(data, bytes) or rows < 0 or (rows and columns not in widths):
        raise FormatError(path, f"{what} of {rows} rows and {columns} columns; it is damaged")
    width = columns if rows and isinstance(columns, int) else widths[-1]
    if len(data) != rows * width * np.dtype(dtype).itemsize:
        raise FormatError(path, f"{what} of {rows} rows in {len(data)} bytes; it is damaged")
    return np.frombuffer(data, dtype).reshape(rows, width)
