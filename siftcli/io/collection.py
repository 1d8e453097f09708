"""Files with the features of many images: the protocols to read one, and a writer that survives being killed.

A collection is built in a journal beside it, see :mod:`siftcli.io.journal`: a record is appended for every image.  When
all are there, they are written to a temporary file in the order of their names, which then gets the final name, and the
journal is removed.  So the output is replaced atomically, and what a killed run has appended, a later one may go on
from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Protocol

from ..features import Features, ParameterValue
from . import npz
from .journal import Journal
from .names import check_name

__all__ = ["Collection", "CollectionWriter", "JournalWriter", "WriteAll", "check_name"]


class Collection(Protocol):
    """An open file of the features of images, by name; a context manager.

    Attributes
    ----------
    names : tuple of str
        The images, in the order of the file.
    parameters : mapping or None
        Parameters of all features; None where the file does not tell.
    """

    names: tuple[str, ...]
    parameters: Mapping[str, ParameterValue] | None

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
        """Return the names of the images that are finished."""
        ...

    def add(self, name: str, features: Features) -> None:
        """Add an image, or replace the one of that name."""
        ...

    def close(self) -> None:
        """Publish the file under its final name; after an error, `abort` must still be called."""
        ...

    def abort(self, *, keep: bool = True) -> None:
        """Do not publish; with `keep`, the added images stay in the journal for a run that resumes."""
        ...

    def __enter__(self) -> CollectionWriter: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class WriteAll(Protocol):
    """Writes a whole collection to a path, in the order given, with the parameters of all; atomically."""

    def __call__(
        self,
        path: Path,
        images: Iterator[tuple[str, Features]],
        parameters: Mapping[str, ParameterValue] | None,
        *,
        overwrite: bool,
    ) -> None: ...


class JournalWriter:
    """Builds a collection in a journal beside it; whoever makes it has locked the output, see `RunLock`.

    Parameters
    ----------
    path : path
        The final name; its folder must exist.
    publish : WriteAll
        Writes the file.
    check : callable, optional
        Raises OutputError for features, and the name to call them by, that it cannot write.
    existing : Collection or None
        The file under the final name; its images are kept, except those that are added again.
    parameters : mapping or None
        Parameters of all the features.
    resume : bool
        Continue from the journal of an earlier run; otherwise a journal is discarded.
    overwrite : bool
        Replace a file of that name, and discard a journal of other parameters.

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
        overwrite: bool = False,
    ) -> None:
        self._path = Path(path)
        self._publish = publish
        self._check = check
        self._existing = existing
        self._parameters = None if parameters is None else dict(parameters)
        self._kept: frozenset[str] = frozenset()
        self._overwrite = overwrite or existing is not None
        self._closed = False
        if existing is not None:
            with existing() as collection:
                self._kept = frozenset(collection.names)
        self._journal = Journal(
            self._path,
            json.dumps(self._parameters, sort_keys=True).encode(),
            resume=resume,
            overwrite=overwrite or not resume,
            join=True,
        )

    def done(self) -> frozenset[str]:
        return self._kept | {self._name(key) for key in self._journal}

    def _name(self, key: bytes) -> str:
        """Return the name of an image in the journal; FormatError if this program cannot have written it."""
        return check_name(self._journal.path, key.decode("utf-8", "surrogateescape"))

    def add(self, name: str, features: Features) -> None:
        label = f"{self._path}: {check_name(self._path, name)}"
        if self._check is not None:
            self._check(features, label)
        self._journal.add(name.encode(), npz.encode(features, name=label))

    def close(self) -> None:
        if self._closed:
            return
        if len(self._journal) or not self._kept:
            self._publish(self._path, self._all(), self._parameters, overwrite=self._overwrite)
        self._journal.remove()
        self._closed = True

    def _all(self) -> Iterator[tuple[str, Features]]:
        """Yield the images of the old file and of the journal, in the order of their names."""
        if self._existing is None:
            for name in sorted(self.done()):
                yield name, self._added(name)
            return
        with self._existing() as existing:
            for name in sorted(self.done()):
                yield name, self._added(name) if name.encode() in self._journal else existing.read(name)

    def _added(self, name: str) -> Features:
        return npz.decode(self._journal.read(name.encode()), name=f"{self._journal.path}: {name}")

    def abort(self, *, keep: bool = True) -> None:
        if self._closed:
            return
        self._closed = True
        if keep:
            self._journal.close()
        else:
            self._journal.remove()

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
