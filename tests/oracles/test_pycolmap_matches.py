"""Matches and geometries in COLMAP databases.  Oracle: pycolmap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_tools import make

from siftcli.io.matches import read_matches, write_matches
from siftcli.matches import Matches, Model

pycolmap = pytest.importorskip("pycolmap", reason="NO PYCOLMAP: databases are not tested; pip install 'siftcli[test]'")


def opened(path: Path) -> Any:
    return pycolmap.Database.open(str(path))


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
