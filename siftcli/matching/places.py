"""Which points of an image lie near given places, by a grid of cells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["points_within"]

Index = npt.NDArray[np.intp]


def points_within(
    centres: npt.NDArray[np.floating], points: npt.NDArray[np.floating], radius: float
) -> tuple[Index, Index]:
    """Find all pairs of a centre and a point that are at most `radius` apart.

    Parameters
    ----------
    centres : (Q, 2) float
        Pixels; those that are not finite have no point near them.
    points : (N, 2) float
        Pixels, finite.
    radius : float
        Pixels, above 0.

    Returns
    -------
    centre, point : (P,) intp
        The pairs, in no particular order.
    """
    none = np.empty(0, np.intp), np.empty(0, np.intp)
    if not len(centres) or not len(points):
        return none
    points = points.astype(np.float64)
    low = points.min(axis=0) - radius
    cells = np.floor((points - low) / radius).astype(np.intp) + 1  # the first column and row of cells is empty
    columns, rows = cells.max(axis=0) + 2
    place = (centres.astype(np.float64) - low) / radius
    inside = np.flatnonzero(((place > -1) & (place < [columns, rows])).all(axis=1))
    column, row = np.floor(place[inside]).astype(np.intp).T + 1
    key = cells[:, 1] * columns + cells[:, 0]
    order = np.argsort(key, kind="stable")
    key = key[order]
    # The three cells of a row that touch the centre's are neighbours in this order.
    found = []
    for step in (-1, 0, 1):
        middle = (row + step) * columns + column
        start, stop = np.searchsorted(key, middle - 1, "left"), np.searchsorted(key, middle + 1, "right")
        count = stop - start
        first = np.repeat(start - (np.cumsum(count) - count), count)
        found.append((np.repeat(inside, count), order[first + np.arange(len(first))]))
    centre, point = (np.concatenate(parts) for parts in zip(*found, strict=True))
    near = np.square(centres[centre].astype(np.float64) - points[point]).sum(axis=1) <= radius**2
    return centre[near], point[near]
