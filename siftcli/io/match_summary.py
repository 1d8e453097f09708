"""Summaries of match files."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import PurePath

from ..matches import Matches
from .matches import MATCH_FORMATS, MatchFormat, read_matches

__all__ = ["match_format_of", "pairs_of"]


def match_format_of(path: str | PathLike[str]) -> MatchFormat | None:
    """Return the match format that a file's suffix may stand for and that can be read, or None."""
    name = PurePath(path).name.lower()
    found = (f for f in MATCH_FORMATS.values() if name.endswith(f.suffixes))
    return next(found, None)


def pairs_of(path: str | PathLike[str], format: MatchFormat) -> Iterator[tuple[str | None, str | None, Matches]]:
    """Yield the pairs of a match file: the images' names, None where the file does not tell them, and the matches.

    Raises
    ------
    FormatError
        If it is no file of matches, or cannot be read.
    """
    if not format.many:
        yield None, None, read_matches(path, format.name)
    elif format.name == "colmap":
        yield from format.function("read")(path)
    else:
        with format.function("MatchCollection")(path) as collection:
            yield from collection
