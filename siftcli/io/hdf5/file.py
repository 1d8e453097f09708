"""Open, walk and read HDF5 files without trusting them.

Refused are links to other places or files, data in other files, unexpected shapes and types, and arrays that are larger
than the file can hold.  Data of variable length is not read: HDF5 keeps it in a heap without a checksum, and may search
a damaged one for ever.
"""

from __future__ import annotations

import errno
import math
import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import FormatError, SiftWarning
from ..files import why_unreadable
from ..limits import expanded

if TYPE_CHECKING:
    import h5py

__all__ = ["Link", "attributes_of", "child", "damage_named", "links_of", "open_hdf5", "read_array"]

_MAX_ATTRIBUTE = 1 << 16

_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, OverflowError, UnicodeError)
"""Exceptions that h5py raises on damaged files."""


class Link(NamedTuple):
    """A link of a group.

    Attributes
    ----------
    name : str
        In the group; bytes that are not UTF-8 are escaped as `os.fsdecode` does.
    is_group, is_array : bool
        Its kind; datasets of text or records are refused when they are read.
    place : tuple
        Where it is in the file: two links to one object have one place.
    """

    name: str
    is_group: bool
    is_array: bool
    place: tuple[int, int]

    @property
    def key(self) -> bytes:
        """The name as the file has it."""
        return self.name.encode("utf-8", "surrogateescape")


def open_hdf5(path: str | PathLike[str]) -> Any:
    """Open a file for reading.

    Raises
    ------
    FormatError
        If it cannot be read, or is not HDF5.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode) and not Path(path).is_dir():
            raise FormatError(path, "is a pipe or a device, and HDF5 has to be searched; save it to a file")
        with Path(path).open("rb"):  # raises the error of the system
            pass
        return _opened(path)
    except OSError as error:
        if error.errno is not None:
            raise FormatError(path, why_unreadable(error)) from error
        raise FormatError(path, f"is not HDF5, or not a whole file ({_brief(error)})") from error


def _opened(path: str | PathLike[str]) -> Any:
    """Open a file, with HDF5's lock where the file system has locks."""
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        number = re.search(r"unable to lock file, errno = (\d+)", str(error))
        if number is None:
            raise
        if int(number[1]) == errno.EAGAIN:
            raise FormatError(path, "is being written by another program; try again when that has ended") from error
    try:
        opened = h5py.File(path, "r", locking=False)
    except (OSError, ValueError):  # ValueError: HDF5_USE_FILE_LOCKING is set and says otherwise
        if os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() in ("TRUE", "1"):
            words = "cannot be locked, as HDF5_USE_FILE_LOCKING wants; the file system has no locks"
            raise FormatError(path, words) from None
        opened = h5py.File(FileIO(path), "r")  # HDF5 does not lock file objects; a file system without locks is fine
    words = "the file system has no locks; do not change the file while it is read"
    warnings.warn(SiftWarning(f"{path}: {words}"), stacklevel=3)
    return opened


@contextmanager
def damage_named(path: str, place: str = "") -> Iterator[None]:
    """Turn exceptions of h5py in this block into a FormatError.

    Parameters
    ----------
    path : str
        The file.
    place : str
        The place in it, for messages.
    """
    try:
        yield
    except _DAMAGE as error:
        where = f"{place}: " if place else ""
        if isinstance(error, OSError) and error.errno:
            raise FormatError(path, f"{where}{why_unreadable(error)}") from error
        raise FormatError(path, f"{where}is damaged; get the file again ({_brief(error)})") from error


def links_of(group: h5py.Group, path: str, prefix: str = "") -> list[Link]:
    """Return the links of a group.

    Parameters
    ----------
    group : h5py.Group
        The group.
    path, prefix : str
        The file, and the group's place in it with a slash at the end, for messages.

    Raises
    ------
    FormatError
        If one is a link to another place or file.
    """
    from h5py import h5l, h5o

    kinds: dict[bytes, int] = {}
    group.id.links.iterate(lambda name, info: kinds.update({name: info.type}), info=True)
    links = []
    for key, kind in sorted(kinds.items()):
        name = key.decode("utf-8", "surrogateescape")
        if kind != h5l.TYPE_HARD:
            where = f"{prefix}{name}"
            raise FormatError(path, f"{where!r} is a link to another place or file; links are not followed")
        info = h5o.get_info(group.id, key)
        is_array = info.type == h5o.TYPE_DATASET
        links.append(Link(name, info.type == h5o.TYPE_GROUP, is_array, (info.fileno, info.addr)))
    return links


def child(group: h5py.Group, link: Link) -> h5py.Group:
    """Open a group that a group holds."""
    import h5py
    from h5py import h5o

    return h5py.Group(h5o.open(group.id, link.key))


def attributes_of(group: h5py.Group) -> dict[str, Any]:
    """Return the attributes of a group that are numbers or text of fixed length: single values, and small arrays.

    A null (``h5py.Empty``) is None.
    """
    from h5py import h5s

    attributes: dict[str, Any] = {}
    for key in group.attrs:
        attribute = group.attrs.get_id(key)
        if attribute.get_space().get_simple_extent_type() == h5s.NULL:
            attributes[key] = None
            continue
        size = attribute.dtype.itemsize * math.prod(attribute.shape)
        if attribute.dtype.kind in "biufS" and size <= _MAX_ATTRIBUTE:
            value = group.attrs[key]
            attributes[key] = value.decode() if isinstance(value, bytes) else value
    return attributes


def read_array(group: h5py.Group, key: str, path: str, place: str) -> npt.NDArray[Any]:
    """Read a dataset whose data lie in the file.

    Parameters
    ----------
    group : h5py.Group
        The group that holds it.
    key : str
        Its name there.
    path, place : str
        The file, and the place in it, for messages.

    Raises
    ------
    FormatError
        If it is no array of numbers of its own, is compressed in a way that cannot be read here, or promises more than
        the file holds.
    """
    import h5py
    from h5py import h5d, h5o, h5z

    node = h5o.open(group.id, key.encode())
    if not isinstance(node, h5d.DatasetID):
        raise FormatError(path, f"{place}: {key} is no array; this is not a file of features or matches")
    dataset = h5py.Dataset(node)
    if dataset.shape is None:
        raise FormatError(path, f"{place}: {key} is no array; this is not a file of features or matches")
    if dataset.dtype.kind not in "biuf":
        raise FormatError(path, f"{place}: {key} holds {dataset.dtype} instead of numbers")
    if dataset.external or dataset.is_virtual:
        raise FormatError(path, f"{place}: {key} is kept in another file, which is not read")
    creation = node.get_create_plist()
    for i in range(creation.get_nfilters()):
        code, _, _, name = creation.get_filter(i)
        if not h5z.filter_avail(code):
            label = f"{name.decode('latin-1')!a} (filter {code})"
            raise FormatError(path, f"{place}: {key} is compressed by {label}, which HDF5 lacks here; save it by gzip")
    backed = expanded(min(node.get_storage_size(), Path(path).stat().st_size))
    chunk = dataset.dtype.itemsize * math.prod(dataset.chunks or (0,))
    if dataset.dtype.itemsize * math.prod(dataset.shape) > backed or chunk > backed:
        raise FormatError(
            path, f"{place}: {key} promises shape {dataset.shape}, which the file does not hold; it is damaged"
        )
    return np.asarray(dataset[()])


def _brief(error: Exception) -> str:
    words = " ".join(str(error).split())
    return "".join(c if c.isprintable() else "?" for c in words)[:120] or type(error).__name__
