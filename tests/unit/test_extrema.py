"""Extrema at whole pixels: against the definition, and its rules on shapes that are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import reference
from engine_tools import find_extrema, tile_of, tile_of_dog
from hypothesis import given, settings
from hypothesis import strategies as st

from siftcli.engine.extrema import Extrema, dog_cubes
from siftcli.engine.octaves import INTENSITY_SCALE
from siftcli.engine.tiles import Tile
from siftcli.engine.tuning import TUNING
from siftcli.params import DetectorParams

DETECTOR = DetectorParams()
LIMIT = 0.8 * DETECTOR.dog_threshold
NO_EDGES = DetectorParams(edge_threshold=1e6)


def found(tile: Tile, detector: DetectorParams = DETECTOR) -> list[tuple[int, int, int]]:
    """Level, row and column of the extrema of a tile, all at once."""
    extrema = find_extrema(tile, detector)
    return list(zip(extrema.level.tolist(), extrema.row.tolist(), extrema.column.tolist(), strict=True))


def peak(value: float, *, width: float = 2.0, where: tuple[int, int, int] = (2, 20, 24)) -> npt.NDArray[np.float64]:
    """DoG levels (5, 40, 48) of one Gaussian peak."""
    s, y, x = np.ogrid[:5, :40, :48]
    q = ((x - where[2]) ** 2 + (y - where[1]) ** 2 + (s - where[0]) ** 2) / width**2
    return np.asarray(value * np.exp(-q / 2))


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 50, 10**6]), st.sampled_from([0.04, 0.001, 0.0]))
def test_every_extremum_and_no_other(seed: int, steps: int, threshold: float) -> None:
    """Slow reference: all 26 neighbours of every pixel of noise in few steps (ties) and many.

    Below a threshold of 0.0073, the DoG is not rounded to whole numbers.
    """
    detector = DetectorParams(contrast_threshold=threshold)
    noise = np.random.default_rng(seed).integers(-steps, steps + 1, (6, 26, 31)) / np.float32(8 * steps)
    levels = noise.astype(np.float32)
    dog = np.diff(levels, axis=0).astype(np.float64)
    # The two tests of the ratio, in float32 and in double precision, may differ at equality.
    ours, expected = (
        [e for e in every if not at_edge_limit(dog[e[0]], *e[1:])]
        for every in (found(tile_of(levels), detector), reference.extrema(dog, detector.dog_threshold))
    )
    assert ours == expected


def at_edge_limit(d: npt.NDArray[np.float64], i: int, j: int) -> bool:
    """Whether the curvature ratio is the edge threshold but for rounding."""
    xx, yy = (d[i + a, j + b] + d[i - a, j - b] - 2 * d[i, j] for a, b in ((0, 1), (1, 0)))
    xy = (d[i + 1, j + 1] - d[i + 1, j - 1] - d[i - 1, j + 1] + d[i - 1, j - 1]) / 4
    det, trace = xx * yy - xy * xy, xx + yy
    return bool(abs(det) < 1e-6 or abs(det * 121 / (10 * trace**2) - 1) < 1e-5)


def test_strips_find_what_the_whole_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariance: the same extrema, in order, whatever the strips in which the tile is searched."""
    tile = tile_of(np.random.default_rng(3).random((6, 60, 70), np.float32))
    whole = found(tile)
    monkeypatch.setattr(TUNING, "strip_pixels", 1)
    assert len(list(tile.strips())) == 4
    assert found(tile) == whole == sorted(whole)
    assert len(whole) > 20


@pytest.mark.parametrize("sign", [1, -1])
def test_neighbours_that_round_to_the_same_number(sign: int) -> None:
    """Closed form: the top of a paraboloid, above its neighbours by a sixth of what the whole numbers tell."""
    s, y, x = np.ogrid[-2:3, -20:20, -24:24]
    step = 1 / (6 * float(INTENSITY_SCALE))
    dog = sign * (0.25 - step * (x**2 + y**2 + s**2))
    assert round(0.25 * float(INTENSITY_SCALE)) == round((0.25 - step) * float(INTENSITY_SCALE))
    assert found(tile_of_dog(dog)) == [(2, 20, 24)]


@pytest.mark.parametrize("sign", [1, -1])
def test_threshold_is_exclusive_at_eight_tenths(sign: int) -> None:
    """Closed form: |D| > 0.8 x 0.04 / 3."""
    assert found(tile_of_dog(peak(sign * LIMIT * 1.001))) == [(2, 20, 24)]
    assert found(tile_of_dog(peak(sign * LIMIT * 0.999))) == []


