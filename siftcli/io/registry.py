"""Read and write features of any format of the table in :mod:`siftcli.io.formats`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from ..errors import FormatError, OutputError
from ..features import Features, ParameterValue
from .formats import FORMATS, Conventions, Format, format_for, format_of_suffix
from .output import atomic_write

if TYPE_CHECKING:
    from .collection import Collection, CollectionWriter
    from .colmap.camera import DatabaseOptions

__all__ = [
    "FORMATS",
    "Conventions",
    "Format",
    "SingleCollection",
    "collection_reader",
    "collection_writer",
    "encode_features",
    "format_for",
    "format_of_suffix",
    "read_features",
    "write_features",
]

_Path: TypeAlias = str | PathLike[str]


# --- one image


def read_features(path: _Path, format: str | None = None, *, image: str | None = None) -> Features:
    """Read the features of one image.

    Parameters
    ----------
    path : path
        A file of any format.
    format : str, optional
        Its name, see `FORMATS`; by default the suffix and, if that is ambiguous, the contents decide.
    image : str, optional
        Name of the image in a file of many; not needed if there is only one.

    Returns
    -------
    Features
        In the library's conventions, see :mod:`siftcli.conventions`.

    Raises
    ------
    FormatError
        If the file cannot be read or is not what its format promises, or it holds several images and none is named.
    ParameterError
        For an unknown format.
    """
    with collection_reader(path, format) as collection:
        if image is not None and len(collection.names) == 1 and not format_for(path, format, reading=True).many:
            image = collection.names[0]
        if image is None:
            if len(collection.names) != 1:
                raise FormatError(path, f"holds {len(collection.names)} images; say which one")
            image = collection.names[0]
        if image not in collection.names:
            raise FormatError(path, f"holds no image {image!r}; sift info lists what it holds")
        return collection.read(image)


def encode_features(features: Features, format: str = "lowe", *, name: _Path = "<features>") -> bytes:
    """Return a feature file as bytes, for standard output.

    Parameters
    ----------
    features : Features
        Features of one image.
    format : str
        Name of a format of one file for one image (`Format.kind` is "stream").
    name : path
        The output's name in messages.

    Raises
    ------
    OutputError
        If the format cannot hold the features, or is not a stream.
    ParameterError
        For an unknown format.
    """
    chosen = format_for("", format)
    if chosen.kind != "stream":
        raise OutputError(name, f"cannot be {chosen.title}, which needs a file of its own; give -o the name of one")
    data: bytes = chosen.function(chosen.encoder)(features, name=name, **chosen.arguments)
    return data


def write_features(
    path: _Path, features: Features, format: str | None = None, *, image: str | None = None, overwrite: bool = False
) -> None:
    """Write the features of one image atomically.

    Parameters
    ----------
    path : path
        Its folder must exist.
    features : Features
        Parts that the format cannot hold (`Format.losses`) are left out.
    format : str, optional
        By default the suffix decides.
    image : str, optional
        The image's name, for files of many; by default the file's without its suffix.
    overwrite : bool
        Replace what exists.

    Raises
    ------
    OutputError
        If the file exists and is not to be overwritten, cannot be written, or cannot hold the features.
    FormatError
        If the suffix does not say which format.
    ParameterError
        For an unknown format.
    """
    chosen = format_for(path, format)
    if chosen.kind == "stream":
        atomic_write(path, encode_features(features, chosen.name, name=path), overwrite=overwrite)
    elif chosen.kind == "pair":
        chosen.function("write")(path, features, overwrite=overwrite, **chosen.arguments)
    else:
        name = image or chosen.image_name(PurePath(PurePath(path).name))
        with collection_writer(path, chosen.name, parameters=features.parameters, overwrite=overwrite) as writer:
            writer.add(name, features)


# --- many images


class SingleCollection:
    """The features of a file of one image, as a `Collection` of one.

    Parameters
    ----------
    name : str
        Name of the image.
    features : Features
    """

    def __init__(self, name: str, features: Features) -> None:
        self.names: tuple[str, ...] = (name,)
        self.parameters = features.parameters
        self._features = features

    def read(self, name: str) -> Features:
        """Return the features; KeyError for another name."""
        if name not in self.names:
            raise KeyError(name)
        return self._features

    def __iter__(self) -> Iterator[tuple[str, Features]]:
        yield self.names[0], self._features

    def __enter__(self) -> SingleCollection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def collection_reader(path: _Path, format: str | None = None) -> Collection:
    """Open a file of any format for reading, as a context manager.

    Parameters
    ----------
    path : path
        The file.
    format : str, optional
        As for `read_features`.

    Returns
    -------
    Collection
        Has `names`, `parameters` of all features or None, ``read(name)``, and iterates over ``(name, Features)``.  A
        file of one image is read at once and has one name, its own without the suffix.

    Raises
    ------
    FormatError, ParameterError
        As for `read_features`.

    Examples
    --------
    >>> with collection_reader("features.h5") as collection:  # doctest: +SKIP
    ...     for name, features in collection:
    ...         print(name, len(features))
    """
    chosen = format_for(path, format, reading=True)
    if chosen.many:
        collection: Collection = chosen.function("collection_reader")(path)
        return collection
    read = chosen.function("read" if chosen.kind == "pair" else chosen.decoder)
    return SingleCollection(chosen.image_name(PurePath(PurePath(path).name)), read(path))


def collection_writer(
    path: _Path,
    format: str | None = None,
    *,
    parameters: Mapping[str, ParameterValue] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    database: DatabaseOptions | None = None,
) -> CollectionWriter:
    """Start or resume a file of many images.

    Parameters
    ----------
    path : path
        The output, which is replaced atomically; its folder must exist.
    format : str, optional
        By default the suffix says it.
    parameters : mapping, optional
        Parameters of all the features that will be added.
    resume : bool
        Continue what a killed run has left (``path`` + ".sift.journal"), and keep the images of a file that exists.
    overwrite : bool
        Replace a file that exists.
    database : DatabaseOptions, optional
        How a COLMAP database is made; other formats ignore it.

    Returns
    -------
    CollectionWriter
        ``done()`` returns the names of finished images, ``add(name, features)`` adds one, ``close()`` publishes the
        file and ``abort()`` does not.  As a context manager, it is closed, or aborted on an error.  Only one process at
        a time may write.

    Raises
    ------
    OutputError
        If the file exists and neither `resume` nor `overwrite` is given, it or its journal has other parameters,
        another run is writing it, it cannot be written, or the format holds one image per file.
    FormatError, ParameterError
        As for `write_features`.
    """
    chosen = format_for(path, format)
    if not chosen.many:
        raise OutputError(path, f"is {chosen.title}, which holds one image; give -o a folder")
    how = {"database": database} if chosen.database else {}
    writer: CollectionWriter = chosen.function("collection_writer")(
        path, parameters=parameters, resume=resume, overwrite=overwrite, **chosen.arguments, **how
    )
    return writer
