"""A quick figure of speed."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ..api import detect
from ..features import Float32

__all__ = ["Speed", "measure", "texture"]


@dataclass(frozen=True)
class Speed:
    """How long one image takes on one thread.

    Attributes
    ----------
    width, height : int
        Of the image, in pixels.
    keypoints : int
        Found and described.
    seconds : float
        The shortest of the runs.
    """

    width: int
    height: int
    keypoints: int
    seconds: float


def texture(width: int, height: int, seed: int = 0) -> Float32:
    """Return an image with structure of all scales: noise whose amplitude falls with the frequency, in [0, 1]."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = 1
    noise = np.fft.rfft2(np.random.default_rng(seed).standard_normal((height, width)))
    image = np.fft.irfft2(noise / frequency, (height, width))
    image -= image.min()
    return (image / image.max()).astype(np.float32)


def measure(width: int = 640, height: int = 480, runs: int = 3) -> Speed:
    """Time the detection and description of one image, after a run that does not count."""
    image = texture(width, height)
    found = detect(image)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        detect(image)
        seconds.append(time.perf_counter() - start)
    return Speed(width, height, len(found), min(seconds))
