"""How workers share tasks: whoever has time takes the next one, of whomever it is."""

from __future__ import annotations

import os
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Board", "Rest", "SharingTeam", "Team"]

Rest = Callable[[], "tuple[Any, int]"]

_TASK = struct.Struct("=HH")
"""The owner of a task and its index, as they stand in a pipe."""
_NO_TASK = _TASK.pack(0xFFFF, 0)
_COUNT = struct.Struct("=H")


class Team:
    """The workers that share some work, as one of them sees it; this one is alone.

    Attributes
    ----------
    number, size : int
        Which of how many workers this is; number 0 is the caller.
    """

    def __init__(self, number: int = 0, size: int = 1) -> None:
        self.number, self.size = number, size

    def meet(self) -> None:
        """Wait until every worker has come to this point."""

    def divide(self, value: Any, count: int, rest: Rest | None = None) -> Iterator[tuple[Any, int]]:
        """Give out tasks, and take tasks of any worker until there are none.

        Every worker has to call this and to go through it.

        Parameters
        ----------
        value : Any
            What its tasks are about.
        count : int
        rest : callable, optional
            Returns another value and count; called by a single worker, once all have given out theirs.

        Yields
        ------
        value : Any
            Of the owner of the task.
        index : int
            Of the task, below its owner's count.
        """
        yield from ((value, i) for i in range(count))
        if rest is not None:
            yield from self.divide(*rest())


class Board:
    """Where the workers of a team put tasks.

    Pipes do what locks and counters would: they hand out whole tasks, each to one that asks, in the order in which
    they were put in, and let those wait that come too early.
    """

    def __init__(self) -> None:
        self.tasks, self._put_tasks = os.pipe()
        self.givers, self._put_givers = os.pipe()
        self.count_givers(0)

    def files(self) -> list[int]:
        """All descriptors that are open for it."""
        return [self.tasks, self._put_tasks, self.givers, self._put_givers]

    def close(self) -> None:
        """Close them."""
        for file in self.files():
            os.close(file)

    def put(self, owner: int, count: int) -> None:
        """Add tasks."""
        os.write(self._put_tasks, b"".join(_TASK.pack(owner, i) for i in range(count)))

    def end(self, size: int) -> None:
        """Tell so many workers that there are no more tasks."""
        os.write(self._put_tasks, _NO_TASK * size)

    def count_givers(self, count: int) -> None:
        """Say how many workers have given out tasks; who wants to know takes the number away."""
        os.write(self._put_givers, _COUNT.pack(count))


class SharingTeam(Team, ABC):
    """A team of several; how its workers reach each other is for subclasses to say."""

    def __init__(self, number: int, size: int, board: Board) -> None:
        super().__init__(number, size)
        self._board = board

    def divide(self, value: Any, count: int, rest: Rest | None = None) -> Iterator[tuple[Any, int]]:
        """As of the base class."""
        board, known = self._board, {self.number: value}
        self._give(self.number, value, count)
        (before,) = _COUNT.unpack(self._read(board.givers, _COUNT.size))
        board.count_givers((before + 1) % self.size)
        if before + 1 == self.size:
            if rest is not None:
                known[self.size], count = rest()
                self._give(self.size, known[self.size], count)
            board.end(self.size)
        while (task := self._read(board.tasks, _TASK.size)) != _NO_TASK:
            owner, index = _TASK.unpack(task)
            if owner not in known:
                known[owner] = self._posted(owner)
            yield known[owner], index

    def _give(self, owner: int, value: Any, count: int) -> None:
        if count:
            self._post(owner, value)
            self._board.put(owner, count)

    def _read(self, file: int, size: int) -> bytes:
        """Read from one of the board's files."""
        return os.read(file, size)

    @abstractmethod
    def _post(self, owner: int, value: Any) -> None:
        """Let all workers see a value; owners are 0 to size."""

    @abstractmethod
    def _posted(self, owner: int) -> Any:
        """Return the value that this owner has posted."""
