"""Timing of several programs in alternation, so that what slows the machine for a while slows all of them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Timing", "alternate", "clock", "peak_memory", "run_command"]

ROOT = Path(__file__).parents[2]

SLOW = 15.0
"""Seconds; a program that takes longer is run once, without a warm-up."""

UNSET = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONDONTWRITEBYTECODE")
"""Variables that measured commands do not inherit.

Each program chooses its own number of threads, and Python keeps the byte code that it compiles in the warm-up, as it
does for users.
"""


@dataclass
class Timing:
    """Seconds of the rounds of one program, in their order."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return statistics.median(self.seconds)


def clock(action: Callable[[], object]) -> Callable[[], float]:
    """Return a function that calls `action` and returns the seconds that it took."""

    def run() -> float:
        start = time.perf_counter()
        action()
        return time.perf_counter() - start

    return run


def run_command(command: list[str]) -> Callable[[], float]:
    """Return a function that runs a command as a process of its own and returns the seconds that it took."""
    return lambda: float(_launched(command)["seconds"])


def peak_memory(command: list[str], *, together: bool = False) -> float:
    """Run a command and return the peak memory of its largest process, or of all its processes together, in MB."""
    return float(_launched(command, *(["--sample"] if together else []))["tree" if together else "largest"]) / 1e6


def _launched(command: list[str], *options: str) -> dict[str, float]:
    """Run a command through `launch.py`; stop the benchmark if it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [environment.get("PYTHONPATH")])])
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")), *options]
    launched = subprocess.run([*launcher, *command], env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(launched.stdout)
    if found["status"]:
        raise SystemExit(f"{' '.join(command)}: exit status {found['status']}: {found['stderr']}")
    return found


def alternate(programs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Timing]:
    """Run programs in turn, A B C A B C, and collect the seconds that each returns.

    The first round is a warm-up and does not count, except for a program that takes more than `SLOW` seconds, which is
    not run again.
    """
    times = {name: Timing() for name in programs}
    for turn in range(rounds + 1):
        for name, run in programs.items():
            counted = times[name].seconds
            if counted and counted[0] > SLOW:
                continue
            seconds = run()
            if turn or seconds > SLOW:
                counted.append(seconds)
    return times
