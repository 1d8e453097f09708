"""Geometric verification.

Oracles: points made with a known model, outliers among them; the sample pairs' homographies; the definitions of the
errors, written as loops; and what the package says when PoseLib is not there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import siftcli
from siftcli import Matches, MatchParams, ParameterError
from siftcli.matches import Model
from siftcli.matching.verify import errors, require_estimator, verify

Float64 = npt.NDArray[np.float64]

SIZE = (800, 600)
FOCAL = 700.0
KINDS = ("homography", "fundamental", "essential", "similarity")


def rotation(*angles: float) -> Float64:
    """Rotations about x, y and z, in this order."""
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turned = step @ turned
    return turned


def cross(t: Float64) -> Float64:
    return np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])


def calibration() -> Float64:
    return np.array([[FOCAL, 0, (SIZE[0] - 1) / 2], [0, FOCAL, (SIZE[1] - 1) / 2], [0, 0, 1]])


TURN = rotation(0.05, -0.1, 0.2)
MOVE = np.array([0.6, -0.64, 0.48])
TRUE: dict[str, Float64] = {
    "homography": np.array([[0.9, -0.2, 30], [0.15, 1.05, -12], [1e-4, -5e-5, 1]]),
    "similarity": np.array([[0.8, -0.3, 25], [0.3, 0.8, 40], [0, 0, 1]]),
    "essential": cross(MOVE) @ TURN,
    "fundamental": np.linalg.inv(calibration()).T @ cross(MOVE) @ TURN @ np.linalg.inv(calibration()),
}


def project(points: Float64, matrix: Float64) -> Float64:
    mapped = np.column_stack((points, np.ones(len(points)))) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def scene(kind: str, n: int, wrong: int, noise: float = 0.0, seed: int = 0) -> tuple[Matches, npt.NDArray[np.bool_]]:
    """Matches of which some obey the model of that kind, and which do."""
    random = np.random.default_rng(seed)
    if kind in ("homography", "similarity"):
        a = random.uniform((0, 0), SIZE, (n, 2))
        b = project(a, TRUE[kind])
    else:
        space = np.column_stack((random.uniform(-2, 2, (n, 2)), random.uniform(4, 8, n)))
        moved = space @ TURN.T + MOVE
        a, b = ((x @ calibration().T)[:, :2] / x[:, 2:] for x in (space, moved))
    b = b + random.normal(0, noise, b.shape) if noise else b
    good = np.ones(n, bool)
    good[random.permutation(n)[:wrong]] = False
    b[~good] = random.uniform((0, 0), SIZE, (wrong, 2))
    index = np.arange(n, dtype=np.int32)
    return Matches(np.stack([index, index], axis=1), xy_a=a.astype(np.float32), xy_b=b.astype(np.float32)), good


def params(kind: str, **values: object) -> MatchParams:
    return MatchParams(verify=kind, focal=FOCAL if kind == "essential" else None, **values)  # type: ignore[arg-type]


def found(kind: str, matches: Matches, **values: object) -> tuple[Model | None, npt.NDArray[np.bool_]]:
    result = verify(matches, params(kind, **values), SIZE, SIZE)
    assert result.inliers is not None
    np.testing.assert_array_equal(result.indices, matches.indices)
    return result.model, result.inliers


def up_to_sign(a: Float64, b: Float64) -> float:
    """How different two matrices are whose factor does not count."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(min(np.abs(a - b).max(), np.abs(a + b).max()))


# --- the model


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_behind_the_matches_is_found_among_outliers(kind: str) -> None:
    matches, good = scene(kind, 200, 80)
    model, inliers = found(kind, matches, threshold=0.25)
    assert model is not None
    assert model.kind == kind
    assert model.threshold == 0.25
    assert inliers[good].all()
    # By chance a random point lies that near to a line, hardly to a point; and then it pulls at the model.
    assert inliers[~good].mean() <= (0.04 if kind in ("fundamental", "essential") else 0.0)
    assert up_to_sign(model.matrix, TRUE[kind]) < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_noise_spoils_little(kind: str) -> None:
    matches, good = scene(kind, 300, 100, noise=0.5)
    model, inliers = found(kind, matches, threshold=2.0)
    assert model is not None
    assert inliers[good].mean() > 0.97
    truth = Model(kind, TRUE[kind], 2.0, FOCAL)
    exact, _ = scene(kind, 300, 0)
    assert exact.xy_a is not None
    assert exact.xy_b is not None
    a, b = exact.xy_a.astype(float), exact.xy_b.astype(float)
    assert errors(truth, a, b, SIZE, SIZE).max() < 1e-3  # the test's own model fits its own points
    assert np.median(errors(model, a, b, SIZE, SIZE)) < 0.2


