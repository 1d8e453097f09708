"""Standard streams that fail, and too little of what the system gives: the status and the outputs are as without.

Oracles: the status and the bytes of a run to which nothing happens.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from batch_tools import fill
from cli_tools import SIFT
from fork_tools import files_of
from format_tools import PARAMETERS, make
from PIL import Image

from siftcli.io.registry import collection_writer

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no such limits and streams on this system")

RUNS = {
    "images": (("detect", "photos", "-o", "out/", "--jobs", "1", "-v"), 1),
    "matches": (("match", "some.h5", "--exhaustive", "-o", "m.h5", "-v", "--jobs", "1"), 0),
    "picture": (("draw", "photos/0000.png", "-o", "p.png", "-v"), 0),
    "usage": (("detect", "--no-such-option"), 2),
    "failure": (("info", "no-such-file.h5"), 1),
    "help": (("--help",), 0),
}
"""Commands, and their statuses."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Images, one of them broken, and features."""
    fill(tmp_path / "photos", 3)
    (tmp_path / "photos" / "broken.png").write_text("no image")
    with collection_writer(tmp_path / "some.h5", parameters=PARAMETERS) as writer:
        for i in range(4):
            writer.add(f"{i}.jpg", make(60, i))
    return tmp_path


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in files_of(folder).items() if "sift-manifest" not in name}


def run(
    words: tuple[str, ...], folder: Path, redirect: str = "", limit: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Run ``sift`` from a shell that has set a limit and redirects what it writes."""
    script = f'{limit}\nexec "$@" {redirect}'
    return subprocess.run(["sh", "-c", script, "sh", *SIFT, *words], cwd=folder, capture_output=True)


def untouched(words: tuple[str, ...], place: Path) -> dict[str, bytes]:
    """The outputs of a run to which nothing happens; they are moved out of the way."""
    before = outputs(place)
    run(words, place)
    found = {name: data for name, data in outputs(place).items() if name not in before}
    for name in found:
        (place / name).unlink()
    for name in files_of(place):
        if "sift-manifest" in name:
            (place / name).unlink()
    return found


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-", "2>&- <&-"])
@pytest.mark.parametrize("name", RUNS)
def test_standard_error_that_fails_changes_nothing(name: str, redirect: str, place: Path) -> None:
    words, status = RUNS[name]
    expected, before = untouched(words, place), outputs(place)
    assert run(words, place, redirect).returncode == status
    assert {name: data for name, data in outputs(place).items() if name not in before} == expected


def test_a_reader_of_standard_error_that_leaves(place: Path) -> None:
    words, status = RUNS["images"]
    expected = untouched(words, place)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*SIFT, *words], cwd=place, stderr=write)
    os.close(write)
    assert done.returncode == status
    assert {n: d for n, d in outputs(place).items() if n in expected} == expected


def test_no_output_becomes_a_standard_stream(place: Path) -> None:
    """With all of them closed, the next file that is opened would be one: what is printed must not end up there."""
    words, status = RUNS["images"]
    expected = untouched(words, place)
    assert run(words, place, "0<&- 1>&- 2>&-").returncode == status
    assert {n: d for n, d in outputs(place).items() if n in expected} == expected


LIMITED = {
    "workers": ("detect", "large.png", "-o", "l.key", "--workers", "3"),
    "jobs": ("detect", "good", "-o", "all.h5", "--jobs", "2"),
}


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("files", [9, 13])
def test_few_file_handles(name: str, files: int, place: Path) -> None:
    """Fewer processes, or one, do the work."""
    fill(place / "good", 4)
    noise = np.random.default_rng(0).integers(0, 256, (300, 400), np.uint8)
    Image.fromarray(noise).save(place / "large.png")
    words = LIMITED[name]
    expected = untouched(words, place)
    done = run(words, place, limit=f"ulimit -n {files}")
    assert done.returncode == 0, done.stderr
    assert b"the work" in done.stderr or files == 13
    assert {n: d for n, d in outputs(place).items() if n in expected} == expected


def test_little_memory_is_an_error_of_one_line(place: Path) -> None:
    """Whatever there is too little memory for, from the first module that is imported."""
    pytest.importorskip("resource", reason="no limits on this system")
    statuses = set()
    for megabytes in (50, 100, 120, 180, 500):
        done = run(("detect", "photos/0000.png", "-o", f"{megabytes}.key"), place, limit=f"ulimit -v {megabytes << 10}")
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        assert b"internal error" not in done.stderr
        assert done.returncode in (0, 1)
        assert (place / f"{megabytes}.key").exists() == (done.returncode == 0)
        statuses.add(done.returncode)
    assert statuses == {0, 1}


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("detect", "photos", "-o", "out/"), "siftcli.cli.images:find_inputs"),
        (("convert", "some.h5", "out/", "--to", "csv"), "siftcli.batch.conversion.plan:find_sources"),
        (("info", "some.h5"), "siftcli.io.registry:collection_reader"),
        (("match", "some.h5", "--exhaustive", "-o", "m.h5"), "siftcli.cli.match_collection:chosen_pairs"),
        (("--help",), "siftcli.cli.main:_Commands.format_commands"),
    ],
)
def test_memory_that_ends_anywhere(words: tuple[str, ...], where: str, place: Path) -> None:
    module, _, name = where.partition(":")
    program = (
        "import sys, importlib, operator\n"
        "def fail(*_, **__): raise MemoryError\n"
        f"module = importlib.import_module({module!r})\n"
        f"*path, name = {name!r}.split('.')\n"
        "setattr(operator.attrgetter('.'.join(path))(module) if path else module, name, fail)\n"
        f"sys.argv = ['sift', *{words!r}]\n"
        "from siftcli.__main__ import process\n"
        "process()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=place, capture_output=True)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert b"memory" in done.stderr
