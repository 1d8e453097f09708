"""HDF5 files on a system that fails at any write, and under interrupts at any moment.

Oracles: the listing of the folder; the file of a run that is left alone.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from siftcli.errors import OutputError
from siftcli.io.hdf5.writer import create_hdf5

IMAGES = 5

PROGRAM = """
import errno, json, os, signal, sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from format_tools import PARAMETERS, make
from siftcli.errors import OutputError
from siftcli.io.hdf5 import features as hdf5
folder, kind = Path(sys.argv[1]), sys.argv[2]
images = [(f"{i % 3}/{i}.jpg", make(15, i)) for i in range(5)]
write, calls, failing = os.write, 0, None

def failing_write(descriptor, data):
    global calls
    calls += 1
    if calls == failing and kind == "interrupt":
        signal.raise_signal(signal.SIGINT)
    elif failing is not None and calls >= failing and kind != "interrupt":
        raise OSError(int(kind), os.strerror(int(kind)))
    return write(descriptor, data)

os.write = failing_write
hdf5.write_hdf5(folder / "whole.h5", iter(images), PARAMETERS)
total, outcomes = calls, []
for failing in {*range(1, total + 1, 3), total}:
    calls = 0
    try:
        hdf5.write_hdf5(folder / "f.h5", iter(images), PARAMETERS)
        outcomes.append("written")
    except OutputError as error:
        outcomes.append(str(error).removeprefix(f"{folder / 'f.h5'}: "))
    except KeyboardInterrupt:
        outcomes.append("interrupted")
    outcomes[-1] += " " + " ".join(sorted(path.name for path in folder.iterdir()))
    (folder / "f.h5").unlink(missing_ok=True)
print(json.dumps(outcomes))
"""


def outcomes(folder: Path, kind: str) -> list[str]:
    """What came of writing a file whose first, second, ... write fails; each with the names in the folder."""
    command = [sys.executable, "-c", PROGRAM, str(folder), kind, *filter(None, sys.path)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, f"status {run.returncode}: {run.stderr}"
    found: list[str] = json.loads(run.stdout)
    assert len(found) > IMAGES
    return found


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_every_write_may_fail(tmp_path: Path, number: int) -> None:
    words = "no space left on the device" if number == errno.ENOSPC else os.strerror(number)
    for outcome in outcomes(tmp_path, str(number)):
        assert outcome.startswith(f"cannot be written: {words}")
        assert outcome.endswith(" whole.h5")
        assert "f.h5" not in outcome.split()


def test_an_interrupt_may_come_at_every_write(tmp_path: Path) -> None:
    assert {outcome.split()[0] for outcome in outcomes(tmp_path, "interrupt")} == {"interrupted"}
    assert [path.name for path in tmp_path.iterdir()] == ["whole.h5"]


def test_what_is_written_after_a_failure_can_be_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 reads its own tables again; without them, it could not even close the file."""

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    read = []

    def fill() -> None:
        with create_hdf5(tmp_path / "f.h5") as output, output.writing() as file:
            file["before"] = [1, 2, 3]
            file.flush()
            monkeypatch.setattr("os.write", fail)
            file["after"] = [4, 5, 6]
            file.flush()
            read.extend(file[name][:].tolist() for name in ("before", "after"))

    with pytest.raises(OutputError, match="no space left"):
        fill()
    assert read == [[1, 2, 3], [4, 5, 6]]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f.h5")
    reader = os.open(tmp_path / "f.h5", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with (
            pytest.raises(OutputError, match="cannot be written to a device or a pipe"),
            create_hdf5(tmp_path / "f.h5"),
        ):
            pass
    finally:
        os.close(reader)
