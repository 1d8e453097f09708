"""Workers that share an image: forked processes, and where there is no forking, threads."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tolerances

import siftcli
from siftcli import ParameterError
from siftcli.engine import pipeline
from siftcli.engine.tuning import TUNING
from siftcli.engine.workers import Task, dismiss, executor
from siftcli.engine.workspace import scratch, shared_buffers, shared_copy, shared_scratch, shared_view
from siftcli.errors import SiftWarning, WorkerError
from siftcli.presets import parameters

forked = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")

Answer = tuple[Any, list[Task]]


@pytest.fixture(params=["forks", "threads"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both kinds of workers."""
    if request.param == "forks" and sys.platform != "linux":
        pytest.skip("forks on Linux only")
    monkeypatch.setattr(TUNING, "forks", request.param == "forks")
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


def run(workers: int, tasks: list[Task], then: Task | None = None, job: Any = None) -> list[Any]:
    """Run tasks by so many workers."""
    with executor(workers) as pool:
        return pool.run(job, tasks, then)


def run_with(function: Callable[..., Answer], arguments: tuple[Any, ...], job: Any) -> Answer:
    return function(job, *arguments)


def call(function: Callable[..., Answer], *arguments: Any) -> Task:
    """Return the task that calls a function with the job and these arguments."""
    return partial(run_with, function, arguments)


# Tasks; at the top of the module, for processes to find.


def who() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def branch(job: Any, name: str, tree: dict[str, list[str]]) -> Answer:
    """Return a name; the names below it in a tree follow."""
    time.sleep(0.001 * (len(name) % 3))
    return name, [call(branch, below, tree) for below in tree.get(name, [])]


def take_time(job: Any, number: int) -> Answer:
    time.sleep(0.002)
    return who(), []


def wait_for_others(job: Any, number: int, least: int) -> Answer:
    """Count, and wait until `least` tasks have begun."""
    seen = shared_scratch("seen", 64)
    seen[number] = 1
    end = time.monotonic() + 120
    while seen.sum() < least and time.monotonic() < end:
        time.sleep(0.001)
    return int(seen.sum()) >= least, []


def add_up(job: Any, values: npt.NDArray[np.int8]) -> Answer:
    return (int(values.sum()), values), []


def mark(job: Any, place: int) -> Answer:
    """Set a value of the shared buffer, and return it all."""
    seen = shared_scratch("seen", 8)
    time.sleep(0.01 * place)
    seen[place] = 1
    return seen.tolist(), []


def fail(job: Any, where: str) -> Answer:
    if where == "task":
        raise ValueError("of the task")
    return None, [call(fail, "task")]


def refuse(job: Any) -> Answer:
    raise ParameterError("ratio", "is too small")


def die(job: Any, times: int) -> Answer:
    """Be killed, so many times."""
    seen = shared_scratch("seen", 8)
    seen[7] += 1
    if seen[7] <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "done", []


def double(job: int, number: int) -> Answer:
    return job * number, []


def wait(job: Any, seconds: float) -> Answer:
    time.sleep(seconds)
    return os.getpid(), []


# --- tasks


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_task_is_run_once(either: str, workers: int) -> None:
    """Closed form: the names of all nodes of random trees, once each."""
    rng = np.random.default_rng(workers)
    for count in (0, 1, 40):
        tree: dict[str, list[str]] = {"then": ["behind", "last"]}
        for i in range(count):
            tree.setdefault(f"root {i % 7}" if i < 20 else str(rng.integers(20)), []).append(str(i))
        roots = [call(branch, f"root {i}", tree) for i in range(7)]
        found = run(workers, roots, call(branch, "then", tree))
        below = Counter(name for names in tree.values() for name in names)
        assert Counter(found) == below + Counter([f"root {i}" for i in range(7)] + ["then"])
    assert run(workers, []) == []
    assert run(workers, [], call(branch, "alone", {})) == ["alone"]


def test_work_is_shared(either: str) -> None:
    """Closed form: while one task waits for all others, another worker does them; tasks of three run at once."""
    shared_scratch("seen", 64)[...] = 0
    assert run(2, [call(wait_for_others, i, 40 if i == 0 else 1) for i in range(40)]) == [True] * 40
    shared_scratch("seen", 64)[...] = 0
    assert run(3, [call(wait_for_others, i, 3) for i in range(3)]) == [True] * 3


