"""What may be done to a picture without changing its features, or changes them in a known way.

The photograph has 3 * 128 + 1 rows and 3.5 * 128 + 1 columns, so that the pixels of every octave lie on the same
places whichever corner they are counted from; keypoints near the border are left out, as the doubled image's ends
differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import reference
import tolerances
from engine_tools import field
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

import siftcli
from siftcli import Features
from siftcli.conventions import wrapped
from siftcli.evaluation.agreement import angle_gap, common, cosines

Pixels = Callable[[str], npt.NDArray[np.uint8]]
Change = Callable[[Features], Features]
BORDER = 8
"""Sigmas from the border within which keypoints are left out: the reach of a descriptor, about."""


@pytest.fixture(scope="module")
def photo(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """A photograph of a size that suits all octaves."""
    return pixels("astronaut.jpg")[:385, :449]


@pytest.fixture(scope="module")
def plain(photo: npt.NDArray[np.uint8]) -> Features:
    """Its features."""
    return siftcli.detect(photo)


def select(features: Features, index: npt.NDArray[np.intp]) -> Features:
    """Some of the features."""
    return Features(
        features.xy[index],
        features.scales[index],
        features.orientations[index],
        descriptors=field(features, "descriptors")[index],
        image_size=features.image_size,
    )


def inner(features: Features, border: float = BORDER) -> Features:
    """The features whose surroundings lie in the image."""
    assert features.image_size is not None
    room = np.minimum(features.xy, np.array(features.image_size) - 1 - features.xy).min(axis=1)
    return select(features, np.flatnonzero(room > border * features.scales))


def moved(
    features: Features,
    matrix: list[list[float]],
    shift: tuple[float, float],
    *,
    size: tuple[int, int],
    mirror: bool = False,
) -> Features:
    """Features after the orthogonal map p -> matrix p + shift of the plane."""
    m = np.array(matrix, float)
    direction = np.stack([np.cos(features.orientations), np.sin(features.orientations)])
    turned = m @ direction
    descriptors = field(features, "descriptors")
    if mirror:  # y-bins in reverse, orientations the other way round
        descriptors = descriptors.reshape(-1, 4, 4, 8)[:, ::-1, :, -np.arange(8) % 8].reshape(-1, 128)
    return Features(
        (features.xy @ m.T + shift).astype(np.float32),
        features.scales,
        wrapped(np.arctan2(turned[1], turned[0])),
        descriptors=descriptors,
        image_size=size,
    )


def assert_same(ours: Features, theirs: Features, tolerance: tolerances.Same) -> None:
    """Check that inner features are the same, by quantile."""
    for a, b in ((inner(ours), theirs), (inner(theirs), ours)):
        assert len(a) > 100
        assert len(common(b, a)[0]) / len(a) >= tolerance.share
    a, b = inner(ours), inner(theirs)
    i, j = common(a, b)
    distance = np.linalg.norm(a.xy[i].astype(float) - b.xy[j], axis=1)
    assert np.percentile(distance, 90) < tolerance.position
    assert np.percentile(np.abs(np.log(a.scales[i] / b.scales[j])), 90) < tolerance.position
    assert np.percentile(angle_gap(a.orientations[i], b.orientations[j]), 90) < tolerance.angle
    assert np.percentile(cosines(a, b, i, j), 10) > tolerance.cosine


W, H = 449, 385
LAST = (W - 1.0, H - 1.0)
ORTHOGONAL: dict[str, tuple[Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]], Change]] = {
    "quarter turn": (
        np.rot90,
        lambda f: moved(f, [[0, 1], [-1, 0]], (0, LAST[0]), size=(H, W)),
    ),
    "half turn": (
        lambda image: np.rot90(image, 2),
        lambda f: moved(f, [[-1, 0], [0, -1]], LAST, size=(W, H)),
    ),
    "left to right": (
        np.fliplr,
        lambda f: moved(f, [[-1, 0], [0, 1]], (LAST[0], 0), size=(W, H), mirror=True),
    ),
    "upside down": (
        np.flipud,
        lambda f: moved(f, [[1, 0], [0, -1]], (0, LAST[1]), size=(W, H), mirror=True),
    ),
    "transposed": (
        np.transpose,
        lambda f: moved(f, [[0, 1], [1, 0]], (0, 0), size=(H, W), mirror=True),
    ),
}


@pytest.mark.parametrize("preset", ["default", "accurate"])
@pytest.mark.parametrize("name", ORTHOGONAL)
def test_turns_and_mirrors(photo: npt.NDArray[np.uint8], plain: Features, name: str, preset: str) -> None:
    """Invariance: keypoints turn with the picture; descriptors stay, or are mirrored."""
    turn, expected = ORTHOGONAL[name]
    before = plain if preset == "default" else siftcli.detect(photo, preset)
    assert_same(siftcli.detect(turn(photo), preset), expected(before), tolerances.TURNED)


@pytest.mark.parametrize(("rows", "columns"), [(0, 16), (16, 16), (32, 0)])
def test_whole_shifts(photo: npt.NDArray[np.uint8], plain: Features, rows: int, columns: int) -> None:
    """Invariance: cut off at the left and top by whole pixels of the fifth octave, keypoints move by as much."""
    cut = siftcli.detect(photo[rows:, columns:])
    here = replace(cut, xy=cut.xy + np.array([columns, rows], np.float32))
    far = inner(here, 2 * BORDER)  # a picture that begins elsewhere has another border far into coarse octaves
    i, j = common(plain, far)
    assert len(j) / len(far) >= tolerances.SHIFT_SHARE
    distance = np.linalg.norm(plain.xy[i].astype(float) - far.xy[j], axis=1)
    assert np.percentile(distance, 90) < tolerances.SAMPLED_ALIKE.position
    assert np.percentile(cosines(plain, far, i, j), 10) > tolerances.SAMPLED_ALIKE.cosine


def test_half_the_gain_is_the_same_byte_for_byte(photo: npt.NDArray[np.uint8], plain: Features) -> None:
    """Invariance: a power of two changes no digit; the contrast threshold goes with it."""
    half = siftcli.detect(photo / np.float32(255) * np.float32(0.5), contrast_threshold=0.02)
    assert np.array_equal(half.xy, plain.xy)
    assert np.array_equal(half.scales, plain.scales)
    assert np.array_equal(half.orientations, plain.orientations)
    assert np.array_equal(field(half, "descriptors"), field(plain, "descriptors"))
    assert np.array_equal(2 * field(half, "scores"), field(plain, "scores"))


def test_gain_and_offset(photo: npt.NDArray[np.uint8], plain: Features) -> None:
    """Invariance: brightness and contrast change nothing but the scores. [Lowe04 §6.1]"""
    image = photo / np.float32(255) * np.float32(0.7) + np.float32(0.2)
    assert_same(siftcli.detect(image, contrast_threshold=0.04 * 0.7), plain, tolerances.REGAINED)


def test_negative(photo: npt.NDArray[np.uint8], plain: Features) -> None:
    """Invariance: black for white, keypoints point the other way, and so the cells come in reverse."""
    turned = replace(plain, orientations=wrapped(plain.orientations + np.float32(np.pi)))
    opposite = field(plain, "descriptors").reshape(-1, 4, 4, 8)[:, ::-1, ::-1].reshape(-1, 128)
    assert_same(siftcli.detect(255 - photo), replace(turned, descriptors=opposite), tolerances.REGAINED)


def test_less_contrast_gives_fewer_keypoints(photo: npt.NDArray[np.uint8], plain: Features) -> None:
    """Invariance: at half the gain and the same threshold, those that are left are among the ones before."""
    half = siftcli.detect(photo / np.float32(510))
    assert 0.2 * len(plain) < len(half) < 0.9 * len(plain)
    assert field(half, "scores").min() >= np.float32(0.04 / 3)
    assert len(common(plain, half)[1]) == len(half)


def test_twice_the_size(photo: npt.NDArray[np.uint8], plain: Features) -> None:
    """Invariance: the doubled picture, not doubled again, has the same features at twice the size."""
    doubled = reference.double(photo / 255.0).astype(np.float32)
    found = siftcli.detect(doubled, first_octave=0, sigma_input=1.0)
    assert field(found, "octaves").min() == 0
    half = replace(found, xy=found.xy / np.float32(2), scales=found.scales / np.float32(2), image_size=plain.image_size)
    assert_same(half, plain, tolerances.SAMPLED_ALIKE)


def test_half_the_size(pixels: Pixels) -> None:
    """Invariance: most coarse keypoints of a picture are found in a copy of half its size. [Lowe04 §3]

    The copy is blurred so that it has the same 0.5 px as the picture is assumed to have.
    """
    picture = pixels("astronaut.jpg")[:511, :511] / 255.0
    copy = gaussian_filter(picture, 0.75**0.5, mode="nearest")[::2, ::2]
    large, small = siftcli.detect(picture), siftcli.detect(copy)
    coarse = select(large, np.flatnonzero(large.scales > 2.6))
    enlarged = replace(small, xy=small.xy * np.float32(2), scales=small.scales * np.float32(2))
    i, j = common(enlarged, coarse)
    assert len(j) / len(coarse) > tolerances.HALF_SIZE_SHARE
    assert np.abs(np.median(enlarged.xy[i].astype(float) - coarse.xy[j], axis=0)).max() < tolerances.HALF_SIZE_BIAS
