"""Reading databases leaves nothing beside them and changes no byte.  Oracle: SQLite itself, in the same states."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from format_tools import make

from siftcli.errors import FormatError, OutputError
from siftcli.io.registry import collection_reader, collection_writer


def write(path: Path, *names: str) -> None:
    with collection_writer(path, overwrite=True) as writer:
        for i, name in enumerate(names):
            writer.add(name, make(5, i))


def rollback(folder: Path) -> None:
    write(folder / "f.db", "a.jpg", "b.jpg")


def logged(folder: Path) -> None:
    """With a write-ahead log, closed, as COLMAP leaves it."""
    rollback(folder)
    with closing(sqlite3.connect(folder / "f.db")) as connection:
        assert connection.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)


def left_by_a_kill(folder: Path) -> None:
    """An image is in the log only, and nobody has the database open: copied while another connection was open."""
    logged(folder)
    (folder / "open").mkdir()
    shutil.copy(folder / "f.db", folder / "open" / "f.db")
    with closing(sqlite3.connect(folder / "open" / "f.db")) as other:
        other.execute("SELECT count(*) FROM images").fetchone()
        other.execute("UPDATE images SET name = 'c.jpg' WHERE name = 'b.jpg'")
        other.commit()
        for name in ("f.db", "f.db-wal"):
            shutil.copy(folder / "open" / name, folder / name)
    shutil.rmtree(folder / "open")
    assert (folder / "f.db-wal").stat().st_size > 0


@pytest.mark.parametrize(
    ("state", "names"),
    [
        (rollback, ("a.jpg", "b.jpg")),
        (logged, ("a.jpg", "b.jpg")),
        (left_by_a_kill, ("a.jpg", "c.jpg")),
    ],
)
def test_reading_leaves_nothing(state: Callable[[Path], None], names: tuple[str, ...], tmp_path: Path) -> None:
    state(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with collection_reader(tmp_path / "f.db") as collection:
        assert collection.names == names
        assert [len(features) for _, features in collection] == [5, 5]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with closing(sqlite3.connect(tmp_path / "f.db")) as connection:
        assert sorted(n for (n,) in connection.execute("SELECT name FROM images")) == list(names)


def test_a_database_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    """Of those that are read as files that do not change."""
    logged(tmp_path)
    with collection_reader(tmp_path / "f.db") as collection:
        assert len(collection.read("a.jpg")) == 5
        write(tmp_path / "f.db", "new.jpg")
        with pytest.raises(FormatError, match="was written to while it was read"):
            collection.read("b.jpg")


def test_a_database_in_use_is_read(tmp_path: Path) -> None:
    """What another program has written and not yet moved out of its log is there."""
    logged(tmp_path)
    with closing(sqlite3.connect(tmp_path / "f.db")) as other:
        other.execute("UPDATE images SET name = 'c.jpg' WHERE name = 'b.jpg'")
        other.commit()
        with collection_reader(tmp_path / "f.db") as collection:
            assert collection.names == ("a.jpg", "c.jpg")


def test_an_image_that_cannot_be_added_changes_nothing(tmp_path: Path) -> None:
    """The table of descriptors refuses a row after the image and its keypoints are in: all of it is undone."""
    write(tmp_path / "f.db", "a.jpg")
    with closing(sqlite3.connect(tmp_path / "f.db")) as connection:
        connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON descriptors BEGIN SELECT RAISE(ABORT, 'no'); END")
        connection.commit()
    before = (tmp_path / "f.db").read_bytes()
    writer = collection_writer(tmp_path / "f.db", overwrite=True)
    with writer, pytest.raises(OutputError, match="cannot be written: no"):
        writer.add("b.jpg", make(5, 1))
    with closing(sqlite3.connect(tmp_path / "f.db")) as connection:
        assert connection.execute("SELECT name FROM images").fetchall() == [("a.jpg",)]
        assert connection.execute("SELECT count(*) FROM cameras").fetchone() == (1,)
    assert len(before) == (tmp_path / "f.db").stat().st_size
