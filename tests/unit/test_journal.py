"""The journal of a long run.  Oracles: what was appended; every prefix of the file, as a kill may leave it."""

from __future__ import annotations

from pathlib import Path

import pytest

from siftcli import OutputError
from siftcli.io.journal import Journal

ABOUT = b"this run"
RECORDS = {b"g": b"seven", b"a": b"", b"c": bytes(range(256)), b"e": b"five"}


def contents(journal: Journal) -> dict[bytes, bytes]:
    return {key: journal.read(key) for key in journal}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A journal that a killed run has left."""
    journal = Journal(tmp_path / "j", ABOUT)
    for key, data in RECORDS.items():
        journal.add(key, data)
    journal.close()
    return tmp_path / "j"


def test_records_come_back_by_their_keys(written: Path) -> None:
    with Journal(written, ABOUT, resume=True) as journal:
        assert contents(journal) == RECORDS
        assert list(journal) == sorted(RECORDS)
        assert len(journal) == len(RECORDS)
        assert b"c" in journal
        assert b"d" not in journal


def test_after_any_cut_the_whole_records_are_there_and_more_can_follow(written: Path) -> None:
    data = written.read_bytes()
    counts = []
    for cut in range(len(data) + 1):
        written.write_bytes(data[:cut])
        with Journal(written, ABOUT, resume=True) as journal:
            kept = contents(journal)
            assert list(kept.items()) == sorted(list(RECORDS.items())[: len(kept)])
            journal.add(b"z", b"more")
        counts.append(len(kept))
        with Journal(written, ABOUT, resume=True) as journal:
            assert contents(journal) == {**kept, b"z": b"more"}
    assert counts == sorted(counts)
    assert counts[-1] == len(RECORDS)
    assert counts[-2] == len(RECORDS) - 1


def test_a_record_with_a_flipped_bit_is_dropped_with_what_follows(written: Path) -> None:
    data = bytearray(written.read_bytes())
    data[data.index(bytes(range(256))) + 100] ^= 4
    written.write_bytes(data)
    with Journal(written, ABOUT, resume=True) as journal:
        assert set(journal) == {b"g", b"a"}


def test_another_run_is_not_gone_on_with(written: Path) -> None:
    before = written.read_bytes()
    with pytest.raises(OutputError, match="other parameters"):
        Journal(written, b"another run", resume=True)
    assert written.read_bytes() == before


def test_what_was_done_is_not_dropped_by_forgetting_to_resume(written: Path) -> None:
    before = written.read_bytes()
    with pytest.raises(OutputError, match="--resume"):
        Journal(written, ABOUT)
    assert written.read_bytes() == before
    with Journal(written, ABOUT, overwrite=True) as journal:
        assert len(journal) == 0


def test_two_runs_cannot_write_one_journal(written: Path) -> None:
    with Journal(written, ABOUT, resume=True), pytest.raises(OutputError, match="another run"):
        Journal(written, ABOUT, resume=True)


def test_another_run_takes_its_place_if_that_is_asked_for(written: Path) -> None:
    with Journal(written, b"another run", resume=True, overwrite=True) as journal:
        assert len(journal) == 0
        journal.add(b"x", b"new")
    with Journal(written, b"another run", resume=True) as journal:
        assert contents(journal) == {b"x": b"new"}


def test_of_two_records_with_one_key_the_last_counts(written: Path) -> None:
    with Journal(written, ABOUT, resume=True) as journal:
        journal.add(b"c", b"again")
        assert contents(journal) == {**RECORDS, b"c": b"again"}
    with Journal(written, ABOUT, resume=True) as journal:
        assert contents(journal) == {**RECORDS, b"c": b"again"}


def test_a_journal_that_changes_meanwhile_is_noticed(written: Path) -> None:
    with Journal(written, ABOUT, resume=True) as journal:
        written.write_bytes(written.read_bytes().replace(b"five", b"fake"))
        with pytest.raises(OutputError, match="changed by another program"):
            journal.read(b"e")


def test_an_empty_journal_is_not_left_behind(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", ABOUT):
        assert (tmp_path / "j").exists()
    assert not (tmp_path / "j").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder"):
        Journal(tmp_path / "none" / "j", ABOUT)
