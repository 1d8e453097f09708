"""``sift match`` of a folder of images: extraction, choice of pairs, matching and verification in one command.

Oracles: the same by separate commands; the files that stay as they are; the images and pairs that a run reports; an
undisturbed run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from batch_tools import start
from cli_tools import Sift
from PIL import Image

import siftcli
from siftcli.batch.manifest import MANIFEST
from siftcli.io.matches import MATCH_FORMATS, match_format_for

pytestmark = pytest.mark.filterwarnings("ignore")
IMAGES = 8


def view(seed: int) -> Image.Image:
    """One of several crops of one blurred noise, so that neighbours overlap."""
    noise = np.random.default_rng(0).normal(size=(160, 900))
    for axis in (0, 1):
        for _ in range(3):
            noise = sum(np.roll(noise, step, axis) for step in (-1, 0, 1))
    grey = np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)
    return Image.fromarray(grey[:, 40 * seed : 40 * seed + 220])


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[Path]:
    """A folder of images, in the current folder."""
    with chdir(tmp_path):
        Path("photos").mkdir()
        for i in range(IMAGES):
            view(i).save(f"photos/{i}.png")
        yield Path("photos")


def contents(path: str) -> dict[tuple[str, str], list[list[float]]]:
    """Return the matches of every pair, with the inliers and the model, whatever the order in the file."""
    format = match_format_for(path)
    found = {}
    with MATCH_FORMATS[format.name].function("MatchCollection")(path) as collection:
        for a, b, matches in collection:
            model = None if matches.model is None else matches.model.matrix.round(9).tolist()
            inliers = None if matches.inliers is None else matches.inliers.tolist()
            found[a, b] = [matches.indices.tolist(), inliers, model]
    return found


def pairs_of(stdout: bytes) -> set[tuple[str, str]]:
    return {(record["a"], record["b"]) for record in map(json.loads, stdout.splitlines())}


@pytest.mark.parametrize("output", ["scene.db", "scene.h5"])
def test_a_folder_is_matched_as_by_separate_commands(output: str, sift: Sift, photos: Path) -> None:
    result = sift("match", "photos", "-o", output)
    assert result.returncode == 0, result.stderr
    told = result.stderr.decode()
    assert f"{IMAGES} images done" in told
    assert "28 pairs matched" in told
    found = contents(output)
    verified = sum(model is not None for _, _, model in found.values())
    assert verified >= IMAGES - 1
    assert f"{output} has 28 pairs, {verified} of them verified; the features are in scene.features.h5" in told
    sift("detect", "photos", "-o", "f.h5", "-q")
    how = ("--exhaustive", "--verify", "fundamental", "--metric", "root", "-q")
    assert sift("match", "f.h5", "-o", f"apart.{output[-2:]}", *how).returncode == 0
    assert contents(f"apart.{output[-2:]}") == found
    with siftcli.collection_reader("f.h5") as apart, siftcli.collection_reader("scene.features.h5") as together:
        for name, features in apart:
            np.testing.assert_array_equal(together.read(name).descriptors, features.descriptors)


@pytest.mark.parametrize("output", ["scene.db", "scene.h5"])
def test_a_second_run_does_what_is_new(output: str, sift: Sift, photos: Path) -> None:
    command = ("match", "photos", "-o", output, "--json")
    assert len(pairs_of(sift(*command).stdout)) == 28
    files = {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    times = {path.name: path.stat().st_mtime_ns for path in Path().iterdir() if path.is_file()}
    again = sift(*command)
    assert again.returncode == 0
    assert again.stdout == b""
    assert b"nothing to extract: 8 images up to date" in again.stderr
    assert b"nothing to match: 28 pairs up to date" in again.stderr
    assert {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()} == files
    assert {path.name: path.stat().st_mtime_ns for path in Path().iterdir() if path.is_file()} == times

    view(8).save("photos/45.png")  # in the middle of the names
    added = sift(*command)
    assert b"1 image done, 8 up to date" in added.stderr
    assert {"45.png" in pair for pair in pairs_of(added.stdout)} == {True}
    assert len(pairs_of(added.stdout)) == 8

    view(9).save("photos/3.png")  # another photograph of the same name
    changed = sift(*command)
    assert b"1 image done" in changed.stderr
    assert {"3.png" in pair for pair in pairs_of(changed.stdout)} == {True}
    found = contents(output)
    assert sift("match", "photos", "-o", f"anew.{output[-2:]}", "-q").returncode == 0
    turned = {tuple(sorted(pair)) for pair in found}
    assert turned == {tuple(sorted(pair)) for pair in contents(f"anew.{output[-2:]}")}
    assert len(turned) == len(found) == 36


def test_other_parameters_are_refused_or_replace_all(sift: Sift, photos: Path) -> None:
    command = ("match", "photos", "-o", "scene.h5")
    assert sift(*command, "-q").returncode == 0
    other = sift(*command, "--max-keypoints", "40")
    assert other.returncode == 1
    assert b"scene.features.h5: was made with other parameters" in other.stderr
    other = sift(*command, "--ratio", "0.7")
    assert other.returncode == 2
    assert b"scene.h5: its pairs were matched with other parameters" in other.stderr
    before = contents("scene.h5")
    replaced = sift(*command, "--max-keypoints", "40", "--ratio", "0.7", "--overwrite")
    assert replaced.returncode == 0, replaced.stderr
    assert contents("scene.h5") != before
    with siftcli.collection_reader("scene.features.h5") as collection:
        assert {len(features) <= 40 for _, features in collection} == {True}
    assert b"nothing to match" in sift(*command, "--max-keypoints", "40", "--ratio", "0.7").stderr


def test_a_match_file_of_another_run_is_refused(sift: Sift, photos: Path) -> None:
    sift("detect", "photos", "-o", "f.h5", "-q")
    sift("match", "f.h5", "--exhaustive", "-o", "scene.h5", "-q")
    result = sift("match", "photos", "-o", "scene.h5")
    assert result.returncode == 2
    assert b"scene.h5: exists already" in result.stderr


def test_an_image_that_fails_does_not_affect_the_others(sift: Sift, photos: Path) -> None:
    Path("photos/5.png").write_bytes(b"no image")
    result = sift("match", "photos/*.png", "-o", "scene.db")
    assert result.returncode == 1
    assert b"error: photos/5.png" in result.stderr
    assert len(contents("scene.db")) == 21


def test_options_of_the_detector_count_for_images(sift: Sift, photos: Path) -> None:
    """Oracle: the numbers of keypoints that sift detect finds."""
    how = ("--edge-threshold", "6", "--max-keypoints", "50")
    sift("detect", "photos/0.png", "photos/1.png", *how, "-o", "f.h5", "-q")
    with siftcli.collection_reader("f.h5") as collection:
        wanted = [len(collection.read(name)) for name in ("0.png", "1.png")]
    told = json.loads(sift("match", "photos/0.png", "photos/1.png", *how, "--json").stdout)
    assert told["keypoints"] == wanted


def size(path: str) -> int:
    """Return the size of a file; 0 if it is not there."""
    return Path(path).stat().st_size if Path(path).exists() else 0


def extracted(count: int) -> Callable[[], bool]:
    """Tell whether so many images are recorded."""
    return lambda: Path(MANIFEST).exists() and Path(MANIFEST).read_bytes().count(b'"image"') >= count


def matched(count: int, output: str) -> Callable[[], bool]:
    """Tell whether the journal of pairs has so many bytes."""
    return lambda: size(f"{output}.sift.journal") >= count


@pytest.mark.parametrize("output", ["scene.db", "scene.h5"])
def test_killed_at_ten_moments_it_comes_to_the_same(output: str, sift: Sift, photos: Path) -> None:
    """Moments are told by what is on disk, not by the clock; each run continues the one that was killed before."""
    assert sift("match", "photos", "-o", f"whole/{output}", "-q").returncode == 0
    command = ("match", "photos", "-o", output, "--jobs", "1", "-q")
    moments = [extracted(i) for i in (1, 3, 5, 7)]
    moments += [lambda: size("scene.features.h5") > 0]
    moments += [matched(count, output) for count in (1, 4_000, 9_000, 14_000, 19_000)]
    kills = 0
    for reached in moments:
        with start(*command) as process:
            while process.poll() is None and not reached():
                time.sleep(0.0005)
            kills += process.poll() is None
            process.kill()
    assert kills == len(moments)
    assert sift(*command).returncode == 0
    assert contents(output) == contents(f"whole/{output}")
    assert sorted(path.name for path in Path().iterdir()) == sorted(
        [MANIFEST, "photos", output, "scene.features.h5", "whole"]
    )
