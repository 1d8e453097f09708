"""Geometric verification: which matches obey one relation between the two images.

Homographies, fundamental and essential matrices are estimated by PoseLib (LO-RANSAC with non-linear refinement), an
optional dependency; similarities, which PoseLib does not offer, here.  All are seeded: the same matches give the same
model.  Whatever found the model, what an inlier is is decided here, by the errors that :class:`siftcli.matches.Model`
defines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError
from ..matches import Matches, Model
from ..params import MatchParams

__all__ = ["errors", "pixel_fundamental", "require_estimator", "transferred", "verify"]

Float64 = npt.NDArray[np.float64]

_SAMPLE = {"homography": 4, "fundamental": 7, "essential": 5, "similarity": 2}
"""How many matches determine a model."""

_CONFIDENCE = 0.9999
_MAX_TRIALS = 100_000
_BATCH = 256
_CELLS = 1 << 20
"""Errors computed at a time."""

_FOCAL = 1.2
"""The focal length of a camera of which nothing is known, in units of the longer side of its images."""


def require_estimator(kind: str, *, needed_by: str = "verify") -> None:
    """Raise ParameterError, with what to install, if a model of this kind cannot be estimated here.

    "auto" fails only if another option needs its model: without PoseLib,
    `siftcli.matching.evidence.verify_by_evidence` leaves matches as they are.  The error names `needed_by`.
    """
    if kind != "similarity" and (kind != "auto" or needed_by != "verify"):
        _poselib(needed_by)


def _poselib(needed_by: str = "verify") -> ModuleType:
    try:
        return import_module("poselib")
    except ImportError as error:
        raise ParameterError(
            needed_by, "needs PoseLib; install it with: pip install 'siftcli[geometry]' (similarity works without)"
        ) from error


def verify(
    matches: Matches,
    params: MatchParams,
    size_a: tuple[int, int] | None = None,
    size_b: tuple[int, int] | None = None,
) -> Matches:
    """Find the model that most matches obey, and which do.

    Parameters
    ----------
    matches : Matches
        With coordinates.
    params : MatchParams
        With `verify`, not "auto"; gives the threshold, the seed and the fewest inliers that are evidence.
    size_a, size_b : (width, height), optional
        In pixels; essential matrices need them.

    Returns
    -------
    Matches
        With `inliers`, and with the `model` if there is one.

    Raises
    ------
    ParameterError
        If PoseLib is needed and not there, or the sizes are.
    """
    if params.verify is None:
        return matches
    if matches.xy_a is None or matches.xy_b is None:
        raise ValueError("matches have no coordinates")
    require_estimator(params.verify)
    a, b = matches.xy_a.astype(np.float64), matches.xy_b.astype(np.float64)
    model = None
    if len(a) >= max(_SAMPLE[params.verify], params.min_inliers):
        model = _ESTIMATORS[params.verify](a, b, params, size_a, size_b)
    inliers = np.zeros(len(a), bool)
    if model is not None:
        inliers = errors(model, a, b, size_a, size_b) <= model.threshold
        if np.count_nonzero(inliers) < params.min_inliers:
            model, inliers = None, np.zeros(len(a), bool)
    return replace(matches, model=model, model_kind=None, inliers=inliers)


def errors(
    model: Model,
    a: Float64,
    b: Float64,
    size_a: tuple[int, int] | None = None,
    size_b: tuple[int, int] | None = None,
) -> Float64:
    """Compute by how many pixels matches disobey a model.

    Parameters
    ----------
    model : Model
        A model of any kind.
    a, b : (M, 2) float64
        Pixels.
    size_a, size_b : (width, height), optional
        Sizes of the images, for an essential matrix.

    Returns
    -------
    (M,) float64
        As :class:`siftcli.matches.Model` defines; infinite for points that a homography sends to infinity.
    """
    if model.kind in ("homography", "similarity"):
        return _transfer(model.matrix, a, b)
    return _sampson(pixel_fundamental(model, size_a, size_b), a, b)


def pixel_fundamental(model: Model, size_a: tuple[int, int] | None, size_b: tuple[int, int] | None) -> Float64:
    """Return the fundamental matrix, (3, 3), of a fundamental or essential model, for points in pixels."""
    if model.kind == "fundamental":
        return model.matrix
    to_a, to_b = _calibration(model.focal, size_a), _calibration(model.focal, size_b)
    return np.asarray(np.linalg.inv(to_b).T @ model.matrix @ np.linalg.inv(to_a))


def transferred(matrix: Float64, points: Float64) -> Float64:
    """Return where a homography sends points, (N, 2); infinite or NaN for those that it sends to infinity."""
    image = _homogeneous(points) @ matrix.T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(image[:, :2] / image[:, 2:])


def _homogeneous(points: Float64) -> Float64:
    return np.asarray(np.column_stack((points, np.ones(len(points)))))


def _transfer(matrix: Float64, a: Float64, b: Float64) -> Float64:
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.hypot(*(transferred(matrix, a) - b).T)
    return np.asarray(np.where(np.isfinite(error), error, np.inf))


def _sampson(fundamental: Float64, a: Float64, b: Float64) -> Float64:
    x_a, x_b = _homogeneous(a), _homogeneous(b)
    line_b, line_a = x_a @ fundamental.T, x_b @ fundamental
    slope = np.sqrt(np.square(line_b[:, :2]).sum(axis=1) + np.square(line_a[:, :2]).sum(axis=1))
    error = np.full(len(a), np.inf)
    np.divide(np.abs((x_b * line_b).sum(axis=1)), slope, out=error, where=slope > 0)
    return error


# --- PoseLib


def _options(params: MatchParams) -> dict[str, Any]:
    return {
        "max_reproj_error": params.threshold,
        "max_epipolar_error": params.threshold,
        "seed": params.seed,
        "success_prob": _CONFIDENCE,
        "max_iterations": _MAX_TRIALS,
    }


def _homography(a: Float64, b: Float64, params: MatchParams, *_: object) -> Model | None:
    matrix, _info = _poselib().estimate_homography(a, b, _options(params), {})
    if not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-12 * np.abs(matrix).max():
        return None
    return Model("homography", matrix / matrix[2, 2], params.threshold)


def _fundamental(a: Float64, b: Float64, params: MatchParams, *_: object) -> Model | None:
    matrix, _info = _poselib().estimate_fundamental(a, b, _options(params), {})
    norm = np.linalg.norm(matrix)
    if not np.isfinite(norm) or norm == 0:
        return None
    return Model("fundamental", matrix / norm, params.threshold)


def _essential(
    a: Float64,
    b: Float64,
    params: MatchParams,
    size_a: tuple[int, int] | None,
    size_b: tuple[int, int] | None,
) -> Model | None:
    if size_a is None or size_b is None:
        raise ParameterError(
            "verify", "essential needs the sizes of both images; give images or HDF5 features, or use fundamental"
        )
    focal = params.focal if params.focal is not None else _FOCAL * max(*size_a, *size_b)
    cameras = [
        {"model": "SIMPLE_PINHOLE", "width": w, "height": h, "params": [focal, (w - 1) / 2, (h - 1) / 2]}
        for w, h in (size_a, size_b)
    ]
    found, _info = _poselib().estimate_relative_pose(a, b, *cameras, _options(params), {})
    rotation, translation = np.asarray(found.R), np.asarray(found.t)
    length = np.linalg.norm(translation)
    if not np.isfinite(rotation).all() or not np.isfinite(length) or length == 0:
        return None
    x, y, z = translation = translation / length
    matrix = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ rotation
    return Model("essential", matrix, params.threshold, focal, np.column_stack((rotation, translation)))


def _calibration(focal: float | None, size: tuple[int, int] | None) -> Float64:
    if focal is None or size is None:
        raise ValueError("the errors of an essential matrix need the focal length and the sizes of the images")
    return np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])


# --- similarities: complex numbers, b = factor a + shift


def _similarity(a: Float64, b: Float64, params: MatchParams, *_: object) -> Model | None:
    """Find a similarity by RANSAC with truncated squared errors, each best one refined on its inliers."""
    p, q = a @ (1, 1j), b @ (1, 1j)
    best, best_cost, trials = None, math.inf, 0
    batch = max(1, min(_BATCH, _CELLS // len(p)))
    random = np.random.default_rng(params.seed)
    wanted = float(_MAX_TRIALS)
    while trials < wanted:
        pairs = random.integers(0, len(p), (batch, 2))
        pairs = pairs[p[pairs[:, 0]] != p[pairs[:, 1]]]
        start, stop = pairs.T
        factor = (q[stop] - q[start]) / (p[stop] - p[start])
        trials += batch
        for candidate in _promising(p, q, factor, q[start] - factor * p[start], params.threshold, best_cost):
            model, cost, inliers = _refined(p, q, candidate, params.threshold)
            if cost < best_cost:
                best, best_cost = model, cost
                wanted = min(wanted, _trials_for(inliers / len(p)))
    if best is None:
        return None
    z, t = best
    matrix = np.array([[z.real, -z.imag, t.real], [z.imag, z.real, t.imag], [0, 0, 1]])
    return Model("similarity", matrix, params.threshold)


def _promising(
    p: Any, q: Any, factor: Any, shift: Any, threshold: float, best_cost: float
) -> list[tuple[complex, complex]]:
    """Return the best of these models, if it is better than what there is."""
    if not len(factor):
        return []
    error = factor[:, None] * p
    error += shift[:, None] - q
    cost = np.minimum(np.square(error.real) + np.square(error.imag), threshold**2).sum(axis=1)
    k = int(cost.argmin())
    return [(complex(factor[k]), complex(shift[k]))] if cost[k] < best_cost and factor[k] != 0 else []


def _refined(
    p: Any, q: Any, model: tuple[complex, complex], threshold: float
) -> tuple[tuple[complex, complex], float, int]:
    """Fit a similarity to its inliers, by least squares, for as long as that lowers the truncated squared error."""
    best, best_cost, best_inliers = model, math.inf, 0
    while True:
        error = np.abs(model[0] * p + model[1] - q)
        inlier = error <= threshold
        cost = float(np.square(np.minimum(error, threshold)).sum())
        if not cost < best_cost:
            return best, best_cost, best_inliers
        best, best_cost, best_inliers = model, cost, int(np.count_nonzero(inlier))
        x, y = p[inlier], q[inlier]
        x_centre, y_centre = x.mean(), y.mean()
        spread = np.square(np.abs(x - x_centre)).sum()
        if not spread > 0:
            return best, best_cost, best_inliers
        factor = complex(np.vdot(x - x_centre, y - y_centre) / spread)
        model = factor, complex(y_centre - factor * x_centre)


def _trials_for(share: float) -> float:
    """Samples of two after which one without outliers has been drawn, almost surely, at this share of inliers."""
    miss = 1 - share**2
    return math.log(1 - _CONFIDENCE) / math.log(miss) if 0 < miss < 1 else (0.0 if miss <= 0 else math.inf)


_ESTIMATORS: dict[str, Callable[..., Model | None]] = {
    "homography": _homography,
    "fundamental": _fundamental,
    "essential": _essential,
    "similarity": _similarity,
}