def test_large_values(either: str) -> None:
    """Closed form: arguments and results larger than any pipe arrive whole."""
    tasks = [call(add_up, np.full(3_000_000, i, np.int8)) for i in (1, 2, 3)]
    sums = run(2, tasks)
    assert sorted(total for total, _ in sums) == [3_000_000, 6_000_000, 9_000_000]
    assert all((values == total // 3_000_000).all() for total, values in sums)


def test_the_last_task_starts_when_the_first_are_done(either: str) -> None:
    """Closed form: it sees what all of them have written."""
    shared_scratch("seen", 8)[...] = 0
    run_of = run(3, [call(mark, i) for i in range(3)], call(mark, 3))
    assert max(run_of, key=sum) == [1, 1, 1, 1, 0, 0, 0, 0]


def test_jobs_replace_each_other(either: str) -> None:
    """Closed form: the tasks of one call have its job, also those of kept workers."""
    with executor(2) as pool:
        for job in (2, 3, 2):
            assert sorted(pool.run(job, [call(double, i) for i in range(9)])) == [job * i for i in range(9)]


# --- failures


@pytest.mark.parametrize("where", ["task", "task that follows"])
def test_an_error_ends_all(either: str, where: str) -> None:
    """The error is the caller's; no worker waits for ever, none is left, and the next call is served."""
    others = [call(take_time, i) for i in range(5)]
    for tasks, then in (([call(fail, where), *others], None), (others, call(fail, where))):
        with pytest.raises(ValueError, match="of the task"):
            run(3, tasks, then)
        assert len(run(2, others)) == 5


def test_errors_of_parameters_arrive_whole(either: str) -> None:
    """The error of a worker is the caller's, with its parameter."""
    with pytest.raises(ParameterError, match="ratio: is too small") as caught:
        run(2, [call(refuse)])
    assert caught.value.name == "ratio"


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_worker(workers: int) -> None:
    """Nobody would do anything, so it is refused."""
    with pytest.raises(ParameterError, match="workers: must be at least 1"):
        siftcli.detect(np.zeros((20, 20), np.uint8), workers=workers)


@forked
def test_the_task_of_a_killed_process_is_repeated() -> None:
    """Closed form: killed once, as the system does for want of memory, the task is done by another process."""
    shared_scratch("seen", 8)[...] = 0
    tasks = [call(take_time, i) for i in range(20)]
    results = run(2, [call(die, 1), *tasks])
    assert results.count("done") == 1
    assert len(results) == 21


@forked
def test_a_task_that_is_killed_twice_is_an_error() -> None:
    """An error of this library, not a wait without end; the next call is served."""
    shared_scratch("seen", 8)[...] = 0
    with pytest.raises(WorkerError, match="killed twice; is there enough memory"):
        run(3, [call(take_time, 0), call(die, 9)])
    assert len(run(3, [call(take_time, 0)])) == 1


@forked
@pytest.mark.parametrize("step", ["verify_extrema", "refine", "assign_orientations", "compute_descriptors"])
def test_a_process_killed_in_any_step(
    pixels: Callable[[str], npt.NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Invariance: the features are those of one worker, though a process is killed in the middle of a tile or batch."""
    monkeypatch.setattr(TUNING, "small_octave", 5_000)
    monkeypatch.setattr(TUNING, "tile_pixels", 1 << 15)
    monkeypatch.setattr(TUNING, "tile_rows", 64)
    image = pixels("hubble_deep_field.jpg")[:400, :480]
    expected = siftcli.detect(image)
    original, calls = getattr(pipeline, step), shared_scratch("calls", 2)
    calls[:] = 0

    def killed(*args: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] >= 4 and not calls[1]:
            calls[1] = 1
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **options)

    monkeypatch.setattr(pipeline, step, killed)
    features = siftcli.detect(image, workers=2)
    assert calls[1] == 1
    for name in ("xy", "scales", "orientations", "descriptors"):
        np.testing.assert_array_equal(getattr(features, name), getattr(expected, name))


@forked
def test_no_room_for_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning, and one worker does the work: the system refuses the first process, or the second."""
    fork = os.fork
    for after in (0, 1):
        started: list[int] = []

        def refused(after: int = after, started: list[int] = started) -> int:
            if len(started) == after:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            started.append(0)
            return fork()

        monkeypatch.setattr(os, "fork", refused)
        with pytest.warns(SiftWarning, match="cannot start 2 workers .*: one does the work"):
            assert run(2, [call(take_time, 0)]) == [who()]


_LIMITED = """
import os, resource, sys, warnings
import numpy as np, siftcli
image = np.random.default_rng(0).random((128, 128))
alone = siftcli.detect(image)
if sys.argv[1] == "RLIMIT_NPROC" and os.getuid() == 0:
    os.setuid(65534)  # no limit holds for root
resource.setrlimit(getattr(resource, sys.argv[1]), (int(sys.argv[2]),) * 2)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    shared = siftcli.detect(image, workers=20)
assert "cannot start 20 workers" in str(caught[0].message), caught
assert len(alone) > 9 and np.array_equal(alone.descriptors, shared.descriptors)
"""


@forked
@pytest.mark.parametrize(("limit", "value"), [("RLIMIT_NOFILE", 20), ("RLIMIT_NPROC", 1)])
def test_real_limits_of_the_system(limit: str, value: int) -> None:
    """The same features, and a warning, where there are too few file handles, or processes, for so many workers."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # a fork restarts its threads, and it waits for them for ever
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, limit, str(value)], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert hasattr(resource, limit)


@forked
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_without_standard_streams(closed: int) -> None:
    """A program that was started without one, as some daemons are: the same keypoints."""
    program = f"""if 1:
        import os
        os.close({closed})
        import numpy as np, siftcli
        image = np.random.default_rng(0).random((128, 128))
        one, two = (siftcli.detect(image, workers=n) for n in (1, 2))
        os._exit(7 if len(one) > 9 and np.array_equal(one.descriptors, two.descriptors) else 1)
    """
    assert subprocess.run([sys.executable, "-c", program], timeout=300, check=False).returncode == 7


@forked
def test_a_program_that_ignores_its_children() -> None:
    """The system waits for them then: nothing is raised, and no file stays open."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        for workers in (2, 3, 2):
            assert len(run(workers, [call(take_time, i) for i in range(4)])) == 4
        dismiss()
    finally:
        signal.signal(signal.SIGCHLD, before)


def interrupt_itself(job: Any) -> Answer:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    return "goes on", []


def interrupt_parent(job: Any) -> Answer:
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)
    return None, []


@forked
def test_an_interrupt_ends_all() -> None:
    """Ctrl-C goes to all processes of a terminal: the workers leave it to the caller, which raises it and ends them."""
    assert run(2, [call(interrupt_itself)] * 2) == ["goes on"] * 2
    with pytest.raises(KeyboardInterrupt):
        run(3, [call(interrupt_parent), call(wait, 60.0)])


# --- processes that are kept


def pids(workers: int = 2) -> set[int]:
    """The processes of the next call."""
    shared_scratch("seen", 8)
    found = set(run(workers, [call(wait, 0.02)] * workers))
    assert len(found) == workers
    return found


@forked
def test_processes_are_kept() -> None:
    """Invariance: the next call has the same processes; another number of workers, or new shared memory, others."""
    first = pids()
    assert os.getpid() not in first
    assert pids() == first
    assert not pids(3) & first
    again = pids()
    assert not again & first
    shared_scratch("seen", 10_000)
    assert not pids() & again


@forked
@pytest.mark.parametrize("reaped", [False, True])
def test_a_kept_process_that_has_gone_is_replaced(reaped: bool) -> None:
    """Its pid is another's, whoever has waited for its end."""
    gone = min(pids())
    os.kill(gone, signal.SIGKILL)
    os.waitid(os.P_PID, gone, os.WEXITED | (0 if reaped else os.WNOWAIT))
    assert gone not in pids()


@forked
def test_processes_end_when_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept process ends by itself, and is replaced."""
    monkeypatch.setattr(TUNING, "idle_seconds", 0.2)
    before = pids()
    for pid in before:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it ends
    assert not pids() & before


@forked
def test_processes_end_with_their_thread() -> None:
    """A thread has processes of its own, which end with it."""
    mine, others = pids(), set[int]()
    thread = threading.Thread(target=lambda: others.update(pids()))
    thread.start()
    thread.join()
    assert len(others) == 2
    assert not others & mine
    assert not {str(pid) for pid in others} & children()
    assert pids() == mine


@forked
def test_processes_end_with_the_one_that_forked_them() -> None:
    """A program that is killed leaves nothing behind, and whoever reads its output is not kept waiting."""
    program = """if 1:
        import os, signal
        from pathlib import Path
        import numpy as np
        import siftcli
        siftcli.detect(np.zeros((64, 64), np.uint8), workers=2)
        print(*Path("/proc/self/task").glob("*/children"), flush=True)
        print(Path(f"/proc/self/task/{os.getpid()}/children").read_text(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL
    left = [int(pid) for pid in done.stdout.splitlines()[1].split()]
    assert len(left) == 2
    for _ in range(200):
        states = [Path(f"/proc/{pid}/stat") for pid in left]
        if all(not state.exists() or ") Z " in state.read_text() for state in states):
            return
        time.sleep(0.05)
    pytest.fail(f"processes {left} are still there")


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
            os.write(write, " ".join(map(str, pids())).encode())
            shared_scratch("seen", 8)[...] = 1
            dismiss()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    others = {int(word) for word in os.read(read, 100).split()}
    os.close(read)
    assert len(others) == 2
    assert not others & mine
    assert (memory == 7).all()
    assert pids() == mine


@forked
def test_large_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Much shared memory is not kept, nor are the processes that have it."""
    monkeypatch.setattr(TUNING, "kept_bytes", 1 << 20)
    shared_scratch("large", 1 << 20)
    first = pids()
    assert not shared_buffers()
    assert not {str(pid) for pid in first} & children()
    monkeypatch.undo()
    shared_scratch("large", 1 << 20)
    assert pids() == pids()
    assert shared_buffers()


# --- memory


def use_memory(job: Any, number: int) -> Answer:
    shared = shared_scratch("test", 3, 1 << 14)
    shared[number] = number + 1
    mine = scratch("test", 1 << 20)
    first = float(mine[0])
    mine[...] = 5 + number
    time.sleep(0.1)
    return (first, os.getpid()), []


@forked
def test_memory() -> None:
    """The caller sees what workers write to shared memory; other work memory is their own, and starts anew."""
    shared, own = shared_scratch("test", 3, 1 << 14), scratch("test", 1 << 20)
    shared[...] = 0
    own[...] = 7
    seen = run(3, [call(use_memory, i) for i in range(3)])
    assert len({pid for _, pid in seen}) == 3
    assert [first for first, _ in seen] == [0, 0, 0]
    assert shared.mean(axis=1).tolist() == [1, 2, 3]
    assert (own == 7).all()


def sum_of_view(job: Any, shape: tuple[int, ...], dtype: str) -> Answer:
    return float(shared_view("array", shape, dtype).sum()), []


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_arrays_are_copied_to_shared_memory(either: str, dtype: type) -> None:
    """Closed form: the sum of what workers see, of one array after another of any size."""
    for size in (3, 1001, 5, 70_001):
        array = np.arange(size).astype(dtype)
        shared = shared_copy("array", array)
        np.testing.assert_array_equal(shared, array)
        assert shared_copy("array", shared) is not array
        total = run(2, [call(sum_of_view, array.shape, array.dtype.str)])[0]
        assert total == pytest.approx(float(array.astype(np.float64).sum()), rel=tolerances.FLOAT32)


def ask_for_more(job: Any) -> Answer:
    return shared_scratch("other", 1 << 20).size, []


def test_shared_memory_that_others_would_not_see(either: str) -> None:
    """A worker cannot share what it makes itself, so it gets an error instead."""
    shared_scratch("other", 1 << 10)
    with pytest.raises(RuntimeError, match="shared buffer other is larger"):
        run(2, [call(ask_for_more)])


def test_memory_is_reused() -> None:
    """Invariance: the same name gives the same memory, as long as it is large enough."""
    ask: Callable[..., np.ndarray]
    for ask in (scratch, shared_scratch):
        first = ask("reused", 4, 100)
        first[...] = 3
        assert (ask("reused", 300) == 3).all()
        assert ask("reused", 1000).shape == (1000,)


def test_a_pyramid_is_the_same_in_every_worker(pixels: Callable[[str], npt.NDArray[np.uint8]]) -> None:
    """Invariance: of a picture with a mirror image beside it, shared by three and done by one."""
    image = pixels("camera.png")[:256, :200]
    both = np.stack([image, image[:, ::-1]])
    alone, shared = (pipeline.detect(both, *parameters("lowe"), workers=n) for n in (1, 3))
    for one, other in zip(alone, shared, strict=True):
        assert len(one) > 50
        np.testing.assert_array_equal(one.descriptors, other.descriptors)