def test_the_pose_of_an_essential_matrix() -> None:
    matches, _ = scene("essential", 200, 0)
    model, _ = found("essential", matches, threshold=1.0)
    assert model is not None
    assert model.pose is not None
    assert model.focal == FOCAL
    np.testing.assert_allclose(model.pose, np.column_stack((TURN, MOVE)), atol=1e-4)


def test_without_a_focal_length_it_is_12_tenths_of_the_longer_side() -> None:
    matches, _ = scene("essential", 100, 0)
    result = verify(matches, MatchParams(verify="essential", threshold=20.0), SIZE, SIZE)
    assert result.model is not None
    assert result.model.focal == 1.2 * 800


def test_a_homography_ends_in_one_and_a_fundamental_matrix_has_unit_norm() -> None:
    model, _ = found("homography", scene("homography", 100, 10)[0])
    assert model is not None
    assert model.matrix[2, 2] == 1
    model, _ = found("fundamental", scene("fundamental", 100, 10)[0])
    assert model is not None
    assert np.linalg.norm(model.matrix) == pytest.approx(1, abs=1e-12)
    assert np.linalg.svd(model.matrix)[1][2] < 1e-9  # of rank two


def test_a_similarity_is_the_least_squares_fit_of_its_inliers() -> None:
    matches, good = scene("similarity", 120, 50, noise=0.8)
    model, inliers = found("similarity", matches, threshold=4.0)
    assert model is not None
    assert inliers[good].all()
    # Four unknowns: x' = p x - q y + s, y' = q x + p y + t.
    assert matches.xy_a is not None
    assert matches.xy_b is not None
    (x, y), (u, v) = matches.xy_a[inliers].astype(float).T, matches.xy_b[inliers].astype(float).T
    one, zero = np.ones(len(x)), np.zeros(len(x))
    system = np.concatenate([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)])
    p, q, s, t = np.linalg.lstsq(system, np.concatenate([u, v]), rcond=None)[0]
    np.testing.assert_allclose(model.matrix, [[p, -q, s], [q, p, t], [0, 0, 1]], atol=1e-9)


def test_a_mirrored_picture_is_no_similarity() -> None:
    matches, _ = scene("similarity", 100, 0)
    assert matches.xy_b is not None
    mirrored = replace(matches, xy_b=matches.xy_b * np.float32([-1, 1]))
    assert found("similarity", mirrored, min_inliers=10) == (None, pytest.approx(np.zeros(100, bool)))


# --- the sample pairs


@pytest.mark.parametrize("pair", ["astronaut", "dandelion"])
def test_the_sample_pairs_are_verified(
    pair: str, detected: Callable[[Path, str], siftcli.Features], sample_images: Path
) -> None:
    a, b = (detected(sample_images / f"pair_{pair}_{side}.jpg", "default") for side in "ab")
    truth = np.loadtxt(sample_images / f"pair_{pair}_H.txt")
    matches = siftcli.match(a, b, verify="homography", threshold=3.0)
    kept = matches.only_inliers()
    assert kept.xy_a is not None
    assert kept.xy_b is not None
    assert matches.model is not None
    assert a.image_size is not None
    error = np.linalg.norm(project(kept.xy_a.astype(float), truth) - kept.xy_b, axis=1)
    assert len(kept) > 400
    assert (error < 3).mean() >= 0.98
    width, height = a.image_size
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], float)
    moved = np.linalg.norm(project(corners, matches.model.matrix) - project(corners, truth), axis=1)
    assert moved.mean() <= 1


