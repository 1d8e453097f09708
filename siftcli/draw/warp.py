"""Warp one image into the coordinates of another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ParameterError
from ..matches import Matches
from .palette import Theme

__all__ = ["fit_homography", "homography_of", "mapped", "overlaid", "union", "warped"]

_Array = npt.NDArray[np.float64]

_FEWEST = 4
"""Matches that determine a homography."""
_GAIN = 3.0
"""Largest factor by which contrast is changed."""
_DIM = 0.45
"""Brightness of what only one image shows."""


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
    rows = np.hstack([points, none, -b[:, :1] * points]), np.hstack([none, points, -b[:, 1:] * points])
    matrix = np.linalg.inv(to_b) @ np.linalg.svd(np.concatenate(rows))[2][-1].reshape(3, 3) @ to_a
    return np.asarray(matrix / matrix[2, 2])


def _centred(xy: npt.NDArray[np.floating]) -> tuple[_Array, _Array]:
    """Shift and scale points to mean 0 and a mean distance of sqrt(2); also return the matrix that does it."""
    xy = np.asarray(xy, np.float64)
    mean = xy.mean(axis=0)
    scale = np.sqrt(2) / max(float(np.hypot(*(xy - mean).T).mean()), 1e-12)
    return (xy - mean) * scale, np.array([[scale, 0, -scale * mean[0]], [0, scale, -scale * mean[1]], [0, 0, 1]])


def homography_of(matches: Matches) -> _Array:
    """Return the homography of matches: that of their model, or else the one that fits their inliers.

    Raises
    ------
    ParameterError
        If they have neither, or do not tell where they are.
    """
    model, inliers = matches.model, matches.inliers
    if model is not None and model.kind in ("homography", "similarity"):
        return model.matrix
    flat = matches.kind in (None, "homography", "similarity")
    if inliers is None or not flat or matches.xy_a is None or matches.xy_b is None:
        raise ParameterError("layout", "needs matches verified by a homography; match with --verify homography")
    if int(inliers.sum()) < _FEWEST:
        raise ParameterError("layout", f"needs {_FEWEST} inliers of a homography, and there are {int(inliers.sum())}")
    return fit_homography(matches.xy_a[inliers], matches.xy_b[inliers])


def union(homography: _Array, size_a: tuple[int, int], size_b: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, top, width and height of what holds b, and a as the homography takes it, in pixels of b.

    It extends beyond b by at most the size of b, because a steep perspective maps a to infinity.
    """
    (width_a, height_a), size = size_a, np.array(size_b)
    right, bottom = width_a - 0.5, height_a - 0.5
    corners = mapped(homography, np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]]))
    far = np.where(np.isnan(corners), np.array([[-1.0], [2.0], [2.0], [-1.0]]) * size, corners)
    low = np.minimum(np.maximum(far.min(axis=0) + 0.5, -size), 0)
    high = np.maximum(np.minimum(far.max(axis=0) + 0.5, 2 * size), size)
    left, top = np.floor(low).astype(int).tolist()
    width, height = (np.ceil(high) - np.floor(low)).astype(int).tolist()
    return left, top, width, height


def warped(image: Image.Image, homography: _Array, size: tuple[int, int]) -> tuple[Image.Image, npt.NDArray[np.bool_]]:
    """Return an RGB image as a homography takes it, and where it covers the result.

    Parameters
    ----------
    homography : (3, 3) array
        From pixels of the image to pixels of the result, the centre of the first at (0, 0).
    size : (width, height)
        Size of the result.
    """
    # Pillow has the corner of the first pixel at (0, 0), and asks where each pixel of the result comes from.
    corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    back = corner @ np.linalg.inv(homography) @ np.linalg.inv(corner)
    back /= back[2, 2]
    how = Image.Transform.PERSPECTIVE, back.ravel()[:8].tolist()
    cover = Image.new("L", image.size, 255).transform(size, *how, Image.Resampling.NEAREST)
    return image.transform(size, *how, Image.Resampling.BICUBIC), np.asarray(cover) > 0


def overlaid(
    a: Image.Image, b: Image.Image, homography: _Array, offset: tuple[int, int], size: tuple[int, int], theme: Theme
) -> Image.Image:
    """Return a, as a homography takes it, in magenta over b in green: grey where they agree.

    Where both are, a is brought to b's mean and contrast; where only one is, it is grey and dimmed.

    Parameters
    ----------
    homography : (3, 3) array
        From pixels of a to pixels of the result.
    offset : (x, y)
        Pixel of the result at which b begins.
    size : (width, height)
        Size of the result.
    theme : Theme
        Gives the colour of what neither image covers.
    """
    moved, in_a = warped(a, homography, size)
    other, cover = Image.new("L", size), Image.new("L", size)
    other.paste(b.convert("L"), offset)
    cover.paste(255, (*offset, offset[0] + b.width, offset[1] + b.height))
    magenta, green, in_b = np.asarray(moved.convert("L"), np.float32), np.asarray(other), np.asarray(cover) > 0
    both = in_a & in_b
    if both.any():
        ours, theirs = magenta[both], green[both]
        gain = float(np.clip(theirs.std() / max(float(ours.std()), 1.0), 1 / _GAIN, _GAIN))
        magenta = ((magenta - ours.mean()) * gain + theirs.mean()).clip(0, 255)
    result = np.full((*green.shape, len(theme.mode)), theme.fill, np.uint8)
    result[in_a | in_b, 3:] = 255
    result[both, :3] = np.stack([magenta[both], green[both], magenta[both]], axis=1)
    for grey, alone in ((magenta, in_a & ~in_b), (green, in_b & ~in_a)):
        result[alone, :3] = (_DIM * grey[alone])[:, None]
    return Image.fromarray(result)
