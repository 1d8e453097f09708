"""The measures of an evaluation.  Oracles: closed forms, Monte Carlo, slow definitions, published formulas."""

from __future__ import annotations

from typing import Any

import evaluation_tools as slow
import numpy as np
import numpy.typing as npt
import pytest
from evaluation_tools import TURN

from siftcli import Features
from siftcli.evaluation import measures
from siftcli.evaluation.overlap import correspondences, overlap_errors, projected, regions
from siftcli.evaluation.pairs import ACCURACY_THRESHOLDS
from siftcli.evaluation.summary import summarise

Floats = npt.NDArray[np.float64]


def ellipses(count: int, seed: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Pairs of ellipses that overlap more or less."""
    random = np.random.default_rng(seed)
    a = random.normal(size=(count, 2, 2)) + 2 * np.eye(2)
    b = a @ (np.eye(2) + 0.3 * random.normal(size=(count, 2, 2)))
    return np.zeros((count, 2)), a, random.normal(0, 12, (count, 2)), b


def lens(r: float, s: float, d: float) -> float:
    """Area of the intersection of two circles."""
    if d >= r + s:
        return 0.0
    if d <= abs(r - s):
        return float(np.pi * min(r, s) ** 2)
    root = np.sqrt((-d + r + s) * (d + r - s) * (d - r + s) * (d + r + s))
    ends = (
        r * r * np.arccos((d * d + r * r - s * s) / (2 * d * r)),
        s * s * np.arccos((d * d + s * s - r * r) / (2 * d * s)),
    )
    return float(sum(ends) - root / 2)


def test_overlap_of_circles() -> None:
    """Closed form of two circles, the first scaled to radius 30."""
    random = np.random.default_rng(0)
    r, ratio, d = random.uniform(0.5, 9, 500), random.uniform(0.5, 2, 500), random.uniform(0, 60, 500)
    turn = random.uniform(0, 2 * np.pi, 500)
    place = random.uniform(0, 500, (500, 2))
    moved = place + np.stack([d * np.cos(turn), d * np.sin(turn)], axis=1)
    found = overlap_errors(place, r[:, None, None] * np.eye(2), moved, (r * ratio)[:, None, None] * np.eye(2))
    area = np.array([lens(30, 30 * q, e) for q, e in zip(ratio, d, strict=True)])
    expected = 1 - area / (np.pi * 900 * (1 + ratio**2) - area)
    near = expected < 0.5
    np.testing.assert_allclose(found[near], expected[near], atol=2e-4)
    np.testing.assert_allclose(found, expected, atol=3e-3)


def test_overlap_of_ellipses_by_monte_carlo() -> None:
    """Points at random: the share of those in either that are in both, within five standard deviations."""
    xy_a, a, xy_b, b = ellipses(40, 1)
    found = overlap_errors(xy_a, a, xy_b, b)
    points = np.random.default_rng(2).uniform(-1, 1, (200_000, 2))
    for k in range(len(a)):
        factor = 30 / np.sqrt(abs(np.linalg.det(a[k])))
        corners = np.abs(np.stack([factor * a[k], factor * b[k]])).sum(axis=2).max()
        cloud = points * (corners + np.abs(xy_b[k]).max())
        in_a, in_b = (
            (np.square((cloud - c) @ np.linalg.inv(factor * m).T).sum(axis=1) <= 1)
            for c, m in ((xy_a[k], a[k]), (xy_b[k], b[k]))
        )
        either, both = int((in_a | in_b).sum()), int((in_a & in_b).sum())
        share = both / either
        assert found[k] == pytest.approx(1 - share, abs=5 * np.sqrt(share * (1 - share) / either) + 3e-3)


def test_overlap_does_not_change_under_an_affine_map_of_unit_determinant() -> None:
    xy_a, a, xy_b, b = ellipses(200, 3)
    shear = np.array([[1.2, 0.5], [-0.3, (1 - 0.15) / 1.2]])
    np.testing.assert_allclose(np.linalg.det(shear), 1)
    found = overlap_errors(xy_a @ shear.T, shear @ a, xy_b @ shear.T, shear @ b)
    np.testing.assert_allclose(found, overlap_errors(xy_a, a, xy_b, b), atol=6e-3)


def test_regions_without_area_overlap_with_nothing() -> None:
    flat = np.array([[[1.0, 0], [0, 0]], [[0, 0], [0, 0]], [[1, 0], [0, 1]]])
    zero = np.zeros((3, 2))
    assert overlap_errors(zero, flat, zero, np.zeros((3, 2, 2))).tolist() == [1, 1, 1]


def test_correspondences_are_those_of_all_pairs() -> None:
    """Every pair tried, and taken greedily: the search leaves none out."""
    random = np.random.default_rng(4)
    xy_a, xy_b = random.uniform(0, 60, (2, 90, 2))
    a, b = (random.normal(size=(90, 2, 2)) * 0.4 + random.uniform(1, 2, (90, 1, 1)) * np.eye(2) for _ in "ab")
    i, j = (index.ravel() for index in np.mgrid[:90, :90])
    errors = overlap_errors(xy_a[i], a[i], xy_b[j], b[j])
    expected: list[tuple[int, int]] = []
    for k in np.argsort(errors, kind="stable"):
        free = all(i[k] != p and j[k] != q for p, q in expected)
        if errors[k] < 0.4 and free:
            expected.append((int(i[k]), int(j[k])))
    assert len(expected) > 20
    assert list(zip(*(index.tolist() for index in correspondences(xy_a, a, xy_b, b)), strict=True)) == expected


def test_projection_is_the_homographys_and_its_derivative() -> None:
    xy = np.random.default_rng(5).uniform(0, 300, (20, 2))
    points, shapes = projected(TURN, xy)
    for (x, y), point, matrix in zip(xy.tolist(), points, shapes, strict=True):
        np.testing.assert_allclose(point, slow.mapped(TURN, x, y))
        np.testing.assert_allclose(matrix, slow.derivative(TURN, x, y), atol=1e-7)
    np.testing.assert_allclose(projected(-TURN, xy)[0], points)  # the same homography
    assert np.isnan(projected(np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]]), np.array([[150.0, 0]]))[0]).all()


def test_regions_of_frames() -> None:
    """Affine frames as they are, others as circles."""
    xy, sigma = np.zeros((2, 2), np.float32), np.array([2, 3], np.float32)
    circles = Features(xy, sigma, np.zeros(2, np.float32))
    np.testing.assert_array_equal(regions(circles), [2 * np.eye(2), 3 * np.eye(2)])
    affine = np.array([[[2, 1], [0, 2]], [[1, 0], [0, 9]]], np.float32)
    np.testing.assert_array_equal(regions(Features(xy, sigma, sigma, affine=affine)), affine)


def published_auc(errors: list[float], threshold: float) -> float:
    """The area as SuperGlue and LightGlue compute it: a trapezium rule through the sorted errors."""
    values = np.sort(errors)
    recall = (np.arange(len(values)) + 1) / len(values)
    x, y = np.r_[0.0, values], np.r_[0.0, recall]
    last = np.searchsorted(x, threshold)
    x, y = np.r_[x[:last], threshold], np.r_[y[:last], y[last - 1]]
    return float(sum((q - p) * (r + s) / 2 for p, q, r, s in zip(x, x[1:], y, y[1:], strict=False)) / threshold)


@pytest.mark.parametrize("threshold", [1, 3, 5, 20])
def test_area_under_the_curve(threshold: float) -> None:
    """The published formula; closed forms of one error and of none found."""
    random = np.random.default_rng(6)
    for count in (1, 2, 50):
        errors = [*random.exponential(4, count).tolist(), np.inf]
        assert measures.auc(errors, threshold) == pytest.approx(published_auc(errors, threshold), abs=1e-12)
    assert measures.auc([0.0], threshold) == 1
    assert measures.auc([threshold / 2], threshold) == pytest.approx(0.75)
    assert measures.auc([np.inf, np.inf], threshold) == measures.auc([], threshold) == 0


def test_corner_error_of_a_shift_is_its_length() -> None:
    shift = np.array([[1, 0, 3.0], [0, 1, 4], [0, 0, 1]])
    assert measures.corner_error(shift @ TURN, TURN, (100, 60)) == pytest.approx(5)
    assert measures.corner_error(-2 * TURN, TURN, (100, 60)) == pytest.approx(0, abs=1e-9)
    assert measures.corner_error(None, TURN, (100, 60)) == np.inf


@pytest.mark.parametrize("angle", [0.0, 1e-5, 3.0, 90.0, 180.0])
def test_pose_errors_are_the_angles(angle: float) -> None:
    """A rotation about an axis; a translation turned by an angle, whose sign is not observable."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    random = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))[0]
    estimate = turn @ random, 5 * turn @ np.array([1.0, 0, 0])
    rotation, translation = measures.pose_errors(estimate, (random, np.array([2.0, 0, 0])))
    assert rotation == pytest.approx(angle, abs=1e-6)
    assert translation == pytest.approx(min(angle, 180 - angle), abs=1e-6)
    assert measures.pose_errors(None, (turn, turn[0])) == (np.inf, np.inf)


def test_several_orientations_of_a_place_count_once() -> None:
    xy = np.array([[10.0, 10], [10, 10], [40, 40]])
    shapes = np.stack([2 * np.eye(2)] * 3)
    assert measures.repeatability(np.eye(3), (xy, shapes), (xy[1:], shapes[1:])) == 1
    assert measures.repeatability_within(np.eye(3), xy, xy[1:], 3) == 1
    assert measures.count_distinct(xy, xy) == 2


def planar(values: list[float], **more: Any) -> list[dict[str, Any]]:
    return [
        {"keypoints_a": 10, "keypoints_b": 20, "precision": value, "corner_error": value, **more} for value in values
    ]


def test_summary_is_the_mean_and_its_bootstrap_interval() -> None:
    """The mean, and for many pairs the normal approximation of its interval."""
    values = np.random.default_rng(8).uniform(0, 1, 400)
    (found,) = summarise([planar(values.tolist())])
    interval = found["precision"]
    assert interval.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.1)
    assert found["keypoints"].value == 15
    assert found["homography_auc_3"].value == pytest.approx(published_auc(values.tolist(), 3))
    assert interval.difference is None


def test_summary_of_differences_is_paired() -> None:
    """A method that is better by 0.01 on every pair is better by 0.01 in every sample, however much pairs differ."""
    values = np.random.default_rng(9).uniform(0, 0.9, 30)
    _, found = summarise([planar(values.tolist()), planar((values + 0.01).tolist())])
    assert found["precision"][3:] == pytest.approx((0.01, 0.01, 0.01))


def test_summary_of_few_pairs_has_no_interval_and_of_none_nothing() -> None:
    (found,) = summarise([planar([0.5, 0.7])])
    assert found["precision"].value == pytest.approx(0.6)
    assert np.isnan(found["precision"].low)
    assert summarise([[]]) == [{}]
    (lacking,) = summarise([planar([0.5, 0.5, 0.5, 0.5, 0.5], accuracy=[0.1 * k for k in ACCURACY_THRESHOLDS])])
    assert lacking["mma_3"].value == pytest.approx(0.3)
    assert "pose_auc_5" not in lacking
