"""The feature formats: their names, their suffixes, what each can hold, and where it is read and written.

A format is one module and one entry of `FORMATS`.  The module is imported when it is first needed, and has

* for a *stream*, a format of one file for one image: ``decode(source, *, name=None) -> Features`` and
  ``encode(features, *, name) -> bytes``;
* for a *pair*, a format of two files for one image: ``read(path) -> Features`` and
  ``write(path, features, *, overwrite=False)``;
* for a *collection*, a format of one file for many images: ``collection_reader(path) -> Collection`` and
  ``collection_writer(path, *, parameters=None, resume=False, overwrite=False) -> CollectionWriter``.

This module needs nothing but the standard library, so that help can be shown without waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from os import PathLike
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from ..errors import FormatError, ParameterError, SuffixError
from .files import why_unreadable

if TYPE_CHECKING:
    from ..features import Features

__all__ = ["FORMATS", "Conventions", "Format", "format_for", "format_of_suffix", "recognise"]

_Path: TypeAlias = str | PathLike[str]
Kind: TypeAlias = Literal["stream", "pair", "collection"]


class Conventions(NamedTuple):
    """How a format has coordinates, angles and bins; the defaults are the library's.

    Attributes
    ----------
    axes : str
        Which coordinate comes first.
    origin : float
        Coordinates of the centre of the first pixel.
    angles : str
        Where angles start, how they turn, their unit.
    bins : str
        Whose order of the descriptor's elements.
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
        For ``--format``.
    title : str
        What it is, in words.
    suffixes : tuple of str
        The first is the one that outputs get.
    module : str
        In :mod:`siftcli.io`.
    kind : str
        "stream", "pair" or "collection", see the module.
    holds : frozenset of str
        The attributes of `Features` that it can hold besides `xy`, `scales` and `orientations`; "floats" for float
        descriptors.
    conventions : Conventions
        Of its files.
    whole_name : bool
        Outputs are named ``photo.jpg.txt`` instead of ``photo.key``.
    mark : callable or None
        Tells from its first bytes that a file with a suffix of several formats is of this one.
    decoder, encoder : str
        Names of the module's functions, where they are not ``decode`` and ``encode``.
    arguments : mapping
        Passed to `encoder` or ``collection_writer``.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    module: str
    kind: Kind = "stream"
    holds: frozenset[str] = frozenset({"descriptors"})
    conventions: Conventions = Conventions()
    whole_name: bool = False
    mark: Callable[[bytes], bool] | None = None
    decoder: str = "decode"
    encoder: str = "encode"
    arguments: Mapping[str, Any] = MappingProxyType({})

    @property
    def suffix(self) -> str:
        """The suffix that outputs get."""
        return self.suffixes[0]

    @property
    def many(self) -> bool:
        """True if one file holds many images."""
        return self.kind == "collection"

    def output_name(self, image: PurePath) -> PurePath:
        """Return the name of an image's feature file, in the image's folder."""
        return image.with_name((image.name if self.whole_name else image.stem) + self.suffix)

    def image_name(self, file: PurePath) -> str:
        """Return the file's path without the format's suffix, as a name: that of the image, or nearly."""
        for suffix in self.suffixes:
            if file.name.lower().endswith(suffix):
                return file.with_name(file.name[: -len(suffix)] or file.name).as_posix()
        return file.with_name(file.stem).as_posix()

    def losses(self, features: Features) -> list[str]:
        """Name what of `features` the format cannot hold."""
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
        function: Callable[..., Any] = getattr(import_module(f".{self.module}", __package__), name)
        return function


_WORDS = {
    "descriptors": "descriptors",
    "scores": "scores",
    "octaves": "octaves",
    "levels": "levels",
    "sources": "numbers of the frames that were given",
    "affine": "affine shapes",
    "image_size": "image size",
    "camera": "camera and position",
    "parameters": "parameters",
}

_ALL = frozenset({*_WORDS, "floats"})
_COLMAP = Conventions(origin=0.5, bins="Lowe's")
_LOWE = Conventions("row column", angles="radians, y up", bins="Lowe's", precision="0.01 px and 0.001 rad")

FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format(
            "lowe",
            "Lowe's key file",
            (".key",),
            "lowe_key",
            conventions=_LOWE,
            decoder="read_key",
            encoder="encode_key",
        ),
        Format(
            "lowe-gz",
            "Lowe's key file, compressed as Bundler has it",
            (".key.gz",),
            "lowe_key",
            conventions=_LOWE,
            decoder="read_key",
            encoder="encode_key",
            arguments={"compress": True},
        ),
        Format("hdf5", "HDF5, many images", (".h5", ".hdf5"), "hdf5", kind="collection", holds=_ALL),
        Format(
            "hloc",
            "HDF5 as hloc has it, many images",
            (".h5", ".hdf5"),
            "hdf5",
            kind="collection",
            holds=frozenset({"descriptors", "floats", "scores", "image_size"}),
            conventions=Conventions(angles="degrees, y down", bins="Lowe's"),
            arguments={"hloc": True},
        ),
        Format(
            "colmap",
            "COLMAP text",
            (".txt",),
            "colmap_text",
            conventions=_COLMAP,
            whole_name=True,
            mark=lambda head: [t.isdigit() for t in head.lstrip().partition(b"\n")[0].split()] == [True, True],
        ),
        Format(
            "colmap-db",
            "COLMAP database, many images",
            (".db",),
            "colmap_db",
            kind="collection",
            holds=frozenset({"descriptors", "affine", "image_size", "camera"}),
            conventions=_COLMAP,
        ),
        Format("vlfeat", "VLFeat's frames and descriptors", (".sift",), "vlfeat"),
        Format("vlfeat-frame", "VLFeat's frames, and descriptors beside them", (".frame", ".descr"), "vlfeat", "pair"),
        Format(
            "visualsfm",
            "VisualSFM, binary",
            (".sift",),
            "visualsfm",
            conventions=_COLMAP,
            mark=lambda head: head.startswith(b"SIFT"),
        ),
        Format(
            "ipol",
            "IPOL's text",
            (".txt",),
            "ipol",
            conventions=Conventions("row column", angles="radians from the row axis, y up", bins="IPOL's"),
            mark=lambda head: len(head.lstrip().partition(b"\n")[0].split()) in (4, 132, 168),
        ),
        Format("openmvg", "OpenMVG's .feat and .desc", (".feat", ".desc"), "openmvg", "pair"),
        Format("npz", "NumPy arrays", (".npz",), "npz", holds=_ALL),
        *(
            Format(
                name,
                f"OpenCV's FileStorage, {kind}",
                suffixes,
                "opencv_storage",
                holds=frozenset({"descriptors", "scores", "octaves", "levels"}),
                conventions=Conventions(angles="degrees, y down", bins="Lowe's"),
                arguments={"xml": kind == "XML"},
            )
            for name, kind, suffixes in (("opencv", "YAML", (".yml", ".yaml")), ("opencv-xml", "XML", (".xml",)))
        ),
        Format(
            "csv", "comma-separated values", (".csv",), "csv_table", holds=_ALL - {"image_size", "camera", "parameters"}
        ),
    )
}
"""Every format by its name.  Of those that share a suffix, the first is what an output of that suffix is."""

_HEAD = 1 << 12
"""Bytes that may tell a format."""


# --- which format


def format_of_suffix(path: _Path) -> Format | None:
    """Return the format that an output of this name has, or None if its suffix says nothing."""
    found = _candidates(path)
    return found[0] if found else None


def _candidates(path: _Path) -> list[Format]:
    name = PurePath(path).name.lower()
    longest = max((len(s) for f in FORMATS.values() for s in f.suffixes if name.endswith(s)), default=0)
    return [f for f in FORMATS.values() if longest and any(name.endswith(s) and len(s) == longest for s in f.suffixes)]


def format_for(path: _Path, name: str | None = None, *, reading: bool = False) -> Format:
    """Return the format of a file.

    Parameters
    ----------
    path : path
        The file.
    name : str, optional
        Of the format; by default the suffix says it.
    reading : bool
        The file is an input: where several formats share the suffix, its first bytes say which one it is.

    Raises
    ------
    ParameterError
        For a name that is none of `FORMATS`.
    FormatError
        If the suffix says nothing, or the file cannot be read.
    """
    if name is not None:
        if name not in FORMATS:
            raise ParameterError("format", f"must be one of {', '.join(FORMATS)}, not {name!r}")
        return FORMATS[name]
    found = _candidates(path)
    if not found:
        known = ", ".join(dict.fromkeys(suffix for f in FORMATS.values() for suffix in f.suffixes))
        if reading:
            raise FormatError(
                path, f"its suffix does not say which format; use one of {known} (convert and info: or give --from)"
            )
        raise SuffixError(path, f"its suffix does not say which format; use one of {known}, or give --format")
    return (recognise(path) if reading else None) or found[0]


def recognise(path: _Path) -> Format | None:
    """Return the format of an input by its suffix and, where several share it, by its first bytes.

    Returns
    -------
    Format or None
        None if it is no feature file as far as can be told.

    Raises
    ------
    FormatError
        If its first bytes are needed and cannot be read.
    """
    found = _candidates(path)
    if not any(f.mark for f in found):
        return found[0] if found else None
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise FormatError(path, why_unreadable(error)) from error
    marked = next((f for f in found if f.mark and f.mark(head)), None)
    return marked or next((f for f in found if not f.mark), None)
