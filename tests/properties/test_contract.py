"""What holds for every picture: the same result however it is computed, nothing changed, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tolerances
from engine_tools import field, rounds_by_place
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import siftcli
from siftcli import Features, ParameterError
from siftcli.engine import pipeline
from siftcli.engine.tuning import TUNING
from siftcli.engine.workers import dismiss
from siftcli.evaluation.agreement import common
from siftcli.presets import parameters

Pixels = Callable[[str], npt.NDArray[np.uint8]]
Detected = Callable[[Path, str], Features]
PRESETS = pytest.mark.parametrize("preset", ["default", "lowe"])
FRAME = ("xy", "scales", "orientations", "scores", "octaves", "levels", "descriptors")


def assert_identical(a: Features, b: Features) -> None:
    """Check every number of every keypoint, bit by bit."""
    for name in FRAME:
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert a.image_size == b.image_size


def assert_described(again: Features, features: Features) -> None:
    """Check that frames got their own descriptors: bit by bit, but for the last where a product rounds by place."""
    assert_identical(again.without_descriptors(), features.without_descriptors())
    if rounds_by_place():
        gap = np.abs(field(again, "descriptors").astype(int) - field(features, "descriptors"))
        assert gap.max() <= 1
        assert (gap > 0).mean() <= tolerances.PLACED_VALUES
    else:
        assert_identical(again, features)


def differing(a: Features, b: Features) -> float:
    """Share of keypoints of a that b has not within rounding, frame and descriptor."""
    i, j = common(b, a)
    same = np.abs(a.xy[j] - b.xy[i]).max(axis=1) < tolerances.CHUNKED_PIXELS
    gap = np.abs(field(a, "descriptors")[j].astype(int) - field(b, "descriptors")[i])
    same &= gap.max(axis=1) <= tolerances.CHUNKED_VALUES
    return float(1 - same.sum() / len(a))


# --- the order of computing


@PRESETS
@pytest.mark.parametrize("name", ["astronaut.jpg", "dandelion.jpg"])
def test_describe_gives_detects_descriptors(
    sample_images: Path, pixels: Pixels, detected: Detected, preset: str, name: str
) -> None:
    """Invariance: the frames that detect returned get the descriptors that it returned, byte for byte."""
    if (preset, name) == ("lowe", "dandelion.jpg"):
        image = pixels(name)[200:700, 300:900]
        features = siftcli.detect(image, preset)
    else:
        image, features = pixels(name), detected(sample_images / name, preset)
    again = siftcli.describe(image, features.without_descriptors(), preset)
    assert len(features) > 500
    assert_described(again, features)


def test_describe_keeps_order_and_number(sample_images: Path, pixels: Pixels, detected: Detected) -> None:
    """Invariance: frames in any order, and some of them, get their own descriptors."""
    features = detected(sample_images / "camera.png", "default")
    pick = np.random.default_rng(0).permutation(len(features))[:300]
    some = Features(**{name: getattr(features, name)[pick] for name in FRAME}, image_size=features.image_size)
    assert_described(siftcli.describe(pixels("camera.png"), some.without_descriptors()), some)


def test_detect_without_descriptors(sample_images: Path, pixels: Pixels, detected: Detected) -> None:
    """Invariance: the frames are those that come with descriptors."""
    features = detected(sample_images / "camera.png", "default")
    frames = siftcli.detect(pixels("camera.png"), descriptors=False)
    assert frames.descriptors is None
    assert_identical(frames, features.without_descriptors())


@PRESETS
def test_row_tiles(pixels: Pixels, monkeypatch: pytest.MonkeyPatch, preset: str) -> None:
    """Invariance: octaves in one tile, and in row tiles of many heights: a few in ten thousand differ."""
    image = pixels("hubble_deep_field.jpg")[:480, :640]
    plain = siftcli.detect(image, preset)
    for small, pixels_each, rows in ((10**9, 1 << 21, 256), (0, 1, 64), (0, 1, 112), (20_000, 1 << 18, 80)):
        monkeypatch.setattr(TUNING, "small_octave", small)
        monkeypatch.setattr(TUNING, "tile_pixels", pixels_each)
        monkeypatch.setattr(TUNING, "tile_rows", rows)
        other = siftcli.detect(image, preset)
        assert differing(plain, other) <= tolerances.CHUNKED_SHARE
        assert differing(other, plain) <= tolerances.CHUNKED_SHARE


def test_describe_in_row_tiles(pixels: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariance: frames near the ends of row tiles get detect's descriptors too."""
    monkeypatch.setattr(TUNING, "small_octave", 0)
    monkeypatch.setattr(TUNING, "tile_pixels", 1)
    monkeypatch.setattr(TUNING, "tile_rows", 64)
    image = pixels("hubble_deep_field.jpg")[:300, :320]
    features = siftcli.detect(image)
    assert_described(siftcli.describe(image, features.without_descriptors()), features)


