"""Matches of one pair as comma-separated values: a header, then a line for each match.

``index_a,index_b,x_a,y_a,x_b,y_b,distance,ratio,inlier``: the places of the keypoints in their files, from 0; their
centres, that of the first pixel being (0, 0); the distance of the descriptors in units of their norm; that distance
over the one to the second nearest; 1 or 0, or nothing where matches were not verified.  What is not known is left
empty.  Two groups of columns may follow, the same on each line: ``model``, the kind of the model that inliers obey,
such as ``homography``; and ``image_a,size_a,image_b,size_b``, the names of the images, and their sizes as ``640x480``.
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..matches import MODELS, Matches, Origin
from .files import Source, source_name
from .text.lines import text_lines

__all__ = ["decode", "encode"]

_COLUMNS = ("index_a", "index_b", "x_a", "y_a", "x_b", "y_b", "distance", "ratio", "inlier")
_MODEL = ("model",)
_IMAGES = ("image_a", "size_a", "image_b", "size_b")
_HEADERS = {(*_COLUMNS, *model, *images): len(model) for model in ((), _MODEL) for images in ((), _IMAGES)}
"""Header to the number of its columns about the model."""
_ROWS = 4096
"""Lines converted at a time."""


def encode(matches: Matches) -> bytes:
    """Encode matches as a CSV file."""
    n = len(matches)
    columns = [
        *_column(matches.indices, 2, n, "%d"),
        # The shortest text that gives the same float32.
        *_column(matches.xy_a, 2, n, None),
        *_column(matches.xy_b, 2, n, None),
        *_column(_unsigned(matches.distances), 1, n, "%.6f"),
        *_column(_unsigned(matches.ratios), 1, n, "%.6f"),
        *_column(matches.inliers, 1, n, "%d"),
    ]
    header: tuple[str, ...] = _COLUMNS
    same = ""
    if matches.kind is not None:
        header, same = (*header, *_MODEL), f",{matches.kind}"
    if matches.origins is not None and all(origin.name for origin in matches.origins):
        header, same = (*header, *_IMAGES), f"{same},{_image_cells(matches.origins)}"
    lines = [",".join(header), *(",".join(row) + same for row in zip(*columns, strict=True))]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def _image_cells(origins: tuple[Origin, Origin]) -> str:
    """Return the cells of the images' names and sizes, quoted where necessary."""
    cells = [cell for o in origins for cell in (o.name, "" if o.size is None else f"{o.size[0]}x{o.size[1]}")]
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _unsigned(values: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64] | None:
    """Turn -0, as rounding leaves it, into 0."""
    return None if values is None else values + 0.0


def _column(values: npt.NDArray[Any] | None, width: int, n: int, form: str | None) -> list[list[str]]:
    """Return the columns of an array as text."""
    if values is None:
        return [[""] * n] * width
    columns = values.reshape(n, width).T
    return [[str(v) for v in column] if form is None else [form % v for v in column.tolist()] for column in columns]


def decode(source: Source, *, name: str | None = None) -> Matches:
    """Read a CSV file of matches.

    Parameters
    ----------
    source : path, bytes or binary file
        The file.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If it cannot be read, has another header, or a line that is not a match.
    """
    name = source_name(source, name)
    rows = csv.reader(text_lines(source, "a CSV file of matches", name))
    parts: list[npt.NDArray[np.float64]] = [np.empty((0, len(_COLUMNS)))]
    try:
        header = tuple(next(rows, ()))
        if header not in _HEADERS:
            raise FormatError(name, f"is not a CSV file of matches, which begins with {','.join(_COLUMNS)}", 1)
        filled, same = filter(None, rows), set[tuple[str, ...]]()
        while part := list(islice(filled, _ROWS)):
            parts.append(np.array([_numbers(row, len(header), name, rows.line_num) for row in part], np.float64))
            same.update(tuple(row[len(_COLUMNS) :]) for row in part)
            if len(same) > 1:
                raise FormatError(
                    name, "has matches of several pairs of images or models; keep those of one", rows.line_num
                )
    except csv.Error as error:
        raise FormatError(name, f"is no CSV ({error})", rows.line_num) from error
    cells, about_model = next(iter(same), ()), _HEADERS[header]
    kind = _kind(cells[:about_model], name)
    return replace(_matches(np.concatenate(parts), name), model_kind=kind, origins=_origins(cells[about_model:], name))


def _kind(cells: tuple[str, ...], name: str) -> str | None:
    """Return the kind of the model that inliers obey; None where the file does not tell."""
    kind = "".join(cells)
    if kind and kind not in MODELS:
        raise FormatError(name, f"names a model {kind[:40]!r}, which is none of {', '.join(MODELS)}", 2)
    return kind or None


def _origins(cells: tuple[str, ...], name: str) -> tuple[Origin, Origin] | None:
    """Return the images that the lines are of; None where the file does not tell."""
    if not cells:
        return None
    origins = []
    for image, size in (cells[:2], cells[2:]):
        if size and not re.fullmatch(r"[1-9]\d{0,9}x[1-9]\d{0,9}", size, re.ASCII):
            raise FormatError(name, f"has a size of an image {size[:40]!r} instead of one such as 640x480", 2)
        width, _, height = size.partition("x")
        origins.append(Origin(image or None, (int(width), int(height)) if size else None))
    return origins[0], origins[1]


def _numbers(row: list[str], columns: int, name: str, line: int) -> list[float]:
    """Turn a line into numbers; nan for what is empty."""
    if len(row) != columns:
        raise FormatError(name, f"has {len(row)} values instead of {columns}", line)
    numbers = []
    for column, text in zip(_COLUMNS, row[: len(_COLUMNS)], strict=True):
        try:
            value = float(text) if text or column.startswith("index") else math.nan
        except ValueError as error:
            raise FormatError(name, f"{column} is {text[:40]!r} instead of a number", line) from error
        if text and not math.isfinite(value):
            raise FormatError(name, f"{column} is {text[:40]!r}, which is not finite", line)
        if column.startswith("index") and not (value.is_integer() and 0 <= value < 2**31):
            raise FormatError(name, f"{column} is {text[:40]!r} instead of the place of a keypoint", line)
        numbers.append(value)
    return numbers


def _matches(table: npt.NDArray[np.float64], name: str) -> Matches:
    def known(first: int, last: int, dtype: Any) -> npt.NDArray[Any] | None:
        part = table[:, first:last]
        if np.isnan(part).all() and len(part):
            return None
        if np.isnan(part).any():
            row, column = np.argwhere(np.isnan(part))[0]
            raise FormatError(name, f"match {row + 1} has no {_COLUMNS[first + column]}, and others have")
        return np.ascontiguousarray(part.astype(dtype).reshape((-1, 2) if last - first == 2 else -1))

    inliers = known(8, 9, np.float64)
    if inliers is not None and not np.isin(inliers, (0, 1)).all():
        raise FormatError(name, "has an inlier that is neither 0 nor 1")
    return Matches(
        indices=table[:, :2].astype(np.int32),
        xy_a=known(2, 4, np.float32),
        xy_b=known(4, 6, np.float32),
        distances=known(6, 7, np.float64),
        ratios=known(7, 8, np.float64),
        inliers=None if inliers is None or not len(table) else inliers.astype(bool),
    )
