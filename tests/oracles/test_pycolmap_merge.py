"""Databases that are merged, made smaller, brought to another version and added to.  Oracle: pycolmap."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import SIFT
from format_tools import make

from siftcli.features import Camera, Features
from siftcli.io.colmap.camera import DatabaseOptions
from siftcli.io.colmap.matches import MatchCollection, pairs_there
from siftcli.io.colmap.schema import VERSIONS
from siftcli.io.matches import write_matches
from siftcli.io.registry import collection_reader
from siftcli.matches import Matches, Model

pycolmap = pytest.importorskip("pycolmap", reason="NO PYCOLMAP: databases are not tested; pip install 'siftcli[test]'")

INDICES = np.array([[0, 5], [1, 4], [2, 3]], np.int32)
INLIERS = np.array([True, False, True])
ROTATION = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0], [0.48, 0.64, 0.6]])
POSE = np.column_stack([ROTATION, [0.6, 0, 0.8]])
ESSENTIAL = np.cross(np.eye(3), POSE[:, 3]).T @ ROTATION
CAMERA = Camera("Maker One", 700.0, (48.5, -11.25, 520.0))


def images(*names: str) -> dict[str, Features]:
    return {name: make(20, ord(name[0]), camera=CAMERA) for name in names}


def database(path: Path, features: dict[str, Features], pairs: list[tuple[str, str]], version: str = "4.2") -> Path:
    """A database with the same matches and relative pose of each pair."""
    model = Model("essential", ESSENTIAL, 2.0, focal=700.0, pose=POSE)
    matches = Matches(INDICES, inliers=INLIERS, model=model, sizes=(20, 20))
    found = [(a, b, matches) for a, b in pairs]
    write_matches(path, found, features=features.__getitem__, database=DatabaseOptions(version=version))
    return path


def convert(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SIFT, "convert", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def check_pairs(path: Path, pairs: list[tuple[str, str]]) -> None:
    """Assert that pycolmap finds just these pairs, with the pose from the first image to the second."""
    db = pycolmap.Database.open(str(path))
    try:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        for a, b in pairs:
            np.testing.assert_array_equal(db.read_matches(ids[a], ids[b]), INDICES)
            geometry = db.read_two_view_geometry(ids[a], ids[b])
            np.testing.assert_array_equal(geometry.inlier_matches, INDICES[INLIERS])
            np.testing.assert_allclose(geometry.cam2_from_cam1.matrix(), POSE, atol=1e-12)
            np.testing.assert_allclose(geometry.E, ESSENTIAL, atol=1e-12)
        count = db.num_verified_image_pairs
        assert (count() if callable(count) else count) == len(pairs)
    finally:
        db.close()


def test_merging_keeps_uncertainty_and_gravity(tmp_path: Path) -> None:
    """Independent program: pycolmap writes the priors of one database, and reads them from the merged one."""
    second = database(tmp_path / "2.db", images("c", "d"), [("c", "d")])
    covariance, gravity = np.diag([4.0, 9.0, 25.0]), np.array([0.0, 0.6, 0.8])
    with pycolmap.Database.open(str(second)) as db:
        for prior in db.read_all_pose_priors():
            prior.position_covariance, prior.gravity = covariance, gravity
            db.update_pose_prior(prior)
    first = database(tmp_path / "1.db", images("a", "b"), [("a", "b")])
    assert convert(first, second, tmp_path / "both.db").returncode == 0
    with pycolmap.Database.open(str(tmp_path / "both.db")) as db:
        priors = db.read_all_pose_priors()
    assert [prior.has_position_cov() for prior in priors] == [False, False, True, True]
    for prior in priors[2:]:
        np.testing.assert_array_equal(prior.position_covariance, covariance)
        np.testing.assert_array_equal(prior.gravity, gravity)


@pytest.mark.parametrize("version", VERSIONS)
def test_merged_databases_have_everything_of_both(version: str, tmp_path: Path) -> None:
    """The image that both have comes first in one and last in the other, so pairs are turned round on the way."""
    first = database(tmp_path / "1.db", images("a", "b"), [("a", "b")], version)
    second = database(tmp_path / "2.db", images("c", "b", "d"), [("c", "b"), ("c", "d"), ("b", "d")])
    run = convert(first, second, tmp_path / "both.db", "--colmap-version", version)
    assert run.returncode == 0, run.stderr
    assert "4 images of 2 databases" in run.stderr
    with collection_reader(tmp_path / "both.db") as collection:
        assert collection.names == ("a", "b", "c", "d")
        positions = {features.camera.position for _, features in collection if features.camera is not None}
        assert positions == {CAMERA.position}
    check_pairs(tmp_path / "both.db", [("a", "b"), ("c", "b"), ("c", "d"), ("b", "d")])


def test_images_of_one_name_and_other_features_are_named(tmp_path: Path) -> None:
    first = database(tmp_path / "1.db", images("a", "b"), [("a", "b")])
    other = {**images("b", "c"), "b": make(20, 99)}
    second = database(tmp_path / "2.db", other, [("b", "c")])
    before = second.read_bytes()
    run = convert(first, second, tmp_path / "both.db")
    assert run.returncode == 1
    assert f"b: {second} has other features of this image than a database before it" in run.stderr
    assert not (tmp_path / "both.db").exists()
    run = convert(first, second, tmp_path / "both.db", "--exclude", "b")
    assert run.returncode == 0
    assert second.read_bytes() == before
    with collection_reader(tmp_path / "both.db") as collection:
        assert collection.names == ("a", "c")
    check_pairs(tmp_path / "both.db", [])


def test_images_are_removed_by_pattern_with_their_matches(tmp_path: Path) -> None:
    names = ("left/1", "left/2", "right/1")
    features = {name: make(20, i) for i, name in enumerate(names)}
    path = database(tmp_path / "f.db", features, [("left/1", "left/2"), ("left/1", "right/1")])
    for options in (["--only", "left/*"], ["--exclude", "right/*"]):
        assert convert(path, tmp_path / "g.db", *options, "--overwrite").returncode == 0
        check_pairs(tmp_path / "g.db", [("left/1", "left/2")])
        (tmp_path / "g.db").unlink()


def test_matches_are_converted_there_and_back(tmp_path: Path) -> None:
    path = database(tmp_path / "f.db", images("a", "b", "c"), [("a", "b"), ("c", "b")])
    assert convert("--matches", path, tmp_path / "m.h5").returncode == 0
    empty = tmp_path / "g.db"
    assert convert(path, empty).returncode == 0
    assert convert("--matches", tmp_path / "m.h5", empty).returncode == 0
    with MatchCollection(empty) as collection:
        # hloc's layout has the inliers alone
        assert {pair: len(collection.read(*pair)) for pair in collection.pairs} == {("a", "b"): 2, ("b", "c"): 2}


def test_only_new_pairs_are_matched(tmp_path: Path) -> None:
    """Twice the same does nothing; one more image adds its pairs; other features of an image give its pairs again."""
    features = images("a", "b")
    path = database(tmp_path / "f.db", features, [("a", "b")])
    both = {("a", "b"), ("b", "a")}
    assert pairs_there(path, "abc", images("a", "b", "c").__getitem__, verified=True) == both
    assert pairs_there(path, "ab", {**features, "b": make(20, 99)}.__getitem__, verified=True) == frozenset()
    command = [*SIFT, "match", path, "--exhaustive", "-o", path, "--verify", "homography"]
    before = path.read_bytes()
    run = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert "1 pair is in" in run.stderr
    assert path.read_bytes() == before
    assert convert(database(tmp_path / "c.db", images("c", "a"), []), path, "--overwrite").returncode == 0
    write_matches(
        path, [("c", "a", Matches(INDICES, sizes=(20, 20)))], features=images("c", "a").__getitem__, overwrite=True
    )
    run = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert "1 pair is in" in run.stderr
    assert "2 pairs done" in run.stderr  # a with c, which was not verified, and b with c
