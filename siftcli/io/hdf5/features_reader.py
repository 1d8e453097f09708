"""Reading HDF5 files of features, in either layout of :mod:`siftcli.io.hdf5.features`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...conventions import flip_bins, wrapped
from ...errors import FormatError
from ...features import Features, ParameterValue
from ..fields import NAMES, check_array, features_from, plain_parameters
from .file import attributes_of, child, damage_named, links_of, open_hdf5, read_array

if TYPE_CHECKING:
    import h5py

__all__ = ["FORMAT", "VERSION", "H5Collection", "collection_reader"]

FORMAT = "siftcli"
VERSION = 1


_MAX_DEPTH = 64


def collection_reader(path: str | PathLike[str]) -> H5Collection:
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
        self._path = str(path)
        self._file = open_hdf5(path)
        try:
            with damage_named(self._path):
                attributes = attributes_of(self._file)
                self.hloc = attributes.get("format") != FORMAT
                version = attributes.get("version", VERSION)
                if not self.hloc and version != VERSION:
                    raise FormatError(self._path, f"is of version {version}; this program reads version {VERSION}")
                self.parameters: Mapping[str, ParameterValue] | None = None
                if not self.hloc:
                    self.parameters = plain_parameters(attributes, skip=("format", "version"))
                self.names = tuple(self._walk(self._file, "", set(), 0))
            self._known = frozenset(self.names)
            if self.hloc and not self.names:
                raise FormatError(self._path, "has no group with keypoints; this is not a file of features")
        except FormatError:
            self._file.close()
            raise

    def _walk(self, group: h5py.Group, prefix: str, seen: set[Any], depth: int) -> Iterator[str]:
        """Yield the names of the groups that are images."""
        links = links_of(group, self._path, prefix)
        if prefix and any(link.name == "keypoints" and link.is_array for link in links):
            yield prefix[:-1]
            return
        for link in links:
            where = f"{prefix}{link.name}"
            if not link.is_group:
                raise FormatError(self._path, f"{where!r} is no group with keypoints; this is not a file of features")
            if depth == _MAX_DEPTH or link.place in seen:
                raise FormatError(self._path, f"{where!r} is nested too deeply, or in itself; it is not read")
            seen.add(link.place)
            yield from self._walk(child(group, link), f"{where}/", seen, depth + 1)

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
        with damage_named(self._path, name):
            group = self._file[name.encode("utf-8", "surrogateescape")]
            arrays = {key: read_array(group, key, self._path, name) for key in (*NAMES, "oris") if key in group}
        if "oris" in arrays or (self.hloc and "orientations" not in arrays):
            arrays = self._from_hloc(arrays, name)
        return features_from(arrays, self._path, where=name, parameters=self.parameters)

    def _from_hloc(self, arrays: dict[str, npt.NDArray[Any]], name: str) -> dict[str, npt.NDArray[Any]]:
        """Turn hloc's arrays into those of this package's layout."""
        n = arrays["keypoints"].shape[0] if "keypoints" in arrays and arrays["keypoints"].ndim else 0
        for key, shape in (("oris", (n,)), ("descriptors", (128, n))):
            if key in arrays:
                check_array(key, arrays[key].shape, arrays[key].dtype, self._path, f"{name}: ", shape)
        arrays = dict(arrays)
        if "oris" in arrays:
            with np.errstate(invalid="ignore"):  # values that are not finite are refused later
                arrays["orientations"] = wrapped(np.deg2rad(arrays.pop("oris"), dtype=np.float64))
        if "descriptors" in arrays:
            arrays["descriptors"] = flip_bins(np.ascontiguousarray(arrays["descriptors"].T))
        return arrays

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
