"""Comma-separated values: one keypoint a line, the columns named in the first.

Columns: ``x,y,sigma,orientation``, or ``x,y,a11,a12,a21,a22`` for affine frames; where known, ``score,octave,level``,
``source``, the number of the frame that was given, and ``diverged``, 1 for an affine shape that diverged; and the
descriptor, ``d0`` to ``d127`` where its elements are
integers 0-255, ``f0`` to ``f127`` where they are floats.
Numbers are written so that every float32 comes back.  Conventions are the library's.

Any order is read, and a part of the columns: ``x``, ``y`` and either ``sigma`` or the four affine numbers are needed,
an orientation that is not there is zero; descriptors come last and whole.  A first line of 3, 4 or 6 numbers is taken
as keypoints, of ``x,y,sigma``, with ``orientation``, or affine.
"""

from __future__ import annotations

from itertools import chain
from os import PathLike
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..conventions import similarity_of
from ..features import Features
from .files import Source, source_name
from .text.reader import Record, TextReader
from .text.source import read_blocks
from .text.writer import EXACT, encode_records
from .units import recognised
from .values import as_bytes, as_floats, require_finite

__all__ = ["decode", "encode"]

_Integer = TypeVar("_Integer", np.uint8, np.int16, np.int32)

_AFFINE = ("a11", "a12", "a21", "a22")
_OPTIONAL = (
    ("score", "scores"),
    ("octave", "octaves"),
    ("level", "levels"),
    ("source", "sources"),
    ("diverged", "diverged"),
)
_KNOWN = ("x", "y", "sigma", "orientation", *_AFFINE, *(column for column, _ in _OPTIONAL))
_BYTES = tuple(f"d{k}" for k in range(128))
_FLOATS = tuple(f"f{k}" for k in range(128))
_INDEX = ("", "unnamed: 0", "index")
"""Names that pandas gives to a column of row numbers."""
_WHAT = "a CSV file of keypoints"
_UNNAMED = {3: ("x", "y", "sigma"), 4: ("x", "y", "sigma", "orientation"), 6: ("x", "y", *_AFFINE)}


def encode(features: Features, *, name: str | PathLike[str] = "<csv>") -> bytes:
    """Encode features as comma-separated values.

    Parameters
    ----------
    features : Features
        Attributes that are None have no columns.
    name : path
        The file's name in messages.

    Raises
    ------
    OutputError
        If a number is not finite, or a descriptor of bytes negative.
    """
    require_finite(features, name)
    columns: list[str] = ["x", "y"]
    values: list[npt.NDArray[Any]] = [features.xy]
    if features.affine is None:
        columns += ["sigma", "orientation"]
        values += [features.scales, features.orientations]
    else:
        columns += _AFFINE
        values.append(features.affine.reshape(-1, 4))
    for column, attribute in _OPTIONAL:
        if (value := getattr(features, attribute)) is not None:
            columns.append(column)
            values.append(value)
    integers = None
    if features.descriptors is not None and features.descriptors.dtype == np.uint8:
        integers = as_bytes(features.descriptors, name)
    elif features.descriptors is not None:
        values.append(as_floats(features.descriptors, name))
    numbers = np.column_stack([value.astype(np.float64) for value in values])
    whole = {column for column, attribute in _OPTIONAL if attribute != "scores"}
    formats = ["%d" if column in whole else EXACT for column in columns]
    template = ",".join(formats + [EXACT] * (numbers.shape[1] - len(columns)))
    columns += _BYTES if integers is not None else _FLOATS if features.descriptors is not None else ()
    header = ",".join(columns).encode() + b"\n"
    return encode_records(template, numbers, integers, separator=b",", header=header)


def decode(source: Source, *, name: str | None = None) -> Features:
    """Read comma-separated values.

    Parameters
    ----------
    source : path, bytes or binary file
        Plain, or compressed with gzip; fields may be separated by commas, semicolons, tabs or spaces, and quoted.  A
        first column without a name, as pandas writes its index, is ignored.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If it cannot be read, a column is unknown, missing or there twice, or a line holds something else, a decimal
        comma for instance; with the line.
    """
    name = source_name(source, name)
    with read_blocks(source, name) as blocks:
        first = next(blocks, b"").removeprefix(b"\xef\xbb\xbf")
        delimiter = _delimiter(first.partition(b"\n")[0])
        table = bytes.maketrans(delimiter + b'"', b" " * (len(delimiter) + 1))
        reader = TextReader((block.translate(table) for block in chain((first,), blocks)), _WHAT, name)
        columns = _columns(reader, first.lstrip().partition(b"\n")[0], delimiter)
        integers = 128 if columns[-128:] == _BYTES and not _with_points(reader) else 0
        numbers = columns[: len(columns) - integers]
        positive = tuple(i for i, column in enumerate(numbers) if column == "sigma")
        values, descriptors = reader.records(Record(numbers, positive, integers=integers, one_line=True))
        columns_of = dict(zip(numbers, values.T, strict=True))
        return _features(reader, columns_of, descriptors if integers else None)


