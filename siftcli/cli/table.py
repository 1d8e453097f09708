"""Tables on standard output."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .streams import one_line, write_stdout

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["can_draw", "cells", "encoding", "print_table", "table_of"]

_WIDTH = 200
"""Width in columns of a table that is not printed on a terminal."""


def table_of(names: Sequence[str], numbers: Sequence[str], texts: Sequence[str] = ()) -> Table:
    """Return a table with these columns; numbers are aligned to the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if can_draw() else box.ASCII, pad_edge=False)
    for title in names:
        table.add_column(title, overflow="fold")
    for title in numbers:
        table.add_column(title, justify="right")
    for title in texts:
        table.add_column(title, overflow="fold")
    return table


def cells(*values: str, style: str = "") -> list[Any]:
    """Return cells of plain text, without markup."""
    from rich.text import Text

    return [Text(one_line(value), style=style) for value in values]


def print_table(head: str, table: Table | None, tail: str = "") -> None:
    """Print a table on stdout, with a line before it and one after it."""
    from rich.console import Console

    out = io.StringIO()
    terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console(file=out, force_terminal=terminal, width=None if terminal else _WIDTH, highlight=False)
    console.print(one_line(head), markup=False, soft_wrap=True)
    if table is not None:
        console.print(table)
    if tail:
        console.print(one_line(tail), markup=False, soft_wrap=not terminal)
    write_stdout(out.getvalue().encode(encoding(), errors="backslashreplace"))


def encoding() -> str:
    """Return the encoding of standard output."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def can_draw() -> bool:
    """Tell whether standard output can encode line and block characters."""
    try:
        "▁▂▃▄▅▆▇█─".encode(encoding())
    except (UnicodeEncodeError, LookupError):
        return False
    return True
