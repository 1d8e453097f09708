"""On which line of a text file a frame is."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

from .text_source import read_blocks

__all__ = ["line_of_frame"]

_ONE_LINE = frozenset({"colmap", "vlfeat", "vlfeat-frame", "ipol", "openmvg", "csv"})
"""Formats of one line a frame, with something before them at most."""
_WRAPPED = frozenset({"lowe", "lowe-gz"})
"""Formats of a header of two words, and frames of so many words each, on any lines."""
_FRAMES = {".descr": ".frame", ".desc": ".feat"}
"""Where the frames are that belong to a file of descriptors."""


def line_of_frame(path: str | PathLike[str], format: str, index: int, count: int) -> int | None:
    """Return the line of a frame in a file that was read.

    Parameters
    ----------
    path : path
        The file.
    format : str
        Its format's name.
    index : int
        Which frame; the first is 0.
    count : int
        How many frames the file has.

    Returns
    -------
    int or None
        The first line is 1; None for files without lines.

    Raises
    ------
    FormatError
        If the file cannot be read any more.
    """
    if format not in _ONE_LINE | _WRAPPED:
        return None
    place = Path(path)
    place = place.with_suffix(_FRAMES.get(place.suffix.lower(), place.suffix))
    with read_blocks(place, str(place)) as blocks:
        text = b"".join(blocks)
    if format in _ONE_LINE:
        filled = [number for number, line in enumerate(text.split(b"\n"), start=1) if line.strip()]
        return filled[index - count] if len(filled) >= count else None
    words = list(re.finditer(rb"\S+", text))
    first = 2 + (len(words) - 2) // count * index
    return text.count(b"\n", 0, words[first].start()) + 1 if first < len(words) else None
