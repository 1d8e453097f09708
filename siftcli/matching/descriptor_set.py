"""Descriptors of an image prepared for matching, and their distances as a matrix product.

The squared distances of all pairs are one matrix product: with each descriptor `x` of the first side written as
``(2x, -|x|^2, 1)`` and each `y` of the second as ``(y, 1, -|y|^2)``, the product of two is ``-|x - y|^2``.

Quantised descriptors are exact in float32: they are integers over 512, and every sum of products stays below 2^24 in
those units.  Other descriptors are compared in float32 with a proven bound on its error, `rounding`; what lies within
that bound is computed again in float64 before anything is decided.  So matches do not depend on block sizes, threads or
the BLAS in use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError
from ..features import Float32, Float64, Index

__all__ = ["DescriptorSet", "first_side", "rounding", "squared_distances"]

_PAIRS = 4096
"""Distances computed at a time in float64."""

_WIDTH = 130
_UNIT = np.float32(1 / 512)
_ROUNDING = (_WIDTH + 6) * 2.0**-24
"""Relative error of a sum of `_WIDTH` products in float32, in any order, its terms rounded too."""

_TINY = 1e-36
"""More than what products of float32 lose to underflow."""

_LARGEST = 1e15
"""Descriptors beyond this would overflow."""


@dataclass(frozen=True, eq=False)
class DescriptorSet:
    """Descriptors prepared for matching; may serve many matches.

    Attributes
    ----------
    rows : (N, 130) float32
        The descriptor in units of its norm, 1, and minus its squared norm.
    exact : bool
        The descriptors are integers over 512.
    reach : float
        The largest norm.
    """

    rows: Float32
    exact: bool
    reach: float

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, descriptors: npt.NDArray[np.uint8] | Float32, metric: str = "l2") -> DescriptorSet:
        """Prepare descriptors.

        Parameters
        ----------
        descriptors : (N, 128) uint8 or float
            Quantised, or of about unit norm.
        metric : {"l2", "root"}
            "root" takes their RootSIFT form: divided by their sum, then the square root; zeros stay zeros.

        Raises
        ------
        ParameterError
            If a value is not finite, too large for float32 arithmetic, or negative with "root".
        """
        quantised = descriptors.dtype == np.uint8
        rows = np.empty((len(descriptors), _WIDTH), np.float32)
        values = rows[:, :128]
        if quantised:
            np.multiply(descriptors, _UNIT, out=values)
        else:
            if not (np.abs(descriptors) < _LARGEST).all():
                raise ParameterError("descriptors", "must be finite and of about unit norm")
            values[:] = descriptors
        if metric == "root":
            if not (values >= 0).all():
                raise ParameterError("metric", "root needs descriptors without negative values; use l2")
            total = values.sum(axis=1, keepdims=True, dtype=np.float64)
            values[:] = np.sqrt(values / np.where(total > 0, total, 1))
        norms = np.einsum("ij,ij->i", values, values, dtype=np.float64)
        rows[:, 128] = 1
        rows[:, 129] = -norms
        return cls(rows, bool(quantised and metric == "l2"), float(np.sqrt(norms.max(initial=0))))


def rounding(a: DescriptorSet, b: DescriptorSet) -> float:
    """Bound the error of a squared distance that the product gives; 0 where it is exact."""
    return 0.0 if a.exact and b.exact else _ROUNDING * (a.reach + b.reach) ** 2 + _TINY


def first_side(rows: Float32) -> Float32:
    """Turn (x, 1, -|x|^2) into (2x, -|x|^2, 1)."""
    out = np.multiply(rows, np.float32(2))
    out[:, 128] = rows[:, 129]
    out[:, 129] = 1
    return out


def squared_distances(query: Float32, base: Float32, row: Index, column: Index) -> Float64:
    """Compute the squared distances, (P,), of pairs of rows of two `DescriptorSet`, in float64."""
    out = np.empty(len(row))
    for i in range(0, len(row), _PAIRS):
        pick = slice(i, i + _PAIRS)
        difference = query[row[pick], :128].astype(np.float64) - base[column[pick], :128]
        out[pick] = np.square(difference, out=difference).sum(axis=1)
    return out
