"""What the machine allows: memory bandwidth, matrix products, single array operations; and what share is reached.

The least time of a stage is the sum of its array operations, each at the rate that it reaches here by itself on data in
the cache.  The numbers of operations are counted in the engine's code; what depends on its parameters is read from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import siftcli
from siftcli.engine import descriptor as descriptor_stage
from siftcli.engine import orientation as orientation_stage
from siftcli.engine.descriptor import CELLS
from siftcli.engine.directions import PLANES
from siftcli.engine.gaussian import BLOCK, Operator, blur_columns, blur_rows
from siftcli.engine.octaves import Octave, octave_shapes
from siftcli.params import DetectorParams

from . import images
from .options import Options
from .report import Section, Table
from .stages import measure, replaced

__all__ = ["Work", "bandwidth", "blur_flops", "matrix_products", "operations", "roofline", "work"]

COPIES = (32 << 10, 256 << 10, 1 << 20, 4 << 20, 32 << 20, 256 << 20)
"""Bytes copied at a time."""

ELEMENTS = 1 << 15
"""Of an array operation: what the engine's chunks have, about."""

EXTREMA = {"round": 5, "extreme": 5, "compare": 15, "boolean": 12}
"""Operations a pixel of the octave: 5 differences of levels and, on half as many pairs of rows, twice (maxima, minima)
the extreme of 5 DoG levels and, for 3 of them, the comparisons with the threshold and with 4 neighbours, and their
masks."""

ORIENTATION = {"add": 16, "window": 1, "arctan2": 1, "bincount": 2}
"""Operations a sample of the window: order 1, differences 2, weights 3, magnitude 4, bins 6."""

DESCRIPTOR = {"add": 39, "take": 7}
"""Operations a sample of the grid: coordinates 12, gradient 21, planes 6; and products, see `Work.least`."""

TYPES = {"round": "float32 to int16", "extreme": "int16", "compare": "int16", "boolean": "bool"}
"""Of the operations that are not on float32 alone."""


