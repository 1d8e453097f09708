"""Tables: on the terminal, as Markdown, and in the documentation between markers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Section", "Table", "markdown", "show", "update"]

_MARKED = re.compile(r"(<!-- table:(?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass
class Table:
    """A table as it is printed.

    Attributes
    ----------
    name : str
        By which the documentation asks for it.
    title : str
    columns : list of str
    rows : list of list of str
    notes : list of str
        Sentences below it.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Section:
    """What one part of the benchmark gives.

    Attributes
    ----------
    tables : list of Table
    data : list of dict
        All that was measured, for a JSON file.
    """

    tables: list[Table]
    data: list[dict[str, Any]] = field(default_factory=list)


def show(table: Table) -> None:
    """Print a table on the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console.width = 160
    rich = RichTable(title=table.title, box=box.SIMPLE, title_justify="left", title_style="bold")
    for i, column in enumerate(table.columns):
        rich.add_column(column, justify="right" if _numbers([row[i] for row in table.rows]) else "left")
    for row in table.rows:
        rich.add_row(*(Text(text, style="red" if "NOT met" in text else "") for text in row))
    console.print(rich)
    for note in table.notes:
        console.print(Text(f"  {note}", style="dim"))


def markdown(table: Table) -> str:
    """Return a table as Markdown, its notes below it."""
    align = [" ---: " if _numbers([row[i] for row in table.rows]) else " --- " for i in range(len(table.columns))]
    lines = [f"| {' | '.join(table.columns)} |", f"|{'|'.join(align)}|"]
    lines += [f"| {' | '.join(row)} |" for row in table.rows]
    for note in table.notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def _numbers(cells: list[str]) -> bool:
    """Whether the cells of a column that are not empty all begin with a number."""
    return all(re.match(r"[-+]?\d", cell) for cell in cells if cell)


def update(path: Path, tables: list[Table]) -> list[str]:
    """Rewrite the marked tables of a document that are among `tables`, and return the names of those it has not.

    A table stands between the lines ``<!-- table:NAME -->`` and ``<!-- end -->``.
    """
    texts = {table.name: markdown(table) for table in tables}
    written: set[str] = set()

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in texts:
            return match[0]
        written.add(name)
        return f"{match[1]}\n{texts[name]}\n{match[3]}"

    path.write_text(_MARKED.sub(replaced, path.read_text(encoding="utf-8")), encoding="utf-8")
    return [name for name in texts if name not in written]
