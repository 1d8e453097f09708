"""Read and write NumPy's ``.npz`` archives of named arrays.

Only the arrays that a reader asks for are read, and nothing is unpickled.  The sizes that the directory and the headers
of arrays promise are compared with the size of the file before memory is allocated; arrays are then read into it in
blocks.
"""

from __future__ import annotations

import ast
import io
import math
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import IO, Any, BinaryIO, NoReturn, cast

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from .files import Source, open_source, source_name, why_unreadable
from .limits import BLOCK, expanded, is_stream

__all__ = ["read_arrays", "write_arrays"]

Array = npt.NDArray[Any]

_DATE = (1980, 1, 1, 0, 0, 0)
"""The date of every member, so that equal arrays give equal bytes."""

_MAX_DIRECTORY = 1 << 20
_MAX_HEADER = 10_000
"""Bytes of an archive's directory, and of the header of an array."""


def write_arrays(arrays: Mapping[str, Array]) -> bytes:
    """Return arrays as an archive, not compressed; equal arrays give equal bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for key, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy", _DATE), "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return file.getvalue()


def read_arrays(source: Source, wanted: Iterable[str], name: str | None = None) -> dict[str, Array]:
    """Read arrays of an archive, compressed or not.

    Parameters
    ----------
    source : path, bytes or binary file
        The archive.
    wanted : iterable of str
        Names of arrays; those that are not there are left out.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If the archive cannot be read, an array is none or holds Python objects, or it holds more or less than it
        claims.
    """
    name = source_name(source, name)
    try:
        with open_source(source, limited=True) as file:
            searched = io.BytesIO(file.read()) if is_stream(file) or not file.seekable() else file
            size = searched.seek(0, io.SEEK_END)
            directory = _Directory(searched)
            with zipfile.ZipFile(cast(BinaryIO, directory)) as archive:
                directory.limit = size
                return _Reader(archive, name, size).arrays(wanted)
    except OSError as error:
        raise FormatError(name, why_unreadable(error)) from error
    except RuntimeError as error:
        raise FormatError(name, f"cannot be read: {error}; save the arrays without encryption") from error
    except NotImplementedError as error:
        raise FormatError(name, f"cannot be read: {error}; save the arrays with numpy.savez") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeError, ValueError) as error:
        reason = " ".join(str(error).split())[:80].encode("ascii", "backslashreplace").decode()
        raise FormatError(name, f"is no whole .npz archive ({reason}); get the file again") from error


class _Directory:
    """A file that refuses to read more than `limit` bytes at once, which `zipfile` does if a directory says so."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.limit = _MAX_DIRECTORY
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > self.limit:
            raise zipfile.BadZipFile("its directory is too long")
        return self._file.read(min(size, self.limit) if size >= 0 else self.limit)


class _Reader:
    """Reads the members of an open archive of `size` bytes."""

    def __init__(self, archive: zipfile.ZipFile, name: str, size: int) -> None:
        self._archive = archive
        self._name = name
        self._left = expanded(size)

    def arrays(self, wanted: Iterable[str]) -> dict[str, Array]:
        """Return the wanted arrays that the archive has."""
        members = {info.filename: info for info in self._archive.infolist()}
        return {key: self._array(members[f"{key}.npy"], key) for key in wanted if f"{key}.npy" in members}

    def _array(self, info: zipfile.ZipInfo, key: str) -> Array:
        """Read one array; its header must promise exactly what the member holds."""
        with self._archive.open(info) as member:
            dtype, by_column, shape = self._header(member, key)
            size = dtype.itemsize * math.prod(shape)
            if size > self._left:
                self._fail(f"{key} promises {size:,} bytes, and expands more than real arrays do; it is not read")
            self._left -= size
            data = np.empty(size, np.uint8)
            found = self._fill(member, data)
            if found != size or member.read(1):
                has = "more" if found == size else f"{found:,}"
                self._fail(f"{key} promises {size:,} bytes and has {has}; get the file again")
        array = data.view(dtype) if size else np.empty(0, dtype)
        array = array.reshape(shape, order="F" if by_column else "C")
        return np.ascontiguousarray(array) if array.ndim else array

    @staticmethod
    def _fill(member: IO[bytes], data: npt.NDArray[np.uint8]) -> int:
        """Read bytes until the array is full or the member ends; return how many there were."""
        found = 0
        while found < len(data) and (block := member.read(min(BLOCK, len(data) - found))):
            data[found : found + len(block)] = np.frombuffer(block, np.uint8)
            found += len(block)
        return found

    def _header(self, member: IO[bytes], key: str) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
        """Read the header of an array: its dtype, whether it is in Fortran order, its shape. [NEP 1]"""
        start = member.read(8)
        if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
            self._fail(f"{key} is no array, or one of a newer version of NumPy's format")
        size = int.from_bytes(member.read(2 if start[6] == 1 else 4), "little")
        text = member.read(min(size, _MAX_HEADER))
        try:
            with warnings.catch_warnings():  # about odd escapes and old names of types
                warnings.simplefilter("ignore")
                header = ast.literal_eval(text.decode("latin-1"))
                descr, by_column, shape = (header[k] for k in ("descr", "fortran_order", "shape"))
                dtype = np.dtype(descr)
        except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError, OverflowError) as error:
            raise FormatError(self._name, f"{key} has a damaged header; get the file again") from error
        if dtype.hasobject or dtype.fields is not None or dtype.subdtype is not None or not isinstance(descr, str):
            self._fail(f"{key} holds Python objects or records, which are not read")
        if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape) or len(shape) > 8:
            self._fail(f"{key} has no shape; the file is damaged")
        return dtype, bool(by_column), shape

    def _fail(self, message: str) -> NoReturn:
        raise FormatError(self._name, message)
