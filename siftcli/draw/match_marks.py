"""What matches look like."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..matches import Matches
from .color import Colors, sequential
from .legend import Bar, Entry, Key
from .palette import INLIER, OUTLIER
from .scene import Marks, halo_width

__all__ = ["best_first", "connected", "in_full", "match_colors", "residuals"]

_Array = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]
_Index = npt.NDArray[np.intp]

_SHARE = 0.3
"""Share of the picture that lines may cover."""
_RING, _DOT = 2.5, 2.0
"""Radius of the rings at the ends of lines, and diameter of dots that stand for what has no line, in line widths."""
_RINGS = 4 * np.pi * _RING
"""Length of both rings of a match, in line widths."""
_DASH, _GAP = 6.0, 5.0
"""Of outliers' lines, in line widths."""


def match_colors(matches: Matches) -> tuple[Colors, list[Entry]]:
    """Return a colour for each match, and the legend's entries: by verdict, or else by ratio."""
    if matches.inliers is not None:
        count = int(matches.inliers.sum())
        others = len(matches) - count
        keys: list[Entry] = [
            Key(INLIER, f"{count:,} inlier{'' if count == 1 else 's'}"),
            Key(OUTLIER, f"{others:,} outlier{'' if others == 1 else 's'}", "dashes"),
        ]
        return np.where(matches.inliers[:, None], np.array(INLIER), np.array(OUTLIER)).astype(np.uint8), keys
    if matches.ratios is None or not len(matches):
        return np.tile(np.array(INLIER, np.uint8), (len(matches), 1)), []
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


def in_full(start: _Array, stop: _Array, line: float, pixels: int) -> int:
    """Return how many of the first matches may be drawn as lines so that the picture stays legible; at least one."""
    ink = np.cumsum((np.hypot(*(stop - start).T) + _RINGS * line) * (line + halo_width(line)))
    return min(len(start), int(np.searchsorted(ink, _SHARE * pixels)) + 1)


# --- marks


def connected(
    matches: Matches, start: _Array, stop: _Array, colors: Colors, order: _Index, full: int, line: float
) -> list[Marks]:
    """Return lines with rings at their ends for the first `full` of `order`, and dots for the others."""
    rest, lines = order[full:], _outliers_first(matches, order[:full])
    dots = _dots(np.concatenate([start[rest], stop[rest]]), np.concatenate([colors[rest], colors[rest]]), line)
    radius = _RING * line
    rings = np.concatenate([start[lines], stop[lines]], axis=1).reshape(-1, 2)
    circles = np.concatenate([rings, np.full((len(rings), 1), radius)], axis=1)
    segments, which = _dashes(_shortened(start[lines], stop[lines], radius), _outlying(matches, lines), line)
    each = np.repeat(np.arange(len(lines)), 2)
    widths = np.full(len(lines), line)
    return [dots, Marks("match", colors[lines], widths, circles, each, segments, which)]


def residuals(matches: Matches, start: _Array, stop: _Array, colors: Colors, order: _Index, line: float) -> list[Marks]:
    """Return a dot where each match ends, and a line from where it begins."""
    order = _outliers_first(matches, order)
    segments, which = _dashes(np.concatenate([start, stop], axis=1)[order], _outlying(matches, order), line)
    none = np.empty((0, 3)), np.empty(0, np.intp)
    return [
        Marks("match", colors[order], np.full(len(order), line), *none, segments, which),
        _dots(stop[order], colors[order], line),
    ]


def _outliers_first(matches: Matches, index: _Index) -> _Index:
    """Put the inliers on top."""
    index = np.sort(index)
    return index if matches.inliers is None else index[np.argsort(matches.inliers[index], kind="stable")]


def _outlying(matches: Matches, index: _Index) -> _Bools:
    return np.zeros(len(index), bool) if matches.inliers is None else ~matches.inliers[index]


def _dots(xy: _Array, colors: Colors, line: float) -> Marks:
    circles = np.concatenate([xy, np.zeros((len(xy), 1))], axis=1)
    return Marks.of("point", colors, np.full(len(xy), _DOT * line), circles=circles)


def _shortened(start: _Array, stop: _Array, room: float) -> _Array:
    """Return segments, (N, 4), that leave room at both ends."""
    length = np.hypot(*(stop - start).T)[:, None]
    along = (stop - start) * (np.minimum(room, length / 2) / np.maximum(length, 1e-9))
    return np.concatenate([start + along, stop - along], axis=1)


def _dashes(ends: _Array, dashed: _Bools, line: float) -> tuple[_Array, _Index]:
    """Cut the segments that are to be dashed; they begin and end with a dash.

    Returns
    -------
    segments : (M, 4) float64
    which : (M,) intp
        The segment of `ends` that each belongs to; ascending.
    """
    run = ends[:, 2:] - ends[:, :2]
    count = np.where(dashed, np.ceil(np.hypot(*run.T) / ((_DASH + _GAP) * line)), 1).clip(1).astype(np.intp)
    which = np.repeat(np.arange(len(ends)), count)
    step = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    dash = np.where(dashed, _DASH / (_DASH + _GAP), 1.0)[which]
    first, last = ((step + end) / (count[which] - 1 + dash) for end in (0.0, dash))
    begin = ends[which, :2]
    return np.concatenate([begin + first[:, None] * run[which], begin + last[:, None] * run[which]], axis=1), which
