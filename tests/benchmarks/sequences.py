"""Evaluate the presets and other programs on the Oxford sequences.

    python -m tests.benchmarks.sequences [DATA]

prints two tables in Markdown: of all keypoints, and of the 2,000 strongest of each image.  DATA holds the sequences
``boat``, ``leuven`` and ``wall``; SIFTCLI_ORACLE_DATA names it when it is not given.  Needs the extras ``bench`` and
``geometry``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import siftcli
from siftcli.evaluation.summary import Interval
from siftcli.presets import PRESETS

from . import peers
from .accuracy import table

SEQUENCES = ("boat", "leuven", "wall")
BUDGET = 2000

METHODS = {
    **{f"`{name}`": name for name in PRESETS},
    "COLMAP (VLFeat)": peers.colmap,
    "OpenCV": peers.opencv,
}
"""The presets, and other programs, with Lowe's threshold where they have another one."""

COLUMNS = {
    "keypoints": ("keypoints", 0),
    "repeatability": ("repeatability", 3),
    "repeatability_within": ("by distance", 3),
    "matching_score": ("matching score", 3),
    "distinct": ("distinct correct", 0),
    "precision": ("precision", 3),
    "mma_3": ("MMA, 3 px", 3),
    "homography_auc_1": ("AUC, 1 px", 3),
    "homography_auc_3": ("AUC, 3 px", 3),
    "homography_auc_5": ("AUC, 5 px", 3),
}


def results(folder: Path, budget: int | None) -> str:
    """Evaluate all methods; return a table with a row for each."""
    evaluation = siftcli.evaluate([folder / name for name in SEQUENCES], METHODS, budget=budget)
    rows = [
        (name, *(cell(evaluation.summary[name][measure], digits) for measure, (_, digits) in COLUMNS.items()))
        for name in evaluation.methods
    ]
    return table(("method", *(title for title, _ in COLUMNS.values())), rows)


def cell(interval: Interval, digits: int) -> str:
    """Format a value; bold where it differs from the first method's."""
    text = f"{interval.value:,.{digits}f}"
    low, high = interval.difference_low, interval.difference_high
    return f"**{text}**" if low is not None and high is not None and (low > 0 or high < 0) else text


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, metavar="DATA")
    given = parser.parse_args()
    data = given.data or Path(os.environ.get("SIFTCLI_ORACLE_DATA", "no folder"))
    if not (data / "boat").is_dir():
        parser.error("DATA must be a folder with the sequences; give it, or set SIFTCLI_ORACLE_DATA")
    for budget in (None, BUDGET):
        print(results(data, budget), flush=True)


if __name__ == "__main__":
    main()
