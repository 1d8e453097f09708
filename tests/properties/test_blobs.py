"""Gaussian blobs: where their DoG extremum lies has a closed form.

A blob exp(-r^2 / 2 s0^2) blurred from the assumed sigma n = 0.5 px of an image to sigma has the height
s0^2 / (s0^2 - n^2 + sigma^2).  The difference of two levels, sigma and k sigma, is extreme where its derivative by
sigma^2 vanishes: k^2 / (a + k^2 sigma^2)^2 = 1 / (a + sigma^2)^2 with a = s0^2 - n^2, that is at sigma^2 = a / k.
Doubling the image by linear interpolation adds a variance of 0 at its own samples and 1/4 px^2 half way between
them: 1/8 px^2 on average to a.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import tolerances
from engine_tools import field

import siftcli

K = 2 ** (1 / 3)
SIZES = (1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 11.0)
Array = npt.NDArray[np.float64]


def blob(size: float, centre: Array, polarity: int) -> Array:
    """A blob on grey, bright or dark."""
    y, x = np.mgrid[: int(16 * size) + 44, : int(16 * size) + 51]
    r2 = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
    return np.asarray(0.5 + 0.4 * polarity * np.exp(-r2 / (2 * size**2)))


def keypoint(size: float, centre: Array, polarity: int, preset: str) -> tuple[Array, float, int]:
    """Error of position (px), sigma and octave of the keypoint nearest to the centre."""
    found = siftcli.detect(blob(size, centre, polarity), preset, upright=True, descriptors=False)
    assert len(found) in (1, 2)  # half way between two octaves it may be seen in both
    error = found.xy - centre
    nearest = int(np.linalg.norm(error, axis=1).argmin())
    return error[nearest], float(found.scales[nearest]), int(field(found, "octaves")[nearest])


def centres(size: float, count: int) -> Array:
    """Sub-pixel places near the middle of the image."""
    return int(8 * size) + 20 + np.random.default_rng(int(10 * size)).uniform(0, 4, (count, 2))


@pytest.mark.parametrize("preset", ["default", "lowe"])
@pytest.mark.parametrize("polarity", [1, -1], ids=["bright", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_position(size: float, polarity: int, preset: str) -> None:
    """Closed form: the blob's centre."""
    for centre in centres(size, 6):
        error, _, octave = keypoint(size, centre, polarity, preset)
        assert np.abs(error).max() < tolerances.BLOB_POSITION[octave < 0] * 2.0**octave


@pytest.mark.parametrize("size", [1.2, 2.5, 5.0])
def test_position_has_no_bias(size: float) -> None:
    """Closed form: over places in all parts of a pixel, errors cancel."""
    errors = [keypoint(size, centre, 1, "default") for centre in centres(size, 60)]
    mean = np.mean([error / 2.0**octave for error, _, octave in errors], axis=0)
    assert np.abs(mean).max() < tolerances.BLOB_BIAS


@pytest.mark.parametrize("preset", ["default", "lowe"])
@pytest.mark.parametrize("polarity", [1, -1], ids=["bright", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_sigma(size: float, polarity: int, preset: str) -> None:
    """Closed form: sqrt((s0^2 + 1/8 - n^2) / k); from s0 = 2 px on also without the interpolation's 1/8."""
    for centre in centres(size, 6):
        _, sigma, _ = keypoint(size, centre, polarity, preset)
        assert sigma == pytest.approx(np.sqrt((size**2 + 1 / 8 - 0.25) / K), rel=tolerances.BLOB_SIGMA)
        if size >= 2:
            assert sigma == pytest.approx(np.sqrt((size**2 - 0.25) / K), rel=tolerances.BLOB_SIGMA)


@pytest.mark.parametrize("polarity", [1, -1], ids=["bright", "dark"])
def test_score_is_the_extreme_difference(polarity: int) -> None:
    """Closed form: the height at k sigma less that at sigma, with sigma^2 = a / k."""
    size, a = 4.0, 4.0**2 + 1 / 8 - 0.25
    expected = 0.4 * size**2 * (1 / (a + a / K) - 1 / (a + K * a))
    found = siftcli.detect(blob(size, np.array([50.3, 53.6]), polarity), upright=True, descriptors=False)
    assert field(found, "scores").max() == pytest.approx(expected, rel=tolerances.BLOB_SCORE)


def test_contrast_threshold_on_blobs() -> None:
    """Closed form: the faintest blob that counts has the extreme difference 0.04 / 3."""
    size, a = 4.0, 4.0**2 + 1 / 8 - 0.25
    limit = 0.04 / 3 / (size**2 * (1 / (a + a / K) - 1 / (a + K * a)))
    profile = (blob(size, np.array([50.3, 53.6]), 1) - 0.5) / 0.4
    for factor, count in ((1 - tolerances.BLOB_SCORE, 0), (1 + tolerances.BLOB_SCORE, 1)):
        found = siftcli.detect(0.5 + factor * limit * profile, upright=True, descriptors=False)
        assert len(found) == count
