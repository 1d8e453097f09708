"""The table of feature formats in docs/formats.md, made from `siftcli.io.formats.FORMATS`."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from siftcli.features import Features
from siftcli.io.formats import FORMATS, Format

__all__ = ["page"]

_PAGE = Path(__file__).parents[1] / "formats.md"
_ORDER = ("descriptors", "floats", *(field.name for field in fields(Features) if field.name != "descriptors"))


def page() -> str:
    """Return the page with the table between its marks."""
    text = _PAGE.read_text(encoding="utf-8")
    return re.sub(
        r"(<!-- formats -->\n).*?(<!-- end formats -->)",
        lambda found: f"{found[1]}\n{_table()}\n{found[2]}",
        text,
        flags=re.S,
    )


def _table() -> str:
    rows: list[tuple[str, ...]] = [
        ("name", "what it is", "suffix", "images a file", "holds, besides frames"),
        ("---",) * 5,
    ]
    rows += map(_row, FORMATS.values())
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(format: Format) -> tuple[str, ...]:
    return (
        f"`{format.name}`",
        format.title,
        ", ".join(f"`{suffix}`" for suffix in format.suffixes),
        "many" if format.many else "one",
        ", ".join(name.replace("_", " ") for name in sorted(format.holds, key=_ORDER.index)),
    )
