"""Ways into the engine: its levels, sheets with levels of one's own, and fields of features that have to be there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from siftcli import Features
from siftcli.engine.localize import Points
from siftcli.engine.octaves import WHITE
from siftcli.engine.scale_space import ScaleSpace
from siftcli.engine.sheets import Sheet
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
    """Collect the Gaussian levels that pass by: (octave, image) to (levels, H, W)."""
    out: dict[tuple[int, int], Float32] = {}
    for sheet in ScaleSpace(images, detector, HALO).sheets():
        for _ in sheet.strips():
            pass
        regions = zip(sheet.octave, sheet.image, sheet.top, sheet.left, sheet.height, sheet.width, strict=True)
        for octave, image, top, left, height, width in regions:
            levels = out.setdefault((int(octave), int(image)), np.full((len(sheet.levels), height, width), np.nan))
            rows = slice(max(sheet.first, top), min(sheet.last, top + height))
            inner = sheet.levels[:, rows, left : left + width] / WHITE
            levels[:, rows.start - top : rows.stop - top] = inner
    return {key: levels.astype(np.float32) for key, levels in out.items()}


def sheet_of(levels: npt.NDArray[np.floating], octave: int = 0) -> Sheet:
    """Return a sheet with the given Gaussian levels (L, H, W) of one octave, white is 1."""
    count, height, width = levels.shape
    whole_blocks = -(-width // 16) * 16
    buffer = np.zeros((count, height + 2 * HALO, whole_blocks + 2 * Sheet.margin), np.float32)
    buffer[:, HALO : HALO + height, Sheet.margin : Sheet.margin + width] = levels * WHITE
    return Sheet(buffer, np.array([[HALO], [Sheet.margin], [height], [width], [octave], [0]]), HALO, HALO + height)


def sheet_of_dog(dog: npt.NDArray[np.floating]) -> Sheet:
    """Return a sheet whose differences of levels are `dog`, (L, H, W)."""
    start = np.zeros_like(dog[:1])
    return sheet_of(np.concatenate([start, np.cumsum(dog, axis=0, dtype=np.float64)]))


def points_at(xy: Sequence[tuple[float, float]], sigma: float, level: int = 1) -> Points:
    """Return points of the first region of a sheet, in octave pixels."""
    x, y = np.array(xy, np.float32).reshape(-1, 2).T
    row, column = np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)
    n = len(x)
    return Points(
        region=np.zeros(n, np.intp),
        level=np.full(n, level),
        row=row,
        column=column,
        y=y.copy(),
        x=x.copy(),
        sigma=np.full(n, sigma, np.float32),
        score=np.ones(n, np.float32),
        scan=np.stack([row, column], axis=1),
    )
