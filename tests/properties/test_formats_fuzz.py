"""Feature files of wrong counts and tables are refused by name.  Oracle: the kind of what is raised."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from format_tools import PARAMETERS, write_three
from fuzz_tools import NEEDS_LIMITS, database, good_file, mutated, outcomes

from siftcli.io.registry import collection_reader

pytestmark = NEEDS_LIMITS


def huge(data: bytes, name: str) -> Iterator[bytes]:
    """Files that promise far more than they hold, or less."""
    if name in ("lowe", "colmap"):
        for count in (b"0", b"19", b"21", b"999999999", b"999999999999999999", b"-1", b"1e9"):
            yield count + data[data.index(b" ") :]
        yield data.replace(b" 128\n", b" 1000000000\n", 1)
    elif name in ("vlfeat", "vlfeat-frame", "ipol", "openmvg", "csv"):
        yield b"1 " * 40_000_000
        yield b"1\n" * 2_000_000
        yield b"1" * 40_000_000
        yield data + b"9" * 5_000_000
    elif name == "visualsfm":
        for count in (0, 19, 21, 2**31 - 1, -1, -(2**31)):
            yield data[:8] + struct.pack("<i", count) + data[12:]
            yield data[:12] + struct.pack("<i", count) + data[16:]
            yield data[:16] + struct.pack("<i", count) + data[20:]


@pytest.mark.parametrize("name", ["lowe", "colmap", "vlfeat", "vlfeat-frame", "ipol", "openmvg", "csv", "visualsfm"])
def test_wrong_and_huge_counts(tmp_path: Path, name: str) -> None:
    (tmp_path / "files").mkdir()
    good = good_file(tmp_path, name)
    for i, data in enumerate(huge(good.read_bytes(), name)):
        (tmp_path / "files" / f"{i}{good.suffix}").write_bytes(data)
    found = outcomes(tmp_path / "files", name, good)
    assert set(found.values()) == {"refused"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE keypoints SET rows = 1000000000000",
        "UPDATE keypoints SET rows = -1",
        "UPDATE keypoints SET cols = 5",
        "UPDATE keypoints SET data = zeroblob(1000000)",
        "UPDATE keypoints SET data = NULL",
        "UPDATE keypoints SET data = 'text'",
        "UPDATE keypoints SET rows = 'many'",
        "UPDATE descriptors SET rows = 19, data = zeroblob(19 * 128)",
        "UPDATE descriptors SET cols = 64",
        "UPDATE descriptors SET type = 1",
        "UPDATE descriptors SET rows = 1000000000000",
        "DROP TABLE keypoints",
        "DROP TABLE images",
        "ALTER TABLE descriptors RENAME COLUMN data TO other",
    ],
)
def test_databases_that_are_not_colmaps(tmp_path: Path, change: str) -> None:
    (tmp_path / "files").mkdir()
    good = database(tmp_path / "good.db")
    bad = database(tmp_path / "files" / "bad.db")
    connection = sqlite3.connect(bad)
    connection.execute(change)
    connection.commit()
    connection.close()
    assert outcomes(tmp_path / "files", "colmap-db", good) == {"bad.db": "refused"}


def test_the_database_that_is_damaged_here_is_read(tmp_path: Path) -> None:
    """Closed form: 2 columns are a point, 4 a similarity, 6 an affine frame; the first pixel's centre is (0.5, 0.5)."""
    with collection_reader(database(tmp_path / "good.db")) as collection:
        assert collection.names == ("1.jpg", "2.jpg", "3.jpg")
        points, similarities, shapes = (collection.read(name) for name in collection.names)
    assert points.xy[0].tolist() == [0.5, 1.5]
    assert points.scales.tolist() == [1] * 20
    assert similarities.scales[0] == 3
    assert shapes.affine is not None
    assert shapes.affine[0].tolist() == [[3, 4], [5, 6]]
    assert shapes.image_size == (640, 480)


def test_the_journal_that_is_damaged_is_gone_on_with(tmp_path: Path) -> None:
    """However a journal is cut, or whatever is in it, a run that resumes ends with the whole file."""
    from siftcli.io.registry import collection_writer

    images = write_three(tmp_path / "whole.h5", "hdf5")
    writer = collection_writer(tmp_path / "f.h5", parameters=PARAMETERS)
    for name, features in images.items():
        writer.add(name, features)
    writer.abort()
    journal = tmp_path / "f.h5.sift.journal"
    good = journal.read_bytes()
    head = good.index(b"PK") - 100  # the parameters: a change there is a journal of other ones
    for data in mutated(good, seed=5, count=80):
        if data[:head] != good[:head]:
            continue
        journal.write_bytes(data)
        with collection_writer(tmp_path / "f.h5", parameters=PARAMETERS, resume=True, overwrite=True) as writer:
            for name in images.keys() - writer.done():
                writer.add(name, images[name])
        assert (tmp_path / "f.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
        (tmp_path / "f.h5").unlink()
