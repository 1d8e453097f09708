"""Measure structure from motion by every route into COLMAP: the tables of docs/reconstruction.md.

    python -m tests.benchmarks.reconstruct FOLDER [--side 500] [--seeds 3] [--results FILE]

FOLDER holds photographs of one scene, which are reduced to a longer side of so many pixels.  Features take routes:
a database whose features pycolmap matches, by its index or by brute force; ``sift match``; text files that the program
``colmap`` imports and matches.  "equal" features are found with COLMAP's contrast threshold, and as many of every image
are kept as COLMAP finds, those of the largest scale.  Results are appended to --results, and what is there is not
measured again.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pycolmap
from PIL import Image

import siftcli

SIFT = (sys.executable, "-m", "siftcli")
FEATURES = {
    "default": (),
    "default, RootSIFT": ("--root-sift",),
    "colmap": ("--preset", "colmap"),
    "accurate": ("--preset", "accurate"),
}
"""Features to the options of ``sift detect``."""

EQUAL = ("--contrast-threshold", "0.02", "--max-orientations", "2")
"""Options under which there are at least as many keypoints as COLMAP finds."""

Scene = Any


def run(*command: object, cwd: Path) -> None:
    """Run a program; what it prints is shown if it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


# --- features of all images in work/NAME.h5


def detect(work: Path, name: str) -> None:
    """Detect features with the options of a name."""
    run(*SIFT, "detect", "images", "-o", f"{name}.h5", *FEATURES[name], "-q", cwd=work)


def detect_equal(work: Path, name: str) -> None:
    """Detect features, and keep as many of every image as COLMAP has, of the largest scale."""
    run(*SIFT, "detect", "images", "-o", "all.h5", *FEATURES[name], *EQUAL, "-q", "--overwrite", cwd=work)
    with (
        siftcli.collection_reader(work / "all.h5") as found,
        siftcli.collection_reader(work / "COLMAP.h5") as theirs,
        siftcli.collection_writer(work / f"{name}, equal.h5", parameters=found.parameters) as writer,
    ):
        for image, features in found:
            largest = np.argsort(-features.scales, kind="stable")[: len(theirs.read(image))]
            writer.add(image, features.take(np.sort(largest)))


def extract(work: Path, name: str) -> None:
    """Let COLMAP find its features."""
    options = pycolmap.FeatureExtractionOptions()
    options.use_gpu = False
    pycolmap.extract_features(work / "colmap.db", work / "images", extraction_options=options)
    run(*SIFT, "convert", "colmap.db", "COLMAP.h5", "-q", cwd=work)


# --- routes from work/NAME.h5 to a database with verified pairs


def by_pycolmap(work: Path, name: str, seed: int, brute: bool = False) -> Path:
    """Match with pycolmap's index of neighbours, or by brute force."""
    database = work / "route.db"
    run(*SIFT, "convert", f"{name}.h5", database, "-q", cwd=work)
    options = pycolmap.FeatureMatchingOptions()
    options.use_gpu = False
    options.sift.cpu_brute_force_matcher = brute
    pycolmap.set_random_seed(seed)
    pycolmap.match_exhaustive(database, options)
    return database


def by_sift(work: Path, name: str, seed: int) -> Path:
    """Match with ``sift match``."""
    database = work / "route.db"
    preset = ("--preset", "accurate") if name.startswith("accurate") else ()
    command = (*SIFT, "match", f"{name}.h5", "-o", database, "--exhaustive", "--verify", "fundamental", *preset)
    run(*command, "--seed", seed, "-q", cwd=work)
    return database


def by_text(work: Path, name: str, seed: int) -> Path:
    """Let the program ``colmap`` import text files and match them."""
    database = work / "route.db"
    shutil.rmtree(work / "text", ignore_errors=True)
    run(*SIFT, "convert", f"{name}.h5", "text/", "--to", "colmap", "-q", cwd=work)
    run(
        *("colmap", "feature_importer", "--database_path", database),
        *("--image_path", "images", "--import_path", "text"),
        cwd=work,
    )
    matcher = ("colmap", "exhaustive_matcher", "--SiftMatching.use_gpu", 0, "--random_seed", seed)
    run(*matcher, "--database_path", database, cwd=work)
    return database


