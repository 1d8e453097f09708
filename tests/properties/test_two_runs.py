"""Two runs at once on one output: one of them is told so, or waits; the output is that of a run that was alone.

Oracle: the bytes of each run when it is alone.  Ten delays between the two, from none to the time that one run takes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from batch_tools import fill
from fork_tools import ForkServer, files_of
from format_tools import PARAMETERS, make

from siftcli.io.registry import collection_writer

DELAYS = 10

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no file locks on this system")

KINDS = {
    "HDF5": (("detect", "a", "-o", "OUT/f.h5", "--jobs", "1"), ("detect", "b", "-o", "OUT/f.h5", "--jobs", "1")),
    "HDF5, by link": (
        ("detect", "a", "-o", "OUT/f.h5", "--jobs", "1"),
        ("detect", "b", "-o", "OUT/../out/f.h5", "--jobs", "1"),
    ),
    "hloc": (("convert", "a.h5", "OUT/f.h5", "--to", "hloc"), ("convert", "b.h5", "OUT/f.h5", "--to", "hloc")),
    "matches, HDF5": (
        ("match", "a.h5", "--exhaustive", "-o", "OUT/m.h5", "--jobs", "1"),
        ("match", "b.h5", "--exhaustive", "-o", "OUT/m.h5", "--jobs", "1"),
    ),
    "matches, text": (
        ("match", "a.h5", "--exhaustive", "-o", "OUT/m.txt", "--jobs", "1"),
        ("match", "b.h5", "--exhaustive", "-o", "OUT/m.txt", "--jobs", "1"),
    ),
    "database": (
        ("detect", "a", "-o", "OUT/f.db", "--jobs", "1"),
        ("detect", "b", "-o", "OUT/f.db", "--jobs", "1"),
    ),
    "report": (
        ("detect", "a", "-o", "OUT/a/", "--jobs", "1", "--report", "OUT/r.csv"),
        ("detect", "b", "-o", "OUT/b/", "--jobs", "1", "--report", "OUT/r.csv"),
    ),
}
"""Outputs, and two runs on each."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images and features of two kinds."""
    folder = tmp_path_factory.mktemp("sources")
    for number, name in enumerate("ab"):
        fill(folder / name, 4, seed=number)
        with collection_writer(folder / f"{name}.h5", parameters=PARAMETERS) as writer:
            for i in range(5):
                writer.add(f"{name}{i}.jpg", make(150, 10 * number + i))
    return folder


def command(words: tuple[str, ...], folder: Path) -> list[str]:
    return [word.replace("OUT", str(folder)) for word in words]


def alone(words: tuple[str, ...], sources: Path, folder: Path, forked: ForkServer) -> tuple[dict[str, bytes], float]:
    """The files of a run that is alone, and the seconds that it takes."""
    folder.mkdir(parents=True)
    begin = time.perf_counter()
    assert forked(*command(words, folder), cwd=sources).status == 0
    return visible(folder), time.perf_counter() - begin


def visible(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in files_of(folder).items() if not Path(name).name.startswith(".sift-manifest")}


@pytest.mark.parametrize("kind", KINDS)
def test_two_runs_on_one_file(kind: str, sources: Path, forked: ForkServer, tmp_path: Path) -> None:
    first, second = KINDS[kind]
    one, seconds = alone(first, sources, tmp_path / "alone", forked)
    two, _ = alone(second, sources, tmp_path / "other" / "out", forked)
    refused = 0
    for number in range(DELAYS):
        folder = tmp_path / f"{number}" / "out"
        folder.mkdir(parents=True)
        delay = seconds * number / (DELAYS - 1)
        runs = forked.together([(command(first, folder), 0), (command(second, folder), delay)], sources)
        assert 0 in {run.status for run in runs}, runs
        found = visible(folder)
        if kind == "report":  # the name of the report is taken; the features are not in question
            assert (folder / "r.csv").read_text().startswith("path,")
            assert all(run.status == 0 or "exists already" in run.said for run in runs)
            refused += any(run.status for run in runs)
            continue
        assert found in (one, two)
        for run, whole in zip(runs, (one, two), strict=True):
            if run.status:
                refused += 1
                assert "another run is writing this file" in run.said or "exists already" in run.said, run.said
                assert run.status in (1, 2)
            else:
                assert found == whole
    assert refused == DELAYS


def test_two_runs_into_one_folder(sources: Path, forked: ForkServer, tmp_path: Path) -> None:
    """The second waits, and then finds what is there."""
    words = ("detect", "a", "-o", "OUT/f/", "--jobs", "1", "--resume")
    whole, seconds = alone(words, sources, tmp_path / "alone", forked)
    for number in range(DELAYS):
        folder = tmp_path / str(number)
        folder.mkdir()
        delay = seconds * number / (DELAYS - 1)
        other = ("detect", "b", "-o", "OUT/f/", "--jobs", "1", "--overwrite")
        runs = forked.together([(command(words, folder), 0), (command(other, folder), delay)], sources)
        assert [run.status for run in runs] == [0, 0], runs
        assert visible(folder).keys() == whole.keys()
        again = forked(*command(("detect", "b", "-o", "OUT/f/", "--jobs", "1", "--resume"), folder), cwd=sources)
        assert again.status == 0
        assert visible(folder) != whole


def test_shards_share_a_folder(sources: Path, forked: ForkServer, tmp_path: Path) -> None:
    whole, _ = alone(("detect", "a", "-o", "OUT/f/", "--jobs", "1"), sources, tmp_path / "alone", forked)
    runs = [
        (command(("detect", "a", "-o", "OUT/f/", "--jobs", "1", "--shard", f"{k}/3"), tmp_path / "out"), 0.0)
        for k in (1, 2, 3)
    ]
    (tmp_path / "out").mkdir()
    for run in forked.together(runs, sources):
        assert run.status == 0
        assert "waiting" not in run.said
    assert visible(tmp_path / "out") == whole
