"""Frames that are given: what cannot be described, where the others lie, affine ones, and orientations assigned."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tolerances
from engine_tools import field
from hypothesis import given
from hypothesis import strategies as st

import siftcli
from siftcli import Features
from siftcli.conventions import affine_of, quantise, similarity_of
from siftcli.engine.frames import levels_of
from siftcli.engine.octaves import octave_shapes
from siftcli.errors import FrameError, ParameterError
from siftcli.params import DescriptorParams, DetectorParams
from siftcli.presets import parameters

Array = npt.NDArray[np.float64]
Pixels = Callable[[str], npt.NDArray[np.uint8]]


def frames(*rows: tuple[float, ...], **more: Any) -> Features:
    """Frames of x, y, sigma and orientation."""
    table = np.array(rows, np.float32).reshape(-1, 4)
    return Features(table[:, :2].copy(), table[:, 2].copy(), table[:, 3].copy(), **more)


def affine_frames(centre: npt.ArrayLike, *maps: Array) -> Features:
    """Affine frames at one place."""
    affine = np.array(maps, np.float32)
    scales, orientations = similarity_of(affine)
    return Features(np.tile(np.array(centre, np.float32), (len(maps), 1)), scales, orientations, affine=affine)


def rotation(angle: float) -> Array:
    """R(angle), y down."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def cosine(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Cosine between two descriptors."""
    return float(a.astype(float) @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def ramp(slope: float, size: int = 160) -> npt.NDArray[np.float32]:
    """A plane that rises by so much a pixel, in a direction of 0.4 rad."""
    y, x = np.mgrid[:size, :size] - size // 2
    return np.asarray(0.5 + slope * (np.cos(0.4) * x + np.sin(0.4) * y), np.float32)


# --- norm threshold


@pytest.mark.parametrize("sampling", ["grid", "pixels"])
@pytest.mark.parametrize("sigma", [2.0, 3.1, 6.0])
def test_norm_threshold_is_of_the_mean_gradient(sampling: str, sigma: float) -> None:
    """Closed form: on a plane the mean is its slope, for octave pixels twice as large in the next octave."""
    slope = 0.002
    octave = int(np.floor((np.rint(3 * np.log2(sigma / 1.6)) - 1) / 3))
    here = frames((80.3, 79.6, sigma, 0.7))
    for factor, zero in ((0.97, False), (1.03, True)):
        threshold = factor * slope * 2**octave
        out = siftcli.describe(ramp(slope), here, sampling=sampling, norm_threshold=threshold)
        assert (not field(out, "descriptors").any()) == zero


def test_norm_threshold_of_an_affine_frame() -> None:
    """Closed form: on a plane, |J A| over the square root of A's area, in octave pixels."""
    slope, direction = 0.002, np.array([np.cos(0.4), np.sin(0.4)])
    a = rotation(0.9) @ np.diag([5.0, 2.5]) @ rotation(0.2)
    mean = slope * np.linalg.norm(direction @ a) / np.sqrt(np.linalg.det(a))  # 2.5 px lies in octave 0
    for factor, zero in ((0.97, False), (1.03, True)):
        out = siftcli.describe(ramp(slope), affine_frames((80, 80), a), norm_threshold=factor * mean)
        assert (not field(out, "descriptors").any()) == zero


def test_norm_threshold_of_zero_drops_none() -> None:
    """Closed form: the faintest slope that there is gives a whole descriptor."""
    out = siftcli.describe(ramp(1e-5), frames((80, 80, 4, 0)), float_descriptors=True)
    assert np.linalg.norm(field(out, "descriptors")) == pytest.approx(1, abs=1e-5)


# --- affine frames


class Texture:
    """A field of random blobs, known at every real position."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.centres = rng.uniform(-60, 60, (150, 2))
        self.widths = rng.uniform(2, 6, 150)
        self.heights = rng.normal(0, 0.1, 150)

    def seen(self, warp: Array, size: int = 240) -> npt.NDArray[np.float32]:
        """The picture in which the position p of the field is at warp p from the middle."""
        y, x = np.mgrid[:size, :size] - size // 2
        p = np.stack([x, y], axis=-1) @ np.linalg.inv(warp).T
        out = np.full((size, size), 0.5)
        for centre, width, height in zip(self.centres, self.widths, self.heights, strict=True):
            out += height * np.exp(-((p - centre) ** 2).sum(axis=-1) / (2 * width**2))
        return out.astype(np.float32)


MIDDLE = (120.0, 120.0)
TEXTURE = Texture()


@pytest.mark.parametrize("ratio", [1.2, 2.0, 4.0])
def test_descriptors_follow_affine_warps(ratio: float) -> None:
    """Invariance: the frame that a warp makes of a circle has, in the warped picture, the circle's descriptor."""
    circle = 4 * rotation(0.3)
    theirs = field(siftcli.describe(TEXTURE.seen(np.eye(2)), affine_frames(MIDDLE, circle)), "descriptors")[0]
    for turn in (0.0, 0.7, 2.0):
        warp = rotation(turn) @ np.diag([ratio**0.5, ratio**-0.5]) @ rotation(0.4)
        ours = field(siftcli.describe(TEXTURE.seen(warp), affine_frames(MIDDLE, warp @ circle)), "descriptors")[0]
        assert cosine(ours, theirs) > tolerances.WARPED_COSINE


def test_a_mirrored_frame_in_a_mirrored_picture() -> None:
    """Invariance: a reflection in the frame undoes that of the picture; here both frames are no similarities."""
    stretched = rotation(0.3) @ np.diag([5.0, 3.0])
    mirror = np.diag([-1.0, 1.0])
    plain = field(siftcli.describe(TEXTURE.seen(np.eye(2)), affine_frames(MIDDLE, stretched)), "descriptors")[0]
    other = field(siftcli.describe(TEXTURE.seen(mirror), affine_frames(MIDDLE, mirror @ stretched)), "descriptors")[0]
    assert cosine(plain, other) > tolerances.WARPED_COSINE


def test_an_affine_frame_that_is_a_similarity(pixels: Pixels) -> None:
    """Invariance: the same descriptor, byte for byte, whichever way the frame is written."""
    image = pixels("camera.png")
    found = siftcli.detect(image)
    again = siftcli.describe(image, replace(found, affine=affine_of(found.scales, found.orientations)))
    assert np.array_equal(field(again, "descriptors"), field(found, "descriptors"))


def test_nearly_a_similarity(pixels: Pixels) -> None:
    """Invariance: the affine way, of the exact scale, agrees with that of the nearest level."""
    image = pixels("camera.png")
    found = siftcli.detect(image, min_scale=1.4)
    stretch = np.diag([1.0011, 1 / 1.0011]).astype(np.float32)
    affine = affine_of(found.scales, found.orientations) @ stretch
    again = field(siftcli.describe(image, replace(found, affine=affine)), "descriptors")
    gaps = [cosine(a, b) for a, b in zip(again, field(found, "descriptors"), strict=True)]
    assert np.median(gaps) > tolerances.NEAREST_LEVEL_COSINE


def test_samples_outside_the_image_count_nothing() -> None:
    """Closed form: the cells of an affine frame that lie outside are empty."""
    a = np.diag([3.0, 2.0])
    out = field(siftcli.describe(ramp(0.002), affine_frames((0, 80), a), float_descriptors=True), "descriptors")
    cells = out.reshape(4, 4, 8)
    assert not cells[:, 0].any()
    assert (np.linalg.norm(cells[:, 3], axis=-1) > 0.1).all()


def test_affine_ramp() -> None:
    """Closed form: the direction of J A on a plane, all in one bin or split between two."""
    a = rotation(0.9) @ np.diag([5.0, 2.5]) @ rotation(0.2)
    j = np.array([np.cos(0.4), np.sin(0.4)]) @ a
    turn = np.arctan2(j[1], j[0]) * 4 / np.pi
    expected = np.maximum(0, 1 - np.abs((turn - np.arange(8) + 4) % 8 - 4))
    out = siftcli.describe(ramp(0.002), affine_frames((80, 80), a), float_descriptors=True, clamp=1.0)
    bins = field(out, "descriptors").reshape(16, 8)
    shares = bins / bins.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, np.tile(expected, (16, 1)), atol=tolerances.AFFINE_RAMP)


