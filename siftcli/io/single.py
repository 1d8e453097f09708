"""A file of one image, as a collection of one."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from ..features import Features

__all__ = ["SingleCollection"]


class SingleCollection:
    """Features that have been read; a `Collection`.

    Parameters
    ----------
    name : str
        Of the image.
    features : Features
        Its features.
    """

    def __init__(self, name: str, features: Features) -> None:
        self.names: tuple[str, ...] = (name,)
        self.parameters = features.parameters
        self._features = features

    def read(self, name: str) -> Features:
        """Return the features; KeyError for another name."""
        if name not in self.names:
            raise KeyError(name)
        return self._features

    def __iter__(self) -> Iterator[tuple[str, Features]]:
        yield self.names[0], self._features

    def __enter__(self) -> SingleCollection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
