"""Given frames: which of them can be described, their octave and level, and their place in a tile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import FrameError
from ..features import Features, Float64, Index, Mask
from ..params import DetectorParams
from .keypoints import Keypoints
from .octaves import Shape
from .tiles import Tile

__all__ = ["find_faults", "half_axes", "is_similarity", "largest_scale", "levels_of", "locate"]

SMALLEST = 1e-3
"""Sigma of the smallest frame, in pixels; the image has no information at smaller scales."""
_ROUND = 1e-3
"""Frames whose half axes differ by less than this share are similarities."""


def half_axes(frames: Features) -> Float64:
    """Return the half axes of frames in pixels, (2, N), the longer first: the singular values of their affine maps."""
    if frames.affine is None:
        return np.stack([frames.scales, frames.scales]).astype(np.float64)
    axes: Float64 = np.linalg.svd(frames.affine.astype(np.float64), compute_uv=False).T
    return axes


def is_similarity(frames: Features) -> Mask:
    """Tell which frames are a rotation and a scale, without stretch or reflection: (N,)."""
    if frames.affine is None:
        return np.ones(len(frames), np.bool_)
    longer, shorter = half_axes(frames)
    similar: Mask = (longer <= shorter * (1 + _ROUND)) & (np.linalg.det(frames.affine) > 0)
    return similar


def largest_scale(shapes: list[Shape], detector: DetectorParams) -> float:
    """Return the largest sigma that is nearest to the last level of a pyramid; 0 if there is no octave."""
    if not shapes:
        return 0.0
    last_level = detector.scales_per_octave + 2.5
    return float(detector.sigma_base * 2.0 ** (shapes[-1][0] + last_level / detector.scales_per_octave))


def find_faults(
    frames: Features, size: tuple[int, int], largest: float, *, as_detected: bool = False
) -> list[FrameError]:
    """Find the frames that cannot be described.

    Parameters
    ----------
    frames : Features
    size : (width, height)
        Size of the image.
    largest : float
        Largest sigma of a frame, in pixels; see `largest_scale`.
    as_detected : bool
        Compare the shorter half axis with it, not the longer one, which the detection of affine shape lengthens.

    Returns
    -------
    list of FrameError
        One with the reason for each such frame, in their order.
    """
    numbers = [frames.xy, frames.scales, frames.orientations]
    numbers += [] if frames.affine is None else [frames.affine]
    finite = np.ones(len(frames), np.bool_)
    for values in numbers:
        finite &= np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    longer, shorter = np.zeros((2, len(frames)))
    if finite.any():
        longer[finite], shorter[finite] = half_axes(frames.take(finite))
    sigma = shorter if as_detected else longer
    width, height = size
    x, y = np.where(finite, frames.xy.T, 0)
    # A frame's error has the first reason that applies.
    reasons: tuple[tuple[Mask, Callable[[int], str]], ...] = (
        (~finite, lambda i: "has a number that is not finite"),
        (shorter < SMALLEST, lambda i: f"has the scale {shorter[i]:g}; it must be at least {SMALLEST}"),
        (
            (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5),
            lambda i: f"lies at ({x[i]:g}, {y[i]:g}), outside the image of {width} x {height} pixels",
        ),
        (np.full(len(frames), largest == 0), lambda i: "cannot be described: the image is too small for any octave"),
        (
            sigma > largest,
            lambda i: f"has the scale {sigma[i]:g}, too large for the scale space, which ends at {largest:.4g}",
        ),
    )
    faults: dict[int, FrameError] = {}
    for bad, why in reasons:
        for i in np.flatnonzero(bad).tolist():
            faults.setdefault(i, FrameError(i, why(i)))
    return [fault for _, fault in sorted(faults.items())]


def levels_of(frames: Features, shapes: list[Shape], detector: DetectorParams) -> tuple[Index, Index]:
    """Return octave and level of every frame.

    They are those of the detection, if the frame has them, the pyramid has the octave, and the scale is one that a
    keypoint of that level may have.  Otherwise they are the nearest in scale; for a frame that is not a similarity, the
    last level that is no wider than its shorter half axis.  Frames smaller than the first level get the first level.

    Parameters
    ----------
    frames : Features
        Without faults.
    shapes : list of (octave, height, width)
        Shapes of the pyramid.
    detector : DetectorParams

    Returns
    -------
    octave, level : (N,) intp
    """
    scales = detector.scales_per_octave
    _, shorter = half_axes(frames)
    height = scales * np.log2(shorter / detector.sigma_base)  # above level 0 of octave 0, in levels
    step = np.where(is_similarity(frames), np.rint(height), np.floor(height + _ROUND)).astype(np.intp)
    octave: Index = (step - 1) // scales
    if shapes:
        octave = np.clip(octave, shapes[0][0], shapes[-1][0])
    level: Index = np.clip(step - octave * scales, 0, scales + 2)
    if frames.octaves is None or frames.levels is None or not shapes:
        return octave, level
    found = frames.octaves.astype(np.intp), frames.levels.astype(np.intp)
    known = (found[0] >= shapes[0][0]) & (found[0] <= shapes[-1][0]) & (found[1] >= 0) & (found[1] <= scales + 2)
    known &= np.abs(height - found[0] * scales - found[1]) <= 1.5 + _ROUND
    known &= is_similarity(frames) | detector.affine_shape
    return np.where(known, found[0], octave), np.where(known, found[1], level)


def locate(tile: Tile, frames: Features, octave: Index, level: Index) -> tuple[Index, Keypoints]:
    """Return the indices of the frames that belong to a tile of one image, and the frames as keypoints of the tile.

    They are in the order of `detect`, so that each is subject to the same rounding.
    """
    regions = tile.regions
    unit = np.exp2(-octave).astype(np.float32)
    x, y = frames.xy[:, 0] * unit, frames.xy[:, 1] * unit
    indices, places = [], []
    for i in range(len(regions.top)):
        # A row tile has the frames of its core rows; those beyond the image belong to the first or last tile.
        row = np.clip(np.rint(y), 0, regions.height[i] - 1) + regions.top[i]
        here = np.flatnonzero((octave == regions.octave[i]) & (row >= tile.core_start) & (row < tile.core_stop))
        indices.append(here)
        places.append(np.full(len(here), i))
    index, region = np.concatenate(indices), np.concatenate(places)
    order = np.lexsort((-index, level[index]))
    index, region = index[order], region[order]
    row, column = np.rint(y[index]).astype(np.intp), np.rint(x[index]).astype(np.intp)
    keypoints = Keypoints(
        region=region,
        level=level[index],
        row=row,
        column=column,
        y=y[index],
        x=x[index],
        sigma=frames.scales[index] * unit[index],
        response=np.zeros(len(index), np.float32),
        detected_at=np.stack([row, column], axis=1),
    )
    return index, keypoints
