"""Running a batch on a Dask cluster: workers read images and detect features, this process writes them."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import ParameterError
from .plan import Job
from .report import Result
from .run import run_jobs
from .settings import Settings
from .units import Unit, make_units, predicted_memory, singles

__all__ = ["on_cluster"]

_Client: TypeAlias = Any
"""A `distributed.Client`, which has incomplete type annotations."""

_PATIENCE = 10
"""Timeout for the scheduler in seconds."""
_AHEAD = 3
"""Units submitted per thread of the cluster, so that no thread is idle; at least `_LEAST` in total."""
_LEAST = 8


def on_cluster(
    jobs: Sequence[Job], settings: Settings, scheduler: str, ship: bool = False
) -> Generator[tuple[Job, Result]]:
    """Carry out jobs on the workers of a Dask scheduler.

    Parameters
    ----------
    jobs : sequence of Job
        Their images must be readable by the workers or, with `ship`, by this process.
    settings : Settings
        With `remote` set.
    scheduler : str
        Address of the scheduler, such as ``tcp://host:8786``, or its scheduler file.
    ship : bool
        Send the image data.

    Yields
    ------
    (Job, Result)
        In the order in which jobs finish.  Units of a lost worker are repeated by others; a job that several workers
        were lost with has failed.

    Raises
    ------
    ParameterError
        If Dask is missing or the scheduler does not answer.
    """
    client = _connect(scheduler)
    try:
        import distributed

        memory = partial(predicted_memory, detector=settings.detector)
        units: Iterator[Unit] = make_units(jobs, max(2, _threads(client)), memory)
        work: Any = distributed.as_completed(loop=client.loop)  # type: ignore[no-untyped-call]
        pending: dict[object, Unit] = {}

        def submit(unit: Unit) -> None:
            sent = unit._replace(jobs=tuple(map(_shipped, unit.jobs))) if ship else unit
            future = client.submit(run_jobs, sent.jobs, settings, pure=False)
            pending[future.key] = unit
            work.add(future)

        def fill() -> None:
            while len(pending) < max(_LEAST, _AHEAD * _threads(client)):
                unit = next(units, None)
                if unit is None:
                    return
                submit(unit)

        fill()
        while pending:
            future = next(work)
            unit = pending.pop(future.key)
            if future.status == "finished":
                results = future.result()
            elif len(unit.jobs) > 1:
                for single in singles(unit):
                    submit(single)
                continue
            else:
                why = future.exception() if future.status == "error" else "it was cancelled"
                results = [_lost(unit.jobs[0], why)]
            future.release()
            fill()
            yield from zip(unit.jobs, results, strict=True)
    finally:
        client.close(timeout=1)


def _threads(client: _Client) -> int:
    """Return how many threads the cluster has at the moment."""
    return sum(client.nthreads().values())


def _connect(scheduler: str) -> _Client:
    try:
        import distributed
    except ImportError as error:
        raise ParameterError("scheduler", "needs Dask, which is not installed: pip install siftcli[cluster]") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # this command prints its own messages
    try:
        where = {"scheduler_file" if Path(scheduler).is_file() else "address": scheduler}
        client: _Client = distributed.Client
        return client(**where, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # a timeout is an OSError
        words = " ".join(str(error).split())[:160]
        raise ParameterError("scheduler", f"{scheduler} does not answer as a Dask scheduler ({words})") from error


def _shipped(job: Job) -> Job:
    """Return a job with the bytes of its image; unchanged if they cannot be read, which its result will report."""
    try:
        return job._replace(data=Path(job.path).read_bytes())
    except (OSError, ValueError):
        return job


def _lost(job: Job, why: object) -> Result:
    words = " ".join(str(why).split())[:200]
    error = f"{job.path}: failed on the cluster: {type(why).__name__}: {words}"
    return Result(job.path, job.output, "failed", None, 0.0, error=error)
