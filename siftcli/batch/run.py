"""Carrying out jobs: read an image, find its features, write them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..engine import pipeline
from ..errors import OutputError, SiftError
from ..features import Features, ParameterValue
from ..io.files import output_error
from ..io.image import DEFAULT_MAX_PIXELS, LoadedImage, read_image
from ..io.registry import encode_features, open_collection, write_features
from ..params import DescriptorParams, DetectorParams
from .inputs import STDIN
from .plan import STDOUT, Job
from .report import Result
from .select import inside

__all__ = ["Settings", "execute", "make_folders", "run_job"]


@dataclass(frozen=True)
class Settings:
    """What is the same for every job; may be sent to another process.

    Attributes
    ----------
    detector : DetectorParams
    descriptor : DescriptorParams or None
        None for keypoints alone.
    overwrite : bool
        Existing outputs may be replaced.
    exif_orientation : bool
        Turn images upright as their EXIF orientation says.
    max_pixels : int
        Larger images are refused.
    """

    detector: DetectorParams
    descriptor: DescriptorParams | None
    overwrite: bool = False
    exif_orientation: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """With which features are computed, by name."""
        return {**asdict(self.detector), **({} if self.descriptor is None else asdict(self.descriptor))}


def make_folders(jobs: Iterable[Job]) -> None:
    """Make the folders that outputs go to.

    Raises
    ------
    OutputError
        If one cannot be made.
    """
    for folder in {Path(job.output).parent for job in jobs if job.output != STDOUT}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(folder, error) from error


def execute(jobs: Sequence[Job], settings: Settings, on_result: Callable[[Result], None]) -> None:
    """Carry out jobs, one after another in this process.

    Parameters
    ----------
    jobs : sequence of Job
        With outputs in folders that exist.
    settings : Settings
        The same for all.
    on_result : callable
        Called with the result of each job as soon as it is there, in this thread.

    Raises
    ------
    OutputError
        If an output that is shared by all jobs cannot be written.
    """
    with _collected(jobs, settings) as collect:
        for job in jobs:
            on_result(collect(job, run_job(job, settings)))


def run_job(job: Job, settings: Settings) -> Result:
    """Carry out one job.  Depends on nothing but its arguments and the files that they name, so it may run anywhere.

    Returns
    -------
    Result
        A job that fails leaves no output, and says why.  Features that go to stdout or to a shared output are in the
        result, for the one process that writes there.
    """
    start = time.perf_counter()
    result = Result(job.path, job.output, "failed", None, 0.0)
    try:
        image = _read(job, settings)
        result = replace(result, warnings=tuple(f"{image.name}: {warning}" for warning in image.warnings))
        features = _detect(image, settings)
        result = replace(_written(job, features, settings, result), status="done", keypoints=len(features))
    except SiftError as error:
        result = replace(result, error=str(error))
    except MemoryError:
        result = replace(result, error=f"{_name(job)}: needs more memory than there is; make the image smaller")
    except Exception as error:  # a fault of ours must not cost the images that are still to come
        result = replace(result, error=f"{_name(job)}: internal error, please report it: {_where(error)}")
    return replace(result, seconds=time.perf_counter() - start)


def _name(job: Job) -> str:
    return "<stdin>" if job.path == STDIN else job.path


def _read(job: Job, settings: Settings) -> LoadedImage:
    return read_image(
        job.path if job.data is None else job.data,
        name=_name(job),
        exif_orientation=settings.exif_orientation,
        max_pixels=settings.max_pixels,
    )


def _detect(image: LoadedImage, settings: Settings) -> Features:
    features = pipeline.detect(image.pixels[None], settings.detector, settings.descriptor)[0]
    features = replace(features, parameters=settings.parameters)
    return features if image.mask is None else inside(features, image.mask)


def _written(job: Job, features: Features, settings: Settings, result: Result) -> Result:
    """Write features, or put them into the result where another process has to."""
    if job.shared:
        return replace(result, features=features)
    if job.output == STDOUT:
        return replace(result, data=encode_features(features, job.format, name="<stdout>"))
    write_features(job.output, features, job.format, image=job.name, overwrite=settings.overwrite)
    return result


@contextmanager
def _collected(jobs: Sequence[Job], settings: Settings) -> Iterator[Callable[[Job, Result], Result]]:
    """Open the output that all jobs share, if they do; lend a function that moves features from a result to it."""
    if not jobs or not jobs[0].shared:
        yield lambda job, result: result
        return
    first, empty = jobs[0], True

    def collect(job: Job, result: Result) -> Result:
        nonlocal empty
        features, result = result.features, replace(result, features=None)
        if features is not None:
            try:
                writer.add(job.name, features)
            except OutputError as error:
                return replace(result, status="failed", keypoints=None, error=str(error))
            empty = False
        return result

    writer = open_collection(first.output, first.format, parameters=settings.parameters, overwrite=settings.overwrite)
    with writer:
        yield collect
        if empty:
            writer.abort()


def _where(error: Exception) -> str:
    """Say what kind of error it is and which line raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{place}: {error}"
