"""Reports of an evaluation: JSON, CSV, charts as SVG, and a page as HTML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..draw.matches import match_scene, matched_images
from ..draw.style import MatchStyle
from ..draw.svg import data_url
from ..errors import ParameterError
from ..words import counted
from .charts import Chart, Line, chart_height, chart_svg
from .pairs import ACCURACY_THRESHOLDS, Measurer
from .run import Evaluation, PairRecord
from .sequences import ImagePair
from .summary import MEASURES, Interval

__all__ = ["FORMATS", "charts_of", "encode_csv", "encode_json", "encode_report", "shown", "table_rows"]

FORMATS = (".html", ".svg", ".json", ".csv")
"""Suffixes of reports."""

_IN_TABLES = (1, 3, 5, 10)
"""Thresholds of the mean matching accuracy in tables; the charts have all."""
_MOST_SEQUENCES = 12
"""Most sequences with charts of their own; the charts of more are averaged."""
_WIDTH = 1000
"""Pixels of a picture of a pair."""
_RANKED_BY = ("precision", "repeatability")
"""Measures that determine the best and the worst pair; the first one available is used."""


# --- data


def encode_json(evaluation: Evaluation) -> bytes:
    """Return an evaluation as one JSON object."""
    return json.dumps(evaluation.plain(), indent=1, default=str).encode() + b"\n"


def encode_csv(evaluation: Evaluation) -> bytes:
    """Return the records as a table: a line for each method and pair."""
    rows = []
    for record in evaluation.records:
        row = record.plain()
        curve = row.pop("accuracy", None)
        if curve is not None:
            row.update({f"accuracy_{t}": value for t, value in zip(ACCURACY_THRESHOLDS, curve, strict=True)})
        rows.append(row | {"error": row["error"] or ""})
    columns = list(dict.fromkeys(name for row in rows for name in row if name != "error"))
    text = io.StringIO()
    table = csv.DictWriter(text, [*columns, "error"], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


# --- the table


def table_rows(evaluation: Evaluation) -> list[list[str]]:
    """Return the summary as a table: a row for each measure, its title first, then a value for each method."""
    rows = []
    for measure in MEASURES:
        if measure.source == "accuracy" and measure.threshold not in _IN_TABLES:
            continue
        found = [evaluation.summary[method].get(measure.name) for method in evaluation.methods]
        if any(found):
            rows.append([measure.title, *(shown(interval, measure.digits) for interval in found)])
    return rows


def shown(interval: Interval | None, digits: int) -> str:
    """Format a value with its interval; a star tells that it differs from the first method's."""
    if interval is None or not np.isfinite(interval.value):
        return ""
    text = f"{interval.value:,.{digits}f}"
    if not np.isfinite(interval.low):
        return text
    text += f" [{interval.low:,.{digits}f}, {interval.high:,.{digits}f}]"
    low, high = interval.difference_low, interval.difference_high
    differs = low is not None and high is not None and (low > 0 or high < 0)
    return f"{text} *" if differs else f"{text}  " if low is not None else text


# --- charts


def charts_of(evaluation: Evaluation) -> list[Chart]:
    """Return the charts: mean matching accuracy, and repeatability and precision against the pair of each sequence."""
    charts = []
    curves = [(method, evaluation.summary[method]) for method in evaluation.methods]
    lines = tuple(
        Line(method, ACCURACY_THRESHOLDS, *zip(*(found[f"mma_{t}"][:3] for t in ACCURACY_THRESHOLDS), strict=True))
        for method, found in curves
        if "mma_1" in found
    )
    if lines:
        charts.append(Chart("Mean matching accuracy", "threshold, px", "share of matches", lines))
    numbered: dict[str, list[tuple[int, PairRecord]]] = {}
    for sequence in dict.fromkeys(record.sequence for record in evaluation.records):
        records = [record for record in evaluation.records if record.sequence == sequence]
        place = {pair: i for i, pair in enumerate(dict.fromkeys((record.a, record.b) for record in records), 1)}
        numbered[sequence] = [(place[record.a, record.b], record) for record in records]
    if len(numbered) > _MOST_SEQUENCES:
        numbered = {f"mean of {len(numbered)} sequences": [item for items in numbered.values() for item in items]}
    for sequence, items in numbered.items():
        for name in ("repeatability", "matching_score", "precision"):
            lines = tuple(
                Line(method, *zip(*points, strict=True))
                for method in evaluation.methods
                if len(points := _points(items, method, name)) > 1
            )
            title = name.replace("_", " ")
            if lines:
                charts.append(Chart(f"{sequence}: {title}", "number of the pair in its sequence", title, lines))
    return charts


def _points(items: list[tuple[int, PairRecord]], method: str, name: str) -> list[tuple[float, float]]:
    """Return the mean of a measure at each number of a pair."""
    values: dict[int, list[float]] = {}
    for number, record in items:
        value = record.measures.get(name)
        if record.method == method and isinstance(value, (int, float)):
            values.setdefault(number, []).append(value)
    return [(number, float(np.mean(found))) for number, found in sorted(values.items())]


