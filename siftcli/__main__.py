"""Start of the command line: ``sift``, or ``python -m siftcli``."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

from .cli import INTERRUPTED
from .signals import insist

__all__ = ["THREAD_VARIABLES", "main", "process"]

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What the builds of BLAS read when NumPy is imported."""

_GARBAGE = 100_000
"""New objects after which Python looks for cycles of unused ones; start-up makes half as many, and they stay."""


def main() -> None:
    """Run the command line and exit with its status."""
    for name in THREAD_VARIABLES:  # the engine's matrix products are small: more threads only get in each other's way
        os.environ.setdefault(name, "1")
    gc.set_threshold(_GARBAGE)
    insist("SIGINT", KeyboardInterrupt)
    try:
        from .cli.main import cli

        cli.main(prog_name="sift")
    except KeyboardInterrupt:  # while modules were imported
        sys.exit(INTERRUPTED)


def process() -> NoReturn:
    """Be the whole of a process: as `main`, without taking all modules apart in the end, which takes 5 ms."""
    try:
        main()
        status: str | int | None = 0
    except SystemExit as end:
        status = end.code
    threads = sys.modules.get("threading")
    if isinstance(status, int) and (threads is None or threads.active_count() == 1):
        with suppress(OSError):  # a stream that is closed or full: Python's own end says what there is to say
            atexit._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    process()
