"""Matching beside other programs: speed, memory, correct matches, and the ways of doing it that were tried.

::

    python tests/benchmarks/matching.py speed          # 9,000 by 9,000 descriptors, mutual
    python tests/benchmarks/matching.py large          # 100,000 by 100,000: time and peak memory
    python tests/benchmarks/matching.py ways           # ways to find the two nearest, which ours is one of
    python tests/benchmarks/matching.py pairs          # the sample pairs: precision, error of the homography
    python tests/benchmarks/matching.py boat FOLDER    # img1.pgm ... img6.pgm and H1to2p ... H1to6p
    python tests/benchmarks/matching.py collection     # pairs per second of sift match --exhaustive

Needs the extras ``bench`` and ``geometry``.  BLAS has one thread, as in the command ``sift``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

import siftcli
from siftcli import Features
from siftcli.matching.exact import DescriptorSet, match_descriptors
from siftcli.params import MatchParams

sys.path.insert(0, str(Path(__file__).parent))
from peers import colmap, opencv
from speed.timing import Timing, alternate, clock

SAMPLES = Path(__file__).parents[2] / "sample_images"
PHOTOGRAPHS = ("dandelion.jpg", "hubble_deep_field.jpg", "astronaut.jpg", "camera.png", "chelsea.jpg", "coffee.jpg")
PAIRS = ("astronaut", "dandelion")
RATIO, WITHIN = 0.8, 3.0

UInt8 = npt.NDArray[np.uint8]
Float64 = npt.NDArray[np.float64]


# --- what is matched


def grey(path: Path) -> UInt8:
    """Read a photograph."""
    return np.asarray(siftcli.read_image(path).pixels, np.uint8)


def descriptors(count: int) -> tuple[UInt8, UInt8]:
    """Descriptors of photographs, and of the same photographs turned by 10 degrees at nine tenths of their size.

    The contrast threshold is a quarter of the default, for there to be enough; from those, `count` are drawn.
    """
    sides: tuple[list[UInt8], list[UInt8]] = ([], [])
    for name in PHOTOGRAPHS:
        image = grey(SAMPLES / name)
        height, width = image.shape
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), 10, 0.9)
        for side, view in zip(sides, (image, cv2.warpAffine(image, turn, (width, height))), strict=True):
            found = siftcli.detect(np.asarray(view, np.uint8), contrast_threshold=0.01).descriptors
            assert found is not None
            side.append(np.asarray(found, np.uint8))
    random = np.random.default_rng(0)
    pools = [np.concatenate(side) for side in sides]
    if min(map(len, pools)) < count:
        raise SystemExit(f"there are {min(map(len, pools))} descriptors only")
    return pools[0][random.permutation(len(pools[0]))[:count]], pools[1][random.permutation(len(pools[1]))[:count]]


def multiplied(pool: UInt8, count: int, seed: int) -> UInt8:
    """Return as many descriptors as asked for, by adding noise to those there are."""
    random = np.random.default_rng(seed)
    rows = pool[random.integers(0, len(pool), count)].astype(np.int16)
    rows += random.integers(-12, 13, rows.shape, dtype=np.int16)
    return rows.clip(0, 255).astype(np.uint8)


def shuffled(pool: UInt8, count: int, seed: int) -> UInt8:
    """Return as many descriptors as asked for, hardly two alike: those there are, their cells in another order."""
    random = np.random.default_rng(seed)
    cells = pool[random.integers(0, len(pool), count)].reshape(count, 16, 8)
    return random.permuted(cells, axis=1).reshape(count, 128)


# --- speed


def ours(a: npt.NDArray[Any], b: npt.NDArray[Any], threads: int = 1, metric: str = "l2") -> int:
    """Match with this library, from descriptors to matches; return their number."""
    params = MatchParams(metric=metric)  # type: ignore[arg-type]
    return len(match_descriptors(DescriptorSet.of(a, metric), DescriptorSet.of(b, metric), params, threads))


def opencv_both_ways(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], threads: int) -> int:
    """Find the two nearest with OpenCV, both ways: what a mutual match with a ratio test needs."""
    cv2.setNumThreads(threads)
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    there, back = matcher.knnMatch(a, b, 2), matcher.knnMatch(b, a, 1)
    nearest = [m[0].trainIdx for m in back]
    return sum(m[0].distance < RATIO * m[1].distance and nearest[m[0].trainIdx] == m[0].queryIdx for m in there)


def skimage_mutual(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> int:
    """Match with scikit-image."""
    from skimage.feature import match_descriptors as match

    return len(match(a, b, cross_check=True, max_ratio=RATIO))


def speed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time 9,000 by 9,000."""
    a, b = descriptors(arguments.count)
    floats = [x.astype(np.float32) for x in (a, b)]
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in floats]
    runs: dict[str, Callable[[], int]] = {
        "siftcli, 1 thread": lambda: ours(a, b),
        "siftcli, 2 threads": lambda: ours(a, b, 2),
        "siftcli, 1 thread, float descriptors": lambda: ours(*units),
        "siftcli, 1 thread, --metric root": lambda: ours(a, b, metric="root"),
        "OpenCV knnMatch both ways, 1 thread": lambda: opencv_both_ways(*floats, 1),
        "OpenCV knnMatch both ways, 2 threads": lambda: opencv_both_ways(*floats, 2),
        "scikit-image match_descriptors": lambda: skimage_mutual(*floats),
    }
    counts: dict[str, int] = {}
    processor = {name: Timing() for name in runs}

    def counted(name: str, run: Callable[[], int]) -> Callable[[], None]:
        def action() -> None:
            start = time.process_time()
            counts[name] = run()
            processor[name].seconds.append(time.process_time() - start)

        return action

    times = alternate({name: clock(counted(name, run)) for name, run in runs.items()}, arguments.repeat, say, slow=20)
    title = f"{len(a):,} x {len(b):,} descriptors, ratio {RATIO}, mutual: medians, and their ratios to"
    others = [name for name in times if not name.startswith("siftcli")]
    table = Table("", "seconds", "processor s", "matches", *others, title=title)
    for name, timing in times.items():
        ratios = [f"{timing.median / times[other].median:.3f}" for other in others]
        table.add_row(name, f"{timing.median:.3f}", f"{processor[name].median:.3f}", f"{counts[name]:,}", *ratios)
    Console(width=160).print(table)
    return {
        name: {"seconds": times[name].seconds, "processor": processor[name].seconds, "matches": counts[name]}
        for name in runs
    }


