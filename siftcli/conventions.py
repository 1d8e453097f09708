"""The one place where axes, angles, origins, bin orders and number formats are converted.

Inside the library
------------------
* `x` is the column, `y` the row; the centre of the first pixel is (0, 0).  Arrays index `[row, col]`.
* Angles are in radians, y down, clockwise on screen positive (VLFeat's convention), in [-pi, pi).
* A descriptor is `[y-bin][x-bin][orientation]`, orientation fastest (VLFeat's layout).
* A quantised descriptor is ``min(255, floor(512 d))`` in uint8.

Lowe's files
------------
* Orientation is y up, counter-clockwise: minus the library's, so in (-pi, pi].
* Within each of the 16 cells, bin k of Lowe is bin (8 - k) mod 8 of VLFeat; the cells keep their order.

COLMAP, VisualSFM and hloc
--------------------------
* The matchers of COLMAP and VisualSFM take the cosine of two descriptors as their product over 512 squared, so their
  bytes are rounded, of norm 512.
* Lowe's bins, and yet y-down angles as in the library; hloc has them in degrees.
* In COLMAP and VisualSFM the centre of the first pixel is (0.5, 0.5): half a pixel is added on the way out.
* COLMAP's affine shape is ``sigma R(orientation)``, as `Features.affine`.

IPOL
----
* The first coordinate is the row, the second the column.  Orientation turns from the row axis (down) to the column
  axis (right), which is counter-clockwise on screen: pi / 2 minus the library's.
* The descriptor's first axis lies along the orientation, its second 90 degrees counter-clockwise of it, and its bins
  turn counter-clockwise: element [i][j][k] is the library's [3 - j][i][(8 - k) mod 8].

OpenCV
------
* ``size`` is twice sigma, angles are degrees in [0, 360), y down; the bins are Lowe's.

VLFeat and OpenMVG are as the library.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .features import Float32

__all__ = [
    "affine_of",
    "corner_origin",
    "dequantise",
    "descriptor_norms",
    "descriptor_unit",
    "flip_angles",
    "flip_bins",
    "ipol_angles",
    "ipol_bins",
    "library_bins",
    "pixel_origin",
    "quantise",
    "quantise_512",
    "similarity_of",
    "wrapped",
]

_LOWE_BIN = (8 - np.arange(8)) % 8
_LOWE_ORDER = (8 * np.arange(16)[:, None] + _LOWE_BIN).ravel()

_LIBRARY = np.arange(128).reshape(4, 4, 8)  # [y][x][orientation]
_IPOL_ORDER = _LIBRARY[::-1].transpose(1, 0, 2)[:, :, _LOWE_BIN].ravel()
_FROM_IPOL_ORDER = np.argsort(_IPOL_ORDER)

_RAISING_ORDER = np.argsort([int(f"{i:07b}"[::-1], 2) for i in range(128)])
"""Elements of a descriptor with their bits reversed, so that the first half, quarter, ... are spread evenly."""

_PI = np.float32(np.pi)
_NORM_TOLERANCE = 0.2
_CLIPPED = 255 / 512 * (1 - 1e-6)
"""The largest element of a quantised descriptor, in units of the norm."""

_Scalar = TypeVar("_Scalar", bound=np.generic)


def quantise(descriptors: Float32) -> npt.NDArray[np.uint8]:
    """Quantise unit-norm descriptors to bytes: ``min(255, floor(512 d))``.

    Parameters
    ----------
    descriptors : (N, 128) float32
        Non-negative.
    """
    return np.asarray(np.minimum(descriptors * np.float32(512), np.float32(255)).astype(np.uint8))


def quantise_512(descriptors: npt.NDArray[np.uint8] | Float32) -> npt.NDArray[np.uint8]:
    """Return bytes of norm 512, as the matchers of COLMAP and VisualSFM (SiftGPU) assume them.

    Floats are rounded: ``min(255, rint(512 d))``.  Bytes that were rounded down, which an image's median norm of 504 to
    511 tells, are raised by one, element after element that is not zero, until the norm is 512; as every element lost
    half a unit on average, that is about every other one.  The order of elements is the same for all descriptors, so
    that equal descriptors stay equal.  Other bytes stay as they are.  A descriptor does not count and stays as it is if
    it has an element of 255, so that its norm is clipped, or does not reach 512 even with all elements raised.

    Parameters
    ----------
    descriptors : (N, 128) uint8 or float32
        Non-negative; floats of unit norm.
    """
    if descriptors.dtype != np.uint8:
        return np.asarray(np.minimum(np.rint(descriptors * np.float32(512)), 255).astype(np.uint8))
    values = descriptors[:, _RAISING_ORDER].astype(np.float32)
    gains = (2 * values + 1) * (values > 0)  # of the squared norm
    lost = 512**2 - np.square(_norms(values))
    whole = (values.max(axis=1, initial=0) < 255) & (lost <= gains.sum(axis=1))
    values, gains, lost = values[whole], gains[whole], lost[whole]
    if not len(values) or not 504 <= np.median(_norms(values)) < 511:
        return descriptors  # type: ignore[return-value]
    raised = np.cumsum(gains, axis=1) - gains / 2 < lost[:, None]
    values += raised & (values > 0)
    rounded = descriptors.copy()
    rounded[whole] = values[:, np.argsort(_RAISING_ORDER)]
    return rounded  # type: ignore[return-value]


def _norms(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.sqrt(np.einsum("ij,ij->i", values, values))


def flip_angles(orientations: Float32) -> Float32:
    """Turn y-down angles (the library's) into y-up ones (Lowe's), or back: the map is its own inverse."""
    return -orientations


def flip_bins(descriptors: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Turn y-down orientation bins (VLFeat's) into y-up ones (Lowe's), or back: the map is its own inverse.

    Parameters
    ----------
    descriptors : (N, 128) array
        16 cells of 8 orientation bins.
    """
    return descriptors.take(_LOWE_ORDER, axis=1)  # a sixth of the time of an index


