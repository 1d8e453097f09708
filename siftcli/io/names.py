"""Names of images and files: above all the one check before a name out of a file becomes a path."""

from __future__ import annotations

import os
import re
from os import PathLike
from pathlib import Path

from ..errors import OutputError

__all__ = ["check_name", "companion", "name_fault", "place_below", "shortened", "stem"]

_DRIVE = re.compile(r"[A-Za-z]:|[\\/]")
_PARTS = re.compile(r"[\\/]")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?")
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\x00-\x1f]|[ .]$')
_LONGEST_PART = 255


def name_fault(name: str) -> str | None:
    """Say why a name cannot be a relative path below a folder; None if it can.

    Refused are absolute paths, drive letters, an empty name or part, ``.``, ``..`` and NUL.  A backslash counts as a
    separator of parts as well, so that a name means no other place on another system.
    """
    if not name:
        return "is empty"
    if "\0" in name:
        return "has a NUL byte"
    if _DRIVE.match(name):
        return "is an absolute path"
    parts = _PARTS.split(name)
    if ".." in parts:
        return "leads out of its folder by '..'"
    if any(part in ("", ".") for part in name.split("/")) or "." in parts:
        return "has a part that is empty or '.'"
    return None


def _system_fault(name: str) -> str | None:
    """Say why a relative path cannot be a file's on this system; None if it can."""
    parts = name.split("/")
    if any(len(os.fsencode(part)) > _LONGEST_PART for part in parts):
        return f"has a part of more than {_LONGEST_PART} bytes"
    if os.name == "nt":
        parts = _PARTS.split(name)
        if any(_NOT_ON_WINDOWS.search(part) or _RESERVED.fullmatch(part) for part in parts):
            return "cannot be the name of a file on Windows"
    return None


def check_name(path: str | PathLike[str], name: str) -> str:
    """Return the name of an image if it can be one in a file of many images: a relative POSIX path in UTF-8.

    Raises
    ------
    OutputError
        If it cannot; see `name_fault`.
    """
    fault = name_fault(name)
    if fault is not None:
        raise OutputError(path, f"cannot hold an image named {name!r}: the name {fault}; rename the image")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise OutputError(path, f"cannot hold an image named {name!r}, which is not UTF-8; rename it") from error
    return name


def place_below(folder: str | PathLike[str], name: str, file: str) -> Path:
    """Return the file of an image below a folder.

    Parameters
    ----------
    folder : path
        The folder.
    name : str
        The image's name, from a file.
    file : str
        The name with the suffix that its file gets.

    Raises
    ------
    OutputError
        If the name leads elsewhere, or no file on this system can have it.
    """
    fault = name_fault(name) or _system_fault(file)
    if fault is not None:
        raise OutputError(folder, f"has no place for an image named {shortened(name)}: the name {fault}")
    return Path(folder, file)


def shortened(name: str) -> str:
    """Show a name in a message."""
    return repr(name if len(name) <= 80 else f"{name[:60]}...{name[-10:]}")


def stem(name: str) -> str:
    """Return a name without the suffix of its last part; any string will do."""
    head, separator, last = name.rpartition("/")
    base, dot, _ = last.rpartition(".")
    return f"{head}{separator}{base}" if dot and base else name


def companion(path: str | PathLike[str], suffix: str) -> Path:
    """Return the name of one file of a format of two, given that of either."""
    path = Path(path)
    return path if path.suffix.lower() == suffix else path.with_suffix(suffix)
