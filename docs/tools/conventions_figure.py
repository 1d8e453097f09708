"""The figure of docs/conventions.md: axes, angles and descriptor layout of five programs.

Directions and numbers come from :mod:`siftcli.conventions`, so the figure shows what the code does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from siftcli.conventions import corner_origin, flip_angles, flip_bins, ipol_angles, ipol_bins

__all__ = ["PROGRAMS", "Program", "figure", "layout"]

_Array = npt.NDArray[Any]
_WIDTH, _PANEL, _HEIGHT = 1160, 232, 530
_INK, _GREY, _BLUE, _RED = "#1a1a1a", "#9a9a9a", "#0b62b3", "#c0341d"


@dataclass(frozen=True)
class Program:
    """What is drawn of one program.

    `angle` turns the library's angles into its own, `bins` the library's descriptors, `origin` the library's positions;
    `axes` names the first and the second axis to the right and downwards.
    """

    title: str
    axes: tuple[str, str]
    angle: Callable[[_Array], _Array]
    bins: Callable[[_Array], _Array]
    origin: Callable[[_Array], _Array]
    size: str


def _same(values: _Array) -> _Array:
    return values


PROGRAMS = (
    Program("siftcli, VLFeat", ("x", "y"), _same, _same, _same, "σ; radians"),
    Program("Lowe .key, Bundler", ("2nd: column", "1st: row"), flip_angles, flip_bins, _same, "σ; radians"),
    Program("COLMAP", ("x", "y"), _same, flip_bins, corner_origin, "σ; radians"),
    Program("OpenCV (precise upscale)", ("x", "y"), _same, flip_bins, _same, "size 2σ; degrees"),
    Program("IPOL", ("2nd: column", "1st: row"), ipol_angles, ipol_bins, _same, "σ; radians"),
)


def _text(x: float, y: float, text: str, size: int = 12, color: str = _INK, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}">{text}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, color: str = _INK, arrow: bool = False) -> str:
    end = f' marker-end="url(#{"red" if color == _RED else "ink"})"' if arrow else ""
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{color}" stroke-width="1.5"{end}/>'


def _box(x: float, y: float, side: float) -> str:
    return f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="none" stroke="{_GREY}"/>'


def _pixels(left: float, top: float, program: Program) -> list[str]:
    """A corner of the image, its axes and the coordinates of the first pixel's centre."""
    side = 26
    out = [_box(left + side * i, top + side * j, side) for j in range(3) for i in range(5)]
    first = program.origin(np.zeros((1, 2)))[0]
    x0, y0 = (left + (0.5 - first[0]) * side, top + (0.5 - first[1]) * side)
    out += [
        _line(x0, y0, left + 5.8 * side, y0, arrow=True),
        _line(x0, y0, x0, top + 3.9 * side, arrow=True),
        _text(left + 5.8 * side, top - 7, program.axes[0], 12, _INK, "end"),
        _text(x0 + 8, top + 3.9 * side, program.axes[1], 12, _INK, "start"),
        f'<circle cx="{left + side / 2}" cy="{top + side / 2}" r="4" fill="{_BLUE}"/>',
        _text(left + side * 0.9, top + side * 1.45, f"({first[0]:g}, {first[1]:g})", 12, _BLUE, "start"),
    ]
    return out


def _library_angle(program: Program, own: float) -> float:
    """The library's angle that is `own` in the program: of the whole degrees, the nearest."""
    degrees = np.arange(-180, 180)
    theirs = program.angle(np.radians(degrees))
    error = np.abs((theirs - own + math.pi) % (2 * math.pi) - math.pi)
    return float(np.radians(degrees[np.argmin(error)]))


def _angles(x: float, y: float, program: Program) -> list[str]:
    """Where 0 and 90 degrees point."""
    radius, out = 52, []
    ends = []
    for own, label in ((0.0, "0"), (math.pi / 2, "90°")):
        angle = _library_angle(program, own)
        dx, dy = math.cos(angle), math.sin(angle)
        ends.append((x + 24 * dx, y + 24 * dy, angle))
        out.append(_line(x, y, x + radius * dx, y + radius * dy, _INK, arrow=True))
        out.append(_text(x + (radius + 14) * dx, y + (radius + 14) * dy + 4, label))
    (x1, y1, a1), (x2, y2, a2) = ends
    clockwise = (a2 - a1) % (2 * math.pi) < math.pi
    path = f"M {x1:.1f} {y1:.1f} A 24 24 0 0 {int(clockwise)} {x2:.1f} {y2:.1f}"
    out.append(f'<path d="{path}" fill="none" stroke="{_RED}" stroke-width="1.5" marker-end="url(#red)"/>')
    return out


def layout(program: Program) -> tuple[_Array, _Array]:
    """Where the library's [y][x][k] stands in the program: numbers of the cells, (4, 4), and of the bins, (8,)."""
    order = program.bins(np.arange(128)[None])[0]
    place = np.argsort(order).reshape(4, 4, 8)
    return place[:, :, 0] // 8, place[0, 0] % 8


def _descriptor(left: float, top: float, program: Program) -> list[str]:
    """The cells in the keypoint's frame, and the bins of one of them."""
    cells, bins = layout(program)
    side, out = 21, []
    for y in range(4):
        for x in range(4):
            out.append(_box(left + side * x, top + side * y, side))
            out.append(_text(left + side * (x + 0.5), top + side * (y + 0.5) + 4, str(cells[y, x]), 11, _BLUE))
    middle = top + 2 * side
    out.append(_line(left + 2 * side, middle, left + 4.7 * side, middle, _RED, arrow=True))
    cx, cy = left + 148, middle
    for k in range(8):
        dx, dy = math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)
        out.append(_line(cx, cy, cx + 24 * dx, cy + 24 * dy, _RED if k == 0 else _INK, arrow=True))
        out.append(_text(cx + 38 * dx, cy + 38 * dy + 4, str(bins[k]), 11, _BLUE))
    return out


def figure() -> str:
    """Return the figure as SVG."""
    markers = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path d="M 0 0 L 8 4 L 0 8 z" fill="{color}"/></marker>'
        for name, color in (("ink", _INK), ("red", _RED))
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        "<title>Axes, angles and descriptor layout of siftcli, VLFeat, Lowe, COLMAP, OpenCV and IPOL</title>",
        f"<defs>{markers}</defs>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    for i, program in enumerate(PROGRAMS):
        left = i * _PANEL + 26
        parts += [
            _text(left + 90, 28, program.title, 15),
            *_pixels(left, 80, program),
            *_angles(left + 70, 288, program),
            _text(left + 88, 322, program.size, 12, _INK, "start"),
            *_descriptor(left, 420, program),
        ]
    parts += [
        _text(26, 50, "The blue point is the centre of the first pixel; its coordinates below it.", 11, _GREY, "start"),
        _text(26, 212, "Where the angle points, and how it turns.", 11, _GREY, "start"),
        _text(
            26,
            395,
            "The descriptor in the frame of the keypoint, whose orientation is red: "
            "the order of its cells in the file, and of the eight bins of each cell.",
            11,
            _GREY,
            "start",
        ),
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"
