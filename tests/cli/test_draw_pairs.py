"""``sift draw`` of the matches of two images.

Oracles: the Python API, closed forms of two views, and what the match file says about its images.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Sift
from draw_tools import error_of, last, pixels
from PIL import Image

import siftcli
from siftcli.matches import Matches, Model


@pytest.fixture
def pair(tmp_path: Path, sample_images: Path) -> Path:
    """Two sample images that show the same, half size, as ``a.png`` and ``b.png``; their folder."""
    for side in "ab":
        with Image.open(sample_images / f"pair_astronaut_{side}.jpg") as image:
            image.reduce(2).save(tmp_path / f"{side}.png")
    return tmp_path


def test_two_images_are_matched(sift: Sift, pair: Path) -> None:
    pytest.importorskip("poselib")
    result = sift("draw", "a.png", "b.png", "--json")
    assert result.returncode == 0
    images = [siftcli.read_image(f"{s}.png").pixels for s in "ab"]
    a, b = (siftcli.detect(image) for image in images)
    found = siftcli.match(a, b, verify="homography")
    record = json.loads(result.stdout)
    assert (record["a"], record["b"], record["output"]) == ("a.png", "b.png", "a-b.matches.png")
    assert record["matches"] == len(found)
    assert found.inliers is not None
    assert record["inliers"] == found.inliers.sum() > 50
    expected = siftcli.draw_matches(pixels("a.png"), pixels("b.png"), found, a, b)
    np.testing.assert_array_equal(pixels("a-b.matches.png"), np.asarray(expected))


def test_matches_of_a_file(sift: Sift, pair: Path) -> None:
    assert sift("match", "a.png", "b.png", "-o", "m.csv").returncode == 0
    assert sift("draw", "a.png", "b.png", "--matches", "m.csv", "--layout", "stacked", "-o", "out.png").returncode == 0
    found = siftcli.read_matches("m.csv")
    expected = siftcli.draw_matches(pixels("a.png"), pixels("b.png"), found, layout="stacked")
    np.testing.assert_array_equal(pixels("out.png"), np.asarray(expected))


def test_a_csv_of_matches_names_the_model(sift: Sift, pair: Path) -> None:
    sift("match", "a.png", "b.png", "--verify", "fundamental", "-o", "m.csv")
    shown = sift("draw", "a.png", "b.png", "--matches", "m.csv", "-o", "out.svg", "--json")
    assert json.loads(shown.stdout)["model"] == "fundamental"
    assert "inliers of a fundamental matrix; drawn to out.svg" in last(shown.stderr)
    assert "inliers of a fundamental matrix" in Path("out.svg").read_text()
    line = error_of(sift, "a.png", "b.png", "--matches", "m.csv", "--layout", "overlay", status=2)
    assert line.startswith("--layout: needs matches verified by a homography")


def test_features_and_matches_of_collections(sift: Sift, pair: Path) -> None:
    assert sift("detect", "a.png", "b.png", "-o", "f.h5").returncode == 0
    assert sift("match", "f.h5", "--exhaustive", "-o", "m.h5").returncode == 0
    result = sift("draw", "a.png", "b.png", "f.h5", "--matches", "m.h5", "-o", "out.png", "-v")
    assert result.returncode == 0
    a, b = (siftcli.read_features("f.h5", image=name) for name in ("a.png", "b.png"))
    assert f"{len(siftcli.match(a, b))} matches; drawn to out.png" in last(result.stderr)


def test_feature_files_of_both(sift: Sift, pair: Path) -> None:
    for side in "ab":
        siftcli.write_features(f"{side}.key", siftcli.detect(siftcli.read_image(f"{side}.png").pixels))
    result = sift("draw", "a.png", "a.key", "b.png", "b.key", "--verify", "none", "--json")
    expected = siftcli.match(*(siftcli.read_key(f"{side}.key") for side in "ab"))
    record = json.loads(result.stdout)
    assert (record["matches"], record["inliers"]) == (len(expected), None)


@pytest.mark.parametrize(("layout", "suffix"), [("overlay", "png"), ("blink", "gif")])
def test_warped_layouts(sift: Sift, pair: Path, layout: str, suffix: str) -> None:
    pytest.importorskip("poselib")
    assert sift("draw", "a.png", "b.png", "--layout", layout).returncode == 0
    with Image.open(f"a-b.matches.{suffix}") as image:
        assert getattr(image, "n_frames", 1) == (2 if layout == "blink" else 1)


def test_a_page_of_matches(sift: Sift, pair: Path) -> None:
    assert sift("draw", "a.png", "b.png", "--verify", "none", "-o", "view.html").returncode == 0
    assert "<title>a.png and b.png</title>" in Path("view.html").read_text()


def test_the_message_counts_what_is_drawn(sift: Sift, pair: Path) -> None:
    pytest.importorskip("poselib")
    found = siftcli.match(*(siftcli.detect(siftcli.read_image(f"{s}.png").pixels) for s in "ab"), verify="homography")
    assert found.inliers is not None
    text = f"{len(found):,} matches, {found.inliers.sum():,} inliers of a homography; 12 drawn to x.png"
    assert text in last(sift("draw", "a.png", "b.png", "--top", "12", "-o", "x.png").stderr)
    shown = sift("draw", "a.png", "b.png", "--show", "inliers", "-o", "y.png")
    assert f" inliers of a homography; {found.inliers.sum():,} inliers drawn to y.png" in last(shown.stderr)
    piped = sift("draw", "a.png", "b.png", "-o", "-", "-v")
    assert f"{found.inliers.sum():,} inliers of a homography; drawn in " in last(piped.stderr)


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        (
            "photo.png",
            2,
            "photo.png: its suffix does not say which match format; files of matches end with one of .csv",
        ),
        ("nosuch", 1, "nosuch: no such file; check the path"),
        ("nosuch.npz", 1, "nosuch.npz: no such file; check the path"),
    ],
)
def test_what_is_no_match_file(sift: Sift, photo: Path, name: str, status: int, message: str) -> None:
    shutil.copy("photo.png", "other.png")
    line = error_of(sift, "photo.png", "other.png", "--matches", name, status=status)
    assert line.startswith(message)
    assert "--format" not in line  # which is of the picture


def test_parallax_is_pointed_out(sift: Sift, photo: Path) -> None:
    # Shifts along rows, by the depth of each point: all obey one fundamental matrix, and one depth a homography.
    rng = np.random.default_rng(0)
    a = rng.uniform(0, (90, 60), (200, 2)).astype(np.float32)
    near = np.arange(200) < 60
    b = a + np.stack([np.where(near, 5, rng.uniform(-20, 20, 200)), np.zeros(200)], axis=1, dtype=np.float32)
    model = Model("homography", np.array([[1.0, 0, 5], [0, 1, 0], [0, 0, 1]]), 4.0)
    same = np.repeat(np.arange(200, dtype=np.int32)[:, None], 2, axis=1)
    matches = Matches(same, xy_a=a, xy_b=b, inliers=near, model=model)
    siftcli.write_matches("m.npz", [("photo.png", "other.png", matches)])
    shutil.copy("photo.png", "other.png")
    shown = sift("draw", "photo.png", "other.png", "--matches", "m.npz", "-o", "x.png")
    assert "200 matches, 60 inliers of a homography; drawn to x.png" in shown.stderr.decode()
    assert last(shown.stderr).startswith("sift: hint: a fundamental matrix keeps ")
    assert last(shown.stderr).endswith("so there is parallax; see --verify fundamental")
    assert not sift("draw", "photo.png", "other.png", "--matches", "m.npz", "-o", "y.png", "-q").stderr


# --- which images

FILES = ("m.csv", "m.npz", "m.h5")


@pytest.mark.parametrize("name", FILES)
def test_images_in_the_other_order_are_put_right(sift: Sift, pair: Path, name: str) -> None:
    assert sift("match", "a.png", "b.png", "--verify", "none", "-o", name).returncode == 0
    found = siftcli.read_matches(name)
    assert sift("draw", "b.png", "a.png", "--matches", name, "-o", "out.png").returncode == 0
    a, b = (siftcli.detect(siftcli.read_image(f"{side}.png").pixels) for side in "ab")
    expected = siftcli.draw_matches(pixels("b.png"), pixels("a.png"), found.swapped(), b, a)
    np.testing.assert_array_equal(pixels("out.png"), np.asarray(expected))


@pytest.mark.parametrize("name", FILES)
def test_matches_of_other_images_are_refused(sift: Sift, pair: Path, name: str) -> None:
    assert sift("match", "a.png", "b.png", "--verify", "none", "-o", name).returncode == 0
    shutil.copy("b.png", "c.png")
    said = error_of(sift, "a.png", "c.png", "--matches", name, status=1)
    assert said.startswith(f"{name}: is of 'a.png' and 'b.png', not of 'a.png' and 'c.png'; give those images, or if")
    assert said.endswith("--pair a.png b.png")
    assert sift("draw", "a.png", "c.png", "--matches", name, "--pair", "a.png", "b.png", "-q").returncode == 0
    Image.open("b.png").crop((0, 0, 100, 90)).save("b.png")
    assert error_of(sift, "a.png", "b.png", "--matches", name, status=1) == (
        f"{name}: is of an image 'b.png' of 192 x 192 pixels, and b.png has 100 x 90; give the image that was matched"
    )


def test_indices_are_not_drawn_on_other_keypoints(sift: Sift, pair: Path) -> None:
    for name in ("m.h5", "m.txt"):
        assert sift("match", "a.png", "b.png", "--verify", "none", "-o", name).returncode == 0
    assert sift("draw", "a.png", "b.png", "--matches", "m.h5", "-o", "out.png").returncode == 0
    assert error_of(sift, "a.png", "b.png", "--matches", "m.h5", "--preset", "lowe", status=1) == (
        "m.h5: is not of the keypoints of a.png that sift draw finds; give the feature file that was matched"
    )
    assert error_of(sift, "a.png", "b.png", "--matches", "m.txt", status=1) == (
        "m.txt: has indices of keypoints alone; give the feature file of a.png that was matched too"
    )
    assert sift("detect", "a.png", "b.png", "-o", "f.h5").returncode == 0
    assert sift("draw", "a.png", "b.png", "f.h5", "--matches", "m.txt", "-o", "too.png").returncode == 0


def test_features_that_were_not_matched_are_refused(sift: Sift, pair: Path) -> None:
    assert sift("match", "a.png", "b.png", "--verify", "none", "-o", "m.csv").returncode == 0
    assert sift("detect", "a.png", "b.png", "-o", "f.h5", "--contrast-threshold", "0.06").returncode == 0
    assert error_of(sift, "a.png", "b.png", "f.h5", "--matches", "m.csv", status=1) == (
        "m.csv: is not of the keypoints of a.png in the feature file that was given; "
        "give the feature file that was matched"
    )


def test_matches_without_a_homography_cannot_be_overlaid(sift: Sift, pair: Path) -> None:
    sift("match", "a.png", "b.png", "--verify", "none", "-o", "m.csv")
    line = error_of(sift, "a.png", "b.png", "--matches", "m.csv", "--layout", "overlay", status=2)
    assert line.startswith("--layout: needs matches verified by a homography; match with --verify homography")


def test_the_pair_is_found_among_others(sift: Sift, pair: Path) -> None:
    a, b = (siftcli.detect(siftcli.read_image(f"{side}.png").pixels) for side in "ab")
    found = siftcli.match(a, b)
    none = siftcli.match(a.take(np.arange(0)), b)
    siftcli.write_matches("m.h5", [("a.png", "b.png", found), ("a.png", "c.png", none)])
    result = sift("draw", "a.png", "b.png", "--matches", "m.h5", "--json")
    assert json.loads(result.stdout)["matches"] == len(found) > 0
    shutil.copy("b.png", "c.png")
    assert json.loads(sift("draw", "a.png", "c.png", "--matches", "m.h5", "--json").stdout)["matches"] == 0
    shutil.copy("b.png", "d.png")
    assert error_of(sift, "a.png", "d.png", "--matches", "m.h5", status=1).startswith("m.h5: holds ")
    swapped = json.loads(sift("draw", "b.png", "a.png", "--matches", "m.h5", "--json", "-o", "ba.png").stdout)
    assert swapped["matches"] == len(found)
    args = ("d.png", "a.png", "--matches", "m.h5", "--pair", "b.png", "a.png", "--json")
    assert json.loads(sift("draw", *args).stdout)["matches"] == len(found)