# --- memory


def large(arguments: argparse.Namespace) -> dict[str, Any]:
    """Match 100,000 by 100,000 in a process of its own, and measure its peak."""
    result = {}
    table = Table("threads", "seconds", "peak MB", "matches", title=f"{arguments.count:,} x {arguments.count:,}")
    for threads in (1, 2):
        line = subprocess.run(
            [sys.executable, __file__, "_large", "--count", str(arguments.count), "--threads", str(threads)],
            check=True,
            capture_output=True,
        ).stdout
        found = json.loads(line)
        table.add_row(str(threads), f"{found['seconds']:.1f}", f"{found['peak']:.0f}", f"{found['matches']:,}")
        result[str(threads)] = found
    Console().print(table)
    return result


def large_alone(arguments: argparse.Namespace) -> None:
    """Do that, in this process."""
    a, other = (shuffled(side, arguments.count, seed) for seed, side in enumerate(descriptors(2_000)))
    b = multiplied(np.concatenate((a[::2], other))[: arguments.count], arguments.count, 2)
    start = time.perf_counter()
    matches = ours(a, b, arguments.threads)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "matches": matches}))


# --- ways


def whole_matrix(a: UInt8, b: UInt8) -> None:
    """All distances at once, argpartition for the two nearest, argmin for the way back."""
    x, y = a.astype(np.float32), b.astype(np.float32)
    distance = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1) - 2 * (x @ y.T)
    np.argpartition(distance, 1, axis=1)[:, :2]
    distance.argmin(axis=0)


