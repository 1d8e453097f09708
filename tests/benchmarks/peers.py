"""SIFT by other programs, as features in this library's conventions (docs/conventions.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pycolmap

from siftcli import Features
from siftcli.conventions import flip_bins

__all__ = ["LOWES", "VLFEATS", "colmap", "opencv"]


def opencv(image: npt.NDArray[np.uint8], *, contrast_threshold: float = 0.04) -> Features:
    """Detect and describe with OpenCV.

    ``enable_precise_upscale`` undoes the quarter of a pixel by which its default is off.  Sizes are diameters, angles
    are degrees, y down; octave and level share an integer; orientation bins run y up.  The descriptors are whole
    numbers in float32.

    Parameters
    ----------
    image : (H, W) uint8
        Grey.
    contrast_threshold : float
        For all scales of an octave together, image in [0, 1].
    """
    sift = cv2.SIFT_create(  # type: ignore[attr-defined]
        contrastThreshold=contrast_threshold, enable_precise_upscale=True
    )
    points, descriptors = sift.detectAndCompute(image, None)
    packed = np.array([p.octave for p in points], np.int64)
    if descriptors is None:
        descriptors = np.empty((0, 128), np.float32)
    return Features(
        xy=np.array([p.pt for p in points], np.float32).reshape(-1, 2),
        scales=np.array([p.size / 2 for p in points], np.float32),
        orientations=_wrap(np.deg2rad([p.angle for p in points])),
        scores=np.array([p.response for p in points], np.float32),
        octaves=(packed & 255).astype(np.uint8).view(np.int8).astype(np.int16),
        levels=(packed >> 8 & 255).astype(np.int16),
        descriptors=flip_bins(descriptors.astype(np.uint8)),
        image_size=(image.shape[1], image.shape[0]),
    )


LOWES = {
    "max_num_features": 10**7,
    "num_octaves": 12,
    "max_num_orientations": 4,
    "peak_threshold": 0.04 / 3,
    "normalization": pycolmap.Normalization.L2,
}
"""Lowe's defaults, as COLMAP has them."""

VLFEATS = {**LOWES, "peak_threshold": 1e-12}
"""VLFeat's defaults: no threshold, which COLMAP wants to be above zero."""


def colmap(image: npt.NDArray[np.uint8], options: Mapping[str, Any] = LOWES) -> Features:
    """Detect and describe with COLMAP's SIFT (VLFeat's) on the CPU.

    Its first pixel's centre is (0.5, 0.5); angles are y down; orientation bins run y up.

    Parameters
    ----------
    image : (H, W) uint8
        Grey.
    options : mapping
        Of pycolmap's `SiftExtractionOptions`, changed from COLMAP's own defaults: two orientations, half of Lowe's
        threshold, four octaves, 8192 keypoints, RootSIFT.
    """
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.use_gpu = False
    extraction.num_threads = 1
    for name, value in options.items():
        setattr(extraction.sift, name, value)
    pycolmap.logging.minloglevel = 1  # it announces every extractor
    extractor = pycolmap.FeatureExtractor.create(extraction, pycolmap.Device.cpu)
    points, descriptors = extractor.extract_from_uint8_array(np.ascontiguousarray(image))
    shapes = np.array([(p.a11, p.a12, p.a21, p.a22) for p in points], np.float32).reshape(-1, 2, 2)
    return Features(
        xy=np.array([(p.x - 0.5, p.y - 0.5) for p in points], np.float32).reshape(-1, 2),
        scales=np.array([p.compute_scale() for p in points], np.float32),
        orientations=_wrap(np.array([p.compute_orientation() for p in points])),
        descriptors=flip_bins(np.asarray(descriptors.data, np.uint8).reshape(-1, 128)),
        image_size=(image.shape[1], image.shape[0]),
        affine=shapes if options.get("estimate_affine_shape") else None,
    )


def _wrap(angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Bring angles into [-pi, pi)."""
    wrapped: npt.NDArray[np.float32] = ((angles + np.pi) % (2 * np.pi) - np.pi).astype(np.float32)
    return wrapped