@PRESETS
def test_stack(pixels: Pixels, preset: str) -> None:
    """Invariance: pictures of one size in a stack, and one by one."""
    photo = pixels("astronaut.jpg")
    crops = np.stack([photo[r : r + 128, c : c + 64] for r in (0, 150, 300) for c in (100, 200, 300)])
    crops[4] = 90  # one without any keypoint
    together = pipeline.detect(crops, *parameters(preset))
    alone = [siftcli.detect(crop, preset) for crop in crops]
    assert len(together[4]) == 0
    assert sum(map(len, alone)) > 200
    lost = sum(differing(a, b) * len(a) for a, b in zip(alone, together, strict=True) if len(a))
    assert [len(a) for a in alone] == pytest.approx([len(b) for b in together], abs=1)
    assert lost / sum(map(len, alone)) <= tolerances.STACKED_SHARE


# --- nothing changed, nothing left behind


@PRESETS
def test_same_again_whatever_came_between(pixels: Pixels, preset: str) -> None:
    """Invariance: a run gives the same bytes after runs on other pictures, one of large values among them."""
    image = pixels("chelsea.jpg")
    first = siftcli.detect(image, preset)
    siftcli.detect(pixels("astronaut.jpg")[:500, :333], preset)
    large = np.random.default_rng(0).random((1, 64, 700), np.float32) * np.float32(1e6)
    pipeline.detect(large, *parameters(preset))
    assert_identical(siftcli.detect(image, preset), first)


def test_absurd_values_leave_nothing_behind(pixels: Pixels) -> None:
    """Invariance: grey levels whose squares would overflow are refused, and do no harm to the next picture.

    In a thread of its own, because work memory belongs to a thread: other tests are to keep theirs.
    """
    image = pixels("chelsea.jpg")
    absurd = np.random.default_rng(0).random((64, 700), np.float32) * np.float32(1e30)

    def run() -> tuple[Features, Features]:
        first = siftcli.detect(image)
        with pytest.raises(ParameterError, match="black and white"):
            siftcli.detect(absurd)
        return first, siftcli.detect(image)

    with ThreadPoolExecutor(1) as pool:
        assert_identical(*pool.submit(run).result())


@PRESETS
@pytest.mark.parametrize("forks", [True, False])
@pytest.mark.parametrize("workers", [2, 3])
def test_shared_between_workers(
    pixels: Pixels, monkeypatch: pytest.MonkeyPatch, preset: str, workers: int, forks: bool
) -> None:
    """Invariance: one picture shared between processes, or threads where there is no forking, gives the same bytes."""
    monkeypatch.setattr(TUNING, "forks", forks and TUNING.forks)
    monkeypatch.setattr(TUNING, "small_octave", 5_000)
    monkeypatch.setattr(TUNING, "tile_pixels", 1 << 16)
    monkeypatch.setattr(TUNING, "tile_rows", 64)
    monkeypatch.setattr(TUNING, "batch_size", 30)
    dismiss()  # those that are kept have other values
    images = pixels("hubble_deep_field.jpg")[None, :400, :480]
    alone, shared = (pipeline.detect(images, *parameters(preset), workers=n)[0] for n in (1, workers))
    dismiss()
    assert len(alone) > 300
    assert_identical(shared, alone)


def test_pictures_in_threads(pixels: Pixels) -> None:
    """Invariance: two pictures at once in two threads, and one after the other."""
    images = [pixels("chelsea.jpg"), pixels("coffee.jpg")] * 3
    alone = [siftcli.detect(image) for image in images[:2]] * 3
    with ThreadPoolExecutor(2) as pool:
        for a, b in zip(pool.map(siftcli.detect, images), alone, strict=True):
            assert_identical(a, b)


