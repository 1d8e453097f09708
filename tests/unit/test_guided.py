"""Guided matching.  Oracles: a loop over all pairs that obey the model, and distances written as a loop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from match_tools import brute_force, features, related
from test_geometry import FOCAL, KINDS, SIZE, TRUE, cross, scene

import siftcli
from siftcli import MatchParams
from siftcli.matches import Model
from siftcli.matching import epipolar
from siftcli.matching.exact import Side
from siftcli.matching.guided import match_along
from siftcli.matching.places import points_within
from siftcli.matching.verify import errors

TESTS: tuple[dict[str, object], ...] = (
    {},
    {"metric": "root"},
    {"ratio": 1.0, "mutual": False},
    {"ratio_both_ways": True, "mutual": False, "guided_distance": 0.9},
    {"max_distance": 0.2},
)


FUNDAMENTAL = {
    "sideways": cross(np.array([1.0, 0, 0])),
    "upwards": cross(np.array([0.02, 1.0, 0])),
    "forwards, from the middle": cross(np.array([400.0, 300, 1])),
    "forwards, from a corner": cross(np.array([2.0, 1, 1])),
    "rank 3": TRUE["fundamental"] + 1e-8 * np.random.default_rng(1).normal(size=(3, 3)),
    "rank 1": np.outer([0.0, 1, -300], [1.0, 0, -400]),
    "zero": np.zeros((3, 3)),
}
"""Matrices whose epipoles lie at infinity, in the images, or nowhere."""


def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epipolar, "_ROWS", 16)
    monkeypatch.setattr(epipolar, "_COLUMNS", 50)


def all_errors(model: Model, a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The errors of all pairs."""
    b = b.astype(float)
    return np.array([errors(model, np.repeat(p[None].astype(float), len(b), axis=0), b, SIZE, SIZE) for p in a])


