"""The command as a process: signals, pipes, streams, terminals, what it imports.

Oracles: the conventions of shells (exit status 130, a quiet end when a reader goes away), and the folder's listing.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest
from cli_tools import SIFT, Sift

import siftcli
from siftcli.batch.manifest import MANIFEST
from siftcli.batch.units import STACK
from siftcli.machine import BLAS_VARIABLES


def start(*args: str, stdout: int | BinaryIO | None = None) -> subprocess.Popen[bytes]:
    """Start ``sift`` so that Ctrl-C reaches it, even where the tests themselves run in the background."""
    return subprocess.Popen(
        [*SIFT, *args],
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


# --- interrupts and pipes


def test_interrupt_in_a_batch_leaves_whole_files_only(sift: Sift, photo: Path) -> None:
    for i in range(300):
        Path(f"{i:03}.png").symlink_to("photo.png")
    whole = sift("detect", "photo.png", "-o", "-").stdout
    with start("detect", "0*.png", "1*.png", "2*.png", "--json", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        told = [first, *map(json.loads, process.stdout.read().splitlines())]
        stderr = process.stderr.read().decode() if process.stderr else ""
    assert process.returncode == 130
    written = {p.name for p in Path().iterdir()} - {p.name for p in Path().glob("*.png")} - {MANIFEST}
    assert {r["output"] for r in told} <= written
    assert len(written) <= len(told) + STACK  # those that were detected together may be written and not yet told
    assert all(Path(name).read_bytes() == whole for name in written)
    assert stderr.splitlines()[-1] == "sift: interrupted"
    assert re.search(r"^sift: \d+ images? done, \d+ not reached: ", stderr, re.M)
    assert "Traceback" not in stderr


def test_interrupt_while_an_image_is_read(sift: Sift, tmp_path: Path) -> None:
    os.mkfifo("slow.png")
    with start("detect", "slow.png") as process, Path("slow.png").open("wb"):  # is open once the command reads it
        process.send_signal(signal.SIGINT)
        stderr = process.stderr.read() if process.stderr else b""
    assert (process.returncode, stderr) == (130, b"sift: interrupted\n")
    assert [p.name for p in tmp_path.iterdir()] == ["slow.png"]


def test_interrupt_in_a_destructor_is_not_lost() -> None:
    """Python ignores an exception there, so this one has to come again; any other is reported as ever."""
    command = """if 1:
        import signal, sys, time
        from siftcli import __main__
        from siftcli.cli import doctor

        class Calls:
            def __init__(self, what):
                self.what = what
            def __del__(self):
                self.what()

        def work(**options):
            Calls(lambda: 1 / 0)
            Calls(lambda: signal.raise_signal(signal.SIGINT))
            print("not raised here", flush=True)
            time.sleep(600)

        doctor.command.callback = work
        sys.argv = ["sift", "doctor"]
        __main__.main()
    """
    done = subprocess.run(
        [sys.executable, "-c", command],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stdout) == (130, "not raised here\n")
    assert done.stderr.splitlines()[-2:] == ["ZeroDivisionError: division by zero", "sift: interrupted"]


@pytest.mark.parametrize("args", [("-o", "-"), ("--json",)])
def test_a_reader_that_went_away(sift: Sift, photo: Path, args: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    with start("detect", "photo.png", "-q", *args, stdout=write) as process:
        os.close(write)
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("args", [("detect", "photo.png", "-o", "-"), ("--version",), ("detect", "--help")])
def test_a_disk_that_is_full_behind_stdout(sift: Sift, photo: Path, args: tuple[str, ...]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as full, start(*args, stdout=full) as process:
        assert process.stderr is not None
        (line,) = process.stderr.read().decode().splitlines()
    assert line.startswith("sift: error: <stdout>: cannot be written: no space left")
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("redirection", "status", "message"),
    [("<&-", 1, "<stdin>: is closed"), (">&-", 1, "<stdout>: is closed"), ("2>&-", 0, "")],
)
def test_a_stream_that_is_closed(sift: Sift, photo: Path, redirection: str, status: int, message: str) -> None:
    command = f'exec "$@" detect - < photo.png {redirection}'
    result = subprocess.run(["sh", "-c", command, "sh", *SIFT], capture_output=True)
    assert (result.returncode, result.stderr.decode().strip()) == (status, f"sift: error: {message}" if status else "")
    assert bool(result.stdout) == (status == 0)


def test_a_current_folder_that_is_gone(sift: Sift) -> None:
    Path("gone").mkdir()
    result = subprocess.run(
        ["sh", "-c", 'cd gone && rmdir ../gone && exec "$@" detect x.png', "sh", *SIFT], capture_output=True
    )
    assert result.returncode == 1
    assert result.stderr == b"sift: error: the system says: No such file or directory\n"


def test_an_output_folder_that_cannot_be_written(sift: Sift, photo: Path) -> None:
    result = sift("detect", "photo.png", "-o", "/proc/nowhere/")
    assert result.returncode == 1
    assert result.stderr.startswith(b"sift: error: /proc/nowhere: ")


# --- what it shows


def on_terminal(*args: str, **env: str) -> tuple[int, str]:
    """Run with a terminal as stderr; return the status and what it shows there."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "CI")}
    with subprocess.Popen([*SIFT, *args], stderr=theirs, env={**environment, "TERM": "xterm", **env}) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 1 << 16):
                shown += chunk
        except OSError:  # what Linux says when the other end is closed
            pass
        os.close(ours)
    return process.returncode, shown.decode()


COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_progress_of_several_images_on_a_terminal(sift: Sift, photo: Path) -> None:
    shutil.copy(photo, "b.png")
    status, shown = on_terminal("detect", "photo.png", "b.png", "none.png", "-o", "out/")
    assert status == 1
    assert "3/3" in shown
    assert "1 failed" in shown
    assert COLOUR.search(shown)
    told = CONTROL.sub("", shown).splitlines()
    assert "sift: error: none.png: no such file; check the path" in told
    assert told[-1].startswith("sift: 2 images done, 1 failed: ")


def test_no_color(sift: Sift, photo: Path) -> None:
    shutil.copy(photo, "b.png")
    _, shown = on_terminal("detect", "photo.png", "b.png", NO_COLOR="1")
    assert "2/2" in shown
    assert not COLOUR.search(shown)


def test_one_image_on_a_terminal_is_one_line(sift: Sift, photo: Path) -> None:
    status, shown = on_terminal("detect", "photo.png")
    assert status == 0
    assert re.fullmatch(r"sift: photo\.png: \d+ keypoints to photo\.key in \d+\.\d\d s\r\n", shown)


def test_quiet_on_a_terminal(sift: Sift, photo: Path) -> None:
    shutil.copy(photo, "b.png")
    assert on_terminal("detect", "photo.png", "b.png", "-q") == (0, "")


# --- start-up


def modules(*args: str) -> set[str]:
    """The packages that the command has imported when it ends, of those that take long to import."""
    code = (
        "import sys\nfrom siftcli.__main__ import main\n"
        "try:\n    main()\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, check=False)
    assert b"Traceback" not in result.stderr
    slow = {"numpy", "PIL", "scipy", "h5py", "rich"}
    return slow & set(result.stderr.decode().splitlines()[-1].split())


@pytest.mark.parametrize("args", [("--version",), ("--help",), ("-h",), ()])
def test_the_command_alone_imports_nothing_slow(args: tuple[str, ...]) -> None:
    assert modules(*args) == set()


def test_wrong_usage_is_found_before_anything_slow_is_imported() -> None:
    assert modules("detect", "photo.jpg", "--edge-threshold", "0") == set()


def test_detect_imports_what_it_uses(sift: Sift, photo: Path) -> None:
    shutil.copy(photo, "b.png")
    assert modules("detect", "photo.png", "b.png", "-o", "out/") == {"numpy", "PIL"}
    assert Path("out/b.key").exists()


def threads(**env: str) -> dict[str, str]:
    """The variables for BLAS as the command leaves them."""
    code = (
        "import json, os, sys\nfrom siftcli.__main__ import main\nsys.argv[1:] = ['--version']\n"
        "try:\n    main()\n"
        "finally:\n    print(json.dumps(dict(os.environ)))"
    )
    clean = {k: v for k, v in os.environ.items() if k not in BLAS_VARIABLES}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, env={**clean, **env}, check=False)
    environment = json.loads(result.stdout.splitlines()[-1])
    return {name: environment[name] for name in BLAS_VARIABLES}


def test_blas_gets_one_thread_unless_the_user_said_otherwise() -> None:
    assert threads() == dict.fromkeys(BLAS_VARIABLES, "1")
    assert threads(OMP_NUM_THREADS="3")["OMP_NUM_THREADS"] == "3"


def test_python_m_and_the_version(sift: Sift) -> None:
    assert sift("--version").stdout.decode() == f"sift {siftcli.__version__}\n"
