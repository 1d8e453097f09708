"""Work shared between this process and forked copies of it.

The steps of the engine are NumPy calls of 20 microseconds or so, too short for Python's threads: they spend more time
on waking each other than they gain.  Forked copies share nothing but what :func:`shared_scratch` returned.

To fork takes milliseconds, and a copy is slow until it has pages of its own.  So copies are kept for the next call,
which follows soon where there are many images.  They end when they have had nothing to do for some seconds, when the
process ends that forked them, or when work fails.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn, TypeVar
from weakref import finalize

from .scratch import handed_on, release_shared, shared_count
from .teams import Board, SharingTeam, Team

__all__ = ["dismiss", "share"]

_Result = TypeVar("_Result")
_Common = TypeVar("_Common")

_FORKS = sys.platform == "linux"
"""Elsewhere forking is missing, or breaks the system's libraries."""

_IDLE = 10.0
"""Seconds without work after which a forked process ends.  After half of it, it is not relied on any more."""

_KEPT = 1 << 29
"""Bytes of shared memory, at most, that are kept for the next call, and the processes with it."""


def share(work: Callable[[Team, _Common], _Result], common: Callable[[], _Common], workers: int) -> list[_Result]:
    """Call `work` in so many workers at once, and return the results in their order.

    Number 0 is the caller; the others are forked processes, or, where there is no forking, threads.

    Parameters
    ----------
    work, common : callable
        `work` gets what `common` returns, which threads share and each process makes for itself, with the same
        `shared_scratch`.  Both can be pickled.
    workers : int

    Raises
    ------
    Exception
        The first of any worker.
    ChildProcessError
        If a forked process has ended before its time.
    """
    mine = common()
    if workers == 1:
        return [work(Team(), mine)]
    if not _FORKS:
        return _in_threads(work, mine, workers)
    try:
        staff = _kept.of(workers)
        for number, child in enumerate(staff.children, 1):
            child.link.send((work, common, number))
        links = [child.link for child in staff.children]
        result = work(_Caller(0, workers, staff.board, links), mine)
        results = [result, *(link.receive() for link in links)]
    except BaseException:
        dismiss()  # whatever they are doing
        release_shared(_KEPT)
        raise
    staff.used = time.monotonic()
    if release_shared(_KEPT):
        dismiss()
    return results


def dismiss() -> None:
    """End the processes that are kept for this thread."""
    _kept.end()


class _Link:
    """Two pipes, from and to another process."""

    def __init__(self, source: int, target: int) -> None:
        self.files = source, target
        self._source, self._target = os.fdopen(source, "rb"), os.fdopen(target, "wb")

    def receive(self) -> Any:
        """Return what the other process sends next; raise the exception that it has instead."""
        try:
            value = pickle.load(self._source)
        except (EOFError, pickle.UnpicklingError):
            raise ChildProcessError("a process that shared the work was ended; is there enough memory?") from None
        if isinstance(value, _Failure):
            raise value.error
        return value

    def send(self, value: object) -> None:
        """Send something; that the other process has ended, `receive` tells."""
        with suppress(BrokenPipeError):
            pickle.dump(value, self._target, pickle.HIGHEST_PROTOCOL)
            self._target.flush()

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self._target.close()
        self._source.close()


class _Failure(NamedTuple):
    """What a worker sends instead of a value when it has failed."""

    error: Exception


