"""Sequences and cameras.  Oracles: the truth that files were written from, and pycolmap."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_tools import TURN, write_plane
from PIL import Image

from siftcli import FormatError
from siftcli.errors import PlanError
from siftcli.evaluation.cameras import read_colmap_model, read_strecha
from siftcli.evaluation.sequences import ImagePair, find_pairs, pair_of_points
from siftcli.evaluation.truth import Camera, Cameras, Homography


def matrix(pair: ImagePair) -> Any:
    assert isinstance(pair.truth, Homography)
    return pair.truth.matrix


@pytest.mark.parametrize("layout", ["oxford", "hpatches"])
def test_planes(tmp_path: Path, layout: str) -> None:
    """Every homography and its images, in the order of the numbers; a folder of sequences has the pairs of all."""
    written = write_plane(tmp_path / "all" / "b", layout, 11)
    pairs = find_pairs(tmp_path / "all" / "b")
    assert [pair.sequence for pair in pairs] == ["b"] * 10
    ends = [f"img{k}.png" if layout == "oxford" else f"{k}.ppm" for k in range(1, 12)]
    assert [(pair.a.name, pair.b.name) for pair in pairs] == [(ends[0], end) for end in ends[1:]]
    for pair, homography in zip(pairs, written, strict=True):
        np.testing.assert_allclose(matrix(pair), homography)
    shutil.copytree(tmp_path / "all" / "b", tmp_path / "all" / "a")
    assert [pair.sequence for pair in find_pairs(tmp_path / "all")] == ["a"] * 10 + ["b"] * 10


def test_homographies_beside_two_images(sample_images: Path, tmp_path: Path) -> None:
    """The pairs of the samples; one of them named; H.txt in a folder of its own."""
    assert [pair.sequence for pair in find_pairs(sample_images)] == ["pair_astronaut", "pair_dandelion"]
    (pair,) = find_pairs(sample_images / "pair_dandelion_H.txt")
    assert (pair.a.name, pair.b.name) == ("pair_dandelion_a.jpg", "pair_dandelion_b.jpg")
    np.testing.assert_array_equal(matrix(pair), np.loadtxt(sample_images / "pair_dandelion_H.txt"))
    for name in ("a.jpg", "b.jpg", "H.txt"):
        shutil.copy(sample_images / f"pair_astronaut_{name}", tmp_path / name)
    (alone,) = find_pairs(tmp_path)
    assert (alone.sequence, alone.a.name, alone.b.name) == (tmp_path.name, "a.jpg", "b.jpg")


def test_homography_of_points(tmp_path: Path) -> None:
    """Four points as a homography maps them give that homography back."""
    corners = np.array([[0, 0], [99, 3], [90, 80], [5, 70.0]])
    points = np.c_[corners, np.ones(4)] @ TURN.T
    np.savetxt(tmp_path / "points.txt", np.c_[corners, points[:, :2] / points[:, 2:]])
    pair = pair_of_points("a.png", "b.png", tmp_path / "points.txt")
    np.testing.assert_allclose(matrix(pair), TURN, rtol=1e-9, atol=1e-9)
    (tmp_path / "line.txt").write_text("0 0 0 0\n1 1 1 1\n2 2 2 2\n3 3 3 3\n")
    for name, reason in (("line.txt", "on a line"), ("none.txt", "no such file")):
        with pytest.raises(FormatError, match=reason):
            pair_of_points("a.png", "b.png", tmp_path / name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 2 3", "holds 3 numbers"),
        ("1 0 0\n0 1 0\n0 0 x", "no number"),
        ("1 0 0\n0 1 0\n0 0 nan", "not finite"),
        ("1 0 0\n0 1 0\n0 0 0", "no inverse"),
        ("", "holds 0 numbers"),
    ],
)
def test_damaged_homographies(tmp_path: Path, text: str, reason: str) -> None:
    write_plane(tmp_path / "plane", "oxford")
    path = tmp_path / "plane" / "H1to3p"
    path.write_text(text)
    with pytest.raises(FormatError, match=reason) as caught:
        find_pairs(tmp_path / "plane")
    assert str(caught.value).startswith(f"{path}: ")


def test_missing_and_several_images(tmp_path: Path) -> None:
    write_plane(tmp_path / "plane", "oxford")
    shutil.copy(tmp_path / "plane" / "img2.png", tmp_path / "plane" / "img2.bmp")
    with pytest.raises(FormatError, match="several images"):
        find_pairs(tmp_path / "plane")
    for path in (tmp_path / "plane").glob("img2.*"):
        path.unlink()
    with pytest.raises(FormatError, match="no image"):
        find_pairs(tmp_path / "plane")


def test_folders_that_are_no_sequence(tmp_path: Path) -> None:
    assert find_pairs(tmp_path) == []
    with pytest.raises(FormatError, match="no such file or folder"):
        find_pairs(tmp_path / "nothing")


# --- cameras


def camera(seed: int) -> Camera:
    random = np.random.default_rng(seed)
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    return Camera(np.array([900.0, 905]), np.array([320.0, 240]), rotation, random.normal(size=3))


def seen(view: Camera, points: Any) -> Any:
    """Where a camera without distortion sees points of the world."""
    x, y, z = view.rotation @ points.T + view.translation[:, None]
    return np.stack([x / z, y / z], axis=1) * view.focal + view.centre


def strecha(view: Camera) -> str:
    """A camera as Strecha's files have it: K, distortion, rotation to the world, position, size."""
    k = np.array([[view.focal[0], 0, view.centre[0]], [0, view.focal[1], view.centre[1]], [0, 0, 1]])
    position = -view.rotation.T @ view.translation
    rows = [*k, np.zeros(3), *view.rotation.T, position, [640, 480]]
    return "\n".join(" ".join(f"{value:.17g}" for value in row) for row in rows) + "\n"


