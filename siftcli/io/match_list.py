"""Text files about pairs of images: COLMAP's raw match list, and lists of the pairs to match.

The match list has, for each pair, a line with the two names, a line with two indices for each match, and a blank line.
COLMAP separates the names at the space, so names cannot have one.  The format cannot mark inliers: of verified
matches, only the inliers are written.

A list of pairs, as hloc has it, is a line with two names for each pair.  They are separated by a tab; or by blanks, and
then names with blanks are in double quotes.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from os import PathLike
from pathlib import Path

import numpy as np

from ..errors import FormatError, OutputError
from ..matches import Matches
from .files import Source, source_name
from .limits import MAX_DIGITS, MAX_LINES
from .output import atomic_file
from .text.lines import text_lines

__all__ = ["MatchCollection", "check_names", "encode", "read", "read_pairs", "write"]

_NAME = re.compile(r'"([^"]*)"|(\S+)')


def check_names(path: str | PathLike[str], names: Iterable[str]) -> None:
    """Raise OutputError if a name has white space, or is empty."""
    for name in names:
        if name.split() != [name]:
            raise OutputError(path, f"COLMAP's match list cannot hold the name {name!r}, with a blank; use .h5 or .db")


def encode(name_a: str, name_b: str, matches: Matches, *, path: str | PathLike[str] = "<matches>") -> bytes:
    """Encode one pair of a match list.

    Raises
    ------
    OutputError
        If a name has white space, or is empty.
    """
    check_names(path, (name_a, name_b))
    lines = [f"{name_a} {name_b}", *(f"{i} {j}" for i, j in matches.only_inliers().indices.tolist()), "", ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def write(path: Path, pairs: Iterable[tuple[str, str, Matches]], *, overwrite: bool = False) -> None:
    """Write a match list atomically.

    Raises
    ------
    OutputError
        If a name has white space, the file exists and is not to be replaced, or it cannot be written.
    """
    with atomic_file(path, overwrite=overwrite, sync=True) as file:
        for name_a, name_b, matches in pairs:
            file.write(encode(name_a, name_b, matches, path=path))


def read(source: Source, *, name: str | None = None) -> Iterator[tuple[str, str, Matches]]:
    """Read a match list.

    Yields
    ------
    name_a, name_b : str
    matches : Matches
        Indices alone.

    Raises
    ------
    FormatError
        If it cannot be read, or has a line that is no match.
    """
    name = source_name(source, name)
    pair: tuple[str, str] | None = None
    indices = array("i")
    for number, line in enumerate(chain(text_lines(source, "COLMAP's match list", name, many=True), ("",)), 1):
        words = line.split()
        if not words:
            if pair is not None:
                yield *pair, Matches(np.frombuffer(indices, np.int32).reshape(-1, 2))
            pair, indices = None, array("i")
        elif len(words) != 2:
            raise FormatError(name, f"has {len(words)} words instead of two names or two indices", number)
        elif pair is None:
            pair = words[0], words[1]
        elif all(map(_is_index, words)) and len(indices) < 2 * MAX_LINES:
            indices.extend(map(int, words))
        else:
            raise FormatError(name, f"{line.strip()[:60]!r} is no pair of indices; is a blank line missing?", number)


class MatchCollection:
    """The matches of a match list, all of them in memory; a context manager.

    Attributes
    ----------
    pairs : tuple of (str, str)
        Names of the images of each pair, in the order of the file.

    Raises
    ------
    FormatError
        As for `read`.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._items = list(read(path))
        self._matches = {(name_a, name_b): matches for name_a, name_b, matches in self._items}
        self.pairs = tuple(self._matches)

    def read(self, name_a: str, name_b: str) -> Matches:
        """Return the matches of a pair; KeyError if there is no such pair."""
        return self._matches[name_a, name_b]

    def __iter__(self) -> Iterator[tuple[str, str, Matches]]:
        return iter(self._items)

    def __enter__(self) -> MatchCollection:
        return self

    def __exit__(self, *error: object) -> None:
        return None


def _is_index(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS and int(word) < 2**31


def read_pairs(source: Source, *, name: str | None = None) -> list[tuple[str, str]]:
    """Read a list of pairs.

    Returns
    -------
    list of (str, str)
        In the order of the file; blank lines, and those that begin with ``#``, are left out.

    Raises
    ------
    FormatError
        If it cannot be read, or a line has not two names.
    """
    name = source_name(source, name)
    pairs: list[tuple[str, str]] = []
    known: dict[str, str] = {}  # so that equal names share one string
    for number, line in enumerate(text_lines(source, "a list of pairs", name), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if "\t" in line:
            words = [word.strip(" ").removeprefix('"').removesuffix('"') for word in line.split("\t")]
        else:
            words = [quoted or plain for quoted, plain in _NAME.findall(line)]
        if len(words) != 2 or not all(words):
            raise FormatError(
                name, f"must have two names, not {len(words)}; put names with blanks in double quotes", number
            )
        pairs.append((known.setdefault(words[0], words[0]), known.setdefault(words[1], words[1])))
    return pairs
