"""The benchmark's processes: what the launcher says of them, and the script that the command is compared with."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from speed import folder, images, launch, options, process

import siftcli

ROOT = Path(__file__).parents[2]
MB = 1 << 20

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    process.save(images.photographs("samples")["astronaut.jpg"][:160, 100:300], path)
    return path


# --- the launcher


def test_peak_memory_is_that_of_the_command_and_not_of_its_parent() -> None:
    # Oracle: an array of known size; this process has far more than a bare interpreter.
    held = np.ones(200 * MB, np.uint8)
    small = process.run_command(python("pass"))["largest"]
    large = process.run_command(python(f"x = b'1' * {100 * MB}"))["largest"]
    assert held.size > 200 * MB - 1
    assert small < 60 * MB
    assert 95 * MB < large - small < 115 * MB


@linux
def test_memory_of_several_processes_is_added_and_shared_pages_count_once() -> None:
    # Oracle: 80 MB that are shared after the fork, and 40 MB of the child's own.
    code = (
        "import os, time\n"
        f"a = b'1' * {80 * MB}\n"
        "child = os.fork()\n"
        f"b = b'2' * {40 * MB} if child == 0 else None\n"
        "time.sleep(1)\n"
    )
    found = process.run_command(python(code), sample=True)
    assert 120 * MB < found["tree"] < 150 * MB
    assert found["largest"] < 140 * MB


@linux
def test_a_process_that_has_ended_is_no_member() -> None:
    # Its pages count for another one as soon as it ends, while its entry stays until its parent asks for it.
    with subprocess.Popen(python("input()"), stdin=subprocess.PIPE, start_new_session=True) as child:
        assert launch.members(child.pid) == {Path(f"/proc/{child.pid}")}
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert launch.members(child.pid) == set()


@linux
def test_memory_does_not_count_when_a_process_begins_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    # Oracle: the definition; a group of one process, with and without a process more at the second look.
    code = f"x = b'1' * {20 * MB}; print(flush=True); input()"
    with subprocess.Popen(python(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()  # it has the memory
        assert launch.tree_memory(child.pid) > 20 * MB
        seen, looks = launch.members, iter([set(), {Path("/proc/1")}])
        monkeypatch.setattr(launch, "members", lambda group: seen(group) | next(looks))
        assert launch.tree_memory(child.pid) == 0


def test_the_launcher_reports_status_and_errors() -> None:
    code = "import sys; print('no'); sys.exit('it is broken')"
    found = launch.run(python(code), sample=False)
    assert (found["status"], found["stderr"], found["tree"]) == (1, "it is broken\n", None)
    with pytest.raises(process.Failed, match="exit status 1: it is broken"):
        process.run_command(python(code))


def test_commands_start_with_the_threads_that_a_shell_gives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    code = "import os, sys; import siftcli; sys.exit(os.environ.get('OPENBLAS_NUM_THREADS', '') != '')"
    assert process.run_command(python(code))["status"] == 0


# --- the script with OpenCV


@pytest.fixture(scope="module")
def opencv() -> Any:
    pytest.importorskip("cv2")
    from speed import opencv_script

    return opencv_script


def test_the_script_writes_lowes_format(opencv: Any, photo: Path) -> None:
    # Oracle: this package's reader and writer, and OpenCV's own keypoints; more than the script formats at a time.
    pixels = siftcli.read_image(photo).pixels
    keypoints, descriptors = opencv.cv2.SIFT_create().detectAndCompute(pixels, None)
    many = 1 + opencv.ROWS // len(keypoints)
    text = opencv.key_text(keypoints * many, np.tile(descriptors, (many, 1)))
    features = siftcli.read_key(text)
    assert len(features) > opencv.ROWS
    assert siftcli.write_key(features) == text
    np.testing.assert_allclose(features.xy[: len(keypoints)], [k.pt for k in keypoints], atol=0.0051)
    assert opencv.key_text((), None) == b"0 128\n"


def test_the_script_and_the_command_write_comparable_files(opencv: Any, photo: Path) -> None:
    ours, theirs = photo.with_name("ours.key"), photo.with_name("theirs.key")
    process.run_command(process.sift(photo, ours))
    process.run_command(process.script(photo, theirs))
    assert len(siftcli.read_key(theirs)) == pytest.approx(len(siftcli.read_key(ours)), rel=0.25)


def test_two_processes_write_what_one_writes(opencv: Any, tmp_path: Path) -> None:
    place, written = tmp_path / "images", {}
    place.mkdir()
    folder.fill(place, "samples", 3)
    assert [image.shape for image in (siftcli.read_image(p).pixels for p in sorted(place.iterdir()))] == [
        (480, 640)
    ] * 3
    for processes in (1, 2):
        target = tmp_path / str(processes)
        target.mkdir()
        process.run_command(process.script(place, target, processes))
        written[processes] = {path.name: path.read_bytes() for path in target.iterdir()}
    assert sorted(written[1]) == ["000000.key", "000001.key", "000002.key"]
    assert written[1] == written[2]
    assert len(set(written[1].values())) == 3


# --- sections


def test_the_section_of_processes_measures_both(opencv: Any, monkeypatch: pytest.MonkeyPatch, photo: Path) -> None:
    small = images.Picture("small", np.asarray(siftcli.read_image(photo).pixels, np.uint8), "a window")
    monkeypatch.setattr(images, "picture", lambda source, size: small)
    chosen = options.Options(repeat=1, sizes=("0.3",), sources=("samples",), peers=("opencv",))
    section = process.process(chosen)
    row = section.data[0]
    assert {"sift", "opencv"} <= set(row["median"])
    assert row["keypoints"] == pytest.approx(len(siftcli.detect(small.pixels)), rel=0.1)  # the file is a JPEG
    assert all(20 * MB < size < 500 * MB for size in row["memory"].values())
    assert [table.name for table in section.tables] == ["process", "start"]
    assert all(len(line) == len(table.columns) for table in section.tables for line in table.rows)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="a processor of another kind cannot be pretended")
def test_another_processor_can_be_pretended(tmp_path: Path) -> None:
    # Oracle: what NumPy and OpenBLAS themselves say they use.
    figures = tmp_path / "f.json"
    arguments = ["--only", "pictures", "--sizes", "0.3", "--sources", "samples", "--json", str(figures)]
    subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *arguments, "--coretype", "Haswell", "--no-avx512"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    facts = json.loads(figures.read_text("utf-8"))["machine"]
    assert facts["OPENBLAS_CORETYPE"] == "Haswell"
    assert "AVX512" not in facts["SIMD that NumPy uses"]
    assert "X86_V4" not in facts["SIMD that NumPy uses"]
    if "openblas" in facts["BLAS"] and find_spec("threadpoolctl"):
        assert "Haswell" in facts["BLAS"]
