"""The programs that are compared, as functions from a grey picture to the number of its keypoints.

All detect and describe with the parameters of Lowe's paper: doubled image, three scales per octave, contrast threshold
0.04 / 3, edge threshold 10, as many octaves as fit.  OpenCV and scikit-image have these by default; pycolmap is told.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

import siftcli

__all__ = ["OPENCV_THREADS", "PEERS", "Contender", "contenders", "thread_argument"]

UInt8: TypeAlias = npt.NDArray[np.uint8]

OPENCV_THREADS = 2

PEERS = ("opencv", "colmap", "skimage")


@dataclass(frozen=True)
class Contender:
    """One way to find and describe keypoints.

    Attributes
    ----------
    name : str
        Short, as in the raw data.
    label : str
        For tables.
    run : callable
        From an (H, W) uint8 picture to the number of keypoints.
    """

    name: str
    label: str
    run: Callable[[UInt8], int]


def thread_argument() -> str | None:
    """Return the name of the argument of `siftcli.detect` that sets the number of threads; None if it has none."""
    known = inspect.signature(siftcli.detect).parameters
    return next((name for name in ("threads", "workers", "jobs") if name in known), None)


def contenders(peers: tuple[str, ...] = PEERS) -> list[Contender]:
    """Return this engine, in its variants, and the peers that are asked for."""
    threads = thread_argument()
    one: dict[str, Any] = {threads: 1} if threads else {}
    found = [Contender("engine", "siftcli, 1 thread", lambda pixels: len(siftcli.detect(pixels, **one)))]
    if threads:
        two: dict[str, Any] = {threads: 2}
        found.append(Contender("engine2", "siftcli, 2 threads", lambda pixels: len(siftcli.detect(pixels, **two))))
    found.append(Contender("lowe", "siftcli, preset lowe", lambda pixels: len(siftcli.detect(pixels, "lowe", **one))))
    makers = {"opencv": _opencv, "colmap": _colmap, "skimage": _skimage}
    return found + [makers[peer]() for peer in peers]


def _opencv() -> Contender:
    import cv2

    cv2.setNumThreads(OPENCV_THREADS)
    sift = cv2.SIFT_create()  # type: ignore[attr-defined]

    def run(pixels: UInt8) -> int:
        return len(sift.detectAndCompute(pixels, None)[0])

    return Contender("opencv", f"OpenCV, {OPENCV_THREADS} threads", run)


def _colmap() -> Contender:
    import pycolmap

    options = pycolmap.FeatureExtractionOptions()
    options.use_gpu = False
    options.num_threads = 2  # works on several images at once only: the CPU extractor uses one thread an image
    options.sift.max_num_features = 10**8
    options.sift.num_octaves = 16
    options.sift.max_num_orientations = 4
    options.sift.peak_threshold = 0.04 / 3
    options.sift.normalization = pycolmap.Normalization.L2
    pycolmap.logging.minloglevel = 1  # it announces every extractor
    extractor = pycolmap.FeatureExtractor.create(options, pycolmap.Device.cpu)

    def run(pixels: UInt8) -> int:
        return len(extractor.extract_from_uint8_array(pixels)[0])

    return Contender("colmap", "pycolmap, CPU", run)


def _skimage() -> Contender:
    from skimage import feature

    def run(pixels: UInt8) -> int:
        sift: Any = feature.SIFT()  # type: ignore[no-untyped-call]
        try:
            sift.detect_and_extract(pixels)
        except RuntimeError:  # how it says that there are no keypoints
            return 0
        return len(sift.keypoints)

    return Contender("skimage", "scikit-image", run)
