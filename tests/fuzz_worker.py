"""Reads every file of a folder in a process of its own, within limits of time and memory, and tells what came of each.

Usage: fuzz_worker.py FOLDER FORMAT GOOD.  FORMAT is a feature format or one of `READERS`.  GOOD is a file that can be
read, so that everything is imported before memory is limited.  One line of JSON for each file: its name, and "read",
"refused" or what went wrong.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from siftcli.batch.inputs import read_list
from siftcli.batch.manifest import read_records
from siftcli.batch.pairs import from_list
from siftcli.cli.config import config_values
from siftcli.cli.detect import command as detect
from siftcli.errors import OutputError, SiftError
from siftcli.io.hdf5.features import collection_writer
from siftcli.io.matches import match_format_of, pairs_of
from siftcli.io.registry import collection_reader

SECONDS = 2.0
BYTES = 200 << 20


def read_matches(path: Path) -> None:
    format = match_format_of(path)
    assert format is not None
    for _, _, matches in pairs_of(path, format):
        assert matches.indices.dtype == "int32"
        assert matches.indices.min(initial=0) >= 0


def read_journal(path: Path) -> None:
    """Go on with a journal, as a run that resumes does; the file is a copy, beside no output yet."""
    with suppress(OutputError):  # it is of another run
        writer = collection_writer(path.with_suffix("").with_suffix(""), parameters={}, resume=True, overwrite=True)
        try:
            for name in writer.done():
                writer._added(name)
        finally:
            writer.abort()


READERS: dict[str, Callable[[Path], object]] = {
    "matches": read_matches,
    "pairs": lambda path: from_list(["a.jpg", "b.jpg"], path),
    "list": read_list,
    "list -0": lambda path: read_list(path, null=True),
    "config": lambda path: config_values(
        str(path), detect, lambda: {"detect": detect, "other": click.Command("other")}
    ),
    "manifest": read_records,
    "journal": read_journal,
}


def read_features(path: Path, format: str) -> None:
    with collection_reader(path, format) as collection:
        for name in collection.names:
            features = collection.read(name)
            assert len(features.scales) == len(features.xy)


def attempt(path: Path, format: str) -> str:
    try:
        READERS[format](path) if format in READERS else read_features(path, format)
    except SiftError as error:
        text = str(error)
        return "refused" if text.isprintable() and len(text) < 600 else f"says {text!r}"
    except BaseException as error:  # whatever it is, the test wants to know
        return f"{type(error).__name__}: {error}"
    return "read"


class TooLong(BaseException):
    """No error that a reader could take for its own."""


def too_long(number: int, frame: object) -> None:
    raise TooLong(f"took more than {SECONDS} s of processor time")


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
