"""Damaged files of every format are read or refused by name: in 2 s of processor time, 200 MB, and one line.

Oracle: the kind of what is raised.  The files are read by a process of its own (`tests/fuzz_worker.py`), so that limits
bind and a crash is seen.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from format_tools import PARAMETERS, make, parts_of, write, write_three

from siftcli.io.formats import FORMATS
from siftcli.io.registry import collection_reader

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="NO LIMITS: this system does not tell how much memory a process has"
)

WORKER = Path(__file__).parents[1] / "fuzz_worker.py"
FLIPS = 300


def database(path: Path) -> Path:
    """A database as COLMAP makes it, made without pycolmap: the tables that are read, and no others."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE cameras (camera_id INTEGER PRIMARY KEY, model INTEGER, width INTEGER, height INTEGER);"
        "CREATE TABLE images (image_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, camera_id INTEGER NOT NULL);"
        "CREATE TABLE keypoints (image_id INTEGER PRIMARY KEY, rows INTEGER, cols INTEGER, data BLOB);"
        "CREATE TABLE descriptors (image_id INTEGER PRIMARY KEY, type INTEGER, rows INTEGER, cols INTEGER, data BLOB);"
        "INSERT INTO cameras VALUES (1, 2, 640, 480);"
    )
    for i, columns in enumerate((2, 4, 6), 1):
        features = make(20, i)
        frames = struct.pack(f"<{20 * columns}f", *(float(k % 7 + 1) for k in range(20 * columns)))
        assert features.descriptors is not None
        connection.execute("INSERT INTO images VALUES (?, ?, 1)", (i, f"{i}.jpg"))
        connection.execute("INSERT INTO keypoints VALUES (?, 20, ?, ?)", (i, columns, frames))
        connection.execute("INSERT INTO descriptors VALUES (?, 0, 20, 128, ?)", (i, features.descriptors.tobytes()))
    connection.commit()
    connection.close()
    return path


def good_file(folder: Path, name: str) -> Path:
    """A small file of a format."""
    path = folder / f"good{FORMATS[name].suffix}"
    if name == "colmap-db":
        return database(path)
    if FORMATS[name].many:
        write_three(path, name)
        return path
    return write(path, make(20), name)


def damaged(data: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    """Cut short at every percent; one bit, or a few bytes, changed."""
    for percent in range(100):
        yield f"cut{percent:02}", data[: len(data) * percent // 100]
    rng = random.Random(seed)
    for i in range(FLIPS):
        changed = bytearray(data)
        for _ in range(1 if i % 2 else rng.randint(2, 8)):
            at = rng.randrange(len(data))
            changed[at] = changed[at] ^ (1 << rng.randrange(8)) if i % 2 else rng.choice((0, 255, rng.randrange(256)))
        yield f"flip{i:03}", bytes(changed)


def outcomes(folder: Path, name: str, good: Path) -> dict[str, str]:
    """What came of every file of a folder."""
    result = subprocess.run(
        [sys.executable, str(WORKER), str(folder), name, str(good)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
    )
    found = dict(json.loads(line) for line in result.stdout.splitlines())
    died = [file for file, outcome in found.items() if outcome == "died"]
    assert result.returncode == 0, f"{died}: {result.returncode} {result.stderr[-2000:]}"
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "files").mkdir()
    good = good_file(tmp_path, name)
    parts = parts_of(good, name)
    for which, part in enumerate(parts):
        for label, data in damaged(part.read_bytes(), seed=which):
            target = tmp_path / "files" / f"{which}{label}{good.suffix}"
            for other in parts:
                shutil.copy(other, target.with_suffix(other.suffix))
            target.with_suffix(part.suffix).write_bytes(data)
    found = outcomes(tmp_path / "files", name, good)
    wrong = {file: outcome for file, outcome in found.items() if outcome not in ("read", "refused")}
    assert not wrong
    assert len(found) == len(parts) * (100 + FLIPS)
    assert Counter(found.values())["refused"] > 50


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
    for _, data in list(damaged(good, seed=5))[::5]:
        if data[:head] != good[:head]:
            continue
        journal.write_bytes(data)
        with collection_writer(tmp_path / "f.h5", parameters=PARAMETERS, resume=True, overwrite=True) as writer:
            for name in images.keys() - writer.done():
                writer.add(name, images[name])
        assert (tmp_path / "f.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
        (tmp_path / "f.h5").unlink()
