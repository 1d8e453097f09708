"""Compare two checkouts of this repository: the bytes of their features, and their speed.

    python tests/tools/compare_checkouts.py OLD NEW [--images FOLDER] [--only TEXT]
    python tests/tools/compare_checkouts.py OLD NEW --speed [--rounds N]

Each checkout computes in a process of its own, with BLAS at one thread.

Bytes: both compute every case, and the digests of all arrays have to be equal; the exit status is 1 if any differ.
Speed: the checkouts take turns within each case.  The table has the quotients of the shortest times, new over old: of
the wall time and, for one worker, of the processor time.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PRESETS = ("default", "lowe", "vlfeat", "ipol", "opencv", "colmap")
SIZES = {"0.3 MP": (478, 640), "1 MP": (768, 1024), "3 MP": (1536, 2048), "12 MP": (3072, 4096)}
"""Height and width of the scenes that are measured."""
CROP = (64, 128)

Case = Callable[[], Any]


@cache
def scene(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return noise of the spectrum of photographs, 1 / frequency, with 5 keypoints in 1,000 pixels or so."""
    noise = np.random.default_rng(seed).standard_normal((height, width))
    down, right = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    spectrum = np.fft.rfft2(noise) / np.maximum(np.hypot(down, right), 1 / max(height, width))
    values = np.fft.irfft2(spectrum, (height, width))
    return np.clip(np.rint(128 + 48 * values / values.std()), 0, 255).astype(np.uint8)


def detect(image: npt.NDArray[Any], *args: Any, workers: int = 1, **options: Any) -> Any:
    """Call `siftcli.detect` of this checkout, which may be so old that workers are called threads."""
    import siftcli

    return siftcli.detect(image, *args, **{_workers_name(): workers}, **options)


@cache
def _workers_name() -> str:
    import siftcli

    return "workers" if "workers" in inspect.signature(siftcli.detect).parameters else "threads"


def cases(folder: str | None) -> Iterator[tuple[str, Case]]:
    """Yield the name of every case whose bytes are compared, and what computes it."""
    import siftcli
    from siftcli.api import parameters
    from siftcli.engine import pipeline

    def stack(images: npt.NDArray[Any], preset: str, workers: int = 1) -> Any:
        return pipeline.detect(images, *parameters(preset), workers)

    def again(image: npt.NDArray[Any], preset: str, **options: Any) -> Any:
        features = siftcli.detect(image, preset)
        frames = replace(features.without_descriptors(), **options.pop("without", {}))
        return siftcli.describe(image, frames, preset, **options)

    photos = {"scene": scene(478, 640), "large": scene(1200, 1500, 1)}
    for path in sorted(Path(folder).iterdir()) if folder else ():
        if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".pgm", ".ppm"):
            from PIL import Image

            photos[path.name] = np.array(Image.open(path).convert("L"))
    for name, image in photos.items():
        for preset in PRESETS:
            for workers in (1, 2, 3):
                yield (
                    f"{name} {preset} {workers}",
                    lambda i=image, p=preset, n=workers: detect(i, p, workers=n),
                )
    image = photos["scene"]
    mask = np.zeros(image.shape, np.uint8)
    mask[100:300, 50:400] = 1
    crops = np.stack([scene(*CROP, seed) for seed in range(24)])
    tall = np.stack([scene(400, 500, seed) for seed in range(3)])
    for preset in PRESETS:
        yield f"mask {preset}", lambda p=preset: detect(image, p, mask=mask, workers=2)
        yield f"stack {preset}", lambda p=preset: stack(crops, p)
        yield f"stack of large ones {preset}", lambda p=preset: [stack(tall, p, n) for n in (1, 2)]
        yield f"describe {preset}", lambda p=preset: again(image, p)
        yield (
            f"describe anywhere {preset}",
            lambda p=preset: again(image, p, assign_orientations=True, without={"octaves": None, "levels": None}),
        )
        yield f"16 bits {preset}", lambda p=preset: detect(image.astype(np.uint16) * np.uint16(257), p)
        yield f"inspect {preset}", lambda p=preset: _inspected(image, p)
    for first in (-2, 0, 1, 2):
        for preset in ("default", "lowe"):
            for workers in (1, 2):
                yield (
                    f"first octave {first} {preset} {workers}",
                    lambda f=first, p=preset, n=workers: detect(photos["large"], p, first_octave=f, workers=n),
                )
    for name, options in {
        "five scales": {"scales_per_octave": 5},
        "upright": {"upright": True},
        "float descriptors": {"float_descriptors": True},
        "norm threshold": {"norm_threshold": 0.02},
        "smaller": {"max_image_size": 500},
        "dense": {"contrast_threshold": 0.0},
    }.items():
        yield name, lambda o=options: [detect(image, workers=n, **o) for n in (1, 2)]
    yield "affine frames", lambda: _affine(image)
    for shape in ((20, 20), (24, 300), (65, 33), (200, 1000), (31, 31), (5, 5), (1000, 13)):
        yield f"shape {shape}", lambda s=shape: [detect(scene(*s), p) for p in PRESETS]
    for preset in ("default", "lowe"):
        for workers in (1, 2):
            yield (
                f"12 MP {preset} {workers}",
                lambda p=preset, n=workers: detect(scene(3072, 4096), p, workers=n),
            )


