"""Measure what presets give and cost, beside COLMAP and OpenCV: the tables and the plot of docs/presets.md.

    python -m tests.benchmarks.which_preset [--plot FILE] FOLDER...

A folder holds ``img1.* .. img6.*`` and ``H1to2p .. H1to6p``.  All features are matched alike: mutual nearest neighbours
of Euclidean distance, ratio 0.8.  Rows are means over image 1 with each of the others: correct matches (within 3 px),
distinct pairs of places among them (several orientations of a place count once), their share of all matches, keypoints
of image 1, and processor time of the features of all six images, relative to the default in the same run.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pycolmap

import siftcli
from siftcli import Features

from . import peers
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


def main() -> None:
    """Print a table for every folder; draw all points."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", type=Path, help="SVG to write")
    parser.add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    points: dict[str, list[tuple[str, float, float]]] = {}
    for folder in arguments.folders:
        images = [np.asarray(siftcli.read_image(next(folder.glob(f"img{k}.*"))).pixels, np.uint8) for k in range(1, 7)]
        truths = [np.loadtxt(folder / f"H1to{k}p") for k in range(2, 7)]
        print(f"\n| {folder.name} | keypoints | correct | distinct | precision | time |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        default = 0.0
        for name, program in PROGRAMS.items():
            start = time.process_time()
            features = [program(image) for image in images]
            seconds = time.process_time() - start
            default = default or seconds
            found = [siftcli.match(features[0], other) for other in features[1:]]
            counts = (judged(matches, truth) for matches, truth in zip(found, truths, strict=True))
            good, distinct, _, total = np.sum(list(counts), axis=0)
            row = f"{good / 5:.0f} | {distinct / 5:.0f} | {good / total:.3f} | {seconds / default:.2f}"
            print(f"| {name} | {len(features[0])} | {row} |", flush=True)
            points.setdefault(name, []).append((folder.name, seconds / default, distinct / 5))
    if arguments.plot:
        arguments.plot.write_text(plot(points))


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
