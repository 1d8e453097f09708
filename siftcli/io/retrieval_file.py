"""A file that keeps the codebook and the vectors of retrieval of a collection, beside it.

The file of ``features.h5`` is ``features.h5.retrieval.npz``: a NumPy archive of ``version`` (1), ``seed``, ``source``
(size in bytes and time in nanoseconds of the collection), ``codebook`` (K, 128) float32, ``names`` (UTF-8, separated by
zero bytes), ``digests`` (N, 16) uint8 of the descriptors, and ``vectors`` (N, 128 K) float32.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, OutputError
from ..features import Float32
from .npz_archive import read_arrays, write_arrays
from .output import atomic_write

__all__ = ["StoredVectors", "digest_of_descriptors", "read_vectors", "vectors_path", "write_vectors"]

_VERSION = 1
_DIGEST = 16


class StoredVectors(NamedTuple):
    """The vectors of the images of a collection.

    Attributes
    ----------
    seed : int
        Seed of the codebook.
    source : tuple of int
        Size and time of the collection.
    codebook : (K, 128) float32
    names : tuple of str
        N images.
    digests : tuple of bytes
        Digests of their descriptors, see `digest_of_descriptors`.
    vectors : (N, 128 K) float32
    """

    seed: int
    source: tuple[int, int]
    codebook: Float32
    names: tuple[str, ...]
    digests: tuple[bytes, ...]
    vectors: Float32


def vectors_path(collection: str | PathLike[str]) -> Path:
    """Return the name of the file of a collection."""
    path = Path(collection)
    return path.with_name(f"{path.name}.retrieval.npz")


def digest_of_descriptors(descriptors: npt.NDArray[Any]) -> bytes:
    """Return 16 bytes that other descriptors do not have."""
    return blake2b(np.ascontiguousarray(descriptors).tobytes(), digest_size=_DIGEST).digest()


def read_vectors(collection: str | PathLike[str]) -> StoredVectors | None:
    """Read the file of a collection; None if there is none.

    Raises
    ------
    FormatError
        If there is another file of that name, or it is damaged.
    """
    path = vectors_path(collection)
    if not os.path.lexists(path):
        return None
    keys = ("version", "seed", "source", "codebook", "names", "digests", "vectors")
    found = read_arrays(path, keys)
    strange = FormatError(path, "is not what this version keeps for retrieval; remove it or move it away")
    if found.keys() != set(keys) or found["version"].shape != () or found["version"] != _VERSION:
        raise strange
    codebook, digests, vectors = found["codebook"], found["digests"], found["vectors"]
    try:
        names = tuple(found["names"].tobytes().decode("utf-8", "surrogatepass").split("\0")) if len(digests) else ()
        source = tuple(found["source"].astype(np.int64).tolist())
        seed = int(found["seed"])
    except (ValueError, TypeError) as error:
        raise strange from error
    good = (
        [array.dtype.str[1:] for array in (codebook, vectors, digests)] == ["f4", "f4", "u1"]
        and codebook.ndim == 2
        and codebook.shape[1] == 128
        and vectors.shape == (len(names), codebook.size)
        and digests.shape == (len(names), _DIGEST)
        and len(source) == 2
        and np.isfinite(codebook).all()
        and np.isfinite(vectors).all()
    )
    if not good:
        raise strange
    return StoredVectors(seed, source, codebook, names, tuple(row.tobytes() for row in digests), vectors)


def write_vectors(collection: str | PathLike[str], stored: StoredVectors) -> None:
    """Write the file of a collection, in place of an earlier one; OutputError if that cannot be done."""
    arrays = {
        "version": np.array(_VERSION),
        "seed": np.array(stored.seed),
        "source": np.array(stored.source, np.int64),
        "codebook": stored.codebook,
        "names": np.frombuffer("\0".join(stored.names).encode("utf-8", "surrogatepass"), np.uint8),
        "digests": np.frombuffer(b"".join(stored.digests), np.uint8).reshape(-1, _DIGEST),
        "vectors": stored.vectors,
    }
    try:
        atomic_write(vectors_path(collection), write_arrays(arrays), overwrite=True)
    except OSError as error:
        raise OutputError(vectors_path(collection), str(error)) from error
