"""Display of a batch on stderr: progress on a terminal, and lines for errors, warnings and results."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from ..batch.report import Report, Result
from ..words import counted
from .streams import one_line, say

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Display"]

_PATIENCE = 1.0
"""Seconds that one image may take before progress is shown."""
INTERVAL = 5.0
"""Seconds between lines of progress, where there is no terminal."""


class Display:
    """The account of a batch as the user sees it; a context manager around the batch.

    Parameters
    ----------
    report : Report
        Counts what is told to `show`.
    label : str
        What is being worked on.
    quiet : bool
        Errors only.
    verbose : bool
        A line for each result.
    """

    def __init__(self, report: Report, label: str, *, quiet: bool = False, verbose: bool = False) -> None:
        self.report = report
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._label, self._quiet = label, quiet
        # A single image has its line instead of a summary.
        self._each = verbose or (report.total == 1 and not quiet)
        self._progress: Progress | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()  # progress may start in the timer's thread while the batch ends
        self._closed = False
        self._start = self._told = time.perf_counter()

    def __enter__(self) -> Display:
        if self._terminal and not self._quiet:
            if self.report.total > 1:
                self._show_progress()
            else:
                self._timer = threading.Timer(_PATIENCE, self._show_progress)
                self._timer.daemon = True
                self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._closed = True
            if self._progress is not None:
                self._progress.stop()
                self._progress = None
        finished = kind is None or issubclass(kind, KeyboardInterrupt)
        if finished and not self._quiet and self.report.total > 1:
            self._say(self.report.summary(time.perf_counter() - self._start))

    def show(self, result: Result) -> None:
        """Count a result and tell what there is to tell about it."""
        self.report.add(result)
        if not self._quiet:
            for warning in result.warnings:
                self._say(f"warning: {warning}")
        if result.error is not None:
            self._say(f"error: {result.error}")
        elif self._each and result.status == "done":
            where = "" if result.output == "-" else f" to {result.output}"
            self._say(f"{result.path}: {counted(result.keypoints or 0, 'keypoint')}{where} in {result.seconds:.2f} s")
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], advance=1, note=self._note())
        elif (
            not self._terminal and not self._quiet and self.report.left and time.perf_counter() - self._told >= INTERVAL
        ):
            self._told = time.perf_counter()
            self._say(self._line())

    def _line(self) -> str:
        """Sum up how far the batch is."""
        report = self.report
        seen = report.total - report.left
        seconds = self._told - self._start
        rate = (report.done + report.failed) / seconds
        rest = f", about {_duration(report.left / rate)} to go" if rate and report.left else ""
        return f"{seen:,} of {counted(report.total, 'image')}, {self._note()}, {rate:.1f} images/s{rest}"

    def _note(self) -> str:
        report = self.report
        parts = [counted(report.keypoints, "keypoint")]
        seconds = time.perf_counter() - self._start
        if report.pixels and seconds > 0:
            parts.append(f"{report.pixels / seconds / 1e6:.1f} MP/s")
        if report.skipped:
            parts.append(f"{report.skipped:,} skipped")
        if report.failed:
            parts.append(f"{report.failed:,} failed")
        return ", ".join(parts)

    def _say(self, line: str) -> None:
        if self._progress is None:
            say(line)
        else:  # above the progress
            self._progress.console.print(
                f"sift: {one_line(line)}", markup=False, highlight=False, emoji=False, soft_wrap=True
            )

    def _show_progress(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns: list[ProgressColumn]
        text = TextColumn("{task.description}", markup=False)
        if self.report.total > 1:
            note = TextColumn("{task.fields[note]}", markup=False)
            columns = [text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), note]
        else:
            columns = [SpinnerColumn(), text, TimeElapsedColumn()]
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        progress.add_task(one_line(self._label), total=self.report.total, note=self._note())
        with self._lock:
            if not self._closed:
                progress.start()
                self._progress = progress


def _duration(seconds: float) -> str:
    """Say how long something takes, in its two largest units."""
    whole = round(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