# --- frames that cannot be described

GOOD = (40.0, 30.0, 2.0, 0.3)
BAD = {
    (-0.6, 30, 2, 0): "lies at (-0.6, 30), outside the image of 90 x 60 pixels",
    (40, 59.6, 2, 0): "lies at (40, 59.6), outside the image of 90 x 60 pixels",
    (40, 30, 0, 0): "has the scale 0; it must be at least 0.001",
    (40, 30, -2, 0): "has the scale -2; it must be at least 0.001",
    (40, 30, np.nan, 0): "has a number that is not finite",
    (np.inf, 30, 2, 0): "has a number that is not finite",
    (40, 30, 2, np.nan): "has a number that is not finite",
    (40, 30, 60, 0): "has the scale 60, too large for the scale space, which ends at 22.81",
}


@pytest.fixture
def image() -> npt.NDArray[np.uint8]:
    """A small picture, 90 x 60."""
    return np.random.default_rng(0).integers(0, 256, (60, 90), np.uint8)


@pytest.mark.parametrize(("row", "why"), BAD.items())
def test_bad_frames(image: npt.NDArray[np.uint8], row: tuple[float, ...], why: str) -> None:
    """Closed form: the first of them is named, with the reason; or it gets zeros, and the others what they would."""
    some = frames(GOOD, row, GOOD, row)
    with pytest.raises(FrameError) as caught:
        siftcli.describe(image, some)
    assert (caught.value.index, str(caught.value)) == (1, f"frames: frame 2 {why}")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    for assign in (False, True):
        out = siftcli.describe(image, some, bad_frames="zero", assign_orientations=assign)
        fine = siftcli.describe(image, frames(GOOD), assign_orientations=assign)
        n, described = len(fine), field(out, "descriptors")
        assert len(out) == 2 * n + 2
        assert not described[[n, 2 * n + 1]].any()
        for first in (0, n + 1):
            assert np.array_equal(described[first : first + n], field(fine, "descriptors"))


