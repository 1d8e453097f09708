"""Where given frames lie in the scale space."""

from __future__ import annotations

import numpy as np

from ..features import Features
from ..params import DetectorParams
from .localize import Points
from .scale_space import Index, Sheet

__all__ = ["levels_of", "place"]


def levels_of(frames: Features, shapes: list[tuple[int, int, int]], detector: DetectorParams) -> tuple[Index, Index]:
    """Return octave and level of every frame: those of its detection, or the ones nearest in scale.

    Parameters
    ----------
    frames : Features
    shapes : list of (octave, height, width)
        Of the scale space.  Scales below or above it take its first or last octave.
    detector : DetectorParams

    Returns
    -------
    octave, level : (N,) intp
    """
    if frames.octaves is not None and frames.levels is not None:
        return frames.octaves.astype(np.intp), frames.levels.astype(np.intp)
    scales = detector.scales_per_octave
    step = np.rint(scales * np.log2(np.maximum(frames.scales, 1e-6) / detector.sigma_base)).astype(np.intp)
    octave: Index = (step - 1) // scales
    if shapes:
        octave = np.clip(octave, shapes[0][0], shapes[-1][0])
    return octave, np.clip(step - octave * scales, 0, scales + 2)


def place(sheet: Sheet, frames: Features, octave: Index, level: Index) -> tuple[Index, Points]:
    """Return which frames belong to a sheet of one image, and where they lie in it.

    They come in the order in which `detect` handles them, so that each meets the same arithmetic.
    """
    unit = np.exp2(-octave).astype(np.float32)
    x, y = frames.xy[:, 0] * unit, frames.xy[:, 1] * unit
    indices, regions = [], []
    for i in range(len(sheet.top)):
        # A band takes the frames of its rows; those beyond the image go to its first or last.
        row = np.clip(np.rint(y), 0, sheet.height[i] - 1) + sheet.top[i]
        here = np.flatnonzero((octave == sheet.octave[i]) & (row >= sheet.first) & (row < sheet.last))
        indices.append(here)
        regions.append(np.full(len(here), i))
    index, region = np.concatenate(indices), np.concatenate(regions)
    order = np.lexsort((-index, level[index]))
    index, region = index[order], region[order]
    row, column = np.rint(y[index]).astype(np.intp), np.rint(x[index]).astype(np.intp)
    points = Points(
        region=region,
        level=level[index],
        row=row,
        column=column,
        y=y[index],
        x=x[index],
        sigma=frames.scales[index] * unit[index],
        score=np.zeros(len(index), np.float32),
        scan=np.stack([row, column], axis=1),
    )
    return index, points
