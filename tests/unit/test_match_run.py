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
from siftcli.batch import choose_pairs as choosing
from siftcli.batch import match_source
from siftcli.batch.choose_pairs import choose_pairs
from siftcli.batch.match_run import PairResult, journal_for, match_pairs, write_journal
from siftcli.batch.match_source import Images, Source
from siftcli.batch.pair_choice import PairChoice
from siftcli.batch.pairs import exhaustive
from siftcli.batch.similar import rank, similar_images
from siftcli.errors import OutputError
from siftcli.io import match_npz
from siftcli.io.colmap import matches as match_db
from siftcli.io.retrieval_file import read_vectors, vectors_path
from siftcli.matching.retrieval import aggregate

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
    with journal_for(str(output), source, params) as journal:
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
    with journal_for(str(tmp_path / "m.h5"), source, params) as journal:
        match_pairs(source, pairs, params, journal, lambda _: None)
    with journal_for(str(tmp_path / "m.h5"), source, params, resume=True) as journal:
        assert len(journal) == 6
    with siftcli.collection_writer(source.path, overwrite=True) as writer:
        writer.add("a", features(np.ones((3, 128), np.uint8)))
    for changed in (params, MatchParams(ratio=0.7)):
        with pytest.raises(OutputError, match="other parameters or inputs"):
            journal_for(str(tmp_path / "m.h5"), source, changed, resume=True)


def test_a_journal_serves_other_pairs_of_the_same_images(source: Source, tmp_path: Path) -> None:
    some, params = exhaustive(NAMES[:3]), MatchParams()
    with journal_for(str(tmp_path / "m.h5"), source, params) as journal:
        match_pairs(source, some, params, journal, lambda _: None)
    told: list[PairResult] = []
    with journal_for(str(tmp_path / "m.h5"), source, params, resume=True) as journal:
        match_pairs(source, exhaustive(NAMES), params, journal, told.append)
    assert sorted(result.names for result in told) == [("a", "d"), ("b", "d"), ("c", "d")]


def test_images_that_look_alike(source: Source) -> None:
    calls: list[None] = []
    found = similar_images(source, tuple(NAMES), 1, 0, on_image=lambda: calls.append(None))
    assert found[:, 0].tolist() == [1, 0, 3, 2]
    assert len(calls) == 2 * len(NAMES)
    with siftcli.collection_reader(source.path) as images:
        query = images.read("d")
    assert similar_images(source, tuple(NAMES), 2, 0, query)[0].tolist() == [3, 2]
    # One that is not there is like no other, and stops nothing.
    assert similar_images(source, (*NAMES, "missing"), 1, 0)[:4, 0].tolist() == [1, 0, 3, 2]


def test_vectors_are_kept_and_extended(source: Source, tmp_path: Path) -> None:
    """Oracles: vectors that are aggregated here with the codebook of the file; the images that are read."""
    similar_images(source, tuple(NAMES), 1, 0)
    first = read_vectors(source.path)
    assert first is not None
    calls: list[None] = []
    assert similar_images(source, tuple(NAMES), 1, 0, on_image=lambda: calls.append(None))[:, 0].tolist() == [
        1,
        0,
        3,
        2,
    ]
    assert calls == []
    with siftcli.collection_writer(source.path, resume=True) as writer:
        twin = related(np.random.default_rng(5), 70, 60, 40)[0]
        writer.add("b", features(twin))
        writer.add("e", features(twin))
    found = similar_images(source, (*NAMES, "e"), 1, 0)
    assert found[[1, 4], 0].tolist() == [4, 1]
    second = read_vectors(source.path)
    assert second is not None
    np.testing.assert_array_equal(second.codebook, first.codebook)
    with siftcli.collection_reader(source.path) as images:
        for name, vector in zip(second.names, second.vectors, strict=True):
            descriptors = images.read(name).descriptors
            assert descriptors is not None
            np.testing.assert_array_equal(vector, aggregate(descriptors, first.codebook))
    similar_images(source, tuple(NAMES), 1, 7)
    other = read_vectors(source.path)
    assert other is not None
    assert other.seed == 7
    assert not np.array_equal(other.codebook, first.codebook)


@pytest.mark.parametrize("content", [b"mine", b""])
def test_another_file_in_the_place_of_the_vectors_stays(source: Source, content: bytes) -> None:
    path = vectors_path(source.path)
    path.write_bytes(content)
    with pytest.raises(FormatError):
        read_vectors(source.path)
    assert similar_images(source, tuple(NAMES), 1, 0)[:, 0].tolist() == [1, 0, 3, 2]
    assert path.read_bytes() == content


def test_the_number_of_images_chooses_the_pairs(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the sets of pairs of the ways that it combines."""

    def listed(choice: PairChoice) -> set[tuple[str, str]]:
        pairs = choose_pairs(source, tuple(NAMES), choice, 0)
        return {pairs[i] for i in range(len(pairs))}

    assert listed(PairChoice()) == listed(PairChoice(exhaustive=True))
    monkeypatch.setattr(choosing, "_EXHAUSTIVE", 3)
    monkeypatch.setattr(choosing, "_SIMILAR", 1)
    monkeypatch.setattr(choosing, "_FOLLOWING", 1)
    assert listed(PairChoice()) == listed(PairChoice(retrieve=1)) | listed(PairChoice(sequential=1))
    assert len(listed(PairChoice())) == 3
    assert "1 most similar" in choose_pairs(source, tuple(NAMES), PairChoice(), 0).notes[0]


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
