"""The record of what is done.  Oracle: the table of states below, made by hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from siftcli.batch.fingerprint import Fingerprint, fingerprint
from siftcli.batch.manifest import MANIFEST, claimed, forget, record, recorded
from siftcli.batch.plan import Job
from siftcli.batch.states import job_states
from siftcli.errors import OutputError

HERE = "the parameters of this run"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "a.png").write_bytes(b"pixels")
    (tmp_path / "a.key").write_bytes(b"0 128\n")
    return Job(str(tmp_path / "a.png"), str(tmp_path / "a.key"), "lowe", "a.png")


def state(job: Job, present: bool = True) -> str:
    ((_, found),) = job_states([job], HERE, lambda _: present, overwrite=True)
    return found


def source_of(job: Job) -> Fingerprint:
    found = fingerprint(job.path)
    assert found is not None
    return found


def test_the_states_of_a_job(job: Job) -> None:
    assert state(job, present=False) == "new"
    assert state(job) == "unknown"
    record(job, source_of(job), HERE, 6)
    assert state(job) == "done"
    assert state(job, present=False) == "new"
    record(job, source_of(job), "other parameters", 6)
    assert state(job) == "stale"
    record(job, source_of(job), HERE, 7)  # bytes that the output has not
    assert state(job) == "stale"
    record(job, source_of(job), HERE)
    assert state(job) == "done"
    forget(job)
    assert state(job) == "stale"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda path: path.write_bytes(b"others"), "stale"),
        (lambda path: path.write_bytes(b"longer pixels"), "stale"),
        (lambda path: path.unlink(), "stale"),
        (lambda path: os.utime(path, ns=(5, 5)), "done"),
        (lambda path: (path.write_bytes(b"pixels"), os.utime(path, ns=(5, 5))), "done"),
    ],
)
def test_a_changed_image(job: Job, change: object, expected: str) -> None:
    os.utime(job.path, ns=(1, 1))
    record(job, source_of(job), HERE, 6)
    change(Path(job.path))  # type: ignore[operator]
    assert state(job) == expected


def test_a_new_output_is_announced_and_an_old_one_withdrawn(job: Job) -> None:
    with recorded(job, source_of(job), HERE, exists=False):
        assert state(job) == "done"  # if the output appears now, it is known
    with recorded(job, source_of(job), HERE, exists=True):
        assert state(job) == "stale"  # whichever of the two is there
    assert state(job) == "done"


def test_images_of_one_output_have_records_of_their_own(job: Job) -> None:
    first, second = (Job(job.path, job.output, "hdf5", name, shared=True) for name in ("a.png", "b\n\udcff.png"))
    record(first, source_of(job), HERE)
    assert (state(first), state(second), state(job)) == ("done", "unknown", "unknown")
    record(second, source_of(job), HERE)
    assert state(second) == "done"


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"{", b"[1, 2]\n", b'{"output": 3}\n', b'{"output": "a.key"}\n'])
def test_a_damaged_line_is_passed_over(job: Job, damage: bytes) -> None:
    record(job, source_of(job), HERE, 6)
    other = Job(job.path, job.output.replace("a.key", "b.key"), "lowe", "b.png")
    with Path(job.output).with_name(MANIFEST).open("ab") as file:
        file.write(damage)
    record(other, source_of(job), HERE)
    assert state(other) == "done"
    assert state(job) == ("done" if b"a.key" not in damage else "stale")


def test_what_is_no_plain_file_has_no_fingerprint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe", "nul\0"):
        assert fingerprint(str(path)) is None


@pytest.mark.parametrize("kind", ["text", "link", "hard link", "pipe"])
def test_what_is_no_manifest_is_left_alone(job: Job, tmp_path: Path, kind: str) -> None:
    manifest, target = Path(job.output).with_name(MANIFEST), tmp_path / "target"
    target.write_bytes(b"precious\n")
    if kind == "text":
        manifest.write_bytes(b"precious\n")
    elif kind == "link":
        manifest.symlink_to(target)
    elif kind == "hard link":
        manifest.hardlink_to(target)
    else:
        os.mkfifo(manifest)
    with pytest.raises(OutputError, match="is not a manifest of sift"):
        record(job, source_of(job), HERE)
    with pytest.raises(OutputError, match="is not a manifest of sift"), claimed([job]):
        pass
    assert target.read_bytes() == b"precious\n"
    assert kind != "text" or manifest.read_bytes() == b"precious\n"


def test_any_cut_of_a_manifest_is_one(job: Job) -> None:
    record(job, source_of(job), HERE, 6)
    manifest = Path(job.output).with_name(MANIFEST)
    data = manifest.read_bytes()
    for cut in range(len(data)):
        manifest.write_bytes(data[:cut])
        record(job, source_of(job), HERE, 6)
        assert state(job) == "done"
