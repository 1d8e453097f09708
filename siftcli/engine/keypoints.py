"""Keypoints: position and scale of extrema, from a quadratic in three dimensions. [Lowe04 §4; Brown & Lowe 2002]"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..features import Float32, Float64, Index
from ..params import DetectorParams
from .extrema import Extrema, dog_cubes, passes_edge_test
from .tiles import Tile
from .tuning import TUNING

__all__ = ["MAX_MOVES", "Keypoints", "batches", "refine"]

MAX_MOVES = 5
"""Most moves of a fit, in pixels."""
_MAX_OFFSET = 1.5
"""Largest offset of a keypoint from the pixel of the last fit, where fits need not converge."""
_SIDES = np.array([[12, 10, 4], [14, 16, 22]])
"""In a cube of 27, the neighbours of the centre along x, y and s: those before it and those behind it."""
_CORNERS = np.array([[17, 23, 25], [15, 21, 19], [11, 5, 7], [9, 3, 1]])
"""In a cube of 27, the neighbours on the diagonals of x y, x s and y s."""


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Keypoints of a tile without orientations, as flat arrays of one length.

    Attributes
    ----------
    region : (N,) intp
        Region of the tile.
    level : (N,) intp
        DoG level of detection.
    row, column : (N,) intp
        Octave pixel of the last fit.
    y, x : (N,) float32
        Position in octave pixels.
    sigma : (N,) float32
        In octave pixels.
    response : (N,) float32
        |DoG| at that position.
    detected_at : (N, 2) intp
        Row and column of the extremum, which decide on the order of processing.
    """

    region: Index
    level: Index
    row: Index
    column: Index
    y: Float32
    x: Float32
    sigma: Float32
    response: Float32
    detected_at: Index

    def __len__(self) -> int:
        return len(self.region)

    def take(self, index: Index | slice) -> Keypoints:
        """Return the keypoints of these indices."""
        return Keypoints(**{name: getattr(self, name)[index] for name in self.__dataclass_fields__})


def refine(tile: Tile, extrema: Extrema, detector: DetectorParams) -> Keypoints:
    """Fit a quadratic to every extremum, and keep the fits of enough contrast.

    Where the offset in x or y exceeds 0.6 pixels, the fit moves one pixel that way, at most five times, and never in
    scale; the last fit counts.  Differs from [Lowe04 §4], which moves at 0.5, in scale too, and drops fits that do not
    converge, because that loses 4 % of the correct matches (docs/accuracy.md); `refinement` "converged" follows it.
    """
    converge, far = detector.refinement == "converged", detector.max_offset
    region, border, scales = extrema.region, detector.border, detector.scales_per_octave
    height, width = tile.regions.height[region], tile.regions.width[region]
    position = np.array([extrema.column, extrema.row, extrema.level])
    first = np.array([[border], [border], [1]])
    last = np.array([width - border, height - border, np.full(len(region), scales + 1)])
    offset = np.empty((len(region), 3))
    value = np.empty(len(region))
    came_from = np.full_like(position, -1)
    active = np.arange(len(region))
    for attempt in range(MAX_MOVES + 1):
        column, row, level = here = position[:, active]
        offset[active], value[active] = _fit(dog_cubes(tile, tile.flat(region[active], level, row, column)))
        if attempt == MAX_MOVES:
            break
        direction = offset[active].T
        step = (direction > far).astype(np.intp) - (direction < -far)
        if not converge:
            step[2] = 0
        there = here + step
        step[(there < first) | (there >= last[:, active])] = 0
        if (MAX_MOVES - attempt) % 2 == 0:  # back and forth, an even number of moves would end at this pixel again
            step[:, (here + step == came_from[:, active]).all(axis=0)] = 0
        came_from[:, active] = here
        position[:, active] += step
        active = active[step.any(axis=0)]
        if not len(active):
            break
    column, row, level = position
    near = (np.abs(offset) <= (far if converge else _MAX_OFFSET)).all(axis=1)
    keep = np.flatnonzero(near & (np.abs(value) >= detector.dog_threshold))
    if border <= _MAX_OFFSET:  # a fit may end outside the image
        place = position[:2, keep] + offset[keep, :2].T
        keep = keep[((place >= 0) & (place <= last[:2, keep] + (border - 1))).all(axis=0)]
    if detector.refinement != "lowe":
        cubes = dog_cubes(tile, tile.flat(region[keep], level[keep], row[keep], column[keep]))
        keep = keep[passes_edge_test(cubes[1], detector.edge_threshold)]
    # A pixel gives one keypoint: the first in the order level, row, column.
    _, kept = np.unique(tile.flat(region[keep], 0, row[keep], column[keep]), return_index=True)
    keep = keep[np.sort(kept)]
    offset = offset[keep].astype(np.float32)
    s = (level[keep] + offset[:, 2]) / scales
    return Keypoints(
        region=region[keep],
        level=level[keep],
        row=row[keep],
        column=column[keep],
        y=(row[keep] + offset[:, 1]).astype(np.float32),
        x=(column[keep] + offset[:, 0]).astype(np.float32),
        sigma=(detector.sigma_base * np.exp2(s)).astype(np.float32),
        response=np.abs(value[keep]).astype(np.float32),
        detected_at=np.stack([extrema.row[keep], extrema.column[keep]], axis=1),
    )


def _fit(cubes: Float32) -> tuple[Float64, Float64]:
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


def batches(keypoints: Keypoints, tile: Tile) -> Iterator[Keypoints]:
    """Divide keypoints into batches of at most `Tuning.batch_size` that are described together.

    A batch has keypoints of several images, or a part of the keypoints of one image.  How those of an image are divided
    depends on their number alone, and so does the rounding of matrix products: not on the number of workers, nor on the
    other images.
    """
    limit = TUNING.batch_size
    image = tile.regions.image[keypoints.region]
    order, counts = np.argsort(image, kind="stable"), np.bincount(image)
    start = stop = 0
    for count in counts.tolist():
        if stop - start + count > limit and stop > start:
            yield keypoints.take(order[start:stop])
            start = stop
        if count > limit:
            parts = -(-count // limit)
            for i in range(parts):
                yield keypoints.take(order[stop + count * i // parts : stop + count * (i + 1) // parts])
            start = stop + count
        stop += count
    if stop > start:
        yield keypoints.take(order[start:stop])
