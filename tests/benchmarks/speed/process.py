"""The command as a whole, from start to finished file, beside a script that does the same with OpenCV."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from . import images, targets
from .images import ROOT, UInt8
from .options import Options
from .report import Section, Table
from .timing import Cost, alternate

__all__ = ["Failed", "flag", "measured", "memory_cell", "process", "run_command", "save", "script", "sift"]

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
QUALITY = 95
"""Of the JPEG files that pictures are stored as."""


class Failed(Exception):
    """A command that was to be measured did not work."""


def run_command(command: list[str], *, sample: bool = False) -> dict[str, Any]:
    """Run a command by itself, as from a shell, and return what `launch` says of it.

    Parameters
    ----------
    sample : bool
        Add up the memory of all its processes, which disturbs their time.

    Raises
    ------
    Failed
        If its exit status is not 0.
    """
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [environment.get("PYTHONPATH")])])
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py"))]
    launched = subprocess.run(
        [*launcher, *(["--sample"] if sample else []), *command], env=environment, stdout=subprocess.PIPE, check=True
    )
    found: dict[str, Any] = json.loads(launched.stdout)
    if found["status"]:
        raise Failed(f"{' '.join(command)}: exit status {found['status']}: {found['stderr'].strip()}")
    return found


def sift(source: Path, target: Path, *options: str) -> list[str]:
    """Return the command that writes the features of an image or a folder to a file or a folder."""
    return [sys.executable, "-m", "siftcli", "detect", str(source), "-o", str(target), "--overwrite", "-q", *options]


def script(source: Path, target: Path, processes: int = 1) -> list[str]:
    """Return the command that does the same with OpenCV."""
    program = str(Path(__file__).with_name("opencv_script.py"))
    return [sys.executable, program, "--processes", str(processes), str(source), str(target)]


def flag(*names: str) -> str | None:
    """Return the first of these options that ``sift detect`` has."""
    from siftcli.cli.detect import command

    known = {name for param in command.params for name in param.opts}
    return next((name for name in names if name in known), None)


def save(pixels: UInt8, path: Path) -> None:
    """Store a picture as the suffix says."""
    Image.fromarray(pixels).save(path, quality=QUALITY)  # formats other than JPEG do not heed it


def memory_cell(size: int, goal: targets.Goal | None = None) -> str:
    """Return bytes as megabytes, with the goal where there is one."""
    return targets.cell(size / 1e6, goal, "{:.0f}")


def process(options: Options) -> Section:
    """Time the command and the script on every picture, and take the peak memory of each process."""
    threads = flag("--threads", "--jobs")
    data: list[dict[str, Any]] = []
    table = Table("process", "Whole process, JPEG file to .key file: medians", ["picture", "program", "keypoints", "s"])
    table.columns += ["ratio to OpenCV", "s of processor time", "peak MB"]
    with tempfile.TemporaryDirectory() as folder:
        for source in options.chosen_sources():
            for size in options.sizes:
                picture = images.picture(source, size)
                path, output = Path(folder, "picture.jpg"), Path(folder, "ours.key")
                save(picture.pixels, path)
                commands = {"sift": sift(path, output)}
                for count in ("1", "2") if threads else ():
                    commands[f"sift {threads} {count}"] = sift(path, output, str(threads), count)
                if "opencv" in options.peers:
                    commands["opencv"] = script(path, Path(folder, "theirs.key"))
                memory: dict[str, list[int]] = {name: [] for name in commands}
                times = alternate(
                    {name: measured(command, memory[name]) for name, command in commands.items()},
                    options.rounds(3 if picture.megapixels > 5 else 7),
                    options.about(picture.name),
                )
                data.append(
                    {
                        "picture": picture.name,
                        "size": size,
                        "megapixels": picture.megapixels,
                        "keypoints": int(output.read_bytes().split(None, 1)[0]),
                        "seconds": {name: timing.seconds for name, timing in times.items()},
                        "median": {name: timing.median for name, timing in times.items()},
                        "cpu": {name: timing.cpu for name, timing in times.items()},
                        "memory": {name: statistics.median(values) for name, values in memory.items()},
                    }
                )
        start = _start(Path(folder), options)
    for row in data:
        table.rows += [_cells(row, name) for name in row["median"]]
    return Section([table, start[0]], [*data, start[1]])


def measured(command: list[str], memory: list[int] | None = None) -> Callable[[], Cost]:
    """Return a function that runs a command, adds the peak of its memory to a list, and returns what it took."""

    def run() -> Cost:
        found = run_command(command)
        if memory is not None:
            memory.append(found["largest"])
        return Cost(found["seconds"], found["cpu"])

    return run


def _cells(row: dict[str, Any], name: str) -> list[str]:
    median, ours, one = row["median"], name != "opencv", name.endswith(" 1")
    ratio = ""
    if ours and "opencv" in median:
        ratio = targets.cell(median[name] / median["opencv"], targets.PROCESS.get(row["size"]))
    return [
        row["picture"],
        name.replace("sift", "sift detect", 1) if ours else "OpenCV script",
        f"{row['keypoints']:,}" if ours else "",
        f"{median[name]:.2f}",
        ratio,
        f"{row['cpu'][name]:.2f}",
        memory_cell(row["memory"][name], targets.MEMORY.get(row["size"]) if one else None),
    ]


def _start(folder: Path, options: Options) -> tuple[Table, dict[str, Any]]:
    """Time what there is before any work: the interpreter, and a picture of 64 x 64."""
    path = folder / "small.png"
    save(images.crops("samples", 1, 64, 64)[0], path)
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
        "sift --version": [sys.executable, "-m", "siftcli", "--version"],
        "sift detect, 64 x 64": sift(path, folder / "small.key"),
    }
    if "opencv" in options.peers:
        commands["OpenCV script, 64 x 64"] = script(path, folder / "small.key")
    times = alternate(
        {name: measured(command) for name, command in commands.items()}, options.rounds(15), options.progress
    )
    table = Table("start", "Start of a process: median ms", ["command", "ms"])
    table.rows += [[name, f"{timing.median * 1000:.0f}"] for name, timing in times.items()]
    return table, {"start": {name: timing.seconds for name, timing in times.items()}}
