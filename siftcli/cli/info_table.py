"""The text of ``sift info``: a block of lines for each image or pair, or a table where there are many."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..matches import MODELS
from ..words import counted
from .streams import one_line, write_stdout
from .table import can_draw, encoding

if TYPE_CHECKING:
    from ..features import Camera
    from ..io.summary import Distribution, Summary
    from ..matches import Matches

__all__ = ["show_features", "show_matches", "sparkline"]

_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "_.-~=+*#"
_WIDTH = 80
"""Columns where there is no terminal, and the fewest that are counted on."""
_MANY = 3
"""Images or pairs from which on a table is shown."""
_TERM = 14
"""Columns of the words at the left of a block."""


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
    lines = [f"{path}: {title}; {counted(len(rows), 'image')}, {counted(total, 'keypoint')}"]
    if len(rows) < _MANY:
        for name, summary in rows:
            lines += _block(_terms(name, summary, several=len(rows) > 1))
    else:
        cameras = {_camera(summary.camera) for _, summary in rows}
        same = cameras.pop() if len(cameras) == 1 else ""
        lines += _table(
            ["image", "size", "keypoints", "median sigma", "descriptors"],
            [
                (
                    name,
                    _size(s),
                    f"{s.keypoints:,}",
                    _number(s.scales),
                    s.descriptors or "none",
                    _remarks(s, camera=not same),
                )
                for name, s in rows
            ],
        )
        lines += _block([("camera", same)])
    if parameters:
        lines += _block([("parameters", ", ".join(f"{key}={value}" for key, value in parameters.items()))])
    _print(lines)


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
    lines = [f"{path}: matches, {title}; {counted(len(pairs), 'pair')}, {counted(total, 'match')}"]
    if len(pairs) < _MANY:
        for a, b, matches in pairs:
            lines += _block(
                [
                    ("images", f"{a} and {b}" if a and b else ""),
                    ("matches", f"{len(matches):,}" if len(pairs) > 1 else ""),
                    ("inliers", _inliers(matches, words=True)),
                    ("distance", _distances(matches)),
                ]
            )
    else:
        cells = [(f"{a}, {b}", f"{len(m):,}", _inliers(m), m.kind or "", _distances(m), "") for a, b, m in pairs]
        lines += _table(["images", "matches", "inliers", "model", "distance"], cells)
    _print(lines)


def sparkline(counts: tuple[int, ...], blocks: str = _BLOCKS) -> str:
    """Draw counts as a line of bars; the highest is full, and what is not zero is never empty."""
    top = max(counts, default=0)
    return "".join(" " if not n else blocks[-(-n * len(blocks) // top) - 1] for n in counts) if top else ""


# --- words


def _terms(name: str, s: Summary, *, several: bool) -> list[tuple[str, str]]:
    """Return the terms and values of the block of one image."""
    blocks = _BLOCKS if can_draw() else _ASCII
    orientations = [f"{n} at {counted(count, 'location')}" for n, count in s.orientations.items()]
    return [
        ("image", ", ".join(text for text in (name, _size(s)) if text)),
        ("keypoints", f"{s.keypoints:,}" if several else ""),
        ("sigma", _spread(s.scales, blocks, " px")),
        ("response", _spread(s.scores, blocks)),
        ("octaves", ", ".join(f"{octave}: {count:,}" for octave, count in s.octaves.items())),
        ("orientations", ", ".join(orientations)),
        ("descriptors", _descriptors(s)),
        ("camera", _camera(s.camera)),
        ("problems", "; ".join(s.problems)),
    ]


def _remarks(s: Summary, *, camera: bool) -> str:
    """Return what is particular about an image; `camera` says whether its camera is."""
    remarks = {"problems": "; ".join(s.problems), "camera": _camera(s.camera) if camera else ""}
    return "\n".join(f"{term}: {text}" for term, text in remarks.items() if text)


def _size(s: Summary) -> str:
    return "" if s.image_size is None else f"{s.image_size[0]} x {s.image_size[1]}"


def _number(values: Distribution | None) -> str:
    return "" if values is None else f"{values.median:.3g}"


def _spread(values: Distribution | None, blocks: str, unit: str = "") -> str:
    if values is None:
        return ""
    ends = f"{values.smallest:.3g} {sparkline(values.counts, blocks)} {values.largest:.3g}"
    return f"{ends}, median {values.median:.3g}{unit}"


def _camera(camera: Camera | None) -> str:
    """Name a camera, its focal length and its position."""
    if camera is None:
        return ""
    parts = [camera.name, "" if camera.focal is None else f"f {camera.focal:.1f} px"]
    if camera.position is not None:
        latitude, longitude, altitude = camera.position
        high = "" if math.isnan(altitude) else f", {altitude:.1f} m"
        parts.append(f"at {latitude:.6f}, {longitude:.6f}{high}")
    return "; ".join(filter(None, parts))


def _descriptors(s: Summary) -> str:
    kind = s.descriptors or "none"
    return kind if s.norms is None else f"{kind}, norm {s.norms.smallest:.3f} to {s.norms.largest:.3f}"


def _inliers(matches: Matches, *, words: bool = False) -> str:
    if matches.inliers is None:
        return "not verified" if words else ""
    count = f"{int(matches.inliers.sum()):,}"
    return f"{count} of {MODELS[matches.kind]}" if words and matches.kind is not None else count


def _distances(matches: Matches) -> str:
    distances = matches.distances
    return "" if distances is None or not len(distances) else f"{distances.min():.3g} to {distances.max():.3g}"


# --- lines


def _width() -> int:
    if sys.stdout is None or not sys.stdout.isatty():
        return _WIDTH
    return max(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)


def _block(terms: Sequence[tuple[str, str]]) -> list[str]:
    """Return a line for each term that has a value, or several where it is long; nothing is cut."""
    lines = []
    for term, value in terms:
        if value:
            lines += textwrap.wrap(
                one_line(value),
                _width(),
                initial_indent=f"  {term:<{_TERM}}",
                subsequent_indent=" " * (_TERM + 2),
                break_long_words=False,
                break_on_hyphens=False,
            )
    return lines


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table whose first column is a name and whose last, without a title, are remarks on lines of their own.

    Columns without values are left out, and a name that does not fit has a line of its own.
    """
    used = [k for k in range(1, len(titles)) if any(row[k] for row in rows)]
    widths = {k: max(len(titles[k]), *(len(row[k]) for row in rows)) for k in used}
    names = [one_line(row[0]) for row in rows]
    room = _width() - 2 - sum(width + 2 for width in widths.values())
    first = max(min(max(map(len, names)), room), len(titles[0]))
    lines = ["  " + titles[0].ljust(first) + "".join("  " + titles[k].rjust(widths[k]) for k in used)]
    for name, row in zip(names, rows, strict=True):
        values = "".join("  " + row[k].rjust(widths[k]) for k in used)
        lines += [f"  {name.ljust(first)}{values}"] if len(name) <= first else [f"  {name}", " " * (first + 2) + values]
        for remark in row[-1].splitlines():
            lines += textwrap.wrap(remark, _width(), initial_indent="    ", subsequent_indent="      ")
    return lines


def _print(lines: Sequence[str]) -> None:
    head, *rest = lines
    text = "\n".join([one_line(head), *(line.rstrip() for line in rest), ""])
    write_stdout(text.encode(encoding(), errors="backslashreplace"))