def best(action: Callable[[], object], least: float = 0.05) -> float:
    """Return the shortest of several runs, in seconds; they last `least` seconds together, or are three."""
    action()
    times: list[float] = []
    while len(times) < 3 or sum(times) < least:
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def bandwidth(sizes: tuple[int, ...] = COPIES) -> dict[int, float]:
    """Return GB/s read plus written when so many bytes are copied."""
    rates = {}
    for size in sizes:
        source, target = np.ones(size // 4, np.float32), np.zeros(size // 4, np.float32)
        times = max(1, (1 << 22) // size)

        def run(source: Any = source, target: Any = target, times: int = times) -> None:
            for _ in range(times):
                np.copyto(target, source)

        rates[size] = 2 * size * times / best(run) / 1e9
    return rates


def matrix_products() -> dict[str, float]:
    """Return GFLOP/s of a large float32 matrix product, and of the blur's own along columns and rows."""
    n = 1024
    a, b, out = (np.ones((n, n), np.float32) for _ in range(3))
    rates = {f"{n} x {n} x {n}": 2 * n**3 / best(lambda: np.matmul(a, b, out=out)) / 1e9}
    op = _operators((0, 64, 64))[3]
    height, width, taps = 64, 1024, op.matrix.shape[1]
    source = np.ones((1, height + op.before + op.after - BLOCK, width + op.before + op.after - BLOCK), np.float32)
    down, whole = np.zeros((1, height, source.shape[2]), np.float32), np.zeros((1, height, width), np.float32)
    flops = 2 * op.upper.shape[1] * down.size
    rates["blur, columns"] = flops / best(lambda: blur_columns(source, op, down)) / 1e9
    flops = 2 * taps * whole.size
    rates["blur, rows"] = flops / best(lambda: blur_rows(down, op, whole)) / 1e9
    return rates


def operations() -> dict[str, float]:
    """Return nanoseconds an element of array operations on data in the cache."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, ELEMENTS)).astype(np.float32)
    positive, out, flags = np.abs(a), np.empty_like(a), np.empty(ELEMENTS, bool)
    c, d, whole = rng.integers(-200, 200, (3, ELEMENTS)).astype(np.int16)
    # As the engine gathers: some hundred samples near each keypoint, from levels of some megabytes.
    levels = rng.standard_normal(1 << 20).astype(np.float32)
    where = (rng.integers(0, len(levels) - 70_000, (ELEMENTS // 256, 1)) + rng.integers(0, 64, (1, 256)) * 1024).ravel()
    bins, starts = rng.integers(0, 4096, ELEMENTS), rng.integers(0, len(levels) - 20_000, ELEMENTS // 256)
    squares = np.lib.stride_tricks.as_strided(levels, (len(levels) - 20_000, 16, 16), (4, 4096, 4), writeable=False)
    actions: dict[str, Callable[[], object]] = {
        "add": lambda: np.add(a, b, out=out),
        "round": lambda: np.subtract(a, b, out=whole, casting="unsafe"),
        "extreme": lambda: np.maximum(c, d, out=whole),
        "compare": lambda: np.less(c, d, out=flags),
        "boolean": lambda: np.logical_and(flags, flags, out=flags),
        "sqrt": lambda: np.sqrt(positive, out=out),
        "arctan2": lambda: np.arctan2(a, b, out=out),
        "take": lambda: levels.take(where, out=out, mode="wrap"),
        "window": lambda: squares[starts],
        "bincount": lambda: np.bincount(bins, a, 4096),
    }
    return {name: best(action) / ELEMENTS * 1e9 for name, action in actions.items()}


def _operators(shape: tuple[int, int, int]) -> tuple[Operator, ...]:
    """Return the operators of an octave: index, height, width."""
    return Octave.of(np.zeros((1, 1, 1), np.uint8), shape, DetectorParams(), base=shape[0] >= 0).operators


def blur_flops(height: int, width: int) -> float:
    """Return the floating point operations of all levels of an image: two of each element of the band matrices."""
    total = 0.0
    for octave, rows, columns in octave_shapes(height, width, DetectorParams()):
        for op in _operators((octave, rows, columns)):
            if not op.identity:  # the base, which is there
                # Down the columns of the source, then along the rows of the octave.
                total += 2 * rows * columns * (op.upper.shape[1] * op.step / BLOCK + op.matrix.shape[1])
    return total


@dataclass(frozen=True)
class Work:
    """How much an image asks of the stages.

    Attributes
    ----------
    pixels : int
        Of all octaves.
    flops : float
        Of the blur.
    window, grid : int
        Samples for orientations and for descriptors.
    """

    pixels: int
    flops: float
    window: int
    grid: int

    def least(self, stage: str, rates: Mapping[str, float], gflops: float) -> float | None:
        """Return the least seconds of a stage, None where its operations were not counted.

        Parameters
        ----------
        rates : mapping
            Nanoseconds an element by operation, see `operations`.
        gflops : float
            Of a large matrix product.
        """
        if stage == "blur":
            return self.flops / gflops / 1e9
        if stage == "descriptors":
            # Into the frame, and from the planes to the cells.
            products = 2 * 2 * 2 + 2 * PLANES * CELLS**2
            return _sum(DESCRIPTOR, rates) * self.grid / 1e9 + products * self.grid / gflops / 1e9
        if stage == "extrema":
            return _sum(EXTREMA, rates) * self.pixels / 1e9
        return _sum(ORIENTATION, rates) * self.window / 1e9 if stage == "orientation" else None


def _sum(counts: Mapping[str, int], rates: Mapping[str, float]) -> float:
    return sum(count * rates[name] for name, count in counts.items())


def work(pixels: images.UInt8) -> Work:
    """Return what an image asks of the stages."""
    height, width = pixels.shape
    shapes = octave_shapes(height, width, DetectorParams())
    window, cut = 0, orientation_stage.windows

    def counted(*args: Any) -> Any:
        nonlocal window
        squares = cut(*args)
        window += len(squares) * (squares.shape[1] - 2) ** 2  # a pixel more to each side, for differences
        return squares

    with replaced(orientation_stage, "windows", counted):
        features = siftcli.detect(pixels)
    samples = descriptor_stage._grid().shape[1]
    return Work(
        pixels=sum(rows * columns for _, rows, columns in shapes),
        flops=blur_flops(height, width),
        window=window,
        grid=len(features) * samples,
    )


def roofline(options: Options) -> Section:
    """Measure the machine, and set the stages beside it."""
    options.progress("memory")
    copied = bandwidth(COPIES[:-1] if options.quick else COPIES)
    options.progress("matrix products")
    products = matrix_products()
    options.progress("array operations")
    rates = operations()
    machine = Table("machine-rates", "What one thread of this machine does", ["operation", "rate"])
    machine.rows += [[f"copy {_bytes(size)}", f"{rate:.0f} GB/s"] for size, rate in copied.items()]
    machine.rows += [[f"sgemm {name}", f"{rate:.0f} GFLOP/s"] for name, rate in products.items()]
    machine.rows += [
        [f"{name}, {TYPES.get(name, 'float32')}", f"{rate:.2f} ns an element"] for name, rate in rates.items()
    ]
    table = Table(
        "roofline",
        "The stages beside the least time of their operations",
        ["picture", "stage", "work", "ms", "least", "share"],
    )
    peak = max(products.values())
    data: list[dict[str, Any]] = [{"copy": copied, "sgemm": products, "operations": rates}]
    for source in options.chosen_sources():
        picture = images.picture(source, "1")
        options.progress(picture.name)
        seconds, _, keypoints = measure(picture.pixels, options.rounds(9))
        asked = work(picture.pixels)
        amounts = {
            "blur": f"{asked.flops / 1e9:.2f} GFLOP",
            "extrema": f"{asked.pixels / 1e6:.2f} M pixels",
            "orientation": f"{asked.window / 1e6:.2f} M samples",
            "descriptors": f"{asked.grid / 1e6:.2f} M samples",
        }
        for stage, amount in amounts.items():
            least = asked.least(stage, rates, peak)
            assert least is not None
            share = least / seconds[stage]
            table.rows.append(
                [picture.name, stage, amount, f"{seconds[stage] * 1e3:.1f}", f"{least * 1e3:.1f}", f"{share:.0%}"]
            )
            data.append(
                {
                    "picture": picture.name,
                    "stage": stage,
                    "seconds": seconds[stage],
                    "least": least,
                    "keypoints": keypoints,
                }
            )
    return Section([machine, table], data)


def _bytes(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB"
