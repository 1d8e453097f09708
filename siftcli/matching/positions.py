"""Images that were taken near one another, by their positions on the Earth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["cartesian", "near_pairs"]

_AXIS, _FLATTENING = 6_378_137.0, 1 / 298.257223563
"""Semi-major axis in metres and flattening of the ellipsoid of WGS 84."""


def cartesian(positions: Sequence[tuple[float, float, float]]) -> npt.NDArray[np.float64]:
    """Turn geographic positions into Earth-centred ones (WGS 84).

    Parameters
    ----------
    positions : sequence of (latitude, longitude, altitude)
        Degrees and metres.  Where an altitude is not a number, all altitudes are taken as zero.

    Returns
    -------
    (N, 3) float64
        Metres: x towards latitude and longitude zero, z towards the north pole.
    """
    latitude, longitude, altitude = np.array(positions, np.float64).reshape(-1, 3).T
    if not np.isfinite(altitude).all():
        altitude = np.zeros_like(altitude)
    phi, lam = np.radians(latitude), np.radians(longitude)
    squared = _FLATTENING * (2 - _FLATTENING)
    radius = _AXIS / np.sqrt(1 - squared * np.sin(phi) ** 2)
    across = (radius + altitude) * np.cos(phi)
    return np.column_stack(
        [across * np.cos(lam), across * np.sin(lam), (radius * (1 - squared) + altitude) * np.sin(phi)]
    )


def near_pairs(
    points: npt.NDArray[np.float64], within: float | None = None, neighbours: int | None = None
) -> npt.NDArray[np.intp]:
    """Return the pairs of points that are near one another, each once.

    Parameters
    ----------
    points : (N, 3) float64
        Metres.
    within : float, optional
        Only pairs at most so far apart, in metres.
    neighbours : int, optional
        Only pairs of which one is among the so many nearest of the other.

    Returns
    -------
    (P, 2) intp
        The smaller index first, sorted.
    """
    from scipy.spatial import KDTree  # type: ignore[import-untyped]

    if len(points) < 2:
        return np.zeros((0, 2), np.intp)
    tree = KDTree(points)
    if neighbours is None:
        pairs = tree.query_pairs(np.inf if within is None else within, output_type="ndarray")
    else:
        count = min(neighbours + 1, len(points))
        limit = np.inf if within is None else np.nextafter(within, np.inf)  # the tree leaves out what is at the limit
        _, found = tree.query(points, count, distance_upper_bound=limit)
        first = np.repeat(np.arange(len(points)), count)
        pairs = np.stack([first, found.ravel()], axis=1)
        pairs = pairs[(pairs[:, 1] != pairs[:, 0]) & (pairs[:, 1] < len(points))]
    return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.intp).reshape(-1, 2)
