"""Affine shape of keypoints.

Oracles: Gaussian blobs under a known affine map; pycolmap's ellipses at common points; one worker beside several; what
`describe` makes of the frames; and turned images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from test_domain_sizes import same, scene

import siftcli
from siftcli import Features, ParameterError
from siftcli.engine import pipeline
from siftcli.engine.tuning import TUNING
from siftcli.presets import parameters
from tests.benchmarks import peers


def blob(anisotropy: float, angle: float, width: float = 5.0, size: int = 360) -> npt.NDArray[np.float64]:
    """A Gaussian with half axes of `width` and `anisotropy` times as much, the longer one in this direction."""
    y, x = np.mgrid[:size, :size] - size / 2
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    return np.asarray(np.exp(-((u / anisotropy) ** 2 + v**2) / (2 * width**2)))


def ellipse(affine: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Ratio of the half axes, and the direction of the longer one in degrees, of frames."""
    axes, lengths, _ = np.linalg.svd(affine.astype(np.float64))
    return lengths[:, 0] / lengths[:, 1], np.rad2deg(np.arctan2(axes[:, 1, 0], axes[:, 0, 0])) % 180


def affine_of(features: Features) -> npt.NDArray[np.float32]:
    assert features.affine is not None
    return features.affine


@pytest.mark.parametrize("angle", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("anisotropy", [1.0, 1.5, 2.0, 3.0])
def test_an_affine_image_of_a_blob_gives_its_ellipse(anisotropy: float, angle: float) -> None:
    found = siftcli.detect(blob(anisotropy, angle), affine_shape=True, edge_threshold=1000.0, max_orientations=1)
    found = found.take(np.hypot(*(found.xy - 180).T) < 1)
    ratio, direction = ellipse(affine_of(found))
    assert len(found) >= 1
    np.testing.assert_allclose(ratio, anisotropy, rtol=0.02)
    if anisotropy > 1:
        assert (np.abs((direction - np.rad2deg(angle) + 90) % 180 - 90) < 1).all()


def test_shapes_beyond_a_ratio_of_5_are_marked_and_kept() -> None:
    """Closed form: a ridge of ratio 12 has no shape within the limit, a blob of ratio 2 has one."""
    image = np.concatenate([blob(12.0, 0.3), blob(2.0, 0.3)], axis=1)
    found = siftcli.detect(image, affine_shape=True, edge_threshold=1e6, contrast_threshold=0.005)
    assert found.diverged is not None
    ridge = found.xy[:, 0] < 360
    assert 0 < ridge.sum() < len(found)
    assert found.diverged[ridge].tolist() == [1] * ridge.sum()
    assert not found.diverged[~ridge].any()
    np.testing.assert_allclose(ellipse(affine_of(found)[ridge])[0], 1, rtol=1e-5)
    assert siftcli.detect(image).diverged is None


@pytest.mark.parametrize("strength", [0.0, 0.6])
def test_strength_is_the_exponent_of_the_ratio_of_the_axes(strength: float) -> None:
    image, how = scene(200, 300), {"affine_shape": True, "upright": True}
    full, weak = (affine_of(siftcli.detect(image, affine_strength=s, **how)) for s in (1.0, strength))
    (before, axis), (after, same_axis) = ellipse(full), ellipse(weak)
    np.testing.assert_allclose(after, before**strength, rtol=1e-4)
    if strength:
        long = before > 1.2
        assert np.abs((axis - same_axis + 90)[long] % 180 - 90).max() < 0.1
    np.testing.assert_allclose(*(np.linalg.svd(a, compute_uv=False)[:, 1] for a in (full, weak)), rtol=1e-4)


def test_scale_and_orientation_are_those_of_the_frame() -> None:
    found = siftcli.detect(scene(200, 300), affine_shape=True)
    affine = affine_of(found).astype(np.float64)
    assert len(found) > 300
    np.testing.assert_allclose(found.scales, np.sqrt(np.linalg.det(affine)), rtol=1e-5)
    np.testing.assert_allclose(found.orientations, np.arctan2(affine[:, 1, 0], affine[:, 0, 0]), atol=1e-5)
    upright = affine_of(siftcli.detect(scene(200, 300), affine_shape=True, upright=True))
    assert np.abs(upright[:, 0, 1]).max() < 1e-4 * np.abs(upright).max()  # the y axis points down
    assert (upright[:, 1, 1] > 0).all()


def test_workers_and_tiles_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    image = scene(450, 300)
    monkeypatch.setattr(TUNING, "tile_rows", 64)
    monkeypatch.setattr(TUNING, "tile_pixels", 1 << 16)
    alone, shared = (siftcli.detect(image, "accurate-affine", workers=n) for n in (1, 2))
    assert len(alone) > 500
    assert same(alone, shared)
    assert affine_of(alone).tobytes() == affine_of(shared).tobytes()


@pytest.mark.parametrize("preset", ["accurate", "accurate-affine"])
def test_images_of_a_stack_do_not_influence_each_other(preset: str) -> None:
    crops = np.stack([scene(300, 400)[:96, x : x + 120] for x in (0, 120, 240)])
    stack = pipeline.detect(crops, *parameters(preset))
    for crop, features in zip(crops, stack, strict=True):
        assert len(features) > 50
        assert same(pipeline.detect(crop[None], *parameters(preset))[0], features)


def test_an_image_without_keypoints_has_no_frames() -> None:
    found = siftcli.detect(np.full((80, 90), 0.5), "accurate-affine")
    assert len(found) == 0
    assert found.descriptors is not None
    assert found.descriptors.shape == (0, 128)


def test_frames_that_were_detected_are_described_as_then() -> None:
    image = scene(200, 300)
    found = siftcli.detect(image, "accurate-affine")
    assert same(siftcli.describe(image, found.without_descriptors(), "accurate-affine"), found)


@pytest.mark.parametrize("preset", ["accurate-affine", "shape"])
@pytest.mark.parametrize(
    ("changed", "matrix"),
    [
        (np.rot90, [[0, 1], [-1, 0]]),
        (np.fliplr, [[-1, 0], [0, 1]]),
        (np.flipud, [[1, 0], [0, -1]]),
        (np.transpose, [[0, 1], [1, 0]]),
    ],
)
def test_frames_turn_and_flip_with_the_image(
    changed: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]],
    matrix: list[list[int]],
    preset: str,
    pixels: Callable[[str], npt.NDArray[np.uint8]],
) -> None:
    """Closed form: a map M of the image takes x to M x, and A to M A, its y axis reversed if M is a reflection."""
    how: dict[str, Any] = {"preset": preset} if preset != "shape" else {"affine_shape": True, "affine_iterations": 3}
    photo = pixels("camera.png")[:385, :449]
    plain = siftcli.detect(photo, descriptors=False, **how)
    border = np.minimum(plain.xy, np.array([448, 384]) - plain.xy).min(axis=1)
    plain = plain.take(np.flatnonzero(border > 12 * plain.scales))  # away from it, nothing tells the sides apart
    moved = siftcli.detect(np.ascontiguousarray(changed(photo)), descriptors=False, **how)
    m = np.array(matrix)
    place = plain.xy @ m.T + np.where(m.sum(axis=1) < 0, np.abs(m) @ [448, 384], 0)
    expected = m @ affine_of(plain) @ np.diag([1, np.linalg.det(m)])
    near = np.linalg.norm(place[:, None] - moved.xy[None], axis=2) < 0.01
    difference = np.linalg.norm(expected[:, None] - affine_of(moved)[None], axis=(2, 3)) / plain.scales[:, None]
    assert len(plain) > 200
    assert (near & (difference < 0.02)).any(axis=1).mean() > 0.95


