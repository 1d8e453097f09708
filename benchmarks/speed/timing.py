"""Timing several ways of doing one thing in alternation, so that what slows the machine for a while slows them all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["Timing", "alternate", "clock", "quiet"]

SLOW = 15.0
"""Seconds above which a contender is run once only, without a first run that does not count."""


def quiet(message: str) -> None:
    """Report no progress."""


@dataclass
class Timing:
    """The times of one contender, in seconds, in the order of the rounds."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Largest over smallest, less one."""
        return max(self.seconds) / min(self.seconds) - 1


def clock(action: Callable[[], object]) -> Callable[[], float]:
    """Return a function that does something and returns how many seconds that took."""

    def run() -> float:
        start = time.perf_counter()
        action()
        return time.perf_counter() - start

    return run


def alternate(
    contenders: Mapping[str, Callable[[], float]],
    repeat: int,
    progress: Callable[[str], None] = quiet,
    slow: float = SLOW,
) -> dict[str, Timing]:
    """Run contenders in turn, A B C A B C, and collect what each says that it took.

    The first round does not count, for it finds empty caches; but what takes more than `slow` seconds is run no second
    time.

    Parameters
    ----------
    contenders : name to function
        Which returns seconds.
    repeat : int
        Rounds that count, at least 1.
    progress : callable
        Told what runs.
    slow : float
        Seconds.
    """
    times = {name: Timing() for name in contenders}
    for turn in range(repeat + 1):
        for name, run in contenders.items():
            if times[name].seconds and times[name].seconds[0] > slow:
                continue
            progress(f"{name}, {f'round {turn} of {repeat}' if turn else 'first run'}")
            seconds = run()
            if turn or seconds > slow:
                times[name].seconds.append(seconds)
    return times
