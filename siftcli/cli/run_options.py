"""The options of commands that process many images: how the batch is run."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import click

from ..errors import PlanError
from ..machine import MOST_WORKERS
from .guard import WRITTEN
from .options import all_of, option

__all__ = ["RunOptions", "cluster_options", "memory_option", "run_options"]

memory_option = option(
    "--memory",
    group="Batch",
    setting=True,
    metavar="SIZE",
    help="Limit the predicted memory of images in progress, such as 4G or 500M; one image is always processed.",
    note="default: 80 % of what is free",
)
"""``--memory``."""

cluster_options = all_of(
    [
        option(
            "--scheduler",
            group="Batch",
            metavar="ADDRESS",
            help="Process images on the workers of a Dask scheduler: tcp://host:8786, or the scheduler's file. "
            "Needs siftcli[cluster].",
        ),
        option(
            "--ship", group="Batch", is_flag=True, help="Send image data to Dask workers that cannot read the files."
        ),
    ]
)
"""``--scheduler`` and ``--ship``."""

run_options = all_of(
    [
        option(
            "-j",
            "--jobs",
            group="Batch",
            setting=True,
            type=click.IntRange(min=1),
            metavar="N",
            help="Process N images at a time, each in a process of its own.",
            note="default: the cores",
        ),
        option(
            "--workers",
            group="Batch",
            setting=True,
            type=click.IntRange(min=1),
            metavar="N",
            help="Number of processes (threads on systems without fork) that share one image; the result is the same.",
            note=f"default: 1; for a single large image the cores, at most {MOST_WORKERS}",
        ),
        memory_option,
        option(
            "--resume",
            group="Batch",
            is_flag=True,
            help="Skip images whose output is up to date, and process the others.",
        ),
        option(
            "--dry-run", group="Batch", is_flag=True, help="Print what would be read and written, without doing it."
        ),
        option(
            "--report",
            group="Batch",
            metavar="FILE",
            type=WRITTEN,
            help="Write a report of all images to a .json or .csv file.",
        ),
        option("--fail-fast", group="Batch", is_flag=True, help="Stop after the first image that fails."),
        option(
            "--max-failures",
            group="Batch",
            type=click.IntRange(min=1),
            metavar="N",
            help="Stop after N images have failed.",
        ),
        option(
            "--shard",
            group="Batch",
            metavar="K/N",
            help="Process only the K-th of N parts of the images, for N runs of one command on different machines.",
        ),
        cluster_options,
    ]
)
"""Options that determine how a batch is run."""


class RunOptions(NamedTuple):
    """The values of `run_options`, by their names."""

    jobs: int | None
    workers: int | None
    memory: str | None
    resume: bool
    dry_run: bool
    report: str | None
    fail_fast: bool
    max_failures: int | None
    shard: str | None
    scheduler: str | None
    ship: bool

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> RunOptions:
        """Remove these values from the options of a command.

        Raises
        ------
        PlanError
            If they exclude each other.
        """
        return cls(**{name: given.pop(name) for name in cls._fields})._checked()

    @classmethod
    def for_extraction(cls, jobs: int | None, memory: str | None, scheduler: str | None, ship: bool) -> RunOptions:
        """Return the options of a run that does what is missing; PlanError if they exclude each other."""
        return cls(jobs, None, memory, True, False, None, False, None, None, scheduler, ship)._checked()

    def _checked(self) -> RunOptions:
        if self.fail_fast and self.max_failures is not None:
            raise PlanError("--fail-fast and --max-failures exclude each other")
        if self.ship and self.scheduler is None:
            raise PlanError("--ship: needs --scheduler")
        if self.scheduler is not None and (self.jobs is not None or self.memory is not None):
            raise PlanError("--scheduler: excludes --jobs and --memory, which limit local processes")
        return self

    @property
    def bytes(self) -> int | None:
        """Bytes of --memory.

        Raises
        ------
        PlanError
            If the value is not a size.
        """
        if self.memory is None:
            return None
        match = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)([KMGT]?)(i?B)?", self.memory.strip(), re.IGNORECASE)
        if match is None or not float(match[1]):
            raise PlanError(f"--memory: must be a size such as 4G or 500M, not {self.memory!r}")
        return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))
