"""The journal of a long run.  Oracles: what was appended; every prefix of the file, as a kill may leave it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from siftcli import OutputError
from siftcli.io.journal import Journal, has_journal, journal_path

ABOUT = b"this run"
RECORDS = {b"g": b"seven", b"a": b"", b"c": bytes(range(256)), b"e": b"five"}


def contents(journal: Journal) -> dict[bytes, bytes]:
    return {key: journal.read(key) for key in journal}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The output of a run that was killed and has left a journal."""
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
    data = journal_path(written).read_bytes()
    counts = []
    for cut in range(len(data) + 1):
        journal_path(written).write_bytes(data[:cut])
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
    data = bytearray(journal_path(written).read_bytes())
    data[data.index(bytes(range(256))) + 100] ^= 4
    journal_path(written).write_bytes(data)
    with Journal(written, ABOUT, resume=True) as journal:
        assert set(journal) == {b"g", b"a"}


def test_another_run_is_not_gone_on_with(written: Path) -> None:
    before = journal_path(written).read_bytes()
    with pytest.raises(OutputError, match="other parameters"):
        Journal(written, b"another run", resume=True)
    assert journal_path(written).read_bytes() == before


def test_what_was_done_is_not_dropped_by_forgetting_to_resume(written: Path) -> None:
    before = journal_path(written).read_bytes()
    with pytest.raises(OutputError, match="--resume"):
        Journal(written, ABOUT)
    assert journal_path(written).read_bytes() == before
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
        journal_path(written).write_bytes(journal_path(written).read_bytes().replace(b"five", b"fake"))
        with pytest.raises(OutputError, match="changed by another program"):
            journal.read(b"e")


def test_an_empty_journal_is_not_left_behind(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", ABOUT):
        assert journal_path(tmp_path / "j").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder"):
        Journal(tmp_path / "none" / "j", ABOUT)


def make_link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def make_hard_link(path: Path, target: Path) -> None:
    path.hardlink_to(target)


def make_copy(path: Path, target: Path) -> None:
    path.write_bytes(target.read_bytes())


@pytest.mark.parametrize("make", [make_link, make_hard_link, make_copy])
@pytest.mark.parametrize("content", [b"precious", b"SIFTJNL2", b"SIFTJNL1 of another name"])
def test_a_file_of_somebody_else_is_left_alone(
    tmp_path: Path, make: Callable[[Path, Path], None], content: bytes
) -> None:
    """Whatever has the journal's name: a link is not followed, even to what looks like a journal."""
    if make is make_copy and content.startswith(b"SIFTJNL1"):
        return  # which is a journal, of whatever run
    target = tmp_path / "target"
    target.write_bytes(content)
    make(journal_path(tmp_path / "j"), target)
    before = journal_path(tmp_path / "j").lstat()
    for resume, overwrite in ((False, False), (True, False), (True, True), (False, True)):
        with pytest.raises(OutputError, match="is not a journal of sift"):
            Journal(tmp_path / "j", ABOUT, resume=resume, overwrite=overwrite)
    assert not has_journal(tmp_path / "j")
    assert target.read_bytes() == content
    assert journal_path(tmp_path / "j").lstat() == before
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_of_the_name_does_not_make_it_wait(tmp_path: Path) -> None:
    os.mkfifo(journal_path(tmp_path / "j"))
    with pytest.raises(OutputError, match="is not a journal of sift"):
        Journal(tmp_path / "j", ABOUT)
    assert not has_journal(tmp_path / "j")
