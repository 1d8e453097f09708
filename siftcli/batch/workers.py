"""Tasks shared among processes, so that one that is killed costs its task only.

Workers are started afresh (no forking: it does not mix with threads), import what they need, and take one task after
another.  They end when the process that started them does.
"""

from __future__ import annotations

import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from ..errors import SiftError

__all__ = ["Outcome", "run_tasks"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

_TRIES = 2
"""How often a task is begun before it is given up, if the worker dies of it."""

_PATIENCE = 0.8
"""Seconds that workers have to tidy up before they are killed."""

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Outcome(Generic[_Task, _Result]):
    """What became of a task: `result`, or `error`, one line that says why there is none."""

    task: _Task
    result: _Result | None
    error: str | None


def run_tasks(
    tasks: Iterable[_Task],
    make: Callable[[], Callable[[_Task], _Result]],
    jobs: int,
    *,
    cost: Callable[[_Task], int] | None = None,
    budget: int | None = None,
    divide: Callable[[_Task], list[_Task]] | None = None,
) -> Generator[Outcome[_Task, _Result]]:
    """Carry out tasks, in this process or in others.

    Parameters
    ----------
    tasks : iterable
        Begun in this order, and asked for no sooner.
    make : callable
        Called once in every worker; gives what is called with each task.  Like the tasks and the results, it must be
        something that can be pickled, if `jobs` is not 1.
    jobs : int
        Number of processes; 1 is this one.
    cost : callable, optional
        What a task takes of the budget while it is worked on.
    budget : int, optional
        A task that would exceed it waits until others are done; it is begun in any case when there are none.
    divide : callable, optional
        Gives the tasks to begin in place of one that a worker died of; by default it is begun again as it is.  With a
        budget, they are worked on one at a time.

    Yields
    ------
    Outcome
        Of every task, as soon as it is known.
    """
    if jobs == 1:
        work = make()
        for task in tasks:
            yield Outcome(task, *_attempt(work, task))
        return
    crew = _Crew(pickle.dumps(make), jobs, iter(tasks), cost or (lambda _: 0), budget, divide or (lambda task: [task]))
    try:
        yield from crew.run()
    finally:
        crew.stop()


def _attempt(work: Callable[[Any], Any], task: Any) -> tuple[Any, str | None]:
    """Carry out one task; result and error."""
    try:
        return work(task), None
    except SiftError as error:
        return None, str(error)
    except MemoryError:
        return None, "needs more memory than there is; use fewer --jobs"
    except Exception as error:  # a fault of ours must not cost the tasks that are still to come
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
        return None, f"internal error, please report it: {type(error).__name__}{place}: {error}"


def _serve(make: bytes, connection: Connection) -> None:
    """Be a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started it decides
    signal.signal(signal.SIGTERM, _leave)
    for name in _THREADS:  # before NumPy is imported
        os.environ.setdefault(name, "1")
    work = _made(make)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(_attempt(work, connection.recv()))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep Ctrl-C from a process that is started in this block, and from this one until its end."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave(*_: object) -> None:
    """End as an exception does, which removes temporary files."""
    raise SystemExit(1)


def _made(make: bytes) -> Callable[[Any], Any]:
    """Make what carries out tasks; if that is not possible, something that says so at each."""
    work, error = _attempt(lambda make: pickle.loads(make)(), make)
    if error is None:
        return cast("Callable[[Any], Any]", work)

    def refuse(task: Any) -> Any:
        raise SiftError(error)

    return refuse


@dataclass(frozen=True)
class _Turn:
    """A task, how often it was begun, and what it costs."""

    task: Any
    tries: int
    cost: int


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    turn: _Turn | None = None


@dataclass
class _Crew:
    """Some workers, and the tasks for them."""

    make: bytes
    size: int
    tasks: Iterator[Any]
    cost: Callable[[Any], int]
    budget: int | None
    divide: Callable[[Any], list[Any]]
    workers: list[_Worker] = field(default_factory=list)
    waiting: deque[_Turn] = field(default_factory=deque)

    def run(self) -> Iterator[Outcome[Any, Any]]:
        """Carry out all tasks."""
        self._hand_out()
        while busy := [worker for worker in self.workers if worker.turn]:
            ready = wait([worker.connection for worker in busy])
            answers = [self._collect(worker) for worker in busy if worker.connection in ready]
            self._hand_out()  # so that no worker waits for what is done with the answers
            yield from (answer for answer in answers if answer is not None)

    def _hand_out(self) -> None:
        """Give every worker a task, as far as there are tasks and the budget allows."""
        while True:
            worker = next((worker for worker in self.workers if worker.turn is None), None)
            if worker is None and len(self.workers) == self.size:
                return
            if not self.waiting:
                self.waiting.extend(_Turn(task, 0, self.cost(task)) for task in islice(self.tasks, 1))
            if not self.waiting:
                return
            taken = [worker.turn.cost for worker in self.workers if worker.turn]
            if self.budget is not None and taken and sum(taken) + self.waiting[0].cost > self.budget:
                return
            if worker is None:
                worker = self._start()
                self.workers.append(worker)
            self._give(worker, self.waiting.popleft())

    def _start(self) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self.make, theirs), daemon=True)
        with _uninterrupted():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _give(self, worker: _Worker, turn: _Turn) -> None:
        worker.turn = replace(turn, tries=turn.tries + 1)
        with suppress(BrokenPipeError, ConnectionResetError):  # it died; that shows when its answer is read
            worker.connection.send(turn.task)

    def _collect(self, worker: _Worker) -> Outcome[Any, Any] | None:
        """Take a worker's answer; one that died is let go, and its task begun again or given up."""
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
        """End all workers, whatever they do."""
        for worker in self.workers:
            worker.connection.close()  # which ends those that wait for a task
            if worker.turn is not None:
                worker.process.terminate()
        deadline = time.monotonic() + _PATIENCE
        for worker in self.workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
        self.workers.clear()