# --- reports


def encode_report(
    evaluation: Evaluation, path: str, measurer: Measurer, pairs: list[ImagePair], command: str = ""
) -> bytes:
    """Return a report in the format of a file's suffix.

    Parameters
    ----------
    evaluation : Evaluation
    path : str
        The suffix is one of `FORMATS`.
    measurer : Measurer
        Matches the best and the worst pair again, for their pictures.
    pairs : list of ImagePair
        Pairs of the evaluation.
    command : str
        The command line, which the report shows.

    Raises
    ------
    ParameterError
        For another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".json":
        return encode_json(evaluation)
    if suffix == ".csv":
        return encode_csv(evaluation)
    if suffix == ".svg":
        return _svg(evaluation).encode()
    if suffix == ".html":
        return _html(evaluation, _pictures(evaluation, measurer, pairs), command).encode()
    raise ParameterError("output", f"must end with one of {', '.join(FORMATS)}, not {suffix!r}")


def _svg(evaluation: Evaluation) -> str:
    charts = charts_of(evaluation)
    heights = [chart_height(chart) for chart in charts]
    parts = [chart_svg(chart, top=sum(heights[:i])) for i, chart in enumerate(charts)]
    height = max(sum(heights), 1)
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="460" height="{height}">', *parts, "</svg>\n"])


def _pictures(evaluation: Evaluation, measurer: Measurer, pairs: list[ImagePair]) -> dict[str, str]:
    """Return pictures of the best and the worst pair of the first method as ``data:`` URLs, by title."""
    methods = len(evaluation.methods)
    ranked = sorted(
        (value, number)
        for number in range(len(pairs))
        if (value := _rank(evaluation.records[number * methods])) is not None
    )
    if not ranked:
        return {}
    chosen = {"Best pair": ranked[-1], "Worst pair": ranked[0]}
    if len(ranked) == 1:
        chosen.pop("Worst pair")
    found = {}
    for title, (value, number) in chosen.items():
        pair = pairs[number]
        matches = measurer.matches(0, number)
        images = matched_images(measurer.pixels(pair.a), measurer.pixels(pair.b), matches)
        picture = match_scene(images, MatchStyle(zoom=_zoom(images.a.width + images.b.width))).render()
        name = f"{title} of {evaluation.methods[0]}: {pair.sequence}, {pair.a.name} and {pair.b.name}, {value:.3f}"
        found[name] = data_url(picture)
    return found


def _zoom(width: int) -> float:
    return min(1.0, _WIDTH / width)


def _rank(record: PairRecord) -> float | None:
    for name in _RANKED_BY:
        value = record.measures.get(name)
        if isinstance(value, float):
            return value
    return None


_STYLE = """
body { font: 15px/1.45 Helvetica, Arial, sans-serif; margin: 2em auto; max-width: 1010px; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } th, td { padding: 3px 10px; border-bottom: 1px solid #ddd }
td:not(:first-child), th:not(:first-child) { text-align: right; white-space: pre; font-variant-numeric: tabular-nums }
img { max-width: 100% } details { margin: 1em 0 } .scroll { overflow-x: auto }
code, pre { font-size: 13px; white-space: pre-wrap; overflow-wrap: anywhere }
"""


def _html(evaluation: Evaluation, pictures: Mapping[str, str], command: str) -> str:
    count = evaluation.parameters["pairs"]
    title = f"Evaluation of {', '.join(evaluation.methods)}"
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{counted(count, 'image pair')}. Means over the pairs, or areas under curves, from 5 pairs on with "
        "95 % confidence intervals by bootstrap over the pairs; * marks what differs from the first method, by the "
        "interval of the difference.</p>",
        *(f"<p>{escape(note)}</p>" for note in evaluation.notes),
        _table(["measure", *evaluation.methods], table_rows(evaluation)),
        *(chart_svg(chart) for chart in charts_of(evaluation)),
        *(f'<h2>{escape(name)}</h2><img alt="{escape(name)}" src="{url}">' for name, url in pictures.items()),
        f"<details><summary>All pairs</summary>{_pairs_table(evaluation)}</details>",
        "<h2>Parameters</h2>",
        f"<p><code>{escape(command)}</code></p>" if command else "",
        f"<pre>{escape(json.dumps(evaluation.parameters, indent=1, default=str))}</pre>",
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return f'<div class="scroll"><table>{"".join(f"<tr>{line}</tr>" for line in lines)}</table></div>'


def _pairs_table(evaluation: Evaluation) -> str:
    rows = list(csv.reader(io.StringIO(encode_csv(evaluation).decode("utf-8", "replace"))))
    return _table(rows[0], [[_short(cell) for cell in row] for row in rows[1:]])


def _short(cell: str) -> str:
    """Shorten numbers with many digits."""
    try:
        value: Any = float(cell)
    except ValueError:
        return cell
    return cell if value == int(value) and "." not in cell else f"{value:.4g}"