def two_products(a: UInt8, b: UInt8) -> None:
    """A product for each direction, the two nearest by argmax, mask and argmax again."""
    x, y = DescriptorSet.of(a).rows, DescriptorSet.of(b).rows
    for p, q in ((x, y), (y, x)):
        for i in range(0, len(p), 512):
            product = blocks_first(p[i : i + 512]) @ q.T
            rows = np.arange(len(product))
            best = product.argmax(axis=1)
            product[rows, best] = -np.inf
            product.argmax(axis=1)


def blocks_first(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn (x, 1, -|x|^2) into (2x, -|x|^2, 1)."""
    return np.column_stack((2 * rows[:, :128], rows[:, 129], np.ones(len(rows), np.float32)))


def one_product(a: UInt8, b: UInt8, rows: int, columns: int, fold: str) -> None:
    """One product in blocks, and what is kept of each."""
    x, y = blocks_first(DescriptorSet.of(a).rows), DescriptorSet.of(b).rows
    for i in range(0, len(x), rows):
        for j in range(0, len(y), columns):
            product = x[i : i + rows] @ y[j : j + columns].T
            every = np.arange(len(product))
            if fold == "maxima":  # of rows by argmax, of columns by max
                product[every, product.argmax(axis=1)]
                product.max(axis=0)
            elif fold == "max":
                product.max(axis=1)
                product.max(axis=0)
            elif fold == "two and one":  # the two nearest of rows at once, the place of the nearest of columns
                best = product.argmax(axis=1)
                product.argmax(axis=0)
                product[every, best] = -np.inf
                product.max(axis=1)
            elif fold == "network":  # the two largest values of columns, by halves
                product[every, product.argmax(axis=1)]
                network(product)


def network(product: npt.NDArray[np.float32]) -> None:
    """Find the two largest of every column with maxima and minima alone."""
    half = len(product) // 2
    high, low = (
        np.maximum(product[:half], product[half : 2 * half]),
        np.minimum(product[:half], product[half : 2 * half]),
    )
    while len(high) > 1:
        half = len(high) // 2
        first, second = high[:half], high[half : 2 * half]
        low = np.maximum(np.minimum(first, second), np.maximum(low[:half], low[half : 2 * half]))
        high = np.maximum(first, second)


def processor_clock(action: Callable[[], object]) -> Callable[[], float]:
    """Return a function that does something and returns how many seconds of processor time that took."""

    def run() -> float:
        start = time.process_time()
        action()
        return time.process_time() - start

    return run


def ways(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time ways to find the two nearest and the way back; seconds of one processor."""
    a, b = descriptors(arguments.count)
    runs: dict[str, Callable[[], object]] = {
        "siftcli, all of it": lambda: ours(a, b),
        "product alone, blocks 512 x 512": lambda: one_product(a, b, 512, 512, ""),
        "product, argmax of rows, max of columns": lambda: one_product(a, b, 512, 512, "maxima"),
        "the same, blocks 256 x 256": lambda: one_product(a, b, 256, 256, "maxima"),
        "the same, blocks 1024 x 1024": lambda: one_product(a, b, 1024, 1024, "maxima"),
        "the same, blocks 512 x all": lambda: one_product(a, b, 512, len(b), "maxima"),
        "product, max of rows, max of columns": lambda: one_product(a, b, 512, 512, "max"),
        "product, argmax of rows, two of columns by a network": lambda: one_product(a, b, 512, 512, "network"),
        "product, two of rows, argmax of columns": lambda: one_product(a, b, 512, 512, "two and one"),
        "a product for each direction, two of rows": lambda: two_products(a, b),
        "all distances at once, argpartition, argmin": lambda: whole_matrix(a, b),
    }
    times = alternate({name: processor_clock(run) for name, run in runs.items()}, arguments.repeat, say, slow=20)
    table = Table("", "processor s", title=f"{len(a):,} x {len(b):,}")
    for name, timing in times.items():
        table.add_row(name, f"{timing.median:.3f}")
    Console(width=120).print(table)
    return {name: timing.median for name, timing in times.items()}


# --- how good the matches are


def homography_of(path: Path) -> Float64:
    """Read a homography from a to b."""
    return np.loadtxt(path)


def right(a: Float64, b: Float64, homography: Float64) -> npt.NDArray[np.bool_]:
    """Tell which matches obey a homography."""
    mapped = np.column_stack((a, np.ones(len(a)))) @ homography.T
    return np.asarray(np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - b, axis=1) < WITHIN)


