"""Work shared between forked processes, and where there is no forking, between threads."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from siftcli.engine import processes
from siftcli.engine.processes import Team, share
from siftcli.engine.scratch import map_shared, scratch, shared_scratch

forked = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")


@pytest.fixture(params=["forks", "threads"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to share."""
    if request.param == "forks" and sys.platform != "linux":
        pytest.skip("forks on Linux only")
    monkeypatch.setattr(processes, "_FORKS", request.param == "forks")
    return str(request.param)


def children() -> set[str]:
    """The processes that this one has started and not waited for, where the system tells."""
    return {pid for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every test leaves the children that there were before it, those of other tests."""
    before = children()
    yield
    assert children() <= before


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_values_are_exchanged(either: str, workers: int) -> None:
    """Closed form: in every round, every worker sees what all of them gave, in order."""

    def work(team: Team) -> list[list[int]]:
        return [team.exchange(10 * turn + team.number) for turn in range(4)]

    seen = share(work, workers)
    assert seen == [[[10 * turn + number for number in range(workers)] for turn in range(4)]] * workers


def test_large_values(either: str) -> None:
    """Invariance: what is larger than any pipe arrives whole."""

    def work(team: Team) -> list[int]:
        return [int(a.sum()) for a in team.exchange(np.full(3_000_000, team.number + 1, np.int8))]

    assert share(work, 3) == [[3_000_000, 6_000_000, 9_000_000]] * 3


@pytest.mark.parametrize("culprit", [0, 1, 2])
def test_an_error_ends_all(either: str, culprit: int) -> None:
    """The first error is the caller's; no worker waits for ever, none is left."""

    def work(team: Team) -> None:
        team.exchange(0)
        if team.number == culprit:
            raise ValueError(f"of {culprit}")
        team.exchange(1)

    with pytest.raises((ValueError, threading.BrokenBarrierError)) as caught:
        share(work, 3)
    if either == "forks":
        assert str(caught.value) == f"of {culprit}"


@forked
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_process_is_told(when: str) -> None:
    """A worker that the system kills, for want of memory say, is an error, not a wait without end."""

    def work(team: Team) -> None:
        if when == "after":
            team.exchange(None)
        if team.number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        team.exchange(None)

    with pytest.raises(ChildProcessError, match="memory"):
        share(work, 3)


@forked
def test_an_interrupt_ends_all() -> None:
    """Ctrl-C goes to all processes of a terminal: the caller's is raised, the others leave it to the caller."""

    def work(team: Team) -> None:
        pids = team.exchange(os.getpid())
        if team.number == 0:
            for pid in pids[1:]:
                os.kill(pid, signal.SIGINT)
                os.kill(pid, signal.SIGTERM)
            assert team.exchange(team.number) == [0, 1, 2]  # they go on
            raise KeyboardInterrupt
        team.exchange(team.number)
        signal.pause()

    with pytest.raises(KeyboardInterrupt):
        share(work, 3)


@forked
def test_memory() -> None:
    """Workers see what others write to shared memory; other work memory is their own, and starts anew."""
    shared, own = shared_scratch("test", 3, 1 << 14), scratch("test", 1 << 20)
    shared[...] = 0
    own[...] = 7

    def work(team: Team) -> tuple[list[float], float]:
        map_shared("test", team.number << 14, 1 << 14)
        shared[team.number] = team.number + 1
        team.exchange(None)
        mine = scratch("test", 1 << 20)
        first = float(mine[0])
        mine[...] = team.number
        team.exchange(None)
        return shared.mean(axis=1).tolist(), first

    (here, kept), *others = share(work, 3)
    assert here == [1, 2, 3]
    assert kept == 7
    assert others == [([1, 2, 3], 0)] * 2
    assert (own == 0).all()  # what number 0 wrote


def test_memory_is_reused() -> None:
    """Invariance: the same name gives the same memory, as long as it is large enough."""
    ask: Callable[..., np.ndarray]
    for ask in (scratch, shared_scratch):
        first = ask("reused", 4, 100)
        first[...] = 3
        assert (ask("reused", 300) == 3).all()
        assert ask("reused", 1000).shape == (1000,)
