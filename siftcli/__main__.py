"""Start of the command line: ``sift``, or ``python -m siftcli``."""

from __future__ import annotations

import gc
import os
import sys

from .cli import INTERRUPTED

__all__ = ["THREAD_VARIABLES", "main"]

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What the builds of BLAS read when NumPy is imported."""

_GARBAGE = 100_000
"""New objects after which Python looks for cycles of unused ones; start-up makes half as many, and they stay."""


def main() -> None:
    """Run the command line and exit with its status."""
    for name in THREAD_VARIABLES:  # the engine's matrix products are small: more threads only get in each other's way
        os.environ.setdefault(name, "1")
    gc.set_threshold(_GARBAGE)
    try:
        from .cli.main import cli

        cli.main(prog_name="sift")
    except KeyboardInterrupt:  # while modules were imported
        sys.exit(INTERRUPTED)
    finally:
        gc.freeze()  # or Python would look through all that was imported once more, and all of it goes anyway


if __name__ == "__main__":
    main()
