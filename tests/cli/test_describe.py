"""``sift describe``: frames from files of all formats, and what is said about those that cannot be described.

Oracles: what ``sift detect`` wrote, the library, and the files themselves.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Sift, blobs
from PIL import Image

import siftcli
from siftcli.conventions import affine_of
from siftcli.io.formats import FORMATS


def lines(stderr: bytes) -> list[str]:
    """The lines of stderr."""
    return stderr.decode().splitlines()


def csv(*rows: str, head: str = "x,y,sigma") -> None:
    """Write frames.csv."""
    Path("frames.csv").write_text("\n".join([head, *rows]) + "\n")


@pytest.mark.parametrize("suffix", [".h5", ".npz", ".csv"])
@pytest.mark.parametrize("preset", ["default", "lowe", "colmap"])
def test_detects_frames_get_detects_descriptors(sift: Sift, photo: Path, suffix: str, preset: str) -> None:
    """Invariance: byte for byte, from formats that hold octaves and levels."""
    assert sift("detect", "photo.png", "-o", f"a{suffix}", "--preset", preset).returncode == 0
    result = sift("describe", "photo.png", "-k", f"a{suffix}", "-o", f"b{suffix}", "--preset", preset, "-q")
    assert (result.returncode, result.stderr) == (0, b"")
    a, b = (siftcli.read_features(f"{name}{suffix}") for name in "ab")
    assert len(a) > 3
    for name in ("xy", "scales", "orientations", "scores", "octaves", "levels", "descriptors"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name


@pytest.mark.parametrize("name", sorted(n for n, f in FORMATS.items() if not f.many))
def test_frames_of_every_format(sift: Sift, photo: Path, name: str) -> None:
    """Invariance: a file's frames, read by the library and described, are what the command writes."""
    pixels = siftcli.read_image(photo).pixels
    path = f"frames{FORMATS[name].suffix}"
    siftcli.write_features(path, siftcli.detect(pixels), name)
    expected = siftcli.describe(pixels, siftcli.read_features(path, name).without_descriptors())
    assert sift("describe", "photo.png", "-k", path, "--keypoints-format", name, "-o", "out.npz").returncode == 0
    found = siftcli.read_features("out.npz")
    assert np.array_equal(found.xy, expected.xy)
    assert np.array_equal(found.descriptors, expected.descriptors)


def test_frames_of_a_csv_file(sift: Sift, photo: Path) -> None:
    """Invariance: as in the library, with and without orientations, and affine."""
    pixels = siftcli.read_image(photo).pixels
    rows = np.array([[20, 15, 2.5, 0.3], [30, 40, 4, -1], [65, 25, 5, 2]], np.float32)
    scales, angles = rows[:, 2], rows[:, 3]
    maps = affine_of(scales, angles) @ np.array([[1.2, 0.3], [0, 1]], np.float32)
    for head, table in (
        ("x,y,sigma,orientation", rows),
        ("x,y,sigma", rows[:, :3]),
        ("x,y,a11,a12,a21,a22", np.column_stack([rows[:, :2], maps.reshape(-1, 4)])),
    ):
        csv(*(",".join(f"{v:.9g}" for v in row) for row in table), head=head)
        assert sift("describe", "photo.png", "-k", "frames.csv", "-o", "out.csv", "--overwrite").returncode == 0
        found, given = siftcli.read_features("out.csv"), siftcli.read_features("frames.csv")
        assert np.array_equal(found.xy, rows[:, :2])
        assert (given.affine is None) == (len(table[0]) < 6)
        assert np.array_equal(found.descriptors, siftcli.describe(pixels, given).descriptors)


BAD = [
    ("95,10,2", "lies at (95, 10), outside the image of 90 x 60 pixels"),
    ("5,10,0", "has the scale 0; it must be at least 0.001"),
    ("5,10,80", "has the scale 80, too large for the scale space"),
]


@pytest.mark.parametrize(("row", "why"), BAD)
def test_bad_frames_are_named_by_line(sift: Sift, photo: Path, row: str, why: str) -> None:
    """Closed form: the line of the file, whatever is blank before it; no output."""
    csv("40,30,2", "", row, "41,31,2", row)
    result = sift("describe", "photo.png", "-k", "frames.csv", "-o", "out.key")
    assert result.returncode == 1
    (line,) = lines(result.stderr)
    assert line.startswith(f"sift: error: frames.csv:4: keypoint 2 {why}")
    assert line.endswith(" (and 1 more like it); --bad-frames zero gives such frames a descriptor of zeros")
    assert not Path("out.key").exists()