def corner_error(found: Float64, true: Float64, width: int, height: int) -> float:
    """How far apart, on average, two homographies send the corners of an image."""
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1.0]])
    sent = [c[:, :2] / c[:, 2:] for c in (corners @ found.T, corners @ true.T)]
    return float(np.linalg.norm(sent[0] - sent[1], axis=1).mean())


def pairs(arguments: argparse.Namespace) -> dict[str, Any]:
    """The sample pairs: precision before and after verification, error of the homography."""
    table = Table("pair", "matches", "right", "inliers", "right", "corner error", title=f"sample pairs, {WITHIN} px")
    result = {}
    for name in PAIRS:
        images = [grey(SAMPLES / f"pair_{name}_{side}.jpg") for side in "ab"]
        true = homography_of(SAMPLES / f"pair_{name}_H.txt")
        found = siftcli.match(*map(siftcli.detect, images), verify="homography")
        assert found.xy_a is not None
        assert found.xy_b is not None
        assert found.inliers is not None
        assert found.model is not None
        good = right(found.xy_a.astype(float), found.xy_b.astype(float), true)
        height, width = images[0].shape
        error = corner_error(found.model.matrix, true, width, height)
        shares = [good.mean(), good[found.inliers].mean()]
        table.add_row(
            name,
            str(len(found)),
            f"{shares[0]:.4f}",
            str(found.inliers.sum()),
            f"{shares[1]:.4f}",
            f"{error:.3f} px",
        )
        result[name] = {"matches": len(found), "precision": shares, "corner_error": error}
    Console().print(table)
    return result


def boat_ours(a: UInt8, b: UInt8, **tests: Any) -> tuple[Float64, Float64]:
    """Match with this library; the points on both sides."""
    found = siftcli.match(siftcli.detect(a), siftcli.detect(b), **tests)
    assert found.xy_a is not None
    assert found.xy_b is not None
    return found.xy_a.astype(float), found.xy_b.astype(float)


def boat_opencv(a: UInt8, b: UInt8) -> tuple[Float64, Float64]:
    """Match OpenCV's features with OpenCV's matcher."""
    first, second = opencv(a), opencv(b)
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    x, y = (np.asarray(f.descriptors).astype(np.float32) for f in (first, second))
    back = [m[0].trainIdx for m in matcher.knnMatch(y, x, 1)]
    chosen = [
        (m[0].queryIdx, m[0].trainIdx)
        for m in matcher.knnMatch(x, y, 2)
        if m[0].distance < RATIO * m[1].distance and back[m[0].trainIdx] == m[0].queryIdx
    ]
    index = np.array(chosen, np.intp).reshape(-1, 2)
    return first.xy[index[:, 0]].astype(float), second.xy[index[:, 1]].astype(float)


def boat_colmap(a: UInt8, b: UInt8) -> tuple[Float64, Float64]:
    """Match COLMAP's features with COLMAP's matcher; its ratio test is made both ways."""
    import pycolmap

    first, second = colmap(a), colmap(b)
    options = pycolmap.FeatureMatchingOptions()
    options.use_gpu = False
    options.num_threads = 1
    matcher = pycolmap.FeatureMatcher.create(options, pycolmap.Device.cpu)

    def side(features: Features) -> Any:
        kind = pycolmap.FeatureExtractorType.SIFT
        return pycolmap.FeatureDescriptors(kind, np.ascontiguousarray(features.descriptors, dtype=np.uint8))

    index = np.asarray(matcher.match(None, side(first), None, side(second)), np.intp).reshape(-1, 2)
    return first.xy[index[:, 0]].astype(float), second.xy[index[:, 1]].astype(float)


