"""``sift detect --scheduler`` with a real scheduler and real workers, on this machine.

Oracle: the outputs of the same command without a scheduler.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_tools import fill, make_bad, outputs, start
from cli_tools import Sift

pytestmark = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="Dask is not installed")

ROOT = Path(__file__).parents[2]


class Cluster:
    """A scheduler and two workers of one thread each, as processes."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        arguments = ("--scheduler-file", str(self.file))
        self.scheduler = self._start("scheduler", *arguments, "--port", "0", "--no-dashboard", "--host", "127.0.0.1")
        deadline = time.monotonic() + 60
        while not self.file.exists() or not self.file.read_text().endswith("}"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.address: str = json.loads(self.file.read_text())["address"]
        worker = ("--nthreads", "1", "--nworkers", "1", "--no-nanny", "--no-dashboard", "--local-directory")
        self.workers = [self._start("worker", self.address, *worker, str(folder / f"work{i}")) for i in range(2)]

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment,
        )

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


def test_the_cluster_makes_the_same_files(sift: Sift, tmp_path: Path, cluster: Cluster) -> None:
    good = fill(tmp_path / "in", 40)
    fill(tmp_path / "in" / "large", 3, size=(300, 310))
    bad = make_bad(tmp_path / "in")
    assert sift("detect", "in", "-r", "-o", "here").returncode == 1
    assert sift("detect", "in", "-r", "-o", "here.h5").returncode == 1
    there = sift("detect", "in", "-r", "-o", "there", "--scheduler", cluster.address, "--json")
    assert there.returncode == 1
    records = [json.loads(line) for line in there.stdout.splitlines()]
    assert {Path(r["path"]).name for r in records if r["status"] == "failed"} == set(bad)
    assert outputs(tmp_path / "there") == outputs(tmp_path / "here")
    assert len(outputs(tmp_path / "there")) == len(good) + 3
    file = str(cluster.file)
    assert sift("detect", "in", "-r", "-o", "there.h5", "--scheduler", file, "--ship").returncode == 1
    assert Path("there.h5").read_bytes() == Path("here.h5").read_bytes()
    for output in ("there", "there.h5"):
        again = sift("detect", "in", "-r", "-o", output, "--scheduler", file, "--resume")
        assert f"0 images done, {len(good) + 3} up to date" in again.stderr.decode()


def test_a_worker_that_is_lost_costs_nothing(sift: Sift, tmp_path: Path, cluster: Cluster) -> None:
    names = fill(tmp_path / "in", 40, size=(300, 310))
    with start("detect", "in", "-o", "there", "--json", "--scheduler", cluster.address, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        run.stdout.readline()
        cluster.workers[0].kill()
        told = run.stdout.read().splitlines()
    assert run.returncode == 0
    assert 1 + len(told) == len(names)
    assert sift("detect", "in", "-o", "here").returncode == 0
    assert outputs(tmp_path / "there") == outputs(tmp_path / "here")


def test_a_scheduler_that_is_not_there(photo: Path) -> None:
    # A second of patience instead of ten, or most of the time of these tests would be waiting.
    code = "from siftcli.__main__ import main; from siftcli.batch import cluster; cluster._PATIENCE = 1; main()"
    result = subprocess.run(
        [sys.executable, "-c", code, "detect", photo, "--scheduler", "tcp://127.0.0.1:9"],
        capture_output=True,
        cwd=photo.parent,
    )
    assert result.returncode == 2
    assert result.stderr.decode().startswith("sift: error: --scheduler: tcp://127.0.0.1:9 does not answer")
    assert not photo.with_suffix(".key").exists()
