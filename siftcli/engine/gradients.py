"""Windows of pixels around keypoints, and magnitude and angle of their gradients."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from ..features import Float32, Index
from .tiles import Tile

__all__ = ["SIGN", "TINY", "by_radius", "magnitude_angle", "windows"]

TINY = np.float32(1e-18)
"""Keeps quotients finite; the squares of smaller values are zero in float32."""
SIGN = np.uint32(0x80000000)
"""The sign bit of a float32."""
_RADII = (6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 35, 38, 41, 44, 48, 56, 64)
"""Radii of windows: a few, instead of one for each radius of a keypoint."""
_CALL = 1000
"""Differences of squared radii, one for each keypoint, whose samples cost as much as another call."""


def by_radius(radius: Index, samples: int) -> Iterator[tuple[int, Index]]:
    """Group keypoints by the radius of the window that they need.

    Parameters
    ----------
    radius : (N,) intp
    samples : int
        Pixels of all windows of a group, about.

    Yields
    ------
    radius : int
        Radius of the windows; at least that of every keypoint in the group.
    group : (n,) intp
        Indices of keypoints.
    """
    # Where few keypoints have a radius, larger windows cost less than another call.
    largest = int(radius.max(initial=0))
    sizes = [r for r in _RADII if r < largest]
    counts = np.searchsorted(np.sort(radius), sizes, side="right").tolist()
    used: list[int] = []
    done = 0
    for size, larger, count in zip(sizes, [*sizes, largest][1:], counts, strict=True):
        if (count - done) * (larger**2 - size**2) > _CALL:
            used.append(size)
            done = count
    used.append(largest)
    which = np.searchsorted(used, radius)
    for i, r in enumerate(used):
        members = np.flatnonzero(which == i)
        step = max(1, samples // (2 * r + 1) ** 2)
        for start in range(0, len(members), step):
            yield r, members[start : start + step]


def windows(tile: Tile, centre: Index, radius: int, step: int = 1) -> Float32:
    """Return copies of the squares of 2 radius + 1 pixels around those of these indices; see `Tile.flat`.

    They are every `step`-th pixel of the rows and columns.

    Returns
    -------
    (N, 2 radius + 1, 2 radius + 1) float32
    """
    side = 2 * radius + 1
    before = step * radius * (tile.stride + 1)
    shape = tile.levels.size - 2 * before, side, side  # the window around every pixel
    strides = 4, 4 * step * tile.stride, 4 * step
    every = np.ndarray(shape, np.float32, tile.levels, 0, strides)  # `as_strided` takes 20 us more
    copies: Float32 = every[centre - before]
    return copies


def magnitude_angle(x: Float32, y: Float32, scale: float, *, exact: bool) -> tuple[Float32, Float32]:
    """Return the magnitudes of vectors, and their angles times `scale`; x and y are overwritten.

    Parameters
    ----------
    x, y : float32 arrays
    scale : float
    exact : bool
        Whether angles have to be exact up to rounding; else within 2e-4 radians.

    Returns
    -------
    magnitude : float32 array
    angle : float32 array
        In [-pi, pi], times `scale`.
    """
    if exact or _has_fast_arctan2():
        angle: Float32 = np.arctan2(y, x)
        angle *= np.float32(scale)
        return _magnitude(x, y, x, y), angle
    magnitude = _magnitude(x, y, np.empty_like(x), np.empty_like(x))
    # 2 arctan(y / (|x| + magnitude)), and pi or -pi minus that where x < 0.
    z = np.abs(x)
    z += magnitude
    z += TINY
    np.divide(y, z, out=z)
    square = z * z
    c = _arctan_terms(2 * scale, 4)
    angle = square * c[3]
    for term in (c[2], c[1]):
        angle += term
        angle *= square
    angle += c[0]
    angle *= z
    quarter = np.copysign(np.float32(np.pi / 2 * scale), y)
    angle -= quarter
    signs = x.view(np.uint32)
    signs &= SIGN
    mirrored = angle.view(np.uint32)
    mirrored ^= signs
    angle += quarter
    return magnitude, angle


def _magnitude(x: Float32, y: Float32, out: Float32, spare: Float32) -> Float32:
    """Return the magnitudes of vectors, in `out`; `out` and `spare` may be x and y."""
    np.multiply(x, x, out=out)
    np.multiply(y, y, out=spare)
    out += spare
    magnitude: Float32 = np.sqrt(out, out=out)
    return magnitude


@lru_cache
def _has_fast_arctan2() -> bool:
    """Tell whether NumPy's arctan2 uses the vector unit of this processor: 0.5 ns a value instead of 22."""
    try:
        from numpy.lib.introspect import opt_func_info

        current: str = opt_func_info(func_name="^arctan2$", signature="float32")["arctan2"]["fff"]["current"]
    except (ImportError, KeyError):
        return False
    return not current.startswith("baseline")


@lru_cache
def _arctan_terms(scale: float, count: int) -> tuple[np.float32, ...]:
    """Return c with scale * arctan(z) ~ z (c0 + c1 z^2 + c2 z^4 + ...) for |z| <= 1."""
    z = np.cos(np.linspace(0, np.pi / 2, 400, endpoint=False))
    powers = z[:, None] ** (2 * np.arange(count) + 1)
    return tuple(np.linalg.lstsq(powers, scale * np.arctan(z), rcond=None)[0].astype(np.float32))
