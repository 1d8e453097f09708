"""HDF5: the features of many images in one file, in this package's layout and in hloc's.

The layout, version 1
---------------------
The root has the attributes ``format`` = "siftcli", ``version`` = 1 and, by name, the parameters of all features, a
null (``h5py.Empty``) for None; text is of fixed length, in UTF-8.  Each image is a group under its relative POSIX name,
so folders nest, with the datasets

======================  ===================  =========================================================
keypoints               (N, 2) float32       x, y; the centre of the first pixel is (0, 0)
scales, orientations    (N,) float32         sigma in pixels; radians, y down
scores                  (N,) float32         the refined abs(DoG), where known
octaves, levels         (N,) int16           of detection, where known
sources                 (N,) int32           for frames that got orientations of their own: which of those given, from 0
affine                  (N, 2, 2) float32    for affine frames only
diverged                (N,) uint8           where affine shapes were estimated: 1 for those that diverged
descriptors             (N, 128) uint8       ``[y][x][orientation]``; float32 where not quantised
image_size              (2,) int32           width, height, where known
======================  ===================  =========================================================

hloc's has the same groups with keypoints, scores and image_size, scales, ``oris`` in degrees, and descriptors (128, N)
float32 of unit norm with Lowe's bins, see :mod:`siftcli.conventions`; there are no attributes but the ``uncertainty``
of the keypoints.

Compression is not used: gzip saves 30 % and takes nine times as long, see docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...conventions import flip_bins
from ...errors import OutputError
from ...features import Features, ParameterValue
from ..collection import JournalWriter
from ..fields import arrays_of, plain_parameters
from ..output import exists_error, followed
from ..run_lock import RunLock
from ..values import as_floats
from .features_reader import FORMAT, VERSION, H5Collection, collection_reader
from .writer import create_hdf5

if TYPE_CHECKING:
    import h5py

__all__ = ["H5Collection", "collection_reader", "collection_writer", "write_hdf5", "write_hloc"]


def write_hdf5(
    path: Path,
    images: Iterator[tuple[str, Features]],
    parameters: Mapping[str, ParameterValue] | None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a whole file in this package's layout; equal input gives equal bytes.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """

    def fill(group: h5py.Group, name: str, features: Features) -> None:
        for key, array in arrays_of(features).items():
            group.create_dataset(key, data=array)

    attributes = {"format": FORMAT, "version": VERSION, **dict(sorted((parameters or {}).items()))}
    _write(path, images, fill, attributes, overwrite)


def write_hloc(
    path: Path,
    images: Iterator[tuple[str, Features]],
    parameters: Mapping[str, ParameterValue] | None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a whole file in hloc's layout, without the parameters; equal input gives equal bytes.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """

    def fill(group: h5py.Group, name: str, features: Features) -> None:
        for key, array in _hloc_arrays(features, name).items():
            group.create_dataset(key, data=array)
        group["keypoints"].attrs["uncertainty"] = 1.0  # the noise of detection, in pixels

    _write(path, images, fill, {}, overwrite)


def _check_hloc(features: Features, name: str) -> None:
    """Raise OutputError if hloc could not use the features."""
    if features.descriptors is None:
        raise OutputError(name, "has no descriptors, which hloc needs; compute them with sift describe")
    if features.image_size is None:
        raise OutputError(name, "has no image size, which hloc needs; give the folder of the images with --images")
    as_floats(features.descriptors, name)


def _hloc_arrays(features: Features, name: str) -> dict[str, npt.NDArray[Any]]:
    assert features.descriptors is not None
    return {
        "keypoints": features.xy,
        "scales": features.scales,
        "oris": np.rad2deg(features.orientations),
        "scores": np.zeros(len(features), np.float32) if features.scores is None else features.scores,
        "descriptors": np.ascontiguousarray(flip_bins(as_floats(features.descriptors, name)).T),
        "image_size": np.array(features.image_size, np.int64),
    }


def _write(
    path: Path,
    images: Iterator[tuple[str, Features]],
    fill: Callable[[h5py.Group, str, Features], None],
    attributes: Mapping[str, ParameterValue],
    overwrite: bool,
) -> None:
    import h5py

    with create_hdf5(path, overwrite=overwrite) as output:
        with output.writing() as file:
            for key, value in attributes.items():
                file.attrs[key] = _attribute(value)
        for name, features in images:
            with output.writing() as file:
                try:
                    group = _new_group(file.id, name)
                except ValueError as error:  # a name that is taken: an image that is a folder as well
                    raise OutputError(path, f"cannot be written: {error}") from error
                fill(h5py.Group(group), name, features)


def _new_group(place: Any, name: str) -> Any:
    """Create the group of an image, and those on the way to it; ValueError if it is there."""
    from h5py import h5g, h5p, h5t

    link = h5p.create(h5p.LINK_CREATE)
    link.set_char_encoding(h5t.CSET_UTF8)
    creation = h5p.create(h5p.GROUP_CREATE)
    creation.set_obj_track_times(False)
    *folders, image = name.encode().split(b"/")
    for folder in folders:
        there = folder in place
        place = h5g.open(place, folder) if there else h5g.create(place, folder, lcpl=link, gcpl=creation)
    return h5g.create(place, image, lcpl=link, gcpl=creation)


def _attribute(value: ParameterValue) -> Any:
    """Return the value for HDF5; text gets a fixed length, because only that is stored with a checksum."""
    import h5py

    if value is None:
        return h5py.Empty("f4")
    return np.bytes_(value.encode() or b"\0") if isinstance(value, str) else value


def collection_writer(
    path: str | PathLike[str],
    *,
    hloc: bool = False,
    parameters: Mapping[str, ParameterValue] | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> JournalWriter:
    """Start or resume a file of many images.

    Parameters
    ----------
    path : path
        The output, which is replaced atomically.
    hloc : bool
        In hloc's layout.
    parameters : mapping, optional
        Parameters of all the features that will be added.
    resume : bool
        Continue what a killed run has left, and keep the images of a file that exists.
    overwrite : bool
        Replace a file that exists; with `resume`, one that cannot be resumed.

    Returns
    -------
    JournalWriter
        A `CollectionWriter`, see :mod:`siftcli.io.collection`.

    Raises
    ------
    OutputError
        If the file exists and neither is given, it or its journal has other parameters, or it cannot be written.
    FormatError
        If a file that exists is to be kept and cannot be read.
    """
    path = followed(path)
    with RunLock(path):
        existing = None
        if path.exists() and resume:
            existing = path
            with collection_reader(path) as collection:
                if collection.hloc != hloc or (not hloc and collection.parameters != plain_parameters(parameters)):
                    existing = None
                    if not overwrite:
                        how = "in another layout (hloc)" if collection.hloc != hloc else "with other parameters"
                        raise OutputError(path, f"was made {how}; give another name, or --overwrite to replace it")
        elif path.exists() and not overwrite:
            raise exists_error(path)
        return JournalWriter(
            path,
            write_hloc if hloc else write_hdf5,
            check=_check_hloc if hloc else None,
            existing=None if existing is None else partial(collection_reader, path),
            parameters=parameters,
            resume=resume,
            overwrite=overwrite,
        )
