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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kill_worker
import pytest

from siftcli.io.registry import collection_reader, collection_writer

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")

KILLS = 20


@contextmanager
def started(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run in a process of its own, and wait until it is about to write; it is killed at the end."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, kill_worker.__file__, path], stdout=subprocess.PIPE, text=True, env=env
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith("ready")
        yield run
        run.kill()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, float]:
    """The file of a run that is left alone, and how many seconds it took."""
    path = tmp_path_factory.mktemp("undisturbed") / "f.h5"
    with started(path) as run:
        begin = time.perf_counter()
        assert run.stdout is not None
        assert run.stdout.readline() == "done\n"
        seconds = time.perf_counter() - begin
    with collection_reader(path) as collection:
        assert len(collection.names) == kill_worker.IMAGES
    return path.read_bytes(), seconds


@pytest.mark.parametrize("old", [False, True])
def test_killed_at_random_moments(tmp_path: Path, undisturbed: tuple[bytes, float], old: bool) -> None:
    whole, seconds = undisturbed
    rng = random.Random(old)
    unfinished = 0
    for kill in range(KILLS):
        folder = tmp_path / str(kill)
        folder.mkdir()
        path = folder / "f.h5"
        if old:  # of other parameters, so none of it is kept
            with collection_writer(path) as writer:
                writer.add("old.jpg", kill_worker.image(99))
        before = path.read_bytes() if old else None
        with started(path):
            time.sleep(rng.uniform(0, seconds))
        after = path.read_bytes() if path.exists() else None
        assert after in (before, whole)
        unfinished += (folder / "f.h5.sift.journal").exists()
        kill_worker.run(path)
        assert path.read_bytes() == whole
        assert [p.name for p in folder.iterdir()] == ["f.h5"]
    assert unfinished >= KILLS // 4  # or the kills would have come before or after the writing


def test_killed_again_and_again(tmp_path: Path, undisturbed: tuple[bytes, float]) -> None:
    """What every run has added is kept, so that many short runs come to an end."""
    whole, seconds = undisturbed
    path = tmp_path / "f.h5"
    done = 0
    for _ in range(KILLS):
        with started(path):
            time.sleep(seconds / 5)
        if path.exists():
            break
        with collection_writer(path, parameters=kill_worker.PARAMETERS, resume=True) as writer:
            assert len(writer.done()) >= done
            done = len(writer.done())
            writer.abort()
    kill_worker.run(path)
    assert path.read_bytes() == whole
