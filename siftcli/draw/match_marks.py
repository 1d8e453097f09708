"""Marks of matches."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..matches import Matches
from .color import Colors, sequential
from .legend import Bar, Entry
from .palette import INLIER, parse_color
from .scene import Marks, halo_width
from .style import MatchStyle

__all__ = ["best_first", "connected", "in_full", "match_colors", "residuals"]

_Array = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]
_Index = npt.NDArray[np.intp]

_SHARE = 0.3
"""Share of the picture that lines may cover."""
_APART = 6.0
"""Lines closer than this run together, in line widths."""
_TOGETHER = 0.6
"""Share of a line that may run along others before it becomes dots."""
_TURNS = 16
"""Number of directions, from 0 to 180 degrees, that are distinguished."""
_TRIED = 5000
"""Most matches that are considered for a line."""
_FADED = 0.45
"""Opacity of outliers, relative to inliers."""
_RING, _DOT = 2.5, 2.0
"""Radius of the rings at the ends of lines, and diameter of dots that stand for what has no line, in line widths."""
_RINGS = 4 * np.pi * _RING
"""Length of both rings of a match, in line widths."""
_DASH, _GAP = 6.0, 5.0
"""Dash and gap of the lines of outliers, in line widths."""


def match_colors(matches: Matches, style: MatchStyle) -> tuple[Colors, list[Entry]]:
    """Return a colour for each match, (M, 3), and the colour bar: by verdict, or else by ratio."""
    inlier = parse_color(style.line_color) if style.line_color else INLIER
    if matches.inliers is not None:
        outlier = parse_color(style.outlier_color)
        return np.where(matches.inliers[:, None], np.array(inlier), np.array(outlier)).astype(np.uint8), []
    if matches.ratios is None or style.line_color or not len(matches):
        return np.tile(np.array(inlier, np.uint8), (len(matches), 1)), []
    low, high = float(matches.ratios.min()), float(matches.ratios.max())
    shades = sequential(1 - (matches.ratios - low) / max(high - low, 1e-9))
    ticks = ((0.0, f"{high:.2f}"), (1.0, f"{low:.2f}")) if high > low else ((0.5, f"{low:.2f}"),)
    return shades, [Bar("ratio of distances", sequential(np.linspace(0, 1, 256)), ticks)]


# --- which


def best_first(matches: Matches, start: _Array, stop: _Array) -> _Index:
    """Order matches by ratio, inliers and outliers in proportion to their numbers; leave out those out of sight."""
    quality = next((v for v in (matches.ratios, matches.distances) if v is not None), None)
    order = np.arange(len(matches)) if quality is None else np.argsort(quality, kind="stable")
    rank = np.empty(len(matches))
    groups = [order] if matches.inliers is None else [order[matches.inliers[order]], order[~matches.inliers[order]]]
    for group in groups:
        rank[group] = (np.arange(len(group)) + 0.5) / max(1, len(group))
    order = np.argsort(rank, kind="stable")
    return order[np.isfinite(start[order]).all(axis=1) & np.isfinite(stop[order]).all(axis=1)]


def in_full(start: _Array, stop: _Array, line: float, size: tuple[int, int]) -> _Bools:
    """Tell which matches, best first, are drawn as lines so that no two run together and the picture stays legible.

    A coarse grid over the picture keeps, for each cell, the directions of the lines that pass through it.

    Parameters
    ----------
    start, stop : (M, 2) array
        In pixels of the picture.
    line : float
        Width of lines, in pixels.
    size : (width, height)
        Size of the picture, in pixels.

    Returns
    -------
    (M,) bool
        The first is always among them.
    """
    cell = _APART * line
    columns, rows = (int(side / cell) + 3 for side in size)
    passing = np.zeros(columns * rows, np.uint32)
    along = stop - start
    length = np.hypot(*along.T)
    turn = np.floor(np.arctan2(along[:, 1], along[:, 0]) / np.pi * _TURNS).astype(int) % _TURNS
    ink = (length + _RINGS * line) * (line + halo_width(line))
    left = _SHARE * size[0] * size[1]
    full = np.zeros(len(start), bool)

    def cells(i: int, shift: float) -> _Index:
        """Cells along a match, beside it by `shift` cells."""
        t = np.linspace(0, 1, max(2, math.ceil(2 * length[i] / cell)))[:, None]
        aside = shift * cell * np.array([-along[i, 1], along[i, 0]]) / max(length[i], 1e-9)
        places = ((start[i] + aside + t * along[i]) / cell).astype(np.intp) + 1
        return np.asarray(places[:, 1].clip(0, rows - 1) * columns + places[:, 0].clip(0, columns - 1))

    for i in range(min(len(start), _TRIED)):
        similar = sum(1 << (turn[i] + k) % _TURNS for k in (-1, 0, 1))
        if (passing[cells(i, 0)] & np.uint32(similar) > 0).mean() > _TOGETHER:
            continue
        left -= ink[i]
        if left < 0 and full.any():
            break
        full[i] = True
        for shift in (-0.5, 0.0, 0.5):
            passing[cells(i, shift)] |= np.uint32(1 << turn[i])
    return full


# --- marks


def connected(
    matches: Matches, start: _Array, stop: _Array, colors: Colors, lines: _Index, rest: _Index, line: float
) -> list[Marks]:
    """Return lines with rings at their ends for the matches `lines`, and dots for `rest`; outliers below inliers."""
    radius = _RING * line
    marks = []
    for index, outlying in _by_verdict(matches, rest):
        ends = np.concatenate([start[index], stop[index]])
        marks.append(_dots(ends, np.concatenate([colors[index], colors[index]]), line, outlying))
    for index, outlying in _by_verdict(matches, lines):
        rings = np.concatenate([start[index], stop[index]], axis=1).reshape(-1, 2)
        circles = np.concatenate([rings, np.full((len(rings), 1), radius)], axis=1)
        segments, which = _dashes(_shortened(start[index], stop[index], radius), outlying, line)
        each, widths = np.repeat(np.arange(len(index)), 2), np.full(len(index), line)
        opacity = _FADED if outlying else 1.0
        marks.append(Marks("match", colors[index], widths, circles, each, segments, which, opacity))
    return marks


def residuals(matches: Matches, start: _Array, stop: _Array, colors: Colors, order: _Index, line: float) -> list[Marks]:
    """Return a dot where each match ends, and a line from where it begins."""
    none = np.empty((0, 3)), np.empty(0, np.intp)
    lines, dots = [], []
    for index, outlying in _by_verdict(matches, order):
        segments, which = _dashes(np.concatenate([start, stop], axis=1)[index], outlying, line)
        widths, opacity = np.full(len(index), line), _FADED if outlying else 1.0
        lines.append(Marks("match", colors[index], widths, *none, segments, which, opacity))
        dots.append(_dots(stop[index], colors[index], line, outlying))
    return [*lines, *dots]


def _by_verdict(matches: Matches, index: _Index) -> list[tuple[_Index, bool]]:
    """Split matches into outliers and the others, which are drawn on top; (indices, whether outliers)."""
    index = np.sort(index)
    if matches.inliers is None:
        return [(index, False)]
    inlying = matches.inliers[index]
    return [(index[~inlying], True), (index[inlying], False)]


def _dots(xy: _Array, colors: Colors, line: float, outlying: bool) -> Marks:
    circles = np.concatenate([xy, np.zeros((len(xy), 1))], axis=1)
    marks = Marks.of("point", colors, np.full(len(xy), _DOT * line), circles=circles)
    return replace(marks, opacity=_FADED) if outlying else marks


def _shortened(start: _Array, stop: _Array, room: float) -> _Array:
    """Return segments, (N, 4), that leave room at both ends."""
    length = np.hypot(*(stop - start).T)[:, None]
    along = (stop - start) * (np.minimum(room, length / 2) / np.maximum(length, 1e-9))
    return np.concatenate([start + along, stop - along], axis=1)


def _dashes(ends: _Array, dashed: bool, line: float) -> tuple[_Array, _Index]:
    """Cut segments into dashes, where wanted; they begin and end with a dash.

    Returns
    -------
    segments : (M, 4) float64
    which : (M,) intp
        The segment of `ends` that each belongs to; ascending.
    """
    if not dashed:
        return ends, np.arange(len(ends))
    run = ends[:, 2:] - ends[:, :2]
    count = np.ceil(np.hypot(*run.T) / ((_DASH + _GAP) * line)).clip(1).astype(np.intp)
    which = np.repeat(np.arange(len(ends)), count)
    step = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    dash = _DASH / (_DASH + _GAP)
    first, last = ((step + end) / (count[which] - 1 + dash) for end in (0.0, dash))
    begin = ends[which, :2]
    return np.concatenate([begin + first[:, None] * run[which], begin + last[:, None] * run[which]], axis=1), which