@pytest.mark.parametrize(("row", "why"), BAD)
def test_bad_frames_may_get_zeros(sift: Sift, photo: Path, row: str, why: str) -> None:
    """Closed form: order and number are kept, and the first is told as a warning."""
    csv("40,30,2", row, "41,31,2", row)
    result = sift("describe", "photo.png", "-k", "frames.csv", "-o", "out.npz", "--bad-frames", "zero")
    assert result.returncode == 0
    line, _ = lines(result.stderr)
    assert line.startswith(f"sift: warning: frames.csv:3: keypoint 2 {why}")
    assert line.endswith("; 2 of 4 frames got a descriptor of zeros")
    found = siftcli.read_features("out.npz")
    assert found.descriptors is not None
    assert found.descriptors.any(axis=1).tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    "row", ["5,10,-2", "5,10,nan", "5,10,inf", "5,10,1e99", "nan,10,2", "5,10", "5,10,2,3", "5,10,x"]
)
def test_what_is_no_frame_is_named_by_line(sift: Sift, photo: Path, row: str) -> None:
    """Closed form: a file that does not hold numbers of frames is refused as a whole."""
    csv("40,30,2", row)
    result = sift("describe", "photo.png", "-k", "frames.csv", "-o", "out.key", "--bad-frames", "zero")
    assert result.returncode == 1
    assert lines(result.stderr)[0].startswith("sift: error: frames.csv:3: ")


@pytest.mark.parametrize("name", ["lowe", "lowe-gz", "vlfeat", "vlfeat-frame", "colmap", "ipol", "openmvg", "hdf5"])
def test_the_line_in_other_formats(sift: Sift, photo: Path, name: str) -> None:
    """Closed form: in a text, the line on which the fourth keypoint's numbers are; no line in a binary file."""
    pixels = siftcli.read_image(photo).pixels
    frames = siftcli.detect(pixels)
    frames.xy[3] = 300, 30
    path = f"frames{FORMATS[name].suffix}"
    siftcli.write_features(path, frames, name, image="photo.png")
    result = sift("describe", "photo.png", "-k", path, "--keypoints-format", name, "-o", "out.npz")
    place = {"lowe": ":26", "lowe-gz": ":26", "colmap": ":5", "hdf5": ": photo.png"}.get(name, ":4")
    assert lines(result.stderr)[0].startswith(f"sift: error: {path}{place}: keypoint 4 lies at (300, 30)")


def test_assigned_orientations(sift: Sift, photo: Path) -> None:
    """Invariance: detect's, from frames without any; with a column that tells the frame, up to so many."""
    pixels = siftcli.read_image(photo).pixels
    found = siftcli.detect(pixels)
    once = found.take(np.unique(found.xy, axis=0, return_index=True)[1])
    siftcli.write_features("frames.csv", once)
    args = ("describe", "photo.png", "-k", "frames.csv", "--assign-orientations")
    assert sift(*args, "-o", "out.csv").returncode == 0
    out = siftcli.read_features("out.csv")
    assert out.sources is not None
    assert np.array_equal(out.xy, once.xy[out.sources])
    rows = {(*xy, angle) for xy, angle in zip(found.xy.tolist(), found.orientations.tolist(), strict=True)}
    assert {(*xy, angle) for xy, angle in zip(out.xy.tolist(), out.orientations.tolist(), strict=True)} == rows
    assert sift(*args, "-o", "one.h5", "--max-orientations", "1").returncode == 0
    assert np.array_equal(siftcli.read_features("one.h5").sources, np.arange(len(once)))


# --- several images


def folder() -> None:
    """Make in/a.png and in/deep/b.png."""
    for k, name in enumerate(("in/a.png", "in/deep/b.png")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(blobs(), 3 * k, axis=1)).save(name)


def test_a_file_of_many_images(sift: Sift) -> None:
    """Invariance: each image gets its own frames, whatever the order."""
    folder()
    assert sift("detect", "in", "-r", "-o", "a.h5").returncode == 0
    assert sift("describe", "in/deep", "in", "-r", "-k", "a.h5", "-o", "out/", "--format", "npz").returncode == 0
    with siftcli.collection_reader("a.h5") as collection:
        assert np.array_equal(siftcli.read_features("out/a.npz").descriptors, collection.read("a.png").descriptors)
        assert np.array_equal(siftcli.read_features("out/b.npz").descriptors, collection.read("deep/b.png").descriptors)


