"""COLMAP databases.  Oracle: pycolmap, which reads, matches and verifies what is written, and writes what is read."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import SIFT
from format_tools import make, same

from siftcli.conventions import flip_bins, quantise_512
from siftcli.errors import OutputError
from siftcli.features import Features
from siftcli.io import sqlite_file
from siftcli.io.registry import collection_reader, collection_writer, read_features, write_features

pycolmap = pytest.importorskip("pycolmap", reason="NO PYCOLMAP: databases are not tested; pip install 'siftcli[test]'")

PAIRS = [f"pair_{name}_{which}.jpg" for name in ("astronaut", "dandelion") for which in "ab"]
Detected = Callable[[Path, str], Features]


@pytest.fixture(scope="module")
def database(
    sample_images: Path, detected: Detected, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Features]]:
    """A database of the sample pairs, written by this package."""
    path = tmp_path_factory.mktemp("colmap") / "f.db"
    images = {name: detected(sample_images / name, "default") for name in PAIRS}
    with collection_writer(path) as writer:
        for name, features in images.items():
            writer.add(name, features)
    return path, images


def opened(path: Path) -> Any:
    return pycolmap.Database.open(str(path))


def copied(path: Path, folder: Path) -> Path:
    return Path(shutil.copy(path, folder / "copy.db"))


def counts(path: Path) -> tuple[int, int, int]:
    """Matches, inlier matches, verified pairs."""
    database = opened(path)
    found = tuple(
        value() if callable(value) else value
        for value in (database.num_matches, database.num_inlier_matches, database.num_verified_image_pairs)
    )
    database.close()
    return found  # type: ignore[return-value]


def test_pycolmap_reads_what_is_written(database: tuple[Path, dict[str, Features]]) -> None:
    path, images = database
    db = opened(path)
    try:
        assert {image.name for image in db.read_all_images()} == set(PAIRS)
        for image in db.read_all_images():
            features = images[image.name]
            keypoints = db.read_keypoints(image.image_id)
            np.testing.assert_allclose(keypoints[:, :2] - 0.5, features.xy, atol=1e-4)
            np.testing.assert_array_equal(keypoints[:, 2], features.scales)
            np.testing.assert_array_equal(keypoints[:, 3], features.orientations)
            descriptors = db.read_descriptors(image.image_id)
            assert features.descriptors is not None
            stored = getattr(descriptors, "data", descriptors)
            np.testing.assert_array_equal(stored, flip_bins(quantise_512(features.descriptors)))
            assert abs(np.median(np.linalg.norm(stored.astype(float), axis=1)) - 512) < 0.5
            if hasattr(descriptors, "type"):
                assert descriptors.type == pycolmap.FeatureExtractorType.SIFT
            camera = db.read_camera(image.camera_id)
            assert (camera.width, camera.height) == features.image_size
            assert not camera.has_prior_focal_length
    finally:
        db.close()


def test_pycolmap_matches_and_verifies_without_a_complaint(
    database: tuple[Path, dict[str, Features]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The images of a pair show the same scene, those of different pairs do not."""
    path = copied(database[0], tmp_path)
    pycolmap.match_exhaustive(str(path), device=pycolmap.Device.cpu)
    lines = capfd.readouterr().err.splitlines()
    assert not [line for line in lines if line[:1] in "WEF"]  # how its log begins a warning or an error
    db = opened(path)
    try:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        for name in ("astronaut", "dandelion"):
            a, b = (ids[f"pair_{name}_{which}.jpg"] for which in "ab")
            geometry = db.read_two_view_geometry(a, b)
            assert len(geometry.inlier_matches) > 100
        cross = db.read_two_view_geometry(ids["pair_astronaut_a.jpg"], ids["pair_dandelion_a.jpg"])
        assert len(cross.inlier_matches) < 15
    finally:
        db.close()


