"""What the tests of worker processes let them do; in a module of its own, for workers to import."""

from __future__ import annotations

import os
import signal
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from siftcli.errors import SiftError

__all__ = ["make_environment", "make_failing", "make_work"]


def make_work(folder: str) -> Callable[[object], object]:
    """Return what squares numbers, and does what words tell."""

    def work(task: object) -> object:
        if isinstance(task, int):
            return task * task, os.getpid()
        word, name = str(task).split()
        mark = Path(folder, name)
        begun = len(mark.read_text()) if mark.exists() else 0
        mark.write_text("x" * (begun + 1))
        if word == "die" or (word == "die-once" and not begun):
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "refuse":
            raise SiftError(f"{name}: is refused")
        if word == "fault":
            raise ZeroDivisionError("a fault")
        if word == "hungry":
            raise MemoryError
        if word == "sleep":
            time.sleep(60)
        if word == "end-in-destructor":
            weakref.ref(set(), lambda _: signal.raise_signal(signal.SIGTERM))
            try:
                time.sleep(60)
            finally:
                mark.write_text("tidied up")
        return word, os.getpid()

    return work


def make_failing() -> Callable[[object], object]:
    """Fail to become a worker."""
    raise SiftError("features.h5: no such file")


def make_environment() -> Callable[[str], str]:
    """Return what looks variables up."""
    return os.environ.__getitem__
