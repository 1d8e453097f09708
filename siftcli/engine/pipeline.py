"""SIFT, as the sequence of its steps. [Lowe04]"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

from ..features import Features, Image
from ..params import DescriptorParams, DetectorParams
from .affine_shape import assign_affine_frames
from .assemble import DescribedKeypoints, in_lowes_order
from .descriptor import compute_descriptors, descriptor_radius, quantised
from .extrema import find_candidates, verify_extrema
from .grid_samples import ROWS
from .keypoints import MAX_MOVES, Keypoints, batches, refine
from .orientation import assign_orientations, orientation_radius
from .pyramid import Pyramid, TileSpec
from .resize import limit_size
from .tuning import TUNING
from .workers import Task, executor

__all__ = ["detect"]


class Job(NamedTuple):
    """Data that all tasks of one call share."""

    pyramid: Pyramid
    detector: DetectorParams
    descriptor: DescriptorParams | None


def detect(
    images: Image, detector: DetectorParams, descriptor: DescriptorParams | None, workers: int = 1
) -> list[Features]:
    """Detect keypoints and, unless `descriptor` is None, describe them.

    Parameters
    ----------
    images : (N, H, W) uint8, uint16 or float32
        A stack of images of one size; float32 in [0, 1].
    detector : DetectorParams
    descriptor : DescriptorParams or None
    workers : int
        Workers that share the images; the features do not depend on it.  See `workers`.

    Returns
    -------
    list of Features
        One for each image, in Lowe's order: coarse octaves first.

    Raises
    ------
    WorkerError
        If a worker process is killed, and another one that repeats its task.
    """
    some = max(1, TUNING.stack_pixels * len(images) // max(1, images.size))
    if len(images) > some and workers == 1:  # several workers are started once for all images
        stacks = (images[i : i + some] for i in range(0, len(images), some))
        return [features for stack in stacks for features in detect(stack, detector, descriptor)]
    images, resize = limit_size(images, detector.max_image_size)
    pyramid = Pyramid.of(images, detector, _halo(detector, descriptor), workers)
    job = Job(pyramid, detector, descriptor)
    found: list[DescribedKeypoints] = []
    with executor(workers) as team:
        for wave in pyramid.waves():
            tasks = [partial(detect_tile, spec=spec) for spec in wave.tiles]
            then = partial(detect_tile, spec=wave.then) if wave.then else None
            found += team.run(job, tasks, then)
    del pyramid, job
    return [resize.to_original(features) for features in in_lowes_order(found, images.shape, descriptor)]


def detect_tile(job: Job, spec: TileSpec) -> tuple[None, list[Task]]:
    """Find the keypoints of a tile; tasks to describe them follow."""
    detector = job.detector
    tile = job.pyramid.tile(spec)
    candidates = []
    for rows in tile.compute_strips():  # Gaussian levels, still in the cache [Lowe04 §3]
        candidates.append(find_candidates(tile, rows, detector))  # of the difference of Gaussians
    extrema = verify_extrema(tile, candidates, detector)  # among 26 neighbours [Lowe04 §3.1]
    keypoints = refine(tile, extrema, detector)  # by a quadratic fit [Lowe04 §4]
    tile.extrapolate_borders(slice(1, None))  # of the levels that keypoints are described in
    return None, [partial(describe_batch, spec=spec, keypoints=batch) for batch in batches(keypoints, tile)]


def describe_batch(job: Job, spec: TileSpec, keypoints: Keypoints) -> tuple[DescribedKeypoints, list[Task]]:
    """Give keypoints of a tile their orientations and descriptors."""
    tile = job.pyramid.tile(spec)
    frames = None
    if job.detector.affine_shape:
        index, angle, frames = assign_affine_frames(tile, keypoints, job.detector)  # [Baumberg00]
    else:
        index, angle = assign_orientations(tile, keypoints, job.detector)  # [Lowe04 §5]
    oriented = keypoints.take(index)  # a keypoint once for each of its orientations
    descriptors = None
    if job.descriptor is not None:
        lowe = job.detector.variant == "lowe"
        affine = None if frames is None else frames.affine
        described = compute_descriptors(tile, oriented, angle, job.descriptor, affine=affine, lowe=lowe)  # [§6]
        descriptors = quantised(described, job.descriptor)
    return DescribedKeypoints.of(tile, oriented, angle, descriptors, frames), []


def _halo(detector: DetectorParams, descriptor: DescriptorParams | None) -> int:
    """Return how many rows above and below an extremum the later steps read."""
    largest = detector.sigma_base * 2 ** (1 + 1.5 / detector.scales_per_octave)
    radius = ROWS if detector.affine_shape else orientation_radius(largest, detector)
    if descriptor is not None:
        radius = max(radius, descriptor_radius(largest, descriptor))
    return MAX_MOVES + 2 + math.ceil(radius) + 1
