"""Batches that are killed, interrupted, or run out of disk.

Oracles: the outputs of an undisturbed run; the records, by which nothing is computed twice; the system's signals.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from batch_tools import children, fill, outputs, start
from cli_tools import Sift

import siftcli
from siftcli.batch.manifest import MANIFEST

IMAGES = 150
"""About two seconds of work."""


def announced(folder: Path) -> list[str]:
    """Return what the records in a folder say was made, by output and image, one for each time."""
    lines = (folder / MANIFEST).read_text().splitlines()
    made = [json.loads(line) for line in lines if line.endswith("}")]
    return [record["output"] + record.get("image", "") for record in made if record["input"]]


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, even if nobody has asked for its status yet."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def command_of(pid: int) -> str:
    """Return the command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_for(pids: list[int]) -> None:
    """Wait until processes have ended."""
    deadline = time.monotonic() + 120
    while not all(map(is_gone, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_killed(command: tuple[str, ...], reached: Callable[[], bool]) -> bool:
    """Start a run and kill it as soon as it has come so far; tell whether it was still running then."""
    with start(*command) as process:
        while process.poll() is None and not reached():
            time.sleep(0.001)
        workers, running = children(process.pid), process.poll() is None
        process.kill()
    wait_for(workers)  # they end by themselves, with what they have begun
    return running


def size(path: Path) -> int:
    """Return the size of a file; 0 if it is not there."""
    return path.stat().st_size if path.exists() else 0


@pytest.mark.parametrize("output", ["out/", "all.h5"])
def test_killed_at_random_moments_it_goes_on(sift: Sift, tmp_path: Path, output: str) -> None:
    """Kills for each kind of output, all in one run that is gone on with again and again until it comes to its end.

    The moments are told by the records, not by the clock, so that they are in the work however fast it goes.
    """
    names = fill(tmp_path / "in", IMAGES, size=(70, 90))
    command = ("detect", "in", "-r", "-o", output, "--jobs", "2", "-q", "--resume")
    manifest = tmp_path / ("out" if output == "out/" else "") / MANIFEST
    moments, kills = random.Random(output), 0

    def check() -> None:
        for path in tmp_path.glob("out/*.key"):
            assert path.read_bytes().endswith(b"\n")
        if Path("all.h5").exists():  # whole, if it is there
            with siftcli.collection_reader("all.h5") as collection:
                assert len(list(collection)) in finished

    finished = {len(names)}
    while kills < 4:
        goal = size(manifest) + moments.randint(0, 1000)  # bytes of records, about 170 for an image
        if is_killed(command, lambda goal=goal: size(manifest) > goal):
            kills += 1
        else:  # it came to its end first: this machine was busy with something else; more images, more work
            names += fill(tmp_path / "in", IMAGES, seed=len(names), size=(70, 90), first=len(names))
            finished.add(len(names))
        check()
    if output == "all.h5":  # once more while the file is written from what was kept
        is_killed(command, Path("all.h5.tmp").exists)
        check()
    assert sift(*command).returncode == 0
    assert sift("detect", "in", "-o", f"other-{output}", "-q").returncode == 0
    if output == "out/":
        assert outputs(tmp_path / "out") == outputs(tmp_path / "other-out")
        expected, made = {f"{Path(name).stem}.key" for name in names}, announced(tmp_path / "out")
    else:
        assert Path("all.h5").read_bytes() == Path("other-all.h5").read_bytes()
        assert not Path("all.h5.sift.journal").exists()
        expected = {f"all.h5{name}" for name in names}
        made = [name for name in announced(tmp_path) if name.startswith("all")]
    assert set(made) == expected
    assert len(made) <= len(names) + kills * 2  # a kill may come between the record and the output, of each worker


def test_what_is_there_is_never_computed_again(sift: Sift, tmp_path: Path) -> None:
    """The record of every output that a killed run has left is the only one after the next run too."""
    fill(tmp_path / "in", IMAGES, size=(70, 90))
    with start("detect", "in", "-o", "out", "--jobs", "2", "-q") as process:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("out/*.key"))) < 20:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        workers = children(process.pid)
        process.kill()
    wait_for(workers)
    there = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("out/*.key")}
    assert 20 <= len(there) < IMAGES
    result = sift("detect", "in", "-o", "out", "--resume")
    assert f"{IMAGES - len(there)} images done, {len(there)} up to date" in result.stderr.decode()
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in there} == there
    made = announced(tmp_path / "out")
    assert all(made.count(name) == 1 for name in there)


def test_a_worker_that_is_killed_costs_nothing(sift: Sift, tmp_path: Path) -> None:
    names = fill(tmp_path / "in", IMAGES, size=(70, 90))
    with start("detect", "in", "-o", "out", "--jobs", "2", "--json", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline())]
        workers = [pid for pid in children(process.pid) if "spawn_main" in command_of(pid)]
        assert workers
        os.kill(workers[0], signal.SIGKILL)
        told += map(json.loads, process.stdout.read().splitlines())
    assert process.returncode == 0
    assert sorted(Path(record["path"]).name for record in told) == names
    assert len(outputs(tmp_path / "out")) == IMAGES


