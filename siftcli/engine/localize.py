"""Sub-pixel and sub-scale position of extrema, by a quadratic in three dimensions. [Lowe04 §4; Brown & Lowe 2002]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..features import Float32
from ..params import DetectorParams
from .extrema import Extrema, dog_cubes, no_edge
from .octaves import Index
from .sheets import Sheet

__all__ = ["MOVES", "Points", "refine"]

MOVES = 5
"""Most moves of a fit, in pixels."""
_REACH = 1.5
"""Largest offset of a keypoint from the pixel of the last fit, where fits need not settle."""
_SIDES = np.array([[12, 10, 4], [14, 16, 22]])
"""In a cube of 27, the neighbours of the centre along x, y and s: those before and those after it."""
_CORNERS = np.array([[17, 23, 25], [15, 21, 19], [11, 5, 7], [9, 3, 1]])
"""In a cube of 27, those on the diagonals of x y, x s and y s."""


@dataclass(frozen=True, eq=False)
class Points:
    """Refined extrema of a sheet, as flat arrays of one length.

    Attributes
    ----------
    region : (N,) intp
    level : (N,) intp
        Scale s of detection.
    row, column : (N,) intp
        Octave pixel of the last fit.
    y, x : (N,) float32
        Position in octave pixels.
    sigma : (N,) float32
        In octave pixels.
    score : (N,) float32
        |DoG| at that position.
    scan : (N, 2) intp
        Row and column of the extremum that this point came from: its place in the order of processing.
    """

    region: Index
    level: Index
    row: Index
    column: Index
    y: Float32
    x: Float32
    sigma: Float32
    score: Float32
    scan: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.region)

    def take(self, index: Index | slice) -> Points:
        """The points of these indices."""
        return Points(**{name: getattr(self, name)[index] for name in self.__dataclass_fields__})


def refine(sheet: Sheet, extrema: Extrema, detector: DetectorParams) -> Points:
    """Fit a quadratic to every extremum and keep those of enough contrast.

    An offset of more than 0.6 pixels in x or y moves the fit one pixel that way, at most five times, never in scale;
    then the last fit counts.  Differs from [Lowe04 §4], which moves at 0.5 and in scale too, and drops what has not
    settled, because that loses 4 % of the correct matches (docs/accuracy.md); `refinement` "converged" does so.
    """
    converged, far = detector.refinement == "converged", detector.max_offset
    region, border, scales = extrema.region, detector.border, detector.scales_per_octave
    position = np.array([extrema.column, extrema.row, extrema.level])
    first = np.array([[border], [border], [1]])
    last = np.array([sheet.width[region] - border, sheet.height[region] - border, np.full(len(region), scales + 1)])
    offset = np.empty((len(region), 3))
    value = np.empty(len(region))
    came_from = np.full_like(position, -1)
    active = np.arange(len(region))
    for attempt in range(MOVES + 1):
        column, row, level = here = position[:, active]
        offset[active], value[active] = _fit(dog_cubes(sheet, sheet.flat(region[active], level, row, column)))
        if attempt == MOVES:
            break
        way = offset[active].T
        step = (way > far).astype(np.intp) - (way < -far)
        if not converged:
            step[2] = 0
        there = here + step
        step[(there < first) | (there >= last[:, active])] = 0
        if (MOVES - attempt) % 2 == 0:  # what goes back would go to and fro, and be here again after its last move
            step[:, (here + step == came_from[:, active]).all(axis=0)] = 0
        came_from[:, active] = here
        position[:, active] += step
        active = active[step.any(axis=0)]
        if not len(active):
            break
    column, row, level = position
    near = (np.abs(offset) <= (far if converged else _REACH)).all(axis=1)
    keep = np.flatnonzero(near & (np.abs(value) >= detector.dog_threshold))
    if border <= _REACH:  # a fit may end outside the image
        place = position[:2, keep] + offset[keep, :2].T
        keep = keep[((place >= 0) & (place <= last[:2, keep] + (border - 1))).all(axis=0)]
    if detector.refinement != "lowe":
        cubes = dog_cubes(sheet, sheet.flat(region[keep], level[keep], row[keep], column[keep]))
        keep = keep[no_edge(cubes[1], detector.edge_threshold)]
    # A pixel that already gave a keypoint gives no second; the first in the order level, row, column counts.
    _, kept = np.unique(sheet.flat(region[keep], 0, row[keep], column[keep]), return_index=True)
    keep = keep[np.sort(kept)]
    offset = offset[keep].astype(np.float32)
    s = (level[keep] + offset[:, 2]) / scales
    return Points(
        region=region[keep],
        level=level[keep],
        row=row[keep],
        column=column[keep],
        y=(row[keep] + offset[:, 1]).astype(np.float32),
        x=(column[keep] + offset[:, 0]).astype(np.float32),
        sigma=(detector.sigma_base * np.exp2(s)).astype(np.float32),
        score=np.abs(value[keep]).astype(np.float32),
        scan=np.stack([extrema.row[keep], extrema.column[keep]], axis=1),
    )


def _fit(cubes: Float32) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the stationary point (x, y, s) of the quadratic through each cube, relative to its centre, and its value.

    Parameters
    ----------
    cubes : (3, 3, 3, N) float32
        [level, row, column].
    """
    d = cubes.reshape(27, -1).astype(np.float64)
    c = d[13]
    before, after = d[_SIDES]  # for central differences
    gx, gy, gs = (after - before) / 2
    xx, yy, ss = after + before - 2 * c
    a, b, e, f = d[_CORNERS]
    xy, xs, ys = (a - b - e + f) / 4
    # Cramer's rule for H offset = -g.
    a, b, e = yy * ss - ys * ys, xs * ys - xy * ss, xy * ys - xs * yy
    f = xy * xs - xx * ys
    det = xx * a + xy * b + xs * e
    with np.errstate(divide="ignore", invalid="ignore"):
        ox = -(gx * a + gy * b + gs * e) / det
        oy = -(gx * b + gy * (xx * ss - xs * xs) + gs * f) / det
        os = -(gx * e + gy * f + gs * (xx * yy - xy * xy)) / det
        value = c + (gx * ox + gy * oy + gs * os) / 2
    offset = np.array([ox, oy, os]).T
    offset[np.isnan(offset)] = np.inf
    return offset, value