def test_the_last_scale_that_is_described(image: npt.NDArray[np.uint8]) -> None:
    """Closed form: octave 1, 22 pixels high here, ends at 1.6 times 2 to the power of 1 + 5.5 / 3."""
    largest = 1.6 * 2 ** (2 + 5.5 / 3)
    shapes = octave_shapes(60, 90, DetectorParams())
    assert shapes[-1][0] == 2
    siftcli.describe(image, frames((40, 30, largest * 0.999, 0)))
    with pytest.raises(FrameError, match="too large"):
        siftcli.describe(image, frames((40, 30, largest * 1.001, 0)))
    wide = affine_frames((40, 30), np.diag([largest * 1.001, 2.0]))
    with pytest.raises(FrameError, match="too large"):
        siftcli.describe(image, wide)


def test_a_frame_without_area(image: npt.NDArray[np.uint8]) -> None:
    """Closed form: a map onto a line is no frame."""
    with pytest.raises(FrameError, match=r"has the scale \S+; it must be at least 0.001"):
        siftcli.describe(image, affine_frames((40, 30), np.array([[2.0, 4.0], [1.0, 2.0]])))


def test_an_image_too_small_for_any_octave() -> None:
    """Closed form: every frame is too large for it; none is no error."""
    tiny = np.zeros((5, 5), np.uint8)
    with pytest.raises(FrameError, match="image is too small"):
        siftcli.describe(tiny, frames((2, 2, 1, 0)))
    assert len(siftcli.describe(tiny, frames())) == 0


@pytest.mark.parametrize("x", [-0.5, 0.0, 89.0, 89.5])
def test_frames_on_the_border(image: npt.NDArray[np.uint8], x: float) -> None:
    """Closed form: the outer half of the border's pixels belongs to the image."""
    for sampling in ("grid", "pixels"):
        out = siftcli.describe(image, frames((x, 30, 2, 0)), sampling=sampling)
        assert np.linalg.norm(field(out, "descriptors").astype(float)) > 400


@pytest.mark.parametrize("sigma", [0.001, 0.1, 0.5])
def test_frames_below_the_scale_space(image: npt.NDArray[np.uint8], sigma: float) -> None:
    """Closed form: they are described at its first level, finite whatever their size."""
    for assign in (False, True):
        out = siftcli.describe(image, frames((40.2, 30.1, sigma, 0)), assign_orientations=assign, root_sift=True)
        assert np.isfinite(field(out, "descriptors")).all()
        assert np.isfinite(out.orientations).all()


