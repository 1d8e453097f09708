"""Overlap of elliptical regions, as Mikolajczyk et al. 2005 compare detectors by it.

A region of the second image is mapped to the first by the homography's derivative at its centre.  Both are then scaled
about their own centres by the factor that gives the region of the first image the area of a circle of radius 30 px, so
that large regions are not favoured.  The overlap error is one minus the area of intersection over that of union.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..features import Features

__all__ = ["OVERLAP_ERROR", "correspondences", "inverse", "overlap_errors", "projected", "regions"]

Float64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

OVERLAP_ERROR = 0.4
"""Regions correspond if their overlap error is below this. [MikolajczykEtAl05 §4.1]"""
_RADIUS = 30.0
_REACH = 0.6
"""Regions correspond only if the centre of one lies within the other, scaled by this; none were found beyond 0.5."""
_RAYS = 128
"""Directions in which an intersection is measured: errors below 0.5 are right to 0.0002, larger ones to 0.003."""
_BLOCK = 4096

_ANGLES = 2 * np.pi * np.arange(_RAYS) / _RAYS
_RAY_X, _RAY_Y = np.cos(_ANGLES), np.sin(_ANGLES)


def regions(features: Features) -> Float64:
    """Return the frames as maps of the unit circle, (N, 2, 2): `Features.affine`, or circles of radius sigma."""
    if features.affine is not None:
        return features.affine.astype(np.float64)
    return np.asarray(features.scales.astype(np.float64)[:, None, None] * np.eye(2))


def projected(homography: Float64, xy: Float64, shapes: Float64 | None = None) -> tuple[Float64, Float64]:
    """Map points, and shapes around them by the derivative there.

    Parameters
    ----------
    homography : (3, 3) float64
    xy : (N, 2) float64
    shapes : (N, 2, 2) float64, optional
        By default circles of radius 1.

    Returns
    -------
    xy : (N, 2) float64
        NaN for points that are mapped to or beyond infinity.
    shapes : (N, 2, 2) float64
    """
    x, y = xy.T
    (a, b, c), (d, e, f), (g, h, i) = homography * np.sign(np.linalg.det(homography) or 1)
    w = g * x + h * y + i
    w = np.where(w > 0, w, np.nan)
    u, v = (a * x + b * y + c) / w, (d * x + e * y + f) / w
    derivative = np.stack([a - g * u, b - h * u, d - g * v, e - h * v], axis=1).reshape(-1, 2, 2) / w[:, None, None]
    return np.stack([u, v], axis=1), derivative if shapes is None else _product(derivative, shapes)


def inverse(homography: Float64) -> Float64:
    """Return the homography from the second image to the first."""
    return np.asarray(np.linalg.inv(homography), np.float64)


def overlap_errors(xy_a: Float64, shapes_a: Float64, xy_b: Float64, shapes_b: Float64) -> Float64:
    """Compute overlap errors of pairs of regions in one image.

    The intersection is integrated in polar coordinates around the centre of a, in which a is the unit circle.

    Parameters
    ----------
    xy_a, xy_b : (M, 2) float64
        Centres.
    shapes_a, shapes_b : (M, 2, 2) float64
        Maps of the unit circle.

    Returns
    -------
    (M,) float64
        In [0, 1]; 1 for regions without area.
    """
    out = np.ones(len(xy_a))
    for start in range(0, len(xy_a), _BLOCK):
        pick = slice(start, start + _BLOCK)
        out[pick] = _errors(xy_b[pick] - xy_a[pick], shapes_a[pick], shapes_b[pick])
    return out


def _errors(offset: Float64, a: Float64, b: Float64) -> Float64:
    area_a, area_b = np.abs(_determinant(a)), np.abs(_determinant(b))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Both scaled by s about their centres and then mapped so that a is the unit circle: s acts on the offset alone.
        back = _inverse(b)
        x, y = (back * offset[:, None, :]).sum(axis=2).T * (np.sqrt(area_a) / _RADIUS)
        p = _product(back, a)
        px = p[:, 0, 0, None] * _RAY_X + p[:, 0, 1, None] * _RAY_Y
        py = p[:, 1, 0, None] * _RAY_X + p[:, 1, 1, None] * _RAY_Y
        square = px * px + py * py
        middle = px * x[:, None] + py * y[:, None]
        root = np.sqrt(np.maximum(middle * middle - square * (x * x + y * y - 1)[:, None], 0))
        near = np.clip((middle - root) / square, 0, 1)
        far = np.clip((middle + root) / square, 0, 1)
        both = (far * far - near * near).mean(axis=1)  # of the area of a
        error = 1 - both / (1 + area_b / area_a - both)
    return np.where(np.isfinite(error), np.clip(error, 0, 1), 1.0)


def correspondences(xy_a: Float64, shapes_a: Float64, xy_b: Float64, shapes_b: Float64) -> tuple[Index, Index]:
    """Find which regions of one image correspond, one to one: pairs of least overlap error first.

    Parameters
    ----------
    xy_a, shapes_a, xy_b, shapes_b
        As for `overlap_errors`, (N, ...) and (M, ...); those of b are already mapped to a.

    Returns
    -------
    i, j : (K,) intp
        Into both.
    """
    from scipy.spatial import cKDTree  # type: ignore[import-untyped]

    if not len(xy_a) or not len(xy_b):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    area_a, area_b = np.abs(_determinant(shapes_a)), np.abs(_determinant(shapes_b))
    longest = np.linalg.norm(shapes_a, 2, axis=(1, 2))
    reach = np.divide(_REACH * _RADIUS * longest, np.sqrt(area_a), out=np.zeros(len(xy_a)), where=area_a > 0)
    near = cKDTree(xy_b).query_ball_point(xy_a, reach)
    i = np.repeat(np.arange(len(xy_a)), [len(found) for found in near])
    j = np.concatenate([np.asarray(found, np.intp) for found in near])
    likely = np.minimum(area_a[i], area_b[j]) > (1 - OVERLAP_ERROR) * np.maximum(area_a[i], area_b[j])
    i, j = i[likely], j[likely]
    error = overlap_errors(xy_a[i], shapes_a[i], xy_b[j], shapes_b[j])
    good = error < OVERLAP_ERROR
    i, j, error = i[good], j[good], error[good]
    order = np.lexsort((*xy_b[j].T, *xy_a[i].T, error))  # ties do not depend on the order of the regions
    free_a, free_b = bytearray(b"\1" * len(xy_a)), bytearray(b"\1" * len(xy_b))
    kept = []
    for k, first, second in zip(order.tolist(), i[order].tolist(), j[order].tolist(), strict=True):
        if free_a[first] and free_b[second]:
            free_a[first] = free_b[second] = 0
            kept.append(k)
    return i[kept], j[kept]


def _determinant(m: Float64) -> Float64:
    return np.asarray(m[:, 0, 0] * m[:, 1, 1] - m[:, 0, 1] * m[:, 1, 0])


def _inverse(m: Float64) -> Float64:
    adjugate = np.stack([m[:, 1, 1], -m[:, 0, 1], -m[:, 1, 0], m[:, 0, 0]], axis=1).reshape(-1, 2, 2)
    return np.asarray(adjugate / _determinant(m)[:, None, None])


def _product(a: Float64, b: Float64) -> Float64:
    """Multiply matrices without BLAS, whose rounding depends on the place of a matrix in the array."""
    return np.asarray(a[:, :, 0, None] * b[:, None, 0, :] + a[:, :, 1, None] * b[:, None, 1, :])
