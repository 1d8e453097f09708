"""Carrying out tasks in this process, or in several processes."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from .outcome import Outcome, attempt

__all__ = ["run_tasks"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


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
        Begun in this order; consumed as workers become idle.
    make : callable
        Called once in every worker; returns the function that is called with each task.  If `jobs` is not 1, `make`,
        the tasks and the results are pickled.
    jobs : int
        Number of processes; 1 is this one.
    cost : callable, optional
        Share of the budget that a task takes while it is in progress.
    budget : int, optional
        A task that would exceed it waits until other tasks are done; a task is never refused if no other is running.
    divide : callable, optional
        Returns the tasks that replace one whose worker was killed; by default, the same task.  With a budget, they run
        one at a time.

    Yields
    ------
    Outcome
        The outcome of every task, as soon as it is known.
    """
    if jobs == 1:
        work = make()
        for task in tasks:
            yield Outcome(task, *attempt(work, task))
        return
    from .crew import Crew  # multiprocessing takes longer to import than a small image takes

    crew = Crew(pickle.dumps(make), jobs, iter(tasks), cost or (lambda _: 0), budget, divide or (lambda task: [task]))
    try:
        yield from crew.run()
    finally:
        crew.stop()
