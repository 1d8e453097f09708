"""Reading HDF5 files of features, in either layout of :mod:`siftcli.io.hdf5`.

Nothing is trusted: links that lead elsewhere, data in other files, shapes and kinds of numbers that do not belong, and
arrays that the file does not back are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..conventions import flip_bins, wrapped
from ..errors import FormatError
from ..features import Features, ParameterValue
from .fields import FIELDS, check_array, features_from, plain_parameters
from .files import why_unreadable

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped]

__all__ = ["FORMAT", "VERSION", "H5Collection", "read_collection"]

FORMAT = "siftcli"
VERSION = 1

_OURS = (*(f.name for f in FIELDS), "image_size")

_MAX_RATIO = 200
_FREE = 16 << 20
"""An array may be this many bytes, or `_MAX_RATIO` times what the file stores of it."""

_MAX_DEPTH = 64
_MAX_ATTRIBUTE = 1 << 16

_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, OverflowError, UnicodeError)
"""What h5py raises on damaged files."""


def read_collection(path: str | PathLike[str]) -> H5Collection:
    """Open a file for reading.

    Raises
    ------
    FormatError
        If it cannot be read, is not HDF5, holds no features, or has links that lead elsewhere.
    """
    return H5Collection(path)


class H5Collection:
    """An open HDF5 file of either layout; a `Collection`.

    Attributes
    ----------
    names : tuple of str
        The images, sorted.
    hloc : bool
        Whether it is in hloc's layout.
    parameters : mapping or None
        None where the file does not tell.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        import h5py

        self._path = str(path)
        try:
            with Path(path).open("rb"):  # for an error in plain words
                pass
            self._file = h5py.File(path, "r")
        except OSError as error:
            if error.errno is not None:
                raise FormatError(self._path, why_unreadable(error)) from error
            raise FormatError(self._path, f"is not HDF5, or not a whole file ({_brief(error)})") from error
        try:
            attributes = self._attributes()
            self.hloc = attributes.get("format") != FORMAT
            version = attributes.get("version", VERSION)
            if not self.hloc and version != VERSION:
                raise FormatError(self._path, f"is of version {version}; this program reads version {VERSION}")
            self.parameters: Mapping[str, ParameterValue] | None = None
            if not self.hloc:
                self.parameters = plain_parameters(attributes, skip=("format", "version"))
            self.names = tuple(self._walk(self._file.id, "", set(), 0))
            self._known = frozenset(self.names)
            if self.hloc and not self.names:
                raise FormatError(self._path, "has no group with keypoints; this is not a file of features")
        except _DAMAGE as error:
            self._file.close()
            raise self._damaged("", error) from error
        except FormatError:
            self._file.close()
            raise

    def _attributes(self) -> dict[str, Any]:
        """Read the attributes of the root that are single values of fixed length.

        Text of any length is kept in a heap without a checksum; where that is damaged, HDF5 may search it for ever.
        """
        from h5py import h5s

        attributes: dict[str, Any] = {}
        for key in self._file.attrs:
            attribute = self._file.attrs.get_id(key)
            extent = attribute.get_space().get_simple_extent_type()
            if extent == h5s.NULL:
                attributes[key] = None
                continue
            plain = attribute.dtype.kind in "biufS" and attribute.dtype.itemsize <= _MAX_ATTRIBUTE
            if plain and extent == h5s.SCALAR:
                value = self._file.attrs[key]
                attributes[key] = value.decode() if isinstance(value, bytes) else value
        return attributes

    def _walk(self, group: Any, prefix: str, seen: set[Any], depth: int) -> Iterator[str]:
        """Yield the names of the groups that are images; `group` is a low-level one."""
        from h5py import h5l, h5o

        links: dict[bytes, int] = {}
        group.links.iterate(lambda name, info: links.update({name: info.type}), info=True)
        for link, kind in sorted(links.items()):
            if kind != h5l.TYPE_HARD:
                where = f"{prefix}{link.decode(errors='replace')}"
                raise FormatError(self._path, f"{where!r} is a link to another place or file; links are not followed")
        if prefix and b"keypoints" in links and h5o.get_info(group, b"keypoints").type == h5o.TYPE_DATASET:
            yield prefix[:-1]
            return
        for link in sorted(links):
            info = h5o.get_info(group, link)
            where = f"{prefix}{link.decode()}"
            if info.type != h5o.TYPE_GROUP:
                raise FormatError(self._path, f"{where!r} is no group with keypoints; this is not a file of features")
            if depth == _MAX_DEPTH or (info.fileno, info.addr) in seen:
                raise FormatError(self._path, f"{where!r} is nested too deeply, or in itself; the file is damaged")
            seen.add((info.fileno, info.addr))
            yield from self._walk(h5o.open(group, link), f"{where}/", seen, depth + 1)

    def read(self, name: str) -> Features:
        """Return the features of an image.

        Raises
        ------
        KeyError
            If there is none of that name.
        FormatError
            If a dataset is missing, has another shape or kind of numbers, or cannot be read.
        """
        if name not in self._known:
            raise KeyError(name)
        try:
            group = self._file[name]
            arrays = {key: self._array(group, key, name) for key in (*_OURS, "oris") if key in group}
        except _DAMAGE as error:
            raise self._damaged(f"{name}: ", error) from error
        if "oris" in arrays or (self.hloc and "orientations" not in arrays):
            arrays = self._from_hloc(arrays, name)
        return features_from(arrays, self._path, where=name, parameters=self.parameters)

    def _array(self, group: h5py.Group, key: str, name: str) -> npt.NDArray[Any]:
        """Read a dataset that the file backs."""
        import h5py

        dataset = group[key]
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            raise FormatError(self._path, f"{name}: {key} is no array; the file is damaged")
        if dataset.external or dataset.is_virtual:
            raise FormatError(self._path, f"{name}: {key} is kept in another file, which is not read")
        check_array(key, dataset.shape, dataset.dtype, self._path, f"{name}: ", (None,) * len(dataset.shape))
        stored = max(_FREE, _MAX_RATIO * dataset.id.get_storage_size())
        chunk = dataset.dtype.itemsize * math.prod(dataset.chunks or (0,))
        if dataset.dtype.itemsize * math.prod(dataset.shape) > stored or chunk > stored:
            raise FormatError(
                self._path, f"{name}: {key} promises shape {dataset.shape}, which the file does not hold; it is damaged"
            )
        return np.asarray(dataset[()])

    def _from_hloc(self, arrays: dict[str, npt.NDArray[Any]], name: str) -> dict[str, npt.NDArray[Any]]:
        """Turn hloc's arrays into those of this package's layout."""
        n = arrays["keypoints"].shape[0] if "keypoints" in arrays and arrays["keypoints"].ndim else 0
        for key, shape in (("oris", (n,)), ("descriptors", (128, n))):
            if key in arrays:
                check_array(key, arrays[key].shape, arrays[key].dtype, self._path, f"{name}: ", shape)
        arrays = dict(arrays)
        if "oris" in arrays:
            with np.errstate(invalid="ignore"):  # what is not finite is told of later
                arrays["orientations"] = wrapped(np.deg2rad(arrays.pop("oris"), dtype=np.float64))
        if "descriptors" in arrays:
            arrays["descriptors"] = flip_bins(np.ascontiguousarray(arrays["descriptors"].T))
        return arrays

    def _damaged(self, place: str, error: Exception) -> FormatError:
        return FormatError(self._path, f"{place}is damaged; get the file again ({_brief(error)})")

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[tuple[str, Features]]:
        for name in self.names:
            yield name, self.read(name)

    def __enter__(self) -> H5Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _brief(error: Exception) -> str:
    words = " ".join(str(error).split())
    return "".join(c if c.isprintable() else "?" for c in words)[:120] or type(error).__name__