def test_no_threshold_is_too_high() -> None:
    """Closed form: nothing exceeds it; the whole numbers end before it does."""
    for threshold in (7.2, 7.5, 1e6):
        assert found(tile_of_dog(peak(1.9)), DetectorParams(contrast_threshold=threshold)) == []


def test_threshold_follows_scales_per_octave() -> None:
    """Closed form: the contrast threshold is divided by the number of scales."""
    assert found(tile_of_dog(peak(LIMIT * 1.2)), DetectorParams(contrast_threshold=0.06)) == []
    assert DetectorParams(scales_per_octave=6).dog_threshold == DETECTOR.dog_threshold / 2


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_scale_is_searched(level: int) -> None:
    """Closed form: a peak at each of the scales 1 to S."""
    assert found(tile_of_dog(peak(1.0, where=(level, 20, 24)))) == [(level, 20, 24)]


@pytest.mark.parametrize("level", [0, 4])
def test_outermost_scales_are_context(level: int) -> None:
    """Closed form: the first and the last DoG level have no neighbour on one side."""
    assert found(tile_of_dog(peak(1.0, where=(level, 20, 24)))) == []


@pytest.mark.parametrize(("row", "column"), [(5, 24), (34, 24), (20, 5), (20, 42)])
def test_five_pixels_of_border(row: int, column: int) -> None:
    """Closed form: the fifth pixel from the border counts, the fourth does not."""
    assert found(tile_of_dog(peak(1.0, where=(2, row, column)))) == [(2, row, column)]
    away = (np.sign(row - 19.5) * (row in (5, 34)), np.sign(column - 23.5) * (column in (5, 42)))
    outer = (2, row + int(away[0]), column + int(away[1]))
    assert found(tile_of_dog(peak(1.0, where=outer))) == []


def test_plateau_is_no_extremum() -> None:
    """Closed form: two equal neighbours are not strictly above each other."""
    dog = peak(1.0)
    dog[2, 20, 25] = dog[2, 20, 24]
    assert found(tile_of_dog(dog)) == []
    assert found(tile_of_dog(np.full((5, 40, 48), 0.5))) == []


@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 4, np.pi / 2])
def test_ridges_are_dropped_by_their_curvature_ratio(angle: float) -> None:
    """Closed form: a quadratic with principal curvatures 1 and 1 / ratio, turned; limit 10."""
    for ratio, kept in ((9.5, True), (10.5, False), (1.0, True)):
        dog = np.zeros((5, 40, 48))
        s, y, x = np.ogrid[-2:3, -20:20, -24:24]
        u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        dog[:] = 0.5 - 0.02 * (u**2 + v**2 / ratio + s**2)
        assert ((2, 20, 24) in found(tile_of_dog(dog))) == kept


def test_saddles_are_dropped() -> None:
    """Closed form: curvatures of opposite sign, with the centre above all neighbours nevertheless."""
    dog = np.zeros((5, 40, 48))
    dog[2, 19:22, 23:26] = [[0.98, 0.99, 0.70], [0.99, 1.00, 0.99], [0.70, 0.99, 0.98]]  # curved across a diagonal
    assert reference.is_extremum(dog, 2, 20, 24)
    assert found(tile_of_dog(dog)) == []


def test_an_ideal_edge_has_no_keypoint_and_a_corner_has() -> None:
    """Closed form: a straight edge has no curvature along itself."""
    y, x = np.mgrid[:80, :80]
    detector = DetectorParams(contrast_threshold=0.001)
    edge, corner = (x + 0.31 * y > 50.2), (x > 40) & (y > 40)
    for image, expected in ((edge, False), (corner, True)):
        levels = reference.scale_space(image.astype(float), doubling=False)[0]
        inside = [e for e in found(tile_of(levels), detector) if 20 < e[1] < 60 and 20 < e[2] < 60]
        assert bool(inside) == expected
    assert found(tile_of(np.repeat(edge[None] / 1.0, 6, axis=0)), NO_EDGES) == []


def test_cubes_hold_the_neighbourhood() -> None:
    """Slow reference: the differences of levels, sliced."""
    levels = np.random.default_rng(1).random((6, 30, 40), np.float32)
    tile = tile_of(levels)
    where = [(1, 7, 9), (3, 20, 30), (2, 5, 34)]
    extrema = Extrema(*(np.array(v) for v in ([0, 0, 0], *zip(*where, strict=True))))
    cubes = dog_cubes(tile, tile.flat(extrema.region, extrema.level, extrema.row, extrema.column))
    dog = np.diff(levels, axis=0)
    for i, (s, y, x) in enumerate(where):
        assert np.array_equal(cubes[..., i], dog[s - 1 : s + 2, y - 1 : y + 2, x - 1 : x + 2])