class _SharedBoard(Board):
    """A board of processes: what they post lies in files in memory."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        for file in (self.tasks, self.givers):
            os.set_blocking(file, False)
        self.posts = [_memory_file() for _ in range(workers + 1)]

    def files(self) -> list[int]:
        return [*super().files(), *self.posts]


def _memory_file() -> int:
    """Open a file that has no name, in memory where Python and the system can."""
    with suppress(AttributeError, OSError):
        return os.memfd_create("sift")
    import tempfile
    from pathlib import Path

    file, name = tempfile.mkstemp()
    Path(name).unlink()
    return file


class _ProcessTeam(SharingTeam):
    """A team as one of its processes sees it."""

    _board: _SharedBoard

    def __init__(self, number: int, size: int, board: _SharedBoard, links: Sequence[_Link]) -> None:
        super().__init__(number, size, board)
        self._links = links

    def _read(self, file: int, size: int) -> bytes:
        # Nothing comes through the links before all tasks are given out and taken, unless something is wrong.
        waiting = select.poll()
        for one in (file, *(link.files[0] for link in self._links)):
            waiting.register(one, select.POLLIN)
        while True:
            ready = [one for one, _ in waiting.poll()]
            if file in ready:
                with suppress(BlockingIOError):  # another worker was quicker
                    return os.read(file, size)
                continue
            for link in self._links:
                if link.files[0] in ready:
                    link.receive()

    def _post(self, owner: int, value: Any) -> None:
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        os.pwrite(self._board.posts[owner], len(data).to_bytes(8, "little") + data, 0)

    def _posted(self, owner: int) -> Any:
        file = self._board.posts[owner]
        return pickle.loads(os.pread(file, int.from_bytes(os.pread(file, 8, 0), "little"), 8))


class _Caller(_ProcessTeam):
    """As number 0 sees it."""

    def meet(self) -> None:
        for link in self._links:
            link.receive()
        for link in self._links:
            link.send(None)


class _Copy(_ProcessTeam):
    """As the others see it, that are linked with number 0 alone."""

    def meet(self) -> None:
        (link,) = self._links
        link.send(None)
        link.receive()


class _Child(NamedTuple):
    """A forked process."""

    pid: int
    link: _Link

    @classmethod
    def start(cls, board: _SharedBoard, workers: int) -> _Child:
        from_child, to_parent = os.pipe()
        from_parent, to_child = os.pipe()
        # The copy leaves interrupts to its parent, which ends it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            with warnings.catch_warnings(), handed_on():
                # Other threads may run, of a display, say; the copy takes none of their locks.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                _serve(from_parent, to_parent, board, workers)
        except BaseException:  # the system has no room for it
            os.close(from_child)
            os.close(to_child)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(to_parent)
            os.close(from_parent)
        return cls(pid, _Link(from_child, to_child))

    def lives(self) -> bool:
        """Whether the process still runs."""
        with suppress(ChildProcessError):  # somebody else has waited for it
            return os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        return False

    def end(self) -> None:
        """End the process if it still runs, and forget it."""
        if self.lives():
            with suppress(ChildProcessError, ProcessLookupError):  # somebody else waits for all children
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)


def _serve(from_parent: int, to_parent: int, board: _SharedBoard, workers: int) -> NoReturn:
    """Be a forked process: do one work after another."""
    try:
        gc.freeze()  # a collection would copy what it visits
        _close_others(from_parent, to_parent, *board.files())
        link = _Link(from_parent, to_parent)
        waiting = select.poll()
        waiting.register(from_parent, select.POLLIN)
        while waiting.poll(1000 * _IDLE):
            work, common, number = link.receive()
            try:
                link.send(work(_Copy(number, workers, board, [link]), common()))
            except Exception as error:
                link.send(_Failure(error))
    finally:
        os._exit(0)  # none of the caller's business at exit


def _close_others(*kept: int) -> None:
    """Let go of the caller's files, all but these: somebody may wait for their end."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in {0, 1, 2}.difference(kept):  # one that was closed may be ours
        os.dup2(null, standard)
    first = 3
    for file in sorted(kept):
        if file < first:
            continue
        os.closerange(first, file)
        first = file + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


class _Staff:
    """Forked processes, and how many shared buffers they know."""

    def __init__(self, workers: int) -> None:
        self.board, self.buffers, self.used = _SharedBoard(workers), shared_count(), time.monotonic()
        self.children: list[_Child] = []
        self.end = finalize(self, _end, os.getpid(), self.children, self.board)  # at the latest when the thread ends
        for _ in range(1, workers):
            self.children.append(_Child.start(self.board, workers))

    def serves(self, workers: int) -> bool:
        """Whether it is of this size, was used of late, knows all shared buffers, and is there."""
        late = time.monotonic() - self.used > _IDLE / 2
        fits = len(self.children) == workers - 1 and self.buffers == shared_count()
        return fits and not late and all(child.lives() for child in self.children)


def _end(owner: int, children: list[_Child], board: _SharedBoard) -> None:
    """End the processes of a staff, or in a copy of the process that forked them, leave them to it."""
    for child in children:
        if os.getpid() == owner:
            child.end()
        child.link.close()
    board.close()


class _Kept(threading.local):
    """The staff that a thread keeps."""

    staff: _Staff | None = None

    def of(self, workers: int) -> _Staff:
        if self.staff is None or not self.staff.serves(workers):
            self.end()
            self.staff = _Staff(workers)
        return self.staff

    def end(self) -> None:
        if self.staff is not None:
            self.staff.end()
        self.staff = None


_kept = _Kept()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _kept.end())


class _ThreadTeam(SharingTeam):
    """A team as one of its threads sees it."""

    def __init__(self, number: int, size: int, board: Board, posts: list[Any], barrier: threading.Barrier) -> None:
        super().__init__(number, size, board)
        self._posts, self._barrier = posts, barrier

    def meet(self) -> None:
        self._barrier.wait()

    def _post(self, owner: int, value: Any) -> None:
        self._posts[owner] = value

    def _posted(self, owner: int) -> Any:
        return self._posts[owner]


def _in_threads(work: Callable[[Team, _Common], _Result], common: _Common, workers: int) -> list[_Result]:
    from ..threads import share as share_by_threads  # slow to import, and not needed where there is forking

    barrier, board, posts = threading.Barrier(workers), Board(), [None] * (workers + 1)
    errors: list[BaseException] = []

    def one(number: int) -> _Result:
        try:
            return work(_ThreadTeam(number, workers, board, posts, barrier), common)
        except BaseException as error:
            errors.append(error)
            barrier.abort()  # the others would wait for ever
            board.end(workers)
            raise

    try:
        return share_by_threads(one, workers)
    except threading.BrokenBarrierError:  # of one that waited for the one that failed first
        raise errors[0] from None
    finally:
        board.close()
        release_shared(_KEPT)
