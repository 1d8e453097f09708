"""Choose the marks that are drawn, and those drawn in full, so that a picture stays legible."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["best", "uncrowded"]

_Floats = npt.NDArray[np.floating]
_Index = npt.NDArray[np.intp]


def best(strength: _Floats, count: int | None) -> _Index:
    """Return the indices of the `count` strongest, ascending; of equals, the first."""
    if count is None or count >= len(strength):
        return np.arange(len(strength))
    return np.sort(np.argsort(-strength, kind="stable")[:count])


def uncrowded(
    xy: _Floats, radius: _Floats, ink: _Floats, strength: _Floats, cell: float, share: float
) -> npt.NDArray[np.bool_]:
    """Return which marks may be drawn in full so that the picture does not get too dark anywhere.

    Marks that fit into a cell of the picture compete for the pixels of the cell that their centre is in.  Larger ones
    compete with those of about their size, up to twice the smallest, one for each square of the largest's diameter.

    Parameters
    ----------
    xy : (N, 2) array
        Centres of the marks, in pixels.
    radius : (N,) array
        Radius of the marks, in pixels.
    ink : (N,) array
        Pixels that each would cover.
    strength : (N,) array
        The strongest are served first.
    cell : float
        Side of a cell, in pixels.
    share : float
        Share of a cell's pixels that may be covered.

    Returns
    -------
    (N,) bool
        The strongest of a cell is always among them.
    """
    if not len(xy):
        return np.empty(0, bool)
    limit = share * cell * cell
    size = np.ceil(np.log2(np.maximum(2 * radius / cell, 1))).astype(np.int64)
    column, row = np.floor(xy / (cell * np.exp2(size))[:, None]).astype(np.int64).T
    order = np.lexsort((-strength, column, row, size))
    place = np.stack([size, row, column])[:, order]
    first = np.ones(len(order), bool)
    first[1:] = (place[:, 1:] != place[:, :-1]).any(axis=0)
    ink = np.where(place[0] > 0, limit, np.minimum(ink[order], limit))
    before = np.cumsum(ink) - ink
    before -= before[first][np.cumsum(first) - 1]  # pixels that stronger marks of the same cell cover
    full = np.empty(len(order), bool)
    full[order] = before + ink <= limit * (1 + 1e-9)
    return full
