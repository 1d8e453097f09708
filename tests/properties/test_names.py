"""Names of images out of files: nothing is written outside the output folder, whatever they are.

Oracle: the listing and the bytes of everything outside that folder, before and after.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from cli_tools import SIFT, blobs
from format_tools import make
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from siftcli.errors import OutputError
from siftcli.io.fields import arrays_of
from siftcli.io.names import check_name, name_fault, place_below

EVIL = [
    "../evil.jpg", "../../evil.jpg", "a/../../evil.jpg", "/evil.jpg", "..", ".", "", "/", "a//b.jpg", "./a.jpg", "a/.",
    "a\0b.jpg", "C:\\evil.jpg", "c:evil.jpg", "..\\evil.jpg", "\\evil.jpg", "\\\\host\\evil.jpg", "x" * 300 + ".jpg",
]  # fmt: skip
GOOD = ["good.jpg", "sub/é.jpg", "a..b.jpg", "-o.jpg"]


@given(st.text(st.sampled_from("a.b/\\:\0 é\udcff"), max_size=12), st.sampled_from([".csv", ".key.gz"]))
def test_a_place_below_a_folder_is_below_it(name: str, suffix: str) -> None:
    folder = Path("/some/folder")
    try:
        place = place_below(folder, name, name + suffix)
    except OutputError:
        assert name_fault(name) is not None
        return
    assert Path(os.path.normpath(place)) == place
    assert place.is_relative_to(folder)
    assert place != folder
    assert str(place) == f"/some/folder/{name}{suffix}"


@pytest.mark.parametrize("name", EVIL[:-1])
def test_a_file_of_many_images_cannot_hold_such_names(name: str) -> None:
    with pytest.raises(OutputError, match="cannot hold an image named"):
        check_name("f.h5", name)


def database(path: Path, names: list[str]) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE cameras (camera_id INTEGER PRIMARY KEY, model INTEGER, width INTEGER, height INTEGER);"
        "CREATE TABLE images (image_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, camera_id INTEGER NOT NULL);"
        "CREATE TABLE keypoints (image_id INTEGER PRIMARY KEY, rows INTEGER, cols INTEGER, data BLOB);"
        "CREATE TABLE descriptors (image_id INTEGER PRIMARY KEY, rows INTEGER, cols INTEGER, data BLOB);"
        "INSERT INTO cameras VALUES (1, 2, 640, 480);"
    )
    for i, name in enumerate(names, 1):
        connection.execute("INSERT INTO images VALUES (?, ?, 1)", (i, name))
        connection.execute("INSERT INTO keypoints VALUES (?, 1, 4, ?)", (i, struct.pack("<4f", 5, 5, 2, 0)))
        connection.execute("INSERT INTO descriptors VALUES (?, 1, 128, ?)", (i, bytes(range(128))))
    connection.commit()
    connection.close()
    return path


def collection(path: Path, names: list[str]) -> Path:
    """HDF5 whose groups have these names, as far as HDF5 can have them."""
    with h5py.File(path, "w") as file:
        for i, name in enumerate(names):
            parts = name.encode("utf-8", "surrogateescape").split(b"/")
            if parts == [b".."] or b"" in parts or b"." in parts or b"\0" in name.encode("utf-8", "surrogateescape"):
                continue
            group = file
            for part in parts:
                group = group[part] if group.id.links.exists(part) else group.create_group(part)
            for key, array in arrays_of(make(3, i)).items():
                group[key] = array
    return path


def sift(folder: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    result = subprocess.run([*SIFT, *args], cwd=folder, capture_output=True)
    assert b"Traceback" not in result.stderr, result.stderr.decode()
    assert b"internal error" not in result.stderr
    return result


def outside(folder: Path) -> dict[str, bytes]:
    """What is in a folder, but for the output's own folder `o/p/q`."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if not path.is_relative_to(folder / "o" / "p" / "q")
    }


def entries(folder: Path) -> list[bytes]:
    """The names in a folder as bytes."""
    return sorted(os.fsencode(path.name) for path in folder.iterdir())


