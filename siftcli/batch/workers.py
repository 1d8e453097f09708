"""Tasks shared among processes, so that one that is killed costs its task only.

Workers are started afresh (no forking: it does not mix with threads), import what they need, and take one task after
another.  They end when the process that started them does.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
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

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Outcome(Generic[_Task, _Result]):
    """What became of a task: `result`, or `error`, one line that says why there is none."""

    task: _Task
    result: _Result | None
    error: str | None


def run_tasks(
    tasks: Iterable[_Task], make: Callable[[], Callable[[_Task], _Result]], jobs: int
) -> Iterator[Outcome[_Task, _Result]]:
    """Carry out tasks, in this process or in others.

    Parameters
    ----------
    tasks : iterable
        Begun in this order.
    make : callable
        Called once in every worker; gives what is called with each task.  Like the tasks and the results, it must be
        something that can be pickled, if `jobs` is not 1.
    jobs : int
        Number of processes; 1 is this one.

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
    crew = _Crew(pickle.dumps(make), jobs)
    try:
        yield from crew.run(deque(tasks))
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
    for name in _THREADS:  # before NumPy is imported
        os.environ.setdefault(name, "1")
    work = _made(make)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(_attempt(work, connection.recv()))


def _made(make: bytes) -> Callable[[Any], Any]:
    """Make what carries out tasks; if that is not possible, something that says so at each."""
    work, error = _attempt(lambda make: pickle.loads(make)(), make)
    if error is None:
        return cast("Callable[[Any], Any]", work)

    def refuse(task: Any) -> Any:
        raise SiftError(error)

    return refuse


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    task: Any = None
    tries: int = 0
    """How often its task was begun; 0 while it has none."""


@dataclass
class _Crew:
    """Some workers."""

    make: bytes
    size: int
    workers: list[_Worker] = field(default_factory=list)

    def run(self, tasks: deque[Any]) -> Iterator[Outcome[Any, Any]]:
        """Carry out all tasks."""
        again: deque[tuple[Any, int]] = deque()
        while True:
            for worker in self.workers:
                if not worker.tries and (again or tasks):
                    self._give(worker, *(again.popleft() if again else (tasks.popleft(), 0)))
            while (again or tasks) and len(self.workers) < self.size:
                self.workers.append(self._start())
                self._give(self.workers[-1], *(again.popleft() if again else (tasks.popleft(), 0)))
            busy = [worker for worker in self.workers if worker.tries]
            if not busy:
                return
            ready = wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection in ready:
                    yield from self._collect(worker, again)

    def _start(self) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self.make, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _give(self, worker: _Worker, task: Any, tries: int) -> None:
        worker.task, worker.tries = task, tries + 1
        with suppress(BrokenPipeError, ConnectionResetError):  # it died; that shows when its answer is read
            worker.connection.send(task)

    def _collect(self, worker: _Worker, again: deque[tuple[Any, int]]) -> Iterator[Outcome[Any, Any]]:
        """Take a worker's answer; one that died is let go, and its task begun again or given up."""
        try:
            result, error = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            self.workers.remove(worker)
            worker.connection.close()
            worker.process.join()
            if worker.tries < _TRIES:
                again.append((worker.task, worker.tries))
                return
            code = worker.process.exitcode
            result, error = None, f"the worker was killed (status {code}), for want of memory perhaps; use fewer --jobs"
        task, worker.task, worker.tries = worker.task, None, 0
        yield Outcome(task, result, error)

    def stop(self) -> None:
        """End all workers, whatever they do."""
        for worker in self.workers:
            worker.connection.close()
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
        self.workers.clear()
