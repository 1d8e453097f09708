"""Tasks shared among processes.  Oracles: the results of a plain loop; marks that the tasks leave in a folder."""

from __future__ import annotations

import errno
import multiprocessing
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from worker_tools import make_environment, make_failing, make_work

from siftcli.batch.crew import Crew
from siftcli.batch.workers import run_tasks
from siftcli.errors import SiftError, SiftWarning
from siftcli.threads import share


@pytest.fixture(autouse=True)
def workers_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers import the tests' modules."""
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def run(tasks: list[Any], folder: Path, jobs: int) -> dict[Any, tuple[Any, str | None]]:
    return {o.task: (o.result, o.error) for o in run_tasks(tasks, partial(make_work, str(folder)), jobs)}


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_every_task_has_its_result(jobs: int, tmp_path: Path) -> None:
    outcomes = run(list(range(40)), tmp_path, jobs)
    assert {task: result[0] for task, (result, _) in outcomes.items()} == {n: n * n for n in range(40)}
    pids = {result[1] for result, _ in outcomes.values()}
    assert pids == {os.getpid()} if jobs == 1 else os.getpid() not in pids and len(pids) <= jobs
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_task_that_fails_costs_itself_only(jobs: int, tmp_path: Path) -> None:
    outcomes = run([1, "refuse a", 2, "fault b", "hungry c", 3], tmp_path, jobs)
    assert [outcomes[n][0][0] for n in (1, 2, 3)] == [1, 4, 9]
    assert outcomes["refuse a"] == (None, "a: is refused")
    assert "internal error, please report it: ZeroDivisionError at worker_tools.py" in str(outcomes["fault b"][1])
    assert "memory" in str(outcomes["hungry c"][1])


def test_a_worker_that_is_killed_costs_its_task_only(tmp_path: Path) -> None:
    outcomes = run([1, "die a", *range(2, 9), "die b"], tmp_path, 2)
    assert [outcomes[n][0][0] for n in range(1, 9)] == [n * n for n in range(1, 9)]
    for name in "ab":
        result, error = outcomes[f"die {name}"]
        assert result is None
        assert "was killed (status -9)" in str(error)
        assert (tmp_path / name).read_text() == "xx"  # tried twice, and no more


def test_a_task_whose_worker_was_killed_once_is_done_by_another(tmp_path: Path) -> None:
    assert run(["die-once a", 5], tmp_path, 2)["die-once a"][0][0] == "die-once"
    assert (tmp_path / "a").read_text() == "xx"


def test_workers_that_cannot_begin_say_why() -> None:
    outcomes = list(run_tasks([1, 2, 3], make_failing, 2))
    assert [o.error for o in outcomes] == ["features.h5: no such file"] * 3
    with pytest.raises(SiftError, match=r"features\.h5"):
        list(run_tasks([1], make_failing, 1))


def test_leaving_early_ends_the_workers(tmp_path: Path) -> None:
    outcomes = run_tasks([1, "sleep a", 2, "sleep b", 3], partial(make_work, str(tmp_path)), 2)
    next(outcomes)
    outcomes.close()
    assert not multiprocessing.active_children()


def test_a_worker_ends_whatever_it_does(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Python ignores an exception in a weakref's callback, so the signal has to come again."""
    assert "(status 1)" in str(run(["end-in-destructor a", 5], tmp_path, 2)["end-in-destructor a"][1])
    assert (tmp_path / "a").read_text() == "tidied up"
    assert capfd.readouterr().err == ""


def test_workers_have_one_thread_of_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    found = {o.task: o.result for o in run_tasks(["OPENBLAS_NUM_THREADS"], make_environment, 2)}
    assert found == {"OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.parametrize("room", [0, 1, 2])
def test_without_room_for_all_workers_fewer_do_the_work(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = Crew._start, 0

    def start_or_fail(crew: Crew) -> Any:
        nonlocal started
        if started == room:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        started += 1
        return start(crew)

    monkeypatch.setattr(Crew, "_start", start_or_fail)
    words = "one worker does the work" if room < 2 else "2 of the workers do the work"
    with pytest.warns(SiftWarning, match=f"no room for another process .*; {words}"):
        outcomes = run(list(range(12)), tmp_path, 3)
    assert {task: result[0] for task, (result, _) in outcomes.items()} == {n: n * n for n in range(12)}
    pids = {result[1] for result, _ in outcomes.values()}
    assert pids == {os.getpid()} if room == 0 else os.getpid() not in pids


@pytest.mark.parametrize("room", [0, 1, 3])
def test_without_room_for_all_threads_fewer_do_the_work(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, 0

    def start_or_fail(thread: threading.Thread) -> None:
        nonlocal started
        if started == room:
            raise RuntimeError("can't start new thread")
        started += 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_fail)
    busy = threading.Event()
    with pytest.warns(SiftWarning, match="no room for another thread"):
        assert share(lambda number: busy.wait(0.3) or number * number, 5) == [0, 1, 4, 9, 16]
