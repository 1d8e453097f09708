"""COLMAP databases of every version.  Oracle: pycolmap of several versions, and the program of COLMAP 3.8."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_tools import make

from siftcli.conventions import flip_bins, quantise_512
from siftcli.features import Camera, Features
from siftcli.io.colmap.camera import DatabaseOptions
from siftcli.io.colmap.matches import MatchCollection
from siftcli.io.colmap.schema import VERSIONS
from siftcli.io.registry import collection_writer

pycolmap = pytest.importorskip("pycolmap", reason="NO PYCOLMAP: databases are not tested; pip install 'siftcli[test]'")

PAIRS = [f"pair_{name}_{which}.jpg" for name in ("astronaut", "dandelion") for which in "ab"]
Detected = Callable[[Path, str], Features]
CAMERA = Camera("Maker One", 700.0, (48.51, -11.25, 520.5))
OLDER = os.environ.get("SIFTCLI_OLDER_PYCOLMAP", "")


def opened(path: Path) -> Any:
    return pycolmap.Database.open(str(path))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_written_and_then_added_to(version: str, tmp_path: Path) -> None:
    """The tables are those of the version; pycolmap, which is of the newest, reads and converts all of them."""
    images = {f"{i}.jpg": make(30, i, camera=CAMERA) for i in range(3)}
    path = tmp_path / "f.db"
    with collection_writer(path, database=DatabaseOptions(version=version)) as writer:
        for name in ("0.jpg", "1.jpg"):
            writer.add(name, images[name])
    before = tables(path)
    with collection_writer(path, overwrite=True) as writer:
        for name, features in images.items():
            writer.add(name, features)
    assert tables(path) == before
    db = opened(path)
    try:
        assert {image.name for image in db.read_all_images()} == set(images)
        if version != "3.8":  # which has no rigs; COLMAP makes them when it reconstructs
            assert len(db.read_all_frames()) == 3
            assert len(db.read_all_rigs()) == 1
        (camera,) = db.read_all_cameras()
        assert camera.has_prior_focal_length
        np.testing.assert_allclose(camera.params, [700, 320, 240, 0])
        for image in db.read_all_images():
            assert len(db.read_keypoints(image.image_id)) == 30
            np.testing.assert_array_equal(
                db.read_descriptors(image.image_id).data, flip_bins(quantise_512(images[image.name].descriptors))
            )
        priors = db.read_all_pose_priors()
        if version == "3.8":  # whose positions COLMAP does not convert
            return
        assert [tuple(prior.position) for prior in priors] == [CAMERA.position] * 3
        assert {prior.coordinate_system.name for prior in priors} == {"WGS84"}
    finally:
        db.close()


def tables(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [
            connection.execute("SELECT sql FROM sqlite_master").fetchall(),
            *connection.execute("PRAGMA user_version"),
        ]


def test_a_new_database_has_the_tables_of_pycolmaps(tmp_path: Path) -> None:
    """Columns, their types and constraints, keys and indices."""
    opened(tmp_path / "theirs.db").close()
    collection_writer(tmp_path / "ours.db").close()
    found = []
    for name in ("theirs", "ours"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            names = [
                n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            ]
            queries = ("table_info", "foreign_key_list", "index_list")
            found.append({n: [connection.execute(f"PRAGMA {q}({n})").fetchall() for q in queries] for n in names})
    assert found[0] == found[1]


@pytest.mark.parametrize("python", OLDER.split(os.pathsep) if OLDER else ["none"])
@pytest.mark.parametrize("version", VERSIONS)
def test_older_versions_of_pycolmap_read_their_own(python: str, version: str, tmp_path: Path) -> None:
    """Environments with other versions of pycolmap are named by SIFTCLI_OLDER_PYCOLMAP, as a list of interpreters."""
    if python == "none":
        pytest.skip("NO OLDER PYCOLMAP: name interpreters that have one in SIFTCLI_OLDER_PYCOLMAP")
    with collection_writer(tmp_path / "f.db", database=DatabaseOptions(version=version)) as writer:
        for i in range(2):
            writer.add(f"{i}.jpg", make(20, i))
    program = (
        "import pycolmap, sys\n"
        "try:\n    db = pycolmap.Database.open(sys.argv[1])\n"
        "except TypeError:\n    db = pycolmap.Database(); db.open(sys.argv[1])\n"
        "for image in db.read_all_images():\n"
        "    found = db.read_descriptors(image.image_id)\n"
        "    print(pycolmap.__version__, image.name, len(db.read_keypoints(image.image_id)),"
        " len(getattr(found, 'data', found)))\n"
        "db.close()\n"
    )
    run = subprocess.run([python, "-c", program, tmp_path / "f.db"], capture_output=True, text=True)
    release = run.stdout.split()[0] if run.stdout else "0"
    if version == "4.2" and int(release.split(".")[0]) < 4:
        pytest.skip(f"pycolmap {release} is older than the tables")
    assert run.returncode == 0, run.stderr
    assert [line.split()[1:] for line in run.stdout.splitlines()] == [["0.jpg", "20", "20"], ["1.jpg", "20", "20"]]


@pytest.mark.skipif(shutil.which("colmap") is None, reason="NO COLMAP: its program does not read what is written")
def test_the_program_reads_and_matches_version_3_8(tmp_path: Path, sample_images: Path, detected: Detected) -> None:
    """COLMAP's own command, as Debian has it, matches and verifies a pair of images of one scene."""
    path = tmp_path / "f.db"
    with collection_writer(path, database=DatabaseOptions(version="3.8")) as writer:
        for name in PAIRS[:2]:
            writer.add(name, detected(sample_images / name, "default"))
    command = ["colmap", "exhaustive_matcher", "--SiftMatching.use_gpu", "0", "--database_path", path]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    if "SiftMatching.use_gpu" in run.stderr:
        pytest.skip("COLMAP is of another version than 3.8")
    assert run.returncode == 0, run.stderr
    with MatchCollection(path) as collection:
        (matches,) = [m for _, _, m in collection]
    assert matches.inliers is not None
    assert matches.inliers.sum() > 100
