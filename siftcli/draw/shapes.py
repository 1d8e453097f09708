"""Shapes of frames: circles, arrows, squares and histograms, as segments in picture pixels.

All take the frames as centres (N, 2) and maps (N, 2, 2): an offset p along a frame's own axes is drawn at
``centre + map @ p``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["arrows", "ellipses", "grids", "joined", "rays", "squares", "ticks"]

_Array = npt.NDArray[np.float64]

_SIDES = 48
"""Number of sides of the polygon that approximates an ellipse."""
_HEAD = 0.28
"""Length of an arrow's head, as a share of the arrow's."""
_BIN = np.pi / 4 * np.arange(8)


def joined(centres: _Array, maps: _Array, points: npt.ArrayLike, pairs: npt.ArrayLike) -> _Array:
    """Return the segments between points that are given in the frames' own axes.

    Parameters
    ----------
    points : (K, 2) array
        The same for all frames.
    pairs : (S, 2) array of int
        Which points each segment joins.

    Returns
    -------
    (N, S, 4) float64
    """
    places = centres[:, None] + np.asarray(points, np.float64) @ maps.transpose(0, 2, 1)
    first, second = np.asarray(pairs).T
    return np.concatenate([places[:, first], places[:, second]], axis=2)


def ticks(centres: _Array, maps: _Array) -> _Array:
    """Return lines from the centre along the orientation, to 1: (N, 1, 4)."""
    return joined(centres, maps, [[0, 0], [1, 0]], [[0, 1]])


def arrows(centres: _Array, maps: _Array, head: float) -> _Array:
    """Return arrows from the centre along the orientation, to 1, with heads of at most `head` pixels: (N, 3, 4)."""
    along = maps[:, :, 0]
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    back = np.minimum(_HEAD, head / length) * along
    side = 0.55 * np.stack([-back[:, 1], back[:, 0]], axis=1)
    tip = centres + along
    ends = np.stack([centres, tip - back + side, tip - back - side], axis=1)
    return np.concatenate([ends, np.repeat(tip[:, None], 3, axis=1)], axis=2)


def squares(centres: _Array, maps: _Array) -> _Array:
    """Return squares of half side 1, and a line from the centre along the orientation: (N, 5, 4)."""
    corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    return joined(centres, maps, [*corners, [0, 0], [1, 0]], [[0, 1], [1, 2], [2, 3], [3, 0], [4, 5]])


def ellipses(centres: _Array, maps: _Array) -> _Array:
    """Return the images of the unit circle, as polygons: (N, 48, 4)."""
    angle = 2 * np.pi / _SIDES * np.arange(_SIDES)
    step = np.arange(_SIDES)
    return joined(centres, maps, np.stack([np.cos(angle), np.sin(angle)], 1), np.stack([step, (step + 1) % _SIDES], 1))


def grids(centres: _Array, maps: _Array) -> _Array:
    """Return the 4 x 4 cells of descriptors, of side 1: (N, 10, 4)."""
    lines = [[[i, -2], [i, 2]] for i in range(-2, 3)] + [[[-2, i], [2, i]] for i in range(-2, 3)]
    return joined(centres, maps, np.reshape(lines, (20, 2)), np.arange(20).reshape(10, 2))


def rays(centres: _Array, maps: _Array, descriptors: npt.NDArray[np.generic]) -> tuple[_Array, npt.NDArray[np.intp]]:
    """Return the orientation histograms of descriptors, a ray for each bin that is not empty.

    A descriptor's largest bin reaches 1/2, the border of its cell.

    Parameters
    ----------
    descriptors : (N, 128) array
        Laid out [y-bin][x-bin][orientation].

    Returns
    -------
    segments : (M, 4) float64
    which : (M,) intp
        The frame that each belongs to; ascending.
    """
    values = descriptors.reshape(-1, 4, 4, 8).astype(np.float64)
    largest = values.max(axis=(1, 2, 3), initial=0)
    which, row, column, angle = np.nonzero(values >= 0.02 * largest[:, None, None, None])
    drawn = largest[which] > 0
    which, row, column, angle = (v[drawn] for v in (which, row, column, angle))
    length = 0.5 * values[which, row, column, angle] / largest[which]
    cell = np.stack([column, row], axis=1) - 1.5
    tip = cell + length[:, None] * np.stack([np.cos(_BIN[angle]), np.sin(_BIN[angle])], axis=1)
    start, stop = (centres[which] + np.einsum("nij,nj->ni", maps[which], p) for p in (cell, tip))
    return np.concatenate([start, stop], axis=1), which
