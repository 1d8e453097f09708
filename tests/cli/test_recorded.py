"""Commands follow what feature files record, or refuse.

Oracles: the features of the image turned by hand; the record itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_tools import Sift, blobs
from PIL import Image

from siftcli.io.registry import read_features

TURNED = 6  # EXIF: the first row of the scene is the right column of the file


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture whose EXIF orientation turns it by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = TURNED
    Image.fromarray(blobs()).save(tmp_path / "photo.png", exif=exif)
    return tmp_path / "photo.png"


@pytest.mark.parametrize("suffix", [".h5", ".npz"])
def test_describe_turns_the_image_as_it_was_turned(sift: Sift, photo: Path, suffix: str) -> None:
    """Oracle: frames that were detected get the descriptors that they had."""
    assert sift("detect", "photo.png", "--exif-orientation", "-o", f"found{suffix}").returncode == 0
    assert sift("describe", "photo.png", "--keypoints", f"found{suffix}", "-o", "again.npz").returncode == 0
    found, again = read_features(photo.with_name(f"found{suffix}")), read_features(photo.with_name("again.npz"))
    assert found.descriptors is not None
    np.testing.assert_array_equal(again.descriptors, found.descriptors)
    assert again.parameters is not None
    assert again.parameters["exif_orientation"] is True


def test_what_contradicts_the_record_is_refused(sift: Sift, photo: Path) -> None:
    sift("detect", "photo.png", "-o", "stored.npz")
    for args in (
        ("describe", "photo.png", "--keypoints", "stored.npz", "-o", "o.key"),
        ("draw", "photo.png", "stored.npz"),
    ):
        result = sift(*args, "--exif-orientation")
        assert result.returncode != 0
        assert b"stored.npz: has keypoints on the stored pixel grid; leave out --exif-orientation" in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_draw_turns_the_image_as_it_was_turned(sift: Sift, photo: Path) -> None:
    """Oracle: the size of the picture, which is that of the image upright."""
    sift("detect", "photo.png", "--exif-orientation", "-o", "found.npz")
    result = sift("draw", "photo.png", "found.npz", "-o", "drawn.png", "--json")
    assert result.returncode == 0
    assert b"is of an image of" not in result.stderr
    with Image.open(photo) as stored, Image.open(photo.with_name("drawn.png")) as drawn:
        assert (drawn.width > drawn.height) != (stored.width > stored.height)


def test_an_image_of_another_size_is_refused(sift: Sift, photo: Path) -> None:
    Image.fromarray(blobs()[:-1]).save(photo.with_name("other.png"))
    sift("detect", "other.png", "-o", "other.npz")
    result = sift("describe", "photo.png", "--keypoints", "other.npz", "-o", "o.key")
    assert result.returncode == 1
    assert b"other.npz: is of an image of 90 x 59 pixels, and photo.png has 90 x 60" in result.stderr
    assert not photo.with_name("o.key").exists()


def test_features_of_another_name_are_told(sift: Sift, photo: Path) -> None:
    sift("detect", "photo.png", "-o", "f.h5")
    Image.fromarray(blobs()).save(photo.with_name("other.png"))
    for args in (("describe", "other.png", "--keypoints", "f.h5", "-o", "o.key"), ("draw", "other.png", "f.h5")):
        result = sift(*args)
        assert result.returncode == 0
        assert b"f.h5: the" in result.stderr
        assert b"are of 'photo.png' and are taken for other.png" in result.stderr


def test_root_sift_is_not_matched_with_sift(sift: Sift, photo: Path) -> None:
    sift("detect", "photo.png", "-o", "plain.npz")
    sift("detect", "photo.png", "--root-sift", "-o", "root.npz")
    result = sift("match", "plain.npz", "root.npz", "--metric", "l2")
    assert result.returncode == 1
    assert b"root.npz: has RootSIFT descriptors, and plain.npz has not" in result.stderr
    result = sift("match", "root.npz", "root.npz", "--metric", "root")
    assert result.returncode == 1
    assert b"has RootSIFT descriptors already" in result.stderr
    assert sift("match", "root.npz", "root.npz", "--metric", "l2").returncode == 0
    assert sift("match", "photo.png", "root.npz", "--metric", "l2").returncode == 1
