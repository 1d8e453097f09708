"""Models of two views as COLMAP's database has them: configurations, pixels, the order of the images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...conventions import corner_origin
from ...matches import Model

__all__ = ["geometry_columns", "stored_model"]

_DEGENERATE = 1
_CONFIGURATIONS = {"essential": (2, "E"), "fundamental": (3, "F"), "homography": (6, "H"), "similarity": (6, "H")}
"""Kind of a model to the number of COLMAP's configuration of two views, and the matrix there.

2 is calibrated, 3 uncalibrated, 6 planar or panoramic.
"""

_KINDS = {2: ("essential", "E"), 3: ("fundamental", "F"), 4: ("homography", "H"), 5: ("homography", "H")} | {
    6: ("homography", "H"),
    9: ("essential", "E"),
}
"""COLMAP's configuration to the kind of its model: 4 is planar, 5 panoramic, 9 calibrated with a rig."""

_THRESHOLD = 4.0
"""Pixels of error that an inlier may have: COLMAP's default, for a database does not tell it."""

_SHIFT = np.eye(3)
_SHIFT[:2, 2] = corner_origin(np.zeros(2))
_BACK = np.linalg.inv(_SHIFT)


def geometry_columns(model: Model | None, turned: bool, absent: bool) -> dict[str, object]:
    """Return the configuration and the matrices of a pair; those that it lacks are absent, or zero."""
    blank = {} if absent or model is None else {key: bytes(72) for key in "FEH"}
    pose: dict[str, object] = {"qvec": _packed((1, 0, 0, 0)), "tvec": bytes(24)} if blank else {}
    if model is None:
        return {"config": _DEGENERATE}
    config, key = _CONFIGURATIONS[model.kind]
    if model.pose is not None:
        rotation, translation = model.pose[:, :3], model.pose[:, 3]
        if turned:
            rotation, translation = rotation.T, -rotation.T @ translation
        pose = {"qvec": _packed(_quaternion(rotation)), "tvec": _packed(translation)}
    return {"config": config, **blank, key: _packed(_colmap_matrix(model, turned)), **pose}


def _packed(values: npt.ArrayLike) -> bytes:
    return np.ascontiguousarray(values, "<f8").tobytes()


def _colmap_matrix(model: Model, turned: bool) -> npt.NDArray[np.float64]:
    """Return a model's matrix for points in COLMAP's pixels; an essential matrix is about none."""
    if model.kind == "essential":
        return model.matrix.T if turned else model.matrix
    if model.kind == "fundamental":
        matrix = _BACK.T @ model.matrix @ _BACK
        return matrix.T if turned else matrix
    matrix = _SHIFT @ model.matrix @ _BACK
    return np.linalg.inv(matrix) if turned else matrix


def _quaternion(rotation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the unit quaternion (w, x, y, z) of a rotation: the eigenvector of Bar-Itzhack's matrix."""
    r = rotation
    trace = np.trace(r)
    skew = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    k = np.empty((4, 4))
    k[0, 0], k[0, 1:], k[1:, 0] = trace, skew, skew
    k[1:, 1:] = r + r.T - trace * np.eye(3)
    _, vectors = np.linalg.eigh(k / 3)
    q = vectors[:, -1]
    return q if q[0] >= 0 else -q


def stored_model(config: object, blobs: dict[str, object], turned: bool) -> Model | None:
    """Return the model of a configuration, in the library's pixels; None where there is none."""
    kind, key = _KINDS.get(config, ("", ""))  # type: ignore[call-overload]
    blob = blobs.get(key)
    if not isinstance(blob, bytes) or len(blob) != 72:
        return None
    matrix = np.frombuffer(blob, "<f8").reshape(3, 3)
    if not np.isfinite(matrix).all() or not matrix.any():
        return None
    if kind == "fundamental":
        matrix = _SHIFT.T @ matrix @ _SHIFT
        matrix = matrix / np.linalg.norm(matrix)
    elif kind == "homography":
        if turned:
            with np.errstate(all="ignore"):
                if not np.linalg.det(matrix):
                    return None
            matrix = np.linalg.inv(matrix)
        matrix = _BACK @ matrix @ _SHIFT
        return Model(kind, matrix / matrix[2, 2] if matrix[2, 2] else matrix, _THRESHOLD)
    return Model(kind, matrix.T if turned else matrix.copy(), _THRESHOLD)
