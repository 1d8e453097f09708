"""SIFT, as the sequence of its steps. [Lowe04]"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..features import Features, Float32, Image
from ..params import DescriptorParams, DetectorParams
from .descriptor import compute_descriptors, descriptor_reach, stored
from .extrema import find_extrema
from .localize import MOVES, Points, refine
from .orientation import assign_orientations, orientation_reach
from .processes import share
from .reduction import reduced
from .scale_space import ScaleSpace
from .scratch import Handed, hand_over
from .shares import Share
from .sheets import Sheet
from .teams import Team

__all__ = ["detect"]

_TOGETHER = 1 << 17
"""Pixels of all images that are done together, at most: the levels of more do not stay in the cache."""


def detect(
    images: Image, detector: DetectorParams, descriptor: DescriptorParams | None, threads: int = 1
) -> list[Features]:
    """Detect keypoints and, unless `descriptor` is None, describe them.

    Parameters
    ----------
    images : (N, H, W) uint8, uint16 or float32
        A stack of images of one size; float32 in [0, 1].
    detector : DetectorParams
    descriptor : DescriptorParams or None
    threads : int
        Workers that share the images, see `processes.share`; the features do not depend on it.

    Returns
    -------
    list of Features
        One for each image, in Lowe's order: coarse octaves first.
    """
    some = max(1, _TOGETHER * len(images) // max(1, images.size))
    if len(images) > some and threads == 1:  # several are started once, for all images
        stacks = (images[i : i + some] for i in range(0, len(images), some))
        return [features for stack in stacks for features in detect(stack, detector, descriptor)]
    images, reduction = reduced(images, detector.max_image_size)
    common = partial(_space, hand_over(images) if threads > 1 else images, detector, descriptor, threads)
    work = partial(_work, detector, descriptor)
    found = [part for parts in share(work, common, threads) for part in parts]
    return [reduction.outward(features) for features in _features(found, images.shape, descriptor)]


def _space(
    images: Image | Handed, detector: DetectorParams, descriptor: DescriptorParams | None, workers: int
) -> ScaleSpace:
    if isinstance(images, Handed):
        images = images.taken()
    return ScaleSpace(images, detector, _halo(detector, descriptor), workers)


def _work(detector: DetectorParams, descriptor: DescriptorParams | None, team: Team, space: ScaleSpace) -> list[_Found]:
    """Do what is one worker's: find the extrema of its sheets, and describe what it takes of those of all."""

    def located(sheet: Sheet, memory: int) -> tuple[Share, int]:
        points = refine(sheet, find_extrema(sheet, detector), detector)
        sheet.extrapolate(slice(1, -2))  # extrema are in no other levels
        return Share.of(sheet, memory, points, team.size)

    def small() -> tuple[Share, int]:
        return located(space.stack(), team.size)

    found = []
    for sheet, last in space.sheets_of(team.number):
        mine: tuple[Share | None, int] = (None, 0) if sheet is None else located(sheet, team.number)
        for any_share, block in team.divide(*mine, small if last else None):
            near = space.attached(any_share.memory, any_share.shape, any_share.table)
            points, group = any_share.block(block)
            index, angle = assign_orientations(near, points, detector)
            points, group = points.take(index), group[index]
            described = None
            if descriptor is not None:
                described = stored(compute_descriptors(near, points, angle, descriptor, group), descriptor)
            found.append(_Found.of(near, points, angle, described))
        team.meet()  # all sheets are done with
    return found


def _halo(detector: DetectorParams, descriptor: DescriptorParams | None) -> int:
    """Rows that are read above and below an extremum."""
    largest = detector.sigma_base * 2 ** (1 + 1.5 / detector.scales_per_octave)
    reach = orientation_reach(largest, detector)
    if descriptor is not None:
        reach = max(reach, descriptor_reach(largest, descriptor))
    return MOVES + 2 + math.ceil(reach) + 1


