"""``sift draw`` of a folder, as a user sees it.

Oracles: the pictures of the single images, Pillow's readers, and the folder's listing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Sift, blobs
from draw_tools import error_of, last, pixels
from PIL import Image

import siftcli


@pytest.fixture
def folder(tmp_path: Path, photo: Path) -> Path:
    """A folder ``photos`` of three images with different numbers of keypoints, and a picture of an earlier run."""
    (tmp_path / "photos").mkdir()
    for name, image in (("a.png", blobs()), ("b.png", blobs()[:, :50]), ("c.png", np.zeros((40, 60), np.uint8))):
        Image.fromarray(image).save(tmp_path / "photos" / name)
    Image.fromarray(blobs()).save(tmp_path / "photos" / "z.keypoints.png")
    return tmp_path / "photos"


def test_a_folder_is_drawn_image_by_image(sift: Sift, folder: Path) -> None:
    result = sift("draw", "photos", "-o", "out/", "--json")
    assert result.returncode == 0
    assert sorted(p.name for p in Path("out").iterdir()) == [f"{name}.keypoints.png" for name in "abc"]
    expected = siftcli.draw_keypoints(blobs()[:, :50], siftcli.detect(blobs()[:, :50]))
    np.testing.assert_array_equal(pixels("out/b.keypoints.png"), np.asarray(expected))
    counts = {r["path"]: r["keypoints"] for r in map(json.loads, result.stdout.splitlines())}
    assert counts["photos/a.png"] == len(siftcli.detect(blobs()))
    assert counts["photos/c.png"] == 0
    assert last(result.stderr).startswith("sift: 3 images done")
    assert sift("draw", "photos").returncode == 0  # beside the images; what it has written is not drawn again
    assert len(list(folder.glob("*.keypoints.png"))) == 4


def test_a_contact_sheet(sift: Sift, folder: Path) -> None:
    result = sift("draw", "photos/", "-o", "sheet.png", "--theme", "light")
    assert last(result.stderr) == "sift: photos/: 3 images drawn to sheet.png"
    sheet = pixels("sheet.png")
    dark = (sheet == 0).all(axis=2)  # the black image alone is so
    rows, columns = np.flatnonzero(dark.sum(axis=1) > 50), np.flatnonzero(dark.sum(axis=0) > 50)
    assert np.ptp(columns) + 1 == pytest.approx(1.5 * (np.ptp(rows) + 1), rel=0.02)  # of 60 x 40 pixels
    assert sift("draw", "photos", "-o", "-", "--theme", "light").stdout == Path("sheet.png").read_bytes()


def test_an_image_that_cannot_be_read_costs_only_itself(sift: Sift, folder: Path) -> None:
    (folder / "b.png").write_text("hello")
    result = sift("draw", "photos", "-o", "sheet.webp")
    assert result.returncode == 1
    assert b"sift: error: photos/b.png: is not an image" in result.stderr
    assert last(result.stderr) == "sift: photos: 2 images drawn to sheet.webp"


def test_features_of_a_folder_come_from_one_file(sift: Sift, folder: Path) -> None:
    features = replace(siftcli.detect(blobs()).take(np.arange(2)), xy=np.full((2, 2), 9, np.float32), image_size=None)
    with siftcli.collection_writer("f.h5") as collection:
        for name in ("a.png", "b.png", "c.png"):
            collection.add(name, features)
    result = sift("draw", "photos", "f.h5", "-o", "out/", "--json")
    assert [json.loads(line)["keypoints"] for line in result.stdout.splitlines()] == [2, 2, 2]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("photos", "photo.png"), "photos: is a folder; name it alone"),
        (("photos", "-o", "sheet.html"), "sheet.html: a contact sheet is made of pixels"),
        (("photos", "--layout", "side"), "--layout: applies to the matches of two images"),
        (("empty",), "empty: no images in it"),
        (("photos", "-o", "photo.png"), "photo.png: exists already"),
    ],
)
def test_folders_that_cannot_be_drawn(sift: Sift, folder: Path, args: tuple[str, ...], message: str) -> None:
    Path("empty").mkdir()
    assert error_of(sift, *args, status=2).startswith(message)
