"""How long drawing takes: ``python tests/benchmarks/drawing.py``.

A picture of 12.6 megapixels with 100,000 keypoints whose scales are spread as those of photographs (two thirds below
2 pixels), from arrays to arrays, and as files.  CPU seconds of one thread, the best of three.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from siftcli.draw.keypoints import keypoint_scene
from siftcli.draw.output import encode
from siftcli.draw.style import KeypointStyle
from siftcli.features import Features

WIDTH, HEIGHT, COUNT = 4096, 3072, 100_000

CASES = {
    "default": KeypointStyle(),
    "every keypoint a circle": KeypointStyle(thin=False),
    "radius support": KeypointStyle(radius="support"),
    "every keypoint a circle, radius support": KeypointStyle(thin=False, radius="support"),
    "points": KeypointStyle(style="points"),
    "frames": KeypointStyle(style="frames"),
    "arrows": KeypointStyle(style="arrows"),
    "descriptors": KeypointStyle(style="descriptors"),
}


def scene() -> tuple[Image.Image, Features]:
    """A picture and its features."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    waves = 110 + 60 * np.sin(x / 37) * np.cos(y / 29)
    noise = random.normal(0, 12, (HEIGHT, WIDTH)).astype(np.float32)
    pixels = np.stack([waves + noise, waves * 0.8 + noise, 180 - waves * 0.5 + noise], axis=-1).clip(0, 255)
    features = Features(
        (random.uniform(0, 1, (COUNT, 2)) * (WIDTH - 1, HEIGHT - 1)).astype(np.float32),
        np.exp(random.exponential(0.62, COUNT)).astype(np.float32),
        random.uniform(-np.pi, np.pi, COUNT).astype(np.float32),
        scores=random.exponential(0.03, COUNT).astype(np.float32),
        descriptors=random.integers(0, 256, (COUNT, 128)).astype(np.uint8),
    )
    return Image.fromarray(pixels.astype(np.uint8)), features


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the best of three runs."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    """Print the table."""
    image, features = scene()
    print(f"{WIDTH} x {HEIGHT}, {COUNT:,} keypoints, CPU seconds")
    for name, style in CASES.items():
        print(f"  {name:42} {best(lambda: keypoint_scene(image, features, style).render()):5.2f}")  # noqa: B023
    drawn = keypoint_scene(image, features, KeypointStyle())
    for format in ("png", "jpeg", "svg"):
        print(f"  default, to {format:30} {best(lambda: encode(drawn, format)):5.2f}")  # noqa: B023


if __name__ == "__main__":
    main()
