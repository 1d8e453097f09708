"""Frames that are given: their descriptors, and their orientations where these are asked for. [VLFeat's page]"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..conventions import affine_of, similarity_of
from ..errors import FrameError
from ..features import Features, Float32, Image
from ..params import DescriptorParams, DetectorParams
from .affine import affine_descriptors, affine_orientations, affine_reach
from .descriptor import compute_descriptors, descriptor_reach, stored
from .frames import find_faults, half_axes, largest_scale, levels_of, place, similar
from .localize import MOVES, Points
from .octaves import Index, octave_shapes
from .orientation import assign_orientations, orientation_reach
from .reduction import reduced, reduced_size
from .scale_space import ScaleSpace
from .sheets import Sheet

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
        Kept, in their order.
    detector : DetectorParams
        For the scale space, and for the orientations if they are assigned.
    descriptor : DescriptorParams
    assign : bool
        Estimate orientations: a frame is there once for each that it shows, and with its own if it shows none.
    skip : bool
        Frames that cannot be described get descriptors of zeros, instead of an error.

    Returns
    -------
    Features
        The frames with descriptors; with `sources` if orientations were assigned.

    Raises
    ------
    FrameError
        For the first frame that cannot be described, see `find_faults`.
    """
    size = images.shape[2], images.shape[1]
    faults = find_faults_in(images, frames, detector)
    images, reduction = reduced(images, detector.max_image_size)
    shapes = octave_shapes(images.shape[1], images.shape[2], detector)
    if faults and not skip:
        raise faults[0]
    bad = np.array([fault.index for fault in faults], np.intp)
    good = np.setdiff1d(np.arange(len(frames)), bad)
    inner = reduction.inward(frames.take(good))
    octave, level = levels_of(inner, shapes, detector)

    parts = [(bad, frames.orientations[bad], stored(np.zeros((len(bad), 128), np.float32), descriptor))]
    for sheet in ScaleSpace(images, detector, _halo(inner, octave, shapes, detector, descriptor)).sheets():
        for _ in sheet.strips():
            pass
        sheet.extrapolate()
        index, points = place(sheet, inner, octave, level)
        alike = similar(inner)[index]
        for chosen, work in ((np.flatnonzero(alike), _similarities), (np.flatnonzero(~alike), _affinities)):
            if len(chosen):
                some = inner.take(index[chosen])
                which, angle, described = work(sheet, points.take(chosen), some, detector, descriptor, assign)
                parts.append((good[index[chosen[which]]], angle, stored(described, descriptor)))
    sources, angles, descriptors = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(sources, kind="stable")
    sources, descriptors = sources[order], descriptors[order]
    if assign:
        frames = replace(_turned(frames.take(sources), angles[order]), sources=sources.astype(np.int32))
    return replace(frames, descriptors=descriptors, image_size=size)


def find_faults_in(images: Image, frames: Features, detector: DetectorParams) -> list[FrameError]:
    """Find the frames that cannot be described in images of this size, and say why; see `find_faults`."""
    _, height, width = images.shape
    h, w, reduction = reduced_size(height, width, detector.max_image_size)
    largest = largest_scale(octave_shapes(h, w, detector), detector) * reduction.scale
    return find_faults(frames, (width, height), largest)


_Part = tuple[Index, Float32, Float32]


def _similarities(
    sheet: Sheet, points: Points, frames: Features, detector: DetectorParams, descriptor: DescriptorParams, assign: bool
) -> _Part:
    """Return frame, orientation and descriptor of all that some similarity frames give."""
    which, angle = np.arange(len(points)), frames.orientations
    if assign:
        which, angle = _with_all(assign_orientations(sheet, points, detector), angle)
    return which, angle, compute_descriptors(sheet, points.take(which), angle, descriptor)


def _affinities(
    sheet: Sheet, points: Points, frames: Features, detector: DetectorParams, descriptor: DescriptorParams, assign: bool
) -> _Part:
    """Return the same of affine frames; their orientations turn the frames in themselves."""
    assert frames.affine is not None
    unit = np.exp2(sheet.octave[points.region]).astype(np.float32)
    affine = frames.affine / unit[:, None, None]
    which, angle = np.arange(len(points)), np.zeros(len(points), np.float32)
    if assign:
        which, angle = _with_all(affine_orientations(sheet, points, affine, detector), angle)
    affine = affine[which] @ affine_of(np.ones(len(which)), angle)
    return which, angle, affine_descriptors(sheet, points.take(which), affine, detector, descriptor)


def _with_all(found: tuple[Index, Float32], own: Float32) -> tuple[Index, Float32]:
    """Add the frames that show no orientation, with their own."""
    index, angle = found
    flat = np.setdiff1d(np.arange(len(own)), index)
    index, angle = np.concatenate([index, flat]), np.concatenate([angle, own[flat]])
    order = np.argsort(index, kind="stable")
    return index[order], angle[order]


def _turned(frames: Features, angle: Float32) -> Features:
    """Return frames with these orientations; affine ones are turned by them."""
    if frames.affine is None:
        return replace(frames, orientations=angle)
    alike = similar(frames)
    affine = np.where(
        alike[:, None, None], affine_of(frames.scales, angle), frames.affine @ affine_of(np.ones(len(angle)), angle)
    )
    orientations: npt.NDArray[np.float32] = np.where(alike, angle, similarity_of(affine)[1])
    return replace(frames, affine=affine, orientations=orientations)


def _halo(
    frames: Features,
    octave: Index,
    shapes: list[tuple[int, int, int]],
    detector: DetectorParams,
    descriptor: DescriptorParams,
) -> int:
    """Rows that are read above and below a frame."""
    alike = similar(frames)
    longest = half_axes(frames)[0] * np.exp2(-octave)
    largest = float(longest[alike].max(initial=0))
    reach = max(orientation_reach(largest, detector), descriptor_reach(largest, descriptor)) + MOVES + 4
    if not alike.all():
        extent = max(2.5 * descriptor.magnification, 3 * detector.orientation_window)
        reach = max(reach, affine_reach(float(longest[~alike].max()), extent))
    return min(math.ceil(reach), max((height for _, height, _ in shapes), default=0) + 16)
