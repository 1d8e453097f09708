"""The table of feature formats.

A format is one module and one entry of `FORMATS`.  The module has

* for a *stream*, a format of one file for one image: ``decode(source, *, name=None) -> Features`` and
  ``encode(features, *, name) -> bytes``;
* for a *pair*, a format of two files for one image: ``read(path) -> Features`` and
  ``write(path, features, *, overwrite=False)``;
* for a *collection*, a format of one file for many images: ``collection_reader(path) -> Collection`` and
  ``collection_writer(path, *, parameters=None, resume=False, overwrite=False) -> CollectionWriter``.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TypeAlias

from ..errors import FormatError, ParameterError, SuffixError
from .files import why_unreadable
from .format_types import Conventions, Format, by_contents, by_suffix, listed_suffixes
from .image_kinds import EXTRA_SUFFIXES, IMAGE_SUFFIXES

__all__ = ["FORMATS", "Conventions", "Format", "feature_files", "format_for", "format_of_suffix", "recognise"]

_Path: TypeAlias = str | PathLike[str]

_SHAPES = frozenset({"descriptors", "affine"})
_ROWS = frozenset({"descriptors", "floats", "scores", "octaves", "levels", "sources", "affine", "diverged"})
_ALL = _ROWS | {"image_size", "camera", "parameters"}
_COLMAP = Conventions(origin=0.5, bins="Lowe's")
_OPENCV = Conventions(angles="degrees, y down", bins="Lowe's")
_OPENCV_HOLDS = frozenset({"descriptors", "scores", "octaves", "levels"})
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
            lines="wrapped",
            decoder="read_key",
            encoder="encode_key",
        ),
        Format(
            "lowe-gz",
            "Lowe's key file, compressed as Bundler has it",
            (".key.gz",),
            "lowe_key",
            conventions=_LOWE,
            lines="wrapped",
            decoder="read_key",
            encoder="encode_key",
            arguments={"compress": True},
        ),
        Format("hdf5", "HDF5, many images", (".h5", ".hdf5"), "hdf5.features", kind="collection", holds=_ALL),
        Format(
            "hloc",
            "HDF5 as hloc has it, many images",
            (".h5", ".hdf5"),
            "hdf5.features",
            kind="collection",
            holds=frozenset({"descriptors", "floats", "scores", "image_size"}),
            conventions=Conventions(angles="degrees, y down", bins="Lowe's"),
            arguments={"hloc": True},
        ),
        Format(
            "colmap",
            "COLMAP text",
            (".txt",),
            "colmap.text",
            conventions=_COLMAP,
            whole_name=True,
            lines="own",
            mark=lambda head: [t.isdigit() for t in head.lstrip().partition(b"\n")[0].split()] == [True, True],
        ),
        Format(
            "colmap-db",
            "COLMAP database, many images",
            (".db",),
            "colmap.features",
            kind="collection",
            holds=frozenset({"descriptors", "affine", "image_size", "camera"}),
            conventions=_COLMAP,
            database=True,
        ),
        Format("vlfeat", "VLFeat's frames and descriptors", (".sift",), "vlfeat", lines="own", holds=_SHAPES),
        Format(
            "vlfeat-frame",
            "VLFeat's frames, and descriptors beside them",
            (".frame", ".descr"),
            "vlfeat",
            kind="pair",
            lines="own",
            holds=_SHAPES,
        ),
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
            lines="own",
            mark=lambda head: len(head.lstrip().partition(b"\n")[0].split()) in (4, 132, 168),
        ),
        Format("openmvg", "OpenMVG's .feat and .desc", (".feat", ".desc"), "openmvg", kind="pair", lines="own"),
        Format(
            "alicevision",
            "AliceVision's .sift.feat and .sift.desc",
            (".sift.feat", ".sift.desc"),
            "openmvg",
            kind="pair",
            lines="own",
            arguments={"describer": False},
        ),
        Format(
            "opensfm",
            "OpenSfM's features",
            (".features.npz",),
            "opensfm",
            holds=frozenset({"descriptors", "floats", "image_size"}),
            conventions=Conventions(angles="degrees, y down", bins="Lowe's"),
            whole_name=True,
        ),
        Format("npz", "NumPy arrays", (".npz",), "npz", holds=_ALL),
        Format(
            "opencv",
            "OpenCV's FileStorage, YAML",
            (".yml", ".yaml"),
            "opencv_storage",
            holds=_OPENCV_HOLDS,
            conventions=_OPENCV,
            arguments={"xml": False},
        ),
        Format(
            "opencv-xml",
            "OpenCV's FileStorage, XML",
            (".xml",),
            "opencv_storage",
            holds=_OPENCV_HOLDS,
            conventions=_OPENCV,
            arguments={"xml": True},
        ),
        Format("csv", "comma-separated values", (".csv",), "csv_table", holds=_ROWS, lines="own"),
    )
}
"""Every format by its name.  An output gets the first of the formats that share its suffix."""


def format_of_suffix(path: _Path) -> Format | None:
    """Return the format that an output of this name has, or None if its suffix belongs to no format."""
    found = by_suffix(FORMATS, path)
    return found[0] if found else None


def format_for(path: _Path, name: str | None = None, *, reading: bool = False) -> Format:
    """Return the format of a file.

    Parameters
    ----------
    path : path
        The file.
    name : str, optional
        Name of the format; by default the suffix determines it.
    reading : bool
        The file is an input: if several formats share its suffix, its first bytes decide.

    Raises
    ------
    ParameterError
        If no format has this name.
    FormatError
        If the suffix belongs to no format, or the file cannot be read.
    """
    if name is not None:
        if name not in FORMATS:
            raise ParameterError("format", f"must be one of {', '.join(FORMATS)}, not {name!r}")
        return FORMATS[name]
    found = format_of_suffix(path)
    if found is None:
        known = listed_suffixes(FORMATS)
        if reading:
            raise FormatError(path, _no_features(path, known))
        raise SuffixError(path, f"its suffix does not say which format; use one of {known}, or give --format")
    return (recognise(path) if reading else None) or found


def _no_features(path: _Path, known: str) -> str:
    """Say why a file whose suffix is of no format cannot be read."""
    try:
        Path(path).stat()
    except OSError as error:
        return why_unreadable(error)
    except ValueError:  # a null character
        return "no such file; check the path"
    if Path(path).suffix.lower() in {*IMAGE_SUFFIXES, *EXTRA_SUFFIXES}:
        return "is an image, not a feature file; sift detect finds its features"
    return f"its suffix does not say which format; use one of {known} (convert and info: or give --from)"


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
    return by_contents(FORMATS, path)


def feature_files(path: _Path, format: str | None = None) -> list[Path]:
    """Return the files that belong to a feature file: itself, or both of a format of two.

    Parameters
    ----------
    path : path
        Path of either file.
    format : str, optional
        By default the suffix says whether there are two.
    """
    chosen = FORMATS.get(format or "") or format_of_suffix(path)
    return [Path(path)] if chosen is None else chosen.files(path)
