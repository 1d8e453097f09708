"""The journal of a long run.  Oracles: what was appended; every prefix of the file, as a kill may leave it."""

from __future__ import annotations

from pathlib import Path

import pytest

from siftcli import OutputError
from siftcli.io.journal import Journal

ABOUT = b"this run"
RECORDS = {7: b"seven", 0: b"", 3: bytes(range(256)), 5: b"five"}


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
        assert dict(journal) == RECORDS
        assert [key for key, _ in journal] == sorted(RECORDS)
        assert len(journal) == len(RECORDS)
        assert 3 in journal
        assert 4 not in journal


def test_after_any_cut_the_whole_records_are_there_and_more_can_follow(written: Path) -> None:
    data = written.read_bytes()
    counts = []
    for cut in range(len(data) + 1):
        written.write_bytes(data[:cut])
        with Journal(written, ABOUT, resume=True) as journal:
            kept = dict(journal)
            assert list(kept.items()) == sorted(list(RECORDS.items())[: len(kept)])
            journal.add(99, b"more")
        counts.append(len(kept))
        with Journal(written, ABOUT, resume=True) as journal:
            assert dict(journal) == {**kept, 99: b"more"}
    assert counts == sorted(counts)
    assert counts[-1] == len(RECORDS)
    assert counts[-2] == len(RECORDS) - 1


def test_a_record_with_a_flipped_bit_is_dropped_with_what_follows(written: Path) -> None:
    data = bytearray(written.read_bytes())
    data[data.index(bytes(range(256))) + 100] ^= 4
    written.write_bytes(data)
    with Journal(written, ABOUT, resume=True) as journal:
        assert set(dict(journal)) == {7, 0}


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


def test_an_empty_journal_is_not_left_behind(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", ABOUT):
        assert (tmp_path / "j").exists()
    assert not (tmp_path / "j").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder"):
        Journal(tmp_path / "none" / "j", ABOUT)
