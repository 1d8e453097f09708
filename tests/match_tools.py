"""What the tests of matching share: the slow, obvious matcher, and made-up features."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from siftcli import Features, MatchParams

Float64 = npt.NDArray[np.float64]


def distances(a: npt.NDArray[Any], b: npt.NDArray[Any], metric: str = "l2") -> Float64:
    """All distances in double precision, from differences; bytes in units of 512."""
    x, y = (np.asarray(d / 512.0 if d.dtype == np.uint8 else d, np.float64) for d in (a, b))
    if metric == "root":
        x, y = (_root(d.astype(np.float32)) for d in (x, y))
    out = np.empty((len(x), len(y)))
    for i, row in enumerate(x):
        out[i] = np.sqrt(np.square(row - y).sum(axis=1))
    return out


def _root(d: npt.NDArray[np.float32]) -> Float64:
    total = d.astype(np.float64).sum(axis=1, keepdims=True)
    return np.sqrt(d / np.where(total > 0, total, 1)).astype(np.float32).astype(np.float64)


def brute_force(
    a: npt.NDArray[Any],
    b: npt.NDArray[Any],
    params: MatchParams,
    xy: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None,
    consistent: npt.NDArray[np.bool_] | None = None,
) -> list[tuple[int, int, float, float]]:
    """Match by looping over all keypoints: index of a, index of b, distance, ratio.

    `xy` are the centres of both, for the ratio test "fginn".  Pairs that are not `consistent` do not exist.
    """
    distance = distances(a, b, params.metric)
    distance[~a.any(axis=1)] = distance[:, ~b.any(axis=1)] = np.inf
    if consistent is not None:
        distance[~consistent] = np.inf
    found = []
    for i, row in enumerate(distance):
        if not np.isfinite(row).any():
            continue
        j = int(row.argmin())  # the first of equals
        ratio = _ratio(row, j, params, xy and xy[1])
        if params.ratio_both_ways:
            ratio = max(ratio, _ratio(distance[:, j], i, params, xy and xy[0]))
        if params.ratio < 1 and not ratio < params.ratio:
            continue
        if params.max_distance is not None and row[j] > params.max_distance:
            continue
        if params.mutual and distance[:, j].argmin() != i:
            continue
        found.append((i, j, float(row[j]), float(ratio)))
    return found


def _ratio(row: Float64, j: int, params: MatchParams, xy: npt.NDArray[Any] | None) -> float:
    """The distance of j over that of the nearest other one, or of the nearest that lies elsewhere."""
    others = np.arange(len(row)) != j
    if params.ratio_test == "fginn":
        assert xy is not None
        others &= np.linalg.norm(xy.astype(float) - xy[j], axis=1) > params.fginn_radius
    second = row[others].min(initial=np.inf)
    return min(1.0, float(row[j] / second)) if second > 0 else 1.0


def features(descriptors: npt.NDArray[Any] | None, xy: npt.NDArray[Any] | None = None, **values: Any) -> Features:
    """Features with these descriptors, in a row or where `xy` says."""
    n = len(xy) if xy is not None else 0 if descriptors is None else len(descriptors)
    centres = np.stack([np.arange(n), np.arange(n) / 2], axis=1) if xy is None else xy
    return Features(
        xy=np.asarray(centres, np.float32).reshape(-1, 2),
        scales=np.ones(n, np.float32),
        orientations=np.zeros(n, np.float32),
        descriptors=descriptors,
        **values,
    )


def related(
    random: np.random.Generator, n: int, m: int, common: int, noise: float = 3.0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Descriptors like SIFT's, of norm near 512, of which some are on both sides, with noise, at other places."""

    def draw(count: int) -> Float64:
        d = random.gamma(0.5, 1.0, (count, 128))
        return 512 * d / np.linalg.norm(d, axis=1, keepdims=True)

    def quantised(d: Float64) -> npt.NDArray[np.uint8]:
        return np.floor(d).clip(0, 255).astype(np.uint8)

    a, b = draw(n), draw(m)
    b[random.permutation(m)[:common]] = a[random.permutation(n)[:common]] + random.normal(0, noise, (common, 128))
    return quantised(a), quantised(b)