class _Found(NamedTuple):
    """What some points of a sheet gave; rows in the order of processing.

    Attributes
    ----------
    order : (N, 5) int32
        Image, octave, level, and row and column of the extremum.
    pixel : (N, 2) int32
        Row and column of the fit.
    frames : (N, 5) float32
        x, y, sigma, orientation, score.
    """

    order: npt.NDArray[np.int32]
    pixel: npt.NDArray[np.int32]
    frames: Float32
    descriptors: npt.NDArray[np.uint8] | Float32 | None

    @classmethod
    def of(
        cls, sheet: Sheet, points: Points, angle: Float32, descriptors: npt.NDArray[np.uint8] | Float32 | None
    ) -> _Found:
        octave = sheet.octave[points.region]
        unit = np.exp2(octave).astype(np.float32)
        return cls(
            order=np.array([sheet.image[points.region], octave, points.level, *points.scan.T], np.int32).T,
            pixel=np.array([points.row, points.column], np.int32).T,
            frames=np.array([points.x * unit, points.y * unit, points.sigma * unit, angle, points.score]).T,
            descriptors=descriptors,
        )


def _features(found: list[_Found], shape: tuple[int, ...], descriptor: DescriptorParams | None) -> Iterator[Features]:
    """Collect the features of each image, in the reverse of the order octave, level, row, column, peak.

    Empties `found`: of a large image, there is no room for all that was found and the features beside it.
    """
    order = np.concatenate([np.empty((0, 5), np.int32), *(part.order for part in found)])
    pixel = np.concatenate([np.empty((0, 2), np.int32), *(part.pixel for part in found)])
    image, octave = shape[0] - 1 - order[:, 0], order[:, 1] - order[:, 1].min(initial=0)
    keys, pixels = _keys(image, octave, *order[:, 2:].T), _keys(image, octave, *pixel.T)
    rank = np.argsort(keys, kind="stable")
    # Two bands may find the same pixel from extrema on either side: the first in order counts.
    rank = rank[_first_of_pixel(keys[rank], pixels[rank])][::-1]
    del pixel, pixels, keys, image, octave
    row = np.full(len(order), -1, np.intp)
    row[rank] = np.arange(len(rank))
    frames, order = np.empty((len(rank), 5), np.float32), order[rank]
    described = None
    if descriptor is not None:
        described = np.empty((len(rank), 128), np.float32 if descriptor.float_descriptors else np.uint8)
    end = len(row)
    while found:
        part = found.pop()
        start = end - len(part.pixel)
        kept = np.flatnonzero(row[start:end] >= 0)
        to = row[start:end][kept]
        frames[to] = part.frames[kept]
        if described is not None and part.descriptors is not None:
            described[to] = part.descriptors[kept]
        end = start
    xy, columns = np.ascontiguousarray(frames[:, :2]), np.ascontiguousarray(frames[:, 2:].T)
    octaves, levels = np.ascontiguousarray(order[:, 1:3].T, np.int16)
    ends = np.cumsum(np.bincount(order[:, 0], minlength=shape[0])).tolist()
    for start, end in pairwise([0, *ends]):
        one = slice(start, end)
        scales, orientations, scores = columns[:, one]
        yield Features(
            xy=xy[one],
            scales=scales,
            orientations=orientations,
            scores=scores,
            octaves=octaves[one],
            levels=levels[one],
            descriptors=None if described is None else described[one],
            image_size=(shape[2], shape[1]),
        )


def _keys(*columns: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return numbers, (N,), in the order of rows of columns, none below zero; numbers are sorted ten times as fast."""
    keys = columns[0].astype(np.int64)
    for column in columns[1:]:
        keys = keys * (int(column.max(initial=0)) + 1) + column
    return keys


def _first_of_pixel(keys: npt.NDArray[np.int64], pixel: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell which rows belong to the extremum that comes first for their pixel; `keys` number them, ascending."""
    by_pixel = np.argsort(pixel, kind="stable")
    pixel, keys = pixel[by_pixel], keys[by_pixel]
    begins = np.ones(len(pixel), np.bool_)
    np.not_equal(pixel[1:], pixel[:-1], out=begins[1:])
    out = np.empty(len(pixel), np.bool_)
    out[by_pixel] = keys == keys[begins][np.cumsum(begins) - 1]
    return out
