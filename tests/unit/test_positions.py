"""Images near one another.  Oracles: known places of the ellipsoid, all pairs of a small set one by one."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cli_tools import SIFT
from format_tools import make

from siftcli.features import Camera
from siftcli.io.hdf5.matches_reader import MatchCollection
from siftcli.io.registry import collection_writer
from siftcli.matching.positions import cartesian, near_pairs


def test_places_on_the_axes() -> None:
    """The radius is 6378137 m at the equator and 6356752.314 m at the poles [NIMA TR8350.2]."""
    found = cartesian([(0, 0, 0), (0, 90, 10), (90, 0, 0), (-90, 0, 5), (0, 180, 0)])
    wanted = [[6378137, 0, 0], [0, 6378147, 0], [0, 0, 6356752.3142], [0, 0, -6356757.3142], [-6378137, 0, 0]]
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_a_second_of_latitude_is_about_31_metres() -> None:
    """The length of a degree at 45 degrees of latitude is 111,132 m, and of longitude 78,847 m."""
    points = cartesian([(45, 11, 300), (45 + 1 / 3600, 11, 300), (45, 11 + 1 / 3600, 300)])
    distances = np.linalg.norm(points[1:] - points[0], axis=1)
    np.testing.assert_allclose(distances, [111_132 / 3600, 78_847 / 3600], rtol=2e-3)


def test_without_all_altitudes_none_counts() -> None:
    points = cartesian([(45, 11, np.nan), (45, 11, 5000)])
    np.testing.assert_array_equal(points[0], points[1])


@pytest.mark.parametrize("within", [None, 0.0, 30.0])
@pytest.mark.parametrize("neighbours", [None, 1, 3, 100])
def test_pairs_are_those_of_a_search_of_all(within: float | None, neighbours: int | None) -> None:
    points = np.random.default_rng(0).uniform(0, 100, (25, 3))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    order = np.argsort(distance, axis=1)
    wanted = [
        (i, j)
        for i, j in itertools.combinations(range(25), 2)
        if (within is None or distance[i, j] <= within)
        and (neighbours is None or j in order[i, 1 : neighbours + 1] or i in order[j, 1 : neighbours + 1])
    ]
    assert near_pairs(points, within, neighbours).tolist() == list(map(list, wanted))


def test_two_at_one_place_and_none() -> None:
    assert near_pairs(np.zeros((2, 3)), 0.0).tolist() == [[0, 1]]
    assert near_pairs(np.zeros((2, 3)), None, 1).tolist() == [[0, 1]]
    assert near_pairs(np.zeros((1, 3)), 10.0).tolist() == []


def test_pairs_of_a_collection_by_position(tmp_path: Path) -> None:
    """Images 20 m apart along a meridian; one more has no position."""
    degrees = 20 / 111_132
    with collection_writer(tmp_path / "f.h5") as writer:
        for i in range(4):
            writer.add(f"{i}", make(10, i, camera=Camera(position=(45 + i * degrees, 11.0, 300.0))))
        writer.add("x", make(10, 9))

    def match(*options: str) -> tuple[subprocess.CompletedProcess[str], tuple[tuple[str, str], ...]]:
        command = [*SIFT, "match", tmp_path / "f.h5", "-o", tmp_path / "m.h5", "--overwrite", *options]
        run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if run.returncode:
            return run, ()
        with MatchCollection(tmp_path / "m.h5") as collection:
            return run, tuple(sorted(collection.pairs))

    run, pairs = match("--near", "25")
    assert pairs == (("0", "1"), ("1", "2"), ("2", "3"))
    assert "1 of 5 images have no position" in run.stderr
    assert match("--neighbours", "2")[1] == (("0", "1"), ("0", "2"), ("1", "2"), ("1", "3"), ("2", "3"))
    assert match("--near", "10")[0].returncode == 2
    assert "exclude each other" in match("--near", "10", "--exhaustive")[0].stderr
