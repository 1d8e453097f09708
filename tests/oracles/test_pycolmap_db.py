"""COLMAP databases.  Oracle: pycolmap, which reads, matches and verifies what is written, and writes what is read."""

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
from cli_tools import SIFT
from format_tools import make, same
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from siftcli.conventions import flip_bins, quantise_512
from siftcli.errors import OutputError
from siftcli.features import Camera, Features
from siftcli.io import sqlite_file
from siftcli.io.colmap_camera import MODELS, SHARING, DatabaseOptions, camera_row
from siftcli.io.colmap_schema import VERSIONS
from siftcli.io.match_db import MatchCollection
from siftcli.io.matches import read_matches, write_matches
from siftcli.io.registry import collection_reader, collection_writer, read_features, write_features
from siftcli.matches import Matches, Model

pycolmap = pytest.importorskip("pycolmap", reason="NO PYCOLMAP: databases are not tested; pip install 'siftcli[test]'")

PAIRS = [f"pair_{name}_{which}.jpg" for name in ("astronaut", "dandelion") for which in "ab"]
Detected = Callable[[Path, str], Features]

CAMERA = Camera("Maker One", 700.0, (48.51, -11.25, 520.5))
OLDER = os.environ.get("SIFTCLI_OLDER_PYCOLMAP", "")


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


