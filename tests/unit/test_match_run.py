"""The run over a collection's pairs, in this process.

Oracles: `siftcli.match` of the same features; runs with another cache, which must not matter; what is in the journal.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from match_tools import features, related

import siftcli
from siftcli import FormatError, MatchParams
from siftcli.batch import match_source
from siftcli.batch.match_run import PairResult, journal_for, match_pairs, write_journal
from siftcli.batch.match_source import Images, Source
from siftcli.batch.pairs import exhaustive
from siftcli.batch.similar import rank, similar_images
from siftcli.errors import OutputError
from siftcli.io import match_db, match_npz

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Four images; a and b share descriptors, c and d share others."""
    random = np.random.default_rng(0)
    with siftcli.collection_writer(tmp_path / "f.h5") as writer:
        for first, second in (("a", "b"), ("c", "d")):
            for name, descriptors in zip((first, second), related(random, 70, 60, 40), strict=True):
                writer.add(name, features(descriptors))
    return Source(str(tmp_path / "f.h5"))


def run(source: Source, output: Path, params: MatchParams) -> list[PairResult]:
    pairs = exhaustive(NAMES)
    told: list[PairResult] = []
    with journal_for(str(output), source, pairs, params) as journal:
        match_pairs(source, pairs, params, journal, told.append)
        write_journal(journal, pairs, str(output), source)
        journal.remove()
    return told


@pytest.mark.parametrize("cache", [1, 1 << 30])
def test_a_run_is_the_matches_of_its_pairs(
    cache: int, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match_source, "_CACHE", cache)
    told = run(source, tmp_path / "m.h5", MatchParams())
    assert [r.names for r in sorted(told, key=lambda r: r.key)] == [exhaustive(NAMES)[k] for k in range(6)]
    with siftcli.collection_reader(source.path) as images:
        for result in told:
            wanted = siftcli.match(*(images.read(name) for name in result.names))
            assert result.status == "done"
            assert result.matches == len(wanted)
            assert result.inliers is None
            assert result.data is not None
            np.testing.assert_array_equal(match_npz.decode(result.data).indices, wanted.indices)
            np.testing.assert_array_equal(
                siftcli.read_matches(tmp_path / "m.h5", names=result.names).indices, wanted.indices
            )
    assert max(told, key=lambda r: r.matches or 0).names in (("a", "b"), ("c", "d"))


def test_only_so_many_images_are_kept(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_source, "_CACHE", 2 * 70 * 130 * 4)
    images = Images(source, "l2")
    first = images.side("a")
    assert images.side("a") is first
    for name in ("b", "c", "d"):
        images.side(name)
    assert images.side("a") is not first
    with pytest.raises(FormatError, match="no image 'e'"):
        images.side("e")


def test_features_that_changed_are_another_run(source: Source, tmp_path: Path) -> None:
    pairs, params = exhaustive(NAMES), MatchParams()
    with journal_for(str(tmp_path / "m.h5"), source, pairs, params) as journal:
        match_pairs(source, pairs, params, journal, lambda _: None)
    with journal_for(str(tmp_path / "m.h5"), source, pairs, params, resume=True) as journal:
        assert len(journal) == 6
    with siftcli.collection_writer(source.path, overwrite=True) as writer:
        writer.add("a", features(np.ones((3, 128), np.uint8)))
    for changed in ((pairs, params), (exhaustive(NAMES[:3]), params), (pairs, MatchParams(ratio=0.7))):
        with pytest.raises(OutputError, match="other parameters or inputs"):
            journal_for(str(tmp_path / "m.h5"), source, *changed, resume=True)


def test_images_that_look_alike(source: Source) -> None:
    assert similar_images(source, tuple(NAMES), 1, 0)[:, 0].tolist() == [1, 0, 3, 2]
    with siftcli.collection_reader(source.path) as images:
        query = images.read("d")
    calls: list[None] = []
    found = similar_images(source, tuple(NAMES), 2, 0, query, lambda: calls.append(None))
    assert found[0].tolist() == [3, 2]
    assert len(calls) == 2 * len(NAMES)
    # One that is not there is like no other, and stops nothing.
    assert similar_images(source, (*NAMES, "missing"), 1, 0)[:4, 0].tolist() == [1, 0, 3, 2]


def test_ranking_counts_inliers_then_matches(source: Source) -> None:
    with siftcli.collection_reader(source.path) as images:
        query = images.read("a")
        counts = {name: len(siftcli.match(query, images.read(name))) for name in NAMES}
    told: list[PairResult] = []
    ranked = rank(query, source, [*NAMES, "missing"], MatchParams(), told.append)
    assert [r.names[1] for r in ranked] == sorted(NAMES, key=lambda name: (-counts[name], name))
    assert [r.matches for r in ranked] == sorted(counts.values(), reverse=True)
    (failed,) = [r for r in told if r.status == "failed"]
    assert failed.record()["b"] == "missing"
    assert "no image 'missing'" in str(failed.error)


def test_names_that_a_database_cannot_hold_are_refused_before_there_is_work() -> None:
    match_db.check_names("m.db", ["a.jpg", "b c/d.jpg"])
    with pytest.raises(OutputError, match="cannot hold an image named"):
        match_db.check_names("m.db", ["../a.jpg"])
