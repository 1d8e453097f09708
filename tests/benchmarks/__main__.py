"""``python -m tests.benchmarks``, from the folder that holds this one: see `speed.command`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the measures, and the package itself where it is not installed

from speed.command import command  # noqa: E402

if __name__ == "__main__":
    command(prog_name="python -m tests.benchmarks")
