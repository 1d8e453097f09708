"""One image brought into the other's frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ParameterError
from ..features import Matches

__all__ = ["fit_homography", "homography_of", "mapped", "warped"]

_Array = npt.NDArray[np.float64]

_FEWEST = 4
"""Matches that determine a homography."""


def mapped(homography: _Array, xy: npt.NDArray[np.floating]) -> _Array:
    """Return where a homography takes points, (N, 2); NaN for those that it takes to or beyond infinity."""
    x, y, w = homography[:, :2] @ np.asarray(xy, np.float64).T + homography[:, 2:]
    w = np.where(w > 0, w, np.nan)
    return np.stack([x / w, y / w], axis=1)


def fit_homography(xy_a: npt.NDArray[np.floating], xy_b: npt.NDArray[np.floating]) -> _Array:
    """Return the homography that takes points of a to points of b, by linear least squares. [Hartley & Zisserman §4.4]

    Parameters
    ----------
    xy_a, xy_b : (N, 2) array
        At least four, not on a line.

    Returns
    -------
    (3, 3) float64
        Its last element is 1.
    """
    (a, to_a), (b, to_b) = _centred(xy_a), _centred(xy_b)
    one, none = np.ones(len(a)), np.zeros((len(a), 3))
    points = np.column_stack([a, one])
    rows = np.concatenate([np.hstack([points, none, -b[:, :1] * points]), np.hstack([none, points, -b[:, 1:] * points])])
    matrix = np.linalg.inv(to_b) @ np.linalg.svd(rows)[2][-1].reshape(3, 3) @ to_a
    return np.asarray(matrix / matrix[2, 2])


def _centred(xy: npt.NDArray[np.floating]) -> tuple[_Array, _Array]:
    """Shift and scale points to mean 0 and a mean distance of sqrt(2); also return the matrix that does it."""
    xy = np.asarray(xy, np.float64)
    mean = xy.mean(axis=0)
    scale = np.sqrt(2) / max(float(np.hypot(*(xy - mean).T).mean()), 1e-12)
    return (xy - mean) * scale, np.array([[scale, 0, -scale * mean[0]], [0, scale, -scale * mean[1]], [0, 0, 1]])


def homography_of(matches: Matches, xy_a: npt.NDArray[np.floating], xy_b: npt.NDArray[np.floating]) -> _Array:
    """Return the homography of matches: that of their model, or else the one that fits their inliers.

    Parameters
    ----------
    matches : Matches
    xy_a, xy_b : (M, 2) array
        Where they are.

    Raises
    ------
    ParameterError
        If they have neither.
    """
    model = matches.model
    if model is not None and model.kind in ("homography", "similarity"):
        return model.matrix
    if matches.inliers is None or (model is not None):
        raise ParameterError("layout", "needs matches that were verified by a homography; match with --verify homography")
    if int(matches.inliers.sum()) < _FEWEST:
        raise ParameterError("layout", f"needs {_FEWEST} inliers, and the matches have {int(matches.inliers.sum())}")
    return fit_homography(xy_a[matches.inliers], xy_b[matches.inliers])


def warped(
    image: Image.Image, homography: _Array, size: tuple[int, int]
) -> tuple[Image.Image, npt.NDArray[np.bool_]]:
    """Return an RGB image as a homography takes it, and where it covers the result.

    Parameters
    ----------
    homography : (3, 3) array
        From pixels of the image to pixels of the result, the centre of the first at (0, 0).
    size : (width, height)
        Of the result.
    """
    # Pillow has the corner of the first pixel at (0, 0), and asks where each pixel of the result comes from.
    corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    back = corner @ np.linalg.inv(homography) @ np.linalg.inv(corner)
    back /= back[2, 2]
    how = Image.Transform.PERSPECTIVE, back.ravel()[:8].tolist()
    cover = Image.new("L", image.size, 255).transform(size, *how, Image.Resampling.NEAREST)
    return image.transform(size, *how, Image.Resampling.BICUBIC), np.asarray(cover) > 0
