"""Measure what presets give and cost, beside COLMAP and OpenCV: the tables and the plot of docs/presets.md.

    python -m tests.benchmarks.which_preset [--update] FOLDER...

A folder holds ``img1.* .. img6.*`` and ``H1to2p .. H1to6p``.  All features are matched alike: mutual nearest neighbours
of Euclidean distance, ratio 0.8.  Figures are means over image 1 with each of the others: correct matches (within
3 px), distinct pairs of places among them (several orientations of a place count once), their share of all matches,
keypoints of image 1, and processor time of the features of all six images, relative to the default in the same run.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pycolmap

import siftcli
from siftcli import Features
from siftcli.presets import PRESETS

from . import peers
from .accuracy import ROOT, pixels, table, write_tables
from .match_tests import judged

_ROOT = {**peers.LOWES, "normalization": pycolmap.Normalization.L1_ROOT}
_BEST = {**_ROOT, "domain_size_pooling": True, "estimate_affine_shape": True}

PROGRAMS: dict[str, Callable[[npt.NDArray[np.uint8]], Features]] = {
    "default": siftcli.detect,
    "default, RootSIFT": lambda image: siftcli.detect(image, root_sift=True),
    "accurate": lambda image: siftcli.detect(image, "accurate"),
    "accurate-affine": lambda image: siftcli.detect(image, "accurate-affine"),
    "COLMAP": lambda image: peers.colmap(image, _ROOT),
    "COLMAP, pooled and affine": lambda image: peers.colmap(image, _BEST),
    "OpenCV": peers.opencv,
}


class Figures(NamedTuple):
    """Result of a program on a sequence: means of the pairs, keypoints of image 1, time relative to the default."""

    distinct: float
    correct: float
    share: float
    keypoints: int
    time: float


def measured(folder: Path) -> dict[str, Figures]:
    """Return the figures of every program on a sequence."""
    images = [pixels(next(folder.glob(f"img{k}.*"))) for k in range(1, 7)]
    truths = [np.loadtxt(folder / f"H1to{k}p") for k in range(2, 7)]
    figures: dict[str, Figures] = {}
    default = 0.0
    for name, program in PROGRAMS.items():
        start = time.process_time()
        features = [program(image) for image in images]
        seconds = time.process_time() - start
        default = default or seconds
        found = [siftcli.match(features[0], other) for other in features[1:]]
        counts = [judged(matches, truth) for matches, truth in zip(found, truths, strict=True)]
        correct, distinct, _, total = np.sum(counts, axis=0)
        figures[name] = Figures(distinct / 5, correct / 5, correct / total, len(features[0]), seconds / default)
        print(f"{folder.name}, {name}: {figures[name]}", flush=True)
    return figures


def tables(results: dict[str, dict[str, Figures]]) -> dict[str, str]:
    """Return the tables of docs/presets.md, of the figures of each sequence."""
    folders = list(results)

    def rows(columns: Callable[[list[Figures]], list[str]]) -> list[list[str]]:
        """Return a row for each program."""
        return [
            [f"`{name}`" if name in PRESETS else name, *columns([results[folder][name] for folder in folders])]
            for name in PROGRAMS
        ]

    def matches(figures: list[Figures]) -> list[str]:
        share, cost = (np.array([getattr(f, name) for f in figures]) for name in ("share", "time"))
        return [*(f"{f.distinct:.0f}" for f in figures), _range(share, 3), _range(cost, 1)]

    def numbers(figures: list[Figures]) -> list[str]:
        return [*(f"{f.keypoints:,}" for f in figures), *(f"{f.correct:.0f}" for f in figures)]

    keypoints = [f"{name}, keypoints" for name in folders], [f"{name}, correct" for name in folders]
    return {
        "matches": table(("", *folders, "share", "time"), rows(matches), names=1),
        "keypoints": table(("", *keypoints[0], *keypoints[1]), rows(numbers), names=1),
    }


def _range(values: npt.NDArray[np.float64], digits: int) -> str:
    """Return the lowest and the highest of some values, or one where they are equal."""
    low, high = f"{values.min():.{digits}f}", f"{values.max():.{digits}f}"
    return low if low == high else f"{low}–{high}"


def main() -> None:
    """Print the tables and draw the plot, or put them into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the tables and the plot into docs/")
    parser.add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    results = {folder.name: measured(folder) for folder in arguments.folders}
    content = tables(results)
    if not arguments.update:
        print("\n".join(content.values()))
        return
    write_tables(ROOT / "docs" / "presets.md", content)
    points = {n: [(s, f[n].time, f[n].distinct) for s, f in results.items()] for n in PROGRAMS}
    (ROOT / "docs" / "images" / "which-preset.svg").write_text(plot(points), encoding="utf-8")


def plot(points: dict[str, list[tuple[str, float, float]]]) -> str:
    """Return an SVG of distinct correct matches, relative to the default's, over time on a logarithmic axis."""
    width, height, left, top, bottom = 640, 320, 60, 20, 50
    base = {sequence: distinct for sequence, _, distinct in points["default"]}
    flat = [(t, d / base[s]) for rows in points.values() for s, t, d in rows]
    low, high = min(r for _, r in flat) - 0.05, max(r for _, r in flat) + 0.05
    last = np.log(max(t for t, _ in flat) * 1.3)

    def x(seconds: float) -> float:
        return left + (width - left - 190) * (np.log(seconds) + 0.3) / (last + 0.3)

    def y(ratio: float) -> float:
        return top + (height - top - bottom) * (high - ratio) / (high - low)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<path d="M{left} {top}V{height - bottom}H{width - 185}" fill="none" stroke="#333"/>',
        f'<text x="{left}" y="{height - 12}">time of the features, relative to the default</text>',
        f'<text x="14" y="{height - bottom}" transform="rotate(-90 14 {height - bottom})">'
        "distinct correct matches, relative</text>",
    ]
    for t in (1, 2, 4, 8, 16):
        if x(t) < width - 185:
            lines.append(f'<text x="{x(t):.0f}" y="{height - bottom + 16}" text-anchor="middle">{t}</text>')
    for r in np.arange(np.ceil(low * 10) / 10, high, 0.1):
        lines.append(f'<text x="{left - 6}" y="{y(r) + 4:.0f}" text-anchor="end">{r:.1f}</text>')
    colours = ("#777", "#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e", "#a6761d")
    for i, ((name, rows), colour) in enumerate(zip(points.items(), colours, strict=False)):
        lines += [
            f'<circle cx="{x(t):.1f}" cy="{y(d / base[s]):.1f}" r="5" fill="{colour}">'
            f"<title>{name}, {s}</title></circle>"
            for s, t, d in rows
        ]
        row = top + 10 + 20 * i
        lines.append(f'<circle cx="{width - 172}" cy="{row}" r="5" fill="{colour}"/>')
        lines.append(f'<text x="{width - 160}" y="{row + 4}">{name}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