@PRESETS
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_input_is_never_changed(pixels: Pixels, preset: str, dtype: type) -> None:
    """Invariance: the picture and the frames are as before; read-only arrays will do."""
    image: npt.NDArray[Any] = pixels("camera.png")[:200, :240].astype(dtype)
    if dtype == np.float32:
        image /= 255
    before = image.copy()
    features = siftcli.detect(image, preset)
    frames = replace(features.without_descriptors(), octaves=None, levels=None)
    kept = frames.xy.copy(), frames.scales.copy(), frames.orientations.copy()
    for values in (image, frames.xy, frames.scales, frames.orientations):
        values.setflags(write=False)
    siftcli.describe(image, frames, preset)
    siftcli.detect(image, preset)
    assert np.array_equal(image, before)
    assert all(np.array_equal(a, b) for a, b in zip(kept, (frames.xy, frames.scales, frames.orientations), strict=True))


# --- pixels


@PRESETS
def test_pixel_types(pixels: Pixels, preset: str) -> None:
    """Invariance: the same grey levels as uint8, as uint16, as float32 and as float64."""
    image = pixels("camera.png")[:220, :260]
    plain = siftcli.detect(image, preset)
    assert len(plain) > 20
    assert_identical(siftcli.detect(image.astype(np.uint16) * np.uint16(257), preset), plain)
    assert_identical(siftcli.detect(image / np.float32(255), preset), plain)
    assert_identical(siftcli.detect((image / np.float32(255)).astype(np.float64), preset), plain)


def test_memory_layout(pixels: Pixels) -> None:
    """Invariance: views with other strides hold the same picture."""
    image = pixels("camera.png")[:220, :260]
    plain = siftcli.detect(np.ascontiguousarray(image))
    colour = np.stack([image] * 3, axis=2)
    for view in (image, np.asfortranarray(image), colour[:, :, 1], image[::-1, ::-1].copy()[::-1, ::-1]):
        assert_identical(siftcli.detect(view), plain)


@PRESETS
@pytest.mark.parametrize(
    "shape", [(0, 0), (0, 7), (1, 1), (1, 5000), (5000, 1), (2, 2), (6, 6), (7, 7), (13, 900), (23, 24)], ids=str
)
def test_smallest_pictures(preset: str, shape: tuple[int, int]) -> None:
    """Closed form: no keypoint where no octave has room for one; no error and no warning."""
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    features = siftcli.detect(noise, preset)
    assert_sound(features, shape)
    if min(shape) < 7:
        assert len(features) == 0
    assert_identical(siftcli.describe(noise, features.without_descriptors(), preset), features)


@PRESETS
@pytest.mark.parametrize("value", [0, 1, 77, 255])
def test_constant_pictures(preset: str, value: int) -> None:
    """Closed form: nothing differs, so there is no extremum, however low the threshold; rounding errors are none."""
    for shape in ((70, 90), (97, 121), (31, 300)):
        image = np.full(shape, value, np.uint8)
        features = siftcli.detect(image, preset)
        assert len(features) == 0
        assert_sound(features, shape)
        for more in ({}, {"refinement": "vlfeat", "border": 1}, {"scales_per_octave": 6}):
            assert len(siftcli.detect(image, preset, descriptors=False, contrast_threshold=0.0, **more)) == 0
            assert len(siftcli.detect(image / 255, preset, descriptors=False, contrast_threshold=1e-6, **more)) == 0


@PRESETS
def test_one_keypoint(preset: str) -> None:
    """Closed form: one blob, one keypoint, one descriptor."""
    y, x = np.mgrid[:64, :64]
    blob = np.exp(-((x - 30.25) ** 2 + (y - 33.75) ** 2) / (2 * 4.0**2)) + 0.001 * x
    features = siftcli.detect(blob, preset, max_orientations=1)
    assert len(features) == 1
    assert_identical(siftcli.describe(blob, features.without_descriptors(), preset), features)


@PRESETS
def test_no_frames_to_describe(pixels: Pixels, preset: str) -> None:
    """Closed form: none in, none out."""
    none = Features(np.empty((0, 2), np.float32), np.empty(0, np.float32), np.empty(0, np.float32))
    out = siftcli.describe(pixels("camera.png")[:99, :80], none, preset)
    assert field(out, "descriptors").shape == (0, 128)


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 5, 3), np.uint8), np.zeros(5), np.full((20, 20), np.nan), np.zeros((9, 9), int), [["a"]]],
    ids=["colour", "line", "nan", "integers", "text"],
)
def test_what_is_no_grey_image_is_refused(image: Any) -> None:
    """Closed form: an error by name, in one line."""
    with pytest.raises(ParameterError, match=r"^image: must be [^\n]*$"):
        siftcli.detect(image)


