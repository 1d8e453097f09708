"""Measure the tests of a match on image sequences with known homographies: the table of docs/matching.md.

    python -m tests.benchmarks.match_tests [--preset NAME] FOLDER...

A folder holds ``img1.* .. img6.*`` and ``H1to2p .. H1to6p``.  Rows are means of image 1 with each of the others:
correct matches (within 3 px), distinct pairs of places among them, shares of all matches that are right within 3 and
1 px, and processor time relative to the first row.  Features are the default's with RootSIFT, or the preset's.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import siftcli

TESTS: tuple[dict[str, Any], ...] = (
    {},
    {"ratio_test": "fginn"},
    {"ratio_both_ways": True},
    {"ratio_both_ways": True, "ratio": 0.85},
    {"ratio_test": "fginn", "ratio_both_ways": True, "ratio": 0.85},
    {"verify": "homography"},
    {"verify": "homography", "guided": True, "guided_distance": 0.5},
    {"verify": "homography", "guided": True},
    {"verify": "homography", "guided": True, "guided_distance": 2.0},
)


def judged(found: siftcli.Matches, truth: np.ndarray) -> tuple[int, int, int, int]:
    """Count the matches that are right, the distinct places of these, those within 1 px, and all matches."""
    assert found.xy_a is not None
    assert found.xy_b is not None
    mapped = np.column_stack((found.xy_a, np.ones(len(found)))) @ truth.T
    error = np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - found.xy_b, axis=1)
    places = np.unique(np.round(np.column_stack((found.xy_a, found.xy_b))[error < 3]), axis=0)
    return int((error < 3).sum()), len(places), int((error < 1).sum()), len(found)


def main() -> None:
    """Print a table for every folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", help="of the features")
    parser.add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    detector: dict[str, Any] = {"preset": arguments.preset} if arguments.preset else {"root_sift": True}
    for folder in arguments.folders:
        paths = [next(folder.glob(f"img{k}.*")) for k in range(1, 7)]
        features = [siftcli.detect(siftcli.read_image(path).pixels, **detector) for path in paths]
        truths = [np.loadtxt(folder / f"H1to{k}p") for k in range(2, 7)]
        print(f"\n| {folder.name} | correct | distinct | precision | within 1 px | time |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        plain = 0.0
        for chosen in TESTS:
            start = time.process_time()
            found = [siftcli.match(features[0], other, **chosen).only_inliers() for other in features[1:]]
            seconds = time.process_time() - start
            plain = plain or seconds
            counts = (judged(matches, truth) for matches, truth in zip(found, truths, strict=True))
            good, distinct, near, total = np.sum(list(counts), axis=0)
            name = ", ".join(f"{key} {value}" for key, value in chosen.items()) or "default"
            shares = f"{good / total:.3f} | {near / total:.3f} | {seconds / plain:.2f}"
            print(f"| {name} | {good / 5:.0f} | {distinct / 5:.0f} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
