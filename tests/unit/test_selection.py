"""What is kept: mask, region, scales, and the three orders of `keep`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import siftcli
from siftcli import Features, ParameterError
from siftcli.engine.selection import inside, select, spread_radii
from siftcli.params import SelectionParams

KEEP = ("strongest", "largest", "spread")


def features(xy: Any, scores: Any, scales: Any = None) -> Features:
    """Features at these places; `levels` are their numbers."""
    n = len(scores)
    return Features(
        xy=np.array(xy, np.float32).reshape(n, 2),
        scales=np.array(np.ones(n) if scales is None else scales, np.float32),
        orientations=np.zeros(n, np.float32),
        scores=np.array(scores, np.float32),
        levels=np.arange(n, dtype=np.int16),
        descriptors=np.arange(n, dtype=np.uint8).repeat(128).reshape(n, 128),
    )


def kept(found: Features, **selection: Any) -> list[int]:
    """Numbers of the features that are kept; all of their arrays go with them."""
    out = select(found, SelectionParams(**selection))
    assert out.levels is not None
    assert out.descriptors is not None
    assert (out.descriptors == out.levels[:, None]).all()
    return out.levels.tolist()


def slow_radii(xy: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance to the nearest keypoint that is clearly stronger, each compared with each. [Brown05 §3]"""
    best = [max(s for p, s in zip(xy, scores, strict=True) if (p == q).all()) for q in xy]
    radii = [
        min(
            (float(np.linalg.norm(p.astype(float) - q)) for q, t in zip(xy, best, strict=True) if s < 0.9 * t),
            default=np.inf,
        )
        for p, s in zip(xy, best, strict=True)
    ]
    return np.array(radii)


places = st.integers(0, 12).map(float)
points = st.lists(st.tuples(places, places, st.integers(0, 20)), min_size=1, max_size=60)


@given(points)
def test_suppression_radii(rows: list[tuple[float, float, int]]) -> None:
    """Slow reference: every keypoint with every other, many of them at one place or equally strong."""
    xy = np.array([row[:2] for row in rows], np.float32)
    scores = np.array([row[2] for row in rows], np.float64)
    np.testing.assert_allclose(spread_radii(xy, scores), slow_radii(xy, scores))


def test_radii_of_many_keypoints() -> None:
    """Slow reference: 700 keypoints, more than are looked at first."""
    rng = np.random.default_rng(0)
    xy, scores = rng.uniform(0, 500, (700, 2)).astype(np.float32), rng.exponential(size=700)
    np.testing.assert_allclose(spread_radii(xy, scores), slow_radii(xy, scores))


@given(points, st.sampled_from(KEEP), st.integers(1, 70))
def test_a_hard_maximum_that_only_grows(rows: list[tuple[float, float, int]], keep: str, most: int) -> None:
    """Invariance: exactly N of more than N, in the old order; those of N are among those of N + 1."""
    found = features([row[:2] for row in rows], [row[2] for row in rows], [1 + row[2] % 3 for row in rows])
    few, more = (kept(found, max_keypoints=n, keep=keep) for n in (most, most + 1))
    assert len(few) == min(most, len(rows))
    assert few == sorted(few)
    assert set(few) <= set(more)


def test_strongest_and_largest() -> None:
    """Closed form: by score, and by scale; what is equal keeps its order."""
    found = features(np.zeros((5, 2)), [1, 3, 2, 3, 3], [5, 1, 5, 2, 1])
    assert [kept(found, max_keypoints=n, keep="strongest") for n in (1, 2, 3, 4)] == [
        [1],
        [1, 3],
        [1, 3, 4],
        [1, 2, 3, 4],
    ]
    assert [kept(found, max_keypoints=n, keep="largest") for n in (1, 2, 3, 4)] == [
        [2],
        [0, 2],
        [0, 2, 3],
        [0, 1, 2, 3],
    ]


def test_whole_levels() -> None:
    """Closed form: levels from the coarsest to the one that exceeds the number; orientations count once."""
    found = replace(
        features([(i, i) for i in (0, 0, 1, 2, 3, 3, 4)], np.ones(7)),
        octaves=np.array([1, 1, 1, 0, 0, 0, -1], np.int16),
        levels=np.array([1, 1, 1, 3, 1, 1, 3], np.int16),
    )  # levels of 2, 1, 1 and 1 locations
    counts = [len(select(found, SelectionParams(max_keypoints=n, keep="levels"))) for n in range(1, 6)]
    assert counts == [3, 4, 6, 7, 7]


def test_spread_prefers_what_is_far_from_the_strong() -> None:
    """Closed form: a cluster of strong keypoints and a weak one far off; the strongest and the far one come first."""
    found = features([(10, 10), (11, 10), (10, 11), (90, 90)], [9, 5, 5, 1])
    assert [kept(found, max_keypoints=n, keep="spread") for n in (1, 2, 3)] == [[0], [0, 3], [0, 1, 3]]


