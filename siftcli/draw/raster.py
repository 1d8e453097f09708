"""Anti-aliased line work on pixels, by exact distances.

What colour a pixel gets depends only on how far its centre is from the nearest stroke.  So strokes are not painted
one over the other: each leaves, in the pixels near it, how close its edge is, and the closest one stays, or of those
that cover the pixel the last.  One pass at the end turns closeness into halo and colour.  That is one ``maximum`` per
pixel and stroke, whatever their number and order.

Closeness is a byte.  Its upper part, from `_EDGE`, is the share of the pixel that the stroke covers: all of it where
the stroke's edge is half a pixel away, none where it is so on the other side.  Below that, the halo fades out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..features import Float32
from .color import Colors
from .palette import HALO

__all__ = ["Canvas"]

Index = npt.NDArray[np.intp]
_Floats = npt.NDArray[np.floating]

_CHUNK = 1 << 15
"""Pixels worked on at a time, to stay in the cache."""
_PIECE = 6.0
"""Segments are cut into pieces of at most this many pixels, so that the squares around them are mostly line."""
_SMALL = 12.0
"""Circles of a larger radius become polygons, for the same reason; in widths of what is drawn beside the rim."""
_SAGITTA = 0.04
"""By how many pixels these polygons may miss the circle."""
_SIDES = 1 << 14
"""Most sides of such a polygon: enough for a radius of two million pixels."""
_SIZES = np.array([*range(6, 12), *range(12, 24, 2), *range(24, 48, 4), *range(48, 96, 8), *range(96, 256, 16)])
"""Squares of pixels are cut in a few sizes."""
_BLOCK = 1 << 18
"""Pixels coloured at a time."""
_EDGE = 192
"""Closeness of a pixel beside a stroke."""
_FADE = 1.5
"""Halos fade out over their outer 1 / 1.5."""


class Canvas:
    """Strokes that are collected, and then laid over a picture.

    Parameters
    ----------
    width, height : int
        Size of the picture, in pixels.
    strokes : int
        Strokes are numbered from 0 to ``strokes - 1``; of those that cover a pixel, the last shows.
    """

    def __init__(self, width: int, height: int, strokes: int) -> None:
        self._width, self._height = width, height
        # Closeness in the upper eight bits, the stroke's number below.
        dtype = np.uint32 if strokes <= 1 << 24 else np.uint64
        self._shift = dtype(dtype().itemsize * 8 - 8)
        self._keys: npt.NDArray[Any] = np.zeros(width * height, dtype)

    def circles(self, circles: _Floats, width: _Floats, halo: _Floats, number: Index) -> None:
        """Add circles; those of radius 0 are dots as wide as the line.

        Parameters
        ----------
        circles : (N, 3) array
            x, y and radius, in pixels.
        width, halo : (N,) array
            Width of the line, and of the dark rim on each side of it, in pixels.
        number : (N,) intp
            Number of the stroke that each belongs to.
        """
        edge, rim = _edges(width, halo)
        big = circles[:, 2] > _SMALL * (edge + rim)
        if big.any():
            ends, which = _polygons(circles[big])
            self.segments(ends, width[big][which], halo[big][which], number[big][which])
            circles, edge, rim, number = circles[~big], edge[~big], rim[~big], number[~big]
        x, y, radius = circles.astype(np.float32).T
        for part, columns, rows in self._squares(circles[:, :2], circles[:, :2], radius + edge + rim):
            dx, dy = columns - x[part, None], rows - y[part, None]
            distance: Float32 = (dx * dx)[:, None, :] + (dy * dy)[:, :, None]
            np.sqrt(distance, out=distance)
            distance -= radius[part, None, None]
            np.abs(distance, out=distance)
            self._leave(distance, edge[part], rim[part], number[part], columns, rows)

    def segments(self, ends: _Floats, width: _Floats, halo: _Floats, number: Index) -> None:
        """Add straight lines with round ends.

        Parameters
        ----------
        ends : (N, 4) array
            x and y of one end, then of the other, in pixels.
        width, halo : (N,) array
            Width of the line, and of the dark rim on each side of it, in pixels.
        number : (N,) intp
            Number of the stroke that each belongs to.
        """
        edge, rim = _edges(width, halo)
        ends, seen = self._clipped(ends.astype(np.float64), edge + rim)
        ends, which = _pieces(ends)
        which = seen[which]
        edge, rim, number = edge[which], rim[which], number[which]
        middle: Float32 = (ends[:, :2] / 2 + ends[:, 2:] / 2).astype(np.float32)
        along: Float32 = (ends[:, 2:] - ends[:, :2]).astype(np.float32)
        length = np.hypot(along[:, 0], along[:, 1])
        along /= np.maximum(length, np.float32(1e-9))[:, None]
        along[length == 0] = 1, 0  # a dot
        half = length / 2
        low, high = np.minimum(ends[:, :2], ends[:, 2:]), np.maximum(ends[:, :2], ends[:, 2:])
        for part, columns, rows in self._squares(low, high, edge + rim):
            dx, dy = columns - middle[part, :1], rows - middle[part, 1:]
            ux, uy = along[part, :1], along[part, 1:]
            beyond = (dx * ux)[:, None, :] + (dy * uy)[:, :, None]
            beyond = np.abs(beyond, out=beyond)
            beyond -= half[part, None, None]
            np.maximum(beyond, 0, out=beyond)
            beyond *= beyond
            distance: Float32 = (dy * ux)[:, :, None] - (dx * uy)[:, None, :]
            distance *= distance
            distance += beyond
            np.sqrt(distance, out=distance)
            self._leave(distance, edge[part], rim[part], number[part], columns, rows)

    def _clipped(self, ends: _Floats, reach: Float32) -> tuple[_Floats, Index]:
        """Cut off what segments have outside the picture: their ends, (M, 4), and which segment each is a part of."""
        start, along = ends[:, :2], ends[:, 2:] - ends[:, :2]
        low, high = -reach[:, None] - 1, np.array([self._width, self._height]) + reach[:, None]
        still = along == 0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            first, second = (low - start) / along, (high - start) / along
            enter = np.where(still, -np.inf, np.minimum(first, second)).max(axis=1).clip(0)
            leave = np.where(still, np.inf, np.maximum(first, second)).min(axis=1).clip(None, 1)
        inside = (~still | ((start >= low) & (start <= high))).all(axis=1)
        seen = np.flatnonzero(inside & (enter <= leave) & np.isfinite(ends).all(axis=1))
        begin, end = (start[seen] + t[seen, None] * along[seen] for t in (enter, leave))
        return np.concatenate([begin, end], axis=1), seen

    def _squares(self, low: _Floats, high: _Floats, reach: Float32) -> Iterator[tuple[Index, Float32, Float32]]:
        """Cut squares of pixels that hold what lies between two corners, and `reach` around it.

        Yields
        ------
        part : (n,) intp
            Which ones.
        columns, rows : (n, size) float32
            Pixels of their squares.  At the picture's edge the last one is repeated.
        """
        last = np.array([self._width - 1, self._height - 1])
        start = np.maximum(np.floor(low - reach[:, None]), 0)
        stop = np.minimum(np.ceil(high + reach[:, None]), last)
        size = (stop - start).max(axis=1, initial=0) + 1
        shown = np.flatnonzero((stop >= start).all(axis=1))
        start = start.astype(np.float32)
        largest = size[shown].max(initial=0)
        sizes = np.append(_SIZES[largest > _SIZES], largest)
        kind = np.searchsorted(sizes, size[shown])
        for k, side in enumerate(sizes.astype(int).tolist()):
            members = shown[kind == k]
            step = max(1, _CHUNK // (side * side or 1))
            reach_of = np.arange(side, dtype=np.float32)
            for begin in range(0, len(members), step):
                part = members[begin : begin + step]
                columns = np.minimum(start[part, :1] + reach_of, np.float32(last[0]))
                rows = np.minimum(start[part, 1:] + reach_of, np.float32(last[1]))
                yield part, columns, rows

    def _leave(
        self, distance: Float32, edge: Float32, rim: Float32, number: Index, columns: Float32, rows: Float32
    ) -> None:
        """Leave the closeness of pixels at these distances from the middle of strokes; `distance` is overwritten."""
        np.subtract(edge[:, None, None], distance, out=distance)
        covered = np.clip(distance, 0, 1)
        covered *= np.float32(255 - _EDGE)
        distance *= (np.float32(_EDGE) / rim)[:, None, None]
        distance += np.float32(_EDGE)
        np.clip(distance, 0, _EDGE, out=distance)
        distance += covered
        distance += np.float32(0.5)  # rounds to the nearest
        keys = distance.astype(self._keys.dtype)
        keys <<= self._shift
        keys |= number.astype(keys.dtype)[:, None, None]
        where = (rows.astype(np.intp) * self._width)[:, :, None] + columns.astype(np.intp)[:, None, :]
        near = np.flatnonzero(distance >= 1)
        np.maximum.at(self._keys, where.reshape(-1)[near], keys.reshape(-1)[near])

    def over(self, picture: npt.NDArray[np.uint8], colors: Colors, opacity: Float32, shade: float) -> None:
        """Lay the strokes over a picture, in place.

        Parameters
        ----------
        picture : (height, width, 3 or 4) uint8
            RGB, or RGBA where strokes make the picture opaque.
        colors : (strokes, 3) uint8
            Colour of each stroke.
        opacity : (strokes,) float32
            Opacity of each stroke, 0 to 1.
        shade : float
            Opacity of halos, relative to that of their strokes.
        """
        samples, channels = picture.reshape(-1), picture.shape[2]
        inks = np.full((len(colors), channels), 255, np.uint8)
        inks[:, :3] = colors
        closeness = np.arange(256)
        core = ((closeness - _EDGE) / (255 - _EDGE)).clip(0, 1).astype(np.float32)
        halo = (shade * (_FADE * closeness / _EDGE).clip(0, 1)).astype(np.float32)
        number = self._keys.dtype.type((1 << int(self._shift)) - 1)
        for start in range(0, len(self._keys), _BLOCK):
            keys = self._keys[start : start + _BLOCK]
            touched = np.flatnonzero(keys)
            keys = keys[touched]
            near, which = (keys >> self._shift).astype(np.intp), (keys & number).astype(np.intp)
            touched += start
            touched *= channels
            covered, dark = core[near] * opacity[which], halo[near] * opacity[which]
            kept = (1 - dark) * (1 - covered)  # over the picture the halo, and over both the stroke
            dark *= 1 - covered
            for channel, shadow in zip(range(channels), (*HALO, 255), strict=False):
                mixed = samples[touched] * kept
                mixed += inks[which, channel] * covered
                mixed += dark * np.float32(shadow) + np.float32(0.5)
                samples[touched] = mixed.astype(np.uint8)
                touched += 1


def _edges(width: _Floats, halo: _Floats) -> tuple[Float32, Float32]:
    """Return how far from the middle of a line its coverage ends, and how much further its halo does."""
    half: Float32 = width.astype(np.float32) / np.float32(2)
    return half + np.float32(0.5), np.maximum(halo, 1e-3).astype(np.float32)


def _polygons(circles: _Floats) -> tuple[_Floats, Index]:
    """Turn circles into segments: their ends, (M, 4), and the circle that each belongs to."""
    sides = np.minimum(np.ceil(np.pi / np.sqrt(2 * _SAGITTA / circles[:, 2])), _SIDES).astype(np.intp)
    which = np.repeat(np.arange(len(circles)), sides)
    step = np.arange(len(which)) - np.repeat(np.cumsum(sides) - sides, sides)
    x, y, radius = circles[which].T
    first, second = (2 * np.pi * (step + i) / sides[which] for i in (0, 1))
    ends = [x + radius * np.cos(first), y + radius * np.sin(first)]
    ends += [x + radius * np.cos(second), y + radius * np.sin(second)]
    return np.stack(ends, axis=1), which


def _pieces(ends: _Floats) -> tuple[_Floats, Index]:
    """Cut segments into equal pieces: their ends, (M, 4), and the segment that each belongs to."""
    length = np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
    count = np.maximum(np.ceil(length / _PIECE), 1).astype(np.intp)
    which = np.repeat(np.arange(len(ends)), count)
    step = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    share = (step / count[which])[:, None], ((step + 1) / count[which])[:, None]
    whole = ends[which]
    along = whole[:, 2:] - whole[:, :2]
    return np.concatenate([whole[:, :2] + share[0] * along, whole[:, :2] + share[1] * along], axis=1), which
