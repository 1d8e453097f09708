"""The tables of ``sift info``."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .streams import one_line, write_stdout

if TYPE_CHECKING:
    from rich.table import Table

    from ..io.summary import Distribution, Summary
    from ..matches import Matches

__all__ = ["show_features", "show_matches", "sparkline"]

_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "_.-~=+*#"
_WIDTH = 200
"""Columns of a table that does not go to a terminal."""


def show_features(
    path: str, title: str, rows: Sequence[tuple[str, Summary]], parameters: Mapping[str, Any] | None
) -> None:
    """Print what is in a feature file.

    Parameters
    ----------
    path, title : str
        The file, and what it is.
    rows : sequence of (name, Summary)
        Its images.
    parameters : mapping or None
        With which the features were computed.
    """
    total = sum(summary.keypoints for _, summary in rows)
    head = f"{path}: {title}; {len(rows):,} image{'s' * (len(rows) != 1)}, {total:,} keypoints"
    tail = ", ".join(f"{key}={value}" for key, value in (parameters or {}).items())
    blocks = _BLOCKS if _can_draw() else _ASCII
    numbers = ["size", "keypoints"]
    spreads = ["sigma (px)", "response", "octaves", "orientations", "descriptors"]
    table = _table(["image"], numbers, spreads)
    for name, s in rows:
        table.add_row(
            *_cells(
                name,
                "" if s.image_size is None else f"{s.image_size[0]} x {s.image_size[1]}",
                f"{s.keypoints:,}",
                _spread(s.scales, blocks),
                _spread(s.scores, blocks),
                " ".join(f"{octave}:{count}" for octave, count in s.octaves.items()),
                " ".join(f"{count}x{orientations}" for orientations, count in s.orientations.items()),
            ),
            *_cells(_descriptors(s), style="red" if s.problems else ""),
        )
    _print(head, table if rows else None, f"parameters: {tail}" if tail else "")


def show_matches(path: str, title: str, pairs: Sequence[tuple[str | None, str | None, Matches]]) -> None:
    """Print what is in a match file.

    Parameters
    ----------
    path, title : str
        The file, and what it is.
    pairs : sequence of (name or None, name or None, Matches)
        Its pairs.
    """
    total = sum(len(matches) for _, _, matches in pairs)
    head = f"{path}: matches, {title}; {len(pairs):,} pair{'s' * (len(pairs) != 1)}, {total:,} matches"
    table = _table(["image a", "image b"], ["matches", "inliers"], ["model", "distance"])
    for a, b, matches in pairs:
        distances = matches.distances
        table.add_row(
            *_cells(
                a or "",
                b or "",
                f"{len(matches):,}",
                "" if matches.inliers is None else f"{int(matches.inliers.sum()):,}",
                "" if matches.model is None else matches.model.kind,
                f"{distances.min():.3g} to {distances.max():.3g}" if distances is not None and len(distances) else "",
            )
        )
    _print(head, table if pairs else None, "")


def sparkline(counts: tuple[int, ...], blocks: str = _BLOCKS) -> str:
    """Draw counts as a line of bars; the highest is full, and what is not zero is never empty."""
    top = max(counts, default=0)
    return "".join(" " if not n else blocks[-(-n * len(blocks) // top) - 1] for n in counts) if top else ""


def _table(names: Sequence[str], numbers: Sequence[str], texts: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if _can_draw() else box.ASCII, pad_edge=False)
    for title in names:
        table.add_column(title, overflow="fold")
    for title in numbers:
        table.add_column(title, justify="right")
    for title in texts:
        table.add_column(title, overflow="fold")
    return table


def _cells(*values: str, style: str = "") -> list[Any]:
    from rich.text import Text

    return [Text(one_line(value), style=style) for value in values]


def _print(head: str, table: Table | None, tail: str) -> None:
    from rich.console import Console

    out = io.StringIO()
    terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console(file=out, force_terminal=terminal, width=None if terminal else _WIDTH, highlight=False)
    console.print(one_line(head), markup=False, soft_wrap=True)
    if table is not None:
        console.print(table)
    if tail:
        console.print(one_line(tail), markup=False, soft_wrap=not terminal)
    write_stdout(out.getvalue().encode(_encoding(), errors="backslashreplace"))


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def _can_draw() -> bool:
    try:
        f"{_BLOCKS}─".encode(_encoding())
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _spread(values: Distribution | None, blocks: str) -> str:
    if values is None:
        return ""
    return f"{values.smallest:.3g} {sparkline(values.counts, blocks)} {values.largest:.3g}, median {values.median:.3g}"


def _descriptors(s: Summary) -> str:
    kind = s.descriptors or "none"
    norms = "" if s.norms is None else f", norm {s.norms.smallest:.3f} to {s.norms.largest:.3f}"
    return "; ".join([kind + norms, *s.problems])