def test_matches_and_geometries_are_pycolmaps(tmp_path: Path) -> None:
    """What is written is read there, whichever image comes first, and what pycolmap writes is read here."""
    path = tmp_path / "f.db"
    features = {name: make(20, seed) for seed, name in enumerate("abcd")}
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.linalg.det(rotation)
    translation = np.array([1.0, 2.0, 2.0]) / 3
    skew = np.cross(np.eye(3), translation)
    matrices = {
        "essential": skew.T @ rotation,
        "fundamental": np.array([[0, 1e-6, -1e-3], [2e-6, 0, 1e-2], [1e-3, -2e-2, 1.0]]),
        "homography": np.array([[1.1, 0.1, 5], [-0.1, 0.9, 3], [1e-5, 2e-5, 1]]),
    }
    matrices["fundamental"] /= np.linalg.norm(matrices["fundamental"])
    pose = np.column_stack([rotation, translation])
    indices = np.array([[0, 5], [1, 4], [2, 3], [7, 7]], np.int32)
    inliers = np.array([True, True, False, True])
    pairs = []
    for names, kind in zip((("a", "b"), ("c", "b"), ("d", "a")), matrices, strict=True):
        model = Model(kind, matrices[kind], 2.0, pose=pose if kind == "essential" else None)
        pairs.append((*names, Matches(indices, inliers=inliers, model=model, sizes=(20, 20))))
    pairs.append(("c", "d", Matches(indices, inliers=np.zeros(4, bool), sizes=(20, 20))))
    pairs.append(("b", "d", Matches(indices, sizes=(20, 20))))
    write_matches(path, pairs, features=features.__getitem__)
    db = opened(path)
    try:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        back = np.linalg.inv(shift)
        for a, b, matches in pairs:
            np.testing.assert_array_equal(db.read_matches(ids[a], ids[b]), indices)
            geometry = db.read_two_view_geometry(ids[a], ids[b])
            config = pycolmap.TwoViewGeometryConfiguration(int(geometry.config)).name
            if matches.model is None:
                assert config == ("UNDEFINED" if matches.inliers is None else "DEGENERATE")
                assert len(geometry.inlier_matches) == 0
                continue
            np.testing.assert_array_equal(geometry.inlier_matches, indices[inliers])
            matrix = matches.model.matrix
            if matches.model.kind == "essential":
                assert config == "CALIBRATED"
                np.testing.assert_allclose(geometry.E, matrix)
                np.testing.assert_allclose(geometry.cam2_from_cam1.matrix(), pose, atol=1e-12)
            elif matches.model.kind == "fundamental":
                assert config == "UNCALIBRATED"
                np.testing.assert_allclose(geometry.F, back.T @ matrix @ back)
            else:
                assert config == "PLANAR_OR_PANORAMIC"
                wanted = shift @ matrix @ back
                np.testing.assert_allclose(geometry.H / geometry.H[2, 2], wanted / wanted[2, 2])
    finally:
        db.close()
    for a, b, matches in pairs:
        for names in ((a, b), (b, a)):
            read = read_matches(path, names=names)
            turned = names == (b, a)
            assert sorted(map(tuple, read.indices[:, ::-1] if turned else read.indices)) == sorted(map(tuple, indices))
            assert (read.inliers is None) == (matches.inliers is None)
            assert read.sizes == (20, 20)
            assert (read.model is None) == (matches.model is None)
            if read.inliers is not None and matches.inliers is not None:
                assert read.inliers.sum() == matches.inliers.sum()
            if read.model is not None and matches.model is not None:
                assert read.model.kind == matches.model.kind
                if not turned:
                    np.testing.assert_allclose(read.model.matrix, matches.model.matrix, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sharing", SHARING)
def test_cameras_are_shared_as_colmaps_reader_shares_them(sharing: Any, tmp_path: Path) -> None:
    """Oracle: COLMAP's own reader of images, for each of its modes, on images with and without metadata."""
    names = metadata_images(tmp_path / "images")
    mode = {"auto": "AUTO", "single": "SINGLE", "folder": "PER_FOLDER", "image": "PER_IMAGE"}[sharing]
    opened(tmp_path / "theirs.db").close()
    pycolmap.import_images(str(tmp_path / "theirs.db"), str(tmp_path / "images"), getattr(pycolmap.CameraMode, mode))
    command = [*SIFT, "detect", "-q", tmp_path / "images", "-r", "-o", tmp_path / "ours.db", "--camera", sharing]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    found = []
    for name in ("theirs.db", "ours.db"):
        db = opened(tmp_path / name)
        images = {image.name: image.camera_id for image in db.read_all_images()}
        assert set(images) == set(names)
        cameras = {camera.camera_id: camera for camera in db.read_all_cameras()}
        groups = {frozenset(n for n in images if images[n] == c) for c in cameras}
        values = {
            n: (cameras[c].model, cameras[c].has_prior_focal_length, np.round(cameras[c].params, 4).tolist())
            for n, c in images.items()
            if sharing in ("auto", "image")  # elsewhere the first image's count, and which that is may differ
        }
        positions = sorted(np.round(p.position, 3).tolist() for p in db.read_all_pose_priors())
        assert len(positions) == 2
        found.append((groups, values, positions))
        db.close()
    assert found[0] == found[1]


def metadata_images(folder: Path) -> list[str]:
    """Small images of one size, most of them with metadata."""
    place: dict[int, Any] = {1: "N", 2: (48, 30, 36), 3: "W", 4: (11, 15, 0), 5: b"\0", 6: 520}
    place = {k: tuple(map(IFDRational, v)) if isinstance(v, tuple) else v for k, v in place.items()}
    place[6] = IFDRational(520)
    below = {**place, 1: "S", 3: "E", 5: b"\1"}
    film, plane = {41989: 35}, {37386: IFDRational(11, 2), 41486: IFDRational(900), 41487: IFDRational(900), 41488: 2}
    told: dict[str, tuple[str, str, dict[int, Any], dict[int, Any]]] = {
        "a/1.jpg": ("Maker", "One", film, place),
        "a/2.jpg": ("Maker", "One", film, below),
        "a/3.jpg": ("Maker", "Two", film, {}),
        "a/4.jpg": ("Maker", "One", {41989: 50}, {}),
        "b/5.jpg": ("", "", film, {}),
        "b/6.jpg": ("Maker", "Three", plane, {}),
        "b/7.jpg": ("Maker", "Four", {**plane, 41488: 3}, {}),
        "b/8.jpg": ("Maker", "One", {}, {}),
        "9.jpg": ("", "", {}, {}),
    }
    rng = np.random.default_rng(0)
    for name, (maker, model, exif, gps) in told.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(rng.integers(0, 256, (48, 64), np.uint8))
        tags = Image.Exif()
        if maker:
            tags[271], tags[272] = maker, model
        tags.get_ifd(0x8769).update(exif)
        tags.get_ifd(0x8825).update(gps)
        image.save(folder / name, exif=tags)
    return list(told)


def test_models_have_the_parameters_of_colmap() -> None:
    for name, (number, focals, distortions) in MODELS.items():
        kind = getattr(pycolmap.CameraModelId, name)
        assert int(kind) == number
        theirs = pycolmap.Camera.create_from_model_id(1, kind, 100.0, 64, 48)
        ours = camera_row(DatabaseOptions(model=name), Camera(focal=100.0), (64, 48))
        np.testing.assert_array_equal(np.frombuffer(ours.params), theirs.params)
        assert len(theirs.params) == focals + 2 + distortions