@pytest.fixture(scope="module")
def theirs(sample_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of a sample pair, by pycolmap's own detector; plain SIFT descriptors."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "images").mkdir()
    for name in PAIRS[:2]:
        shutil.copy(sample_images / name, folder / "images" / name)
    options = pycolmap.FeatureExtractionOptions()
    options.sift.normalization = pycolmap.Normalization.L2
    options.num_threads = 1
    pycolmap.extract_features(
        str(folder / "f.db"), str(folder / "images"), extraction_options=options, device=pycolmap.Device.cpu
    )
    return folder / "f.db"


def test_what_pycolmap_wrote_to_key_files(theirs: Path, tmp_path: Path) -> None:
    """Through `sift convert`: its keypoints to 0.01 px."""
    subprocess.run([*SIFT, "convert", "-q", theirs, tmp_path / "keys", "--to", "lowe"], check=True)
    db = opened(theirs)
    try:
        for image in db.read_all_images():
            keypoints = db.read_keypoints(image.image_id)
            features = read_features(tmp_path / "keys" / f"{Path(image.name).stem}.key")
            assert len(features) == len(keypoints) > 500
            assert np.abs(keypoints[:, :2] - 0.5 - features.xy).max() < 0.01
            shape = keypoints[:, 2:].reshape(-1, 2, 2)
            assert np.abs(np.sqrt(np.linalg.det(shape)) - features.scales).max() < 0.01
            angle = np.arctan2(shape[:, 1, 0], shape[:, 0, 0]) - features.orientations
            assert np.abs(np.angle(np.exp(1j * angle))).max() < 0.001
    finally:
        db.close()


def test_bins_are_in_their_order(theirs: Path, sample_images: Path, detected: Detected) -> None:
    """At keypoints that both detect, their descriptors are like ours after conversion, and not like ours otherwise."""
    name = PAIRS[0]
    with collection_reader(theirs) as collection:
        other = collection.read(name)
    ours = detected(sample_images / name, "default")
    distance = np.linalg.norm(other.xy[:, None] - ours.xy[None], axis=2)
    turn = np.abs(np.angle(np.exp(1j * (other.orientations[:, None] - ours.orientations[None]))))
    size = np.abs(np.log(other.scales[:, None] / ours.scales[None]))
    i, j = np.nonzero((distance < 0.5) & (turn < 0.05) & (size < 0.05))
    assert len(i) > 300
    assert other.descriptors is not None
    assert ours.descriptors is not None

    def cosine(a: Any, b: Any) -> float:
        a, b = a.astype(float), b.astype(float)
        return float(np.median((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)))

    assert cosine(other.descriptors[i], ours.descriptors[j]) > 0.97
    assert cosine(flip_bins(other.descriptors)[i], ours.descriptors[j]) < 0.8


def test_adding_the_same_again_changes_nothing(database: tuple[Path, dict[str, Features]], tmp_path: Path) -> None:
    """Equal features keep their matches; other ones lose theirs, and only theirs."""
    path, images = copied(database[0], tmp_path), database[1]
    pycolmap.match_exhaustive(str(path), device=pycolmap.Device.cpu)
    before = counts(path)
    assert before[2] == 6  # pairs of 4 images, 3 of them with the first
    with collection_writer(path, overwrite=True) as writer:
        for name, features in images.items():
            writer.add(name, features)
    assert counts(path) == before
    with collection_writer(path, overwrite=True) as writer:
        writer.add(PAIRS[0], make(50))
    matches, _, pairs = counts(path)
    assert 0 < matches < before[0]
    assert pairs == 3
    with collection_reader(path) as collection:
        assert len(collection.names) == 4
        back = collection.read(PAIRS[0])
        same(make(50), back, ("scales", "orientations"))
        np.testing.assert_allclose(back.xy, make(50).xy, atol=1e-4)


def test_cameras_and_images_that_are_there_are_used(theirs: Path, tmp_path: Path) -> None:
    path = copied(theirs, tmp_path)
    with collection_writer(path, overwrite=True) as writer:
        writer.add(PAIRS[0], make(5, image_size=None))
        with pytest.raises(OutputError, match="its size is not known"):
            writer.add("new.jpg", make(5, image_size=None))
        writer.add("new.jpg", make(6))
    db = opened(path)
    try:
        assert len(db.read_all_images()) == len(db.read_all_cameras()) == 3
    finally:
        db.close()
    with collection_reader(path) as collection:
        assert {name: len(features) for name, features in collection}[PAIRS[0]] == 5


def test_a_new_database_appears_when_it_is_whole(tmp_path: Path) -> None:
    with collection_writer(tmp_path / "f.db") as writer:
        writer.add("x.jpg", make(3))
        assert not (tmp_path / "f.db").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["f.db"]
    writer = collection_writer(tmp_path / "g.db")
    writer.add("x.jpg", make(3))
    writer.abort()
    assert [p.name for p in tmp_path.iterdir()] == ["f.db"]
    with pytest.raises(OutputError, match="exists already"):
        collection_writer(tmp_path / "f.db")


@pytest.mark.parametrize(
    ("others", "words"),
    [({"descriptors": None}, "no descriptors"), ({"scales": np.full(3, np.nan, np.float32)}, "not finite")],
)
def test_what_colmap_cannot_use_is_refused(tmp_path: Path, others: dict[str, Any], words: str) -> None:
    with collection_writer(tmp_path / "f.db") as writer:
        with pytest.raises(OutputError, match=words):
            writer.add("x.jpg", make(3, **others))
        writer.add("y.jpg", make(0))
    with collection_reader(tmp_path / "f.db") as collection:
        assert {name: len(features) for name, features in collection} == {"y.jpg": 0}


def test_a_database_in_use_is_a_clear_error(
    database: tuple[Path, dict[str, Features]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BUSY", 0.2)  # seconds of patience
    path = copied(database[0], tmp_path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(OutputError, match="is in use by another program"):
            collection_writer(path, overwrite=True)
    finally:
        other.close()
    with collection_reader(path) as collection:
        assert len(collection.names) == 4


@pytest.mark.parametrize("data", [b"hello" * 1000, b"SQLite format 3\0" + bytes(200)])
def test_what_is_no_database_is_left_alone(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f.db").write_bytes(data)
    with pytest.raises(OutputError, match="is no COLMAP database"):
        collection_writer(tmp_path / "f.db", overwrite=True)
    assert (tmp_path / "f.db").read_bytes() == data


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "f.db")
    connection.execute("CREATE TABLE things (a)")
    connection.commit()
    connection.close()
    before = (tmp_path / "f.db").read_bytes()
    with pytest.raises(OutputError, match="is no COLMAP database"):
        collection_writer(tmp_path / "f.db", overwrite=True)
    assert (tmp_path / "f.db").read_bytes() == before


def test_no_pycolmap_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pycolmap", None)
    write_features(tmp_path / "f.db", make(1), image="x.jpg")
    assert len(read_features(tmp_path / "f.db")) == 1
