"""Refusing outputs that are inputs of the same run, or that are the same file, even with --overwrite."""

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
    """Refuse outputs that are inputs of the run, or the same file as another output.

    Files are compared by identity, so links and other spellings of a name are found.  Devices and pipes are exempt.

    Parameters
    ----------
    outputs : iterable of path
        Every file that the run will write; ``-`` is standard output.
    inputs : iterable of path
        Every file that the run will read; folders and missing files are ignored.
    extended : iterable of path
        Inputs that may be outputs, because the run adds to them: COLMAP databases.

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
    """Return the identity of a file; None for folders, devices, pipes and invalid names."""
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
    """Return the identity of a file that does not exist yet, from its folder and its name."""
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        folder = target.parent.stat()
    except FileNotFoundError:
        return (os.path.normcase(os.path.realpath(target)),)
    except (OSError, ValueError):
        return None
    return folder.st_dev, folder.st_ino, os.path.normcase(target.name)
