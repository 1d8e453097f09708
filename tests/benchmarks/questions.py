"""The questions that docs/performance.md answers; each function measures one and returns its table."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pycolmap
from PIL import Image

import siftcli
from siftcli.engine import pipeline
from siftcli.presets import parameters

from . import pictures
from .pictures import UInt8
from .timing import alternate, clock, peak_memory, run_command

__all__ = ["QUESTIONS", "Plan", "Table"]


@dataclass
class Table:
    """A table of the documentation.

    Attributes
    ----------
    name : str
        The name of its place in docs/performance.md.
    columns : list of str
    rows : list of list of str
    """

    name: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How thoroughly to measure.

    Attributes
    ----------
    rounds : int
        Rounds that count, of each comparison.
    sizes : tuple of str
        Of the pictures, keys of `pictures.SIZES`.
    files : int
        Photographs in the folder; ten times as many crops.
    descriptors : int
        Descriptors of each image that are matched.
    """

    rounds: int = 5
    sizes: tuple[str, ...] = ("0.3", "1", "3", "12")
    files: int = 100
    descriptors: int = 9000


def photograph(plan: Plan) -> Table:
    """Time the whole command, from a JPEG file to a key file, beside a script that does the same with OpenCV."""
    table = Table(
        "photograph",
        ["picture", "keypoints", "`sift detect`, s", "`--workers 1`, s", "OpenCV script, s", "ratio"],
    )
    table.columns += ["`sift detect`, MB", "`--workers 1`, MB", "OpenCV script, MB"]
    with tempfile.TemporaryDirectory() as folder:
        source, ours, theirs = Path(folder, "picture.jpg"), Path(folder, "ours.key"), Path(folder, "theirs.key")
        for name, pixels in _pictures(plan.sizes):
            _save(pixels, source)
            commands = {"all": _sift(source, ours), "one": _sift(source, ours, "--workers", "1")}
            commands["opencv"] = _script(source, theirs)
            times = alternate({key: run_command(command) for key, command in commands.items()}, plan.rounds)
            memory = [peak_memory(commands["all"], together=True)]
            memory += [peak_memory(commands[key]) for key in ("one", "opencv")]
            median = {key: timing.median for key, timing in times.items()}
            keypoints = int(ours.read_bytes().split(None, 1)[0])
            ratio = f"{median['all'] / median['opencv']:.2f}"
            seconds, megabytes = ([f"{median[key]:.2f}" for key in commands], [f"{size:.0f}" for size in memory])
            table.rows.append([name, f"{keypoints:,}", *seconds, ratio, *megabytes])
    return table


def library(plan: Plan) -> Table:
    """Time detection and description in one process, from an array to arrays, beside other libraries."""
    programs: dict[str, Callable[[UInt8], object]] = {
        "siftcli": lambda pixels: siftcli.detect(pixels, workers=1),
        "siftcli, 2 workers": lambda pixels: siftcli.detect(pixels, workers=2),
        "siftcli, preset lowe": lambda pixels: siftcli.detect(pixels, "lowe", workers=1),
        "siftcli, preset accurate": lambda pixels: siftcli.detect(pixels, "accurate", workers=1),
        "OpenCV, 2 threads": _opencv(2),
        "pycolmap": _colmap(),
    }
    if (skimage := _skimage()) is not None:
        programs["scikit-image"] = skimage
    table = Table("library", ["picture", *(f"{name}, s" for name in programs)])
    for name, pixels in _pictures(plan.sizes):
        slow = {"scikit-image"} if pixels.size > 4e6 else set()
        times = alternate(
            {key: clock(_call(run, pixels)) for key, run in programs.items() if key not in slow}, plan.rounds
        )
        table.rows.append([name, *(f"{times[key].median:.3f}" if key in times else "–" for key in programs)])
    return table


def large(plan: Plan) -> Table:
    """Time a picture of 50 megapixels, whole command, one worker and two."""
    table = Table("large", ["picture", "keypoints", "workers", "s", "peak MB"])
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "picture.jpg"), Path(folder, "picture.key")
        _save(pictures.picture("samples", "50"), source)
        commands = {workers: _sift(source, output, "--workers", workers) for workers in ("1", "2")}
        times = alternate({key: run_command(command) for key, command in commands.items()}, min(plan.rounds, 3))
        keypoints = int(output.read_bytes().split(None, 1)[0])
        for workers, command in commands.items():
            memory = peak_memory(command, together=workers != "1")
            table.rows.append(
                ["samples 50 MP", f"{keypoints:,}", workers, f"{times[workers].median:.2f}", f"{memory:.0f}"]
            )
    return table


