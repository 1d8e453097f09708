"""The features of images, assembled in Lowe's order from the results of all batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..conventions import similarity_of
from ..features import Features, Float32, Index, Mask
from ..params import DescriptorParams
from .affine_shape import AffineFrames
from .keypoints import Keypoints
from .tiles import Tile

__all__ = ["DescribedKeypoints", "in_lowes_order"]


class DescribedKeypoints(NamedTuple):
    """Keypoints with orientations and descriptors, of any octaves and images.

    Attributes
    ----------
    order : (N, 5) int32
        Image, octave, level, and row and column of the extremum.
    pixel : (N, 2) int32
        Row and column of the last fit.
    frames : (N, 5) float32
        x, y and sigma in input pixels, orientation, response.
    descriptors : (N, 128) uint8 or float32, or None
    affine : (N, 2, 2) float32, or None
        Frames in input pixels.
    diverged : (N,) bool, or None
        See `affine_shape.affine_shapes`.
    """

    order: npt.NDArray[np.int32]
    pixel: npt.NDArray[np.int32]
    frames: Float32
    descriptors: npt.NDArray[np.uint8] | Float32 | None
    affine: Float32 | None = None
    diverged: Mask | None = None

    @classmethod
    def of(
        cls,
        tile: Tile,
        keypoints: Keypoints,
        angle: Float32,
        descriptors: npt.NDArray[np.uint8] | Float32 | None,
        frames: AffineFrames | None = None,
    ) -> DescribedKeypoints:
        """Return keypoints of a tile, in pixels of the input."""
        p, octave = keypoints, tile.regions.octave[keypoints.region]
        unit = np.exp2(octave).astype(np.float32)
        sigma, affine = p.sigma * unit, None
        if frames is not None:
            affine = np.ascontiguousarray((frames.affine * unit).transpose(2, 0, 1))
            sigma, angle = similarity_of(affine)
        return cls(
            order=np.array([tile.regions.image[p.region], octave, p.level, *p.detected_at.T], np.int32).T,
            pixel=np.array([p.row, p.column], np.int32).T,
            frames=np.array([p.x * unit, p.y * unit, sigma, angle, p.response]).T,
            descriptors=descriptors,
            affine=affine,
            diverged=None if frames is None else frames.diverged,
        )


def in_lowes_order(
    found: list[DescribedKeypoints], shape: tuple[int, ...], descriptor: DescriptorParams | None
) -> Iterator[Features]:
    """Yield the features of each image, in the reverse of the order octave, level, row, column, peak.

    Parameters
    ----------
    found : list of DescribedKeypoints
        Emptied: a large image has no room for them and the features at the same time.
    shape : (images, height, width)
    descriptor : DescriptorParams or None
    """
    order = np.concatenate([np.empty((0, 5), np.int32), *(part.order for part in found)])
    pixel = np.concatenate([np.empty((0, 2), np.int32), *(part.pixel for part in found)])
    image, octave = shape[0] - 1 - order[:, 0], order[:, 1] - order[:, 1].min(initial=0)
    keys, pixels = _keys(image, octave, *order[:, 2:].T), _keys(image, octave, *pixel.T)
    rank = np.argsort(keys, kind="stable")
    # Fits from extrema of two row tiles may end at one pixel: the first in order counts.
    rank = rank[_first_of_pixel(keys[rank], pixels[rank])][::-1]
    del pixel, pixels, keys, image, octave
    row = np.full(len(order), -1, np.intp)
    row[rank] = np.arange(len(rank))
    frames, order = np.empty((len(rank), 5), np.float32), order[rank]
    descriptors = None
    if descriptor is not None:
        descriptors = np.empty((len(rank), 128), np.float32 if descriptor.float_descriptors else np.uint8)
    affine = diverged = None
    if any(part.affine is not None for part in found):
        affine, diverged = np.empty((len(rank), 2, 2), np.float32), np.empty(len(rank), np.uint8)
    _scatter(found, row, frames, descriptors, affine, diverged)
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
            descriptors=None if descriptors is None else descriptors[one],
            image_size=(shape[2], shape[1]),
            affine=None if affine is None else affine[one],
            diverged=None if diverged is None else diverged[one],
        )


def _scatter(
    found: list[DescribedKeypoints],
    row: Index,
    frames: Float32,
    descriptors: npt.NDArray[np.uint8] | npt.NDArray[np.float32] | None,
    affine: Float32 | None,
    diverged: npt.NDArray[np.uint8] | None,
) -> None:
    """Move frames and descriptors to the rows that they have in the output; those of row -1 are dropped."""
    end = len(row)
    while found:
        part = found.pop()
        start = end - len(part.pixel)
        kept = np.flatnonzero(row[start:end] >= 0)
        to = row[start:end][kept]
        frames[to] = part.frames[kept]
        if descriptors is not None and part.descriptors is not None:
            descriptors[to] = part.descriptors[kept]
        if affine is not None and part.affine is not None:
            affine[to] = part.affine[kept]
        if diverged is not None and part.diverged is not None:
            diverged[to] = part.diverged[kept]
        end = start


def _keys(*columns: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return numbers that sort as the rows of these columns do, ten times as fast; no column is negative."""
    keys = columns[0].astype(np.int64)
    for column in columns[1:]:
        keys = keys * (int(column.max(initial=0)) + 1) + column
    return keys


def _first_of_pixel(keys: npt.NDArray[np.int64], pixel: npt.NDArray[np.int64]) -> Mask:
    """Tell which rows belong to the first extremum of their pixel; `keys` name the extrema, ascending."""
    by_pixel = np.argsort(pixel, kind="stable")
    pixel, keys = pixel[by_pixel], keys[by_pixel]
    begins = np.ones(len(pixel), np.bool_)
    np.not_equal(pixel[1:], pixel[:-1], out=begins[1:])
    out = np.empty(len(pixel), np.bool_)
    out[by_pixel] = keys == keys[begins][np.cumsum(begins) - 1]
    return out
