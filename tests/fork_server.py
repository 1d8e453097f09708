"""Runs ``sift`` in forked copies of a process that has imported everything, which takes a tenth of the time.

A request is a line of JSON on standard input: a list of runs, each ``{"args", "cwd", "delay", "log"}``.  They are
started one after another, each after its delay in seconds.  The answer is a line with the list of their statuses,
negative for a signal.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, NoReturn


def warm() -> None:
    """Import what the commands import when they need it."""
    import importlib

    import h5py  # noqa: F401
    import PIL.PngImagePlugin  # noqa: F401

    from siftcli.cli.main import COMMANDS

    for name in COMMANDS:
        importlib.import_module(f"siftcli.cli.{name}")
    for module in (
        "batch.execute",
        "batch.conversion",
        "batch.match_run",
        "io.hdf5.features",
        "io.npz",
        "draw.output",
        "api",
    ):
        importlib.import_module(f"siftcli.{module}")
    for module in ("match_pair", "match_collection", "draw_run", "scalespace_run", "batch", "progress"):
        importlib.import_module(f"siftcli.cli.{module}")


def be_sift(run: dict[str, Any]) -> NoReturn:
    """Be a run."""
    status: Any = 70
    try:
        os.chdir(run["cwd"])
        log = os.open(run["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        sys.argv = ["sift", *run["args"]]
        from siftcli.__main__ import process

        process()
    except SystemExit as end:
        status = end.code
    finally:
        os._exit(status if isinstance(status, int) else 1)


def serve() -> None:
    """Carry out requests until there are no more."""
    warm()
    print("ready", flush=True)
    for line in sys.stdin:
        children = []
        for run in json.loads(line):
            time.sleep(run["delay"])
            pid = os.fork()
            if pid == 0:
                be_sift(run)
            children.append(pid)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        print(json.dumps(statuses), flush=True)


if __name__ == "__main__":
    serve()
