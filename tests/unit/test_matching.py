"""Matching by descriptors.

Oracles: a loop over all keypoints in double precision (`match_tools.brute_force`), OpenCV's brute-force matcher,
closed forms for made-up descriptors, and the homographies of the sample pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from match_tools import brute_force, distances, features, related

import siftcli
from siftcli import MatchParams, ParameterError
from siftcli.matching import neighbours
from siftcli.matching.exact import match_features

Any8 = npt.NDArray[np.uint8]


def check(a: npt.NDArray, b: npt.NDArray, threads: int = 1, **tests: object) -> int:
    """Compare with the loop, and return how many matches there are."""
    params = MatchParams(**tests)  # type: ignore[arg-type]
    sides = features(a), features(b)
    found = match_features(*sides, params, threads)
    wanted = brute_force(a, b, params, (sides[0].xy, sides[1].xy))
    assert found.indices.dtype == np.int32
    assert found.indices.tolist() == [[i, j] for i, j, _, _ in wanted]
    np.testing.assert_array_equal(found.distances, [d for _, _, d, _ in wanted])
    np.testing.assert_array_equal(found.ratios, [r for _, _, _, r in wanted])
    assert found.sizes == (len(a), len(b))
    return len(wanted)


def flat(*heights: int) -> Any8:
    """Descriptors that are constant: the distance of two is sqrt(128) / 512 times their difference."""
    return np.repeat(np.array(heights, np.uint8)[:, None], 128, axis=1)


STEP = np.sqrt(128) / 512


# --- the same as the loop


@pytest.mark.parametrize("mutual", [True, False])
@pytest.mark.parametrize("ratio", [0.6, 0.8, 1.0])
@pytest.mark.parametrize(("n", "m"), [(700, 1300), (1300, 700), (512, 513), (40, 600), (600, 2)])
def test_bytes_match_as_the_loop_says(n: int, m: int, ratio: float, mutual: bool) -> None:
    a, b = related(np.random.default_rng(n), n, m, min(n, m) // 2)
    assert check(a, b, ratio=ratio, mutual=mutual)


@pytest.mark.parametrize("metric", ["l2", "root"])
def test_floats_match_as_the_loop_says(metric: str) -> None:
    a, b = related(np.random.default_rng(1), 700, 900, 400)
    unit = [(d / np.linalg.norm(d.astype(float), axis=1, keepdims=True)).astype(np.float32) for d in (a, b)]
    assert check(*unit, metric=metric) > 300
    assert check(a, b, metric=metric) > 300
    assert check(unit[0], b, metric=metric) > 300


def test_a_limit_of_the_distance_includes_itself() -> None:
    a, b = related(np.random.default_rng(2), 300, 300, 200)
    limit = float(np.median(distances(a, b).min(axis=1)[:150]))
    some = check(a, b, max_distance=limit)
    assert 0 < some < check(a, b)
    assert check(flat(10), flat(20), max_distance=10 * STEP) == 1
    assert check(flat(10), flat(20), max_distance=np.nextafter(10 * STEP, 0)) == 0


@pytest.mark.parametrize(("block", "bands"), [(7, 128), (8, 3), (64, 2), (1, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_blocks_and_bands_of_any_size(block: int, bands: int, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    monkeypatch.setattr(neighbours, "_BANDS", bands)
    a, b = related(np.random.default_rng(3), 90, 130, 60)
    if dtype is np.float32:
        a, b = (d.astype(np.float32) / np.float32(500) for d in (a, b))
    assert check(a, b) > 40
    assert check(b, a, threads=3, ratio=1.0) > 40


@pytest.mark.parametrize("threads", [2, 3, 64])
def test_threads_change_nothing(threads: int) -> None:
    a, b = related(np.random.default_rng(4), 1500, 900, 700)
    assert check(a, b, threads) > 500


@pytest.mark.parametrize("tests", [{"ratio_test": "fginn"}, {"ratio_both_ways": True}])
@pytest.mark.parametrize("mutual", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_other_ratio_tests_match_as_the_loop_says(dtype: type, mutual: bool, tests: dict[str, object]) -> None:
    random = np.random.default_rng(12)
    a, b = related(random, 700, 600, 400)
    # Half of them are there twice, with noise: beside each other, where FGINN sees one place, or elsewhere.
    a, b = (np.concatenate([d, np.clip(d[:300] + random.integers(-4, 5, (300, 128)), 0, 255)]) for d in (a, b))
    order = np.argsort(np.concatenate([np.arange(len(b) - 300), np.where(np.arange(300) % 2, np.arange(300), 2000)]))
    a, b = a.astype(np.uint8), b[order].astype(np.uint8)
    if dtype is np.float32:
        a, b = (d.astype(np.float32) / np.float32(500) for d in (a, b))
    plain = check(a, b, mutual=mutual)
    count = check(a, b, mutual=mutual, **tests)
    assert count > plain > 0 if "ratio_test" in tests else 0 < count < plain
    assert check(a, b, mutual=mutual, ratio_test="fginn", ratio_both_ways=True, ratio=0.85)


@pytest.mark.parametrize("metric", ["l2", "root"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("tests", [{}, {"ratio": 1.0, "mutual": False}, {"ratio_test": "fginn"}])
def test_no_descriptor_matches_nothing(tests: dict[str, object], dtype: type, metric: str) -> None:
    a, b = (d if dtype is np.uint8 else np.float32(d) / 512 for d in related(np.random.default_rng(13), 300, 200, 150))
    a[::7], b[::5] = 0, 0
    assert check(a, b, metric=metric, **tests)
    assert check(np.zeros((3, 128), dtype), np.zeros((2, 128), dtype), metric=metric, **tests) == 0
    assert check(a, np.zeros((2, 128), dtype), metric=metric, **tests) == 0


# --- closed forms


def test_the_ratio_test_is_strict() -> None:
    # Distances 4 and 5: the ratio is 0.8 and no less.
    assert check(flat(100), flat(104, 105), ratio=0.8) == 0
    assert check(flat(100), flat(104, 105), ratio=float(np.nextafter(0.8, 1))) == 1


def test_of_equals_the_first_is_the_nearest() -> None:
    assert match(flat(7), flat(9, 5, 5, 9), ratio=1.0, mutual=False) == [[0, 0]]
    assert match(flat(9, 5, 5), flat(7), ratio=1.0) == [[0, 0]]
    assert match(flat(7, 7), flat(7, 7), ratio=1.0) == [[0, 0]]
    assert match(flat(7, 7), flat(7, 7), ratio=1.0, mutual=False) == [[0, 0], [1, 0]]


def test_two_equal_neighbours_fail_the_ratio_test() -> None:
    assert match(flat(7), flat(7, 7)) == []


def test_a_perfect_neighbour_passes_it() -> None:
    found = siftcli.match(features(flat(7)), features(flat(7, 8)))
    assert found.indices.tolist() == [[0, 0]]
    assert found.ratios is not None
    assert found.ratios.tolist() == [0.0]


def test_the_only_keypoint_has_no_second_to_be_compared_with() -> None:
    found = siftcli.match(features(flat(10)), features(flat(200)))
    assert found.indices.tolist() == [[0, 0]]
    assert found.distances is not None
    assert found.ratios is not None
    assert found.distances.tolist() == [190 * STEP]
    assert found.ratios.tolist() == [0.0]


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 1), (1, 0), (0, 700), (700, 0)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_nothing_matches_nothing(n: int, m: int, dtype: type) -> None:
    a, b = np.ones((n, 128), dtype), np.ones((m, 128), dtype)
    found = siftcli.match(features(a), features(b))
    assert found.indices.shape == (0, 2)
    assert found.sizes == (n, m)


def test_mutual_matches_are_one_to_one() -> None:
    a, b = related(np.random.default_rng(6), 900, 500, 300)
    found = np.array(match(a, b, ratio=1.0))
    assert len(np.unique(found[:, 0])) == len(np.unique(found[:, 1])) == len(found)


def test_the_largest_distance_there_can_be_is_exact() -> None:
    a, b = np.zeros((1, 128), np.uint8), np.full((2, 128), 255, np.uint8)
    a[0, 0], b[:, 0], b[1, 1] = 1, 0, 254  # one part in 16,000 of the sum, and the 24th bit of some partial sums
    found = siftcli.match(features(a), features(b), ratio=1.0)
    first, second = 1 + 126 * 255**2 + 254**2, 1 + 127 * 255**2
    assert found.indices.tolist() == [[0, 1]]
    assert found.distances is not None
    assert found.ratios is not None
    assert found.distances.tolist() == [np.sqrt(first) / 512]
    assert found.ratios.tolist() == [np.sqrt(first) / np.sqrt(second)]


def test_neighbours_closer_than_float32_can_tell() -> None:
    a = np.zeros((1, 128), np.float32)
    a[0, 0] = 1
    b = np.repeat(a, 700, axis=0)
    b[:, 1] = 1e-2
    b[600, 1] = np.nextafter(np.float32(1e-2), np.float32(0))  # nearer by 1e-11 in squared distance
    assert match(a, b, ratio=1.0) == [[0, 600]]


def test_tiny_and_large_descriptors() -> None:
    random = np.random.default_rng(7)
    a, b = (random.random((50, 128)).astype(np.float32) for _ in "ab")
    assert check(a * np.float32(1e-25), b * np.float32(1e-25), ratio=1.0)
    assert check(a * np.float32(1e10), b * np.float32(1e10), ratio=1.0)


def test_a_repeated_descriptor_passes_fginn_at_one_place_only() -> None:
    a, b = flat(100), flat(101, 101, 180)
    near, far = (features(b, np.array([[5, 5], [x, 5], [90, 90]])) for x in (15, 15.001))
    for side, wanted in ((near, [[0, 0]]), (far, [])):
        assert siftcli.match(features(a), side, ratio_test="fginn").indices.tolist() == wanted
        assert siftcli.match(features(a), side).indices.tolist() == []
    found = siftcli.match(features(a), near, ratio_test="fginn")
    assert found.ratios is not None
    assert found.ratios.tolist() == [1 / 80]


def test_the_ratio_both_ways_asks_the_other_side_too() -> None:
    # Of a, 104 and 105 are about as near to 100.
    a, b = flat(104, 105), flat(100, 200)
    assert match(a, b) == [[0, 0]]
    assert match(a, b, ratio_both_ways=True) == []
    assert match(b, a, ratio_both_ways=True) == match(b, a) == []


# --- other programs, photographs


def test_opencv_finds_the_same(detected: Callable[[Path, str], siftcli.Features], sample_images: Path) -> None:
    a, b = (detected(sample_images / f"pair_dandelion_{side}.jpg", "default").descriptors for side in "ab")
    assert a is not None
    assert b is not None
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    x, y = a.astype(np.float32), b.astype(np.float32)
    back = [m[0].trainIdx for m in matcher.knnMatch(y, x, 1)]
    wanted = [
        [m[0].queryIdx, m[0].trainIdx]
        for m in matcher.knnMatch(x, y, 2)
        if m[0].distance < 0.8 * m[1].distance and back[m[0].trainIdx] == m[0].queryIdx
    ]
    assert len(wanted) > 500
    assert match(a, b) == wanted


@pytest.mark.parametrize("pair", ["astronaut", "dandelion"])
def test_the_sample_pairs_match_where_their_homography_says(
    pair: str, detected: Callable[[Path, str], siftcli.Features], sample_images: Path
) -> None:
    a, b = (detected(sample_images / f"pair_{pair}_{side}.jpg", "default") for side in "ab")
    truth = np.loadtxt(sample_images / f"pair_{pair}_H.txt")
    found = siftcli.match(a, b)
    assert found.xy_a is not None
    assert found.xy_b is not None
    np.testing.assert_array_equal(found.xy_a, a.xy[found.indices[:, 0]])
    np.testing.assert_array_equal(found.xy_b, b.xy[found.indices[:, 1]])
    mapped = np.column_stack((found.xy_a, np.ones(len(found)))) @ truth.T
    error = np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - found.xy_b, axis=1)
    assert len(found) > 400
    assert (error < 3).mean() > 0.95


# --- what is refused


def test_keypoints_alone_are_refused() -> None:
    with pytest.raises(ParameterError, match="sift describe"):
        siftcli.match(features(flat(1)), features(None))


def test_floats_of_norm_512_are_refused() -> None:
    """OpenCV's unit: beside descriptors of norm 1, every distance would be about 511."""
    a, b = related(np.random.default_rng(0), 20, 20, 10)
    floats = np.asarray(a, np.float32)
    with pytest.raises(ParameterError, match="norm 512; divide them by 512"):
        siftcli.match(features(floats), features(b))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e16])
