"""What tests share that run ``sift`` many times: see :mod:`fork_server`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import fork_server

__all__ = ["ForkServer", "Run", "files_of"]


class Run(NamedTuple):
    """What became of a run: its exit status, negative for a signal, and all that it said."""

    status: int
    said: str


class ForkServer:
    """Runs ``sift``, each time in a copy of a process that is warm; to be closed."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, fork_server.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def __call__(self, *args: str | Path, cwd: Path) -> Run:
        """Run it once."""
        return self.together([(args, 0.0)], cwd)[0]

    def together(self, runs: Sequence[tuple[Sequence[str | Path], float]], cwd: Path) -> list[Run]:
        """Start runs, given by their arguments and the seconds to wait before each, and wait for all."""
        logs = [self._scratch / f"log{number}" for number in range(len(runs))]
        requests = [
            {"args": list(map(str, args)), "cwd": str(cwd), "delay": delay, "log": str(log)}
            for (args, delay), log in zip(runs, logs, strict=True)
        ]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(requests) + "\n")
        self._process.stdin.flush()
        statuses = json.loads(self._process.stdout.readline())
        found = [Run(status, log.read_text("utf-8", "replace")) for status, log in zip(statuses, logs, strict=True)]
        for run in found:
            assert "Traceback" not in run.said, run.said
            assert "internal error" not in run.said, run.said
        return found

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too, with their contents."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
