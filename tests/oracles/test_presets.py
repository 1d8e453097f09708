"""Presets beside the programs whose defaults they have, on the sample images; IPOL's by the numbers of its paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import pytest
import tolerances

import siftcli
from siftcli import Agreement
from siftcli.evaluation.agreement import agreement
from siftcli.presets import PRESETS, all_parameters
from tests.benchmarks import peers
from tests.benchmarks.presets import IMAGES, PROGRAMS, beside

Pixels = Callable[[str], npt.NDArray[np.uint8]]
Both = tuple[str, Agreement, Agreement]


@pytest.fixture(scope="module", params=[(p, i) for p in PROGRAMS for i in IMAGES], ids=lambda case: "-".join(case))
def agreements(request: pytest.FixtureRequest, pixels: Pixels) -> Both:
    """A preset, and how it agrees with its program on one image: keypoints, and places alone."""
    preset, image = request.param
    return (preset, *beside(preset, pixels(image)))


def test_number_of_keypoints(agreements: Both) -> None:
    """Independent program, with its own defaults."""
    preset, keypoints, _ = agreements
    assert keypoints.count == pytest.approx(1, abs=tolerances.PRESET_COUNT[preset])


def test_common_keypoints(agreements: Both) -> None:
    """Independent program: share of theirs among ours, and of ours among theirs, orientation included."""
    preset, keypoints, _ = agreements
    assert keypoints.recall >= tolerances.PRESET_SHARE[preset]
    assert keypoints.precision >= tolerances.PRESET_SHARE[preset]


def test_common_places(agreements: Both) -> None:
    """Independent program: the same without orientations."""
    preset, _, places = agreements
    assert places.recall >= tolerances.PRESET_PLACES[preset]
    assert places.precision >= tolerances.PRESET_PLACES[preset]


def test_descriptors(agreements: Both) -> None:
    """Independent program: cosines by quantile; that of COLMAP's is of RootSIFT on both sides."""
    preset, keypoints, _ = agreements
    assert keypoints.cosine_p10 >= tolerances.PRESET_COSINE[preset][0]
    assert keypoints.cosine >= tolerances.PRESET_COSINE[preset][1]


@pytest.mark.parametrize("most", [100, 400])
@pytest.mark.parametrize("image", IMAGES)
def test_whole_levels_of_a_limited_number(pixels: Pixels, image: str, most: int) -> None:
    """Independent program: COLMAP limited to so many keypoints; below and above it as many, at the same places."""
    theirs = peers.colmap(pixels(image), {"max_num_features": most})
    ours = siftcli.detect(pixels(image), "colmap", max_keypoints=most)
    assert len(theirs) > most
    places = agreement(ours, theirs, angle=np.inf)
    assert places.count == pytest.approx(1, abs=tolerances.PRESET_LEVELS)
    assert min(places.recall, places.precision) >= tolerances.PRESET_PLACES["colmap"] - tolerances.PRESET_LEVELS


def test_ipol_has_the_numbers_of_its_paper() -> None:
    """Source: [IPOL14], the table of parameters: in input pixels there, in octave pixels or cells here."""
    detector, descriptor, _ = all_parameters("ipol")
    octave_pixel = 2.0**detector.first_octave
    assert octave_pixel == 0.5  # delta_min
    assert detector.sigma_base * octave_pixel == 0.8  # sigma_min
    assert detector.sigma_input == 0.5  # sigma_in
    assert (detector.octaves, detector.scales_per_octave) == (8, 3)  # n_oct, n_spo
    assert detector.dog_threshold == pytest.approx(0.0133, abs=1e-4)  # C_DoG
    assert detector.edge_threshold == 10  # C_edge
    assert (detector.orientation_window, detector.peak_ratio) == (1.5, 0.8)  # lambda_ori, t
    assert descriptor.magnification * 4 / 2 == 6  # lambda_descr: half the side of 4 x 4 cells
    assert descriptor.magnification * descriptor.window_size == 6  # sigma of the window


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {"default", "lowe"}))
def test_presets_differ_from_the_default_in_the_result(pixels: Pixels, preset: str) -> None:
    """Invariance: each is its parameters spelt out, no more; and none of them is the default."""
    detector, descriptor, selection = PRESETS[preset]
    image = pixels("camera.png")
    named = siftcli.detect(image, preset)
    spelt = siftcli.detect(image, **asdict(detector), **asdict(descriptor), **asdict(selection))
    assert np.array_equal(named.xy, spelt.xy)
    assert named.descriptors is not None
    assert spelt.descriptors is not None
    assert np.array_equal(named.descriptors, spelt.descriptors)
    assert not np.array_equal(named.xy, siftcli.detect(image).xy)
