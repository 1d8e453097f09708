"""A plot of time over megapixels, both logarithmic, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["Lines", "svg"]

Lines = Mapping[str, Sequence[tuple[float, float]]]
"""Label to points (x, y), both positive."""

COLOURS = ("#1f6fb4", "#7fb8e6", "#274e13", "#d1495b", "#e09f3e", "#7d5ba6")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, LEGEND = 440, 360, 64, 44, 32, 170


def svg(panels: Mapping[str, Lines], x_label: str, y_label: str) -> str:
    """Return a picture of panels side by side, with the same axes and one legend.

    Parameters
    ----------
    panels : title to lines
    x_label, y_label : str
        With units.
    """
    points = [point for lines in panels.values() for line in lines.values() for point in line]
    if not points:
        raise ValueError("there is nothing to plot")
    labels = list(dict.fromkeys(label for lines in panels.values() for label in lines))
    colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    x_axis, y_axis = (_Axis(*_range([point[i] for point in points])) for i in (0, 1))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(panels) * WIDTH + LEGEND} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for i, (title, lines) in enumerate(panels.items()):
        parts += [f'<g transform="translate({i * WIDTH} 0)">']
        parts += _frame(x_axis, y_axis, title, x_label, y_label if i == 0 else "")
        for label, line in lines.items():
            places = [(x_axis.place(x, LEFT, WIDTH - 16), y_axis.place(y, HEIGHT - BOTTOM, TOP)) for x, y in line]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colours[label]}" stroke-width="2"/>')
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colours[label]}"/>' for x, y in places]
        parts.append("</g>")
    for i, label in enumerate(labels):
        x, y = len(panels) * WIDTH + 4, TOP + 12 + 20 * i
        parts.append(f'<rect x="{x}" y="{y - 8}" width="16" height="4" fill="{colours[label]}"/>')
        parts.append(f'<text x="{x + 22}" y="{y - 2}">{escape(label)}</text>')
    return "\n".join([*parts, "</svg>", ""])


class _Axis:
    """A logarithmic axis from `low` to `high`."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = math.log10(low), math.log10(high)

    def place(self, value: float, start: float, end: float) -> float:
        """Return where a value is between two ends of the axis."""
        return start + (math.log10(value) - self.low) / (self.high - self.low) * (end - start)

    def ticks(self) -> list[float]:
        """Return 1, 2 and 5 times powers of ten within the axis."""
        found = [m * 10.0**e for e in range(math.floor(self.low), math.ceil(self.high) + 1) for m in (1, 2, 5)]
        return [value for value in found if self.low - 1e-9 <= math.log10(value) <= self.high + 1e-9]


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values) / 1.3, max(values) * 1.3


def _frame(x_axis: _Axis, y_axis: _Axis, title: str, x_label: str, y_label: str) -> list[str]:
    right, bottom = WIDTH - 16, HEIGHT - BOTTOM
    middle, turned = (LEFT + right) / 2, f"translate(14 {(TOP + bottom) / 2}) rotate(-90)"
    parts = [
        f'<text x="{middle}" y="{TOP - 12}" text-anchor="middle" font-weight="bold">{escape(title)}</text>',
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="{turned}" text-anchor="middle">{escape(y_label)}</text>',
    ]
    for value in x_axis.ticks():
        x = x_axis.place(value, LEFT, right)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{value:g}</text>')
    for value in y_axis.ticks():
        y = y_axis.place(value, bottom, TOP)
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    return parts
