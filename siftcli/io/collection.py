"""Files that hold the features of many images: how they are read, and how one is built so that a kill cannot spoil it.

A collection is built in a journal beside it, ``features.h5.journal``: a record is appended for every image, with its
length and checksum.  When all are there, they are written to a temporary file in the order of their names, which
then gets the final name, and the journal is removed.  So under the final name there is at any moment nothing, the old
file, or the whole new one; and what a killed run has appended, a later one may go on from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Protocol

from ..errors import OutputError
from ..features import Features, ParameterValue
from . import npz
from .files import output_error
from .records import framed, next_record, open_locked, write_all

__all__ = ["Collection", "CollectionWriter", "JournalWriter", "WriteAll", "check_name", "followed"]


class Collection(Protocol):
    """An open file of the features of images, by name; a context manager.

    Attributes
    ----------
    names : tuple of str
        The images, in the order of the file.
    """

    names: tuple[str, ...]

    def read(self, name: str) -> Features:
        """Return the features of an image; KeyError for a name that is not among `names`."""
        ...

    def __iter__(self) -> Iterator[tuple[str, Features]]: ...

    def __enter__(self) -> Collection: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class CollectionWriter(Protocol):
    """A file of the features of images that is being built; as a context manager, it is closed or aborted."""

    def done(self) -> frozenset[str]:
        """Return the names that are there already."""
        ...

    def add(self, name: str, features: Features) -> None:
        """Add an image, or replace the one of that name."""
        ...

    def close(self) -> None:
        """Publish the file under its final name; where that fails, it is still to be aborted."""
        ...

    def abort(self, *, keep: bool = True) -> None:
        """Leave the final name alone; what was added stays, if `keep`, for a run that resumes."""
        ...

    def __enter__(self) -> CollectionWriter: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def check_name(path: str | PathLike[str], name: str) -> str:
    """Return the name of an image if it can be one in a collection: a relative POSIX path, as under an image folder.

    Raises
    ------
    OutputError
        If it is absolute or empty, has a part that is empty, ``.`` or ``..``, or cannot be written in UTF-8.
    """
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise OutputError(path, f"cannot hold an image named {name!r}; names are relative paths, such as 'left/1.jpg'")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise OutputError(path, f"cannot hold an image named {name!r}, which is not UTF-8; rename it") from error
    return name


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


WriteAll = Callable[[Path, Iterator[tuple[str, Features]], Mapping[str, ParameterValue] | None], None]
"""Writes a whole collection to a path, in the order given, with the parameters of all."""

_MAGIC = b"SIFTJNL1"


class JournalWriter:
    """Builds a collection in a journal beside it.

    Parameters
    ----------
    path : path
        The final name; its folder must exist.
    publish : WriteAll
        Writes the file.
    check : callable, optional
        Raises OutputError for features, and the name to call them by, that it cannot write.
    existing : Collection or None
        What is under the final name, to be kept but for the images that are added again.
    parameters : mapping or None
        Of all the features.
    resume : bool
        Go on from the journal of an earlier run, if there is one; else it is dropped.
    drop : bool
        Drop a journal of other parameters.

    Raises
    ------
    OutputError
        If the journal cannot be written, another run has it open, or it is of other parameters.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        publish: WriteAll,
        *,
        check: Callable[[Features, str], None] | None = None,
        existing: Callable[[], Collection] | None = None,
        parameters: Mapping[str, ParameterValue] | None = None,
        resume: bool = False,
        drop: bool = False,
    ) -> None:
        self._path = Path(path)
        self._journal = self._path.with_name(self._path.name + ".journal")
        self._publish = publish
        self._check = check
        self._existing = existing
        self._parameters = None if parameters is None else dict(parameters)
        self._records: dict[str, int] = {}
        self._kept: frozenset[str] = frozenset()
        if existing is not None:
            with existing() as collection:
                self._kept = frozenset(collection.names)
        try:
            self._file = open_locked(self._journal)
        except OSError as error:
            raise output_error(self._journal, error) from error
        try:
            self._begin(resume, drop)
        except OSError as error:
            self._file.close()
            raise output_error(self._journal, error) from error
        except OutputError:
            self._file.close()
            raise

    def _begin(self, resume: bool, drop: bool) -> None:
        header = _MAGIC + framed(b"", json.dumps(self._parameters, sort_keys=True).encode())
        if resume and self._recover(drop):
            return
        self._file.seek(0)
        self._file.truncate()
        write_all(self._file, header)

    def _recover(self, drop: bool) -> bool:
        """Find the whole records of an earlier run, and drop what follows them; false if there is nothing of use."""
        if self._file.read(len(_MAGIC)) != _MAGIC:
            return False
        header = next_record(self._file)
        if header is None:
            return False
        if json.loads(header[1]) != self._parameters:
            if drop:
                return False
            raise OutputError(
                self._journal,
                "is what a run with other parameters has left; repeat that run, or start anew with --overwrite",
            )
        position = self._file.tell()
        while (record := next_record(self._file)) is not None:
            self._records[record[0].decode()] = position
            position = self._file.tell()
        self._file.seek(position)
        self._file.truncate()
        return True

    def done(self) -> frozenset[str]:
        return self._kept | frozenset(self._records)

    def add(self, name: str, features: Features) -> None:
        label = f"{self._path}: {check_name(self._path, name)}"
        if self._check is not None:
            self._check(features, label)
        data = framed(name.encode(), npz.encode(features, name=label))
        position = self._file.tell()
        try:
            write_all(self._file, data)
        except OSError as error:
            self._file.seek(position)
            self._file.truncate()
            raise output_error(self._journal, error) from error
        self._records[name] = position

    def close(self) -> None:
        if self._file.closed:
            return
        temporary = self._path.with_name(self._path.name + ".tmp")
        try:
            if self._records or not self._kept:
                self._publish(temporary, self._all(), self._parameters)
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
                temporary.replace(self._path)
            if os.name == "nt":  # where an open file cannot be removed
                self._file.close()
            self._journal.unlink()
        except OSError as error:
            raise output_error(self._path, error) from error
        finally:
            with suppress(OSError):
                temporary.unlink()
        self._file.close()

    def _all(self) -> Iterator[tuple[str, Features]]:
        """Yield what is kept and what was added, in the order of the names."""
        if self._existing is None:
            for name in sorted(self._records):
                yield name, self._added(name)
            return
        with self._existing() as existing:
            for name in sorted(self.done()):
                yield name, self._added(name) if name in self._records else existing.read(name)

    def _added(self, name: str) -> Features:
        self._file.seek(self._records[name])
        record = next_record(self._file)
        if record is None:
            raise OutputError(self._journal, "has been changed by another program; start anew")
        return npz.decode(record[1], name=f"{self._journal}: {name}")

    def abort(self, *, keep: bool = True) -> None:
        if self._file.closed:
            return
        if not (keep and self._records):
            if os.name == "nt":
                self._file.close()
            with suppress(OSError):
                self._journal.unlink()
        self._file.close()

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self.abort()
