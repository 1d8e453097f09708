"""Writes an HDF5 file of many images, to be killed while it does.

Usage: kill_worker.py FILE [BYTES].  With BYTES, the system kills it when it writes beyond so many of a file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import h5py  # before "ready", so that the time after it goes to writing
import numpy as np
from limited import limit_files

from siftcli.features import Features
from siftcli.io.registry import collection_writer

IMAGES, KEYPOINTS = 60, 300
PARAMETERS = {"contrast_threshold": 0.03, "octaves": None}


def image(seed: int) -> Features:
    """Some features."""
    rng = np.random.default_rng(seed)
    numbers = rng.uniform(0, 500, (4, KEYPOINTS)).astype(np.float32)
    return Features(
        xy=np.ascontiguousarray(numbers[:2].T),
        scales=numbers[2],
        orientations=numbers[3] / 200,
        descriptors=rng.integers(0, 256, (KEYPOINTS, 128)).astype(np.uint8),
    )


def run(path: Path) -> None:
    """Add the images that are not there yet, and close the file."""
    images = [(f"{i % 7}/{i}.jpg", image(i)) for i in range(IMAGES)]
    print("ready", h5py.__name__, flush=True)
    with collection_writer(path, parameters=PARAMETERS, resume=True, overwrite=True) as writer:
        done = writer.done()
        for name, features in images:
            if name not in done:
                writer.add(name, features)
    print("done", flush=True)


if __name__ == "__main__":
    if sys.argv[2:]:
        limit_files(int(sys.argv[2]))
    run(Path(sys.argv[1]))
