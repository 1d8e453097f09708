"""What can go wrong, by name.

Every error that a user can cause derives from :class:`SiftError`; its text is one line that says what is wrong,
with which file, and what to do.  The command line prints that line and nothing else.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

__all__ = ["FormatError", "FrameError", "ImageError", "OutputError", "ParameterError", "SiftError"]


class SiftError(Exception):
    """Base of everything that siftcli raises on purpose."""


class ParameterError(SiftError, ValueError):
    """A parameter outside its range.

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


class FrameError(ParameterError):
    """A frame that was given and cannot be described.

    Attributes
    ----------
    index : int
        Which one; the first is 0.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__("frames", f"frame {index + 1} {message}")
        self.index = index
        self.reason = message

    def __reduce__(self) -> tuple[type[ParameterError], tuple[Any, ...]]:
        return type(self), (self.index, self.reason)


class _FileError(SiftError):
    """An error about one file."""

    def __init__(self, path: str | PathLike[str], message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = str(path)
        self.reason = message


class ImageError(_FileError):
    """An image that cannot be read."""


class OutputError(_FileError):
    """A result that cannot be written."""


class FormatError(_FileError):
    """A feature file that is not what its format promises.

    Attributes
    ----------
    line : int or None
        First line is 1; None where the format has no lines.
    """

    def __init__(self, path: str | PathLike[str], message: str, line: int | None = None) -> None:
        super().__init__(path if line is None else f"{path}:{line}", message)
        self.path = str(path)
        self.line = line
