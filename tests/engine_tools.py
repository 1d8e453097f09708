"""Access to the engine: the levels of its tiles, tiles with given levels, and fields of features that must exist."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from siftcli import Features
from siftcli.engine.extrema import Extrema, find_candidates, verify_extrema
from siftcli.engine.gaussian import whole_blocks
from siftcli.engine.keypoints import Keypoints
from siftcli.engine.octaves import INTENSITY_SCALE
from siftcli.engine.pyramid import Pyramid
from siftcli.engine.tiles import PADDING, Regions, Tile
from siftcli.features import Float32, Image
from siftcli.params import DetectorParams

HALO = 64


@cache
def rounds_by_place() -> bool:
    """Whether a row of a product is rounded by where it stands among others, as by OpenBLAS's Haswell kernels."""
    rng = np.random.default_rng(0)
    rows, matrix, order = rng.random((61, 400), np.float32), rng.random((400, 16), np.float32), rng.permutation(61)
    return not np.array_equal((rows @ matrix)[order], rows[order] @ matrix)


def field(features: Features, name: str) -> npt.NDArray[Any]:
    """Return a field of features that must not be missing."""
    values = getattr(features, name)
    assert isinstance(values, np.ndarray), f"no {name}"
    return values


def gaussian_levels(images: Image, detector: DetectorParams) -> dict[tuple[int, int], Float32]:
    """Collect the Gaussian levels of all tiles: (octave, image) to (levels, H, W)."""
    out: dict[tuple[int, int], Float32] = {}
    for tile in Pyramid.of(images, detector, HALO).tiles():
        for top, left, height, width, octave, image in np.transpose(tile.regions):
            levels = out.setdefault((int(octave), int(image)), np.full((len(tile.levels), height, width), np.nan))
            rows = slice(max(tile.core_start, top), min(tile.core_stop, top + height))
            inner = tile.levels[:, rows, left : left + width] / INTENSITY_SCALE
            levels[:, rows.start - top : rows.stop - top] = inner
    return {key: levels.astype(np.float32) for key, levels in out.items()}


def tile_of(levels: npt.NDArray[np.floating], octave: int = 0) -> Tile:
    """Return a tile with the given Gaussian levels (L, H, W) of one octave, white is 1."""
    count, height, width = levels.shape
    buffer = np.zeros((count, height + 2 * HALO, whole_blocks(width) + 2 * PADDING), np.float32)
    buffer[:, HALO : HALO + height, PADDING : PADDING + width] = levels * INTENSITY_SCALE
    place = (HALO, PADDING, height, width, octave, 0)
    return Tile(buffer, Regions(*(np.array([value]) for value in place)), HALO, HALO + height)


def tile_of_dog(dog: npt.NDArray[np.floating]) -> Tile:
    """Return a tile whose differences of levels are `dog`, (L, H, W)."""
    start = np.zeros_like(dog[:1])
    return tile_of(np.concatenate([start, np.cumsum(dog, axis=0, dtype=np.float64)]))


def find_extrema(tile: Tile, detector: DetectorParams) -> Extrema:
    """Return the extrema of a tile that has been computed."""
    return verify_extrema(tile, [find_candidates(tile, rows, detector) for rows in tile.strips()], detector)


def keypoints_at(xy: Sequence[tuple[float, float]], sigma: float, level: int = 1) -> Keypoints:
    """Return keypoints of the first region of a tile, in octave pixels."""
    x, y = np.array(xy, np.float32).reshape(-1, 2).T
    row, column = np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)
    n = len(x)
    return Keypoints(
        region=np.zeros(n, np.intp),
        level=np.full(n, level),
        row=row,
        column=column,
        y=y.copy(),
        x=x.copy(),
        sigma=np.full(n, sigma, np.float32),
        response=np.ones(n, np.float32),
        detected_at=np.stack([row, column], axis=1),
    )
