"""Work shared between forked processes, and where there is no forking, between threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import siftcli
from siftcli import ParameterError
from siftcli.engine import processes
from siftcli.engine.processes import dismiss, share
from siftcli.engine.scratch import hand_over, scratch, shared_scratch
from siftcli.engine.teams import Team

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


def files() -> set[Path]:
    """The files that are open."""
    return set(Path("/proc/self/fd").glob("*"))


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every test leaves the children and open files that there were before it, once it has dismissed its own."""
    dismiss()
    before = children(), files()
    yield
    dismiss()
    assert children() <= before[0]
    assert files() <= before[1]


def nothing() -> None:
    """What workers share that share nothing."""


# What workers do; at the top of the module, for processes to find.


def take_all(counts: list[list[int]], rests: list[int], team: Team, common: None) -> list[list[tuple[str, int]]]:
    """Go through one round of tasks after the other, and return those that were taken."""
    rounds = []
    for turn, (each, more) in enumerate(zip(counts, rests, strict=True)):
        rest = (lambda turn=turn, more=more: (f"rest of {turn}", more)) if more else None
        taken = []
        for name, index in team.divide(f"{team.number} of {turn}", each[team.number], rest):
            taken.append((name, index))
            time.sleep(0.001 * ((index + team.number) % 3))
        team.meet()
        rounds.append(taken)
    return rounds


def sum_of_large(team: Team, common: None) -> list[int]:
    return [int(a.sum()) for a, _ in team.divide(np.full(3_000_000, team.number + 1, np.int8), 1)]


def wait_for_all(team: Team, seconds: float) -> tuple[int, int]:
    """Return how many workers were seen, at a point that all have to reach, and the process."""
    seen = shared_scratch("seen", team.size)
    seen[team.number] = 1
    time.sleep(seconds * team.number)
    team.meet()
    return int(seen.sum()), os.getpid()


def fail(culprit: int, where: str, how: str, team: Team, common: None) -> None:
    if where == "middle":
        list(team.divide(None, 1))
        team.meet()
    for _ in team.divide(None, 2):
        if where == "task":
            break
    if team.number == culprit:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError(f"of {culprit}")
    team.meet()
    list(team.divide(None, 1))


def fail_at_once(culprit: int, team: Team, common: None) -> None:
    if team.number == culprit:
        raise ValueError(f"of {culprit}")
    list(team.divide(None, 3))


# --- tasks


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_task_is_taken_once(either: str, workers: int) -> None:
    """Closed form: what all workers took, together, is what they gave, and the rest of each round once."""
    rng = np.random.default_rng(workers)
    counts = rng.integers(0, 9, (20, workers)).tolist()
    counts[3] = [0] * workers
    rests = [int(n) for n in rng.integers(0, 4, 20)]
    parts = share(partial(take_all, counts, rests), nothing, workers)
    for turn, (each, more) in enumerate(zip(counts, rests, strict=True)):
        given = {(f"{w} of {turn}", i) for w in range(workers) for i in range(each[w])}
        given |= {(f"rest of {turn}", i) for i in range(more)}
        taken = [task for part in parts for task in part[turn]]
        assert len(taken) == len(given)
        assert set(taken) == given


def test_who_has_time_takes_more(either: str) -> None:
    """Closed form: of 40 equal tasks of one of two workers, the other takes some."""
    parts = share(partial(take_all, [[40, 0]], [0]), nothing, 2)
    assert min(len(rounds[0]) for rounds in parts) >= 5


def test_large_values(either: str) -> None:
    """Closed form: what is larger than any pipe arrives whole."""
    sums = share(sum_of_large, nothing, 3)
    assert sorted(s for part in sums for s in part) == [3_000_000, 6_000_000, 9_000_000]


def test_meeting(either: str) -> None:
    """Closed form: nobody goes on before all have come."""
    shared_scratch("seen", 3)[...] = 0
    if either == "forks":
        assert [seen for seen, _ in share(wait_for_all, partial(float, 0.1), 3)] == [3] * 3


# --- failures


@pytest.mark.parametrize("where", ["beginning", "middle", "task"])
@pytest.mark.parametrize("culprit", [0, 1, 2])
def test_an_error_ends_all(either: str, culprit: int, where: str) -> None:
    """The first error is the caller's; no worker waits for ever, none is left."""
    work = partial(fail_at_once, culprit) if where == "beginning" else partial(fail, culprit, where, "raise")
    with pytest.raises(ValueError, match=f"of {culprit}"):
        share(work, nothing, 3)
    if either == "forks":
        assert share(sum_of_large, nothing, 2)  # others take their place


