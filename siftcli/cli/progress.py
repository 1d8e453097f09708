"""Display of a run on stderr: progress on a terminal, and lines for errors, warnings and results."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from ..batch.tally import Tally
from ..words import counted
from .messages import Messages
from .streams import one_line, say

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Display"]

_PATIENCE = 1.0
"""Seconds that a single item may take before progress is shown."""
INTERVAL = 5.0
"""Seconds between lines of progress, where there is no terminal."""


class _Result(Protocol):
    @property
    def status(self) -> str: ...
    @property
    def error(self) -> str | None: ...


class Display:
    """Progress and messages of a run; a context manager around the run.

    Parameters
    ----------
    report : Tally
        Counts the results, and words what is said about them.
    label : str
        What is being worked on.
    messages : Messages
        Which messages to print.
    summary : bool
        Print a summary at the end; for a single item, its line instead.
    """

    def __init__(self, report: Tally[Any], label: str, messages: Messages, *, summary: bool = True) -> None:
        self.report = report
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._label, self._quiet = label, messages.quiet
        self._each = messages.verbose or (report.total == 1 and summary and not messages.quiet)
        self._summary = summary and report.total > 1 and not messages.quiet
        self._progress: Progress | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()  # progress may start in the timer's thread while the run ends
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
        if self._summary and (kind is None or issubclass(kind, KeyboardInterrupt)):
            self._say(self.report.summary(self._seconds()))

    def show(self, result: _Result) -> None:
        """Count a result, and print what there is to say about it."""
        self.report.add(result)
        if not self._quiet:
            for warning in self.report.warnings(result):
                self._say(f"warning: {warning}")
        if result.error is not None:
            self._say(f"error: {result.error}")
        elif self._each and result.status == "done":
            self._say(self.report.line(result))
        self._advance()

    def step(self) -> None:
        """Count an item that has no result to show."""
        self.report.done += 1
        self._advance()

    def _seconds(self) -> float:
        return time.perf_counter() - self._start

    def _advance(self) -> None:
        """Move the bar, or print a line of progress if it is time for one."""
        report = self.report
        if self._progress is not None:
            done = report.total - report.left
            self._progress.update(self._progress.task_ids[0], completed=done, note=report.note(self._seconds()))
        elif not self._terminal and not self._quiet and report.left and time.perf_counter() - self._told >= INTERVAL:
            self._told = time.perf_counter()
            self._say(self._line())

    def _line(self) -> str:
        """Sum up how far the run is."""
        report, seconds = self.report, self._told - self._start
        rate = (report.done + report.failed) / seconds
        parts = [
            f"{report.total - report.left:,} of {counted(report.total, report.unit)}",
            report.note(self._seconds()),
        ]
        parts.append(f"{rate:.1f} {report.unit}s/s")
        if rate:
            parts.append(f"about {_duration(report.left / rate)} to go")
        return ", ".join(filter(None, parts))

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
        report = self.report
        if report.total > 1:
            note = TextColumn("{task.fields[note]}", markup=False)
            columns = [text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), note]
        else:
            columns = [SpinnerColumn(), text, TimeElapsedColumn()]
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        note_now, done = report.note(self._seconds()), report.total - report.left
        progress.add_task(one_line(self._label), total=report.total, completed=done, note=note_now)
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
