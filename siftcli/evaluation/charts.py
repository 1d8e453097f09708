"""Line charts as SVG, for reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

__all__ = ["Chart", "Line", "chart_height", "chart_svg"]

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999999")
"""Colours of Okabe and Ito, which colour-blind readers can tell apart."""

_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 34, 46
_TICKS = 5


@dataclass(frozen=True)
class Line:
    """A curve.

    Attributes
    ----------
    name : str
        In the legend.
    x, y : sequence of float
        Points; those not finite are left out.
    low, high : sequence of float, optional
        A band around it.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Chart:
    """Curves over one axis; y runs from 0 to 1."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]


def chart_svg(chart: Chart, *, left: int = 0, top: int = 0) -> str:
    """Return a chart as an ``svg`` element of 460 x 300 and a legend below, at a place in another one."""
    xs = [x for line in chart.lines for x in line.x]
    low, high = (min(xs), max(xs)) if xs else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5

    def at(x: float, y: float) -> str:
        column = _LEFT + (x - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)
        return f"{column:.1f},{_HEIGHT - _BOTTOM - y * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    height = chart_height(chart)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" x="{left}" y="{top}" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="Helvetica, Arial, sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(_WIDTH / 2, 18, chart.title, "middle", 'font-weight="bold"'),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, chart.x_label, "middle"),
        f'<g transform="translate(14 {(_TOP + _HEIGHT - _BOTTOM) / 2}) rotate(-90)">'
        f"{_text(0, 0, chart.y_label, 'middle')}</g>",
    ]
    for tick in np.linspace(0, 1, _TICKS + 1).tolist():
        x, y = at(low, tick).split(",")
        end, _ = at(high, tick).split(",")
        parts.append(f'<path d="M{x} {y}H{end}" stroke="#dddddd"/>')
        parts.append(_text(float(x) - 6, float(y) + 4, f"{tick:.1f}", "end"))
    for value in _ticks(low, high, sorted(set(xs))):
        x, y = at(value, 0).split(",")
        parts.append(_text(float(x), float(y) + 16, f"{value:g}", "middle"))
    for number, line in enumerate(chart.lines):
        color = _COLORS[number % len(_COLORS)]
        parts.extend(_curve(line, color, at))
        row = _HEIGHT + 18 * number
        parts.append(f'<path d="M{_LEFT} {row + 5}h24" stroke="{color}" stroke-width="2.5"/>')
        parts.append(_text(_LEFT + 30, row + 9, line.name))
    return "\n".join([*parts, "</svg>"])


def chart_height(chart: Chart) -> int:
    """Return the height of a chart with its legend."""
    return _HEIGHT + 18 * len(chart.lines) + 4


def _curve(line: Line, color: str, at: Callable[[float, float], str]) -> list[str]:
    parts = []
    if len(line.low):
        edge = [at(x, y) for x, y in zip(line.x, line.high, strict=True)]
        edge += [at(x, y) for x, y in zip(reversed(line.x), reversed(line.low), strict=True)]
        parts.append(f'<polygon points="{" ".join(edge)}" fill="{color}" opacity="0.12"/>')
    points = [at(x, y) for x, y in zip(line.x, line.y, strict=True) if np.isfinite(y)]
    parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}" stroke-width="2"/>')
    for point in points:
        x, y = point.split(",")
        parts.append(f'<circle cx="{x}" cy="{y}" r="2.5" fill="{color}"/>')
    return parts


def _ticks(low: float, high: float, values: list[float]) -> list[float]:
    """Draw a dot at each value if there are few."""
    return values if len(values) <= 12 else np.linspace(low, high, _TICKS + 1).round(2).tolist()


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'
