"""The line of a frame in a text file, for messages."""

from __future__ import annotations

import re
from os import PathLike

from .formats import FORMATS
from .text.source import read_blocks

__all__ = ["line_of_frame"]


def line_of_frame(path: str | PathLike[str], format: str, index: int, count: int) -> int | None:
    """Return the line of a frame in a file that was read.

    Parameters
    ----------
    path : path
        The file; of a format of two, either.
    format : str
        Its format's name.
    index : int
        Index of the frame, from 0.
    count : int
        Number of frames in the file.

    Returns
    -------
    int or None
        The line, from 1; None for files without lines.

    Raises
    ------
    FormatError
        If the file can no longer be read.
    """
    chosen = FORMATS[format]
    if chosen.lines == "none":
        return None
    place = chosen.files(path)[0]
    with read_blocks(place, str(place)) as blocks:
        text = b"".join(blocks)
    if chosen.lines == "own":
        filled = [number for number, line in enumerate(text.split(b"\n"), start=1) if line.strip()]
        return filled[index - count] if len(filled) >= count else None
    words = list(re.finditer(rb"\S+", text))
    first = 2 + (len(words) - 2) // count * index
    return text.count(b"\n", 0, words[first].start()) + 1 if first < len(words) else None
