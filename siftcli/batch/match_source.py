"""The features that a collection's matches are made of: a file of many images, and those of them in use."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from ..errors import FormatError, ParameterError
from ..features import Features
from ..io.registry import collection_reader
from ..matching.exact import Side

__all__ = ["Images", "Source"]

_CACHE = 256 << 20
"""Bytes of prepared descriptors that are kept."""


@dataclass(frozen=True)
class Source:
    """A file of the features of many images; may be sent to another process.

    Attributes
    ----------
    path : str
        The file.
    format : str or None
        Its format, where the suffix does not say it.
    """

    path: str
    format: str | None = None

    def names(self) -> tuple[str, ...]:
        """The images that it holds.

        Raises
        ------
        FormatError
            If it cannot be read.
        """
        with collection_reader(self.path, self.format) as collection:
            return collection.names

    def fingerprint(self) -> list[int]:
        """Return what identifies the contents of the file."""
        status = Path(self.path).stat()
        return [status.st_size, status.st_mtime_ns]


class Images:
    """The images of a source, prepared for matching; those that were used last are kept."""

    def __init__(self, source: Source, metric: str) -> None:
        self._source = source
        self._collection = collection_reader(source.path, source.format)
        self._names = frozenset(self._collection.names)
        self._metric = metric
        self._kept: OrderedDict[str, Side] = OrderedDict()
        self._bytes = 0

    def features(self, name: str) -> Features:
        """Read an image's features."""
        if name not in self._names:
            raise FormatError(self._source.path, f"holds no image {name!r}")
        return self._collection.read(name)

    def side(self, name: str) -> Side:
        """Prepare an image's features."""
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        try:
            side = Side.of(self.features(name), self._metric)
        except ParameterError as error:
            raise FormatError(self._source.path, f"{name}: {error}") from error
        self._kept[name] = side
        self._bytes += side.descriptors.rows.nbytes
        while self._bytes > _CACHE and len(self._kept) > 2:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.descriptors.rows.nbytes
        return side