# --- errors


def test_errors_are_as_defined() -> None:
    random = np.random.default_rng(1)
    a, b = random.uniform((0, 0), SIZE, (2, 30, 2))
    fundamental = Model("fundamental", TRUE["fundamental"], 1.0)
    essential = Model("essential", TRUE["essential"], 1.0, FOCAL)
    wanted = []
    for p, q in zip(a, b, strict=True):
        x, y = np.array([*p, 1]), np.array([*q, 1])
        in_b, in_a = TRUE["fundamental"] @ x, TRUE["fundamental"].T @ y
        wanted.append(abs(y @ in_b) / np.sqrt(in_b[0] ** 2 + in_b[1] ** 2 + in_a[0] ** 2 + in_a[1] ** 2))
    np.testing.assert_allclose(errors(fundamental, a, b), wanted, rtol=1e-9)
    np.testing.assert_allclose(errors(essential, a, b, SIZE, SIZE), wanted, rtol=1e-9)
    np.testing.assert_allclose(
        errors(Model("homography", TRUE["homography"], 1.0), a, b),
        [np.linalg.norm(project(p[None], TRUE["homography"])[0] - q) for p, q in zip(a, b, strict=True)],
    )


def test_a_point_that_goes_to_infinity_is_no_inlier() -> None:
    vanishing = Model("homography", np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]]), 1.0)
    assert errors(vanishing, np.array([[100.0, 5.0]]), np.zeros((1, 2))).tolist() == [np.inf]


def test_the_errors_of_an_essential_matrix_need_the_camera() -> None:
    with pytest.raises(ValueError, match="focal"):
        errors(Model("essential", TRUE["essential"], 1.0), np.zeros((1, 2)), np.zeros((1, 2)), SIZE, SIZE)


# --- chance, and too little


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_model(kind: str) -> None:
    matches, _ = scene(kind, 150, 90, noise=0.7)
    first, again = (found(kind, matches, seed=7) for _ in range(2))
    assert first[0] is not None
    assert again[0] is not None
    np.testing.assert_array_equal(first[0].matrix, again[0].matrix)
    np.testing.assert_array_equal(first[1], again[1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 2, 14])
def test_fewer_matches_than_are_evidence_are_no_model(kind: str, n: int) -> None:
    model, inliers = found(kind, scene(kind, n, 0)[0])
    assert model is None
    assert inliers.shape == (n,)
    assert not inliers.any()


@pytest.mark.parametrize("kind", KINDS)
def test_matches_of_nothing_are_no_model(kind: str) -> None:
    model, inliers = found(kind, scene(kind, 40, 40)[0], threshold=0.5)
    assert model is None
    assert not inliers.any()


@pytest.mark.parametrize("kind", KINDS)
def test_matches_that_all_lie_at_one_place(kind: str) -> None:
    index = np.zeros((30, 2), np.int32)
    place = np.full((30, 2), 5, np.float32)
    result = verify(Matches(index, xy_a=place, xy_b=place), params(kind), SIZE, SIZE)
    assert result.inliers is not None
    assert result.inliers.shape == (30,)
    assert result.model is None or np.isfinite(result.model.matrix).all()


def test_without_a_kind_nothing_is_verified() -> None:
    matches, _ = scene("homography", 20, 0)
    assert verify(matches, MatchParams()) is matches
    assert matches.only_inliers() is matches


# --- what is missing


def test_without_poselib_the_message_tells_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "poselib", None)
    with pytest.raises(ParameterError, match=r"pip install 'siftcli\[geometry\]'") as error:
        require_estimator("homography")
    assert error.value.name == "verify"
    with pytest.raises(ParameterError, match="pip install"):
        found("fundamental", scene("fundamental", 3, 0)[0])
    assert found("similarity", scene("similarity", 30, 0)[0])[0] is not None


def test_an_essential_matrix_needs_the_sizes_of_the_images() -> None:
    with pytest.raises(ParameterError, match="sizes"):
        verify(scene("essential", 30, 0)[0], params("essential"), SIZE, None)
