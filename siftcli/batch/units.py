"""Units of work for a worker: one image, or several small ones, with their predicted memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ..engine.tuning import TUNING
from ..errors import ImageError
from ..io.image import read_size
from ..machine import MOST_WORKERS, cores
from ..params import DetectorParams
from .plan import Job

__all__ = ["Unit", "make_units", "predicted_memory", "singles", "size_of", "workers_for_files", "workers_for_size"]

SMALL = 1 << 16
"""Pixels up to which images are given out several at a time: the overhead of a unit exceeds the work on the pixels."""

STACK = 16
"""Most small images of one size that go through the engine together."""

_WINDOW = 512
"""Images whose sizes are read ahead, so that the largest are processed first."""
_MOST_IMAGES, _MOST_PIXELS = 64, 1 << 20
"""Maximum images and pixels of a unit of small images; about a second of work."""

_WORTH_SHARING = 1 << 20
"""Pixels of the first octave up to which workers take longer to start than they save."""

_WORTH_PROCESSES = 2_000_000
"""Bytes of image files up to which processes take longer to start than they save."""

_PROCESS = 60 << 20
"""Bytes of a process with all modules imported."""
_HALO_ROWS = 144
"""Rows of both halos of the engine's row tiles."""
_TILE_FACTOR = 1.4
"""Measured bytes of a row tile and its work space, relative to those of its Gaussian levels."""
_BYTES_PER_PIXEL, _BYTES_PER_PIXEL_LOWE = 20, 60
"""Measured bytes per image pixel of everything else; the variant lowe keeps whole octaves."""


class Unit(NamedTuple):
    """Jobs for one worker; may be sent to another process.

    Attributes
    ----------
    jobs : tuple of Job
    memory : int
        Predicted bytes for the largest of them.
    again : bool
        The jobs are repeated, because the worker that had them was killed.
    """

    jobs: tuple[Job, ...]
    memory: int
    again: bool = False


def predicted_memory(width: int, height: int, detector: DetectorParams, workers: int = 1) -> int:
    """Predict the memory of a process that detects features in an image, in bytes.

    Parameters
    ----------
    width, height : int
        Size of the image in pixels.
    detector : DetectorParams
    workers : int
        Workers of the engine that share the image; each has a row tile of its own.
    """
    scale = 2.0 ** max(-detector.first_octave, 0)
    columns, rows = width * scale, height * scale
    tile = min(rows, max(TUNING.tile_rows + _HALO_ROWS, TUNING.tile_pixels / columns)) * columns
    levels = 4 * (detector.scales_per_octave + 3) * _TILE_FACTOR
    each = _BYTES_PER_PIXEL_LOWE if detector.variant == "lowe" else _BYTES_PER_PIXEL
    return int(_PROCESS + tile * levels * workers + width * height * each)


def workers_for_size(width: int, height: int, detector: DetectorParams, limit: int | None = None) -> int:
    """Return how many workers should share one image.

    Parameters
    ----------
    width, height : int
        Size of the image in pixels.
    detector : DetectorParams
    limit : int, optional
        Most bytes of memory.

    Returns
    -------
    int
        1 for an image that takes less time than the start of workers.
    """
    if width * height * 4.0**-detector.first_octave <= _WORTH_SHARING:
        return 1
    for workers in range(min(MOST_WORKERS, cores()), 1, -1):
        if limit is None or predicted_memory(width, height, detector, workers) <= limit:
            return workers
    return 1


def workers_for_files(paths: Iterable[str]) -> int:
    """Return how many processes should share images: the number of cores, or 1 if the files are small in total."""
    total = 0
    for path in paths:
        try:
            total += Path(path).stat().st_size
        except (OSError, ValueError):
            continue
        if total > _WORTH_PROCESSES:
            return cores()
    return 1


def make_units(jobs: Iterable[Job], workers: int, memory: Callable[[int, int], int]) -> Iterator[Unit]:
    """Divide jobs into units: large images alone, small ones together.

    For several workers, the largest of `_WINDOW` images come first; for one, the order is kept.

    Parameters
    ----------
    jobs : iterable of Job
        Consumed as units are taken.
    workers : int
        Number of workers that share the units.
    memory : callable
        Predicts the bytes for a width and a height.
    """
    remaining = iter(jobs)
    while window := list(islice(remaining, _WINDOW)):
        sized = [(job, *size_of(job)) for job in window]
        if workers > 1:
            sized.sort(key=lambda item: -item[1] * item[2])
        small = sum(width * height <= SMALL for _, width, height in sized)
        most = min(_MOST_IMAGES, max(1, -(-small // (2 * workers)))) if workers > 1 else STACK
        part: list[_Sized] = []
        for item in sized:
            if part and (len(part) == most or _pixels([*part, item]) > _MOST_PIXELS or not _is_small(part[0], item)):
                yield _unit(part, memory)
                part = []
            part.append(item)
        yield _unit(part, memory)


_Sized = tuple[Job, int, int]


def _pixels(part: list[_Sized]) -> int:
    return sum(width * height for _, width, height in part)


def _is_small(*part: _Sized) -> bool:
    return all(width * height <= SMALL for _, width, height in part)


def _unit(part: list[_Sized], memory: Callable[[int, int], int]) -> Unit:
    return Unit(tuple(job for job, *_ in part), max(memory(width, height) for _, width, height in part))


def singles(unit: Unit) -> list[Unit]:
    """Divide a unit whose worker was killed into units of one job."""
    return [Unit((job,), unit.memory, again=True) for job in unit.jobs]


def size_of(job: Job) -> tuple[int, int]:
    """Return width and height of a job's image; (1, 1) if it cannot be read, which its result will report."""
    if job.data is None and not Path(job.path).is_file():  # a pipe can be read only once
        return 1, 1
    try:
        return read_size(job.path if job.data is None else job.data)
    except ImageError:
        return 1, 1