def test_an_image_that_kills_its_workers_is_named(sift: Sift, tmp_path: Path) -> None:
    """The image is a pipe, which keeps a worker until it is killed, and the next one too."""
    names = fill(tmp_path / "in", 30, size=(300, 310))
    os.mkfifo(tmp_path / "in" / "pipe")
    command = ("detect", "in", "in/pipe", "-o", "out/", "--jobs", "2", "--json")
    with start(*command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline()) for _ in names]
        killed: set[int] = set()
        while process.poll() is None:
            reader = None
            with suppress(OSError):  # nobody has it open for reading yet
                reader = os.open(tmp_path / "in" / "pipe", os.O_WRONLY | os.O_NONBLOCK)
            if reader is None:
                time.sleep(0.02)
                continue
            workers = {pid for pid in children(process.pid) if "spawn_main" in command_of(pid)} - killed
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            killed |= workers
            wait_for(list(workers))
            os.close(reader)
        told += map(json.loads, process.stdout.read().splitlines())
        stderr = process.stderr.read().decode() if process.stderr else ""
    assert process.returncode == 1
    assert {Path(r["path"]).name for r in told if r["status"] == "done"} == set(names)
    assert [r["path"] for r in told if r["status"] == "failed"] == ["in/pipe"]
    assert "sift: error: in/pipe: the worker was killed (status -9)" in stderr
    assert len(killed) >= 2


@pytest.mark.parametrize("output", ["out/", "all.h5"])
def test_an_interrupt_stops_the_workers(sift: Sift, tmp_path: Path, output: str) -> None:
    names = fill(tmp_path / "in", IMAGES, size=(70, 90))
    command = ("detect", "in", "-o", output, "--jobs", "2", "--json", "--report", "run.json")
    with start(*command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        workers = children(process.pid)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        stderr = process.stderr.read().decode() if process.stderr else ""
    assert process.returncode == 130
    assert workers
    wait_for(workers)
    assert "Traceback" not in stderr
    assert "sift: to continue, repeat the command with --resume" in stderr.splitlines()
    report = json.loads(Path("run.json").read_text())
    assert report["exit_status"] == 130
    assert report["counts"]["done"] + report["counts"]["not reached"] == len(names)
    assert not list(tmp_path.rglob("*.tmp"))
    assert not Path("all.h5").exists()
    assert sift(*command, "--resume").returncode == 0
    assert sift("detect", "in", "-o", f"other-{output}").returncode == 0
    if output == "out/":
        assert outputs(tmp_path / "out") == outputs(tmp_path / "other-out")
    else:
        assert Path("all.h5").read_bytes() == Path("other-all.h5").read_bytes()


# --- disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no permission to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(("output", "jobs"), [("disk/out/", "2"), ("disk/out/", "1"), ("disk/all.h5", "1")])
def test_a_disk_that_fills_up(sift: Sift, tmp_path: Path, small_disk: Path, output: str, jobs: str) -> None:
    fill(tmp_path / "in", 120)
    assert sift("detect", "in", "-o", output.replace("disk/", "whole-")).returncode == 0
    result = sift("detect", "in", "-o", output, "--jobs", jobs)
    assert result.returncode == 1
    last = [line for line in result.stderr.decode().splitlines() if "error" in line][-1]
    assert "no space left on the device" in last
    assert len(result.stderr.splitlines()) < 120  # it does not go on for every image
    if output.endswith("/"):
        whole = outputs(tmp_path / "whole-out")
        found = outputs(small_disk / "out")
        assert 0 < len(found) < 120
        assert all(whole[name] == data for name, data in found.items())
    else:
        assert not Path(output).exists()
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
    again = sift("detect", "in", "-o", output, "--resume")
    assert again.returncode == 0
    assert re.search(r"[1-9]\d*( images?)? up to date", again.stderr.decode())
    if output.endswith("/"):
        assert outputs(small_disk / "out") == whole
    else:
        assert Path(output).read_bytes() == Path("whole-all.h5").read_bytes()


def test_a_file_system_that_is_read_only(sift: Sift, tmp_path: Path, small_disk: Path) -> None:
    fill(tmp_path / "in", 5)
    (small_disk / "out").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for output in ("disk/out/", "disk/new/", "disk/all.h5"):
        result = sift("detect", "in", "-o", output)
        assert result.returncode == 1
        assert "read-only" in result.stderr.decode()
    assert not outputs(small_disk)


def test_a_folder_that_may_not_be_written(sift: Sift, tmp_path: Path) -> None:
    if not os.geteuid():
        pytest.skip("root may write anywhere")
    fill(tmp_path / "in", 2)
    Path("out").mkdir(mode=0o500)
    result = sift("detect", "in", "-o", "out")
    assert result.returncode == 1
    assert "permission denied" in result.stderr.decode()


def test_an_output_folder_that_disappears(sift: Sift, tmp_path: Path) -> None:
    fill(tmp_path / "in", IMAGES, size=(70, 90))
    with start("detect", "in", "-o", "out", "--jobs", "1", "--json", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + 120
        while Path("out").exists():
            assert time.monotonic() < deadline
            shutil.rmtree("out", ignore_errors=True)
        stderr = process.stderr.read().decode() if process.stderr else ""
    assert process.returncode == 1
    assert "the folder does not exist" in stderr
    assert sift("detect", "in", "-o", "out", "--resume").returncode == 0
    assert len(outputs(tmp_path / "out")) == IMAGES