@forked
@pytest.mark.parametrize("where", ["middle", "task"])
def test_a_killed_process_is_told(where: str) -> None:
    """A worker that the system kills, for want of memory say, is an error, not a wait without end."""
    with pytest.raises(ChildProcessError, match="memory"):
        share(partial(fail, 1, where, "kill"), nothing, 3)


def refuse(team: Team, common: None) -> None:
    if team.number == 1:
        raise ParameterError("ratio", "is too small")
    list(team.divide(None, 1))


def test_errors_of_parameters_arrive_whole(either: str) -> None:
    """The error of another worker is the caller's, with its parameter."""
    with pytest.raises(ParameterError, match="ratio: is too small") as caught:
        share(refuse, nothing, 2)
    assert caught.value.name == "ratio"


def test_fewer_than_one_worker() -> None:
    """Nobody would do anything, so it is refused."""
    for threads in (0, -1):
        with pytest.raises(ParameterError, match="threads: must be at least 1"):
            siftcli.detect(np.zeros((20, 20), np.uint8), threads=threads)


def fail_before_giving(team: Team, common: None) -> None:
    if team.number == 2:
        time.sleep(0.002)
        raise ValueError("of 2")
    list(team.divide(None, 1))


@forked
def test_nobody_waits_for_a_task_that_another_took() -> None:
    """Two workers that see one task at once, and no end of tasks, for a third has failed: the caller gets its error."""
    for _ in range(60):
        with pytest.raises(ValueError, match="of 2"):
            share(fail_before_giving, nothing, 3)


@forked
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_without_standard_streams(closed: int) -> None:
    """A program that was started without one, as some daemons are: the same keypoints."""
    program = f"""if 1:
        import os
        os.close({closed})
        import numpy as np, siftcli
        image = np.random.default_rng(0).random((128, 128))
        one, two = (siftcli.detect(image, threads=n) for n in (1, 2))
        os._exit(7 if len(one) > 9 and np.array_equal(one.descriptors, two.descriptors) else 1)
    """
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 7


@forked
def test_a_program_that_ignores_its_children() -> None:
    """The system waits for them then: nothing is raised, and no file stays open."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        for workers in (2, 3, 2):
            share(sum_of_large, nothing, workers)
        dismiss()
    finally:
        signal.signal(signal.SIGCHLD, before)


def be_interrupted(team: Team, common: None) -> list[int]:
    pids = [pid for pid, _ in team.divide(os.getpid(), 1)]
    team.meet()
    for pid in pids:
        if team.number == 0 and pid != os.getpid():
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGTERM)
    team.meet()  # they go on
    if team.number == 0:
        raise KeyboardInterrupt
    signal.pause()
    return pids


@forked
def test_an_interrupt_ends_all() -> None:
    """Ctrl-C goes to all processes of a terminal: the caller's is raised, the others leave it to the caller."""
    with pytest.raises(KeyboardInterrupt):
        share(be_interrupted, nothing, 3)


# --- processes that are kept


def pids(workers: int = 2) -> list[int]:
    """The processes that a call has, in order."""
    shared_scratch("seen", 8)[...] = 0
    return [pid for _, pid in share(wait_for_all, float, workers)]


@forked
def test_processes_are_kept() -> None:
    """Invariance: the next call has the same processes; another number of workers, or new shared memory, others."""
    first = pids()
    assert first[0] == os.getpid()
    assert len(set(first)) == 2
    assert pids() == first
    assert set(pids(3)) & set(first) == {os.getpid()}
    again = pids()
    assert again[1] != first[1]
    shared_scratch("seen", 10_000)
    assert pids()[1] != again[1]


@forked
@pytest.mark.parametrize("reaped", [False, True])
def test_a_kept_process_that_has_gone_is_replaced(reaped: bool) -> None:
    """Its pid is another's, whoever has waited for its end."""
    _, before = pids()
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | (0 if reaped else os.WNOWAIT))
    _, after = pids()
    assert after != before


