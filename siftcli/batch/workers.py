"""Tasks, one after another in this process or shared among others."""

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
            yield Outcome(task, *attempt(work, task))
        return
    from .crew import Crew  # multiprocessing takes longer to import than a small image takes

    crew = Crew(pickle.dumps(make), jobs, iter(tasks), cost or (lambda _: 0), budget, divide or (lambda task: [task]))
    try:
        yield from crew.run()
    finally:
        crew.stop()
