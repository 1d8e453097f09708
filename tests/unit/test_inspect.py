"""What the engine shows of itself.

Oracles: a slow search for extrema in the levels it shows; its own results, which every stage must lead to; levels
against SciPy's Gaussian filter; counts that must add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

from siftcli.engine import pipeline
from siftcli.engine.inspect import STAGES, OctaveView, inspect
from siftcli.features import Features
from siftcli.params import DetectorParams
from siftcli.presets import PRESETS, parameters

Pixels = Callable[[str], npt.NDArray[np.uint8]]


def inspected(image: npt.NDArray[np.uint8], detector: DetectorParams) -> tuple[list[OctaveView], dict[str, Features]]:
    octaves: list[OctaveView] = []
    stages = inspect(image, detector, octaves.append)
    return octaves, stages


@pytest.fixture(scope="module")
def shown(pixels: Pixels) -> tuple[list[OctaveView], dict[str, Features]]:
    """The sample that has one octave in row tiles and the others in the atlas."""
    return inspected(pixels("camera.png"), DetectorParams())


def places(features: Features) -> npt.NDArray[np.float32]:
    """Frames in an order that does not depend on where they come from."""
    rows = np.column_stack([features.xy, features.scales])
    return rows[np.lexsort(rows.T)]


def test_octaves_are_of_half_the_size_and_twice_the_blur(shown: tuple[list[OctaveView], dict[str, Features]]) -> None:
    octaves, _ = shown
    assert [o.index for o in octaves] == list(range(-1, 6))
    for finer, coarser in pairwise(octaves):
        assert coarser.gaussians.shape[1:] == tuple(n // 2 for n in finer.gaussians.shape[1:])
        np.testing.assert_allclose(coarser.sigmas, 2 * finer.sigmas)
    np.testing.assert_allclose(octaves[1].sigmas, 1.6 * 2 ** (np.arange(6) / 3))


@pytest.mark.parametrize("index", [0, 1, 3])
def test_levels_have_the_blur_they_say(
    shown: tuple[list[OctaveView], dict[str, Features]], pixels: Pixels, index: int
) -> None:
    octave = shown[0][index + 1]
    image = pixels("camera.png") / 255
    middle = np.s_[20:-20, 20:-20] if index < 2 else np.s_[8:-8, 8:-8]
    for level in (0, 2, 5):
        missing = np.sqrt(octave.sigmas[level] ** 2 - 0.5**2)
        expected = gaussian_filter(image, missing, mode="nearest", truncate=6)[:: 2**index, :: 2**index]
        got = octave.gaussians[level]
        expected = expected[: got.shape[0], : got.shape[1]]
        # Kernels cut at 4 sigma, a chain of them, and the doubling of the image first.
        assert np.abs(got - expected)[middle].max() < 0.02
        assert np.abs(got - expected)[middle].mean() < 0.002


def test_extrema_are_those_of_a_slow_search(shown: tuple[list[OctaveView], dict[str, Features]]) -> None:
    for octave in shown[0]:
        dog = octave.gaussians[1:] - octave.gaussians[:-1]
        around = np.ones((3, 3, 3), bool)
        around[1, 1, 1] = False
        best = (dog > maximum_filter(dog, footprint=around)) & (dog > 0)
        best |= (dog < minimum_filter(dog, footprint=around)) & (dog < 0)
        level, row, column = np.nonzero(best[1:-1, 5:-5, 5:-5])
        expected = set(zip((level + 1).tolist(), (row + 5).tolist(), (column + 5).tolist(), strict=True))
        found = octave.stages["extrema"]
        assert set(zip(found.level.tolist(), found.row.tolist(), found.column.tolist(), strict=True)) == expected
        np.testing.assert_allclose(found.response, np.abs(dog[found.level, found.row, found.column]))


def test_extrema_without_contrast_lack_it(shown: tuple[list[OctaveView], dict[str, Features]]) -> None:
    detector = DetectorParams()
    _, stages = shown
    for name in ("edge", "unstable"):
        assert stages[name].scores is not None
        assert (stages[name].scores > 0.8 * detector.dog_threshold).all()
    scores = stages["contrast"].scores
    assert scores is not None
    assert (scores <= 0.8 * detector.dog_threshold).mean() > 0.9  # the others lose it where the fit ends
    assert scores.max() < 1.6 * detector.dog_threshold


def test_extrema_on_edges_have_curvatures_of_unequal_size(shown: tuple[list[OctaveView], dict[str, Features]]) -> None:
    for octave in shown[0]:
        dog = octave.gaussians[1:].astype(float) - octave.gaussians[:-1]
        for name, on_edge in (("edge", True), ("refined", False)):
            points = octave.stages[name]
            s, (y, x) = points.level, points.detected_at.T
            c = dog[s, y, x]
            xx, yy = dog[s, y, x + 1] + dog[s, y, x - 1] - 2 * c, dog[s, y + 1, x] + dog[s, y - 1, x] - 2 * c
            xy = (dog[s, y + 1, x + 1] - dog[s, y + 1, x - 1] - dog[s, y - 1, x + 1] + dog[s, y - 1, x - 1]) / 4
            det, trace = xx * yy - xy * xy, xx + yy
            assert (((det > 1e-9) & (trace**2 * 10 < 121 * det)) != on_edge).mean() > 0.995 if len(c) else True


@pytest.mark.parametrize("preset", PRESETS)
def test_every_extremum_has_one_fate_and_the_engine_keeps_the_same_ones(preset: str, pixels: Pixels) -> None:
    image = pixels("astronaut.jpg")
    detector, _ = parameters(preset)
    octaves, stages = inspected(image, detector)
    assert list(stages) == list(STAGES)
    count = {name: len(features) for name, features in stages.items()}
    assert count["contrast"] + count["edge"] + count["unstable"] + count["refined"] == count["extrema"]
    upright = pipeline.detect(image[None], replace(detector, upright=True, affine_shape=False), None)[0]
    np.testing.assert_array_equal(places(stages["refined"]), places(upright))
    np.testing.assert_array_equal(stages["oriented"].xy, pipeline.detect(image[None], detector, None)[0].xy)
    for octave in octaves:
        fates = [octave.stages[name] for name in ("contrast", "edge", "unstable")]
        keys = [set(zip(p.level.tolist(), p.row.tolist(), p.column.tolist(), strict=True)) for p in fates]
        assert sum(map(len, keys)) == len(set.union(*keys))


def test_a_lower_threshold_turns_rejected_extrema_into_kept_ones(pixels: Pixels) -> None:
    image = pixels("astronaut.jpg")
    before, after = (inspected(image, DetectorParams(contrast_threshold=t))[1] for t in (0.04, 0.02))
    assert len(before["extrema"]) == len(after["extrema"])
    assert len(after["contrast"]) < len(before["contrast"])
    assert len(after["refined"]) > len(before["refined"])
    np.testing.assert_array_equal(places(before["extrema"]), places(after["extrema"]))


def test_a_large_image_passes_in_bands_and_nothing_is_lost(pixels: Pixels) -> None:
    image = np.tile(pixels("camera.png"), (4, 1))  # several row tiles
    octaves, stages = inspected(image, DetectorParams(octaves=2))
    assert octaves[0].gaussians.shape[1:] == (4094, 1022)
    assert np.isfinite(octaves[0].gaussians).all()
    assert np.abs(np.diff(octaves[0].gaussians[3], axis=0)).max() < 0.5  # no seam
    upright = pipeline.detect(image[None], DetectorParams(octaves=2, upright=True), None)[0]
    np.testing.assert_array_equal(places(stages["refined"]), places(upright))


def test_a_reduced_image_is_told_in_its_own_pixels(pixels: Pixels) -> None:
    image = pixels("camera.png")
    detector = DetectorParams(max_image_size=200)
    octaves, stages = inspected(image, detector)
    assert octaves[0].gaussians.shape[1:] == (398, 398)
    assert stages["refined"].image_size == (512, 512)
    assert stages["refined"].xy.max() > 300
    upright = pipeline.detect(image[None], replace(detector, upright=True, affine_shape=False), None)[0]
    np.testing.assert_allclose(places(stages["refined"]), places(upright), rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (11, 11)])
def test_images_too_small_for_an_octave(shape: tuple[int, int]) -> None:
    octaves, stages = inspected(np.zeros(shape, np.uint8), DetectorParams(first_octave=0))
    assert octaves == []
    assert {len(features) for features in stages.values()} == {0}


def test_a_flat_image_has_octaves_and_no_extrema() -> None:
    # Black, for grey is flat up to rounding only with some kernels of OpenBLAS.
    octaves, stages = inspected(np.zeros((40, 60), np.uint8), DetectorParams())
    assert len(octaves) > 1
    assert {len(features) for features in stages.values()} == {0}
