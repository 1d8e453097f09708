"""Cameras in COLMAP databases: shared, and their parameters.  Oracle: pycolmap."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import SIFT
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from siftcli.features import Camera
from siftcli.io.colmap.camera import MODELS, SHARING, DatabaseOptions, camera_row

pycolmap = pytest.importorskip("pycolmap", reason="NO PYCOLMAP: databases are not tested; pip install 'siftcli[test]'")


def opened(path: Path) -> Any:
    return pycolmap.Database.open(str(path))


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
