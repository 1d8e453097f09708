"""Entry point of the command line: ``sift``, or ``python -m siftcli``."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

from .cli import INTERRUPTED
from .machine import single_blas_thread
from .signals import redeliver

__all__ = ["main", "process"]

_GARBAGE = 100_000
"""Number of new objects before Python collects garbage; start-up creates half as many, all of which stay."""


def main() -> None:
    """Run the command line and exit with its status."""
    single_blas_thread()
    gc.set_threshold(_GARBAGE)
    redeliver("SIGINT", KeyboardInterrupt)
    try:
        from .cli.main import cli
        from .cli.streams import secure_streams

        secure_streams()
        cli.main(prog_name="sift")
    except KeyboardInterrupt:  # during the import of modules
        sys.exit(INTERRUPTED)
    except (ImportError, MemoryError) as error:
        words = (
            "not enough memory" if isinstance(error, MemoryError) else " ".join(str(error.__cause__ or error).split())
        )
        with suppress(OSError):
            os.write(2, f"sift: error: the program cannot be loaded: {words}\n".encode())
        sys.exit(1)


def process() -> NoReturn:
    """Run `main` and exit without interpreter teardown, which takes 5 ms."""
    try:
        main()
        status: str | int | None = 0
    except SystemExit as end:
        status = end.code
    threads = sys.modules.get("threading")
    if isinstance(status, int) and (threads is None or threads.active_count() == 1):
        with suppress(OSError):  # a stream is closed or full: let Python's own exit report it
            atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    process()
