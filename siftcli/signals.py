"""Deliver a signal again if Python swallowed the exception of its handler; hold signals back for a moment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["redeliver", "uninterrupted"]

_LATER = 0.01
"""Delay in seconds; at once, the exception would be swallowed at the same place."""


def redeliver(signal_name: str, error: type[BaseException]) -> None:
    """Deliver a signal again if its exception is raised where Python ignores exceptions.

    Python prints an exception of a destructor or of a weakref callback to standard error and continues.

    Parameters
    ----------
    signal_name : str
        Name of the signal, such as ``"SIGINT"``.
    error : type
        Exception that only the handler of this signal raises.
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
        else:  # also wakes a main thread that waits
            signal.pthread_kill(threading.main_thread().ident or 0, number)

    with suppress(RuntimeError):  # no new threads while Python exits
        threading.Timer(_LATER, send).start()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Handle SIGINT and SIGTERM at the end of the block.

    Python runs signal handlers in the main thread only, so in other threads this does nothing.
    """
    import signal
    import threading

    late: list[int] = []
    replaced: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if callable(handler := signal.getsignal(number)):
                replaced[number] = handler
                signal.signal(number, lambda caught, _: late.append(caught))
    try:
        yield
    finally:
        for caught, handler in replaced.items():
            signal.signal(caught, handler)
        for caught in late:
            signal.raise_signal(caught)
