"""What is drawn in full.

Oracles: the rule applied mark by mark, and invariance to the order of the marks.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from draw_tools import Array
from hypothesis import given
from hypothesis import strategies as st

from siftcli.draw.choice import best, uncrowded


def test_the_strongest_and_of_equals_the_first() -> None:
    strength = np.array([0.1, 0.5, 0.5, 0.3, 0.5])
    assert best(strength, 2).tolist() == [1, 2]
    assert best(strength, 4).tolist() == [1, 2, 3, 4]
    assert best(strength, 0).tolist() == []
    assert best(strength, None).tolist() == best(strength, 9).tolist() == [0, 1, 2, 3, 4]


def one_by_one(xy: Array, radius: Array, ink: Array, strength: Array, cell: float, share: float) -> Array:
    """The rule, mark by mark: those that are refused take no less room than those that are not."""
    limit = share * cell * cell
    taken: dict[tuple[int, int, int], float] = {}
    full = np.zeros(len(xy), bool)
    for i in np.argsort(-strength, kind="stable"):
        size = max(0, math.ceil(math.log2(max(2 * radius[i] / cell, 1))))
        side = cell * 2**size
        place = size, math.floor(xy[i][0] / side), math.floor(xy[i][1] / side)
        own = limit if size else min(ink[i], limit)
        taken[place] = taken.get(place, 0.0) + own
        full[i] = taken[place] <= limit * (1 + 1e-9)
    return full


@given(st.integers(0, 10_000), st.integers(0, 60))
def test_it_is_the_rule_applied_mark_by_mark(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    xy, radius = random.uniform(0, 100, (count, 2)), random.exponential(10, count)
    strength = random.permutation(count).astype(float)
    arguments = xy, radius, radius * 3, strength
    full = uncrowded(*arguments, 20.0, 0.3)
    np.testing.assert_array_equal(full, one_by_one(*arguments, 20.0, 0.3))
    order = random.permutation(count)
    np.testing.assert_array_equal(uncrowded(*(a[order] for a in arguments), 20.0, 0.3), full[order])


def test_sparse_marks_are_all_drawn_in_full() -> None:
    xy = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0)), axis=-1).reshape(-1, 2) * 50
    assert uncrowded(xy, np.full(100, 5.0), np.full(100, 60.0), np.arange(100.0), 24, 0.3).all()


@pytest.mark.parametrize("radius", [1.0, 500.0])
def test_of_a_crowd_the_strongest_is_drawn(radius: float) -> None:
    count = 1000
    strength = np.random.default_rng(0).permutation(count).astype(float)
    full = uncrowded(np.full((count, 2), 7.0), np.full(count, radius), np.full(count, 100.0), strength, 24, 0.3)
    assert full[strength.argmax()]
    assert 1 <= full.sum() < 5
    assert strength[full].min() > strength[~full].max()
