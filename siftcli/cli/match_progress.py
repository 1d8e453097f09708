"""Display of a run over many image pairs on stderr: progress with the time left, errors, and a summary."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from ..batch.match_run import PairResult
from ..words import counted
from .streams import one_line, say

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["PairDisplay"]

_EVERY = 10.0
"""Seconds between lines, where there is no terminal."""


class PairDisplay:
    """The account of a run, and its exit status; a context manager around it.

    Parameters
    ----------
    total : int
        Steps of it.
    label : str
        What one is.
    done : int
        Those of an earlier run.
    quiet, verbose : bool
        Errors only; a line for each pair.
    """

    def __init__(self, total: int, label: str, *, done: int = 0, quiet: bool = False, verbose: bool = False) -> None:
        self.total, self.done, self.failed = total, done, 0
        self.matches = self.inliers = 0
        self._label, self._quiet, self._verbose = label, quiet, verbose
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._earlier = done
        self._progress: Progress | None = None
        self._start = self._told = time.perf_counter()

    @property
    def exit_status(self) -> int:
        """0 if nothing failed, else 1."""
        return 1 if self.failed else 0

    def __enter__(self) -> PairDisplay:
        if self._terminal and not self._quiet:
            self._show_progress()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def step(self) -> None:
        """Count a step that has no result."""
        self.done += 1
        self._tell()

    def show(self, result: PairResult) -> None:
        """Count a pair, and tell what there is to tell about it."""
        if result.error is not None:
            self.failed += 1
            self._say(f"error: {result.error}")
        else:
            self.done += 1
            self.matches += result.matches or 0
            self.inliers += result.inliers or 0
            if self._verbose:
                inliers = "" if result.inliers is None else f", {result.inliers:,} inliers"
                names = ", ".join(name for name in result.names if name)
                self._say(f"{names}: {counted(result.matches or 0, 'match')}{inliers} in {result.seconds:.2f} s")
        self._tell()

    def summary(self, verified: bool) -> str:
        """Sum the run up in one line."""
        inliers = f", {self.inliers:,} of them inliers" if verified else ""
        failed = f", {self.failed:,} failed" if self.failed else ""
        earlier = f" ({self._earlier:,} of them earlier)" if self._earlier else ""
        left = self.total - self.done - self.failed
        unfinished = f", {left:,} not reached" if left else ""
        seconds = time.perf_counter() - self._start
        matches = counted(self.matches, "match")
        return f"{self._counted()} done{earlier}{failed}{unfinished}: {matches}{inliers} in {seconds:.1f} s"

    def _tell(self) -> None:
        if self._progress is not None:
            failed = f"{self.failed:,} failed" if self.failed else ""
            self._progress.update(self._progress.task_ids[0], completed=self.done + self.failed, note=failed)
        elif (
            not self._quiet
            and not self._terminal
            and self.done + self.failed < self.total
            and time.perf_counter() - self._told > _EVERY
        ):
            self._told = time.perf_counter()
            here = self.done + self.failed - self._earlier
            left = (self.total - self.done - self.failed) * (self._told - self._start) / max(1, here)
            failed = f", {self.failed:,} failed" if self.failed else ""
            say(f"{self._counted()} of {self.total:,} done{failed}, about {left:.0f} s left")

    def _counted(self) -> str:
        return f"{self.done:,} {self._label}{'' if self.done == 1 else 's'}"

    def _say(self, line: str) -> None:
        if self._progress is None:
            say(line)
        else:  # above the progress
            self._progress.console.print(
                f"sift: {one_line(line)}", markup=False, highlight=False, emoji=False, soft_wrap=True
            )

    def _show_progress(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        note = TextColumn("{task.fields[note]}", markup=False)
        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), note)
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._progress.add_task(f"{self._label}s", total=self.total, completed=self.done, note="")
        self._progress.start()