def test_orientations_of_one_place_count_as_one() -> None:
    """Closed form: the second orientation of a keypoint is no stronger neighbour of the first."""
    found = features([(10, 10), (10, 10), (14, 10)], [9, 9, 5])
    assert kept(found, max_keypoints=2, keep="spread") == [0, 1]


def test_spread_covers_the_image(pixels: Any) -> None:
    """Invariance: of a photograph, more of its 64 parts hold a keypoint than with the strongest or largest."""
    image = pixels("coffee.jpg")
    covered = {}
    for keep in KEEP:
        xy = siftcli.detect(image, descriptors=False, max_keypoints=150, keep=keep).xy
        cells = np.floor(xy / (np.array(image.shape[::-1]) / 8))
        covered[keep] = len({tuple(cell) for cell in cells.tolist()})
    assert covered["spread"] >= covered["strongest"] + 5
    assert covered["spread"] >= covered["largest"] + 5


def test_mask_comes_before_the_number() -> None:
    """Closed form: the strongest are masked, and the maximum is of what is left."""
    found = features([(2, 2), (3, 2), (7, 2), (8, 2)], [9, 8, 2, 1])
    mask = np.arange(10) * np.ones((5, 1)) > 5
    out = select(found, SelectionParams(max_keypoints=1), mask)
    assert out.levels is not None
    assert out.levels.tolist() == [2]


def test_a_mask_keeps_whole_pixels() -> None:
    """Closed form: the pixel that holds the centre decides, from half a pixel before its centre."""
    mask = np.zeros((5, 6), bool)
    mask[2, 3] = True
    xy = [(3.0, 2.0), (2.51, 1.51), (3.49, 2.49), (2.49, 2.0), (3.51, 2.0), (3.0, 1.49), (3.0, 2.51), (2.0, 3.0)]
    out = inside(features(xy, np.ones(8)), mask)
    assert out.levels is not None
    assert out.levels.tolist() == [0, 1, 2]


def test_centres_beyond_the_image_count_as_on_its_edge() -> None:
    """Closed form: half a pixel outside, and far."""
    mask = np.zeros((4, 4), bool)
    mask[0, 3] = True
    out = inside(features([(3.5, -0.5), (99, -99), (-1, -1)], np.ones(3)), mask)
    assert len(out) == 2


@given(st.integers(0, 6), st.integers(0, 6), st.integers(1, 6), st.integers(1, 6))
def test_a_region_is_a_mask_of_its_pixels(x: int, y: int, width: int, height: int) -> None:
    """Invariance: a rectangle and the mask of the same pixels keep the same."""
    rng = np.random.default_rng(x + 7 * y)
    found = features(rng.uniform(-0.5, 11.4, (50, 2)), np.ones(50))
    mask = np.zeros((12, 12), bool)
    mask[y : y + height, x : x + width] = True
    out = inside(found, mask)
    assert out.levels is not None
    assert kept(found, region=(x, y, width, height)) == out.levels.tolist()


def test_scales() -> None:
    """Closed form: both ends belong to the range."""
    found = features(np.zeros((5, 2)), np.ones(5), [1, 2, 3, 4, 5])
    assert kept(found, min_scale=2.0) == [1, 2, 3, 4]
    assert kept(found, max_scale=4.0) == [0, 1, 2, 3]
    assert kept(found, min_scale=2.0, max_scale=4.0, max_keypoints=2, keep="largest") == [2, 3]


@pytest.mark.parametrize("keep", KEEP)
def test_nothing_to_keep(keep: str) -> None:
    """Closed form: of no keypoints, none."""
    assert kept(features(np.empty((0, 2)), []), max_keypoints=3, keep=keep) == []


def test_detect_selects(pixels: Any) -> None:
    """Invariance: the function and the steps by hand; an array of any kind is a mask."""
    image = pixels("camera.png")
    everything = siftcli.detect(image)
    mask = np.zeros(image.shape, np.uint8)
    mask[100:300, 50:400] = 7
    chosen = siftcli.detect(image, mask=mask, min_scale=1.5, region=(0, 0, 256, 256), max_keypoints=40)
    by_hand = select(
        everything, SelectionParams(min_scale=1.5, region=(0, 0, 256, 256), max_keypoints=40), mask.astype(bool)
    )
    assert len(chosen) == 40
    assert np.array_equal(chosen.xy, by_hand.xy)
    with pytest.raises(ParameterError, match=r"mask: must be of the image's shape \(512, 512\), not \(512,\)"):
        siftcli.detect(image, mask=mask[0])