@pytest.mark.parametrize("threshold", [0.05, 4.0, 300.0])
@pytest.mark.parametrize("name", FUNDAMENTAL)
def test_neighbours_near_lines_are_those_of_a_loop(
    name: str, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    random = np.random.default_rng(8)
    model = Model("fundamental", FUNDAMENTAL[name], threshold)
    # Whole pixels: points at one place, at the epipole, and exactly at the threshold.
    xy_a, xy_b = (random.integers((0, 0), SIZE, (n, 2)).astype(np.float32) for n in (220, 170))
    xy_a[0] = xy_b[0] = 400, 300
    xy_a[1], xy_b[1:3] = xy_a[2], xy_b[3]
    a, b = (np.repeat(random.integers(0, 30, (n // 2, 128)), 2, axis=0).astype(np.uint8) for n in (220, 170))
    consistent = all_errors(model, xy_a, xy_b) <= threshold
    for mutual in (True, False):
        params = MatchParams(ratio=1.0, mutual=mutual, verify="fundamental", guided=True, guided_distance=9.0)
        sides = [Side.of(features(d, xy)) for d, xy in ((a, xy_a), (b, xy_b))]
        pair = (sides[0].descriptors, sides[1].descriptors)
        matches = match_along(model, pair, (xy_a, xy_b), (None, None), params)
        wanted = brute_force(a, b, params, consistent=consistent)
        assert matches.indices.tolist() == [[i, j] for i, j, _, _ in wanted]
        np.testing.assert_array_equal(matches.ratios, [r for _, _, _, r in wanted])
    assert consistent.any() == bool(len(matches))


@pytest.mark.parametrize("tests", TESTS)
@pytest.mark.parametrize("kind", KINDS)
def test_matches_along_a_model_are_those_of_a_loop(
    kind: str, tests: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    places, _ = scene(kind, 400, 100, noise=1.0)
    assert places.xy_a is not None
    assert places.xy_b is not None
    random = np.random.default_rng(5)
    a = random.integers(0, 20, (400, 128)).astype(np.uint8)
    b = np.clip(a + random.integers(-9, 10, (400, 128)), 0, 255).astype(np.uint8)
    a[::50] = 0
    # Every place is there twice, so that there is a second nearest.
    xy_a, xy_b = (np.concatenate([xy, xy[:200] + np.float32(0.5)]) for xy in (places.xy_a, places.xy_b))
    a, b = (np.concatenate([d, np.roll(d, 3, axis=1)[:200]]) for d in (a, b))
    model = Model(kind, TRUE[kind], 3.0, FOCAL if kind == "essential" else None)
    params = MatchParams(verify=kind, guided=True, **tests)  # type: ignore[arg-type]
    sides = [Side.of(features(d, xy, image_size=SIZE), params.metric) for d, xy in ((a, xy_a), (b, xy_b))]
    found = match_along(
        model, (sides[0].descriptors, sides[1].descriptors), (sides[0].xy, sides[1].xy), (SIZE,) * 2, params
    )
    consistent = all_errors(model, xy_a, xy_b) <= 3
    limit = min(params.guided_distance, np.inf if params.max_distance is None else params.max_distance)
    wanted = brute_force(a, b, replace(params, max_distance=limit), consistent=consistent)
    indices = np.stack([sides[0].index[found.indices[:, 0]], sides[1].index[found.indices[:, 1]]], axis=1)
    assert len(wanted) > 100
    assert indices.tolist() == [[i, j] for i, j, _, _ in wanted]
    np.testing.assert_array_equal(found.distances, [d for _, _, d, _ in wanted])
    np.testing.assert_array_equal(found.ratios, [r for _, _, _, r in wanted])


@pytest.mark.parametrize("radius", [0.3, 2.0, 50.0])
def test_points_within_a_radius_are_those_of_a_loop(radius: float) -> None:
    random = np.random.default_rng(6)
    centres, points = random.integers(-20, 60, (80, 2)) / 2, random.integers(0, 40, (120, 2)) / 2
    centres[0], centres[1], centres[2] = np.nan, np.inf, 1e300
    found = sorted(zip(*(index.tolist() for index in points_within(centres, points, radius)), strict=True))
    distance = [[np.hypot(*(c - p)) if np.isfinite(c).all() else np.inf for p in points] for c in centres]
    assert found == [(i, j) for i, row in enumerate(distance) for j, d in enumerate(row) if d <= radius]
    assert len(points_within(centres[:0], points, radius)[0]) == len(points_within(centres, points[:0], radius)[0]) == 0


@pytest.mark.parametrize("kind", ["homography", "fundamental"])
def test_a_second_round_keeps_the_inliers_and_finds_more(
    kind: str, detected: Callable[[Path, str], siftcli.Features], sample_images: Path
) -> None:
    a, b = (detected(sample_images / f"pair_dandelion_{side}.jpg", "default") for side in "ab")
    first = siftcli.match(a, b, verify=kind).only_inliers()
    second = siftcli.match(a, b, verify=kind, guided=True)
    assert set(map(tuple, first.indices.tolist())) < set(map(tuple, second.indices.tolist()))
    assert second.inliers is not None
    assert second.inliers.all()
    assert second.sizes == (len(a), len(b))
    assert second.xy_a is not None
    np.testing.assert_array_equal(second.xy_a, a.xy[second.indices[:, 0]])


@pytest.mark.parametrize("kind", ["homography", "fundamental"])
def test_the_second_round_follows_the_model_that_auto_chooses(kind: str) -> None:
    pytest.importorskip("poselib")
    places, _ = scene(kind, 300, 60, noise=0.3)
    random = np.random.default_rng(9)
    d = random.integers(0, 20, (300, 128)).astype(np.uint8)
    a, b = features(d, places.xy_a, image_size=SIZE), features(d, places.xy_b, image_size=SIZE)
    chosen, named = (siftcli.match(a, b, verify=verify, guided=True) for verify in ("auto", kind))
    assert chosen.model is not None
    assert chosen.model.kind == kind
    assert 200 < len(chosen) < 300
    np.testing.assert_array_equal(chosen.indices, named.indices)


def test_auto_without_poselib_leaves_matches_unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "poselib", None)
    a, b = related(np.random.default_rng(7), 40, 40, 20)
    plain, auto = siftcli.match(features(a), features(b)), siftcli.match(features(a), features(b), verify="auto")
    assert auto.inliers is None
    assert len(plain) > 10
    np.testing.assert_array_equal(auto.indices, plain.indices)


def test_without_a_model_there_is_no_second_round() -> None:
    a, b = related(np.random.default_rng(7), 40, 40, 20)
    plain, again = (siftcli.match(features(a), features(b), verify="similarity", **t) for t in ({}, {"guided": True}))
    assert plain.model is None
    assert again.indices.tolist() == plain.indices.tolist()
