"""A run that is killed while it writes HDF5 leaves nothing, the old file, or the whole new one; a run that resumes ends
with the file of a run that was left alone.

Oracles: the bytes of an undisturbed run, and of the old file.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import kill_worker
import pytest

from siftcli.io.registry import collection_writer

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")

KILLS = 12


def start(path: Path, limit: int | None = None) -> subprocess.Popen[str]:
    """Start a run in a process of its own, and wait until it is about to write."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, kill_worker.__file__, str(path), *([] if limit is None else [str(limit)])]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    assert run.stdout is not None
    assert run.stdout.readline().startswith("ready")
    return run


def killed_at_byte(path: Path, limit: int) -> None:
    """Let the system kill a run when it writes beyond this many bytes of a file."""
    with start(path, limit) as run:
        pass
    assert run.returncode == -signal.SIGXFSZ


def killed_after(path: Path, seconds: float) -> None:
    """Kill a run after some time; it may have come to its end."""
    with start(path) as run:
        time.sleep(seconds)
        run.kill()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a run that is left alone."""
    path = tmp_path_factory.mktemp("undisturbed") / "f.h5"
    kill_worker.run(path)
    return path.read_bytes()


@pytest.mark.parametrize("old", [False, True])
def test_killed_at_random_moments(tmp_path: Path, undisturbed: bytes, old: bool) -> None:
    """Most kills are at a byte of a file, so they come while it is written; a few at any time, also when it is done."""
    rng = random.Random(old)
    for kill in range(KILLS):
        folder = tmp_path / str(kill)
        folder.mkdir()
        path = folder / "f.h5"
        if old:  # of other parameters, so none of it is kept
            with collection_writer(path) as writer:
                writer.add("old.jpg", kill_worker.image(99))
        before = path.read_bytes() if old else None
        if kill % 4:  # every second of these in the last pages of the new file, when the journal is complete
            killed_at_byte(path, rng.randint(len(undisturbed) - 20_000 if kill % 2 else 50_000, len(undisturbed) - 1))
            assert (path.read_bytes() if old else path.exists()) == (before if old else False)
            assert (folder / "f.h5.sift.journal").exists()
        else:
            killed_after(path, rng.uniform(0, 1))
            assert (path.read_bytes() if path.exists() else None) in (before, undisturbed)
        kill_worker.run(path)
        assert path.read_bytes() == undisturbed
        assert [p.name for p in folder.iterdir()] == ["f.h5"]


def test_killed_again_and_again(tmp_path: Path, undisturbed: bytes) -> None:
    """What every run has added is kept, so that many short runs come to an end."""
    path, journal = tmp_path / "f.h5", tmp_path / "f.h5.sift.journal"
    for part in range(1, 6):
        killed_at_byte(path, part * len(undisturbed) // 6)
        kept = journal.stat().st_size
        with collection_writer(path, parameters=kill_worker.PARAMETERS, resume=True) as writer:
            assert len(writer.done()) == (part * kill_worker.IMAGES) // 6
            writer.abort()
        assert journal.stat().st_size <= kept
    kill_worker.run(path)
    assert path.read_bytes() == undisturbed
