"""Writing formats of two files for one image: frames in one, descriptors in the other."""

from __future__ import annotations

import os
from contextlib import ExitStack
from os import PathLike

from ..errors import OutputError
from .names import companion
from .output import atomic_file

__all__ = ["companion", "write_pair"]


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
        Path of either file.
    frames, descriptors : (suffix, contents)
        Without descriptors, their file is not written; an old one, which belongs to other frames, is removed.
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
