"""Running a batch from the command line: plan, progress and report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import OutputError, ParameterError, PlanError
from ..io.files import STDIN
from ..words import counted
from . import INTERRUPTED
from .guard import guard
from .messages import Messages
from .streams import one_line, read_stdin, say, write_json, write_stdout

if TYPE_CHECKING:
    from ..batch.plan import Job
    from ..batch.report import Report, Result
    from ..batch.report_file import ReportFile
    from ..batch.settings import Settings
    from .run_options import RunOptions

__all__ = ["run_batch"]


def run_batch(
    jobs: Sequence[Job],
    settings: Settings,
    options: RunOptions,
    messages: Messages,
    *,
    several: bool,
) -> int:
    """Carry out the jobs of a command line, or print them.

    Parameters
    ----------
    jobs : sequence of Job
        All jobs that the command line names; at least one.
    settings : Settings
    options : RunOptions
    messages : Messages
    several : bool
        The command line may name several images, so records are kept.

    Returns
    -------
    int
        The exit status.

    Raises
    ------
    PlanError
        If the options do not fit the jobs.
    SiftError
        If the batch as a whole cannot be carried out.
    """
    from ..batch.execute import Batch, execute
    from ..batch.plan import files_of, take_shard
    from ..batch.report import Report
    from ..batch.units import workers_for_files
    from ..io.files import STDOUT
    from .progress import Display

    memory = options.bytes
    written, read = files_of(jobs)
    guard([*written, options.report], read)
    if jobs[0].path == STDIN or jobs[0].output == STDOUT:
        if options.resume:
            raise PlanError("--resume: needs files as inputs and outputs, not stdin or stdout")
    elif options.resume or several:
        settings = settings.signed(jobs[0].format, __version__)
    if options.ship and any(job.mask or job.frames for job in jobs):
        raise PlanError("--ship: sends images only; give the workers access to masks and keypoints, and omit --ship")
    if options.shard is not None:
        jobs = take_shard(jobs, options.shard)
        if not jobs:
            say(f"warning: shard {options.shard} has no images")
    if options.dry_run:
        return _show_plan(jobs, settings, messages, resume=options.resume)
    if jobs and jobs[0].path == STDIN:
        jobs = [jobs[0]._replace(data=read_stdin())]
    settings = replace(settings, workers=options.workers or _workers(jobs, settings, options))
    batch = Batch(
        workers=min(options.jobs or workers_for_files(job.path for job in jobs), max(1, len(jobs))),
        memory=memory,
        resume=options.resume,
        max_failures=1 if options.fail_fast else options.max_failures,
        scheduler=options.scheduler,
        ship=options.ship,
        sharing=options.shard is not None,
    )
    report = Report(len(jobs))
    label = "sift" if len(jobs) != 1 else one_line(jobs[0].path)
    with _reported(options.report, jobs, settings, report, settings.overwrite or options.resume) as table:
        display = Display(report, label, messages)

        def on_result(result: Result) -> None:
            if result.data is not None:
                write_stdout(result.data)
            display.show(result)
            if table is not None:
                table.add(result)
            if messages.as_json:
                write_json(result.record())

        try:
            with display:
                why = execute(jobs, settings, on_result, batch)
        except (KeyboardInterrupt, OutputError):
            if report.left and report.done and settings.signature is not None:
                say("to continue, repeat the command with --resume")
            raise
        if why is not None:
            say(f"error: {why}; to continue, repeat the command with --resume")
    return report.exit_status


def _workers(jobs: Sequence[Job], settings: Settings, options: RunOptions) -> int:
    """Return how many workers share an image: several for a single large one, as memory allows; else one."""
    from ..batch.execute import memory_limit
    from ..batch.units import predicted_memory, size_of, workers_for_size

    if len(jobs) != 1 or options.scheduler is not None:
        return 1
    width, height = size_of(jobs[0])
    limit = memory_limit(options.bytes)
    workers = workers_for_size(width, height, settings.detector, limit)
    if workers > 1:
        return workers
    needed = predicted_memory(width, height, settings.detector)
    if limit is not None and needed > limit:
        of = f"--memory {options.memory}" if options.memory else "what is free"
        say(f"warning: {one_line(jobs[0].path)}: may take {needed >> 20} MB of memory, more than {of}")
    return 1


def _show_plan(jobs: Sequence[Job], settings: Settings, messages: Messages, *, resume: bool) -> int:
    """Print the jobs on stdout; with --resume, also which of them are up to date."""
    from ..batch.states import job_states

    states: dict[int, str] = {}
    if resume and settings.signature is not None:
        found = job_states(jobs, settings.signature, overwrite=settings.overwrite)
        states = {id(job): state for job, state in found}
    for job in jobs:
        state = states.get(id(job), "new")
        status = {"done": "skipped", "stale": "planned again", "unknown": "planned again"}.get(state, "planned")
        if messages.as_json:
            write_json({"path": job.path, "output": job.output, "status": status})
        else:
            output = f"{job.output}: {job.name}" if job.shared else job.output
            note = "" if status == "planned" else f" ({status})"
            write_stdout(f"{one_line(job.path)} -> {one_line(output)}{note}\n".encode())
    if not messages.quiet:
        skipped = sum(state == "done" for state in states.values())
        anew = sum(state in ("stale", "unknown") for state in states.values())
        planned = f"{counted(len(jobs) - skipped, 'image')} to process" + (f" ({anew:,} again)" if anew else "")
        say(f"{planned}, {skipped:,} up to date; nothing was written")
    return 0


@contextmanager
def _reported(
    path: str | None, jobs: Sequence[Job], settings: Settings, report: Report, overwrite: bool
) -> Iterator[ReportFile | None]:
    """Write the report when the block ends, also by an error or an interrupt."""
    if path is None:
        yield None
        return
    from ..batch.report_file import ReportFile
    from ..errors import SiftError

    table = ReportFile(path, overwrite=overwrite)
    start, began = time.perf_counter(), time.time()
    status = 1
    try:
        yield table
        status = report.exit_status
    except KeyboardInterrupt:
        status = INTERRUPTED
        raise
    except (PlanError, ParameterError):
        status = 2
        raise
    finally:
        try:
            table.write(
                jobs,
                {
                    "version": __version__,
                    "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
                    "seconds": round(time.perf_counter() - start, 3),
                    "exit_status": status,
                    "parameters": dict(settings.parameters),
                },
            )
        except SiftError as error:
            if status != 0:  # the first error matters more
                say(f"error: {error}")
            else:
                raise
