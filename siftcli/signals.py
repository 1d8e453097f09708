"""Signals that are to end a process, whatever it does when they come."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["insist"]

_LATER = 0.01
"""Seconds after which a signal comes again: not at once, from where its exception would be let go by too."""


def insist(signal_name: str, error: type[BaseException]) -> None:
    """Let a signal come again if the exception that it raises is lost.

    Python reports an exception in a destructor or in a weakref's callback on standard error and goes on.

    Parameters
    ----------
    signal_name : str
        Such as ``"SIGINT"``.
    error : type
        What its handler raises, and nothing else does in a destructor.
    """

    def hook(ignored: UnraisableHookArgs) -> None:
        if issubclass(ignored.exc_type, error):
            _send_later(signal_name)
        else:
            sys.__unraisablehook__(ignored)

    sys.unraisablehook = hook


def _send_later(signal_name: str) -> None:
    import signal
    import threading

    number = signal.Signals[signal_name]

    def send() -> None:
        if sys.platform == "win32":
            signal.raise_signal(number)
        else:  # wakes the main thread where it waits for something
            signal.pthread_kill(threading.main_thread().ident or 0, number)

    with suppress(RuntimeError):  # no new threads: Python is about to end anyway
        threading.Timer(_LATER, send).start()
