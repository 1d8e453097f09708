"""Independent programs: COLMAP's SIFT on the CPU (VLFeat's code) and OpenCV's, on the sample images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tolerances
from engine_tools import field

import siftcli
from siftcli import Features
from siftcli.evaluation.agreement import agreement, common
from tests.benchmarks import peers

IMAGES = ("astronaut.jpg", "camera.png", "chelsea.jpg", "coffee.jpg", "pair_astronaut_b.jpg")
Pixels = Callable[[str], npt.NDArray[np.uint8]]
Pair = tuple[Features, Features]


@pytest.fixture(scope="module", params=IMAGES)
def with_colmap(
    request: pytest.FixtureRequest, pixels: Pixels, sample_images: Path, detected: Callable[[Path, str], Features]
) -> Pair:
    """Our features and COLMAP's."""
    return detected(sample_images / request.param, "default"), peers.colmap(pixels(request.param))


@pytest.fixture(scope="module", params=IMAGES)
def with_opencv(
    request: pytest.FixtureRequest, pixels: Pixels, sample_images: Path, detected: Callable[[Path, str], Features]
) -> Pair:
    """Our features and OpenCV's."""
    return detected(sample_images / request.param, "default"), peers.opencv(pixels(request.param))


def test_colmap_keypoints(with_colmap: Pair) -> None:
    """Independent program: share of common keypoints, orientation included, both ways; and their number."""
    a = agreement(*with_colmap)
    assert a.recall >= tolerances.COLMAP_SHARE[0]
    assert a.precision >= tolerances.COLMAP_SHARE[1]
    assert a.count == pytest.approx(1, abs=tolerances.COLMAP_COUNT)


def test_colmap_frames(with_colmap: Pair) -> None:
    """Independent program: positions without bias, and close."""
    ours, theirs = with_colmap
    i, j = common(ours, theirs)
    shift = ours.xy[i].astype(float) - theirs.xy[j]
    assert np.abs(np.median(shift, axis=0)).max() < tolerances.PEER_BIAS
    assert np.median(np.linalg.norm(shift, axis=1)) < tolerances.PEER_POSITION
    assert np.abs(np.median(np.log(ours.scales[i] / theirs.scales[j]))) < tolerances.PEER_BIAS


def test_colmap_descriptors(with_colmap: Pair) -> None:
    """Independent program: cosines by quantile, bins and cells converted."""
    a = agreement(*with_colmap)
    assert a.cosine_p10 >= tolerances.COLMAP_COSINE[0]
    assert a.cosine >= tolerances.COLMAP_COSINE[1]


@pytest.mark.parametrize("image", IMAGES[:2])
def test_colmap_descriptors_of_every_pixel(image: str, pixels: Pixels) -> None:
    """Independent program: VLFeat's samples at its own frames, anywhere between pixels; Lowe's shift spoils them."""
    theirs = peers.colmap(pixels(image))
    median = {}
    for variant in ("standard", "lowe"):
        how = {"sampling": "pixels", "variant": variant, "float_descriptors": True}
        ours = siftcli.describe(pixels(image), theirs.without_descriptors(), "vlfeat", **how)
        a, b = field(ours, "descriptors"), field(theirs, "descriptors").astype(np.float64)
        median[variant] = np.median((a * b).sum(axis=1) / np.linalg.norm(b, axis=1))
    assert median["standard"] >= tolerances.COLMAP_PIXELS > median["lowe"]


def test_opencv_keypoints(with_opencv: Pair) -> None:
    """Independent program: OpenCV's locations are nearly all among ours; with its orientations, three quarters are."""
    ours, theirs = with_opencv
    assert agreement(ours, theirs, angle=np.inf).recall >= tolerances.OPENCV_LOCATIONS
    assert agreement(ours, theirs).recall >= tolerances.OPENCV_SHARE


def test_opencv_frames(with_opencv: Pair) -> None:
    """Independent program: positions without bias (its precise upscaling mends a quarter of a pixel), and close."""
    ours, theirs = with_opencv
    i, j = common(ours, theirs)
    shift = ours.xy[i].astype(float) - theirs.xy[j]
    assert np.abs(np.median(shift, axis=0)).max() < tolerances.PEER_BIAS
    assert np.median(np.linalg.norm(shift, axis=1)) < tolerances.PEER_POSITION
    assert np.abs(np.median(np.log(ours.scales[i] / theirs.scales[j]))) < tolerances.PEER_BIAS


def test_opencv_octaves_and_levels(with_opencv: Pair) -> None:
    """Independent program: where a keypoint was detected, unpacked from its integer, is where ours was."""
    ours, theirs = with_opencv
    i, j = common(ours, theirs)
    assert (field(ours, "octaves")[i] == field(theirs, "octaves")[j]).mean() > tolerances.OPENCV_OCTAVES


def test_opencv_descriptors(with_opencv: Pair) -> None:
    """Independent program: cosines by quantile, bins and cells converted."""
    a = agreement(*with_opencv)
    assert a.cosine_p10 >= tolerances.OPENCV_COSINE[0]
    assert a.cosine >= tolerances.OPENCV_COSINE[1]
