"""Work shared between threads."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from .errors import SiftWarning

__all__ = ["share"]

_Result = TypeVar("_Result")


def share(work: Callable[[int], _Result], threads: int) -> list[_Result]:
    """Call `work` with 0, 1, ... threads - 1, each in a thread of its own, and return the results in that order."""
    if threads == 1:
        return [work(0)]
    pool = ThreadPoolExecutor(threads)
    futures: list[Future[_Result]] = []
    try:
        for number in range(threads):
            futures.append(pool.submit(work, number))
    except RuntimeError:  # from the start of a thread; what `work` raises is in its future
        warnings.warn(SiftWarning("no room for another thread; fewer do the work"), stacklevel=2)
    pool.shutdown(cancel_futures=len(futures) < threads)
    done = [None if future.cancelled() else future for future in futures] + [None] * (threads - len(futures))
    return [work(number) if future is None else future.result() for number, future in enumerate(done)]
