"""``sift info``: what is in a feature or match file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import FormatError, SiftError
from .command import SiftCommand
from .guard import READ
from .options import option
from .streams import read_stdin, say, write_json

if TYPE_CHECKING:
    from ..io.collection import Collection
    from ..io.formats import Format
    from ..io.summary import Summary

__all__ = ["command"]

_STDIN = "-"
_OTHER = "this is not a file of"
"""Words by which readers refuse a file of another kind."""


def _format_names() -> list[str]:
    from ..io.formats import FORMATS

    return list(FORMATS)


@click.command("info", cls=SiftCommand, example="sift info photo.key")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=READ)
@option(
    "--from",
    "format",
    group="Other",
    metavar="NAME",
    values=_format_names,
    help="Format of the files.",
    note="default: by suffix and contents; for stdin, lowe",
)
@option("--json", "as_json", group="Other", is_flag=True, help="Print one JSON object per image on stdout.")
@click.pass_context
def command(ctx: click.Context, /, files: tuple[str, ...], format: str | None, as_json: bool) -> None:
    """Show what feature and match files contain.

    For each image: its size, the number of keypoints, how scales and responses are spread, octaves, orientations per
    location, and whether the descriptors are sane (norms, NaN, zeros, duplicates); for each file its parameters. For
    matches: how many each pair has, and how many obey which model. A FILE of '-' is standard input.

    Exit status: 0 all could be read, 1 a file could not, 2 wrong usage.
    """
    failed = False
    for path in files:
        if _is_folder(path):
            failed = True
            reason = "is a folder; sift info tells about feature and match files, such as"
            _failure(path, None, FormatError(path, f"{reason} {path.rstrip('/')}/photo.key"), as_json)
            continue
        try:
            known, whole = _features(path, format, as_json)
            failed |= not whole
            if known.database:
                _matches(path, as_json, database=known.name)
        except FormatError as error:
            fault = error
            if format is None and path != _STDIN:
                try:
                    if _matches(path, as_json):
                        continue
                except FormatError as other:  # tell the fault of what it is, a file of features or of matches
                    fault = other if _OTHER in error.reason and _OTHER not in other.reason else error
            failed = True
            _failure(path, None, fault, as_json)
    ctx.exit(1 if failed else 0)


def _is_folder(path: str) -> bool:
    from ..io.formats import format_of_suffix

    return path != _STDIN and Path(path).is_dir() and format_of_suffix(path) is None


def _open(path: str, name: str | None) -> tuple[Format, Collection]:
    from ..io.formats import format_for
    from ..io.registry import SingleCollection, collection_reader

    if path != _STDIN:
        format = format_for(path, name, reading=True)
        return format, collection_reader(path, format.name)
    format = format_for("", name or "lowe")
    if format.kind != "stream":
        raise FormatError("<stdin>", f"cannot be {format.title}; give the name of a file")
    return format, SingleCollection("stdin", format.function(format.decoder)(read_stdin(), name="<stdin>"))


def _features(path: str, name: str | None, as_json: bool) -> tuple[Format, bool]:
    """Tell about a feature file; return its format, and false if an image of it cannot be read."""
    from ..io.summary import summarise

    rows: list[tuple[str, Summary]] = []
    parameters: Mapping[str, Any] | None = None
    whole = True
    format, opened = _open(path, name)
    with opened as collection:
        for image in collection.names:
            try:
                features = collection.read(image)
            except SiftError as error:
                whole = False
                _failure(path, image, error, as_json)
                continue
            summary = summarise(features)
            if as_json:
                told = None if features.parameters is None else dict(features.parameters)
                values = asdict(summary)
                if summary.camera is not None and summary.camera.position is not None:
                    values["camera"]["position"] = [None if math.isnan(x) else x for x in summary.camera.position]
                _print_json(path, format.name, image=image, **values, parameters=told)
            else:
                parameters = parameters or features.parameters
                rows.append((image, summary))
    if not as_json:
        from .info_table import show_features

        show_features(path, format.title, rows, parameters)
    return format, whole


def _matches(path: str, as_json: bool, *, database: str | None = None) -> bool:
    """Tell about a match file, or the matches of a database if it has any; false if no match file is so named.

    Raises
    ------
    FormatError
        If it cannot be read, or is of another kind.
    """
    from ..io.matches import MATCH_FORMATS, match_format_of, pairs_of

    format = match_format_of(path) if database is None else MATCH_FORMATS[database]
    if format is None:
        return False
    pairs = list(pairs_of(path, format))
    if database is not None and not pairs:
        return True
    if as_json:
        for a, b, matches in pairs:
            inliers = None if matches.inliers is None else int(matches.inliers.sum())
            _print_json(path, format.name, images=[a, b], matches=len(matches), inliers=inliers, model=matches.kind)
    else:
        from .info_table import show_matches

        show_matches(path, format.title, pairs)
    return True


def _failure(path: str, image: str | None, error: SiftError, as_json: bool) -> None:
    say(f"error: {error}")
    if as_json:
        record = {"path": path, "image": image, "status": "failed", "error": str(error)}
        write_json(record)


def _print_json(path: str, format: str, **values: Any) -> None:
    record = {"path": path, "format": format, "status": "done", "error": None, **values}
    write_json(record)
