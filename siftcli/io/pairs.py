"""Formats of two files for one image: frames in one, descriptors in the other."""

from __future__ import annotations

import os
from contextlib import ExitStack
from os import PathLike
from pathlib import Path

from ..errors import OutputError
from .output import atomic_file

__all__ = ["companion", "parts", "write_pair"]

_SUFFIXES = ((".feat", ".desc"), (".frame", ".descr"))
"""Suffixes of the two files of each format."""


def companion(path: str | PathLike[str], suffix: str) -> Path:
    """Return the name of one of the two files, given that of either."""
    path = Path(path)
    return path if path.suffix.lower() == suffix else path.with_suffix(suffix)


def parts(path: str | PathLike[str], format: str | None = None) -> list[Path]:
    """Return the files that belong to a feature file: itself, or both of a format of two.

    Parameters
    ----------
    path : path
        Of either file.
    format : str, optional
        By default the suffix says whether there are two.
    """
    path = Path(path)
    known = {"openmvg": _SUFFIXES[0], "vlfeat-frame": _SUFFIXES[1]}
    pair = known.get(format or "") or next((p for p in _SUFFIXES if path.suffix.lower() in p), None)
    return [path] if pair is None else [companion(path, suffix) for suffix in pair]


def write_pair(
    path: str | PathLike[str],
    frames: tuple[str, bytes],
    descriptors: tuple[str, bytes | None],
    *,
    overwrite: bool = False,
) -> None:
    """Write both files; neither, if one cannot be written.

    Parameters
    ----------
    path : path
        Of either file.
    frames, descriptors : (suffix, contents)
        No descriptors, no file; one that is there already would not belong to the frames, and is removed.
    overwrite : bool
        Replace files that exist.

    Raises
    ------
    OutputError
        If one exists and is not to be replaced, or cannot be written.
    """
    first, second = companion(path, frames[0]), companion(path, descriptors[0])
    with ExitStack() as stack:
        if descriptors[1] is not None:
            stack.enter_context(atomic_file(second, overwrite=overwrite)).write(descriptors[1])
        elif os.path.lexists(second) and not overwrite:
            raise OutputError(second, "exists already; use --overwrite to replace it, or another output name")
        stack.enter_context(atomic_file(first, overwrite=overwrite)).write(frames[1])
    if descriptors[1] is None:
        second.unlink(missing_ok=True)
