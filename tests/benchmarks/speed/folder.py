"""Throughput: folders of photographs and of crops, images a second and memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from . import images, targets
from .options import Options
from .process import flag, measured, memory_cell, run_command, save, script, sift
from .report import Section, Table
from .timing import Timing, alternate

__all__ = ["crop_folder", "fill", "folder"]

HEIGHT, WIDTH = 480, 640


def fill(place: Path, source: str, count: int) -> None:
    """Store `count` different windows of 640 x 480 of the 12 MP mosaic of a set as JPEG files."""
    pixels = images.picture(source, "12").pixels
    rng = np.random.default_rng(1)
    for i in range(count):
        top, left = (
            int(rng.integers(0, side - size)) for side, size in zip(pixels.shape, (HEIGHT, WIDTH), strict=True)
        )
        save(pixels[top : top + HEIGHT, left : left + WIDTH], place / f"{i:06d}.jpg")


def folder(options: Options) -> Section:
    """Time folders of photographs: the command with one and two jobs, and a script with OpenCV in two processes."""
    count = options.files or (16 if options.quick else 200)
    jobs = flag("--jobs")
    table = Table("folder", f"A folder of {count:,} photographs of 640 × 480", ["set", "program"])
    table.columns += ["images a second", "ratio", "ms an image and process", "peak MB, all processes"]
    data: list[dict[str, Any]] = []
    for source in options.chosen_sources():
        with tempfile.TemporaryDirectory() as temporary:
            place, target = Path(temporary, "images"), Path(temporary, "keys")
            place.mkdir()
            target.mkdir()
            fill(place, source, count)
            commands = {"sift detect": (1, sift(place, target))}
            if jobs:
                commands = {f"sift detect {jobs} {n}": (n, sift(place, target, jobs, str(n))) for n in (1, 2)}
            if "opencv" in options.peers:
                commands["OpenCV script, 1 process, 2 threads"] = 1, script(place, target)
                commands["OpenCV script, 2 processes"] = 2, script(place, target, 2)
            times = _alternate({name: command for name, (_, command) in commands.items()}, options)
            rates = {name: count / timing.median for name, timing in times.items()}
            for name, (processes, command) in commands.items():
                memory = run_command(command, sample=True)["tree"]
                row = [source, name, f"{rates[name]:.1f}", _ratio(name, rates), f"{processes / rates[name] * 1e3:.1f}"]
                table.rows.append([*row, memory_cell(memory)])
                data.append(
                    {
                        "source": source,
                        "program": name,
                        "seconds": times[name].seconds,
                        "cpu": times[name].cpu,
                        "memory": memory,
                    }
                )
            table.rows.append(_tenth(place, target, source, count, options, data))
    table.notes.append(
        "ratio: images a second of two jobs over those of one and, after the semicolon, of OpenCV in two processes."
    )
    return Section([table], data)


def _alternate(commands: dict[str, list[str]], options: Options) -> dict[str, Timing]:
    runs = {name: measured(command) for name, command in commands.items()}
    return alternate(runs, options.rounds(3), options.progress, slow=60)


def _ratio(name: str, rates: dict[str, float]) -> str:
    first, theirs = next(iter(rates)), "OpenCV script, 2 processes"
    if not name.startswith("sift") or not name.endswith(" 2"):
        return ""
    parts = [targets.cell(rates[name] / rates[first], targets.FOLDER["jobs"])]
    if theirs in rates:
        parts.append(targets.cell(rates[name] / rates[theirs], targets.FOLDER["opencv"]))
    return "; ".join(parts)


def _tenth(
    place: Path, target: Path, source: str, count: int, options: Options, data: list[dict[str, Any]]
) -> list[str]:
    """Take the memory for a tenth of the files, by which it is seen whether it grows with their number."""
    part = place.with_name("part")
    part.mkdir()
    files = sorted(place.iterdir())[: max(1, count // 10)]
    for file in files:
        os.link(file, part / file.name)
    options.progress("memory of a tenth of the files")
    jobs = flag("--jobs")
    found = run_command(sift(part, target, *((jobs, "2") if jobs else ())), sample=True)
    data.append(
        {"source": source, "program": "sift, a tenth of the files", "memory": found["tree"], "files": len(files)}
    )
    name = f"sift detect{f' {jobs} 2' if jobs else ''}, the first {len(files):,}"
    return [source, name, "", "", "", memory_cell(found["tree"])]


def crop_folder(options: Options) -> Section:
    """Time one command on thousands of crops of 64 x 128 pixels."""
    count = 64 if options.quick else 2000
    table = Table("crop-folder", f"A folder of {count:,} crops of 64 × 128", ["set", "program", "ms a crop", "ratio"])
    data: list[dict[str, Any]] = []
    for source in options.chosen_sources():
        with tempfile.TemporaryDirectory() as temporary:
            place, target = Path(temporary, "images"), Path(temporary, "keys")
            place.mkdir()
            target.mkdir()
            for i, crop in enumerate(images.crops(source, count)):
                save(crop, place / f"{i:06d}.png")
            commands = {"sift detect": sift(place, target)}
            if jobs := flag("--jobs"):
                commands = {f"sift detect {jobs} {n}": sift(place, target, jobs, str(n)) for n in (1, 2)}
            if "opencv" in options.peers:
                commands["OpenCV script"] = script(place, target)
            times = _alternate(commands, options)
        for name, timing in times.items():
            theirs = times.get("OpenCV script")
            ours = theirs is not None and name.startswith("sift")
            ratio = targets.cell(timing.median / theirs.median, targets.CROPS["stack"]) if ours and theirs else ""
            table.rows.append([source, name, f"{timing.median / count * 1000:.2f}", ratio])
            data.append(
                {"source": source, "program": name, "crops": count, "seconds": timing.seconds, "cpu": timing.cpu}
            )
    return Section([table], data)
