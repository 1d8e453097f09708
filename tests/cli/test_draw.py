"""``sift draw`` as a user sees it.

Oracles: the Python API (the command adds no drawing to it), Pillow's readers, an XML parser, the folder's listing, and
the exit statuses that the command's help promises.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from cli_tools import Sift, blobs
from draw_tools import error_of, last, pixels
from image_tools import dng, heic
from PIL import Image

import siftcli

# --- keypoints


@pytest.mark.parametrize("suffix", [".heic", ".dng"])
def test_telephones_and_cameras_are_shown_in_colour(sift: Sift, tmp_path: Path, suffix: str) -> None:
    """Oracle: the colours that libheif and tifffile wrote; few keypoints, so most pixels stay."""
    grey = blobs() / blobs().max()  # LibRaw takes the largest value for white
    colours = np.stack([grey, 0.5 * grey, 1 - grey], -1)
    data = heic(np.rint(colours * 255).astype(np.uint8)) if suffix == ".heic" else dng(colours, mosaic=False)
    (tmp_path / f"photo{suffix}").write_bytes(data)
    assert sift("draw", f"photo{suffix}", "-o", "out.png", "--zoom", "1", "--theme", "none").returncode == 0
    shown = pixels("out.png")[:60, :90] / 255
    assert np.median(np.abs(shown - colours)) < 0.01


def test_the_picture_is_beside_the_image(sift: Sift, photo: Path) -> None:
    result = sift("draw", "photo.png")
    assert (result.returncode, result.stdout) == (0, b"")
    count = len(siftcli.detect(blobs()))
    assert last(result.stderr).startswith(f"sift: photo.png: {count} keypoints drawn to photo.keypoints.png in ")
    assert sorted(p.name for p in photo.parent.iterdir()) == ["photo.keypoints.png", "photo.png"]
    expected = siftcli.draw_keypoints(blobs(), siftcli.detect(blobs()))
    np.testing.assert_array_equal(pixels("photo.keypoints.png"), np.asarray(expected))


def test_features_from_a_file(sift: Sift, photo: Path) -> None:
    found = siftcli.detect(blobs(), max_orientations=1)
    siftcli.write_features("some.npz", found)
    assert sift("draw", "photo.png", "some.npz", "-o", "out.png").returncode == 0
    np.testing.assert_array_equal(pixels("out.png"), np.asarray(siftcli.draw_keypoints(blobs(), found)))


@pytest.mark.parametrize("suffix", [".key", ".key.gz", ".sift", ".csv", ".h5"])
def test_features_of_every_format(sift: Sift, photo: Path, suffix: str) -> None:
    siftcli.write_features(f"photo{suffix}", siftcli.detect(blobs()))
    result = sift("draw", "photo.png", f"photo{suffix}", "-o", "out.png", "-v")
    assert result.returncode == 0
    assert f"{len(siftcli.detect(blobs()))} keypoints drawn to out.png" in last(result.stderr)


def test_options_reach_the_picture(sift: Sift, photo: Path) -> None:
    options = {"style": "frames", "radius": "support", "color": "octave", "top": 3, "opacity": 0.5, "line_width": 3.0}
    flags = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    args = ("--region", "10,5,60,50", "--zoom", "4", "--no-halo", "--no-legend", "--no-thin")
    assert sift("draw", "photo.png", "-o", "out.png", *flags, *args).returncode == 0
    expected = siftcli.draw_keypoints(
        blobs(),
        siftcli.detect(blobs()),
        **options,
        region=(10, 5, 60, 50),
        zoom=4,
        halo=False,
        legend=False,
        thin=False,
    )
    np.testing.assert_array_equal(pixels("out.png"), np.asarray(expected))
    assert expected.size == (240, 200)


def test_features_without_descriptors_get_them_where_they_are_drawn(sift: Sift, photo: Path) -> None:
    siftcli.write_features("bare.npz", siftcli.detect(blobs(), descriptors=False))
    assert sift("draw", "photo.png", "bare.npz", "-o", "out.png", "--style", "descriptors").returncode == 0
    expected = siftcli.draw_keypoints(blobs(), siftcli.detect(blobs()), style="descriptors")
    np.testing.assert_array_equal(pixels("out.png"), np.asarray(expected))


def test_a_preset(sift: Sift, photo: Path) -> None:
    assert sift("draw", "photo.png", "-o", "out.png", "--preset", "lowe").returncode == 0
    expected = siftcli.draw_keypoints(blobs(), siftcli.detect(blobs(), "lowe"))
    np.testing.assert_array_equal(pixels("out.png"), np.asarray(expected))


def test_options_of_the_detector_count(sift: Sift, photo: Path) -> None:
    """Oracle: the number of keypoints that siftcli.detect finds."""
    image = siftcli.read_image("photo.png").pixels
    wanted = len(siftcli.detect(image, edge_threshold=4, max_keypoints=12))
    record = json.loads(sift("draw", "photo.png", "--edge-threshold", "4", "--max-keypoints", "12", "--json").stdout)
    assert record["keypoints"] == wanted
    assert wanted < len(siftcli.detect(image))


def test_colour_stays_colour(sift: Sift, sample_images: Path) -> None:
    args = ("--top", "0", "--no-legend", "-o", "out.png")
    assert sift("draw", sample_images / "coffee.jpg", *args).returncode == 0
    np.testing.assert_array_equal(pixels("out.png"), pixels(sample_images / "coffee.jpg"))


@pytest.mark.parametrize("size", [(1, 1), (11, 300)])
def test_nothing_to_find_is_a_success(sift: Sift, tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("L", size, 77).save("tiny.png")
    assert sift("draw", "tiny.png", "--zoom", "1", "--no-legend").returncode == 0
    assert pixels("tiny.keypoints.png").tolist() == np.full((*size[::-1], 3), 77).tolist()


def test_exif_orientation(sift: Sift, photo: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # the first row is to be seen at the right
    Image.open(photo).transpose(Image.Transpose.ROTATE_90).save("turned.png", exif=exif)
    plain = sift("draw", "turned.png", "-o", "plain.png", "--no-legend", "--zoom", "1")
    assert b"has EXIF orientation 6" in plain.stderr
    assert pixels("plain.png").shape[:2] == (90, 60)
    assert sift("draw", "turned.png", "--exif-orientation", "-o", "turned-up.png", "-q").stderr == b""
    assert sift("draw", "photo.png", "-o", "upright.png").returncode == 0
    np.testing.assert_array_equal(pixels("turned-up.png"), pixels("upright.png"))


def test_keypoints_on_transparent_pixels_are_not_drawn(sift: Sift, tmp_path: Path) -> None:
    alpha = np.zeros((60, 90), np.uint8)
    alpha[:, 45:] = 255
    Image.merge("LA", (Image.fromarray(blobs()), Image.fromarray(alpha))).save("cut.png")
    result = sift("draw", "cut.png", "--json")
    assert json.loads(result.stdout)["keypoints"] == (siftcli.detect(blobs()).xy[:, 0].round() >= 45).sum()


# --- outputs


@pytest.mark.parametrize("name", ["out.jpg", "out.webp", "out.tif", "out.gif", "OUT.PNG"])
def test_the_suffix_says_the_format(sift: Sift, photo: Path, name: str) -> None:
    assert sift("draw", "photo.png", "-o", name).returncode == 0
    with Image.open(name) as image:
        kinds = {"jpg": "JPEG", "tif": "TIFF"}
        suffix = name.split(".")[1].lower()
        assert image.format == kinds.get(suffix, suffix.upper())


def test_svg_pdf_and_html(sift: Sift, photo: Path) -> None:
    for name in ("out.svg", "out.pdf", "out.html"):
        assert sift("draw", "photo.png", "-o", name).returncode == 0
    assert ElementTree.parse("out.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert Path("out.pdf").read_bytes().startswith(b"%PDF-")
    assert Path("out.html").read_text().startswith("<!DOCTYPE html>")


def test_a_format_whatever_the_name(sift: Sift, photo: Path) -> None:
    assert sift("draw", "photo.png", "-o", "picture", "--format", "jpg").returncode == 0
    assert Path("picture").read_bytes().startswith(b"\xff\xd8\xff")


def test_a_folder(sift: Sift, photo: Path) -> None:
    Path("out").mkdir()
    assert sift("draw", "photo.png", "-o", "out", "--format", "webp").returncode == 0
    assert [p.name for p in Path("out").iterdir()] == ["photo.keypoints.webp"]


def test_standard_input_and_output(sift: Sift, photo: Path) -> None:
    result = sift("draw", "-", stdin=photo.read_bytes())
    assert result.returncode == 0
    assert sift("draw", "photo.png", "-o", "-").stdout == result.stdout
    expected = siftcli.draw_keypoints(blobs(), siftcli.detect(blobs()))
    np.testing.assert_array_equal(pixels(result.stdout), np.asarray(expected))
    assert sift("draw", "photo.png", "-o", "-", "--format", "pdf").stdout.startswith(b"%PDF-")


def test_json(sift: Sift, photo: Path) -> None:
    record = json.loads(sift("draw", "photo.png", "--json").stdout)
    assert record.pop("seconds") > 0
    assert record == {
        "path": "photo.png",
        "output": "photo.keypoints.png",
        "keypoints": len(siftcli.detect(blobs())),
        "status": "done",
    }


def test_what_exists_is_kept_unless_told(sift: Sift, photo: Path) -> None:
    Path("photo.keypoints.png").write_bytes(b"mine")
    assert "exists already; use --overwrite" in error_of(sift, "photo.png", status=2)
    assert Path("photo.keypoints.png").read_bytes() == b"mine"
    assert sift("draw", "photo.png", "--overwrite").returncode == 0
    assert pixels("photo.keypoints.png").size


def test_names_of_all_kinds(sift: Sift, photo: Path) -> None:
    for name in ("with space.png", "überall 🗻.png", "new\nline.png", "tab\t'\".png"):
        shutil.copy(photo, name)
        result = sift("draw", name, "-v")
        assert result.returncode == 0
        assert Path(name).with_suffix(".keypoints.png").is_file()
        assert len(result.stderr.splitlines()) == 1


# --- what is refused


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        ((), 2, "no input: name an image"),
        (("photo.png", "--style", "frames", "-o", "x.key"), 2, "--output: 'x.key' has no picture's suffix"),
        (("photo.png", "--format", "bmp"), 2, "--format: must be one of png, jpeg"),
        (("photo.png", "-o", ""), 2, "-o: the name is empty"),
        (("photo.png", "-o", "x.jpg", "--theme", "none"), 2, "--theme none: jpeg has no transparency; use png"),
        (("photo.png", "--line-color", "mud"), 2, "--line-color: applies to the matches of two images"),
        (("photo.png", "photo.png", "--line-color", "mud"), 2, "--line-color: must be white, black"),
        (("photo.png", "-o", "photo.png", "--overwrite"), 2, "photo.png: is an input"),
        (("photo.png", "-o", "-", "--json"), 2, "--json: stdout cannot take both"),
        (("photo.png", "--layout", "side"), 2, "--layout: applies to the matches of two images"),
        (("photo.png", "photo.png", "--style", "points"), 2, "--style: applies to the keypoints of one image"),
        (("photo.png", "--matches", "m.csv"), 2, "--matches: needs both images; name the other one too"),
        (("photo.png", "photo.png", "--layout", "blink", "-o", "x.pdf"), 2, "--layout blink: pdf holds no animation"),
        (("photo.png", "-o", "x.html", "--opacity", "0.5"), 2, "--opacity: does not apply to a page"),
        (("photo.png", "--top", "-1"), 2, "--top: must be at least 0, not -1"),
        (("photo.png", "--max-pixels", "0"), 2, "--max-pixels: must be at least 1"),
        (("photo.png", "--color", "mud"), 2, "--color: must be scale, response"),
        (("photo.png", "--region", "500,0,5,5"), 2, "--region: lies outside the image"),
        (("photo.key",), 2, "photo.key: is a feature file; name its image too"),
        (("photo.png", "a.key", "b.key"), 2, "b.key: there are more feature files than images; name its image too"),
        (("a.png", "b.png", "c.png"), 2, "c.png: there are two images already"),
        (("-", "-"), 2, "'-' (standard input) can be one of the two images only"),
        (("nope.png",), 1, "nope.png: no such file; check the path"),
        (("photo.png", "nope.key"), 1, "nope.key: no such file"),
        (("photo.png", "--max-pixels", "100"), 1, "photo.png: has 90 x 60 pixels, more than the limit"),
        (("photo.png", "photo.png", "--matches", "nope.csv"), 1, "nope.csv: no such file"),
        (("text.png",), 1, "text.png: is not an image"),
    ],
)
def test_refused(sift: Sift, photo: Path, args: tuple[str, ...], status: int, message: str) -> None:
    Path("text.png").write_text("hello\n")
    assert error_of(sift, *args, status=status).startswith(message)


def test_a_malformed_region_names_its_option(sift: Sift, photo: Path) -> None:
    result = sift("draw", "photo.png", "--region", "1,2,3")
    assert result.returncode == 2
    assert "--region: must be 4 numbers, x,y,w,h, not " in last(result.stderr)


def test_a_collection_without_the_image(sift: Sift, photo: Path) -> None:
    with siftcli.collection_writer("f.h5") as collection:
        for name in ("x.png", "y.png"):
            collection.add(name, siftcli.detect(blobs()))
    assert error_of(sift, "photo.png", "f.h5", status=1) == (
        "f.h5: holds no image 'photo.png'; sift info lists what it holds"
    )


def test_features_of_another_image_are_refused(sift: Sift, photo: Path) -> None:
    siftcli.write_features("other.npz", siftcli.detect(blobs(80, 100)))
    assert error_of(sift, "photo.png", "other.npz", status=1) == (
        "other.npz: is of an image of 100 x 80 pixels, and photo.png has 90 x 60; give the features of this image"
    )


def test_features_that_lie_outside_the_image_are_refused(sift: Sift, photo: Path) -> None:
    features = siftcli.detect(blobs())
    siftcli.write_features("other.key", replace(features, xy=features.xy + np.float32(60)))  # a format without sizes
    assert error_of(sift, "photo.png", "other.key", status=1) == (
        "other.key: has keypoints outside the 90 x 60 pixels of photo.png; give the features of this image"
    )