def test_what_to_do_with_bad_frames_is_checked(image: npt.NDArray[np.uint8]) -> None:
    """Closed form: by name."""
    with pytest.raises(ParameterError, match="bad_frames: must be error or zero, not 'drop'"):
        siftcli.describe(image, frames(GOOD), bad_frames="drop")


# --- where frames lie in the scale space


@given(st.floats(0.3, 80), st.integers(-2, 2), st.integers(1, 5))
def test_nearest_level(sigma: float, first: int, scales: int) -> None:
    """Closed form: no level, of those that extrema are found at, is nearer in the logarithm of scale."""
    detector = DetectorParams(first_octave=first, scales_per_octave=scales)
    shapes = octave_shapes(3000, 4000, detector)
    octave, level = levels_of(frames((5, 5, sigma, 0)), shapes, detector)
    gaps = {
        (o, s): abs(np.log2(sigma / (1.6 * 2 ** (o + s / scales))))
        for o, _, _ in shapes
        for s in range(0 if o == first else 1, scales + 1)
    }
    assert gaps[int(octave[0]), int(level[0])] <= min(gaps.values()) + 1e-5


def test_known_levels_are_kept_where_they_can_be() -> None:
    """Closed form: another level than the nearest, within the 1.5 that a fit reaches; but not one that is nowhere."""
    detector, _ = parameters()
    shapes = octave_shapes(400, 400, detector)
    sigma = 1.6 * 2 ** (0 + 2 / 3)
    cases = {
        (0, 2): (0, 2),
        (0, 1): (0, 1),
        (0, 3): (0, 3),
        (0, 4): (0, 2),
        (-2, 2): (0, 2),
        (9, 1): (0, 2),
        (0, -1): (0, 2),
    }
    for (octave, level), expected in cases.items():
        known = frames((5, 5, sigma, 0), octaves=np.array([octave], np.int16), levels=np.array([level], np.int16))
        assert tuple(int(v[0]) for v in levels_of(known, shapes, detector)) == expected


def test_levels_of_another_scale_space(pixels: Pixels) -> None:
    """Invariance: frames found from octave -1 on are described in a scale space from 0 on as by their scale."""
    image = pixels("camera.png")
    found = siftcli.detect(image, descriptors=False)
    by_scale = replace(found, octaves=None, levels=None)
    a, b = (siftcli.describe(image, f, first_octave=0) for f in (found, by_scale))
    assert field(a, "descriptors").any(axis=1).all()
    doubled = field(found, "octaves") < 0
    assert np.array_equal(field(a, "descriptors")[doubled], field(b, "descriptors")[doubled])


# --- orientations


def test_assigned_orientations_are_detects(pixels: Pixels) -> None:
    """Invariance: from one frame a location, detect's orientations, their number, and its descriptors."""
    image = pixels("camera.png")
    found = siftcli.detect(image)
    # detect has those of one location behind each other, last peak first.
    start = np.r_[True, (np.diff(found.xy, axis=0) != 0).any(axis=1) | (np.diff(found.scales) != 0)]
    once = replace(found.take(start).without_descriptors(), orientations=np.full(int(start.sum()), 9, np.float32))
    again = siftcli.describe(image, once, assign_orientations=True)
    sources = field(again, "sources")
    assert np.array_equal(np.unique(sources), np.arange(len(once)))
    assert (np.diff(sources) >= 0).all()
    order = np.lexsort((-np.arange(len(again)), sources))
    for name in ("xy", "scales", "orientations", "octaves", "levels", "descriptors"):
        assert np.array_equal(field(again, name)[order], field(found, name)), name


def test_max_orientations(pixels: Pixels) -> None:
    """Closed form: one each, if that is all that is asked for."""
    image = pixels("camera.png")
    found = siftcli.detect(image, descriptors=False)
    out = siftcli.describe(image, found, assign_orientations=True, max_orientations=1)
    assert np.array_equal(field(out, "sources"), np.arange(len(found)))


def test_a_frame_that_shows_no_orientation_keeps_its_own() -> None:
    """Closed form: on a flat picture, whether a similarity or not."""
    flat = np.zeros((60, 90), np.uint8)  # black: grey is flat up to rounding only with some kernels of OpenBLAS
    stretched = np.array([[3.0, 0.5], [0.2, 2.0]])
    some = affine_frames((40, 30), 2 * rotation(0.7), stretched)
    out = siftcli.describe(flat, some, assign_orientations=True)
    assert out.affine is not None
    np.testing.assert_allclose(out.affine, field(some, "affine"), atol=1e-6)
    np.testing.assert_allclose(out.orientations, some.orientations, atol=1e-6)
    assert field(out, "sources").tolist() == [0, 1]


