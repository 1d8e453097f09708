"""A quick measurement of speed."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ..api import detect
from ..features import Float32

__all__ = ["Speed", "measure", "texture"]


@dataclass(frozen=True)
class Speed:
    """Time of detection and description of one image on one thread.

    Attributes
    ----------
    width, height : int
        Size of the image, in pixels.
    keypoints : int
    seconds : float
        Shortest time of the runs.
    """

    width: int
    height: int
    keypoints: int
    seconds: float


def texture(width: int, height: int, seed: int = 0) -> Float32:
    """Return an image in [0, 1] with structure of all scales: noise with a 1/f spectrum."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = 1
    noise = np.fft.rfft2(np.random.default_rng(seed).standard_normal((height, width)))
    image = np.fft.irfft2(noise / frequency, (height, width))
    image -= image.min()
    return (image / image.max()).astype(np.float32)


def measure(width: int = 640, height: int = 480, runs: int = 3) -> Speed:
    """Time detection and description of one image, after a warm-up."""
    image = texture(width, height)
    found = detect(image)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        detect(image)
        seconds.append(time.perf_counter() - start)
    return Speed(width, height, len(found), min(seconds))
