"""The table of match formats, and reading and writing any of them.

A format is one module and one entry of `MATCH_FORMATS`.  The module of a format of one pair has

* ``encode(matches) -> bytes`` and ``decode(source, *, name=None) -> Matches``;

that of a format of many pairs has

* ``write(path, pairs, *, overwrite)``, which writes the file atomically; `pairs` is an iterable of ``(name_a, name_b,
  Matches)``.  If `MatchFormat.database`, it takes `features` and `database` as well, see `write_matches`;
* ``check_names(path, names)``, which raises OutputError if the format cannot hold these names of images;
* ``MatchCollection(path)``, a context manager with `pairs`, a tuple of ``(name_a, name_b)``; ``read(name_a, name_b)
  -> Matches``; and iteration over ``(name_a, name_b, Matches)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..errors import FormatError, SuffixError
from .format_types import MatchFormat, by_contents, by_suffix
from .output import atomic_write
from .run_lock import RunLock

if TYPE_CHECKING:
    from ..features import Features
    from ..matches import Matches
    from .colmap.camera import DatabaseOptions

__all__ = [
    "MATCH_FORMATS",
    "MatchFormat",
    "encode_matches",
    "match_format_for",
    "match_format_of",
    "pairs_of",
    "read_matches",
    "write_matches",
]

_Path: TypeAlias = str | PathLike[str]


MATCH_FORMATS: dict[str, MatchFormat] = {
    f.name: f
    for f in (
        MatchFormat("csv", "comma-separated values", (".csv",), "match_csv"),
        MatchFormat("npz", "NumPy arrays", (".npz",), "match_npz"),
        MatchFormat(
            "hloc", "HDF5 as hloc has it", (".h5", ".hdf5"), "hdf5.matches", many=True, extends=True, needs_sizes=True
        ),
        MatchFormat("colmap", "COLMAP's raw match list", (".txt",), "match_list", many=True),
        MatchFormat("colmap-db", "COLMAP database", (".db",), "colmap.matches", many=True, extends=True, database=True),
    )
}
"""Every format by its name.  An output gets the first of the formats that share its suffix."""


def match_format_for(path: _Path, name: str | None = None, *, many: bool = False, reading: bool = False) -> MatchFormat:
    """Return the format of a file.

    Parameters
    ----------
    path : path
        The file.
    name : str, optional
        Name of the format; by default the suffix determines it.
    many : bool
        It must hold many pairs.
    reading : bool
        The file is an input: if several formats share its suffix, its first bytes decide.

    Raises
    ------
    OutputError
        If neither name nor suffix belongs to a format, or the format holds one pair only.
    FormatError
        If the first bytes are needed and cannot be read.
    """
    known = {key: f for key, f in MATCH_FORMATS.items() if f.many or not many}
    suffixes = ", ".join(f.suffixes[0] for f in known.values())
    if name is not None:
        found = MATCH_FORMATS.get(name)
    else:
        found = (match_format_of(path) if reading else None) or next(iter(by_suffix(MATCH_FORMATS, path)), None)
    if found is None:
        if reading and not Path(path).exists():
            raise FormatError(path, "no such file; check the path")
        choice = f"files of matches end with one of {suffixes}" if reading else f"use one of {suffixes}, or --format"
        raise SuffixError(path, f"its suffix does not say which match format; {choice}")
    if found.name not in known:
        raise SuffixError(path, f"{found.title} hold one pair of images; use one of {suffixes}")
    return found


def match_format_of(path: _Path) -> MatchFormat | None:
    """Return the match format of an input by its suffix and, where several share it, by its first bytes, or None.

    Raises
    ------
    FormatError
        If its first bytes are needed and cannot be read.
    """
    return by_contents(MATCH_FORMATS, path)


def encode_matches(matches: Matches, format: str = "csv") -> bytes:
    """Return a match file of one pair as bytes, for standard output.

    Parameters
    ----------
    matches : Matches
        Matches of one pair.
    format : str
        "csv" or "npz".
    """
    data: bytes = MATCH_FORMATS[format].function("encode")(matches)
    return data


def write_matches(
    path: _Path,
    pairs: Iterable[tuple[str, str, Matches]],
    format: str | None = None,
    *,
    features: Callable[[str], Features] | None = None,
    overwrite: bool = False,
    database: DatabaseOptions | None = None,
    kept: Iterable[tuple[str, str]] = (),
) -> None:
    """Write a match file atomically.

    Parameters
    ----------
    path : path
        Its folder must exist.
    pairs : iterable of (name_a, name_b, Matches)
        One, unless the format holds many.
    format : str, optional
        By default the suffix says it.
    features : callable, optional
        Gives the features of an image by its name, for the images that a COLMAP database lacks.
    overwrite : bool
        Replace what exists.  A COLMAP database is never replaced: matches are added to it.
    database : DatabaseOptions, optional
        How a COLMAP database is made.
    kept : iterable of (str, str)
        Pairs of an HDF5 file that is replaced which stay in it; a database keeps all of its pairs.

    Raises
    ------
    OutputError
        If it exists and is not to be overwritten, cannot be written, or cannot hold the pairs.
    """
    chosen = match_format_for(path, format)
    if not chosen.many:
        ((name_a, name_b, matches),) = pairs
        atomic_write(path, encode_matches(matches.named(name_a, name_b), chosen.name), overwrite=overwrite)
        return
    with RunLock(path, join=True):
        arguments: dict[str, object] = {"kept": kept} if chosen.extends else {}
        if chosen.database:
            arguments = {"features": features, "database": database}
        chosen.function("write")(Path(path), pairs, overwrite=overwrite, **arguments)


def read_matches(path: _Path, format: str | None = None, *, names: tuple[str, str] | None = None) -> Matches:
    """Read the matches of one pair.

    Parameters
    ----------
    path : path
        A file of any format.
    format : str, optional
        By default the suffix says it.
    names : (str, str), optional
        Which pair of a file of many; may be left out where there is one.

    Raises
    ------
    FormatError
        If it cannot be read, is not what its format promises, or has no such pair, or several and none is named.
    """
    chosen = match_format_for(path, format, reading=True)
    if not chosen.many:
        matches: Matches = chosen.function("decode")(path)
        return matches
    with chosen.function("MatchCollection")(path) as collection:
        known = collection.pairs
        if chosen.database and names is not None:
            known = (*known, *((b, a) for a, b in known))
        pair = _chosen(path, known, names)
        found: Matches = collection.read(*pair)
        return found.named(*pair)


def pairs_of(path: _Path, format: MatchFormat) -> Iterator[tuple[str | None, str | None, Matches]]:
    """Yield the pairs of a match file: the images' names, None where the file does not tell them, and the matches.

    Raises
    ------
    FormatError
        If it is no file of matches, or cannot be read.
    """
    if not format.many:
        matches = read_matches(path, format.name)
        a, b = (None, None) if matches.origins is None else (origin.name for origin in matches.origins)
        yield a, b, matches
        return
    with format.function("MatchCollection")(path) as collection:
        yield from collection


def _chosen(path: _Path, pairs: tuple[tuple[str, str], ...], names: tuple[str, str] | None) -> tuple[str, str]:
    if names is None:
        if len(pairs) != 1:
            raise FormatError(path, f"holds {len(pairs)} pairs; say which one (sift draw: --pair A B)")
        return pairs[0]
    if names not in pairs:
        raise FormatError(path, f"holds no pair {names[0]!r}, {names[1]!r}; sift info shows what it holds")
    return names