@pytest.mark.parametrize("format", ["lowe", "colmap", "vlfeat-frame", "npz"])
def test_a_folder_of_files(sift: Sift, format: str) -> None:
    """Invariance: each image finds the file that detect named after it."""
    folder()
    assert sift("detect", "in", "-r", "-o", "frames/", "--format", format).returncode == 0
    assert sift("describe", "in", "-r", "-k", "frames", "-o", "out.h5").returncode == 0
    suffix = FORMATS[format].suffix
    with siftcli.collection_reader("out.h5") as collection:
        for name, file in (("a.png", "a"), ("deep/b.png", "deep/b")):
            path = f"frames/{file}.png{suffix}" if FORMATS[format].whole_name else f"frames/{file}{suffix}"
            assert np.array_equal(collection.read(name).xy, siftcli.read_features(path).xy)


def test_an_image_without_frames_costs_itself_only(sift: Sift) -> None:
    """Closed form: it is named, in a file and in a folder."""
    folder()
    assert sift("detect", "in/a.png", "-o", "a.h5").returncode == 0
    shutil.copy("in/a.png", "in/c.png")
    result = sift("describe", "in", "-r", "-k", "a.h5", "-o", "out/", "--json")
    assert result.returncode == 1
    errors = {r["path"]: r["error"] for r in map(json.loads, result.stdout.splitlines())}
    assert errors["in/a.png"] is None
    assert errors["in/c.png"] == "a.h5: has no keypoints of c.png; name them as the image"
    Path("frames").mkdir()
    assert sift("detect", "in/a.png", "-o", "frames/").returncode == 0
    result = sift("describe", "in", "-r", "-k", "frames", "-o", "out2/", "--json")
    errors = {r["path"]: r["error"] for r in map(json.loads, result.stdout.splitlines())}
    assert errors["in/c.png"] == "frames: has no keypoints of c.png; name them as the image"


def test_other_frames_are_another_input(sift: Sift) -> None:
    """Invariance: --resume describes an image again if its frames have changed."""
    folder()
    assert sift("detect", "in", "-r", "-o", "frames/").returncode == 0
    args = ("describe", "in", "-r", "-k", "frames", "-o", "out/", "--resume", "--json")

    def states() -> list[str]:
        return [r["status"] for r in map(json.loads, sift(*args).stdout.splitlines())]

    assert states() == ["done", "done"]
    assert states() == ["skipped", "skipped"]
    shutil.copy("frames/a.key", "frames/deep/b.key")
    assert sorted(states()) == ["done", "skipped"]


# --- what is refused


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("photo.png",), "Missing option '-k' / '--keypoints'"),
        (("photo.png", "-k", "none.csv"), "--keypoints none.csv: no such file or folder"),
        (("photo.png", "photo.png.copy", "-k", "frames.csv", "-o", "out/"), "is of one image, and there are 2"),
        (("photo.png", "-k", "frames.csv", "--keypoints-format", "sift"), "must be one of"),
        (("photo.png", "-k", "twice"), "may both be its keypoints; name one with --keypoints-format"),
        (("-", "-k", "twice"), "is a folder, and standard input has no name"),
        (("photo.png", "-k", "frames.csv", "--float-descriptors"), "has no room for them"),
        (("photo.png", "-k", "frames.csv", "--max-keypoints", "3"), "No such option"),
        (("photo.png", "-k", "frames.csv", "--bad-frames", "drop"), "Invalid value for '--bad-frames'"),
    ],
)
def test_wrong_usage(sift: Sift, photo: Path, args: tuple[str, ...], why: str) -> None:
    """Closed form: status 2, one reason, nothing written."""
    csv("40,30,2")
    shutil.copy(photo, "photo.png.copy")
    Path("twice").mkdir()
    for suffix in (".key", ".csv"):
        siftcli.write_features(f"twice/photo{suffix}", siftcli.read_features("frames.csv"))
    before = sorted(Path().rglob("*"))
    result = sift("describe", *args)
    assert (result.returncode, result.stdout) == (2, b"")
    assert why in lines(result.stderr)[-1]
    assert sorted(Path().rglob("*")) == before


def test_a_file_that_is_no_feature_file(sift: Sift, photo: Path) -> None:
    """Closed form: told from its suffix and its contents."""
    Path("frames.csv").write_text("hello\nworld\n")
    result = sift("describe", "photo.png", "-k", "frames.csv")
    assert result.returncode == 1
    assert "frames.csv:1: " in lines(result.stderr)[0]
    Path("frames.xyz").write_text("1 2 3\n")
    result = sift("describe", "photo.png", "-k", "frames.xyz")
    assert result.returncode == 1
    assert "its suffix does not say which format" in lines(result.stderr)[0]
