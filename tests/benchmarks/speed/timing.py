"""Timing several ways of doing one thing in alternation, so that what slows the machine for a while slows them all."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Cost", "Timing", "alternate", "clock", "quiet"]

SLOW = 15.0
"""Seconds above which a contender is run once only, without a first run that does not count."""


def quiet(message: str) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Cost:
    """What one run took.

    Attributes
    ----------
    seconds : float
        From start to end.
    cpu : float
        Seconds that processors worked for it, all threads together; also on a busy machine a fair measure.
    """

    seconds: float
    cpu: float


@dataclass
class Timing:
    """What the rounds of one contender took, in their order."""

    costs: list[Cost] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        """The seconds of each round."""
        return [cost.seconds for cost in self.costs]

    @property
    def median(self) -> float:
        """The middle one of the seconds."""
        return statistics.median(self.seconds)

    @property
    def cpu(self) -> float:
        """The middle one of the processors' seconds."""
        return statistics.median(cost.cpu for cost in self.costs)


def clock(action: Callable[[], object]) -> Callable[[], Cost]:
    """Return a function that does something in this process and returns what that took."""

    def run() -> Cost:
        start, cpu = time.perf_counter(), _processor_time()
        action()
        return Cost(time.perf_counter() - start, _processor_time() - cpu)

    return run


def _processor_time() -> float:
    """Return the seconds that processors have worked for this process and its children, running and ended ones."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ended = sum(one.ru_utime + one.ru_stime for one in used)  # os.times counts in hundredths
    return ended + sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in _children()) / 1e9


def _children() -> list[str]:
    """Return the children of this process that run, where the system tells."""
    return [pid for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()]


def alternate(
    contenders: Mapping[str, Callable[[], Cost]],
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
        Which returns what it took.
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
            costs = times[name].costs
            if costs and costs[0].seconds > slow:
                continue
            progress(f"{name}, {f'round {turn} of {repeat}' if turn else 'first run'}")
            cost = run()
            if turn or cost.seconds > slow:
                costs.append(cost)
    return times
