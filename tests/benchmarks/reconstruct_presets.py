"""Measure structure from motion with the features of presets and of COLMAP: the table of docs/presets.md.

    python -m tests.benchmarks.reconstruct_presets FOLDER

FOLDER holds photographs of one scene.  All features are matched alike: every pair, ratio 0.8, mutual, verified by a
fundamental matrix; pycolmap's incremental mapper, three seeds, makes the model.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pycolmap

import siftcli

from .which_preset import PROGRAMS

CHOSEN = ("default, RootSIFT", "accurate", "accurate-affine", "COLMAP", "COLMAP, pooled and affine")


def main() -> None:
    """Print a row for each program and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    pycolmap.logging.minloglevel = 2
    print("| program | seconds | inliers | points | observations | error, px |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in CHOSEN:
        with tempfile.TemporaryDirectory() as work:
            start = time.process_time()
            with siftcli.collection_writer(Path(work) / "f.h5") as writer:
                for path in sorted(folder.glob("*.jpg")):
                    writer.add(path.name, PROGRAMS[name](np.asarray(siftcli.read_image(path).pixels, np.uint8)))
            seconds = time.process_time() - start
            command = [sys.executable, "-m", "siftcli", "match", "f.h5", "-o", "m.db", "-q"]
            subprocess.run([*command, "--exhaustive", "--verify", "fundamental"], check=True, cwd=work)
            with pycolmap.Database.open(Path(work) / "m.db") as database:
                inliers = database.num_inlier_matches()
            for seed in range(3):
                pycolmap.set_random_seed(seed)
                out = Path(work) / str(seed)
                out.mkdir()
                for model in pycolmap.incremental_mapping(Path(work) / "m.db", folder, out).values():
                    size = f"{model.num_points3D()} | {model.compute_num_observations()}"
                    error = model.compute_mean_reprojection_error()
                    print(f"| {name} | {seconds:.1f} | {inliers} | {size} | {error:.3f} |", flush=True)


if __name__ == "__main__":
    main()
