"""Descriptors of given frames, and their orientations on request. [VLFeat's page]"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..conventions import affine_of, similarity_of
from ..errors import FrameError
from ..features import Features, Float32, Image, Index
from ..params import DescriptorParams, DetectorParams
from .affine import affine_descriptors, affine_orientations, affine_radius
from .descriptor import compute_descriptors, descriptor_radius, quantised
from .frames import find_faults, half_axes, is_similarity, largest_scale, levels_of, locate
from .grid_samples import ROWS
from .keypoints import MAX_MOVES, Keypoints
from .octaves import Shape, octave_shapes
from .orientation import assign_orientations, orientation_radius
from .pyramid import Pyramid
from .resize import limit_size, limited_size
from .tiles import Tile

__all__ = ["describe", "find_faults_in"]


def describe(
    images: Image,
    frames: Features,
    detector: DetectorParams,
    descriptor: DescriptorParams,
    *,
    assign: bool = False,
    skip: bool = False,
) -> Features:
    """Compute the descriptors of given frames of one image.

    Parameters
    ----------
    images : (1, H, W) uint8, uint16 or float32
    frames : Features
        Their order is kept.
    detector : DetectorParams
        For the pyramid, and for orientations.
    descriptor : DescriptorParams
    assign : bool
        Estimate orientations.  A frame is repeated for each of its orientations, and keeps its own if it has none.
    skip : bool
        Give frames that cannot be described descriptors of zeros, instead of raising an error.

    Returns
    -------
    Features
        The frames with descriptors; with `sources` if orientations were assigned.

    Raises
    ------
    FrameError
        For the first frame that cannot be described; see `find_faults`.
    """
    size = images.shape[2], images.shape[1]
    faults = find_faults_in(images, frames, detector)
    images, resize = limit_size(images, detector.max_image_size)
    shapes = octave_shapes(images.shape[1], images.shape[2], detector)
    if faults and not skip:
        raise faults[0]
    bad = np.array([fault.index for fault in faults], np.intp)
    good = np.setdiff1d(np.arange(len(frames)), bad)
    inner = resize.to_resized(frames.take(good))
    octave, level = levels_of(inner, shapes, detector)

    parts = [(bad, frames.orientations[bad], quantised(np.zeros((len(bad), 128), np.float32), descriptor))]
    for tile in Pyramid.of(images, detector, _halo(inner, octave, shapes, detector, descriptor)).tiles():
        tile.extrapolate_borders()
        index, keypoints = locate(tile, inner, octave, level)
        affinities = _affinities
        similar = is_similarity(inner)[index]
        if detector.affine_shape and inner.affine is not None and not assign:
            affinities, similar = _as_detected, np.zeros(len(index), np.bool_)
        for chosen, work in ((np.flatnonzero(similar), _similarities), (np.flatnonzero(~similar), affinities)):
            if len(chosen):
                some = inner.take(index[chosen])
                which, angle, described = work(tile, keypoints.take(chosen), some, detector, descriptor, assign)
                parts.append((good[index[chosen[which]]], angle, quantised(described, descriptor)))
    sources, angles, descriptors = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(sources, kind="stable")
    sources, descriptors = sources[order], descriptors[order]
    if assign:
        frames = replace(_rotated(frames.take(sources), angles[order]), sources=sources.astype(np.int32))
    return replace(frames, descriptors=descriptors, image_size=size)


def find_faults_in(images: Image, frames: Features, detector: DetectorParams) -> list[FrameError]:
    """Find the frames that cannot be described in images of this size; see `find_faults`."""
    _, height, width = images.shape
    h, w, resize = limited_size(height, width, detector.max_image_size)
    largest = largest_scale(octave_shapes(h, w, detector), detector) * resize.scale
    return find_faults(frames, (width, height), largest, as_detected=detector.affine_shape)


_Part = tuple[Index, Float32, Float32]
"""Index of the frame, orientation and descriptor."""


def _similarities(
    tile: Tile,
    keypoints: Keypoints,
    frames: Features,
    detector: DetectorParams,
    descriptor: DescriptorParams,
    assign: bool,
) -> _Part:
    """Describe similarity frames."""
    which, angle = np.arange(len(keypoints)), frames.orientations
    if assign:
        which, angle = _or_own(assign_orientations(tile, keypoints, detector), angle)
    lowe = detector.variant == "lowe"
    return which, angle, compute_descriptors(tile, keypoints.take(which), angle, descriptor, lowe=lowe)


def _affinities(
    tile: Tile,
    keypoints: Keypoints,
    frames: Features,
    detector: DetectorParams,
    descriptor: DescriptorParams,
    assign: bool,
) -> _Part:
    """Describe affine frames; their orientations are relative to the frames themselves."""
    assert frames.affine is not None
    unit = np.exp2(tile.regions.octave[keypoints.region]).astype(np.float32)
    affine = frames.affine / unit[:, None, None]
    which, angle = np.arange(len(keypoints)), np.zeros(len(keypoints), np.float32)
    if assign:
        which, angle = _or_own(affine_orientations(tile, keypoints, affine, detector), angle)
    affine = affine[which] @ affine_of(np.ones(len(which)), angle)
    return which, angle, affine_descriptors(tile, keypoints.take(which), affine, detector, descriptor)


def _as_detected(
    tile: Tile,
    keypoints: Keypoints,
    frames: Features,
    detector: DetectorParams,
    descriptor: DescriptorParams,
    assign: bool,
) -> _Part:
    """Describe affine frames as `detect` does, which is a hundred times as fast as `_affinities`, and less exact."""
    assert frames.affine is not None
    unit = np.exp2(tile.regions.octave[keypoints.region]).astype(np.float32)
    affine = np.ascontiguousarray((frames.affine / unit[:, None, None]).transpose(1, 2, 0))
    described = compute_descriptors(tile, keypoints, frames.orientations, descriptor, affine=affine)
    return np.arange(len(keypoints)), frames.orientations, described


def _or_own(found: tuple[Index, Float32], own: Float32) -> tuple[Index, Float32]:
    """Add the frames without any orientation, with their own."""
    index, angle = found
    without = np.setdiff1d(np.arange(len(own)), index)
    index, angle = np.concatenate([index, without]), np.concatenate([angle, own[without]])
    order = np.argsort(index, kind="stable")
    return index[order], angle[order]


def _rotated(frames: Features, angle: Float32) -> Features:
    """Return similarity frames with these orientations, and affine frames rotated by them."""
    if frames.affine is None:
        return replace(frames, orientations=angle)
    similar = is_similarity(frames)
    affine = np.where(
        similar[:, None, None], affine_of(frames.scales, angle), frames.affine @ affine_of(np.ones(len(angle)), angle)
    )
    orientations: Float32 = np.where(similar, angle, similarity_of(affine)[1])
    return replace(frames, affine=affine, orientations=orientations)


def _halo(
    frames: Features, octave: Index, shapes: list[Shape], detector: DetectorParams, descriptor: DescriptorParams
) -> int:
    """Return how many rows above and below a frame are read."""
    similar = is_similarity(frames)
    longest = half_axes(frames)[0] * np.exp2(-octave)
    largest = float(longest[similar].max(initial=0))
    radius = max(orientation_radius(largest, detector), descriptor_radius(largest, descriptor)) + MAX_MOVES + 4
    if detector.affine_shape:
        radius = max(radius, ROWS + 4)
    if not similar.all() and not detector.affine_shape:
        extent = max(2.5 * descriptor.magnification * max(descriptor.domain_sizes), 3 * detector.orientation_window)
        radius = max(radius, affine_radius(float(longest[~similar].max()), extent))
    return min(math.ceil(radius), max((height for _, height, _ in shapes), default=0) + 16)