@forked
def test_processes_end_when_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept process ends by itself, and is replaced."""
    monkeypatch.setattr(processes, "_IDLE", 0.2)
    _, before = pids()
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)  # it ends
    assert pids()[1] != before


@forked
def test_processes_end_with_their_thread() -> None:
    """A thread has processes of its own, which end with it."""
    mine, others = pids(), []
    thread = threading.Thread(target=lambda: others.extend(pids()))
    thread.start()
    thread.join()
    assert others[1] != mine[1]
    assert str(others[1]) not in children()
    assert pids() == mine


@forked
def test_processes_end_with_the_one_that_forked_them(tmp_path: Path) -> None:
    """A program that is killed leaves nothing behind, and whoever reads its output is not kept waiting."""
    program = """if 1:
        import os, signal, sys
        import numpy as np
        import siftcli
        siftcli.detect(np.zeros((64, 64), np.uint8), threads=2)
        from siftcli.engine.processes import _kept
        print(_kept.staff.children[0].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    for _ in range(200):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or ") Z " in state.read_text():
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


@forked
def test_a_fork_of_the_program_has_its_own() -> None:
    """A program that forks by itself: the copy neither uses nor ends the processes and the memory of the original."""
    mine = pids()
    memory = shared_scratch("seen", 8)
    memory[...] = 7
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            others = pids()
            os.write(write, str(others[1]).encode())
            dismiss()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    other = int(os.read(read, 100))
    os.close(read)
    assert other not in mine
    assert (memory == 7).all()
    assert pids() == mine


def make_large(size: int) -> int:
    shared_scratch("large", size)[...] = 1
    return size


def size_of_buffer(team: Team, size: int) -> int:
    return shared_scratch("large", size).size


@forked
def test_large_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Much shared memory is not kept, nor are the processes that have it."""
    monkeypatch.setattr(processes, "_KEPT", 1 << 20)
    common = partial(make_large, 1 << 20)
    assert share(size_of_buffer, common, 2) == [1 << 20] * 2
    assert processes._kept.staff is None
    before = shared_scratch("large", 1)
    assert before.base is not None
    assert before.base.nbytes < 1 << 20
    monkeypatch.undo()
    assert share(size_of_buffer, common, 2) == [1 << 20] * 2
    assert processes._kept.staff is not None


# --- memory


def use_memory(team: Team, common: None) -> tuple[list[float], float]:
    shared = shared_scratch("test", 3, 1 << 14)
    shared[team.number] = team.number + 1
    team.meet()
    mine = scratch("test", 1 << 20)
    first = float(mine[0])
    mine[...] = team.number
    team.meet()
    return shared.mean(axis=1).tolist(), first


@forked
def test_memory() -> None:
    """Workers see what others write to shared memory; other work memory is their own, and starts anew."""
    shared, own = shared_scratch("test", 3, 1 << 14), scratch("test", 1 << 20)
    shared[...] = 0
    own[...] = 7
    (here, kept), *others = share(use_memory, nothing, 3)
    assert here == [1, 2, 3]
    assert kept == 7
    assert others == [([1, 2, 3], 0)] * 2
    assert (own == 0).all()  # what number 0 wrote


def sum_of_handed(team: Team, array: Any) -> float:
    return float(array.sum())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_arrays_are_handed_over(either: str, dtype: type) -> None:
    """Closed form: the sum of what arrived, of one array after another of any size."""
    for size in (3, 1001, 5, 70_001):
        array = np.arange(size).astype(dtype)
        handed = hand_over(array)
        if either == "forks":
            assert share(sum_of_handed, handed.taken, 2) == [float(array.sum())] * 2
        np.testing.assert_array_equal(handed.taken(), array)
        assert handed.taken().dtype == array.dtype


def ask_for_more(team: Team, common: None) -> None:
    if team.number == 1:
        shared_scratch("other", 1 << 20)


@forked
def test_shared_memory_that_others_would_not_see() -> None:
    """A forked process cannot share what it makes itself, so it gets an error instead."""
    shared_scratch("other", 1 << 10)
    with pytest.raises(RuntimeError, match="shared buffer other is larger"):
        share(ask_for_more, nothing, 2)


@forked
def test_without_files_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariance: a Python that was built for older systems shares through temporary files, and leaves none."""
    monkeypatch.delattr(os, "memfd_create", raising=False)
    sums = share(sum_of_large, nothing, 2)
    assert sorted(s for part in sums for s in part) == [3_000_000, 6_000_000]


def test_memory_is_reused() -> None:
    """Invariance: the same name gives the same memory, as long as it is large enough."""
    ask: Callable[..., np.ndarray]
    for ask in (scratch, shared_scratch):
        first = ask("reused", 4, 100)
        first[...] = 3
        assert (ask("reused", 300) == 3).all()
        assert ask("reused", 1000).shape == (1000,)