def dequantise(descriptors: npt.NDArray[np.uint8]) -> Float32:
    """Turn bytes into unit-norm descriptors; one that is all zero stays so.

    Parameters
    ----------
    descriptors : (N, 128) uint8
        In any order of bins.
    """
    values = descriptors.astype(np.float32)
    values /= np.maximum(_norms(values), 1)[:, None]
    return values


def corner_origin(xy: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Move the origin from the centre of the first pixel (the library's) to its corner (COLMAP's)."""
    return xy.astype(np.float64) + 0.5


def pixel_origin(xy: npt.NDArray[Any]) -> Float32:
    """Move the origin from the corner of the first pixel (COLMAP's) to its centre (the library's)."""
    return (xy.astype(np.float64) - 0.5).astype(np.float32)


def wrapped(angles: npt.NDArray[Any]) -> Float32:
    """Bring angles into [-pi, pi) of float32; those that are there already keep every bit.

    Parameters
    ----------
    angles : (N,) array
        Radians.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite stays so
        kept = angles.astype(np.float32)
        turned = ((angles.astype(np.float64) + np.pi) % (2 * np.pi) - np.pi).astype(np.float32)
    turned[turned >= _PI] = -_PI  # rounded up
    return np.where((kept >= -_PI) & (kept < _PI), kept, turned)


def ipol_angles(orientations: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Turn angles from the column axis, clockwise (the library's), into IPOL's from the row axis, or back.

    The map is its own inverse, but for whole turns; from angles in [-pi, pi) it gives some in (-pi, pi].
    """
    turned = np.pi / 2 - orientations.astype(np.float64)
    turned[turned > np.pi] -= 2 * np.pi
    return np.asarray(turned)


def ipol_bins(descriptors: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Put the library's descriptors, (N, 128), into IPOL's order, see the module."""
    return descriptors[:, _IPOL_ORDER]


def library_bins(descriptors: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Put IPOL's descriptors into the library's order: the inverse of :func:`ipol_bins`."""
    return descriptors[:, _FROM_IPOL_ORDER]


def affine_of(scales: npt.NDArray[Any], orientations: npt.NDArray[Any]) -> Float32:
    """Return the affine maps of similarity frames, ``sigma R(orientation)``.

    Parameters
    ----------
    scales, orientations : (N,) array
        Pixels, and radians y down.

    Returns
    -------
    (N, 2, 2) float32
    """
    scales, orientations = np.asarray(scales, np.float64), np.asarray(orientations, np.float64)
    c, s = scales * np.cos(orientations), scales * np.sin(orientations)
    return np.stack([np.stack([c, -s], axis=-1), np.stack([s, c], axis=-1)], axis=-2).astype(np.float32)


def similarity_of(affine: npt.NDArray[Any]) -> tuple[Float32, Float32]:
    """Return the scale and orientation of affine frames: ``sqrt(abs(det A))`` and the direction of A's first column.

    Parameters
    ----------
    affine : (N, 2, 2) array
        As `Features.affine`.

    Returns
    -------
    scales, orientations : (N,) float32
    """
    a = np.asarray(affine, np.float64)
    scales = np.sqrt(np.abs(a[:, 0, 0] * a[:, 1, 1] - a[:, 0, 1] * a[:, 1, 0]))
    return scales.astype(np.float32), wrapped(np.arctan2(a[:, 1, 0], a[:, 0, 0]))


def descriptor_norms(descriptors: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the norms of descriptors, (N, 128) of any type of numbers."""
    values = descriptors.astype(np.float32, copy=False)
    return np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))


def descriptor_unit(descriptors: npt.NDArray[Any]) -> float | None:
    """Tell from their values what norm float descriptors have: 1, or 512 as OpenCV writes them; None for neither.

    A descriptor counts as of that norm within 20 %, or if an element is as large as clipping to 255/512 leaves it; one
    that is all zero fits both.  RootSIFT has the norm 1 or 512 as well.

    Parameters
    ----------
    descriptors : (N, 128) float
        Finite and not negative.
    """
    norms, largest = descriptor_norms(descriptors), descriptors.max(axis=1, initial=0)
    filled = norms > 0
    for unit in (1.0, 512.0):
        clipped = largest >= unit * _CLIPPED
        if ((np.abs(norms / unit - 1) <= _NORM_TOLERANCE) | (clipped & (norms <= unit)) | ~filled).all():
            return unit
    return None
