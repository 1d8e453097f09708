"""Work shared between threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["share"]

_Result = TypeVar("_Result")


def share(work: Callable[[int], _Result], threads: int) -> list[_Result]:
    """Call `work` with 0, 1, ... threads - 1, each in a thread of its own, and return the results in that order."""
    if threads == 1:
        return [work(0)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, range(threads)))
