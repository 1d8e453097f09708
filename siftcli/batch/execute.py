"""A whole batch: its jobs shared among processes or machines, its results collected as they come."""

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

_SHARE = 0.8
"""Default fraction of the free memory for workers."""


class Batch(NamedTuple):
    """How jobs are carried out; nothing here changes what is written.

    Attributes
    ----------
    workers : int
        Processes; 1 is this one.
    memory : int or None
        Bytes that they may take together; by default most of what is free.
    resume : bool
        Skip what an earlier run has done of the same images with the same parameters.
    max_failures : int or None
        Stop after so many failures.
    scheduler : str or None
        Address or file of a Dask scheduler, whose workers do the work in place of local ones.
    ship : bool
        Send the images to Dask's workers, which otherwise read them.
    sharing : bool
        Other runs may write to the same folders at the same time: those of the other shards.
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
        Their folders are made.
    settings : Settings
        The same for all.
    on_result : callable
        Called with the result of each job as soon as it is there, in this thread.
    batch : Batch, optional

    Returns
    -------
    str or None
        Why jobs are left that were not begun: one line.

    Raises
    ------
    PlanError
        If an output exists of which is not known how it was made.
    OutputError
        If a folder cannot be made, or an output that is shared by all jobs cannot be written.
    ParameterError
        If a Dask scheduler is asked for and Dask is missing or the scheduler does not answer.
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
        except BaseException:  # an interrupt: workers that did not end in time were killed
            for folder in {Path(job.output).parent for job in jobs if job.output != STDOUT}:
                sweep(folder, again=True)
            raise


def _carry_out(
    jobs: Sequence[Job], settings: Settings, on_result: Callable[[Result], None], batch: Batch
) -> str | None:
    """Carry out jobs whose folders are there; return why it stopped early, or None."""
    overwrite, signature = settings.overwrite, settings.signature
    how = {"resume": batch.resume, "overwrite": overwrite}
    with collecting(jobs, settings.parameters, signature, **how, database=settings.database) as collect:
        states: list[tuple[Job, State]] = [(job, "new") for job in jobs]
        if batch.resume and signature is not None:
            from .states import job_states

            states = job_states(jobs, signature, collect.present, overwrite=overwrite)
            settings = replace(settings, overwrite=True)  # stale outputs, and what a killed run's workers still write
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
                    why = f"stopped, as this would fail for all images: {result.error}"
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
                if batch.ship and settings.signature is not None:  # the workers have not seen the files
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
            if done is None:  # the worker died of it: a single image
                done = [_lost(job, outcome.error or "") for job in outcome.task.jobs]
            yield from zip(outcome.task.jobs, done, strict=True)


def memory_limit(asked: int | None) -> int | None:
    """Return the bytes that may be in use: what was asked for, or a share of what is free, where that is known."""
    free = available_memory() if asked is None else None
    return asked if free is None else int(free * _SHARE)


def _lost(job: Job, why: str) -> Result:
    return Result(job.path, job.output, "failed", None, 0.0, error=f"{job.path}: {why}")


class _Work:
    """The work of a worker on its units."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, unit: Unit) -> list[Result]:
        # The worker that died may have written the output.
        settings = replace(self._settings, overwrite=True) if unit.again else self._settings
        return run_jobs(unit.jobs, settings)