ROUTES: dict[str, Callable[[Path, str, int], Path]] = {
    "pycolmap, index": by_pycolmap,
    "pycolmap, brute force": lambda work, name, seed: by_pycolmap(work, name, seed, brute=True),
    "`sift match`": by_sift,
    "text, `colmap`": by_text,
}


# --- models


def model_of(work: Path, database: Path, seed: int, program: bool) -> dict[str, Any]:
    """Make a model with the program ``colmap`` or with pycolmap; return what the largest one has."""
    out = work / "model"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    if program:
        mapper = ("colmap", "mapper", "--random_seed", seed, "--image_path", "images", "--output_path", out)
        run(*mapper, "--database_path", database, cwd=work)
        models = [pycolmap.Reconstruction(path) for path in sorted(out.iterdir()) if path.is_dir()]
    else:
        pycolmap.set_random_seed(seed)
        models = list(pycolmap.incremental_mapping(database, work / "images", out).values())
    if not models:
        return {"images": 0, "points": 0, "observations": 0, "error": 0.0}
    best = max(models, key=lambda model: model.num_reg_images())
    return {
        "images": best.num_reg_images(),
        "points": best.num_points3D(),
        "observations": best.compute_num_observations(),
        "error": best.compute_mean_reprojection_error(),
    }


def cells(seeds: int) -> Iterator[tuple[str, str, int]]:
    """Every combination of features, route and seed; all of one seed before the next."""
    names = ["COLMAP", *FEATURES, *(f"{name}, equal" for name in FEATURES if name != "colmap")]
    for seed in range(seeds):
        for name in names:
            for route in ROUTES:
                yield name, route, seed


def reduced(folder: Path, out: Path, side: int) -> None:
    """Copy the photographs of a folder, reduced; their EXIF metadata stay."""
    out.mkdir()
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as image:
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
            image.save(out / path.name, quality=95, exif=image.getexif())


def tables(results: list[dict[str, Any]]) -> str:
    """Return what was measured as Markdown: medians of points, observations and error, the fewest images of a model."""
    rows = [["features", "keypoints", "images", *ROUTES], ["---", "---:", "---:", *("---:" for _ in ROUTES)]]
    for name in dict.fromkeys(r["name"] for r in results):
        own = [r for r in results if r["name"] == name]
        row = [name, f"{own[0]['keypoints']:,}", str(min(r["images"] for r in own))]
        for route in ROUTES:
            cell = [r for r in own if r["route"] == route]
            sizes = [median(r[key] for r in cell) if cell else 0 for key in ("points", "observations", "error")]
            row.append(f"{sizes[0]:,.0f} / {sizes[1]:,.0f} ({sizes[2]:.3f})")
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Measure all cells that are not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=500, help="Longer side of the reduced images.  [%(default)s]")
    parser.add_argument("--seeds", type=int, default=3, help="Seeds of verification and mapping.  [%(default)s]")
    parser.add_argument("--results", type=Path, default=Path("reconstruct.jsonl"), help="[%(default)s]")
    given = parser.parse_args()
    pycolmap.logging.minloglevel = 2
    results = [json.loads(line) for line in given.results.read_text().splitlines()] if given.results.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        reduced(given.folder, work / "images", given.side)
        extract(work, "COLMAP")
        for name, route, seed in cells(given.seeds):
            if any((r["name"], r["route"], r["seed"]) == (name, route, seed) for r in results):
                continue
            if not (work / f"{name}.h5").exists():
                (detect_equal if name.endswith(", equal") else detect)(work, name.removesuffix(", equal"))
            with siftcli.collection_reader(work / f"{name}.h5") as collection:
                keypoints = round(np.mean([len(features) for _, features in collection]))
            (work / "route.db").unlink(missing_ok=True)
            database = ROUTES[route](work, name, seed)
            made = model_of(work, database, seed, program=route.startswith("text"))
            results.append({"name": name, "route": route, "seed": seed, "keypoints": keypoints, **made})
            with given.results.open("a") as file:
                file.write(json.dumps(results[-1]) + "\n")
    print(tables(results))


if __name__ == "__main__":
    main()
