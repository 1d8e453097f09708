"""The README's table that compares programs, made from the figures that `tests/benchmarks/` writes into docs/."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["readme", "table"]

_ROOT = Path(__file__).parents[2]
_PICTURE = "samples 1 MP"

_PROGRAMS = {
    "siftcli": ("default", "siftcli, s"),
    "siftcli `--preset lowe`": ("preset `lowe`", "siftcli, preset lowe, s"),
    "siftcli `--preset accurate`": ("preset `accurate`", "siftcli, preset accurate, s"),
    "OpenCV": ("OpenCV", "OpenCV, 2 threads, s"),
    "COLMAP (VLFeat's code)": ("COLMAP (VLFeat)", "pycolmap, s"),
    "scikit-image": ("", "scikit-image, s"),
}
"""Each row: its name in docs/accuracy.md (empty: not measured there), and in docs/performance.md."""


def _rows(page: str, mark: str) -> list[dict[str, str]]:
    """The rows of the table after a comment of a page, by the titles of the columns."""
    text = (_ROOT / "docs" / page).read_text(encoding="utf-8")
    part = text.split(f"<!-- {mark} -->", 1)[1].split("<!-- end -->", 1)[0]
    lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in part.splitlines() if "|" in line]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]]


def _share(name: str) -> str:
    found = [
        row["recall"] for row in _rows("accuracy.md", "lowe") if (row["program"], row["image"]) == (name, "**mean**")
    ]
    return f"{100 * float(found[0]):.1f} %" if found else "–"


def _matches(name: str) -> str:
    found = [row["mean"] for row in _rows("accuracy.md", "boat") if row["program"] == name]
    return found[0] if found else "–"


def _seconds(column: str) -> str:
    """The time of one picture; a dash where the table is not filled."""
    for row in _rows("performance.md", "table:library"):
        if row["picture"] == _PICTURE and row.get(column, "–") != "–":
            return f"{float(row[column]):.2f}"
    return "–"


def table() -> str:
    """Return the table."""
    lines = [
        "| | Lowe's keypoints found | correct matches, *boat* | seconds, 1000 × 872 |",
        "| --- | ---: | ---: | ---: |",
    ]
    for title, (accuracy, speed) in _PROGRAMS.items():
        lines.append(f"| {title} | {_share(accuracy)} | {_matches(accuracy)} | {_seconds(speed)} |")
    return "\n".join(lines)


def readme() -> str:
    """Return the README with the table between its marks."""
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    return re.sub(
        r"(<!-- comparison -->\n).*?(<!-- end comparison -->)",
        lambda found: f"{found[1]}\n{table()}\n\n{found[2]}",
        text,
        flags=re.S,
    )