CONTAINERS = {"in.db": database, "in.h5": collection}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("target", ["csv", "colmap", "vlfeat-frame", "hdf5"])
def test_nothing_is_written_outside_the_folder(tmp_path: Path, container: str, target: str) -> None:
    (tmp_path / "o" / "p" / "q").mkdir(parents=True)
    CONTAINERS[container](tmp_path / container, EVIL + GOOD)
    before = outside(tmp_path)
    output = "o/p/q/out.h5" if target == "hdf5" else "o/p/q/"
    result = sift(tmp_path, "convert", container, output, "--to", target, "--images", "o/p")
    assert result.returncode == 1
    assert outside(tmp_path) == before
    if target == "hdf5":
        with h5py.File(tmp_path / output) as file:
            assert sorted(file) == sorted({name.split("/")[0] for name in [*GOOD, *EVIL[-1:]]})
    else:
        found = {path.stem.removesuffix(".jpg") for path in (tmp_path / output).rglob("*") if path.is_file()}
        assert found == {"good", "é", "a..b", "-o"}
    for name in ("../evil.jpg", "C:\\\\evil.jpg"):
        assert f"named '{name}'" in result.stderr.decode()


@pytest.mark.parametrize("container", CONTAINERS)
def test_other_commands_take_such_names(tmp_path: Path, container: str) -> None:
    """They are names to match, show and look for, and never paths."""
    CONTAINERS[container](tmp_path / container, EVIL + GOOD)
    Image.fromarray(blobs()).save(tmp_path / "good.jpg")
    before = outside(tmp_path)
    assert sift(tmp_path, "info", container).returncode == 0
    assert (
        sift(tmp_path, "describe", "good.jpg", "--keypoints", container, "--bad-frames", "zero", "-o", "-").returncode
        == 0
    )
    for output in ("m.h5", "m.txt"):
        result = sift(tmp_path, "match", container, "--exhaustive", "-o", output)
        assert result.returncode in (0, 1)
        for path in tmp_path.glob(f"{output}*"):
            path.unlink()
    sift(tmp_path, "draw", "good.jpg", container, "-o", "d.svg")
    (tmp_path / "d.svg").unlink(missing_ok=True)
    assert outside(tmp_path) == before


@pytest.mark.skipif(sys.platform != "linux", reason="NO BYTES: names of files are text here")
def test_names_that_are_not_utf8_work_or_are_refused_by_name(tmp_path: Path) -> None:
    """Oracle: the bytes of the names, in the names of outputs and in a match list; UTF-8 in all else."""
    for name in (b"b\xff.png", b"c\xfe.png"):
        Image.fromarray(blobs()).save(tmp_path / "x.png")
        shutil.move(os.fsencode(tmp_path / "x.png"), os.fsencode(tmp_path) + b"/" + name)
    a, b = (os.fsdecode(name) for name in (b"b\xff.png", b"c\xfe.png"))
    assert sift(tmp_path, "detect", ".", "-o", "o/").returncode == 0
    assert entries(tmp_path / "o") == [b".sift-manifest.jsonl", b"b\xff.key", b"c\xfe.key"]
    assert sift(tmp_path, "match", a, b, "-o", "m.txt").returncode == 0
    assert (tmp_path / "m.txt").read_bytes().startswith(b"b\xff.png c\xfe.png\n")
    for output in ("a.svg", "a.html"):
        assert sift(tmp_path, "draw", a, b, "--matches", "m.txt", "-o", output).returncode == 0
        assert "\\udcff" in (tmp_path / output).read_text("utf-8") or output == "a.svg"
    for args in (("detect", ".", "-o", "f.h5"), ("match", a, b, "-o", "m.h5"), ("match", a, b, "-o", "m.db")):
        result = sift(tmp_path, *args)
        assert result.returncode == 1
        assert rb"\udcf" in result.stderr
        assert b"not UTF-8" in result.stderr
    collection(tmp_path / "g.h5", [a, b])
    assert sift(tmp_path, "info", "g.h5", "--json").returncode == 0
    assert sift(tmp_path, "convert", "g.h5", "csv/", "--to", "csv").returncode == 0
    assert entries(tmp_path / "csv") == [b"b\xff.csv", b"c\xfe.csv"]


def test_lists_lead_nowhere_outside(tmp_path: Path) -> None:
    """The place of a file from a list is below the output folder, whatever leads to the file."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    Image.fromarray(np.asarray(blobs())).save(tmp_path / "in" / "a.png")
    listed = ["../in/a.png", str(tmp_path / "in" / "a.png"), "deep/../a.png"]
    (tmp_path / "in" / "list").write_text("\n".join(listed[1:2]))
    assert sift(tmp_path / "in", "detect", "--files-from", "list", "-o", "../o/").returncode == 0
    found = list(tmp_path.rglob("*.key"))
    assert len(found) == 1
    assert found[0].is_relative_to(tmp_path / "o")
