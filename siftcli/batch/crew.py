"""Worker processes that share tasks; if one is killed, only its task is affected.

Workers are spawned, not forked, because forking is unsafe in a process with threads.  They end with the process that
started them.
"""

from __future__ import annotations

import pickle
import signal
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, cast

from ..errors import SiftError, SiftWarning
from ..io.output import reason_of
from ..machine import single_blas_thread
from ..signals import redeliver
from .outcome import Outcome, attempt

__all__ = ["Crew"]

_TRIES = 2
"""Attempts at a task whose worker is killed."""

_PATIENCE = 0.8
"""Seconds that workers have to remove temporary files before they are killed."""


def _serve(make: bytes, connection: Connection) -> None:
    """Run a worker: carry out tasks from the connection until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt ends
    signal.signal(signal.SIGTERM, _leave)
    redeliver("SIGTERM", SystemExit)
    single_blas_thread()
    work = _made(make)
    try:
        with suppress(EOFError, BrokenPipeError, ConnectionResetError):
            while True:
                connection.send(attempt(work, connection.recv()))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # no temporary files are left


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Block SIGINT in this block, and in processes that are started in it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave(*_: object) -> None:
    """Exit by an exception, so that temporary files are removed."""
    raise SystemExit(1)


def _made(make: bytes) -> Callable[[Any], Any]:
    """Unpickle and call `make`; if that fails, return a function that fails with the reason for each task."""
    work, error = attempt(lambda make: pickle.loads(make)(), make)
    if error is None:
        return cast("Callable[[Any], Any]", work)

    def refuse(task: Any) -> Any:
        raise SiftError(error)

    return refuse


@dataclass(frozen=True)
class _Turn:
    """A task, the number of its attempts, and its cost."""

    task: Any
    tries: int
    cost: int


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    turn: _Turn | None = None


@dataclass
class Crew:
    """Worker processes and their tasks; the parameters are those of `workers.run_tasks`."""

    make: bytes
    size: int
    tasks: Iterator[Any]
    cost: Callable[[Any], int]
    budget: int | None
    divide: Callable[[Any], list[Any]]
    workers: list[_Worker] = field(default_factory=list)
    waiting: deque[_Turn] = field(default_factory=deque)

    def run(self) -> Iterator[Outcome[Any, Any]]:
        """Carry out all tasks; yield each outcome as soon as it is known."""
        self._hand_out()
        while busy := [worker for worker in self.workers if worker.turn]:
            ready = wait([worker.connection for worker in busy])
            answers = [self._collect(worker) for worker in busy if worker.connection in ready]
            self._hand_out()  # before the caller processes the answers, so that no worker is idle
            yield from (answer for answer in answers if answer is not None)
        if not self.size:
            yield from self._run_alone()

    def _run_alone(self) -> Iterator[Outcome[Any, Any]]:
        """Carry out the remaining tasks in this process, except those whose worker was killed."""
        work = _made(self.make)
        for turn in chain(self.waiting, (_Turn(task, 0, 0) for task in self.tasks)):
            if turn.tries:
                yield Outcome(turn.task, None, "the worker was killed, and there was no room for another one")
            else:
                yield Outcome(turn.task, *attempt(work, turn.task))

    def _hand_out(self) -> None:
        """Give every idle worker a task, and start workers, as far as the budget allows."""
        while True:
            worker = next((worker for worker in self.workers if worker.turn is None), None)
            if worker is None and len(self.workers) >= self.size:
                return
            if not self.waiting:
                self.waiting.extend(_Turn(task, 0, self.cost(task)) for task in islice(self.tasks, 1))
            if not self.waiting:
                return
            taken = [worker.turn.cost for worker in self.workers if worker.turn]
            if self.budget is not None and taken and sum(taken) + self.waiting[0].cost > self.budget:
                return
            if worker is None:
                try:
                    worker = self._start()
                except OSError as error:
                    self._limit(error)
                    continue
                self.workers.append(worker)
            self._give(worker, self.waiting.popleft())

    def _limit(self, error: OSError) -> None:
        """Continue with the present workers, or with none, because another could not be started."""
        self.size = len(self.workers)
        who = f"{self.size} of the workers do" if self.size > 1 else "one worker does"
        warnings.warn(SiftWarning(f"{(reason_of(error) or '').split(';')[0]}; {who} the work"), stacklevel=2)

    def _start(self) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        try:
            process = context.Process(target=_serve, args=(self.make, theirs), daemon=True)
            with _uninterrupted():
                process.start()
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return _Worker(process, ours)

    def _give(self, worker: _Worker, turn: _Turn) -> None:
        worker.turn = replace(turn, tries=turn.tries + 1)
        with suppress(BrokenPipeError, ConnectionResetError):  # it was killed, which `_collect` notices
            worker.connection.send(turn.task)

    def _collect(self, worker: _Worker) -> Outcome[Any, Any] | None:
        """Read the answer of a worker; if the worker was killed, repeat its task or give it up."""
        turn, worker.turn = worker.turn, None
        assert turn is not None
        try:
            result, error = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            self.workers.remove(worker)
            worker.connection.close()
            worker.process.join()
            if turn.tries < _TRIES:
                alone = 0 if self.budget is None else self.budget
                self.waiting.extendleft(_Turn(part, turn.tries, alone) for part in reversed(self.divide(turn.task)))
                return None
            code = worker.process.exitcode
            result, error = None, f"the worker was killed (status {code}), for want of memory perhaps; use fewer --jobs"
        return Outcome(turn.task, result, error)

    def stop(self) -> None:
        """End all workers, busy or not."""
        for worker in self.workers:
            worker.connection.close()  # an idle worker ends
            if worker.turn is not None:
                worker.process.terminate()
        deadline = time.monotonic() + _PATIENCE
        for worker in self.workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
        self.workers.clear()
