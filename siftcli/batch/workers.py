"""Tasks, one after another in this process or shared among others."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import SiftError
from ..io.output import reason_of

__all__ = ["Outcome", "attempt", "run_tasks"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class Outcome(Generic[_Task, _Result]):
    """The outcome of a task: `result`, or `error`, one line with the reason."""

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
            yield Outcome(task, *attempt(work, task))
        return
    from .crew import Crew  # multiprocessing takes longer to import than a small image takes

    crew = Crew(pickle.dumps(make), jobs, iter(tasks), cost or (lambda _: 0), budget, divide or (lambda task: [task]))
    try:
        yield from crew.run()
    finally:
        crew.stop()


def attempt(work: Callable[[Any], Any], task: Any) -> tuple[Any, str | None]:
    """Carry out one task; result and error."""
    try:
        return work(task), None
    except SiftError as error:
        return None, str(error)
    except Exception as error:  # a fault of ours must not cost the tasks that are still to come
        if (reason := reason_of(error)) is not None:
            return None, reason
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
        return None, f"internal error, please report it: {type(error).__name__}{place}: {error}"
