"""Where given frames lie in the scale space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..errors import FrameError
from ..features import Features
from ..params import DetectorParams
from .localize import Points
from .octaves import Index
from .sheets import Sheet

__all__ = ["find_faults", "half_axes", "largest_scale", "levels_of", "place", "similar"]

Float64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Shapes = list[tuple[int, int, int]]
"""Octave, height and width of every octave."""

SMALLEST = 1e-3
"""Sigma of the smallest frame, in pixels: no image tells anything at such a scale."""
_ROUND = 1e-3
"""Frames whose half axes differ by less than this share are similarities."""


def half_axes(frames: Features) -> Float64:
    """Return the half axes of frames, (2, N), the longer first: the singular values of their affine maps, in pixels."""
    if frames.affine is None:
        return np.stack([frames.scales, frames.scales]).astype(np.float64)
    axes: Float64 = np.linalg.svd(frames.affine.astype(np.float64), compute_uv=False).T
    return axes


def similar(frames: Features) -> Mask:
    """Tell which frames are a rotation and a scale, (N,): no stretch, and no reflection."""
    if frames.affine is None:
        return np.ones(len(frames), np.bool_)
    longer, shorter = half_axes(frames)
    alike: Mask = (longer <= shorter * (1 + _ROUND)) & (np.linalg.det(frames.affine) > 0)
    return alike


def largest_scale(shapes: Shapes, detector: DetectorParams) -> float:
    """Return the largest sigma that the last level of a scale space is the nearest to; 0 if there is no octave."""
    if not shapes:
        return 0.0
    last_level = detector.scales_per_octave + 2.5
    return float(detector.sigma_base * 2.0 ** (shapes[-1][0] + last_level / detector.scales_per_octave))


def find_faults(frames: Features, size: tuple[int, int], largest: float) -> list[FrameError]:
    """Find the frames that cannot be described, and say why.

    Parameters
    ----------
    frames : Features
    size : (width, height)
        Of the image.
    largest : float
        Sigma of the largest frame that the scale space can hold, in pixels.

    Returns
    -------
    list of FrameError
        One for each such frame, in their order.
    """
    numbers = [frames.xy, frames.scales, frames.orientations]
    numbers += [] if frames.affine is None else [frames.affine]
    finite = np.ones(len(frames), np.bool_)
    for values in numbers:
        finite &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    longer, shorter = np.zeros((2, len(frames)))
    if finite.any():
        longer[finite], shorter[finite] = half_axes(frames.take(finite))
    width, height = size
    x, y = np.where(finite, frames.xy.T, 0)
    # The first reason that holds is told.
    reasons: tuple[tuple[Mask, Callable[[int], str]], ...] = (
        (~finite, lambda i: "has a number that is not finite"),
        (shorter < SMALLEST, lambda i: f"has the scale {shorter[i]:g}; it must be at least {SMALLEST}"),
        (
            (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5),
            lambda i: f"lies at ({x[i]:g}, {y[i]:g}), outside the image of {width} x {height} pixels",
        ),
        (np.full(len(frames), largest == 0), lambda i: "cannot be described: the image is too small for any octave"),
        (
            longer > largest,
            lambda i: f"has the scale {longer[i]:g}, too large for the scale space, which ends at {largest:.4g}",
        ),
    )
    faults: dict[int, FrameError] = {}
    for bad, why in reasons:
        for i in np.flatnonzero(bad).tolist():
            faults.setdefault(i, FrameError(i, why(i)))
    return [fault for _, fault in sorted(faults.items())]


def levels_of(frames: Features, shapes: Shapes, detector: DetectorParams) -> tuple[Index, Index]:
    """Return octave and level of every frame.

    Those of its detection, where they are known and can be: the octave is one of the scale space, and the scale is
    what a keypoint of that level may have.  Otherwise those nearest in scale; of a frame that is not a similarity, the
    last level that is no wider than its narrow side.  Smaller frames than the first level take that one.

    Parameters
    ----------
    frames : Features
        Without faults.
    shapes : list of (octave, height, width)
        Of the scale space.
    detector : DetectorParams

    Returns
    -------
    octave, level : (N,) intp
    """
    scales = detector.scales_per_octave
    _, shorter = half_axes(frames)
    height = scales * np.log2(shorter / detector.sigma_base)  # above level 0 of octave 0, in levels
    step = np.where(similar(frames), np.rint(height), np.floor(height + _ROUND)).astype(np.intp)
    octave: Index = (step - 1) // scales
    if shapes:
        octave = np.clip(octave, shapes[0][0], shapes[-1][0])
    level: Index = np.clip(step - octave * scales, 0, scales + 2)
    if frames.octaves is None or frames.levels is None or not shapes:
        return octave, level
    found = frames.octaves.astype(np.intp), frames.levels.astype(np.intp)
    known = (found[0] >= shapes[0][0]) & (found[0] <= shapes[-1][0]) & (found[1] >= 0) & (found[1] <= scales + 2)
    known &= (np.abs(height - found[0] * scales - found[1]) <= 1.5 + _ROUND) & similar(frames)
    return np.where(known, found[0], octave), np.where(known, found[1], level)


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
