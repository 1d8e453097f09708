"""Measure the choice of pairs among many images: by likeness and by position, in seconds and memory.

    python tests/benchmarks/many_images.py [COUNT]

COUNT (1,000) images of 640 x 480 are made from the samples by homographies.  Each sample lies a kilometre from the
next, and its images are taken within some metres, so the right pairs are those of one sample.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported

import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import siftcli
from siftcli.batch.choose_pairs import choose_pairs
from siftcli.batch.match_source import Source
from siftcli.batch.pair_choice import PairChoice
from siftcli.features import Camera

SAMPLES = sorted((Path(__file__).parents[2] / "sample_images").glob("*.jpg"))
SIZE = (640, 480)
DEGREE = 111_000.0
"""Metres of a degree of latitude."""


def view(sample: Image.Image, random: np.random.Generator) -> Image.Image:
    """Return a sample under a random homography."""
    width, height = sample.size
    zoom = random.uniform(0.6, 1.0)
    corner = random.uniform(0, 1 - zoom, 2) * (width, height)
    a, b, d, e = zoom * width / SIZE[0], random.normal(0, 0.05), random.normal(0, 0.05), zoom * height / SIZE[1]
    tilt = random.normal(0, 1e-4, 2)
    data = (a, b, corner[0], d, e, corner[1], tilt[0], tilt[1])
    return sample.transform(SIZE, Image.Transform.PERSPECTIVE, data, Image.Resampling.BICUBIC)


def main() -> None:
    """Print a line for each step."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    random = np.random.default_rng(0)
    samples = [Image.open(path).convert("L") for path in SAMPLES]
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "f.h5"
        start, keypoints = time.process_time(), 0
        with siftcli.collection_writer(path) as writer:
            for i in range(count):
                of = i % len(samples)
                features = siftcli.detect(np.asarray(view(samples[of], random)), max_keypoints=1000, workers=1)
                keypoints += len(features)
                position = (of * 1000 / DEGREE, random.uniform(0, 20) / DEGREE, 0.0)
                writer.add(f"{i:05d}.jpg", replace(features, camera=Camera(position=position)))
        told("extraction", start, f"{keypoints:,} keypoints")
        source = Source(str(path))
        names = source.names()
        for label, choice in (
            ("retrieve 30", PairChoice(retrieve=30)),
            ("retrieve 30 again", PairChoice(retrieve=30)),
            ("near 50 m", PairChoice(near=50.0)),
            ("neighbours 30", PairChoice(neighbours=30)),
        ):
            start = time.process_time()
            pairs = choose_pairs(source, names, choice, 0)
            of_one = np.mean(np.diff(pairs.index % len(samples), axis=1) == 0)
            told(label, start, f"{len(pairs):,} pairs, {of_one:.3f} of them of one sample")


def told(label: str, start: float, what: str) -> None:
    """Print what a step took."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{label}: {what}; {time.process_time() - start:.1f} s of processor time, peak {memory:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
