"""Files that are damaged, and a process that reads them in 2 s of processor time and 200 MB each, see `fuzz_worker`.

A process of its own, so that limits bind and a crash is seen.
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
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from format_tools import make, write, write_three

from siftcli.io.formats import FORMATS

__all__ = ["NEEDS_LIMITS", "check_damaged", "database", "good_file", "mutated", "outcomes"]

NEEDS_LIMITS = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="NO LIMITS: this system does not tell how much memory a process has"
)


_WORKER = Path(__file__).with_name("fuzz_worker.py")


def outcomes(folder: Path, reader: str, good: Path) -> dict[str, str]:
    """What came of every file of a folder."""
    result = subprocess.run(
        [sys.executable, str(_WORKER), str(folder), reader, str(good)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
    )
    found = dict(json.loads(line) for line in result.stdout.splitlines())
    died = [file for file, outcome in found.items() if outcome == "died"]
    assert result.returncode == 0, f"{died}: {result.returncode} {result.stderr[-2000:]}"
    return found


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


def mutated(data: bytes, seed: int, count: int) -> Iterator[bytes]:
    """Yield copies that are cut short, have bits or bytes changed, lack or repeat a piece, or hold a strange token."""
    rng = random.Random(seed)
    strange = [
        b"9" * 5000, b"-1", b"1e999", b"nan", b"\0", b"\xff\xfe", b"[" * 3000, b'{"a":' * 2000, b'"', b"'" * 3,
        b"\n" * 99,
        b"../../x", b"/etc/x", b"C:\\x", b"\xef\xbb\xbf", b"\x80abc", b"1" * 70000, b",,,,", b"0x" + b"f" * 400,
    ]  # fmt: skip
    for i in range(count):
        at, other = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        if i % 5 == 0:
            yield data[:at]
        elif i % 5 == 1:
            changed = bytearray(data)
            for _ in range(rng.randint(1, 8)):
                changed[rng.randrange(len(data))] = rng.choice((0, 255, rng.randrange(256)))
            yield bytes(changed)
        elif i % 5 == 2:
            changed = bytearray(data)
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            yield bytes(changed)
        elif i % 5 == 3:
            yield data[:other] + data[at:] if i % 2 else data[:at] + data[other:]
        else:
            yield data[:at] + rng.choice(strange) + data[at if i % 2 else other :]


def check_damaged(folder: Path, reader: str, good: Path, parts: Sequence[Path], count: int, refused: int = 20) -> None:
    """Assert that damaged copies of a file are read or refused, and more than `refused` of them refused.

    Parameters
    ----------
    folder : Path
        For the copies; is made.
    reader : str
        As `fuzz_worker` has it.
    good : Path
        The file.
    parts : sequence of Path
        The files that belong to it, which are damaged one at a time.
    count : int
        Copies of each part.
    refused : int
    """
    folder.mkdir()
    for which, part in enumerate(parts):
        for i, data in enumerate(mutated(part.read_bytes(), which + 7, count)):
            for other in parts:
                target = folder / f"{which}{i:04}{''.join(other.suffixes)}"
                target.write_bytes(data) if other == part else shutil.copy(other, target)
    found = outcomes(folder, reader, good)
    assert not {file: outcome for file, outcome in found.items() if outcome not in ("read", "refused")}
    assert len(found) == len(parts) * count
    assert Counter(found.values())["refused"] >= refused
