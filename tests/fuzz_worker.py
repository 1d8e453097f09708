"""Reads every file of a folder in a process of its own, within limits of time and memory, and tells what came of each.

Usage: fuzz_worker.py FOLDER FORMAT GOOD.  GOOD is a file that can be read, so that everything is imported before memory
is limited.  One line of JSON for each file: its name, and "read", "refused" or what went wrong.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import warnings
from pathlib import Path

from siftcli.errors import FormatError
from siftcli.io.registry import read_collection

SECONDS = 2.0
BYTES = 200 << 20


def attempt(path: Path, format: str) -> str:
    try:
        with read_collection(path, format) as collection:
            for name in collection.names:
                features = collection.read(name)
                assert len(features.scales) == len(features.xy)
    except FormatError as error:
        text = str(error)
        return "refused" if text.isprintable() and len(text) < 600 else f"says {text!r}"
    except BaseException as error:  # whatever it is, the test wants to know
        return f"{type(error).__name__}: {error}"
    return "read"


def too_long(number: int, frame: object) -> None:
    raise TimeoutError(f"took more than {SECONDS} s of processor time")


def main() -> None:
    folder, format, good = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    warnings.simplefilter("error")
    assert attempt(good, format) == "read"
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, now + BYTES))
    signal.signal(signal.SIGPROF, too_long)
    for path in sorted(folder.iterdir()):
        if path.suffix in (".desc", ".descr"):
            continue
        print(json.dumps([path.name, "died"]), flush=True)
        # The handler runs when a call returns; a call that never does is ended by the second limit.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        resource.setrlimit(resource.RLIMIT_CPU, (int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 30, -1))
        outcome = attempt(path, format)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps([path.name, outcome]), flush=True)


if __name__ == "__main__":
    main()
