"""``sift scalespace`` as a user sees it.

Oracles: the scale space's closed form of levels and sizes, SciPy's Gaussian filter, the features that ``sift detect``
finds, counts that must add up, and the exit statuses that the command's help promises.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Sift, blobs
from PIL import Image
from scipy.ndimage import gaussian_filter

import siftcli


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_there_is_a_picture_of_every_level(sift: Sift, photo: Path) -> None:
    result = sift("scalespace", "photo.png", "-o", "out")
    assert (result.returncode, result.stdout) == (0, b"")
    assert b"photo.png: scalespace.png, extrema.png and 44 levels written to out in " in result.stderr
    octaves = range(-1, 3)  # 118 x 178 pixels, then halves: 59, 29, 14
    expected = {f"gaussian_o{o}_s{s}.png" for o in octaves for s in range(6)}
    expected |= {f"dog_o{o}_s{s}.png" for o in octaves for s in range(5)}
    assert {p.name for p in Path("out").iterdir()} == expected | {"scalespace.png", "extrema.png"}
    for o, shape in zip(octaves, ((118, 178), (59, 89), (29, 44), (14, 22)), strict=True):
        assert pixels(f"out/gaussian_o{o}_s0.png").shape == pixels(f"out/dog_o{o}_s4.png").shape == shape


def test_levels_look_like_the_blurred_image(sift: Sift, photo: Path) -> None:
    sift("scalespace", "photo.png", "-o", "out")
    for s in (0, 3):
        sigma = np.sqrt((1.6 * 2 ** (s / 3)) ** 2 - 0.25)
        expected = gaussian_filter(blobs().astype(float), sigma, mode="nearest")[:59, :89]
        difference = np.abs(pixels(f"out/gaussian_o0_s{s}.png") - expected)[8:-8, 8:-8]
        assert difference.max() < 3


def test_floats_are_the_values_themselves(sift: Sift, photo: Path) -> None:
    assert sift("scalespace", "photo.png", "-o", "out", "--format", "tiff").returncode == 0
    levels = [pixels(f"out/gaussian_o1_s{s}.tiff") for s in range(6)]
    assert all(level.dtype == np.float32 for level in levels)
    for s in range(5):
        np.testing.assert_array_equal(pixels(f"out/dog_o1_s{s}.tiff"), levels[s + 1] - levels[s])
    assert {p.suffix for p in Path("out").iterdir()} == {".tiff", ".png"}


def test_stages_are_files_and_lead_to_what_detect_finds(sift: Sift, photo: Path) -> None:
    result = sift("scalespace", "photo.png", "-o", "out", "--stages", "--json")
    record = json.loads(result.stdout)
    names = ("extrema", "contrast", "edge", "unstable", "refined", "oriented")
    stages = {name: siftcli.read_features(f"out/stage{i}_{name}.csv") for i, name in enumerate(names, start=1)}
    assert {name: len(features) for name, features in stages.items()} == {name: record[name] for name in names}
    assert record["extrema"] == sum(record[name] for name in ("contrast", "edge", "unstable", "refined"))
    found = siftcli.detect(blobs(), descriptors=False)
    np.testing.assert_array_equal(stages["oriented"].xy, found.xy)
    np.testing.assert_array_equal(stages["oriented"].orientations, found.orientations)
    assert (record["path"], record["output"], record["status"]) == ("photo.png", "out", "done")


def test_parameters_of_the_detector(sift: Sift, photo: Path) -> None:
    args = ("--first-octave", "0", "--scales-per-octave", "2", "--octaves", "1", "--contrast-threshold", "0")
    result = sift("scalespace", "photo.png", "-o", "out", "--json", *args)
    assert sorted(p.name for p in Path("out").glob("gaussian*")) == [f"gaussian_o0_s{s}.png" for s in range(5)]
    found = siftcli.detect(blobs(), first_octave=0, scales_per_octave=2, octaves=1, contrast_threshold=0)
    assert json.loads(result.stdout)["oriented"] == len(found)


def test_the_sheet_grows_with_its_tiles(sift: Sift, photo: Path) -> None:
    for tile in ("60", "120"):
        assert sift("scalespace", "photo.png", "-o", f"out{tile}", "--tile", tile).returncode == 0
    assert pixels("out120/scalespace.png").shape[1] > 1.6 * pixels("out60/scalespace.png").shape[1]


def test_extrema_are_shown_over_the_image_in_colour(sift: Sift, sample_images: Path) -> None:
    args = ("--octaves", "2", "--first-octave", "0", "--contrast-threshold", "0.2")
    assert sift("scalespace", sample_images / "coffee.jpg", "-o", "out", *args).returncode == 0
    shown, photograph = pixels("out/extrema.png"), pixels(str(sample_images / "coffee.jpg"))
    assert (shown[:400] == photograph).all(axis=2).mean() > 0.4


def test_themes_change_what_surrounds_the_levels(sift: Sift, photo: Path) -> None:
    for theme, mode, corner in (("light", "RGB", (255, 255, 255)), ("none", "RGBA", (128, 128, 128, 0))):
        assert sift("scalespace", "photo.png", "-o", theme, "--theme", theme).returncode == 0
        for name in ("scalespace.png", "extrema.png"):
            with Image.open(f"{theme}/{name}") as image:
                assert (image.mode, image.getpixel((image.width - 1, image.height - 1))) == (mode, corner)


def test_standard_input(sift: Sift, photo: Path) -> None:
    assert sift("scalespace", "-", "-o", "out", stdin=photo.read_bytes()).returncode == 0
    sift("scalespace", "photo.png", "-o", "other")
    assert Path("out/scalespace.png").read_bytes() == Path("other/scalespace.png").read_bytes()


def test_an_image_with_nothing_in_it(sift: Sift, tmp_path: Path) -> None:
    Image.new("L", (3, 2), 9).save("tiny.png")
    result = sift("scalespace", "tiny.png", "-o", "out", "--stages", "-v")
    assert result.returncode == 0
    assert b"0 extrema" in result.stderr
    assert {p.name for p in Path("out").glob("*.png")} == {"scalespace.png", "extrema.png"}


def test_a_folder_that_is_not_empty_is_kept_unless_told(sift: Sift, photo: Path) -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    result = sift("scalespace", "photo.png", "-o", "out")
    assert (result.returncode, [p.name for p in Path("out").iterdir()]) == (2, ["mine.txt"])
    assert b"out: is not empty; use --overwrite" in result.stderr
    assert sift("scalespace", "photo.png", "-o", "out", "--overwrite").returncode == 0
    assert Path("out/mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (("photo.png", "-o", "photo.png"), 2, "photo.png: is a file; give -o the name of a folder"),
        (("photo.png", "-o", "-"), 2, "-o: needs the name of a folder"),
        (("photo.png", "-o", "x", "--tile", "5"), 2, "--tile: must be from 16 to 4096, not 5"),
        (("photo.png", "-o", "x", "--sigma-base", "0"), 2, "--sigma-base: must be greater than 0"),
        (("photo.png", "-o", "x", "--max-pixels", "9"), 1, "photo.png: has 90 x 60 pixels, more than the limit"),
        (("nope.png", "-o", "x"), 1, "nope.png: no such file"),
        (("photo.png", "-o", "photo.png/x"), 1, "photo.png/x: "),
    ],
)
def test_refused(sift: Sift, photo: Path, args: tuple[str, ...], status: int, message: str) -> None:
    result = sift("scalespace", *args)
    assert result.returncode == status
    assert result.stderr.decode().removeprefix("sift: error: ").startswith(message)
    assert [p.name for p in photo.parent.iterdir()] == ["photo.png"]