def test_descriptors_that_are_no_numbers_are_refused(value: float) -> None:
    bad = np.full((3, 128), value, np.float32)
    with pytest.raises(ParameterError, match="finite"):
        siftcli.match(features(bad), features(flat(1)))


def test_the_root_of_a_negative_is_refused() -> None:
    with pytest.raises(ParameterError, match="use l2"):
        siftcli.match(features(np.full((1, 128), -0.1, np.float32)), features(flat(1)), metric="root")


@pytest.mark.parametrize(
    ("tests", "word"),
    [
        ({"ratio": 0}, "ratio"),
        ({"ratio": 1.1}, "ratio"),
        ({"max_distance": -1}, "max_distance"),
        ({"metric": "l1"}, "metric"),
        ({"verify": "affine"}, "verify"),
        ({"threshold": 0}, "threshold"),
        ({"min_inliers": 0}, "min_inliers"),
        ({"mutuel": True}, "mutuel"),
        ({"ratio_test": "third"}, "ratio_test"),
        ({"guided": True}, "guided"),
    ],
)
def test_wrong_tests_are_named(tests: dict[str, object], word: str) -> None:
    with pytest.raises(ParameterError) as error:
        siftcli.match(features(flat(1)), features(flat(1)), **tests)
    assert error.value.name == word


def match(a: npt.NDArray, b: npt.NDArray, **tests: object) -> list[list[int]]:
    """The indices of the matches."""
    found: list[list[int]] = siftcli.match(features(a), features(b), **tests).indices.tolist()
    return found