def boat(arguments: argparse.Namespace) -> dict[str, Any]:
    """Correct matches and precision of image 1 with images 2 to 6."""
    programs: dict[str, Callable[[UInt8, UInt8], tuple[Float64, Float64]]] = {
        "siftcli": boat_ours,
        "siftcli, --metric root": lambda a, b: boat_ours(a, b, metric="root"),
        "siftcli, inliers of a homography": lambda a, b: boat_ours_inliers(a, b),
        "OpenCV features and matcher": boat_opencv,
        "pycolmap features and matcher": boat_colmap,
    }
    table = Table("", *(f"1 - {k}" for k in range(2, 7)), "all", title="boat: correct / matches (precision)")
    result: dict[str, Any] = {}
    first = grey(arguments.folder / "img1.pgm")
    for name, program in programs.items():
        cells, total = [], [0, 0]
        for k in range(2, 7):
            say(f"{name}, 1 - {k}")
            a, b = program(first, grey(arguments.folder / f"img{k}.pgm"))
            good = int(right(a, b, homography_of(arguments.folder / f"H1to{k}p")).sum())
            cells.append((good, len(a)))
            total = [total[0] + good, total[1] + len(a)]
        cells.append((total[0], total[1]))
        table.add_row(name, *(f"{good} / {n} ({good / max(n, 1):.3f})" for good, n in cells))
        result[name] = cells
    Console(width=160).print(table)
    return result


def boat_ours_inliers(a: UInt8, b: UInt8) -> tuple[Float64, Float64]:
    """Match with this library, verified."""
    found = siftcli.match(siftcli.detect(a), siftcli.detect(b), verify="homography").only_inliers()
    assert found.xy_a is not None
    assert found.xy_b is not None
    return found.xy_a.astype(float), found.xy_b.astype(float)


# --- collections


def collection(arguments: argparse.Namespace) -> dict[str, Any]:
    """Match all pairs of a collection with one process and with two."""
    result = {}
    table = Table("processes", "pairs", "seconds", "pairs/s", title=f"{arguments.images} images of 2,000 keypoints")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pool = descriptors(8_000)[0]
        random = np.random.default_rng(0)
        with siftcli.open_collection(folder / "features.h5") as writer:
            for i in range(arguments.images):
                writer.add(f"{i:03}.jpg", made_up(multiplied(pool, 2_000, i), random))
        for jobs in (1, 2):
            command = [sys.executable, "-m", "siftcli", "match", "features.h5", "-o", f"{jobs}.h5", "--exhaustive"]
            start = time.perf_counter()
            subprocess.run([*command, "--jobs", str(jobs), "-q"], check=True, cwd=folder)
            seconds = time.perf_counter() - start
            count = arguments.images * (arguments.images - 1) // 2
            table.add_row(str(jobs), f"{count:,}", f"{seconds:.1f}", f"{count / seconds:.0f}")
            result[str(jobs)] = count / seconds
    Console().print(table)
    return result


def made_up(rows: UInt8, random: np.random.Generator) -> Features:
    """Features with these descriptors, anywhere."""
    n = len(rows)
    return Features(
        xy=random.uniform(0, 1000, (n, 2)).astype(np.float32),
        scales=np.ones(n, np.float32),
        orientations=np.zeros(n, np.float32),
        descriptors=rows,
        image_size=(1000, 1000),
    )


# --- the command


def say(message: str) -> None:
    """Tell what is being done."""
    print(f"  {message}", file=sys.stderr)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, options in _commands():
        command = commands.add_parser(name, help=run.__doc__)
        command.set_defaults(run=run)
        command.add_argument("--json", type=Path, help="write the figures here")
        for flag, default in options.items():
            command.add_argument(flag, type=type(default), default=default)
        if name == "boat":
            command.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    result = arguments.run(arguments)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1))


def _commands() -> Iterator[tuple[str, Callable[[argparse.Namespace], Any], dict[str, Any]]]:
    yield "speed", speed, {"--count": 9_000, "--repeat": 5}
    yield "large", large, {"--count": 100_000}
    yield "_large", large_alone, {"--count": 100_000, "--threads": 1}
    yield "ways", ways, {"--count": 9_000, "--repeat": 5}
    yield "pairs", pairs, {}
    yield "boat", boat, {}
    yield "collection", collection, {"--images": 40}


if __name__ == "__main__":
    main()
