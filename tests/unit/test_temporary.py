"""Temporary files, what becomes of those that were left behind, and locks.

Oracles: the folder's listing; a process of its own that is killed, or that still runs.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from siftcli.errors import OutputError, SiftWarning
from siftcli.io import temporary
from siftcli.io.output import atomic_file, atomic_write
from siftcli.io.run_lock import RunLock
from siftcli.io.temporary import create_temporary, new_temporary, own_name

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no file locks on this system")

HOLD = """
import sys, time
from pathlib import Path
from siftcli.io.output import atomic_file
from siftcli.io.run_lock import RunLock
path = Path(sys.argv[1])
with RunLock(path), atomic_file(path) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test is a new run."""
    monkeypatch.setattr(temporary, "_swept", {})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def start(path: Path) -> subprocess.Popen[bytes]:
    """Start a run that writes a file and does not end."""
    run = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline() == b"ready\n"
    return run


def no_locks(number: int) -> Callable[..., None]:
    def flock(*_: object) -> None:
        raise OSError(number, "no locks")

    return flock


def test_what_a_killed_run_has_left_is_removed_by_the_next_one_and_nothing_else(tmp_path: Path) -> None:
    run = start(tmp_path / "x.h5")
    foreign = {
        ".sift-mine.tmp",
        ".sift-0123456789abcdef-00000000.tmp",
        "x.h5.tmp",
        "x.h5.tmp-wal",
        own_name(b"12345678", "tmp")[1:],
    }
    for name in foreign:
        (tmp_path / name).write_bytes(b"precious")
        os.utime(tmp_path / name, (0, 0))
    left = names(tmp_path) - foreign
    assert len(left) == 2  # the lock and the temporary file
    atomic_write(tmp_path / "y", b"")
    assert names(tmp_path) == foreign | left | {"y"}, "the run is alive"
    run.kill()
    run.communicate()
    assert names(tmp_path) == foreign | left | {"y"}
    temporary._swept.clear()
    atomic_write(tmp_path / "z", b"")
    assert names(tmp_path) == foreign | {"y", "z"}


@pytest.mark.parametrize("moment", ["try_lock", "is_at"])
def test_an_interrupt_during_creation_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(temporary, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            atomic_write(tmp_path / "y", b"")
    assert not names(tmp_path)


def test_side_files_of_a_database_go_with_it(tmp_path: Path) -> None:
    path = new_temporary(tmp_path)
    descriptor = create_temporary(path)
    assert descriptor is not None
    for suffix in ("-journal", "-wal", "-shm"):
        path.with_name(path.name + suffix).touch()
    os.close(descriptor)  # which also ends the lock, as a kill does
    atomic_write(tmp_path / "y", b"")
    assert names(tmp_path) == {"y"}


def test_without_locks_age_tells_what_was_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", no_locks(errno.ENOLCK))
    for token, age in ((b"old old ", 7200), (b"new new ", 60)):
        path = tmp_path / own_name(token, "tmp")
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    atomic_write(tmp_path / "y", b"")
    assert names(tmp_path) == {"y", own_name(b"new new ", "tmp")}


def test_a_link_of_our_name_is_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / own_name(b"12345678", "tmp")
    target.write_bytes(b"precious")
    link.symlink_to(target)
    atomic_write(tmp_path / "y", b"")
    assert target.read_bytes() == b"precious"


def test_names_cannot_be_foreseen(tmp_path: Path) -> None:
    seen = set()
    for _ in range(100):
        with atomic_file(tmp_path / "x", overwrite=True):
            seen |= names(tmp_path) - {"x"}
    assert len(seen) == 100


def test_a_second_run_is_told(tmp_path: Path) -> None:
    run = start(tmp_path / "x.h5")
    with pytest.raises(OutputError, match="another run is writing this file"):
        RunLock(tmp_path / "x.h5")
    (tmp_path / "link.h5").symlink_to(tmp_path / "x.h5")
    with pytest.raises(OutputError, match="another run is writing this file"):
        RunLock(tmp_path / "link.h5")
    with RunLock(tmp_path / "y.h5"):
        pass
    run.kill()
    run.communicate()
    temporary._swept.clear()
    with RunLock(tmp_path / "x.h5"), pytest.raises(OutputError, match="another run"):
        RunLock(tmp_path / "x.h5")
    with RunLock(tmp_path / "x.h5"), RunLock(tmp_path / "x.h5", join=True):
        pass
    assert names(tmp_path) == {"link.h5"}


def test_a_second_run_waits_for_a_folder(tmp_path: Path) -> None:
    program = (
        "import sys; from siftcli.io.run_lock import RunLock; RunLock(sys.argv[1], folder=True, wait=True).release()"
    )
    with RunLock(tmp_path, folder=True):
        run = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stderr=subprocess.PIPE)
        assert run.stderr is not None
        assert b"waiting for another run" in run.stderr.readline()
        assert run.poll() is None
    run.communicate(timeout=300)
    assert run.returncode == 0
    assert names(tmp_path) == set()


def test_runs_that_share_a_folder(tmp_path: Path) -> None:
    """The shards of one run; the last that goes removes the lock."""
    program = "import sys; from siftcli.io.run_lock import RunLock; RunLock(sys.argv[1], folder=True, shared=True)"
    with RunLock(tmp_path, folder=True, shared=True):
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
        assert len(names(tmp_path)) == 1
    assert names(tmp_path) == set()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, 524, errno.EINVAL, errno.EBADF])
def test_where_there_are_no_locks_there_is_a_warning(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcntl.flock", no_locks(number))
    with pytest.warns(SiftWarning, match="has no locks"), RunLock(tmp_path / "x.h5"):
        atomic_write(tmp_path / "x.h5", b"data")
    assert names(tmp_path) == {"x.h5"}


@pytest.mark.parametrize("value", ["FALSE", "false", "0"])
def test_locking_can_be_switched_off_as_in_hdf5(tmp_path: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", value)
    monkeypatch.setattr("fcntl.flock", no_locks(errno.EIO))
    with warnings.catch_warnings(action="error"), RunLock(tmp_path / "x.h5"):
        atomic_write(tmp_path / "x.h5", b"data")
    assert names(tmp_path) == {"x.h5"}
