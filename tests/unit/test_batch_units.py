"""Units of work, the predicted memory, and what a machine allows.

Oracles: counts made by hand, the memory that a process really took, the files of the kernel as its documentation has
them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from siftcli.batch.plan import Job
from siftcli.batch.units import STACK, make_units, predicted_memory, singles
from siftcli.machine import available_memory, cores
from siftcli.presets import PRESETS


def job(folder: Path, name: str, width: int, height: int) -> Job:
    Image.new("L", (width, height)).save(folder / name)
    return Job(str(folder / name), f"{name}.key", "lowe", name)


def area(width: int, height: int) -> int:
    return width * height


def test_large_images_come_alone_and_first(tmp_path: Path) -> None:
    sizes = [(20, 20), (300, 300), (21, 20), (900, 400), (300, 301), (20, 22)]
    jobs = [job(tmp_path, f"{i}.png", *size) for i, size in enumerate(sizes)]
    units = [[unit_job.name for unit_job in unit.jobs] for unit in make_units(jobs, 2, area)]
    assert units == [["3.png"], ["4.png"], ["1.png"], ["5.png"], ["2.png"], ["0.png"]]
    assert [unit.memory for unit in make_units(jobs, 2, area)] == [360000, 90300, 90000, 440, 420, 400]


def test_one_worker_keeps_the_order(tmp_path: Path) -> None:
    jobs = [job(tmp_path, f"{i:02}.png", *((20, 20) if i % 30 else (300, 300))) for i in range(50)]
    units = [unit.jobs for unit in make_units(jobs, 1, area)]
    assert [unit_job for unit in units for unit_job in unit] == jobs
    assert [len(unit) for unit in units] == [1, STACK, 13, 1, STACK, 3]


def test_small_images_are_shared_among_the_workers(tmp_path: Path) -> None:
    jobs = [job(tmp_path, f"{i:03}.png", 8, 8) for i in range(200)]
    for workers in (2, 4, 100):
        sizes = [len(unit.jobs) for unit in make_units(jobs, workers, area)]
        assert sum(sizes) == 200
        assert max(sizes) <= max(1, -(-200 // (2 * workers)))
    assert [u.jobs for u in singles(next(iter(make_units(jobs, 4, area))))] == [(jobs[i],) for i in range(25)]


def test_what_cannot_be_read_is_small(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("text")
    jobs = [Job(str(tmp_path / name), "x", "lowe", name) for name in ("text.png", "none.png")]
    assert [len(unit.jobs) for unit in make_units(jobs, 1, area)] == [2]


def test_jobs_are_looked_at_when_their_turn_comes(tmp_path: Path) -> None:
    endless = iter(lambda: Job("none.png", "x", "lowe", "none.png"), None)
    assert next(make_units(endless, 2, area)).jobs


@pytest.mark.parametrize(("preset", "workers"), [("default", 1), ("default", 2), ("lowe", 1)])
@pytest.mark.parametrize(("height", "width"), [(700, 900), (60, 9000), (9000, 60)])
def test_the_prediction_of_memory_holds(preset: str, workers: int, height: int, width: int) -> None:
    """Never less than 3/4 of what it takes, or limits would be worth nothing; never five times as much."""
    code = (
        "import re, pathlib, numpy as np\nfrom siftcli.engine import pipeline\nfrom siftcli.io import image\n"
        "from siftcli.presets import PRESETS\n"
        f"noise = np.random.default_rng(0).integers(0, 256, ({height} // 4, {width} // 4), np.uint8)\n"
        "pixels = noise.repeat(4, 0).repeat(4, 1)\n"
        f"p = PRESETS[{preset!r}]\npipeline.detect(pixels[None], p.detector, p.descriptor, {workers})\n"
        # Not ru_maxrss, which begins with the parent's.
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) * 1024)"
    )
    taken = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    predicted = predicted_memory(width, height, PRESETS[preset].detector, workers)
    assert 0.75 * taken <= predicted <= 5 * taken


def test_a_container_limits_cores_and_memory(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:   4000 kB\n")
    empty = tmp_path / "none"
    assert available_memory(empty, meminfo) == 4000 * 1024
    assert available_memory(empty, empty) is None
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert available_memory(tmp_path, meminfo) == 4000 * 1024
    (tmp_path / "memory.max").write_text("3000000\n")
    assert available_memory(tmp_path, meminfo) == 2_000_000
    assert cores(empty) >= 1
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cores(tmp_path) == cores(empty)
