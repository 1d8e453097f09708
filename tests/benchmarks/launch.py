"""Run a command, and print its time and memory as JSON: ``python -I -S launch.py [--sample] COMMAND...``.

A process of its own, and a small one: a child starts as an image of its parent, so what the system reports as the peak
memory of a child is never less than the parent's.  Imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

INTERVAL = 0.02
"""Seconds between two looks at the memory."""


def members(group: int) -> set[Path]:
    """Return the folders in /proc of the processes of a group, without those that have ended; Linux only."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        # The name, in brackets, may hold blanks; after it: the state, the parent, the group, and later its memory,
        # which a process that has ended does not have; its entry stays until its parent asks.
        with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and int(fields[20]):
                found.add(status.parent)
    return found


def tree_memory(group: int) -> int:
    """Return the bytes that the processes of a group use together, shared pages counted once.

    0 where one began or ended meanwhile: what it shares would count for another one as well.
    """
    total, processes = 0, members(group)
    for folder in processes:
        with suppress(OSError, ValueError, IndexError):
            for line in (folder / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total if members(group) == processes else 0


def watch(group: int, stop: threading.Event, peak: list[int]) -> None:
    """Keep the largest memory of a process group in `peak[0]`."""
    while not stop.wait(INTERVAL):
        peak[0] = max(peak[0], tree_memory(group))


def run(command: list[str], *, sample: bool) -> dict[str, object]:
    """Run a command and return what it took.

    Returns
    -------
    dict
        status: exit status; seconds: from start to end; cpu: seconds of all its processes and threads; largest: peak
        bytes of the largest of its processes; tree: peak bytes of all together, None without `sample`; stderr: its end.
    """
    start = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True
    )
    assert child.stderr is not None
    peak, stop = [0], threading.Event()
    watcher = threading.Thread(target=watch, args=(child.pid, stop, peak))
    if sample:
        watcher.start()
    with child.stderr:
        stderr = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if sample:
        stop.set()
        watcher.join()
    return {
        "status": child.returncode,
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "largest": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "tree": peak[0] if sample else None,
        "stderr": stderr.decode(errors="replace")[-2000:],
    }


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sampled = arguments[:1] == ["--sample"]
    print(json.dumps(run(arguments[sampled:], sample=sampled)))
