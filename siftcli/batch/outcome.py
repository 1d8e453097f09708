"""Carrying out one task, of which a failure is a line of text and no exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from ..io.output import reason_line

__all__ = ["Outcome", "attempt"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class Outcome(NamedTuple, Generic[_Task, _Result]):
    """The outcome of a task: `result`, or `error`, one line with the reason."""

    task: _Task
    result: _Result | None
    error: str | None


def attempt(work: Callable[[Any], Any], task: Any) -> tuple[Any, str | None]:
    """Carry out one task; return its result and None, or None and the reason why it failed."""
    try:
        return work(task), None
    except Exception as error:  # must not end the tasks that are still to come
        return None, reason_line(error)
