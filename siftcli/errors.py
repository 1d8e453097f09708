"""Exceptions.

Every error that a user can cause derives from :class:`SiftError`.  Its text is one line that says what is wrong,
with which file, and what to do.  The command line prints that line only.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Any

__all__ = [
    "RENAMED",
    "FormatError",
    "FrameError",
    "ImageError",
    "OutputError",
    "ParameterError",
    "PlanError",
    "SiftError",
    "SiftWarning",
    "SuffixError",
    "WorkerError",
    "refuse_renamed",
]

RENAMED = {"threads": "workers"}
"""Former names of options and arguments, and their present ones."""


class SiftError(Exception):
    """Base class of all errors of siftcli."""


class SiftWarning(UserWarning):
    """A message for the user that is not an error."""


class PlanError(SiftError):
    """A command line that cannot be carried out; nothing has been read or written yet."""


class ParameterError(SiftError, ValueError):
    """A parameter is unknown or outside its range.

    Attributes
    ----------
    name : str
        The parameter's name, as in :mod:`siftcli.params`.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.reason = message

    def __reduce__(self) -> tuple[type[ParameterError], tuple[Any, ...]]:
        return type(self), (self.name, self.reason)


def refuse_renamed(given: Iterable[str]) -> None:
    """Raise ParameterError for the first of these names that is a former name of an argument."""
    for name in given:
        if name in RENAMED:
            raise ParameterError(name, f"is now called {RENAMED[name]}; use {RENAMED[name]}=")


class FrameError(ParameterError):
    """A given frame cannot be described.

    Attributes
    ----------
    index : int
        Index of the frame, from 0.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__("frames", f"frame {index + 1} {message}")
        self.index = index
        self.reason = message

    def __reduce__(self) -> tuple[type[ParameterError], tuple[Any, ...]]:
        return type(self), (self.index, self.reason)


class WorkerError(SiftError):
    """A worker process was killed, and so was the one that repeated its task."""


class _FileError(SiftError):
    """An error of one file."""

    def __init__(self, path: str | PathLike[str], message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = str(path)
        self.reason = message


class ImageError(_FileError):
    """An image cannot be read."""


class OutputError(_FileError):
    """An output cannot be written."""


class FormatError(_FileError):
    """A file violates its format.

    Attributes
    ----------
    line : int or None
        Line number, from 1; None if the format has no lines.
    """

    def __init__(self, path: str | PathLike[str], message: str, line: int | None = None) -> None:
        super().__init__(path if line is None else f"{path}:{line}", message)
        self.path = str(path)
        self.line = line


class SuffixError(FormatError, OutputError):
    """The name of an output does not say its format, or not one that can hold what is to be written."""
