"""The nearest neighbours of keypoints near their epipolar lines. [HartleyZisserman04 §9.2, §11.4]

A fundamental matrix of rank 2 is a product of two maps to the plane: ``b^T F a = q(b) . p(a)``.  The directions of p
and of the perpendicular of q tell the epipolar lines of two points, in one parameter; two points obey F if these
directions hardly differ.  So the points of the first image are sorted by direction and divided into blocks, and each
block is compared with those points of the second image only whose direction lies within its range, widened by a bound
on the effect of the threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..features import Float32, Float64, Index, Mask
from .descriptor_set import DescriptorSet, first_side, rounding, squared_distances

__all__ = ["nearest_near_lines"]

_ROWS, _COLUMNS = 128, 2048
"""Keypoints of the first and of the second image that are compared at a time."""
_DOUBT = 1e-6
"""Share of the squared threshold by which rounding may change a squared error."""


@dataclass(frozen=True, eq=False)
class _Points:
    """The points of one image.

    Attributes
    ----------
    length, direction : (N,) float64
        Polar coordinates of p, or of q rotated by a right angle, which is parallel to p where the points obey F;
        radians in [0, pi).
    line : (N, 3) float64
        Epipolar line in the other image.
    slope : (N,) float64
        Sum of the squares of its first two components, times the squared threshold.
    """

    length: Float64
    direction: Float64
    line: Float64
    slope: Float64

    @classmethod
    def of(cls, plane: Float64, line: Float64, threshold: float) -> _Points:
        """Return points with their images in the plane and their lines."""
        direction = np.arctan2(plane[:, 1], plane[:, 0]) % np.pi
        slope = np.square(line[:, :2]).sum(axis=1) * threshold**2
        return cls(np.hypot(*plane.T), direction, line, slope)


def nearest_near_lines(
    fundamental: Float64,
    threshold: float,
    descriptors: tuple[DescriptorSet, DescriptorSet],
    xy: tuple[Float64, Float64],
    obeys: Callable[[Index, Index], Mask],
) -> tuple[Index, Index, Float64]:
    """Find the two nearest of each keypoint among those that obey a fundamental matrix.

    Parameters
    ----------
    fundamental : (3, 3) float64
        For points in pixels.
    threshold : float
        Largest Sampson distance, in pixels.
    descriptors : two DescriptorSet
        N and M of them.
    xy : (N, 2) and (M, 2) float64
        Pixels.
    obeys : callable
        Decides on pairs of indices whose error is the threshold up to rounding.

    Returns
    -------
    a, b : (P,) intp
        Pairs that obey the matrix; with each keypoint of either image all those that are as near as its two nearest.
    squared : (P,) float64
        Squared distances of their descriptors.
    """
    none = np.empty(0, np.intp)
    if not len(xy[0]) or not len(xy[1]):
        return none, none, np.empty(0)
    a, b, rest = _factored(fundamental, threshold, *xy)
    x_b = np.column_stack((xy[1], np.ones(len(xy[1]))))
    fuzz = rounding(*descriptors)
    found = [(none, none, np.empty(0))]
    for rows in _blocks(a):
        columns = _candidates(a, b, rows, rest)
        first = first_side(descriptors[0].rows[rows])
        for start in range(0, len(columns), _COLUMNS):
            some = columns[start : start + _COLUMNS]
            error = a.line[rows] @ x_b[some].T
            error *= error
            limit = a.slope[rows, None] + b.slope[some]
            error -= limit
            limit *= _DOUBT
            good = error <= limit
            row, column = np.nonzero(good & (error >= -limit))
            good[row, column] = obeys(rows[row], some[column])
            product = first @ descriptors[1].rows[some].T
            product[~good] = -np.inf
            row, column = _two_largest(product, fuzz)
            i, j = rows[row], some[column]
            if fuzz:
                squared = squared_distances(descriptors[0].rows, descriptors[1].rows, i, j)
            else:
                squared = -product[row, column].astype(np.float64)
            found.append((i, j, squared))
    i, j, squared = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return i, j, squared


def _factored(fundamental: Float64, threshold: float, a: Float64, b: Float64) -> tuple[_Points, _Points, float]:
    """Return both images' points, and a bound on the part of ``b^T F a`` beyond rank 2."""
    (x_a, to_a), (x_b, to_b) = _normalised(a), _normalised(b)
    left, weights, right = np.linalg.svd(to_b.T @ fundamental @ to_a)
    p, q = x_a @ right.T, x_b @ left * weights
    rest = float(np.abs(p[:, 2]).max() * np.abs(q[:, 2]).max())
    line_b = np.column_stack((a, np.ones(len(a)))) @ fundamental.T
    line_a = np.column_stack((b, np.ones(len(b)))) @ fundamental
    turned = np.column_stack((-q[:, 1], q[:, 0]))
    return _Points.of(p[:, :2], line_b, threshold), _Points.of(turned, line_a, threshold), rest


def _normalised(points: Float64) -> tuple[Float64, Float64]:
    """Return homogeneous points of about unit size, (N, 3), and the matrix that takes them back to pixels."""
    centre, size = points.mean(axis=0), float(np.abs(points - points.mean(axis=0)).max()) or 1.0
    to_pixels = np.array([[size, 0, centre[0]], [0, size, centre[1]], [0, 0, 1]])
    return np.column_stack(((points - centre) / size, np.ones(len(points)))), to_pixels


def _blocks(points: _Points) -> list[Index]:
    """Divide points into blocks of similar direction; those near the epipole apart, whose direction is uncertain."""
    ring = np.floor(np.log2(np.maximum(points.length, 1e-300)))
    order = np.lexsort((points.direction, ring))
    return [order[i : i + _ROWS] for i in range(0, len(order), _ROWS)]


def _candidates(a: _Points, b: _Points, rows: Index, rest: float) -> Index:
    """Return the points of `b` that may obey F with one of these of `a`; ascending."""
    direction = a.direction[rows]
    middle, half = (direction.max() + direction.min()) / 2, (direction.max() - direction.min()) / 2
    # |b^T F a| is the product of the lengths and of the sine of the difference of the directions, up to `rest`.
    reach = (np.sqrt(a.slope[rows].max() + b.slope) + rest) * (1 + _DOUBT)
    lengths = a.length[rows].min() * b.length
    sine = np.ones(len(lengths))
    np.divide(reach, lengths, out=sine, where=reach < lengths)
    difference = np.abs((b.direction - middle + np.pi / 2) % np.pi - np.pi / 2)
    return np.flatnonzero(difference <= half + np.arcsin(sine) + _DOUBT)


def _two_largest(product: Float32, fuzz: float) -> tuple[Index, Index]:
    """Return rows and columns of the values not less than the second largest of their row or column, nor -inf."""
    if product.shape[1] == 0:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    slack = np.float32(2.1 * fuzz)  # a little more than twice, since this difference is rounded too
    chosen = product >= _second(product, 1)[:, None] - slack
    chosen |= product >= _second(product, 0) - slack
    chosen &= product > -np.inf
    row, column = np.nonzero(chosen)
    return row, column


def _second(product: Float32, axis: int) -> Float32:
    """Return the second largest values along an axis; -inf where there is one alone."""
    index = np.expand_dims(product.argmax(axis=axis), axis)
    first = np.take_along_axis(product, index, axis)
    np.put_along_axis(product, index, -np.inf, axis)
    second: Float32 = product.max(axis=axis)
    np.put_along_axis(product, index, first, axis)
    return second
