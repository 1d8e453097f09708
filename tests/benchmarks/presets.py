"""Measure the presets beside the programs whose defaults they have: the table in docs/presets.md.

    python -m tests.benchmarks.presets [--update]

prints it, or with --update puts it into the document.  Needs the extra ``bench``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

import siftcli
from siftcli import Agreement, Features
from siftcli.evaluation.agreement import agreement

from . import peers
from .accuracy import ROOT, pixels, table, write_tables

__all__ = ["IMAGES", "PROGRAMS", "beside"]

DOCUMENT = ROOT / "docs" / "presets.md"
IMAGES = ("astronaut.jpg", "camera.png", "chelsea.jpg", "coffee.jpg", "pair_astronaut_b.jpg")

PROGRAMS: dict[str, Callable[[npt.NDArray[np.uint8]], Features]] = {
    "colmap": lambda image: peers.colmap(image, {}),
    "vlfeat": lambda image: peers.colmap(image, peers.VLFEATS),
    "opencv": peers.opencv,
}
"""Presets, and the programs as their own defaults have them."""


def beside(preset: str, image: npt.NDArray[np.uint8]) -> tuple[Agreement, Agreement]:
    """Return how a preset agrees with its program: with its keypoints, and with their places alone."""
    ours, theirs = siftcli.detect(image, preset), PROGRAMS[preset](image)
    return agreement(ours, theirs), agreement(ours, theirs, angle=np.inf)


def presets_table() -> str:
    """Agreement of every preset with its program on every image."""
    rows = []
    for preset in PROGRAMS:
        for name in IMAGES:
            whole, place = beside(preset, pixels(ROOT / "sample_images" / name))
            shares = (whole.count, whole.recall, whole.precision, place.recall, place.precision)
            cosines = (f"{whole.cosine:.4f}", f"{whole.cosine_p10:.4f}")
            rows.append((f"`{preset}`", name, *(f"{share:.3f}" for share in shares), *cosines))
    columns = ("number", "recall", "precision", "recall, places", "precision, places")
    return table(("preset", "image", *columns, "cosine, median", "10th percentile"), rows)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the table into docs/presets.md")
    arguments = parser.parse_args()
    measured = presets_table()
    if not arguments.update:
        print(measured)
        return
    write_tables(DOCUMENT, {"measured": measured})


if __name__ == "__main__":
    main()