def test_epipolar_errors_are_zero_for_projections_of_one_point_and_those_of_a_shift() -> None:
    """Projections; and for cameras side by side, the Sampson distance of a vertical shift is its length over root 2."""
    points = np.random.default_rng(1).normal(0, 9, (50, 3))
    a, b = camera(1), camera(2)
    np.testing.assert_allclose(Cameras(a, b).errors(seen(a, points), seen(b, points)), 0, atol=1e-6)
    straight = Camera(np.array([500.0, 500]), np.zeros(2), np.eye(3), np.zeros(3))
    beside = Camera(np.array([500.0, 500]), np.zeros(2), np.eye(3), np.array([1.0, 0, 0]))
    xy = np.random.default_rng(2).uniform(0, 99, (9, 2))
    np.testing.assert_allclose(Cameras(straight, beside).errors(xy, xy + np.array([7, 3])), 3 / np.sqrt(2))


@pytest.mark.parametrize("places", [("", ""), ("images", "cameras")])
def test_strecha(tmp_path: Path, places: tuple[str, str]) -> None:
    """The cameras that were written, beside the images or in a folder of their own; all pairs."""
    for k, name in enumerate(("0.png", "1.png", "2.png")):
        for folder in places:
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("L", (32, 32)).save(tmp_path / places[0] / name)
        (tmp_path / places[1] / f"{name}.camera").write_text(strecha(camera(k)))
    pairs = find_pairs(tmp_path)
    assert [(p.a.name, p.b.name) for p in pairs] == [("0.png", "1.png"), ("0.png", "2.png"), ("1.png", "2.png")]
    truth = pairs[2].truth
    assert isinstance(truth, Cameras)
    for read, k in ((truth.a, 1), (truth.b, 2)):
        for name, value in vars(camera(k)).items():
            np.testing.assert_allclose(getattr(read, name), value, atol=1e-12)
    listed = find_pairs(tmp_path, listed=b"2.png 0.png\n")
    assert [(p.a.name, p.b.name) for p in listed] == [("2.png", "0.png")]
    with pytest.raises(PlanError, match=r"names them as '0\.png'"):
        find_pairs(tmp_path, listed=b"8.png 9.png\n")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("900", "-900", "focal length"), ("0 0 0", "0.1 0 0", "distortion"), ("905", "many", "no camera of Strecha's")],
)
def test_damaged_strecha(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = tmp_path / "0.png.camera"
    path.write_text(strecha(camera(0)).replace(old, new, 1))
    with pytest.raises(FormatError, match=reason):
        read_strecha(path)


MODELS = {
    "SIMPLE_PINHOLE": [800, 320, 240],
    "PINHOLE": [800, 810, 320, 240],
    "SIMPLE_RADIAL": [800, 320, 240, -0.11],
    "RADIAL": [800, 320, 240, -0.12, 0.03],
    "OPENCV": [800, 810, 320, 240, -0.12, 0.03, 1e-3, -2e-3],
}


def model(folder: Path, kind: str, binary: bool) -> Any:
    """Write a model with pycolmap; returns its reconstruction."""
    pycolmap = pytest.importorskip("pycolmap")
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig, options.num_points3D = 1, 1, 3, 12
    made = pycolmap.synthesize_dataset(options)
    number = next(iter(made.cameras))
    made.cameras[number].model = getattr(pycolmap.CameraModelId, kind)
    made.cameras[number].params = MODELS[kind]
    folder.mkdir(parents=True)
    (made.write_binary if binary else made.write_text)(str(folder))
    return made


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("kind", MODELS)
def test_colmap_models(tmp_path: Path, kind: str, binary: bool) -> None:
    """pycolmap: the poses that it wrote, and where its camera sees pixels, half a pixel apart."""
    made = model(tmp_path / "sparse" / "0", kind, binary)
    found = read_colmap_model(tmp_path / "sparse" / "0")
    assert set(found) == {image.name for image in made.images.values()}
    xy = np.random.default_rng(3).uniform(0, 480, (40, 2))
    for image in made.images.values():
        read, pose = found[image.name], image.cam_from_world()
        np.testing.assert_allclose(read.rotation, pose.rotation.matrix(), atol=1e-9)
        np.testing.assert_allclose(read.translation, pose.translation, atol=1e-9)
        theirs = made.cameras[image.camera_id].cam_from_img(xy + 0.5)
        np.testing.assert_allclose(read.ideal(xy) / read.focal.mean(), np.asarray(theirs), atol=1e-7)


def test_colmap_images_are_found(tmp_path: Path) -> None:
    """Beside the model's folder, and those that are missing are left out."""
    names = sorted(image.name for image in model(tmp_path / "sparse" / "0", "PINHOLE", True).images.values())
    with pytest.raises(FormatError, match="none of its 3 images"):
        find_pairs(tmp_path)
    for name in names[:2]:
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (32, 32)).save(tmp_path / "images" / name)
    for folder in (tmp_path, tmp_path / "sparse" / "0"):
        assert [(p.a.name, p.b.name) for p in find_pairs(folder)] == [tuple(names[:2])]


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin"])
def test_every_cut_of_a_binary_model_is_an_error(tmp_path: Path, name: str) -> None:
    """Pycolmap ends the process on some of these."""
    model(tmp_path / "model", "RADIAL", True)
    path = tmp_path / "model" / name
    data = path.read_bytes()
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        with pytest.raises(FormatError, match=name):
            read_colmap_model(tmp_path / "model")


def test_damaged_text_models(tmp_path: Path) -> None:
    model(tmp_path / "model", "PINHOLE", False)
    cameras, images = tmp_path / "model" / "cameras.txt", tmp_path / "model" / "images.txt"
    good = cameras.read_text()
    for old, new, reason in (
        ("PINHOLE", "FOV", "undistort"),
        ("320 240", "320", "has 4 parameters, not 3"),
        ("PINHOLE", "", "damaged|undistort"),
        ("800", "0", "focal length"),
    ):
        cameras.write_text(good.replace(old, new))
        with pytest.raises(FormatError, match=reason):
            read_colmap_model(tmp_path / "model")
    cameras.write_text("# none\n")
    with pytest.raises(FormatError, match=r"cameras\.txt does not hold"):
        read_colmap_model(tmp_path / "model")
    images.unlink()
    with pytest.raises(FormatError, match=r"images\.txt: is missing"):
        read_colmap_model(tmp_path / "model")
