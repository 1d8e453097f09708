"""Carrying out jobs: read an image, detect its features, write them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..engine import pipeline
from ..engine.selection import select
from ..errors import SiftError, WorkerError
from ..features import Features, Image
from ..io.files import STDIN, STDOUT
from ..io.grey import to_bytes
from ..io.image import LoadedImage, read_image
from ..io.output import atomic_write, is_fatal, make_folder, reason_line
from ..io.registry import FORMATS, encode_features, write_features
from .plan import Job
from .report import Result
from .settings import Settings
from .units import SMALL, STACK, predicted_memory

if TYPE_CHECKING:
    pass

__all__ = ["detect_image", "make_folders", "read_job", "run_job", "run_jobs", "store"]


def make_folders(jobs: Iterable[Job]) -> None:
    """Create the folders of the outputs.

    Raises
    ------
    OutputError
        If a folder cannot be created.
    """
    for folder in {Path(job.output).parent for job in jobs if job.output != STDOUT}:
        make_folder(folder)


def run_job(job: Job, settings: Settings) -> Result:
    """Carry out one job, in any process on any host: it depends only on its arguments and the files that they name.

    Returns
    -------
    Result
        A job that fails leaves no output; the result has the reason.  Features for standard output or a shared output
        are in the result, because one process writes those.
    """
    return _attempt(job, settings, time.perf_counter())


def run_jobs(jobs: Sequence[Job], settings: Settings) -> list[Result]:
    """Carry out jobs; small images of one size go through the engine together, which is faster.

    Returns
    -------
    list of Result
        In the order of the jobs; equal to those of :func:`run_job`, except for the times.
    """
    if len(jobs) == 1 or settings.describing is not None:
        return [run_job(job, settings) for job in jobs]
    results: dict[int, Result] = {}
    stacks: dict[tuple[object, ...], list[tuple[int, LoadedImage, float]]] = {}

    def finish(stack: list[tuple[int, LoadedImage, float]]) -> None:
        start = time.perf_counter()
        try:
            found = _detect_all([image for _, image, _ in stack], settings)
        except Exception:  # repeated one by one below, so that each result has its own error
            found = []
        share = (time.perf_counter() - start) / len(stack)
        for k, (i, image, seconds) in enumerate(stack):
            done = found[k] if found else None
            results[i] = _attempt(jobs[i], settings, time.perf_counter() - seconds - share, image, done)

    for i, job in enumerate(jobs):
        start = time.perf_counter()
        try:
            image = read_job(job, settings)
        except Exception:
            results[i] = _attempt(job, settings, start)
            continue
        seconds = time.perf_counter() - start
        if image.pixels.size > SMALL:
            results[i] = _attempt(job, settings, start, image)
            continue
        stack = stacks.setdefault((image.pixels.shape, image.pixels.dtype), [])
        stack.append((i, image, seconds))
        if len(stack) == STACK:
            finish(stack)
            stack.clear()
    for stack in filter(None, stacks.values()):
        finish(stack)
    return [results[i] for i in range(len(jobs))]


def store(job: Job, result: Result, settings: Settings) -> Result:
    """Write the output that a result brings from another machine."""
    try:
        if job.shared or job.output == STDOUT or result.status != "done":
            return result
        if result.data is not None:
            with _recorded(job, result, settings, len(result.data)):
                atomic_write(job.output, result.data, overwrite=settings.overwrite)
        elif result.features is not None:
            _write(job, result.features, replace(settings, remote=False), result)
    except SiftError as error:
        result = result._replace(status="failed", keypoints=None, error=str(error), fatal=is_fatal(error))
    return result._replace(data=None, features=None, source=None)


def _attempt(
    job: Job, settings: Settings, start: float, image: LoadedImage | None = None, features: Features | None = None
) -> Result:
    """Carry out one job that began at `start`; its image and features may be given."""
    result = Result(job.path, job.output, "failed", None, 0.0)
    try:
        # Before the image is read, so that a later run notices if it changes meanwhile.
        if settings.signature is not None:
            from .fingerprint import fingerprint

            result = result._replace(source=fingerprint(job.path, job.data))
        image = image or read_job(job, settings)
        warnings = tuple(f"{image.name}: {warning}" for warning in image.warnings)
        result = result._replace(warnings=warnings, pixels=image.pixels.size)
        if settings.describing is not None and settings.descriptor is not None:
            from .given import described

            features, notes = described(job, image.pixels, settings.detector, settings.descriptor, settings.describing)
            features = replace(features, parameters=settings.parameters)
            result = result._replace(warnings=(*result.warnings, *notes))
        features = detect_image(image, settings) if features is None else features
        if "camera" in FORMATS[job.format].holds:
            features = _with_camera(features, job)
        result = _written(job, features, settings, result)._replace(status="done", keypoints=len(features))
    except SiftError as error:
        name = f"{_name(job)}: " if isinstance(error, WorkerError) else ""  # other errors name the file themselves
        result = result._replace(error=f"{name}{error}", fatal=is_fatal(error))
    except Exception as error:  # must not end the batch
        result = result._replace(error=f"{_name(job)}: {reason_line(error)}")
    if result.data is None and result.features is None:
        result = result._replace(source=None)
    return result._replace(seconds=time.perf_counter() - start)


def _name(job: Job) -> str:
    return "<stdin>" if job.path == STDIN else job.path


def read_job(job: Job, settings: Settings) -> LoadedImage:
    """Read an image as the settings say, and combine its mask of transparent pixels with that of the job."""
    how = settings.reading

    def needs(width: int, height: int) -> int:
        return predicted_memory(width, height, settings.detector, settings.workers)

    image = read_image(job.path if job.data is None else job.data, name=_name(job), needs=needs, **how._asdict())
    if settings.alpha == "ignore":
        image = image._replace(mask=None)
    if settings.depth == "8":
        image = image._replace(pixels=to_bytes(image.pixels))
    if job.mask is None:
        return image
    from .masks import mask_of

    shape, limit = image.pixels.shape, how.max_pixels
    kept = mask_of(
        job.mask, image.name, shape, exif_orientation=how.exif_orientation, max_pixels=limit, strict=how.strict
    )
    return image._replace(mask=kept if image.mask is None else kept & image.mask)


def _with_camera(features: Features, job: Job) -> Features:
    """Add the camera that the EXIF metadata of the image describe."""
    from ..io.exif import read_camera

    return replace(features, camera=read_camera(job.path if job.data is None else job.data))


def detect_image(image: LoadedImage, settings: Settings) -> Features:
    """Detect the features of one image, and select keypoints."""
    return _detect_all([image], settings)[0]


def _detect_all(images: Sequence[LoadedImage], settings: Settings) -> list[Features]:
    """Detect the features of images of one size and type."""
    pixels: Image = images[0].pixels[None] if len(images) == 1 else np.stack([image.pixels for image in images])  # type: ignore[assignment]
    found = pipeline.detect(pixels, settings.detector, settings.descriptor, settings.workers)
    return [_chosen(features, image, settings) for features, image in zip(found, images, strict=True)]


def _chosen(features: Features, image: LoadedImage, settings: Settings) -> Features:
    return replace(select(features, settings.selection, image.mask), parameters=settings.parameters)


def _written(job: Job, features: Features, settings: Settings, result: Result) -> Result:
    """Write features, or add them to the result if another process writes them."""
    stream = FORMATS[job.format].kind == "stream"
    if job.shared or (settings.remote and not stream):
        return result._replace(features=features)
    if job.output == STDOUT:
        return result._replace(data=encode_features(features, job.format, name="<stdout>"))
    if settings.remote:
        return result._replace(data=encode_features(features, job.format, name=job.output))
    _write(job, features, settings, result)
    return result


def _write(job: Job, features: Features, settings: Settings, result: Result) -> None:
    """Write features to the output of a job, with a record."""
    if FORMATS[job.format].kind == "stream":
        data = encode_features(features, job.format, name=job.output)
        with _recorded(job, result, settings, len(data)):
            atomic_write(job.output, data, overwrite=settings.overwrite)
        return
    with _recorded(job, result, settings):
        write_features(job.output, features, job.format, image=job.name, overwrite=settings.overwrite)


def _recorded(job: Job, result: Result, settings: Settings, size: int | None = None) -> AbstractContextManager[None]:
    """Record the output that is written in this block, if the run keeps records."""
    if result.source is None or settings.signature is None:
        return nullcontext()
    from .manifest import recorded  # most runs on one image keep none

    return recorded(job, result.source, settings.signature, exists=Path(job.output).exists(), size=size)
