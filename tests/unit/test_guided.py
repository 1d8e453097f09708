"""Guided matching.  Oracles: a loop over all pairs that obey the model, and distances written as a loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from match_tools import brute_force, features, related
from test_geometry import FOCAL, KINDS, SIZE, TRUE, scene

import siftcli
from siftcli import MatchParams
from siftcli.matches import Model
from siftcli.matching import guided
from siftcli.matching.exact import Side
from siftcli.matching.guided import match_along
from siftcli.matching.places import points_within
from siftcli.matching.verify import errors

TESTS = (
    {},
    {"ratio": 1.0, "mutual": False},
    {"ratio_both_ways": True, "mutual": False, "guided_distance": 0.9},
    {"max_distance": 0.2},
)


@pytest.mark.parametrize("tests", TESTS)
@pytest.mark.parametrize("kind", KINDS)
def test_matches_along_a_model_are_those_of_a_loop(
    kind: str, tests: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guided, "_PAIRS", 1000)
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
    sides = [Side.of(features(d, xy, image_size=SIZE)) for d, xy in ((a, xy_a), (b, xy_b))]
    found = match_along(
        model, (sides[0].descriptors, sides[1].descriptors), (sides[0].xy, sides[1].xy), (SIZE,) * 2, params
    )
    consistent = np.array(
        [
            errors(model, np.repeat(p[None], len(xy_b), axis=0).astype(float), xy_b.astype(float), SIZE, SIZE) <= 3
            for p in xy_a
        ]
    )
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


def test_without_a_model_there_is_no_second_round() -> None:
    a, b = related(np.random.default_rng(7), 40, 40, 20)
    plain, again = (siftcli.match(features(a), features(b), verify="similarity", **t) for t in ({}, {"guided": True}))
    assert plain.model is None
    assert again.indices.tolist() == plain.indices.tolist()
