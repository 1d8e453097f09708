"""Carrying out a batch: in this process, in several, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..io.files import STDOUT
from ..io.temporary import sweep
from ..machine import available_memory
from .collect import collecting
from .plan import Job
from .report import Result
from .run import make_folders, run_jobs, store
from .settings import Settings
from .units import Unit, make_units, predicted_memory, singles
from .workers import run_tasks

if TYPE_CHECKING:
    from .states import State

__all__ = ["Batch", "execute", "memory_limit"]

_MEMORY_FRACTION = 0.8
"""Default fraction of the free memory for workers."""


class Batch(NamedTuple):
    """How jobs are carried out; none of these values changes the outputs.

    Attributes
    ----------
    workers : int
        Number of processes; 1 is this process.
    memory : int or None
        Limit of their predicted memory in bytes; None for most of the free memory.
    resume : bool
        Skip images that an earlier run has finished with the same parameters.
    max_failures : int or None
        Stop after this number of failures.
    scheduler : str or None
        Address or file of a Dask scheduler, whose workers replace local processes.
    ship : bool
        Send image data to Dask's workers instead of file names.
    sharing : bool
        Other shards of the same run may write to the same folders at the same time.
    """

    workers: int = 1
    memory: int | None = None
    resume: bool = False
    max_failures: int | None = None
    scheduler: str | None = None
    ship: bool = False
    sharing: bool = False


def execute(
    jobs: Sequence[Job], settings: Settings, on_result: Callable[[Result], None], batch: Batch | None = None
) -> str | None:
    """Carry out jobs.

    Parameters
    ----------
    jobs : sequence of Job
        The folders of their outputs are created.
    settings : Settings
    on_result : callable
        Called in this thread with the result of each job, as soon as it is known.
    batch : Batch, optional

    Returns
    -------
    str or None
        Why the batch stopped early, in one line; None if it did not.

    Raises
    ------
    PlanError
        If an output exists and there is no record of how it was made.
    OutputError
        If a folder cannot be created, or the shared output of all jobs cannot be written.
    ParameterError
        If Dask is missing, or its scheduler does not answer.
    """
    batch = batch or Batch()
    signature = settings.signature
    make_folders(jobs)
    with ExitStack() as stack:
        if signature is not None and jobs and not jobs[0].shared:
            from .manifest import claimed  # most runs on one image keep no records

            stack.enter_context(claimed(jobs, shared=batch.sharing))
        try:
            return _carry_out(jobs, settings, on_result, batch)
        except BaseException:  # workers that did not end in time were killed, and may have left temporary files
            for folder in {Path(job.output).parent for job in jobs if job.output != STDOUT}:
                sweep(folder, again=True)
            raise


def _carry_out(
    jobs: Sequence[Job], settings: Settings, on_result: Callable[[Result], None], batch: Batch
) -> str | None:
    """Carry out jobs whose folders exist; return why the batch stopped early, or None."""
    overwrite, signature = settings.overwrite, settings.signature
    how = {"resume": batch.resume, "overwrite": overwrite}
    with collecting(jobs, settings.parameters, signature, **how, database=settings.database) as collect:
        states: list[tuple[Job, State]] = [(job, "new") for job in jobs]
        if batch.resume and signature is not None:
            from .states import job_states

            states = job_states(jobs, signature, collect.present, overwrite=overwrite)
            settings = replace(settings, overwrite=True)  # stale outputs, also of a killed run
        for job in (job for job, state in states if state == "done"):
            on_result(Result(job.path, job.output, "skipped", None, 0.0))
        stale = {id(job) for job, state in states if state in ("stale", "unknown")}
        failures = 0
        with closing(_results([job for job, state in states if state != "done"], settings, batch)) as results:
            for job, result in results:
                result = collect(job, result)._replace(again=id(job) in stale)
                on_result(result)
                failures += result.status == "failed"
                why = None
                if result.fatal:
                    why = f"stopped, because all images would fail: {result.error}"
                elif batch.max_failures is not None and failures >= batch.max_failures:
                    why = f"stopped after {failures} {'failure' if failures == 1 else 'failures'}"
                if why is not None:
                    collect.give_up()
                    return why
    return None


def _results(jobs: Sequence[Job], settings: Settings, batch: Batch) -> Generator[tuple[Job, Result]]:
    """Yield jobs and their results, as soon as they are known."""
    if not jobs:
        return
    memory = partial(predicted_memory, detector=settings.detector, workers=settings.workers)
    if batch.scheduler is not None:
        from .cluster import on_cluster
        from .fingerprint import fingerprint

        with closing(on_cluster(jobs, replace(settings, remote=True), batch.scheduler, batch.ship)) as results:
            for job, result in results:
                if batch.ship and settings.signature is not None:  # the workers cannot read the files
                    result = result._replace(source=fingerprint(job.path))
                yield job, store(job, result, settings)
        return
    units = make_units(jobs, batch.workers, memory) if len(jobs) > 1 else iter([Unit(tuple(jobs), 0)])
    budget = memory_limit(batch.memory)
    outcomes = run_tasks(
        units,
        partial(_Work, settings),
        batch.workers,
        cost=lambda unit: unit.memory,
        budget=budget,
        divide=singles,
    )
    with closing(outcomes):
        for outcome in outcomes:
            done = outcome.result
            if done is None:  # the worker was killed twice, the second time with this image alone
                done = [_lost(job, outcome.error or "") for job in outcome.task.jobs]
            yield from zip(outcome.task.jobs, done, strict=True)


def memory_limit(asked: int | None) -> int | None:
    """Return the limit of memory in bytes: `asked`, else a fraction of the free memory; None if that is unknown."""
    free = available_memory() if asked is None else None
    return asked if free is None else int(free * _MEMORY_FRACTION)


def _lost(job: Job, why: str) -> Result:
    return Result(job.path, job.output, "failed", None, 0.0, error=f"{job.path}: {why}")


class _Work:
    """Function of a worker that carries out units."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, unit: Unit) -> list[Result]:
        # The worker that was killed may have written the output.
        settings = replace(self._settings, overwrite=True) if unit.again else self._settings
        return run_jobs(unit.jobs, settings)
