"""Outputs that are files which the run reads, or one another: refused before any work, whatever --overwrite says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from ..errors import PlanError
from ..io.files import STDIN

__all__ = ["refuse_clashes"]

_Path = str | PathLike[str]


def refuse_clashes(outputs: Iterable[_Path], inputs: Iterable[_Path], *, extended: Iterable[_Path] = ()) -> None:
    """Refuse outputs that are among the files that a run reads, or the same as another output.

    A file is the same by whatever path: a symbolic or a hard link, or another spelling where the file system ignores
    case.  Devices and pipes are no files here.

    Parameters
    ----------
    outputs : iterable of path
        Every file that the run will write; ``-`` is standard output.
    inputs : iterable of path
        Every file that it will read; folders, and what is not there, may be among them.
    extended : iterable of path
        Inputs that may be an output, because that is added to instead of replaced: a COLMAP database.

    Raises
    ------
    PlanError
        If there is such an output.
    """
    names = list(map(str, outputs))
    keys = [_identity(name) for name in names]
    written = {key: name for key, name in zip(keys, names, strict=True) if key is not None}
    allowed = {_identity(str(path)) for path in extended}
    for path in map(str, inputs):
        key = _identity(path)
        if key in written and key not in allowed:
            raise PlanError(f"{written[key]}: is an input, and would be overwritten; give another name")
    first: dict[tuple[object, ...], str] = {}
    for key, name in zip(keys, names, strict=True):
        if key is None:
            continue
        if key in first:
            same = "is named for two outputs" if first[key] == name else f"is the same file as {first[key]}"
            raise PlanError(f"{name}: {same}; give one of them another name")
        first[key] = name


def _identity(path: str) -> tuple[object, ...] | None:
    """Return what tells a file from all others; None for folders, devices, pipes and names that cannot be."""
    if path == STDIN:
        return None
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return _future_identity(Path(path))
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _future_identity(path: Path) -> tuple[object, ...] | None:
    """Return the same for a file that is not there yet, by its folder and its name."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        folder = target.parent.stat()
    except FileNotFoundError:
        return (os.path.normcase(os.path.realpath(target)),)
    except (OSError, ValueError):
        return None
    return folder.st_dev, folder.st_ino, os.path.normcase(target.name)