def _inspected(image: npt.NDArray[np.uint8], preset: str) -> Any:
    from siftcli.api import parameters
    from siftcli.engine.inspect import inspect

    octaves: list[npt.NDArray[Any]] = []
    stages = inspect(image[:200, :300], parameters(preset)[0], lambda o: octaves.extend([o.gaussians, o.sigmas]))
    return [*octaves, *stages.values()]


def _affine(image: npt.NDArray[np.uint8]) -> Any:
    import siftcli

    frames = detect(image, max_keypoints=60)
    turn = np.array([[1.2, 0.3], [-0.1, 0.7]], np.float32) * frames.scales[:, None, None]
    frames = replace(frames.without_descriptors(), affine=turn, octaves=None, levels=None)
    return [siftcli.describe(image, frames, assign_orientations=assign, bad_frames="zero") for assign in (False, True)]


def digest(value: Any) -> str:
    """Return a digest of all arrays in features, or in a list of them."""
    if isinstance(value, list):
        return hashlib.sha256("".join(map(digest, value)).encode()).hexdigest()
    if isinstance(value, np.ndarray):
        return hashlib.sha256(repr((value.shape, value.dtype.str)).encode() + value.tobytes()).hexdigest()
    if value is None or isinstance(value, tuple):
        return repr(value)
    present = {f.name: getattr(value, f.name) for f in fields(value)}  # one checkout may have more fields
    parts = [f"{name} {digest(field)}" for name, field in present.items() if field is not None]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


# --- a process for each checkout


def serve_digests(folder: str | None, only: str) -> None:
    """Print the digest of every case as a line of JSON."""
    for name, case in cases(folder):
        if only in name:
            print(json.dumps([name, digest(case())]), flush=True)


def serve_times() -> None:
    """Answer each line `size workers` with the seconds of one detection: wall, and of the processor."""
    from siftcli.api import parameters
    from siftcli.engine import pipeline

    for line in sys.stdin:
        name, workers = json.loads(line)
        start, before = time.perf_counter(), time.process_time()
        if name == "crops":
            for seed in range(24):
                detect(scene(*CROP, seed), workers=workers)
        elif name == "stack":
            pipeline.detect(np.stack([scene(*CROP, seed) for seed in range(16)]), *parameters("default"), workers)
        elif name != "peak":
            detect(scene(*SIZES[name]), workers=workers)
        print(json.dumps([time.perf_counter() - start, time.process_time() - before]), flush=True)


def start(checkout: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start this file in a checkout."""
    env = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--serve", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, cwd="/")


def compare_bytes(old: Path, new: Path, folder: str | None, only: str) -> int:
    """Print the cases that differ, and return the exit status."""
    servers = [start(checkout, "digests", folder or "", only) for checkout in (old, new)]
    count, wrong = 0, []
    for a, b in zip(*(server.stdout or () for server in servers), strict=False):
        (name, left), (_, right) = json.loads(a), json.loads(b)
        count += 1
        if left != right:
            wrong.append(name)
            print(f"differs: {name}", flush=True)
    failed = [server.wait() for server in servers] != [0, 0]
    print(f"{count} cases, {len(wrong)} differ" + (", and a checkout failed" if failed else ""))
    return int(bool(wrong) or failed or not count)


def compare_speed(old: Path, new: Path, rounds: int, only: str) -> int:
    """Print a table of quotients, new over old."""
    servers = [start(checkout, "times") for checkout in (old, new)]

    def once(server: subprocess.Popen[str], name: str, workers: int) -> tuple[float, float]:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps([name, workers]) + "\n")
        server.stdin.flush()
        wall, cpu = json.loads(server.stdout.readline())
        return wall, cpu

    ratios = []
    print("case        workers  wall  processor")
    for name in ("crops", "stack", *SIZES):
        for workers in (1,) if name in ("crops", "stack") else (1, 2):
            if only not in f"{name} {workers}":
                continue
            for server in servers:
                once(server, name, workers)
            turns = max(3, rounds // (1 + 4 * (name == "12 MP")))
            times = np.array([[once(server, name, workers) for server in servers] for _ in range(turns)])
            wall, cpu = times[:, 1].min(axis=0) / times[:, 0].min(axis=0)  # other programs only add
            ratios.append(wall if workers > 1 else cpu)
            print(f"{name:12}{workers:7}{wall:7.3f}" + (f"{cpu:8.3f}" if workers == 1 else ""), flush=True)
    mean = math.exp(sum(map(math.log, ratios)) / max(1, len(ratios)))
    print(f"geometric mean {mean:.3f} (processor time of one worker, wall time of two)")
    for server in servers:
        server.communicate()
    return 0


def main() -> int:
    if sys.argv[1:2] == ["--serve"]:
        import siftcli

        assert Path(siftcli.__file__).is_relative_to(os.environ["PYTHONPATH"]), "the other checkout was imported"
        if sys.argv[2] == "digests":
            serve_digests(sys.argv[3] or None, sys.argv[4])
        else:
            serve_times()
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--images", help="folder with photographs to compare too")
    parser.add_argument("--only", default="", help="cases whose names contain this text")
    parser.add_argument("--speed", action="store_true", help="compare the speed instead of the bytes")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each checkout in a case")
    args = parser.parse_args()
    if args.speed:
        return compare_speed(args.old, args.new, args.rounds, args.only)
    return compare_bytes(args.old, args.new, args.images, args.only)


if __name__ == "__main__":
    sys.exit(main())
