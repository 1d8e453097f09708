"""Workers that share the work on an image: this process alone, forked processes, or threads.

A task returns a result and the tasks that follow from it.  The dispatcher, in the calling process, gives the next task
to whichever worker is idle, so all are busy until the end.

Most NumPy calls of the engine take 20 microseconds, which is too short for Python's threads: they spend more time on
waking each other than they gain.  So workers are forked processes where possible.  They share nothing but the buffers
of `workspace.shared_scratch`.  To fork takes milliseconds, and a new process is slow until it has touched its memory;
so processes are kept for the next image.  They end when they have been idle for some seconds, when the process that
forked them ends, or when a task fails.
"""

from __future__ import annotations

import os
import select
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias
from weakref import finalize

from ..errors import SiftWarning, WorkerError
from .processes import ChildProcess, Killed, signals_blocked
from .tuning import TUNING
from .workspace import adopt_shared, release_shared, shared_buffers

__all__ = ["Executor", "Task", "dismiss", "executor"]


Task: TypeAlias = "Callable[[Any], tuple[Any, list[Task]]]"
"""A function of the job, as `functools.partial` makes it.

It returns a result, or None, and the tasks that follow from it.  It is called again if the process that runs it is
killed, so its effects on shared memory have to be repeatable.
"""


class Executor(ABC):
    """Runs tasks."""

    def run(self, job: Any, tasks: Sequence[Task], then: Task | None = None) -> list[Any]:
        """Run tasks and all that follow from them, and return their results in any order.

        Parameters
        ----------
        job : Any
            Argument of every task.  Each process gets a pickled copy of it once, threads share it.
        tasks : sequence of Task
        then : Task, optional
            Starts as soon as `tasks` are done, perhaps before those that follow from them.

        Raises
        ------
        Exception
            The first one that a task raises.
        WorkerError
            If a task's process was killed, and again when the task was repeated.
        """
        results: list[Any] = []
        first = len(tasks)
        waiting = deque((task, True) for task in tasks)
        running = 0
        while True:
            if first == 0 and then is not None:
                waiting.appendleft((then, False))
                then = None
            while waiting and running < self.capacity:
                self.start(job, *waiting.popleft())
                running += 1
            if not running:
                return results
            (result, following), is_first = self.finished()
            running -= 1
            first -= is_first
            if result is not None:
                results.append(result)
            waiting.extend((task, False) for task in following)

    @property
    @abstractmethod
    def capacity(self) -> int:
        """How many tasks may run at the same time."""

    @abstractmethod
    def start(self, job: Any, task: Task, tag: bool) -> None:
        """Start a task; fewer than `capacity` are running."""

    @abstractmethod
    def finished(self) -> tuple[tuple[Any, list[Task]], bool]:
        """Wait until a task is done; return its result, the tasks that follow, and its tag."""


@contextmanager
def executor(workers: int) -> Iterator[Executor]:
    """Provide workers, which share all `shared_scratch` buffers that this thread has when they start.

    If the system has no room for as many processes, there is one worker, and a warning.
    """
    if workers == 1:
        yield _Serial()
    elif TUNING.forks:
        try:
            processes = _kept.take(workers)
        except OSError as error:
            warnings.warn(
                f"cannot start {workers} workers ({error.strerror}): one does the work", SiftWarning, stacklevel=5
            )
            yield _Serial()
            return
        try:
            yield processes
        except BaseException:
            dismiss()  # tasks may be running
            raise
        finally:
            processes.last_used = time.monotonic()
            if release_shared(TUNING.kept_bytes):
                dismiss()
    else:
        threads = _Threads(workers)
        try:
            yield threads
        finally:
            threads.end()
            release_shared(TUNING.kept_bytes)


def dismiss() -> None:
    """End the processes that are kept for this thread."""
    _kept.end()


class _Serial(Executor):
    """Runs one task at a time, in this process."""

    capacity = 1

    def start(self, job: Any, task: Task, tag: bool) -> None:
        self._outcome = task(job), tag

    def finished(self) -> tuple[tuple[Any, list[Task]], bool]:
        return self._outcome


