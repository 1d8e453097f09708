"""Pooling of descriptors over domain sizes. [Dong15]

Oracles: the plain descriptor, byte for byte; a ramp, which looks the same at every size; the sum of the descriptors of
single sizes; and one worker beside several.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import tolerances
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]
from test_descriptor import describe, ramp, ramp_descriptor

import siftcli
from siftcli.engine.tuning import TUNING
from siftcli.params import DescriptorParams

SIZES = (1.0, 1.4, 2.0, 2.8)


def scene(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Noise at several scales."""
    rng, image = np.random.default_rng(4), np.zeros((height, width))
    for scale in (2, 5, 11):
        coarse = rng.random((-(-height // scale), -(-width // scale)))
        image += coarse.repeat(scale, 0).repeat(scale, 1)[:height, :width]
    return (255 * image / image.max()).astype(np.uint8)


def same(a: siftcli.Features, b: siftcli.Features) -> bool:
    return all(
        getattr(a, name).tobytes() == getattr(b, name).tobytes()
        for name in ("xy", "scales", "orientations", "octaves", "levels", "descriptors")
    )


@pytest.mark.parametrize("changed", [{}, {"root_sift": True, "norm_threshold": 0.01}])
def test_one_size_is_the_plain_descriptor(changed: dict[str, object]) -> None:
    image = scene(200, 300)
    plain = siftcli.detect(image, **changed)
    assert len(plain) > 500
    assert same(siftcli.detect(image, domain_sizes=(1.0,), **changed), plain)


@pytest.mark.parametrize("sizes", [(1.0, 1.4, 2.0, 2.8), (0.5, 1.0), (2.0,)])
def test_a_ramp_looks_the_same_at_every_size(sizes: tuple[float, ...]) -> None:
    descriptor = DescriptorParams(clamp=1.0, domain_sizes=sizes, magnification=1.5)
    found = describe(ramp(0.5), 0.3, descriptor)
    np.testing.assert_allclose(found, ramp_descriptor(0.2, clamp=1.0), atol=tolerances.RAMP_CELL["grid"])


def test_pooling_is_the_sum_of_the_descriptors_of_each_size() -> None:
    image = scene(200, 300)
    frames = siftcli.detect(image)
    single = [siftcli.describe(image, frames, domain_sizes=(z,), float_descriptors=True).descriptors for z in SIZES]
    raw = np.sum(single, axis=0, dtype=np.float64)
    for clamp in (0.2, np.inf):
        raw = np.minimum(raw / np.linalg.norm(raw, axis=1, keepdims=True), clamp)
    raw = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    pooled = siftcli.describe(image, frames, domain_sizes=SIZES, float_descriptors=True).descriptors
    np.testing.assert_allclose(pooled, raw, atol=1e-5)
    root = siftcli.describe(image, frames, domain_sizes=SIZES, float_descriptors=True, root_sift=True).descriptors
    assert root is not None
    np.testing.assert_allclose(np.square(root), raw / raw.sum(axis=1, keepdims=True), atol=1e-5)


def test_a_size_is_the_usual_descriptor_of_a_keypoint_that_is_as_much_larger() -> None:
    image = gaussian_filter(scene(200, 300), 1.5)
    frames = siftcli.detect(image, max_orientations=1)
    frames = replace(frames.take(np.flatnonzero(frames.scales < 2)), octaves=None, levels=None)
    larger = siftcli.describe(image, replace(frames, scales=2 * frames.scales), float_descriptors=True).descriptors
    pooled = siftcli.describe(image, frames, domain_sizes=(2.0,), float_descriptors=True).descriptors
    assert pooled is not None
    assert larger is not None
    assert len(frames) > 100
    # The blur of the one lies in the octave of the other, sampled twice as densely.
    assert np.percentile((pooled * larger).sum(axis=1), 10) > 0.98


def test_workers_and_tiles_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    image = scene(500, 400)
    monkeypatch.setattr(TUNING, "tile_rows", 64)
    monkeypatch.setattr(TUNING, "tile_pixels", 1 << 16)
    alone = siftcli.detect(image, "accurate")
    assert len(alone) > 1000
    assert same(siftcli.detect(image, "accurate", workers=2), alone)
    assert same(siftcli.detect(image, "accurate", workers=3), alone)


def test_frames_that_were_detected_are_described_as_then() -> None:
    image = scene(300, 400)
    found = siftcli.detect(image, "accurate")
    assert same(siftcli.describe(image, found.without_descriptors(), "accurate"), found)
