"""``sift info``: what is in a feature file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ..errors import SiftError
from .options import SiftCommand, option
from .streams import one_line, say, write_stdout

if TYPE_CHECKING:
    from rich.table import Table

    from ..io.summary import Distribution, Summary

__all__ = ["command", "sparkline"]

_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "_.-~=+*#"
_NARROWEST = 160
"""Columns of a table that does not go to a terminal."""


@click.command("info", cls=SiftCommand, example="sift info photo.key")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@option(
    "--from",
    "format",
    group="Other",
    metavar="NAME",
    help="Format of the files.",
    note="default: by suffix and contents",
)
@option("--json", "as_json", group="Other", is_flag=True, help="Print a JSON object for each image on stdout.")
@click.pass_context
def command(ctx: click.Context, /, files: tuple[str, ...], format: str | None, as_json: bool) -> None:
    """Tell what is in feature files.

    For each image: its size, the number of keypoints, how scales and responses are spread, octaves, orientations per
    location, and whether the descriptors are sane (norms, NaN, zeros, duplicates); for each file its parameters.

    Exit status: 0 all could be read, 1 a file could not, 2 wrong usage.
    """
    from ..io.registry import format_for, read_collection
    from ..io.summary import summarise

    failed = False
    for path in files:
        rows: list[tuple[str, Summary]] = []
        parameters: Mapping[str, Any] | None = None
        try:
            chosen = format_for(path, format, reading=True)
            with read_collection(path, chosen.name) as collection:
                for name in collection.names:
                    try:
                        features = collection.read(name)
                    except SiftError as error:
                        failed = True
                        _failure(path, name, error, as_json)
                        continue
                    parameters = parameters or features.parameters
                    rows.append((name, summarise(features)))
                    if as_json:
                        _print_json(path, chosen.name, *rows.pop(), features.parameters)
        except SiftError as error:
            failed = True
            _failure(path, None, error, as_json)
            continue
        if not as_json:
            _print(path, chosen.title, rows, parameters)
    ctx.exit(1 if failed else 0)


def _failure(path: str, image: str | None, error: SiftError, as_json: bool) -> None:
    say(f"error: {error}")
    if as_json:
        record = {"path": path, "image": image, "status": "failed", "error": str(error)}
        write_stdout(json.dumps(record).encode() + b"\n")


def _print_json(path: str, format: str, image: str, summary: Summary, parameters: Mapping[str, Any] | None) -> None:
    record = {"path": path, "format": format, "image": image, "status": "done", "error": None, **asdict(summary)}
    record["parameters"] = None if parameters is None else dict(parameters)
    write_stdout(json.dumps(record).encode() + b"\n")


# --- the table


def sparkline(counts: tuple[int, ...], blocks: str = _BLOCKS) -> str:
    """Draw counts as a line of bars; the highest is full, and what is not zero is never empty."""
    top = max(counts, default=0)
    if not top:
        return ""
    return "".join(" " if not n else blocks[max(0, -(-n * len(blocks) // top) - 1)] for n in counts)


def _print(path: str, title: str, rows: list[tuple[str, Summary]], parameters: Mapping[str, Any] | None) -> None:
    import io

    from rich.console import Console

    out = io.StringIO()
    terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console(file=out, force_terminal=terminal, width=None if terminal else _NARROWEST, highlight=False)
    total = sum(summary.keypoints for _, summary in rows)
    what = f"{len(rows):,} image{'s' * (len(rows) != 1)}, {total:,} keypoints"
    console.print(f"{one_line(path)}: {title}; {what}", markup=False, soft_wrap=True)
    if rows:
        console.print(_table(rows))
    if parameters:
        told = ", ".join(f"{key} {value}" for key, value in parameters.items())
        console.print(f"parameters: {told}", markup=False, soft_wrap=not terminal)
    text = out.getvalue()
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8") if sys.stdout is not None else "utf-8"
    write_stdout(text.encode(encoding, errors="replace"))


def _table(rows: list[tuple[str, Summary]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    blocks = _BLOCKS if _can_draw() else _ASCII
    table = Table(box=box.SIMPLE_HEAD if blocks is _BLOCKS else box.ASCII, pad_edge=False)
    table.add_column("image", overflow="fold")
    for title in ("size", "keypoints"):
        table.add_column(title, justify="right")
    for title in ("sigma (px)", "response", "octaves", "orientations", "descriptors"):
        table.add_column(title, overflow="fold")
    for name, s in rows:
        cells = (
            one_line(name),
            "" if s.image_size is None else f"{s.image_size[0]} x {s.image_size[1]}",
            f"{s.keypoints:,}",
            _spread(s.scales, blocks),
            _spread(s.scores, blocks),
            " ".join(f"{octave}:{count}" for octave, count in s.octaves.items()),
            " ".join(f"{count}x{orientations}" for orientations, count in s.orientations.items()),
            _descriptors(s),
        )
        table.add_row(*(Text(cell, style="red" if i == 7 and s.problems else "") for i, cell in enumerate(cells)))
    return table


def _can_draw() -> bool:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        f"{_BLOCKS}╶─".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _spread(values: Distribution | None, blocks: str) -> str:
    if values is None:
        return ""
    return f"{values.smallest:.3g} {sparkline(values.counts, blocks)} {values.largest:.3g}, median {values.median:.3g}"


def _descriptors(s: Summary) -> str:
    if s.descriptors is None:
        told = ["none"]
    elif s.norms is None:
        told = [s.descriptors]
    else:
        told = [f"{s.descriptors}, norm {s.norms.smallest:.3f} to {s.norms.largest:.3f}"]
    return "; ".join([*told, *s.problems])
