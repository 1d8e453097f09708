"""The engine and its peers in one process, on photographs of several sizes and on small crops."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from siftcli.engine import pipeline
from siftcli.params import parameters

from . import images, targets
from .contenders import PEERS, Contender, contenders
from .images import UInt8
from .options import Options
from .report import Section, Table
from .timing import Timing, alternate, clock

__all__ = ["compare", "crops", "pictures"]

STACKS = (8, 64)
"""Crops that the engine takes at a time."""


def compare(options: Options) -> Section:
    """Time detection and description with every contender on every picture."""
    runners = contenders(options.peers)
    data = []
    for source in options.chosen_sources():
        for size in options.sizes:
            picture = images.picture(source, size)
            counts: dict[str, int] = {}
            times = alternate(
                {one.name: clock(_counted(one, picture.pixels, counts)) for one in runners},
                options.rounds(3 if picture.megapixels > 5 else 7 if picture.megapixels > 1.5 else 15),
                options.about(picture.name),
            )
            data.append(
                {
                    "picture": picture.name,
                    "source": source,
                    "size": size,
                    "megapixels": picture.megapixels,
                    "keypoints": counts,
                    "labels": {one.name: one.label for one in runners},
                    "seconds": {name: timing.seconds for name, timing in times.items()},
                    "median": {name: timing.median for name, timing in times.items()},
                    "cpu": {name: timing.cpu for name, timing in times.items()},
                }
            )
    return Section([_times(data, runners), _ratios(data, runners), _cpu(data, runners)], data)


def _counted(one: Contender, pixels: UInt8, counts: dict[str, int]) -> Callable[[], None]:
    def run() -> None:
        counts[one.name] = one.run(pixels)

    return run


def _times(data: list[dict[str, Any]], runners: list[Contender]) -> Table:
    table = Table("detect", "Detect and describe, in process: median seconds, keypoints", ["picture", "MP"])
    table.columns += [one.label for one in runners]
    for row in data:
        cells = [f"{row['median'][one.name]:.3f} s, {row['keypoints'][one.name]:,}" for one in runners]
        table.rows.append([row["picture"], f"{row['megapixels']:.2f}", *cells])
    return table


def _cpu(data: list[dict[str, Any]], runners: list[Contender]) -> Table:
    table = Table("cpu", "Seconds of processor time, all threads together: medians", ["picture"])
    table.columns += [one.label for one in runners]
    table.rows += [[row["picture"], *(f"{row['cpu'][one.name]:.3f}" for one in runners)] for row in data]
    return table


def _ratios(data: list[dict[str, Any]], runners: list[Contender]) -> Table:
    names = [one.name for one in runners]
    pairs = [
        (title, ours, theirs)
        for title, ours, theirs in (
            ("1 thread / OpenCV", "engine", "opencv"),
            ("2 threads / OpenCV", "engine2", "opencv"),
            ("1 thread / pycolmap", "engine", "colmap"),
            ("1 thread / scikit-image", "engine", "skimage"),
            ("preset lowe / default", "lowe", "engine"),
        )
        if ours in names and theirs in names
    ]
    table = Table("ratios", "Ratios of these medians", ["picture", *(title for title, _, _ in pairs)])
    for row in data:
        cells = []
        for _, ours, theirs in pairs:
            goal = targets.OTHERS.get(theirs) or targets.ENGINE.get(ours, {}).get(row["size"])
            goal = targets.LOWE if ours == "lowe" else goal
            cells.append(targets.cell(row["median"][ours] / row["median"][theirs], goal))
        table.rows.append([row["picture"], *cells])
    return table


def pictures(options: Options) -> Section:
    """Say what the pictures are made of, and how many keypoints their seams add or take."""
    table = Table(
        "pictures",
        "The pictures",
        ["picture", "pixels", "made of", "keypoints", "per 1,000 pixels", "in the photographs", "difference"],
    )
    data = []
    one = contenders(())[0]
    for source in options.chosen_sources():
        for size in options.sizes:
            options.progress(f"{source} {size} MP")
            picture = images.picture(source, size)
            found = one.run(picture.pixels)
            known = images.expected_keypoints(images.photographs(source), picture) if picture.tiles else None
            height, width = picture.pixels.shape
            data.append({"picture": picture.name, "keypoints": found, "expected": known, "pixels": picture.pixels.size})
            table.rows.append(
                [
                    picture.name,
                    f"{width} × {height}",
                    picture.source,
                    f"{found:,}",
                    f"{found / picture.pixels.size * 1000:.1f}",
                    "" if known is None else f"{known:,}",
                    "" if known is None else f"{(found / known - 1) * 100:+.1f} %",
                ]
            )
    return Section([table], data)


def crops(options: Options) -> Section:
    """Time crops of 64 x 128 pixels: one at a time with every contender, and in stacks with the engine."""
    detector, descriptor = parameters()

    def each(one: Contender, stack: UInt8) -> int:
        return sum(one.run(crop) for crop in stack)

    def stacked(stack: UInt8, size: int) -> int:
        parts = (stack[i : i + size] for i in range(0, len(stack), size))
        return sum(len(found) for part in parts for found in pipeline.detect(part, detector, descriptor))

    runners = [one for one in contenders(options.peers) if one.name not in ("engine2", "lowe")]
    count = 64 if options.quick else 512
    data: list[dict[str, Any]] = []
    table = Table("crops", "Crops of 64 × 128 pixels, in process: median ms a crop", ["set", "keypoints a crop"])
    labels = {"engine": "siftcli, one at a time"} | {f"stack {n}": f"siftcli, stacks of {n}" for n in STACKS}
    labels |= {one.name: one.label for one in runners if one.name != "engine"}
    for source in options.chosen_sources():
        stack = images.crops(source, count)
        actions: dict[str, Callable[[], int]] = {one.name: partial(each, one, stack) for one in runners}
        for size in STACKS:
            actions[f"stack {size}"] = partial(stacked, stack, size)
        times = alternate(
            {name: clock(action) for name, action in actions.items()}, options.rounds(7), options.progress
        )
        data.append(
            {
                "source": source,
                "crops": count,
                "keypoints": actions["engine"](),
                "median": {name: timing.median / count for name, timing in times.items()},
                "seconds": {name: timing.seconds for name, timing in times.items()},
                "cpu": {name: timing.cpu / count for name, timing in times.items()},
            }
        )
        table.rows.append(
            [source, f"{data[-1]['keypoints'] / count:.1f}", *(_crop_cell(name, times, count) for name in labels)]
        )
    table.columns += labels.values()
    if "opencv" in options.peers:
        table.notes.append("After the colon: the ratio to OpenCV.")
    return Section([table], data)


def _crop_cell(name: str, times: dict[str, Timing], count: int) -> str:
    text = f"{times[name].median / count * 1000:.2f}"
    if "opencv" not in times or name in PEERS:
        return text
    goal = targets.CROPS["one" if name == "engine" else "stack"]
    return f"{text}: {targets.cell(times[name].median / times['opencv'].median, goal)}"
