"""Match files: which formats there are, and reading and writing any of them.

A format is one module and one entry of `MATCH_FORMATS`.  The module is imported when it is first needed.  Of a format
of one pair it has ``encode(matches) -> bytes`` and ``decode(source, *, name=None) -> Matches``; of one of many pairs,
``write(path, pairs, overwrite=)``, which writes the file atomically, `pairs` being an iterable of ``(name_a, name_b,
Matches)``, and ``check_names(path, names)``, which tells before there are any whether it will be able to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from os import PathLike
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import FormatError, SuffixError
from .output import atomic_write
from .run_lock import RunLock

if TYPE_CHECKING:
    from ..features import Features
    from ..matches import Matches
    from .colmap_camera import DatabaseOptions

__all__ = [
    "MATCH_FORMATS",
    "MatchFormat",
    "encode_matches",
    "match_format_for",
    "read_matches",
    "write_matches",
]

_Path: TypeAlias = str | PathLike[str]


@dataclass(frozen=True)
class MatchFormat:
    """A match format.

    Attributes
    ----------
    name : str
        For ``--format``.
    title : str
        What it is, in words.
    suffixes : tuple of str
        Of its files.
    module : str
        In :mod:`siftcli.io`.
    many : bool
        Whether one file holds many pairs.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    module: str
    many: bool = False

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function of the format's module."""
        function: Callable[..., Any] = getattr(import_module(f".{self.module}", __package__), name)
        return function


MATCH_FORMATS: dict[str, MatchFormat] = {
    f.name: f
    for f in (
        MatchFormat("csv", "comma-separated values", (".csv",), "match_csv"),
        MatchFormat("npz", "NumPy arrays", (".npz",), "match_npz"),
        MatchFormat("hloc", "HDF5 as hloc has it", (".h5", ".hdf5"), "match_hdf5", many=True),
        MatchFormat("colmap", "COLMAP's raw match list", (".txt",), "match_list", many=True),
        MatchFormat("colmap-db", "COLMAP database", (".db",), "match_db", many=True),
    )
}
"""Every format by its name."""


def match_format_for(path: _Path, name: str | None = None, *, many: bool = False) -> MatchFormat:
    """Return the format of a file.

    Parameters
    ----------
    path : path
        The file.
    name : str, optional
        Of the format; by default the suffix says it.
    many : bool
        It must hold many pairs.

    Raises
    ------
    OutputError
        If neither says which, or it holds one pair only.
    """
    known = [f for f in MATCH_FORMATS.values() if f.many or not many]
    lower = PurePath(path).name.lower()
    by_suffix = (f for f in MATCH_FORMATS.values() if lower.endswith(f.suffixes))
    found = next(by_suffix, None) if name is None else MATCH_FORMATS.get(name)
    if found is None:
        suffixes = ", ".join(f.suffixes[0] for f in known)
        raise SuffixError(path, f"its suffix does not say which match format; use one of {suffixes}, or --format")
    if found not in known:
        suffixes = ", ".join(f.suffixes[0] for f in known)
        raise SuffixError(path, f"{found.title} hold one pair of images; use one of {suffixes}")
    return found


def encode_matches(matches: Matches, format: str = "csv") -> bytes:
    """Return a match file of one pair as bytes, for standard output.

    Parameters
    ----------
    matches : Matches
        Of one pair.
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
) -> None:
    """Write a match file, all of it or nothing.

    Parameters
    ----------
    path : path
        Its folder must exist.
    pairs : iterable of (name_a, name_b, Matches)
        One, unless the format holds many.
    format : str, optional
        By default the suffix says it.
    features : callable, optional
        Gives the features of an image by its name, for the images that a COLMAP database has not got.
    overwrite : bool
        Replace what exists.  A COLMAP database is never replaced: matches are added to it.
    database : DatabaseOptions, optional
        How a COLMAP database is made.

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
        arguments = {"features": features, "database": database} if chosen.name == "colmap-db" else {}
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
    chosen = match_format_for(path, format)
    if not chosen.many:
        matches: Matches = chosen.function("decode")(path)
        return matches
    if chosen.name == "colmap":
        pairs: dict[tuple[str, str], Matches] = {(a, b): m for a, b, m in chosen.function("read")(path)}
        pair = _chosen(path, tuple(pairs), names)
        return pairs[pair].named(*pair)
    with chosen.function("MatchCollection")(path) as collection:
        pairs_there = collection.pairs
        if chosen.name == "colmap-db" and names is not None:  # a pair is in the order of the images' numbers
            pairs_there = (*pairs_there, *((b, a) for a, b in pairs_there))
        pair = _chosen(path, pairs_there, names)
        found: Matches = collection.read(*pair)
        return found.named(*pair)


def _chosen(path: _Path, pairs: tuple[tuple[str, str], ...], names: tuple[str, str] | None) -> tuple[str, str]:
    if names is None:
        if len(pairs) != 1:
            raise FormatError(path, f"holds {len(pairs)} pairs; say which one (sift draw: --pair A B)")
        return pairs[0]
    if names not in pairs:
        raise FormatError(path, f"holds no pair {names[0]!r}, {names[1]!r}")
    return names
