"""Which pairs of a collection are matched, and in which order.  Oracles: loops over the names; sets of pairs."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siftcli.batch.pairs import Pairs, exhaustive, from_list, nearest_pairs, sequential
from siftcli.errors import PlanError

NAMES = ["a", "b c", "d/e", "f", "g"]


def listed(pairs: Pairs) -> list[tuple[str, str]]:
    return [pairs[k] for k in range(len(pairs))]


def test_exhaustive_is_every_pair_once() -> None:
    assert listed(exhaustive(NAMES)) == list(combinations(NAMES, 2))
    assert exhaustive(NAMES).used() == NAMES
    assert listed(exhaustive(["a"])) == []


def test_more_pairs_than_can_be_matched_are_refused() -> None:
    with pytest.raises(PlanError, match="--retrieve"):
        exhaustive([str(i) for i in range(20_000)])


@given(st.integers(0, 8), st.integers(1, 10))
def test_sequential_is_those_that_follow(n: int, following: int) -> None:
    names = [str(i) for i in range(n)]
    wanted = [(names[i], names[j]) for i in range(n) for j in range(i + 1, min(i + following, n - 1) + 1)]
    assert listed(sequential(names, following)) == wanted


@pytest.mark.parametrize("following", [0, -3])
def test_sequential_needs_a_number(following: int) -> None:
    with pytest.raises(PlanError, match="at least 1"):
        sequential(NAMES, following)


def test_neighbours_are_paired_once() -> None:
    neighbours = np.array([[1, 2], [0, 3], [4, 0], [2, 1], [3, 2]])
    wanted = {tuple(sorted((NAMES[i], NAMES[j]))) for i, row in enumerate(neighbours) for j in row}
    found = listed(nearest_pairs(NAMES, neighbours))
    assert {tuple(sorted(pair)) for pair in found} == wanted
    assert len(found) == len(wanted)
    assert listed(nearest_pairs(NAMES, np.empty((5, 0), np.intp))) == []


def test_a_list_keeps_its_order_and_its_sides() -> None:
    pairs = from_list(NAMES, b'g a\n"b c" d/e\na g\nf nobody\n')
    assert listed(pairs) == [("g", "a"), ("b c", "d/e"), ("f", "nobody")]
    assert pairs.notes == ("1 of 4 listed pairs are there twice, and count once",)
    assert sorted(pairs.used()) == sorted(["g", "a", "b c", "d/e", "f", "nobody"])


@pytest.mark.parametrize(
    ("text", "words"), [(b"", "no pairs"), (b"a a", "with itself"), (b"a b c", "not 3"), (b"\xff\xff", "not 1")]
)
def test_a_list_that_is_none_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(PlanError, match=f"--pairs: .*{words}"):
        from_list(NAMES, text, name="pairs.txt")


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no such file"):
        from_list(NAMES, tmp_path / "none.txt")


@given(st.integers(2, 40), st.integers(1, 9))
def test_the_schedule_is_every_pair_tile_by_tile(n: int, tile: int) -> None:
    pairs = exhaustive([str(i) for i in range(n)])
    order = pairs.schedule(tile)
    assert sorted(order.tolist()) == list(range(len(pairs)))
    tiles = [tuple((pairs.index[k] // tile).tolist()) for k in order]
    changes = sum(a != b for a, b in pairwise(tiles))
    assert changes == len(set(tiles)) - 1  # no tile is left and come back to
