"""From images to a model, on a scene rendered with known cameras.  Oracle: these, found by COLMAP's mapper.

Textured rectangles at four depths, seen by eight cameras that look towards their middle; x is east, z north, y down.
"""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from cli_tools import SIFT
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

pycolmap = pytest.importorskip("pycolmap", reason="NO PYCOLMAP: no model is made; pip install 'siftcli[test]'")
pytest.importorskip("poselib", reason="NO POSELIB: matches are not verified; pip install 'siftcli[test]'")

WIDTH, HEIGHT, FOCAL = 480, 360, 500.0
LATITUDE, LONGITUDE, ALTITUDE = 48.0, 11.0, 500.0
PLANES = (
    (14.0, (-8, -6, 8, 6), "coffee"),
    (10.0, (-4, -1, -1, 2.5), "astronaut"),
    (8.0, (0.5, -2, 3, 0.5), "chelsea"),
    (7.5, (0, 0.6, 2, 2.2), "dandelion"),
)
"""Depth, corners x0, y0, x1, y1, and picture of each rectangle."""

Array = npt.NDArray[np.float64]


def sampled(texture: Array, u: Array, v: Array) -> Array:
    """Bilinear samples at u, v in [0, 1)."""
    x, y = u * (texture.shape[1] - 1.001), v * (texture.shape[0] - 1.001)
    i, j = x.astype(int), y.astype(int)
    a, b = x - i, y - j
    top = (1 - a) * texture[j, i] + a * texture[j, i + 1]
    return np.asarray((1 - b) * top + b * ((1 - a) * texture[j + 1, i] + a * texture[j + 1, i + 1]))


def view(centre: Array, textures: dict[str, Array]) -> Image.Image:
    """The scene from a place, turned by 0.1 rad a unit towards the middle, four samples a pixel."""
    x, y = np.meshgrid((np.arange(2 * WIDTH) + 0.5) / 2, (np.arange(2 * HEIGHT) + 0.5) / 2)
    yaw, pitch = -0.1 * centre[0], 0.1 * centre[1]
    turn = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    turn = turn @ np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    rays = np.stack([(x - WIDTH / 2) / FOCAL, (y - HEIGHT / 2) / FOCAL, np.ones_like(x)], axis=-1) @ turn
    x, y = rays[..., 0] / rays[..., 2], rays[..., 1] / rays[..., 2]
    seen = np.full(x.shape, 90.0)
    for depth, (x0, y0, x1, y1), name in PLANES:  # from far to near
        u = (centre[0] + x * (depth - centre[2]) - x0) / (x1 - x0)
        v = (centre[1] + y * (depth - centre[2]) - y0) / (y1 - y0)
        inside = (u >= 0) & (u < 1) & (v >= 0) & (v < 1)
        seen[inside] = sampled(textures[name], u[inside], v[inside])
    return Image.fromarray(seen.reshape(HEIGHT, 2, WIDTH, 2).mean(axis=(1, 3)).round().astype(np.uint8))


def degrees(value: float) -> tuple[Any, ...]:
    """Degrees, minutes and seconds, as EXIF has them."""
    whole, minutes = int(value), int(value % 1 * 60)
    return IFDRational(whole), IFDRational(minutes), rational((value - whole - minutes / 60) * 3600)


def rational(value: float) -> IFDRational:
    fraction = Fraction(value).limit_denominator(1_000_000)
    return IFDRational(fraction.numerator, fraction.denominator)


def metadata(centre: Array) -> Image.Exif:
    """The camera, its focal length of 500 px, and its position; radii of curvature of WGS 84's ellipsoid."""
    squared = 0.00669437999014
    sine = np.sin(np.radians(LATITUDE))
    normal = 6_378_137 / np.sqrt(1 - squared * sine**2)
    meridian = normal * (1 - squared) / (1 - squared * sine**2)
    north = LATITUDE + np.degrees(centre[2] / (meridian + ALTITUDE))
    east = LONGITUDE + np.degrees(centre[0] / ((normal + ALTITUDE) * np.cos(np.radians(LATITUDE))))
    exif = Image.Exif()
    exif[271], exif[272] = "Maker", "Model"
    exif.get_ifd(0x8769).update({37386: IFDRational(5), 41486: IFDRational(2540), 41487: IFDRational(2540), 41488: 2})
    high = rational(ALTITUDE - centre[1])
    exif.get_ifd(0x8825).update({1: "N", 2: degrees(north), 3: "E", 4: degrees(east), 5: b"\0", 6: high})
    return exif


def test_cameras_of_a_rendered_scene_are_found(sample_images: Path, tmp_path: Path) -> None:
    """Centres within 0.5 % of the extent of the cameras and where GPS says; one camera, its focal length within 2 %."""
    rng = np.random.default_rng(1)
    textures = {
        name: np.asarray(Image.open(sample_images / f"{name}.jpg").convert("L").resize((512, 512)), np.float64)
        for _, _, name in PLANES
    }
    (tmp_path / "images").mkdir()
    centres: dict[str, Array] = {}
    for i in range(8):
        centre = np.array([(i % 4 - 1.5) * 1.2, (i // 4 - 0.5) * 1.2, 0]) + rng.normal(0, 0.15, 3)
        view(centre, textures).save(tmp_path / "images" / f"{i}.png", exif=metadata(centre))
        centres[f"{i}.png"] = centre
    database = tmp_path / "scene.db"
    for arguments in (
        ("detect", tmp_path / "images", "-o", database, "--max-keypoints", "1000", "--keep", "largest"),
        ("match", database, "-o", database, "--near", "10", "--metric", "root", "--verify", "fundamental"),
    ):
        subprocess.run([*SIFT, *arguments, "-q"], check=True, stdin=subprocess.DEVNULL)
    options = pycolmap.IncrementalPipelineOptions()
    options.use_prior_position = True
    (tmp_path / "model").mkdir()
    models = pycolmap.incremental_mapping(str(database), str(tmp_path / "images"), str(tmp_path / "model"), options)
    (model,) = models.values()
    assert model.num_reg_images() == 8
    (camera,) = model.cameras.values()
    assert abs(camera.params[0] / FOCAL - 1) < 0.02
    found = np.array([image.projection_center() for image in model.images.values()])
    true = np.array([centres[image.name][[0, 2, 1]] * (1, 1, -1) for image in model.images.values()])
    shift = (found - true).mean(axis=0)  # the origin is that of the first prior
    extent = np.linalg.norm(np.ptp(true, axis=0))
    assert np.linalg.norm(found - shift - true, axis=1).max() < 0.005 * extent
