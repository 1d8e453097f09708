"""The types of the two tables of formats, and how a file finds its entry.

The table of feature formats is in :mod:`siftcli.io.formats`, that of match formats in :mod:`siftcli.io.matches`.  An
entry names the module with the format's functions, which is imported when one of them is first needed.  This module
needs nothing but the standard library, so that help can be shown without waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from os import PathLike
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

from ..errors import FormatError
from .files import why_unreadable
from .names import companion

if TYPE_CHECKING:
    from ..features import Features

__all__ = ["Conventions", "Format", "Kind", "MatchFormat", "by_contents", "by_suffix", "listed_suffixes"]

Kind: TypeAlias = Literal["stream", "pair", "collection"]
Lines: TypeAlias = Literal["none", "own", "wrapped"]

_HEAD = 1 << 12
"""Bytes that may tell a format."""

_WORDS = {
    "descriptors": "descriptors",
    "scores": "scores",
    "octaves": "octaves",
    "levels": "levels",
    "sources": "numbers of the frames that were given",
    "affine": "affine shapes",
    "diverged": "the marks of affine shapes that diverged",
    "image_size": "image size",
    "camera": "camera and position",
    "parameters": "parameters",
}
"""Optional attributes of `Features`, in words."""


class Conventions(NamedTuple):
    """The coordinates, angles and descriptor bins in the files of a format; the defaults are the library's.

    Attributes
    ----------
    axes : str
        Order of the coordinates.
    origin : float
        Coordinates of the centre of the first pixel.
    angles : str
        Unit and direction of angles, and where they start if not at the x axis.
    bins : str
        Program whose order the descriptor's elements have.
    precision : str
        What numbers are rounded to.
    """

    axes: str = "x y"
    origin: float = 0.0
    angles: str = "radians, y down"
    bins: str = "VLFeat's"
    precision: str = "exact"


class Format(NamedTuple):
    """A feature format.

    Attributes
    ----------
    name : str
        The name that ``--format`` takes.
    title : str
        Description in a few words.
    suffixes : tuple of str
        Outputs get the first one.  A pair has the suffix of its frames, then that of its descriptors.
    module : str
        Module in :mod:`siftcli.io`.
    kind : str
        "stream": one file for one image; "pair": two files for one image; "collection": one file for many images.
    holds : frozenset of str
        Attributes of `Features` that the format can hold besides `xy`, `scales` and `orientations`; "floats" stands
        for float descriptors.
    conventions : Conventions
        Coordinates, angles and bins in its files.
    whole_name : bool
        Outputs are named ``photo.jpg.txt`` instead of ``photo.key``.
    lines : str
        How frames lie in a text file, so that messages can name a line.  "own": each has a line, and nothing but a
        header may precede them; "wrapped": a header of two words, then equally many words for each; "none": no text.
    mark : callable or None
        Tells from the first bytes of a file whether it has this format, where several formats share a suffix.
    decoder, encoder : str
        Names of the module's functions, where they are not ``decode`` and ``encode``.
    arguments : mapping
        Passed to the encoder or ``collection_writer``.
    database : bool
        A COLMAP database, which holds matches as well and can be made with `DatabaseOptions`.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    module: str
    kind: Kind = "stream"
    holds: frozenset[str] = frozenset({"descriptors"})
    conventions: Conventions = Conventions()
    whole_name: bool = False
    lines: Lines = "none"
    mark: Callable[[bytes], bool] | None = None
    decoder: str = "decode"
    encoder: str = "encode"
    arguments: Mapping[str, Any] = MappingProxyType({})
    database: bool = False

    @property
    def suffix(self) -> str:
        """The suffix that outputs get."""
        return self.suffixes[0]

    @property
    def many(self) -> bool:
        """True if one file holds many images."""
        return self.kind == "collection"

    def files(self, path: str | PathLike[str]) -> list[Path]:
        """Return the files that belong to a feature file: itself, or both of a pair, the frames first."""
        if self.kind != "pair":
            return [Path(path)]
        return [companion(path, "." + suffix.rpartition(".")[2]) for suffix in self.suffixes]  # of .sift.feat, .feat

    def output_name(self, image: PurePath) -> PurePath:
        """Return the name of an image's feature file, in the image's folder."""
        return image.with_name((image.name if self.whole_name else image.stem) + self.suffix)

    def image_name(self, file: PurePath) -> str:
        """Return a feature file's path without the format's suffix, which names its image."""
        for suffix in self.suffixes:
            if file.name.lower().endswith(suffix):
                return file.with_name(file.name[: -len(suffix)] or file.name).as_posix()
        return file.with_name(file.stem).as_posix()

    def losses(self, features: Features) -> list[str]:
        """List in words the parts of `features` that the format cannot hold."""
        lost = [
            words
            for attribute, words in _WORDS.items()
            if attribute not in self.holds and getattr(features, attribute) is not None
        ]
        floats = features.descriptors is not None and features.descriptors.dtype.kind == "f"
        if floats and "descriptors" in self.holds and "floats" not in self.holds:
            lost.append("float precision of descriptors")
        return lost

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function of the format's module."""
        return _function(self.module, name)


class MatchFormat(NamedTuple):
    """A match format.

    Attributes
    ----------
    name : str
        The name that ``--format`` takes.
    title : str
        Description in a few words.
    suffixes : tuple of str
        Suffixes of its files.
    module : str
        Module in :mod:`siftcli.io`.
    many : bool
        One file holds many image pairs.
    extends : bool
        Pairs can be added to a file, as it tells of which features its pairs are.
    mark : callable or None
        As for `Format`.
    needs_sizes : bool
        Matches must have `sizes`, the number of keypoints of each image.
    database : bool
        A COLMAP database: it holds features as well, so writing adds to a file that exists; it has each pair in the
        order of its own image numbers, and can be made with `DatabaseOptions`.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    module: str
    many: bool = False
    extends: bool = False
    mark: Callable[[bytes], bool] | None = None
    needs_sizes: bool = False
    database: bool = False

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function of the format's module."""
        return _function(self.module, name)


_Entry = TypeVar("_Entry", Format, MatchFormat)


def _function(module: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module(f".{module}", __package__), name)
    return function


def listed_suffixes(formats: Mapping[str, _Entry]) -> str:
    """Return all suffixes of a table, for a message."""
    return ", ".join(dict.fromkeys(suffix for f in formats.values() for suffix in f.suffixes))


def by_suffix(formats: Mapping[str, _Entry], path: str | PathLike[str]) -> list[_Entry]:
    """Return the formats whose suffix a path has, those of the longest suffix only."""
    name = PurePath(path).name.lower()
    found = [(len(s), f) for f in formats.values() for s in f.suffixes if name.endswith(s)]
    longest = max((length for length, _ in found), default=0)
    return [f for length, f in found if length == longest]


def by_contents(formats: Mapping[str, _Entry], path: str | PathLike[str]) -> _Entry | None:
    """Return the format of an input by its suffix and, where several share it, by its first bytes.

    Returns
    -------
    Format, MatchFormat or None
        None if the suffix belongs to no format, or the contents fit none that has it.

    Raises
    ------
    FormatError
        If the first bytes are needed and cannot be read.
    """
    found = by_suffix(formats, path)
    if not any(f.mark for f in found):
        return found[0] if found else None
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise FormatError(path, why_unreadable(error)) from error
    marked = next((f for f in found if f.mark and f.mark(head)), None)
    return marked or next((f for f in found if not f.mark), None)
