"""Work shared between this process and forked copies of it.

The steps of the engine are NumPy calls of 20 microseconds or so, too short for Python's threads: they spend more time
on waking each other than they gain.  Forked copies share nothing but what :func:`shared_scratch` returned.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, TypeVar

__all__ = ["Team", "share"]

_Result = TypeVar("_Result")
_Value = TypeVar("_Value")

_FORKS = sys.platform == "linux"
"""Elsewhere forking is missing, or breaks the system's libraries."""


@dataclass(frozen=True)
class Team:
    """The workers that share some work, as one of them sees it.

    Attributes
    ----------
    number, size : int
        Which of how many workers this is; number 0 is the caller's own process.
    exchange : callable
        Takes a value, waits until every worker has come to the same point, and returns the values of all of them, in
        order.
    """

    number: int = 0
    size: int = 1
    exchange: Callable[[Any], list[Any]] = lambda value: [value]


def share(work: Callable[[Team], _Result], workers: int) -> list[_Result]:
    """Call `work` in so many workers at once, and return the results in their order.

    Number 0 is the caller; the others are forked processes, or, where there is no forking, threads.

    Raises
    ------
    Exception
        The first of any worker.
    ChildProcessError
        If a forked process has ended before its time.
    """
    if workers == 1:
        return [work(Team())]
    if not _FORKS:
        return _in_threads(work, workers)
    children: list[_Child] = []
    try:
        for number in range(1, workers):
            children.append(_Child.start(work, number, workers))

        def exchange(value: _Value) -> list[_Value]:
            values = [value, *(child.receive() for child in children)]
            for child in children:
                child.send(values)
            return values

        result = work(Team(0, workers, exchange))
        return [result, *(child.receive() for child in children)]
    finally:
        for child in children:
            child.end()


@dataclass(frozen=True)
class _Child:
    """A forked process, and the pipes from and to it."""

    pid: int
    source: BinaryIO
    target: BinaryIO

    @classmethod
    def start(cls, work: Callable[[Team], Any], number: int, workers: int) -> _Child:
        from_child, to_parent = os.pipe()
        from_parent, to_child = os.pipe()
        # The copy leaves interrupts to its parent, which ends it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            with warnings.catch_warnings():
                # Other threads may run, of a display, say; the copy takes none of their locks.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                os.close(from_child)
                os.close(to_child)
                _serve(work, number, workers, os.fdopen(from_parent, "rb"), os.fdopen(to_parent, "wb"))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(to_parent)
        os.close(from_parent)
        return cls(pid, os.fdopen(from_child, "rb"), os.fdopen(to_child, "wb"))

    def receive(self) -> Any:
        """Return what the process sends next; raise the exception that it has instead."""
        try:
            value = pickle.load(self.source)
        except (EOFError, pickle.UnpicklingError):
            raise ChildProcessError("a process that shared the work was ended; is there enough memory?") from None
        if isinstance(value, _Failure):
            raise value.error
        return value

    def send(self, value: object) -> None:
        with suppress(BrokenPipeError):  # `receive` tells why
            _send(value, self.target)

    def end(self) -> None:
        """End the process if it still runs, and forget it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        with suppress(BrokenPipeError):
            self.target.close()
        self.source.close()


@dataclass(frozen=True)
class _Failure:
    """What a worker sends instead of a value when it has failed."""

    error: Exception


def _send(value: object, target: BinaryIO) -> None:
    pickle.dump(value, target, pickle.HIGHEST_PROTOCOL)
    target.flush()


def _serve(work: Callable[[Team], Any], number: int, workers: int, source: BinaryIO, target: BinaryIO) -> NoReturn:
    """Do the work of a forked process, and end it."""
    try:
        gc.disable()  # a collection would copy what it visits

        def exchange(value: object) -> list[Any]:
            _send(value, target)
            values: list[Any] = pickle.load(source)
            return values

        try:
            _send(work(Team(number, workers, exchange)), target)
        except Exception as error:
            _send(_Failure(error), target)
    finally:
        os._exit(0)  # none of the caller's business at exit


def _in_threads(work: Callable[[Team], _Result], workers: int) -> list[_Result]:
    from .threads import share as share_by_threads  # slow to import, and not needed where there is forking

    barrier = threading.Barrier(workers)
    values: list[Any] = [None] * workers

    def one(number: int) -> _Result:
        def exchange(value: Any) -> list[Any]:
            values[number] = value
            barrier.wait()
            everything = list(values)
            barrier.wait()
            return everything

        try:
            return work(Team(number, workers, exchange))
        except BaseException:
            barrier.abort()  # the others would wait for ever
            raise

    return share_by_threads(one, workers)
