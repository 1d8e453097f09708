"""Forked processes that run one task after the other."""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, NoReturn

from .tuning import TUNING
from .workspace import adopt_shared

__all__ = ["ChildProcess", "Killed", "signals_blocked"]


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Hold back the signals that interrupt a terminal's programs.

    A child that is forked meanwhile never gets them: its parent ends it.  The parent gets them at the end, when it
    knows all its children.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Killed(Exception):
    """A process has ended without an answer."""


class _Failure(NamedTuple):
    """The answer of a process whose task raised an exception."""

    error: Exception


class ChildProcess:
    """A forked process, the pipes to it, and what it is doing.

    Attributes
    ----------
    job : Any
        The one that the process has a copy of.
    task : callable or None
        What the process is doing; called with the job.
    tag : Any
        Belongs to the task.
    is_second_try : bool
        Whether the task has been repeated, because another process was killed.
    """

    def __init__(self, pid: int, source: int, target: int) -> None:
        self.pid, self.source, self.target = pid, os.fdopen(source, "rb"), os.fdopen(target, "wb")
        self.job: Any = None
        self.task: Callable[[Any], Any] | None = None
        self.tag: Any = None
        self.is_second_try = False

    @classmethod
    def fork(cls, buffers: dict[str, Any]) -> ChildProcess:
        """Fork this process, with signals blocked; raise OSError if the system has no room."""
        pipes = [*os.pipe()]
        try:
            pipes += os.pipe()
            from_child, to_parent, from_parent, to_child = pipes
            with warnings.catch_warnings():
                # Other threads may be running, such as a progress display; the child takes none of their locks.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
        except BaseException:
            for file in pipes:
                os.close(file)
            raise
        if pid == 0:
            _serve(from_parent, to_parent, buffers)
        os.close(to_parent)
        os.close(from_parent)
        return cls(pid, from_child, to_child)

    def send(self, job: Any, task: Callable[[Any], Any], tag: Any) -> None:
        """Start a task."""
        message = (None if job is self.job else job), task
        self.job, self.task, self.tag, self.is_second_try = job, task, tag, False
        with suppress(BrokenPipeError):  # `receive` notices
            pickle.dump(message, self.target, pickle.HIGHEST_PROTOCOL)
            self.target.flush()

    def receive(self) -> Any:
        """Wait for the task, and return its result; raise its exception, or `Killed`."""
        try:
            answer = pickle.load(self.source)
        except (EOFError, pickle.UnpicklingError):
            raise Killed from None
        self.task = None
        if isinstance(answer, _Failure):
            raise answer.error
        return answer

    def is_alive(self) -> bool:
        """True while the process runs."""
        with suppress(ChildProcessError):  # somebody else has waited for it
            return os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        return False

    def end(self) -> None:
        """Kill the process."""
        if self.is_alive():
            with suppress(ChildProcessError, ProcessLookupError):  # somebody else waits for all children
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)

    def close(self) -> None:
        """Close the pipes."""
        with suppress(BrokenPipeError):
            self.target.close()
        self.source.close()


def _serve(source: int, target: int, buffers: dict[str, Any]) -> NoReturn:
    """Be a forked process: run one task after the other, until there has been none for a while."""
    try:
        adopt_shared(buffers)
        gc.freeze()  # a collection would copy every page that it visits
        _close_all_but(source, target)
        job, waiting = None, select.poll()
        waiting.register(source, select.POLLIN)
        with os.fdopen(source, "rb") as tasks, os.fdopen(target, "wb") as answers:
            while waiting.poll(1000 * TUNING.idle_seconds):
                other, task = pickle.load(tasks)
                job = job if other is None else other
                try:
                    answer = task(job)
                except Exception as error:
                    answer = _Failure(error)
                pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
                answers.flush()
    finally:
        os._exit(0)  # without the caller's exit handlers


def _close_all_but(*kept: int) -> None:
    """Close the caller's files, whose ends somebody may wait for; standard streams lead to nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in {0, 1, 2}.difference(kept):
        os.dup2(null, standard)
    first = 3
    for file in sorted(kept):
        if file < first:
            continue
        os.closerange(first, file)
        first = file + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