class _Threads(Executor):
    """Runs tasks in threads."""

    def __init__(self, workers: int) -> None:
        from concurrent.futures import Future, ThreadPoolExecutor  # slow to import

        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, initializer=adopt_shared, initargs=(shared_buffers(),))
        self._running: dict[Future[Any], bool] = {}

    @property
    def capacity(self) -> int:
        return self._workers

    def start(self, job: Any, task: Task, tag: bool) -> None:
        self._running[self._pool.submit(task, job)] = tag

    def finished(self) -> tuple[tuple[Any, list[Task]], bool]:
        from concurrent.futures import FIRST_COMPLETED, wait

        future = wait(self._running, return_when=FIRST_COMPLETED).done.pop()
        tag = self._running.pop(future)
        return future.result(), tag

    def end(self) -> None:
        """Wait for the threads."""
        self._pool.shutdown(cancel_futures=True)


# --- processes


class _Processes(Executor):
    """Runs tasks in forked processes."""

    def __init__(self, workers: int) -> None:
        self.workers, self.buffers, self.last_used = workers, shared_buffers(), time.monotonic()
        self.children: list[ChildProcess] = []
        self.end = finalize(self, _end, os.getpid(), self.children)  # or, if nobody calls it, when the thread ends
        try:
            with signals_blocked():
                for _ in range(workers):
                    self.children.append(ChildProcess.fork(self.buffers))
        except BaseException:
            self.end()
            raise

    def serves(self, workers: int) -> bool:
        """True if that many processes run, were used lately, and have access to all shared buffers."""
        now = shared_buffers()
        known = self.buffers.keys() == now.keys() and all(self.buffers[name] is now[name] for name in now)
        lately = time.monotonic() - self.last_used < TUNING.idle_seconds / 2
        return workers == self.workers and known and lately and all(child.is_alive() for child in self.children)

    @property
    def capacity(self) -> int:
        return len(self.children)

    def start(self, job: Any, task: Task, tag: bool) -> None:
        next(child for child in self.children if child.task is None).send(job, task, tag)

    def finished(self) -> tuple[tuple[Any, list[Task]], bool]:
        while True:
            waiting = select.poll()
            busy = {child.source.fileno(): child for child in self.children if child.task is not None}
            for file in busy:
                waiting.register(file, select.POLLIN)
            child = busy[waiting.poll()[0][0]]
            try:
                return child.receive(), child.tag
            except Killed:
                self._replace(child)

    def _replace(self, child: ChildProcess) -> None:
        """Let another process repeat the task of one that was killed."""
        self.children.remove(child)
        child.end()
        child.close()
        message = "a worker process was killed{}; is there enough memory? Use fewer workers"
        if child.is_second_try:
            raise WorkerError(message.format(" twice"))
        try:
            with signals_blocked():
                other = ChildProcess.fork(self.buffers)
                self.children.append(other)
        except OSError as error:
            raise WorkerError(message.format(f", and no other can be started ({error.strerror})")) from None
        assert child.task is not None
        other.send(child.job, child.task, child.tag)
        other.is_second_try = True


def _end(owner: int, children: list[ChildProcess]) -> None:
    """End processes; in a fork of the process that started them, only close the pipes to them."""
    for child in children:
        if os.getpid() == owner:
            child.end()
        child.close()
    children.clear()


class _Kept(threading.local):
    """The processes that a thread keeps."""

    processes: _Processes | None = None

    def take(self, workers: int) -> _Processes:
        """Return those that are kept, if they serve, or new ones."""
        if self.processes is None or not self.processes.serves(workers):
            self.end()
            self.processes = _Processes(workers)
        return self.processes

    def end(self) -> None:
        """End those that are kept."""
        if self.processes is not None:
            self.processes.end()
        self.processes = None


_kept = _Kept()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _kept.end())