@pytest.mark.parametrize("turn", [0.0, 1.1, -2.5])
def test_affine_frames_are_turned_in_themselves(turn: float) -> None:
    """Closed form: on a plane, J A points along the first axis of the frame, which covers the same ellipse."""
    a = rotation(0.9) @ np.diag([5.0, 2.5]) @ rotation(turn)
    out = siftcli.describe(ramp(0.002), affine_frames((80, 80), a), assign_orientations=True)
    assert len(out) == 1
    assert out.affine is not None
    new = out.affine[0].astype(float)
    np.testing.assert_allclose(new @ new.T, a @ a.T, atol=1e-4)
    j = np.array([np.cos(0.4), np.sin(0.4)]) @ new
    assert abs(np.rad2deg(np.arctan2(j[1], j[0]))) < tolerances.RAMP_DEGREES
    assert out.orientations[0] == pytest.approx(np.arctan2(new[1, 0], new[0, 0]), abs=1e-5)


def test_upright(pixels: Pixels) -> None:
    """Closed form: assigned orientations are zero, one each."""
    found = siftcli.detect(pixels("camera.png"), descriptors=False)
    out = siftcli.describe(pixels("camera.png"), found, assign_orientations=True, upright=True)
    assert len(out) == len(found)
    assert not out.orientations.any()


# --- forms of the descriptor, and smaller images


@pytest.mark.parametrize("options", [{}, {"root_sift": True}, {"sampling": "pixels"}, {"clamp": 1.0}])
def test_float_descriptors(pixels: Pixels, options: dict[str, Any]) -> None:
    """Closed form: of norm 1, not negative, and quantised they are the bytes."""
    image = pixels("camera.png")
    whole, exact = siftcli.detect(image, **options), siftcli.detect(image, float_descriptors=True, **options)
    values = field(exact, "descriptors")
    assert values.dtype == np.float32
    assert values.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-5)
    assert np.array_equal(quantise(values), field(whole, "descriptors"))
    assert siftcli.detect(np.zeros((50, 50)), float_descriptors=True).descriptors.dtype == np.float32  # type: ignore[union-attr]


def test_descriptors_need_no_larger_clamp() -> None:
    """Closed form: a clamp of 1 is none, for no element of a unit vector is larger."""
    assert DescriptorParams(clamp=1.0).clamp == 1
    a, b = (siftcli.describe(ramp(0.002), frames((80, 80, 4, 0)), clamp=c) for c in (1.0, 5.0))
    assert np.array_equal(field(a, "descriptors"), field(b, "descriptors"))


@pytest.mark.parametrize("longest", [256, 128])
def test_max_image_size(pixels: Pixels, longest: int) -> None:
    """Invariance: a picture twice as large, reduced, has the keypoints of the smaller one, in its own pixels."""
    image = pixels("camera.png")[:384]
    small = image.reshape(192, 2, 256, 2).mean(axis=(1, 3)).astype(np.float32) / 255
    ours = siftcli.detect(image, max_image_size=longest)
    assert ours.image_size == (512, 384)
    theirs = siftcli.detect(small, max_image_size=longest)
    np.testing.assert_allclose(ours.xy, (theirs.xy + 0.5) * 2 - 0.5, atol=1e-2)
    np.testing.assert_allclose(ours.scales, theirs.scales * 2, rtol=1e-3)


def test_max_image_size_of_smaller_images(pixels: Pixels) -> None:
    """Invariance: up to that size nothing changes."""
    image = pixels("camera.png")
    assert np.array_equal(siftcli.detect(image, max_image_size=512).xy, siftcli.detect(image).xy)


def test_reduced_images_describe_as_they_detect(pixels: Pixels) -> None:
    """Invariance: frames go back and forth between the sizes with an error of rounding."""
    image = pixels("camera.png")
    found = siftcli.detect(image, max_image_size=300)
    again = siftcli.describe(image, found, max_image_size=300)
    gap = np.abs(field(again, "descriptors").astype(int) - field(found, "descriptors"))
    assert gap.max() <= 1
    assert (gap == 0).mean() > 0.999
