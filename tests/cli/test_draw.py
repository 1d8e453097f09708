"""``sift draw`` as a user sees it.

Oracles: the Python API (the command adds no drawing to it), Pillow's readers, an XML parser, the folder's listing, and
the exit statuses that the command's help promises.
"""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from cli_tools import Sift, blobs
from image_tools import dng, heic
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


def pixels(source: Path | bytes | str) -> np.ndarray:
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        return np.asarray(image.convert("RGB"))


def last(stderr: bytes) -> str:
    return stderr.decode().splitlines()[-1]


def error_of(sift: Sift, *args: str, status: int) -> str:
    """The one line that a failing command prints; it leaves no file behind."""
    before = sorted(Path().iterdir())
    result = sift("draw", *args)
    assert result.returncode == status
    assert result.stdout == b""
    assert sorted(Path().iterdir()) == before
    (line,) = result.stderr.decode().splitlines()
    return line.removeprefix("sift: error: ")


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


# --- matches


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


# --- folders


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
