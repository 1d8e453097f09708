"""What the tests of pictures share: slow and independent renderers, small features, and tolerances."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cli_tools import Sift
from PIL import Image, ImageDraw

from siftcli.features import Features

Array = npt.NDArray[Any]

STEPS = 63
"""Of coverage."""

COVERAGE = 0.5 / STEPS + 0.5 / 255 + 1e-5
"""Half a step, half a grey level, and float32."""

LEVEL = 255 * COVERAGE + 0.6
"""The same in grey levels, and half a step of the halo, which has 192 and is up to 0.9 times as steep."""

SUPERSAMPLED = (0.16, 0.012)
"""Largest and mean difference of coverage by distance from coverage by area: at a line's end, and where a stroke is as
thin as a pixel."""


def features(
    xy: Sequence[Sequence[float]],
    scales: Sequence[float],
    orientations: Sequence[float] | None = None,
    **more: Any,
) -> Features:
    """Features of given places."""
    n = len(scales)
    return Features(
        np.array(xy, np.float32).reshape(n, 2),
        np.array(scales, np.float32),
        np.zeros(n, np.float32) if orientations is None else np.array(orientations, np.float32),
        **more,
    )


def scattered(count: int, width: int, height: int, seed: int = 0, **more: Any) -> Features:
    """Features all over an image, most of them small, with everything but affine shapes."""
    random = np.random.default_rng(seed)
    scales = np.exp(random.exponential(0.7, count)).astype(np.float32)
    given: dict[str, Any] = {
        "scores": random.uniform(0.01, 0.2, count).astype(np.float32),
        "octaves": np.floor(np.log2(scales / 1.5)).astype(np.int16),
        "levels": random.integers(1, 4, count).astype(np.int16),
        "descriptors": random.integers(0, 256, (count, 128)).astype(np.uint8),
    }
    return Features(
        (random.uniform(0, 1, (count, 2)) * (width - 1, height - 1)).astype(np.float32),
        scales,
        random.uniform(-np.pi, np.pi, count).astype(np.float32),
        **{**given, **more},
    )


def distance_to_circle(shape: tuple[int, int], x: float, y: float, radius: float) -> Array:
    """Distance of every pixel's centre from a circle."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(np.abs(np.hypot(columns - x, rows - y) - radius))


def distance_to_segment(shape: tuple[int, int], ends: Sequence[float]) -> Array:
    """Distance of every pixel's centre from a segment, by projection on it."""
    x0, y0, x1, y1 = ends
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    dx, dy = x1 - x0, y1 - y0
    t = (((columns - x0) * dx + (rows - y0) * dy) / max(dx * dx + dy * dy, 1e-12)).clip(0, 1)
    return np.asarray(np.hypot(columns - x0 - t * dx, rows - y0 - t * dy))


def covered(distance: Array, width: float) -> Array:
    """The share of a pixel that a line of this width covers: 1 half a pixel inside its edge, 0 half a pixel outside."""
    return np.asarray((width / 2 + 0.5 - distance).clip(0, 1))


def supersampled(
    size: tuple[int, int], circles: Sequence[Sequence[float]], segments: Sequence[Sequence[float]], width: float
) -> Array:
    """Coverage by Pillow's own drawing at sixteen times the size, averaged."""
    zoom = 16
    large = Image.new("L", (size[0] * zoom, size[1] * zoom))
    draw = ImageDraw.Draw(large)

    def place(value: float) -> float:
        return (value + 0.5) * zoom - 0.5

    for x, y, radius in circles:
        outer, inner = (radius + width / 2) * zoom, max(0.0, radius - width / 2) * zoom
        ring = Image.new("L", large.size)
        ring_draw = ImageDraw.Draw(ring)
        box = [place(x) - outer, place(y) - outer, place(x) + outer, place(y) + outer]
        ring_draw.ellipse(box, 255)
        if inner:
            ring_draw.ellipse([place(x) - inner, place(y) - inner, place(x) + inner, place(y) + inner], 0)
        large.paste(255, mask=ring)
    for x0, y0, x1, y1 in segments:
        draw.line([place(x0), place(y0), place(x1), place(y1)], 255, round(width * zoom))
        for x, y in ((x0, y0), (x1, y1)):
            reach = width * zoom / 2
            draw.ellipse([place(x) - reach, place(y) - reach, place(x) + reach, place(y) + reach], 255)
    return np.asarray(large.reduce(zoom), np.float64) / 255


def pixels(source: Path | bytes | str) -> np.ndarray:
    """Return the pixels of a picture, (H, W, 3) uint8."""
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        return np.asarray(image.convert("RGB"))


def last(stderr: bytes) -> str:
    """Return the last line that was printed."""
    return stderr.decode().splitlines()[-1]


def error_of(sift: Sift, *args: str, status: int) -> str:
    """Return the one line that ``sift draw`` prints if it fails; it leaves no file behind."""
    before = sorted(Path().iterdir())
    result = sift("draw", *args)
    assert result.returncode == status
    assert result.stdout == b""
    assert sorted(Path().iterdir()) == before
    (line,) = result.stderr.decode().splitlines()
    return line.removeprefix("sift: error: ")