def folder(plan: Plan) -> Table:
    """Time folders of photographs of 640 × 480 and of crops of 64 × 128, whole command."""
    table = Table("folder", ["folder", "`--jobs 1`", "`--jobs 2`", "OpenCV script, 1 process", "2 processes"])
    for source in pictures.sources():
        mosaic, rng = pictures.picture(source, "12"), np.random.default_rng(1)
        corners = rng.integers(0, np.subtract(mosaic.shape, (480, 640)), (plan.files, 2))
        photographs = [mosaic[top : top + 480, left : left + 640] for top, left in corners]
        small = list(pictures.crops(source, 10 * plan.files))
        for what, images, suffix in (("photographs", photographs, "jpg"), ("crops", small, "png")):
            with tempfile.TemporaryDirectory() as temporary:
                place, target = Path(temporary, "images"), Path(temporary, "keys")
                place.mkdir()
                target.mkdir()
                for i, image in enumerate(images):
                    _save(image, place / f"{i:06d}.{suffix}")
                commands = [_sift(place, target, "--jobs", "1"), _sift(place, target, "--jobs", "2")]
                commands += [_script(place, target), _script(place, target, 2)]
                runs = {str(i): run_command(command) for i, command in enumerate(commands)}
                times = alternate(runs, min(plan.rounds, 3))
            rates = [f"{len(images) / timing.median:.1f}" for timing in times.values()]
            table.rows.append([f"{len(images):,} {what}, {source}", *rates])
    return table


def crops(plan: Plan) -> Table:
    """Time crops of 64 × 128 pixels in one process: one at a time, and in stacks."""
    table = Table("crops", ["set", "one at a time, ms", "stacks of 64, ms", "OpenCV, 2 threads, ms", "pycolmap, ms"])
    detector, descriptor = parameters()
    opencv, colmap = _opencv(2), _colmap()
    for source in pictures.sources():
        stack = pictures.crops(source, 256)
        each: dict[str, Callable[[], object]] = {
            "one": lambda s=stack: [siftcli.detect(crop, workers=1) for crop in s],  # type: ignore[misc]
            "stacks": lambda s=stack: [pipeline.detect(s[i : i + 64], detector, descriptor) for i in range(0, 256, 64)],  # type: ignore[misc]
            "opencv": lambda s=stack: [opencv(crop) for crop in s],  # type: ignore[misc]
            "colmap": lambda s=stack: [colmap(crop) for crop in s],  # type: ignore[misc]
        }
        times = alternate({key: clock(action) for key, action in each.items()}, plan.rounds)
        table.rows.append([source, *(f"{times[key].median / 256 * 1e3:.2f}" for key in each)])
    return table


def matching(plan: Plan) -> Table:
    """Time matching of two sets of descriptors, mutual with a ratio of 0.8, beside OpenCV's exact matcher."""
    table = Table("matching", ["descriptors", "siftcli, s", "`--metric root`, s", "OpenCV brute force, 2 threads, s"])
    image = pictures.picture("samples", "12")
    height, width = image.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 10, 0.9)
    turned = np.asarray(cv2.warpAffine(image, turn, (width, height)), np.uint8)
    a, b = (siftcli.detect(view, max_keypoints=plan.descriptors) for view in (image, turned))
    assert a.descriptors is not None
    assert b.descriptors is not None
    left, right = (np.asarray(one.descriptors, np.float32) for one in (a, b))
    cv2.setNumThreads(2)
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    times = alternate(
        {
            "l2": clock(lambda: siftcli.match(a, b)),
            "root": clock(lambda: siftcli.match(a, b, metric="root")),
            "opencv": clock(lambda: (matcher.knnMatch(left, right, 2), matcher.knnMatch(right, left, 1))),
        },
        plan.rounds,
    )
    table.rows.append([f"{len(a):,} × {len(b):,}", *(f"{timing.median:.2f}" for timing in times.values())])
    return table


QUESTIONS: dict[str, Callable[[Plan], Table]] = {
    question.__name__: question for question in (photograph, library, large, folder, crops, matching)
}
"""Functions that measure, by the name of their table."""


def _pictures(sizes: tuple[str, ...]) -> list[tuple[str, UInt8]]:
    return [(f"{source} {size} MP", pictures.picture(source, size)) for source in pictures.sources() for size in sizes]


def _save(pixels: UInt8, path: Path) -> None:
    Image.fromarray(pixels).save(path, quality=95)


def _sift(source: Path, target: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "siftcli", "detect", str(source), "-o", str(target), "--overwrite", "-q", *options]


def _script(source: Path, target: Path, processes: int = 1) -> list[str]:
    program = str(Path(__file__).with_name("opencv_script.py"))
    return [sys.executable, program, "--processes", str(processes), str(source), str(target)]


def _call(run: Callable[[UInt8], object], pixels: UInt8) -> Callable[[], object]:
    return lambda: run(pixels)


def _opencv(threads: int) -> Callable[[UInt8], object]:
    cv2.setNumThreads(threads)
    sift = cv2.SIFT_create()  # type: ignore[attr-defined]
    return lambda pixels: sift.detectAndCompute(pixels, None)


def _colmap() -> Callable[[UInt8], object]:
    """COLMAP's SIFT with Lowe's parameters, on the CPU, where it uses one thread for an image."""
    options = pycolmap.FeatureExtractionOptions()
    options.use_gpu = False
    options.sift.max_num_features = 10**8
    options.sift.num_octaves = 16
    options.sift.max_num_orientations = 4
    options.sift.peak_threshold = 0.04 / 3
    options.sift.normalization = pycolmap.Normalization.L2
    pycolmap.logging.minloglevel = 1  # it announces every extractor
    extractor = pycolmap.FeatureExtractor.create(options, pycolmap.Device.cpu)
    return lambda pixels: extractor.extract_from_uint8_array(pixels)


def _skimage() -> Callable[[UInt8], object] | None:
    try:
        from skimage import feature
    except ImportError:
        return None
    sift: Any = feature.SIFT()
    return lambda pixels: sift.detect_and_extract(pixels)