def _delimiter(line: bytes) -> bytes:
    """Return the separator of fields; commas only if there is no other, since they may be decimal commas."""
    return next((mark for mark in (b";", b"\t") if mark in line), b",")


def _with_points(reader: TextReader) -> bool:
    """Tell whether the bytes of descriptors are written as 12.0, as pandas does."""
    return any(b"." in token for token in reader.peek_line().split()[-128:])


def _columns(reader: TextReader, line: bytes, delimiter: bytes) -> tuple[str, ...]:
    """Read the names of the columns, or infer them from the number of values."""
    tokens = reader.peek_line().split()
    if tokens and tokens[0][:1] in b"+-.0123456789":
        if b"," not in delimiter and b"," in line:
            reader.fail("has decimal commas; write numbers with a point")
        if len(tokens) not in _UNNAMED:
            reader.fail(f"begins with {len(tokens)} numbers; name the columns in a first line, such as x,y,sigma")
        return _UNNAMED[len(tokens)]
    line_number = reader.line
    reader.take_line()
    separated = line.split(delimiter) if delimiter in line else line.split()
    columns = tuple(field.strip(b' "\r').decode("latin-1").lower() for field in separated)
    skipped = int(bool(columns) and columns[0] in _INDEX)
    columns = (*_INDEX[1 : 1 + skipped], *columns[skipped:])
    head = columns[:-128] if columns[-128:] in (_BYTES, _FLOATS) else columns
    for i, column in enumerate(head[skipped:], skipped):
        if column not in _KNOWN or column in head[:i]:
            what = "there twice" if column in _KNOWN else "none of " + ", ".join(_KNOWN) + " and d0 to d127 at the end"
            reader.fail_at(line_number, f"column {column[:24]!r} is {what}")
    missing = [column for column in ("x", "y") if column not in head]
    if not missing and not set(_AFFINE) <= set(head) and "sigma" not in head:
        missing = ["sigma"]
    if missing:
        reader.fail_at(line_number, f"has no column {missing[0]!r}; this is not a table of keypoints")
    return columns


def _features(
    reader: TextReader, table: dict[str, npt.NDArray[np.float64]], descriptors: npt.NDArray[np.uint8] | None
) -> Features:
    affine = scales = None
    orientations = np.zeros(len(table["x"]), np.float32)
    if set(_AFFINE) <= set(table):
        affine = np.stack([table[column] for column in _AFFINE], axis=-1).astype(np.float32).reshape(-1, 2, 2)
        scales, orientations = similarity_of(affine)
    if "sigma" in table:
        scales = table["sigma"].astype(np.float32)
    if "orientation" in table:
        orientations = table["orientation"].astype(np.float32)
    assert scales is not None
    octaves, levels = (_whole(reader, table.get(column), column, np.int16) for column in ("octave", "level"))
    floats = np.stack([table[column] for column in _FLOATS], axis=-1).astype(np.float32) if "f0" in table else None
    if "d0" in table:
        descriptors = _whole_bytes(reader, np.stack([table[column] for column in _BYTES], axis=-1))
    return Features(
        xy=np.stack([table["x"], table["y"]], axis=-1).astype(np.float32),
        scales=scales,
        orientations=orientations,
        scores=table["score"].astype(np.float32) if "score" in table else None,
        octaves=octaves,
        levels=levels,
        sources=_whole(reader, table.get("source"), "source", np.int32),
        diverged=_whole(reader, table.get("diverged"), "diverged", np.uint8),
        descriptors=descriptors if descriptors is not None or floats is None else recognised(floats, reader.name),
        affine=affine,
    )


def _whole_bytes(reader: TextReader, values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    good = ((values == np.floor(values)) & (values >= 0) & (values <= 255)).all(axis=1)
    if not good.all():
        reader.fail_at(None, f"keypoint {int(good.argmin()) + 1} has a descriptor that is not whole numbers 0 to 255")
    return values.astype(np.uint8)


def _whole(
    reader: TextReader, values: npt.NDArray[np.float64] | None, column: str, dtype: type[_Integer]
) -> npt.NDArray[_Integer] | None:
    if values is None:
        return None
    limits = np.iinfo(dtype)
    bad = (values != np.floor(values)) | (values < limits.min) | (values > limits.max)
    if bad.any():
        i = int(bad.argmax())
        reader.fail_at(None, f"keypoint {i + 1} has the {column} {values[i]:g}, which is no small whole number")
    return values.astype(dtype)
