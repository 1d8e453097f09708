"""Matching of any descriptors.  Oracles: a loop over all keypoints in double precision, and symmetry."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from match_tools import brute_force, features

import siftcli
from siftcli import MatchParams
from siftcli.matching import neighbours

Side = npt.NDArray[Any]


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Any:
    """Blocks so small that a few keypoints fill several, and bands of several blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_BLOCK", 4)
        patch.setattr(neighbours, "_BANDS", 3)
        yield


@st.composite
def sides(draw: st.DrawFn, dtype: type) -> tuple[Side, Side]:
    """Two sides that share descriptors: few different ones, so that there are ties, duplicates and zeros."""
    if dtype is np.uint8:
        elements: Any = st.sampled_from([0, 1, 2, 3, 127, 254, 255])
    else:
        elements = st.sampled_from([0.0, 0.25, 0.5, 1.0, 0.1, 0.3, 1e-20, 1e-30]).map(np.float32)
    kinds = draw(st.integers(1, 12))
    # Mostly zero, so that many distances are equal.
    pool = draw(arrays.arrays(dtype, (kinds, 128), elements=elements, fill=st.just(dtype(0))))
    pick = st.lists(st.integers(0, kinds - 1), max_size=30)
    a, b = draw(pick), draw(pick)
    return pool[np.array(a, np.intp)].reshape(-1, 128), pool[np.array(b, np.intp)].reshape(-1, 128)


PARAMS = st.builds(
    MatchParams,
    ratio=st.sampled_from([0.5, 0.8, 0.95, 1.0]),
    mutual=st.booleans(),
    max_distance=st.sampled_from([None, 0.0, 0.1, 0.5, 1.0]),
    metric=st.sampled_from(["l2", "root"]),
    ratio_test=st.sampled_from(["nearest", "fginn"]),
    fginn_radius=st.sampled_from([1.0, 3.0, 100.0]),
    ratio_both_ways=st.booleans(),
)


def pairs(a: Side, b: Side, params: MatchParams, threads: int = 1) -> list[tuple[int, int, float, float]]:
    found = siftcli.match(features(a), features(b), workers=threads, **asdict(params))
    assert found.distances is not None
    assert found.ratios is not None
    return [
        (i, j, d, r)
        for (i, j), d, r in zip(found.indices.tolist(), found.distances.tolist(), found.ratios.tolist(), strict=True)
    ]


@given(st.sampled_from([np.uint8, np.float32]).flatmap(sides), PARAMS, st.integers(1, 3))
def test_the_loop_finds_the_same(both: tuple[Side, Side], params: MatchParams, threads: int) -> None:
    a, b = map(features, both)
    assert pairs(*both, params, threads) == brute_force(*both, params, (a.xy, b.xy))


@given(st.sampled_from([np.uint8, np.float32]).flatmap(sides), st.sampled_from([None, 0.5]))
def test_without_a_ratio_mutual_matches_are_the_same_both_ways(
    both: tuple[Side, Side], max_distance: float | None
) -> None:
    a, b = both
    params = MatchParams(ratio=1.0, max_distance=max_distance)
    there = {(i, j, d) for i, j, d, _ in pairs(a, b, params)}
    assert there == {(i, j, d) for j, i, d, _ in pairs(b, a, params)}


@given(sides(np.uint8), PARAMS)
def test_every_match_passes_its_tests(both: tuple[Side, Side], params: MatchParams) -> None:
    found = pairs(*both, params)
    assert [i for i, *_ in found] == sorted({i for i, *_ in found})
    for _, _, distance, ratio in found:
        assert params.max_distance is None or distance <= params.max_distance
        assert ratio < params.ratio or params.ratio == 1
        assert 0 <= ratio <= 1
    if params.mutual:
        assert len({j for _, j, *_ in found}) == len(found)