@pytest.mark.parametrize("image", ["camera.png", "astronaut.jpg"])
def test_ellipses_agree_with_those_of_pycolmap(image: str, pixels: Callable[[str], npt.NDArray[np.uint8]]) -> None:
    photo = pixels(image)
    ours = siftcli.detect(photo, affine_shape=True, affine_blur="level", max_orientations=1)
    options = {**peers.LOWES, "max_num_orientations": 1, "estimate_affine_shape": True}
    theirs = peers.colmap(photo, options)
    distance = np.linalg.norm(ours.xy[:, None] - theirs.xy[None], axis=2)
    i = np.flatnonzero(distance.min(axis=1) < 0.05)
    j = distance[i].argmin(axis=1)
    assert len(i) > 0.6 * len(ours)
    affine = affine_of(ours)[i], affine_of(theirs)[j]
    (ratio, direction), (their_ratio, their_direction) = map(ellipse, affine)
    assert abs(np.median(ratio / their_ratio) - 1) < 0.03
    assert np.percentile(np.abs(np.log(ratio / their_ratio)), 75) < np.log(1.15)
    shorter = [np.linalg.svd(a, compute_uv=False)[:, 1] for a in affine]
    assert np.percentile(np.abs(shorter[0] / shorter[1] - 1), 75) < 0.01
    long = np.minimum(ratio, their_ratio) > 1.2
    assert long.sum() > 100
    turned = np.abs((direction - their_direction + 90) % 180 - 90)[long]
    assert np.median(turned) < 2
    assert np.percentile(turned, 75) < 4


def test_the_lowe_variant_has_no_affine_shape() -> None:
    with pytest.raises(ParameterError, match="variant standard"):
        siftcli.detect(scene(50, 50), "lowe", affine_shape=True)