def assert_sound(features: Features, shape: tuple[int, int]) -> None:
    """Check what holds for the features of any picture."""
    scores, octaves, levels, descriptors = (field(features, n) for n in ("scores", "octaves", "levels", "descriptors"))
    assert features.image_size == (shape[1], shape[0])
    assert features.xy.dtype == features.scales.dtype == features.orientations.dtype == np.float32
    assert descriptors.dtype == np.uint8
    assert all(np.isfinite(getattr(features, name)).all() for name in FRAME)
    assert (features.xy >= 0).all()
    assert (features.xy <= np.array(shape[::-1]) - 1).all()
    assert (features.scales > 0).all()
    assert ((features.orientations >= -np.float32(np.pi)) & (features.orientations < np.float32(np.pi))).all()
    assert (scores >= np.float32(0.04 / 3)).all()
    key = np.stack([-octaves, -levels], axis=1).tolist()
    assert key == sorted(key)  # coarse first
    norm = np.linalg.norm(descriptors.astype(float), axis=1)
    assert ((norm > 490) & (norm < 513)).all()


@settings(max_examples=60)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    st.integers(0, 2**32 - 1),
    st.integers(20, 90),
    st.integers(20, 90),
)
def test_any_picture(small: npt.NDArray[np.uint8], seed: int, height: int, width: int) -> None:
    """Invariance: finite, inside the picture, in order, of unit norm, and the same again by describe."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    noise[: small.shape[0], : small.shape[1]] = small[:height, :width]
    for image in (small, noise):
        features = siftcli.detect(image)
        assert_sound(features, image.shape)
        assert_identical(siftcli.describe(image, features.without_descriptors()), features)


@PRESETS
def test_pictures_of_two_values(preset: str) -> None:
    """Invariance: a checkerboard and a square, full of ties, give sound features."""
    y, x = np.mgrid[:96, :80]
    for image in ((x // 8 + y // 8) % 2 * 255, ((abs(x - 40) < 12) & (abs(y - 48) < 12)) * 255):
        features = siftcli.detect(image.astype(np.uint8), preset)
        assert len(features) > 0
        assert_sound(features, (96, 80))


_SAME = """
import numpy as np, sys
from PIL import Image
from siftcli.engine import pipeline
from siftcli.engine.tuning import TUNING
from siftcli.presets import parameters
pixels = np.array(Image.open(sys.argv[1]).convert("L"))
def same(a, b):
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("xy", "scales", "orientations", "descriptors"))
TUNING.batch_size = 20  # so that some crops have more keypoints
usual = TUNING.small_octave, TUNING.tile_pixels, TUNING.tile_rows
for preset in ("default", "lowe"):
    given = parameters(preset)
    TUNING.small_octave, TUNING.tile_pixels, TUNING.tile_rows = 5_000, 1 << 16, 64
    alone, shared = (pipeline.detect(pixels[None, :400, :480], *given, workers=n)[0] for n in (1, 3))
    assert len(alone) > 300 and same(alone, shared), preset
    TUNING.small_octave, TUNING.tile_pixels, TUNING.tile_rows = usual
    crops = [pixels[y : y + 64, x : x + 96] for y in range(0, 320, 64) for x in range(0, 384, 96)]
    whole = pipeline.detect(np.stack(crops), *given)
    back = pipeline.detect(np.stack(crops[::-1]), *given)[::-1]
    single = [pipeline.detect(crop[None], *given)[0] for crop in crops]
    assert sum(map(len, whole)) > 100
    assert all(map(same, whole, back)) and all(map(same, whole, single)), preset
"""


@pytest.mark.parametrize("kernel", ["", "Haswell", "SandyBridge"])
def test_same_bytes_with_other_kernels(kernel: str) -> None:
    """Invariance: workers and stacks change nothing, whatever machine OpenBLAS takes this one for.

    Its Haswell kernels round a row by where it stands in a product; other libraries ignore the variable.
    """
    photo = Path(__file__).parents[2] / "sample_images" / "hubble_deep_field.jpg"
    env = {**os.environ, "OPENBLAS_CORETYPE": kernel, "OPENBLAS_NUM_THREADS": "1"}
    if not kernel:
        del env["OPENBLAS_CORETYPE"]
    run = subprocess.run(
        [sys.executable, "-c", _SAME, str(photo)], env=env, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
