"""Feature formats: how fast each is written and read, and what HDF5 costs and could save.

::

    python -m tests.benchmarks.formats speed           # keypoints per second, written and read
    python -m tests.benchmarks.formats compression     # HDF5 with the filters that it brings
    python -m tests.benchmarks.formats folder          # 1,000 images of 2,000 keypoints in HDF5, beside extracting them

The features are those of the sample photographs, repeated as often as needed.  Times are of the processor, medians of
five; of one for the folder.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

import siftcli
from siftcli import Features
from siftcli.io.fields import FIELDS, arrays_of
from siftcli.io.registry import FORMATS, collection_writer, read_features, write_features

SAMPLES = Path(__file__).parents[2] / "sample_images"
PHOTOGRAPHS = ("dandelion.jpg", "hubble_deep_field.jpg", "astronaut.jpg", "camera.png", "chelsea.jpg", "coffee.jpg")
KEYPOINTS, LARGE = 2_000, 50_000
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "lzf": {"compression": "lzf"},
    "shuffle, lzf": {"compression": "lzf", "shuffle": True},
    "gzip 1": {"compression": "gzip", "compression_opts": 1},
    "shuffle, gzip 1": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "gzip 4": {"compression": "gzip", "compression_opts": 4},
    "shuffle, gzip 4": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
}


def median(call: Callable[[], object], repeats: int = 5) -> float:
    """Return the median of the processor's seconds that a call takes."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times)


def photographs() -> list[Features]:
    return [siftcli.detect(siftcli.read_image(SAMPLES / name).pixels) for name in PHOTOGRAPHS]


def resized(features: Features, n: int) -> Features:
    """Repeat or cut features to a number of keypoints."""
    index = np.resize(np.arange(len(features)), n)
    attributes = {f.attribute: getattr(features, f.attribute) for f in FIELDS}
    return replace(features, **{k: v[index] for k, v in attributes.items() if v is not None})


def speed(folder: Path) -> Table:
    features = resized(max(photographs(), key=len), LARGE)
    table = Table(
        "format", "written, keypoints/s", "read, keypoints/s", "bytes a keypoint", title=f"{LARGE:,} keypoints"
    )
    for name, format in FORMATS.items():
        path = folder / f"{name}{format.suffix}"

        def write(path: Path = path, name: str = name) -> None:
            path.unlink(missing_ok=True)
            write_features(path, features, name, image="a.jpg", overwrite=True)

        writing = median(write)
        size = sum(part.stat().st_size for part in folder.glob(f"{name}.*"))
        reading = median(lambda path=path, name=name: read_features(path, name))  # type: ignore[misc]
        table.add_row(name, f"{LARGE / writing:,.0f}", f"{LARGE / reading:,.0f}", f"{size / LARGE:.0f}")
    return table


def compression(folder: Path, images: int = 100) -> Table:
    samples = [arrays_of(resized(features, KEYPOINTS)) for features in photographs()]
    table = Table(
        "filters", "written, ms an image", "read, ms an image", "size", title=f"{KEYPOINTS:,} keypoints an image"
    )
    plain = 0
    for label, filters in FILTERS.items():
        path = folder / "f.h5"

        def write(path: Path = path, filters: dict[str, Any] = filters) -> None:
            with h5py.File(path, "w", libver=("v110", "v110")) as file:
                for i in range(images):
                    group = file.create_group(f"{i}.jpg")
                    for key, array in samples[i % len(samples)].items():
                        group.create_dataset(key, data=array, **(filters if key != "image_size" else {}))

        def read(path: Path = path) -> None:
            with h5py.File(path, "r") as file:
                for group in file.values():
                    for dataset in group.values():
                        dataset[()]

        writing, reading = median(write), median(read)
        plain = plain or path.stat().st_size
        share = path.stat().st_size / plain
        table.add_row(label, f"{writing / images * 1e3:.1f}", f"{reading / images * 1e3:.1f}", f"{share:.0%}")
    return table


def folder_cost(folder: Path, images: int = 1000) -> Table:
    """Write many images, as a batch does; extraction is timed on the photograph with most keypoints, where one is
    cheapest.
    """
    found = dict(zip(PHOTOGRAPHS, photographs(), strict=True))
    name = max(found, key=lambda name: len(found[name]))
    features = resized(found[name], KEYPOINTS)
    pixels = siftcli.read_image(SAMPLES / name).pixels
    extracting = median(lambda: siftcli.detect(pixels)) / len(found[name]) * KEYPOINTS
    start = time.process_time()
    with collection_writer(folder / "f.h5", parameters={"contrast_threshold": 0.04}) as writer:
        for i in range(images):
            writer.add(f"{i // 100}/{i}.jpg", features)
        added = time.process_time()
    closed = time.process_time()
    table = Table("step", "ms an image", "of extracting", title=f"{images:,} images of {KEYPOINTS:,} keypoints")
    for step, seconds in (
        ("add to the journal", (added - start) / images),
        ("make the file of it", (closed - added) / images),
        ("both", (closed - start) / images),
        ("extract", extracting),
    ):
        table.add_row(step, f"{seconds * 1e3:.2f}", f"{seconds / extracting:.1%}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "compression", "folder"])
    what = {"speed": speed, "compression": compression, "folder": folder_cost}[parser.parse_args().what]
    with tempfile.TemporaryDirectory() as name:
        Console().print(what(Path(name)))


if __name__ == "__main__":
    main()
