"""The engine beside the slow reference (tests/reference.py), on parts of photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tolerances
from engine_tools import field
from reference import Array, Keypoint

import siftcli
from siftcli import Features
from siftcli.evaluation.agreement import angle_gap, common, cosines

CROPS = {
    "astronaut.jpg": (60, 180, 96, 112),
    "chelsea.jpg": (80, 100, 97, 120),
    "coffee.jpg": (120, 200, 90, 101),
    "dandelion.jpg": (300, 500, 80, 128),
}


@dataclass(frozen=True)
class Part:
    """A part of a photograph and its slow scale space."""

    pixels: npt.NDArray[np.uint8]
    octaves: list[Array]

    def level(self, point: Keypoint) -> Array:
        """The level at which a keypoint was detected."""
        level: Array = self.octaves[point.octave + 1][point.level]
        return level

    def features(self, points: list[Keypoint], describe: Callable[[Array, Keypoint], Array]) -> Features:
        """The reference's keypoints as features; its descriptors are not quantised."""
        frames = np.array([p.frame for p in points], np.float32).reshape(-1, 4)
        descriptors = [reference.normalise(describe(self.level(p), p)) for p in points]
        return Features(
            xy=frames[:, :2],
            scales=frames[:, 2],
            orientations=frames[:, 3],
            scores=np.array([p.score for p in points], np.float32),
            octaves=np.array([p.octave for p in points], np.int16),
            levels=np.array([p.level for p in points], np.int16),
            descriptors=np.array(descriptors, np.float32).reshape(-1, 128),
        )


@pytest.fixture(scope="module")
def parts(pixels: Callable[[str], npt.NDArray[np.uint8]]) -> list[Part]:
    """The parts, from photographs of four kinds."""
    out = []
    for name, (row, column, height, width) in CROPS.items():
        crop = pixels(name)[row : row + height, column : column + width]
        out.append(Part(crop, reference.scale_space(crop / 255.0)))
    return out


def test_lowe_preset(parts: list[Part]) -> None:
    """Slow reference: every keypoint in order, every field; descriptors byte by byte."""
    gaps = []
    for part in parts:
        theirs = part.features(
            reference.detect(part.octaves, lowe=True), lambda level, p: reference.pixel_histogram(level, p, lowe=True)
        )
        ours = siftcli.detect(part.pixels, "lowe")
        assert len(ours) == len(theirs) > 0
        assert np.array_equal(field(ours, "octaves"), field(theirs, "octaves"))
        assert np.array_equal(field(ours, "levels"), field(theirs, "levels"))
        np.testing.assert_allclose(ours.xy, theirs.xy, atol=tolerances.LOWE_REFERENCE_FRAME)
        np.testing.assert_allclose(ours.scales, theirs.scales, atol=tolerances.LOWE_REFERENCE_FRAME)
        assert angle_gap(ours.orientations, theirs.orientations).max() < tolerances.LOWE_REFERENCE_FRAME
        np.testing.assert_allclose(field(ours, "scores"), field(theirs, "scores"), atol=tolerances.FLOAT32)
        gaps.append(np.minimum(255, np.floor(512 * field(theirs, "descriptors"))) - field(ours, "descriptors"))
    gap = np.abs(np.concatenate(gaps))
    assert (gap == 0).mean() >= tolerances.LOWE_REFERENCE_BYTES
    assert gap.max() <= 1


@pytest.fixture(scope="module")
def default(parts: list[Part]) -> list[tuple[Part, list[Keypoint], Features]]:
    """The reference's and the engine's default keypoints of every part."""
    return [(part, reference.detect(part.octaves, lowe=False), siftcli.detect(part.pixels)) for part in parts]


def describe_pixels(level: Array, point: Keypoint) -> Array:
    """A sum over whole pixels."""
    return reference.pixel_histogram(level, point, lowe=False)


def describe_dense(level: Array, point: Keypoint) -> Array:
    """An integral: 3,600 samples of the bilinear gradient."""
    return reference.dense_histogram(level, point, side=60)


def test_default_keypoints(default: list[tuple[Part, list[Keypoint], Features]]) -> None:
    """Slow reference: the same keypoints but for the border of the doubled image and ties of the peak rule."""
    found = [0, 0, 0, 0]
    distance: list[float] = []
    turn: list[float] = []
    for part, points, ours in default:
        theirs = part.features(points, lambda _, __: np.zeros(128))
        i, j = common(ours, theirs)
        found = [
            a + b for a, b in zip(found, (len(j), len(theirs), len(common(theirs, ours)[0]), len(ours)), strict=True)
        ]
        distance += np.linalg.norm(ours.xy[i].astype(float) - theirs.xy[j], axis=1).tolist()
        turn += angle_gap(ours.orientations[i], theirs.orientations[j]).tolist()
    assert found[1] > 200
    assert found[0] / found[1] >= tolerances.REFERENCE_SHARE
    assert found[2] / found[3] >= tolerances.REFERENCE_SHARE
    assert np.median(distance) < tolerances.REFERENCE_POSITION[0]
    assert np.percentile(distance, 95) < tolerances.REFERENCE_POSITION[1]
    assert np.median(turn) < tolerances.REFERENCE_ANGLE[0]
    assert np.percentile(turn, 95) < tolerances.REFERENCE_ANGLE[1]


@pytest.mark.parametrize("describe", [describe_pixels, describe_dense], ids=["pixels", "integral"])
def test_default_descriptors(
    default: list[tuple[Part, list[Keypoint], Features]], describe: Callable[[Array, Keypoint], Array]
) -> None:
    """Slow reference: the grid of samples beside the sum over pixels, and beside the integral."""
    cosine = []
    for part, points, ours in default:
        some = points[:: max(1, len(points) // 25)]
        theirs = part.features(some, describe)
        cosine.append(cosines(ours, theirs, *common(ours, theirs)))
    low, median = np.percentile(np.concatenate(cosine), [10, 50])
    assert low >= tolerances.REFERENCE_COSINE[0]
    assert median >= tolerances.REFERENCE_COSINE[1]


def test_order_is_lowes(default: list[tuple[Part, list[Keypoint], Features]]) -> None:
    """Slow reference: the keypoints that both have come in the same order."""
    for part, points, ours in default:
        theirs = part.features(points, lambda _, __: np.zeros(128))
        i, j = common(ours, theirs)
        assert all(a < b for a, b in pairwise(i[np.argsort(j)].tolist()))
