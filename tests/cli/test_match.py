"""``sift match`` as a process.

Oracles: `siftcli.match` and the readers of match files, tested beside their own oracles; the homography of a sample
pair; pycolmap and h5py, which read the results; an undisturbed run; the exit statuses and streams that the help
promises.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import combinations, pairwise
from pathlib import Path

import h5py
import limited
import numpy as np
import pycolmap
import pytest
from cli_tools import SIFT, Sift
from match_tools import features, related

import siftcli

PAIR = ("pair_astronaut_a.jpg", "pair_astronaut_b.jpg")


@pytest.fixture
def pair(sample_images: Path) -> tuple[str, str]:
    return str(sample_images / PAIR[0]), str(sample_images / PAIR[1])


@pytest.fixture(scope="session")
def matched(sample_images: Path) -> siftcli.Matches:
    """The sample pair, matched and verified from Python."""
    a, b = (siftcli.detect(siftcli.read_image(sample_images / name).pixels) for name in PAIR)
    return siftcli.match(a, b, verify="homography")


def write_collection(path: Path, images: int, size: int = 60) -> list[str]:
    """Write features of images in a row, of which neighbours share half of their keypoints, shifted by (7, 3)."""
    random = np.random.default_rng(0)
    pool, _ = related(random, images * size // 2 + size, 1, 0)
    places = random.uniform(0, 300, (len(pool), 2))
    names = [f"cam {i % 2}/{i:02}.jpg" for i in range(images)]
    with siftcli.collection_writer(path) as writer:
        for i, name in enumerate(names):
            rows = slice(i * size // 2, i * size // 2 + size)
            noise = random.integers(-2, 3, (size, 128))
            descriptors = (pool[rows].astype(int) + noise).clip(0, 255).astype(np.uint8)
            writer.add(name, features(descriptors, places[rows] + [7 * i, 3 * i], image_size=(900, 700)))
    return sorted(names)


@pytest.fixture
def collection(tmp_path: Path) -> list[str]:
    """The names of the images in ``features.h5``: six in a row."""
    return write_collection(tmp_path / "features.h5", 6)


def rows_of(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode())))


def pairs_of(path: Path) -> list[tuple[str, str]]:
    with h5py.File(path) as file:
        return sorted(
            (g.attrs["name_a"].decode(), g.attrs["name_b"].decode()) for a in file.values() for g in a.values()
        )


# --- two images


def test_matches_go_to_stdout_and_the_summary_to_stderr(
    sift: Sift, pair: tuple[str, str], matched: siftcli.Matches
) -> None:
    result = sift("match", *pair, "--verify", "none")
    assert result.returncode == 0
    rows = rows_of(result.stdout)
    assert [(int(r["index_a"]), int(r["index_b"])) for r in rows] == list(map(tuple, matched.indices.tolist()))
    assert {r["inlier"] for r in rows} == {""}
    stderr = result.stderr.decode().splitlines()
    assert len(stderr) == 1
    assert re.search(rf"{PAIR[0]} \([\d,]+\) and {PAIR[1]} \([\d,]+\): {len(matched)} matches in ", stderr[0])
    assert sift("match", *pair, "-q").stderr == b""


def test_verification_marks_inliers_and_saves_the_model(
    sift: Sift, pair: tuple[str, str], matched: siftcli.Matches, sample_images: Path
) -> None:
    result = sift("match", *pair, "--verify", "homography", "--save-model", "H.txt", "-o", "m.csv")
    assert result.returncode == 0
    assert result.stdout == b""
    assert matched.model is not None
    assert matched.inliers is not None
    np.testing.assert_array_equal(siftcli.read_matches("m.csv").inliers, matched.inliers)
    np.testing.assert_allclose(np.loadtxt("H.txt"), matched.model.matrix, rtol=1e-12)
    stderr = result.stderr.decode()
    assert f"{int(matched.inliers.sum())} inliers of a homography" in stderr
    told = [line.split()[1:] for line in stderr.splitlines()[-3:]]
    np.testing.assert_allclose(np.array(told, float), matched.model.matrix, rtol=1e-7)
    truth = np.loadtxt(sample_images / "pair_astronaut_H.txt")
    corners = np.array([[0, 0, 1], [511, 0, 1], [0, 511, 1], [511, 511, 1]]).T
    a, b = (m @ corners for m in (np.loadtxt("H.txt"), truth))
    assert np.linalg.norm(a[:2] / a[2] - b[:2] / b[2], axis=0).mean() <= 1


@pytest.mark.parametrize("name", ["m.csv", "m.npz", "m.h5", "m.txt"])
def test_every_format_of_one_pair(name: str, sift: Sift, pair: tuple[str, str], matched: siftcli.Matches) -> None:
    result = sift("match", *pair, "-o", name, "--verify", "homography")
    assert result.returncode == 0, result.stderr.decode()
    back = siftcli.read_matches(name)
    wanted = matched if name in ("m.csv", "m.npz") else matched.only_inliers()
    np.testing.assert_array_equal(back.indices, wanted.indices)
    if name == "m.h5":
        assert pairs_of(Path(name)) == [PAIR]
    if name == "m.txt":
        assert Path(name).read_text().startswith(" ".join(PAIR) + "\n")


def test_a_database_gets_images_matches_and_geometry(
    sift: Sift, pair: tuple[str, str], matched: siftcli.Matches
) -> None:
    for _ in range(2):  # doing it again changes nothing
        result = sift("match", *pair, "-o", "m.db", "--verify", "homography")
        assert result.returncode == 0, result.stderr.decode()
        with pycolmap.Database.open("m.db") as database:
            a, b = (database.read_image_with_name(name).image_id for name in PAIR)
            assert database.num_images() == 2
            np.testing.assert_array_equal(database.read_matches(a, b), matched.indices)
            found = database.read_two_view_geometry(a, b).inlier_matches
            np.testing.assert_array_equal(found, matched.only_inliers().indices)


def test_feature_files_and_images_may_be_mixed(sift: Sift, pair: tuple[str, str], matched: siftcli.Matches) -> None:
    assert sift("detect", pair[0], "-o", "a.h5").returncode == 0
    result = sift("match", "a.h5", pair[1])
    assert rows_of(result.stdout) == rows_of(sift("match", *pair).stdout)
    assert sift("detect", pair[1], "-o", "b.key").returncode == 0
    by_key = rows_of(sift("match", pair[0], "b.key").stdout)
    assert [(int(r["index_a"]), int(r["index_b"])) for r in by_key] == list(map(tuple, matched.indices.tolist()))


def test_an_image_from_stdin(sift: Sift, pair: tuple[str, str]) -> None:
    result = sift("match", "-", pair[1], "--names", *PAIR, stdin=Path(pair[0]).read_bytes())
    assert result.stdout == sift("match", *pair).stdout


def test_images_of_a_collection_by_their_names(sift: Sift, collection: list[str]) -> None:
    result = sift("match", "features.h5", "features.h5", "--names", collection[0], collection[3], "-o", "m.h5")
    assert result.returncode == 0, result.stderr.decode()
    assert pairs_of(Path("m.h5")) == [(collection[0], collection[3])]
    assert len(siftcli.read_matches("m.h5")) > 20
    result = sift("match", "features.h5", "features.h5")
    assert result.returncode == 1
    assert b"holds 6 images; name one with --names" in result.stderr
    result = sift("match", "features.h5", "features.h5", "--names", "x", "y")
    assert b"holds no image 'x'" in result.stderr


def test_json_tells_the_model(sift: Sift, pair: tuple[str, str], matched: siftcli.Matches) -> None:
    result = sift("match", *pair, "--verify", "homography", "--json", "-q")
    record = json.loads(result.stdout)
    assert matched.model is not None
    assert matched.inliers is not None
    assert record["matches"] == len(matched)
    assert record["inliers"] == int(matched.inliers.sum())
    np.testing.assert_allclose(record["model"]["matrix"], matched.model.matrix)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 1), (1, 0), (1, 1), (1, 40), (40, 1)])
def test_few_keypoints_are_no_error(a: int, b: int, sift: Sift) -> None:
    for name, n in (("a.npz", a), ("b.npz", b)):
        siftcli.write_features(name, features(related(np.random.default_rng(n), n, 1, 0)[0]))
    result = sift("match", "a.npz", "b.npz", "--verify", "homography")
    assert result.returncode == 0, result.stderr.decode()
    assert len(rows_of(result.stdout)) <= min(a, b)


def test_jobs_change_nothing(sift: Sift, pair: tuple[str, str]) -> None:
    assert sift("match", *pair, "--jobs", "1").stdout == sift("match", *pair, "--jobs", "3").stdout


def test_the_tests_are_options(sift: Sift, pair: tuple[str, str], sample_images: Path) -> None:
    a, b = (siftcli.detect(siftcli.read_image(sample_images / name).pixels) for name in PAIR)
    result = sift("match", *pair, "--ratio", "0.6", "--no-mutual", "--max-distance", "0.4", "--metric", "root")
    wanted = siftcli.match(a, b, ratio=0.6, mutual=False, max_distance=0.4, metric="root")
    assert [int(r["index_b"]) for r in rows_of(result.stdout)] == wanted.indices[:, 1].tolist()


def test_a_model_that_was_not_found_is_not_written(sift: Sift) -> None:
    for name in ("a.npz", "b.npz"):
        siftcli.write_features(name, features(related(np.random.default_rng(len(name)), 5, 1, 0)[0]))
    result = sift("match", "a.npz", "b.npz", "--verify", "homography", "--save-model", "H.txt")
    assert result.returncode == 1
    assert b"H.txt: not written, no homography was found" in result.stderr
    assert not Path("H.txt").exists()


def test_two_images_are_verified_by_what_explains_them(sift: Sift, pair: tuple[str, str]) -> None:
    pytest.importorskip("poselib")
    plain, chosen = (sift("match", *pair, *more) for more in (("--verify", "homography"), ()))
    assert chosen.stdout == plain.stdout
    assert b" inliers of a homography in " in chosen.stderr


def test_two_images_are_matched_along_the_model_that_explains_them(sift: Sift, pair: tuple[str, str]) -> None:
    pytest.importorskip("poselib")
    named, chosen = (sift("match", *pair, "--guided", *more) for more in (("--verify", "homography"), ()))
    assert chosen.returncode == 0, chosen.stderr.decode()
    assert chosen.stdout == named.stdout
    assert {r["inlier"] for r in rows_of(chosen.stdout)} == {"1"}
    assert len(chosen.stdout) > len(sift("match", *pair).stdout)


def test_without_poselib_two_images_are_not_verified(sift: Sift, pair: tuple[str, str]) -> None:
    Path("poselib.py").write_text("raise ImportError")
    env = {"PYTHONPATH": os.pathsep.join([".", *filter(None, [os.environ.get("PYTHONPATH")])])}
    result = sift("match", *pair, env=env)
    assert result.returncode == 0
    assert {r["inlier"] for r in rows_of(result.stdout)} == {""}
    assert b"matches, not verified (that needs PoseLib: pip install 'siftcli[geometry]') in " in result.stderr
    assert b"--verify" not in result.stderr


def test_without_poselib_the_message_tells_what_to_install(sift: Sift, pair: tuple[str, str]) -> None:
    Path("poselib.py").write_text("raise ImportError")
    env = {"PYTHONPATH": os.pathsep.join([".", *filter(None, [os.environ.get("PYTHONPATH")])])}
    result = sift("match", *pair, "--verify", "homography", env=env)
    assert result.returncode == 2
    assert result.stderr == (
        b"sift: error: --verify: needs PoseLib; install it with: pip install 'siftcli[geometry]' "
        b"(similarity works without)\n"
    )


@pytest.mark.parametrize("option", [("--guided",), ("--save-model", "model.txt")])
def test_without_poselib_an_option_that_needs_the_model_is_refused(
    sift: Sift, pair: tuple[str, str], option: tuple[str, ...]
) -> None:
    Path("poselib.py").write_text("raise ImportError")
    env = {"PYTHONPATH": os.pathsep.join([".", *filter(None, [os.environ.get("PYTHONPATH")])])}
    result = sift("match", *pair, *option, "-o", "m.csv", env=env)
    assert result.returncode == 2
    assert result.stderr.startswith(f"sift: error: {option[0]}: needs PoseLib; install it with: ".encode())
    assert b"--verify" not in result.stderr
    assert not Path("m.csv").exists()


# --- wrong usage, bad inputs


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "no input: name two images, a folder of images, or one file of the features of many"),
        (["a", "b", "c.key"], "match needs two images, many images, or one file of the features of many, not 3 inputs"),
        (["a", "b", "c"], "-o: the matches of many images need a file"),
        (
            ["a", "b", "c", "-o", "m.txt"],
            "m.txt: pairs cannot be added to such a file later; give -o a .db or .h5 file",
        ),
        (
            ["a", "b", "--exhaustive", "-o", "m.h5", "--features", "f.key"],
            "f.key cannot keep the features of many images",
        ),
        (["a", "b", "--features", "f.h5"], "--features: is about images whose features are extracted"),
        (["a", "features.h5", "--recursive"], "--recursive: is about a folder of images"),
        (["features.h5", "-o", "m.h5", "--edge-threshold", "5"], "--edge-threshold: is about images"),
        (["a", "b", "--ship"], "--ship: needs --scheduler"),
        (["a.png"], "a.png: name a second image: sift match a.png OTHER"),
        (["a.png", "--exhaustive", "-o", "m.h5"], "a.png: is one image, and --exhaustive is about many"),
        (["a.key", "--exhaustive", "-o", "m.h5"], "a.key: holds the features of one image, and --exhaustive is about"),
        (["folder/", "--exhaustive", "-o", "m.h5"], "folder/: no images in it"),
        (["folder", "b"], "-o: the matches of many images need a file"),
        (["features.h5", "--exhaustive", "-o", "m.h5", "--verify", "auto"], "--verify auto: is for two images"),
        (["features.h5", "--exhaustive"], "-o: the matches of many images need a file"),
        (["features.h5", "--exhaustive", "-o", "-"], "-o: the matches of many images need a file"),
        (["features.h5", "--exhaustive", "-o", "m.csv"], "hold one pair"),
        (["features.h5", "--exhaustive", "-o", "m.dat"], "suffix"),
        (["features.h5", "--exhaustive", "--sequential", "2", "-o", "m.h5"], "exclude each other"),
        (["features.h5", "--sequential", "0", "-o", "m.h5"], "at least 1"),
        (["features.h5", "--retrieve", "0", "-o", "m.h5"], "at least 1"),
        (["features.h5", "--pairs", "none.txt", "-o", "m.h5"], "no such file"),
        (["a", "b", "--resume"], "--resume"),
        (["a", "b", "--top", "3"], "--rank"),
        (["a", "--rank"], "--rank"),
        (["a", "features.h5", "--rank", "-o", "x.csv"], "--rank and -o"),
        (["a", "b", "--save-model", "H.txt", "--verify", "none"], "--verify"),
        (["a", "b", "--threshold", "2", "--verify", "none"], "--verify"),
        (["a", "b", "--guided", "--verify", "none"], "--guided: needs a model to match along; give verify too"),
        (["a", "b", "--guided-distance", "0.5"], "--guided-distance: is about --guided"),
        (["a", "b", "--fginn-radius", "5"], "--ratio-test fginn"),
        (["a", "b", "--ratio", "2"], "--ratio"),
        (["a", "b", "--jobs", "0"], "--jobs"),
        (["a", "b", "-q", "-v"], "exclude"),
        (["-", "-"], "one of the two"),
        (["a", "b", "-o", "m.dat"], "suffix"),
        (["a", "b", "--format", "hloc"], "needs a file"),
        (["a", "b", "--json", "-o", "-"], "--json"),
    ],
)
def test_wrong_usage_is_refused(args: list[str], words: str, sift: Sift, collection: list[str]) -> None:
    Path("folder").mkdir()
    result = sift("match", *args)
    assert result.returncode in (1, 2)
    assert words in " ".join(result.stderr.decode().split())
    assert result.stdout == b""
    assert sorted(p.name for p in Path().iterdir()) == ["features.h5", "folder"]


@pytest.mark.parametrize("name", ["none.jpg", "none.key", "text.jpg", "text.key", "text.h5"])
def test_a_bad_input_is_named(name: str, sift: Sift, pair: tuple[str, str]) -> None:
    if name.startswith("text"):
        Path(name).write_text("hello")
    result = sift("match", pair[0], name, "-o", "m.csv")
    assert result.returncode == 1
    assert result.stderr.startswith(f"sift: error: {name}".encode())
    assert result.stderr.count(b"\n") == 1
    assert not Path("m.csv").exists()


def test_existing_outputs_are_kept(sift: Sift, pair: tuple[str, str], collection: list[str]) -> None:
    Path("m.h5").write_text("mine")
    for args in (pair, ("features.h5", "--exhaustive")):
        result = sift("match", *args, "-o", "m.h5")
        assert result.returncode == 2
        assert b"exists already" in result.stderr
        assert Path("m.h5").read_text() == "mine"
        assert not Path("m.h5.sift.journal").exists()
    assert sift("match", *pair, "-o", "m.h5", "--overwrite").returncode == 0
    assert pairs_of(Path("m.h5")) == [PAIR]


def test_two_images_of_one_name_are_told_apart_by_names(sift: Sift, pair: tuple[str, str]) -> None:
    result = sift("match", pair[0], pair[0], "-o", "m.h5")
    assert result.returncode == 2
    assert b"--names A B" in result.stderr
    assert sift("match", pair[0], pair[0], "-o", "m.h5", "--names", "1", "2").returncode == 0
    assert pairs_of(Path("m.h5")) == [("1", "2")]


# --- collections


def test_exhaustive(sift: Sift, collection: list[str]) -> None:
    result = sift("match", "features.h5", "--exhaustive", "-o", "m.h5", "--jobs", "2")
    assert result.returncode == 0, result.stderr.decode()
    assert pairs_of(Path("m.h5")) == list(combinations(collection, 2))
    assert b"15 pairs done" in result.stderr
    with siftcli.collection_reader("features.h5") as images:
        for a, b in combinations(collection, 2):
            wanted = siftcli.match(images.read(a), images.read(b)).indices
            np.testing.assert_array_equal(siftcli.read_matches("m.h5", names=(a, b)).indices, wanted)
    assert sorted(p.name for p in Path().iterdir()) == ["features.h5", "m.h5"]


def test_sequential(sift: Sift, collection: list[str]) -> None:
    assert sift("match", "features.h5", "--sequential", "2", "-o", "m.h5", "-q").stderr == b""
    wanted = [(a, b) for i, a in enumerate(collection) for b in collection[i + 1 : i + 3]]
    assert pairs_of(Path("m.h5")) == sorted(wanted)


def test_a_list_of_pairs_with_blanks_in_names(sift: Sift, collection: list[str]) -> None:
    a, b, c = collection[:3]
    Path("pairs.txt").write_text(f'"{a}" "{c}"\n{b}\t{a}\n')
    result = sift("match", "features.h5", "--pairs", "pairs.txt", "-o", "m.h5")
    assert result.returncode == 0, result.stderr.decode()
    assert pairs_of(Path("m.h5")) == sorted([(a, c), (b, a)])
    again = sift("match", "features.h5", "--pairs", "-", "-o", "n.h5", stdin=Path("pairs.txt").read_bytes())
    assert again.returncode == 0
    assert Path("n.h5").read_bytes() == Path("m.h5").read_bytes()


def test_retrieval_pairs_what_shares_keypoints(sift: Sift, collection: list[str]) -> None:
    result = sift("match", "features.h5", "--retrieve", "1", "-o", "m.h5")
    assert result.returncode == 0, result.stderr.decode()
    order = sorted(collection, key=lambda name: name[-6:])
    neighbours = {tuple(sorted(pair)) for pair in pairwise(order)}
    assert set(pairs_of(Path("m.h5"))) <= neighbours  # only images beside one another share any


def test_verified_pairs_keep_inliers_and_models(sift: Sift, collection: list[str]) -> None:
    result = sift("match", "features.h5", "--exhaustive", "--verify", "similarity", "-o", "m.h5", "--jobs", "2")
    assert result.returncode == 0, result.stderr.decode()
    order = sorted(collection, key=lambda name: name[-6:])
    beside = siftcli.read_matches("m.h5", names=(order[0], order[1])) if order[0] < order[1] else None
    assert beside is not None
    assert beside.model is not None
    np.testing.assert_allclose(beside.model.matrix, [[1, 0, 7], [0, 1, 3], [0, 0, 1]], atol=1e-3)


def test_a_match_list_and_a_database_of_a_collection(sift: Sift, collection: list[str]) -> None:
    result = sift("match", "features.h5", "--sequential", "1", "-o", "m.txt")
    assert result.returncode == 1
    assert b"cannot hold the name 'cam 0/00.jpg', with a blank; use .h5 or .db" in result.stderr
    assert list(Path().glob("m.txt*")) == []  # found before any work
    result = sift("match", "features.h5", "--exhaustive", "--verify", "fundamental", "-o", "m.db", "--jobs", "2")
    assert result.returncode == 0, result.stderr.decode()
    with pycolmap.Database.open("m.db") as database:
        assert database.num_images() == 6
        assert database.num_matched_image_pairs() == 15
    again = sift("match", "m.db", "--exhaustive", "--verify", "fundamental", "-o", "m.db")  # its own features
    assert again.returncode == 0, again.stderr.decode()
    with pycolmap.Database.open("m.db") as database:
        assert database.num_images() == 6
        assert database.num_matched_image_pairs() == 15


def test_json_tells_every_pair(sift: Sift, collection: list[str]) -> None:
    result = sift("match", "features.h5", "--exhaustive", "-o", "m.h5", "--json")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert sorted((r["a"], r["b"]) for r in records) == list(combinations(collection, 2))
    for r in records:
        assert r["matches"] == len(siftcli.read_matches("m.h5", names=(r["a"], r["b"])))


def test_a_pair_that_fails_does_not_stop_the_others(sift: Sift, collection: list[str]) -> None:
    with h5py.File("features.h5", "r+") as file:
        del file[f"{collection[2]}/descriptors"]
        file[f"{collection[2]}/descriptors"] = np.zeros((60, 3))
    Path("pairs.txt").write_text("".join(f'"{a}" "{b}"\n' for a, b in combinations([*collection, "none.jpg"], 2)))
    result = sift("match", "features.h5", "--pairs", "pairs.txt", "-o", "m.h5", "--jobs", "2", "--json")
    assert result.returncode == 1
    good = [name for name in collection if name != collection[2]]
    assert pairs_of(Path("m.h5")) == list(combinations(good, 2))
    failed = [r for r in map(json.loads, result.stdout.splitlines()) if r["status"] == "failed"]
    assert len(failed) == 6 + 5
    assert all("none.jpg" in (r["a"], r["b"]) or collection[2] in (r["a"], r["b"]) for r in failed)
    stderr = result.stderr.decode()
    assert stderr.count("sift: error: ") == 11
    assert "10 pairs done, 11 failed" in stderr
    assert "--resume" in stderr


def test_what_failed_is_tried_again_by_resume(sift: Sift, collection: list[str]) -> None:
    Path("pairs.txt").write_text(f'"{collection[0]}" "{collection[1]}"\n"{collection[0]}" none\n')
    command = ("match", "features.h5", "--pairs", "pairs.txt", "-o", "m.h5")
    assert sift(*command).returncode == 1
    result = sift(*command, "--resume")
    assert result.returncode == 1
    assert b"1 pair done (1 of them earlier), 1 failed" in result.stderr
    result = sift(*command)
    assert result.returncode == 1
    assert b"continue with --resume" in result.stderr


# --- a run that is killed


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the features of 52 images and the matches of all their pairs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_collection(folder / "features.h5", 52)
    subprocess.run([*SIFT, "match", "features.h5", *RUN, "-o", "m.h5", "--jobs", "1", "-q"], check=True, cwd=folder)
    return folder


RUN = ("--exhaustive", "--verify", "similarity")


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def stop_at(folder: Path, records: int, how: signal.Signals, *options: str) -> tuple[int, str]:
    """Start the run, and send it a signal when its journal has grown by so many bytes; exit status and stderr."""
    journal = folder / "m.h5.sift.journal"
    begin = journal.stat().st_size if journal.exists() else 0
    process = subprocess.Popen(
        [*SIFT, "match", "features.h5", *RUN, "-o", "m.h5", "--jobs", "2", *options],
        cwd=folder,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_until(lambda: process.poll() is not None or (journal.exists() and journal.stat().st_size > begin + records))
    workers = children(process.pid) if sys.platform == "linux" and process.poll() is None else []
    process.send_signal(how)
    _, stderr = process.communicate()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() and not _zombie(pid) for pid in workers))
    return process.returncode, stderr.decode()


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def fresh(undisturbed: Path, tmp_path: Path) -> Path:
    """A folder with the same features and no matches."""
    os.link(undisturbed / "features.h5", tmp_path / "features.h5")
    return tmp_path


def test_a_run_killed_again_and_again_ends_as_the_undisturbed_one(sift: Sift, fresh: Path, undisturbed: Path) -> None:
    random, journal = np.random.default_rng(0), fresh / "m.h5.sift.journal"
    for kill in range(4):  # at a byte of the journal, see `limited`
        limit = (journal.stat().st_size if kill else 0) + int(random.integers(20_000, 100_000))
        command = ["match", "features.h5", *RUN, "-o", "m.h5", "--jobs", "2", "-q", *(["--resume"] if kill else [])]
        killed = subprocess.run([sys.executable, limited.__file__, str(limit), *command], cwd=fresh)
        assert killed.returncode == -signal.SIGXFSZ
        assert not Path("m.h5").exists()
    result = sift("match", "features.h5", *RUN, "-o", "m.h5", "--jobs", "2", "--resume")
    assert result.returncode == 0, result.stderr.decode()
    earlier = re.search(rb"1,326 pairs done \(([\d,]+) of them earlier\)", result.stderr)
    assert earlier is not None
    assert int(earlier[1].replace(b",", b"")) > 0
    assert Path("m.h5").read_bytes() == (undisturbed / "m.h5").read_bytes()
    assert sorted(p.name for p in Path().iterdir()) == ["features.h5", "m.h5"]


def test_an_interrupt_tells_how_to_go_on(sift: Sift, fresh: Path, undisturbed: Path) -> None:
    status, stderr = stop_at(fresh, 50_000, signal.SIGINT)
    assert status == 130
    assert re.search(r"sift: [\d,]+ of 1,326 pairs are in m\.h5\.sift\.journal; continue with --resume", stderr)
    assert "Traceback" not in stderr
    changed = sift("match", "features.h5", *RUN, "-o", "m.h5", "--ratio", "0.7", "--resume")
    assert changed.returncode == 1
    assert b"other parameters" in changed.stderr
    assert sift("match", "features.h5", *RUN, "-o", "m.h5", "--resume", "-q").returncode == 0
    assert Path("m.h5").read_bytes() == (undisturbed / "m.h5").read_bytes()


def test_a_worker_that_is_killed_costs_nothing(fresh: Path, undisturbed: Path) -> None:
    process = subprocess.Popen(
        [*SIFT, "match", "features.h5", *RUN, "-o", "m.h5", "--jobs", "2"], cwd=fresh, stderr=subprocess.PIPE
    )
    journal = fresh / "m.h5.sift.journal"
    wait_until(lambda: journal.exists() and journal.stat().st_size > 30_000)
    os.kill(children(process.pid)[-1], signal.SIGKILL)
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr.decode()
    assert (fresh / "m.h5").read_bytes() == (undisturbed / "m.h5").read_bytes()


# --- images like another one


def test_rank_puts_the_same_photograph_first(sift: Sift, sample_images: Path) -> None:
    names = ["camera.png", "coffee.jpg", "chelsea.jpg", "pair_astronaut_b.jpg"]
    paths = [str(sample_images / name) for name in names]
    assert sift("detect", *paths, "-o", "features.h5").returncode == 0
    query = str(sample_images / "pair_astronaut_a.jpg")
    result = sift("match", query, "features.h5", "--rank", "--jobs", "2")
    assert result.returncode == 0, result.stderr.decode()
    rows = rows_of(result.stdout)
    assert [r["rank"] for r in rows] == ["1", "2", "3", "4"]
    assert {r["image"] for r in rows} == set(names)
    assert rows[0]["image"] == "pair_astronaut_b.jpg"
    assert int(rows[0]["inliers"]) > 400
    assert all(r["inliers"] == "0" for r in rows[1:])
    top = sift("match", query, "features.h5", "--rank", "--top", "1", "--retrieve", "2", "--json", "-q")
    (record,) = map(json.loads, top.stdout.splitlines())
    assert record["image"] == "pair_astronaut_b.jpg"
    assert record["inliers"] == int(rows[0]["inliers"])


def test_a_preset_has_its_tests_of_a_match(sift: Sift, pair: tuple[str, str]) -> None:
    chosen = sift("match", *pair, "--preset", "accurate")
    tests = ("--ratio", "0.85", "--ratio-test", "fginn", "--ratio-both-ways")
    for side in pair:
        assert sift("detect", side, "--preset", "accurate", "-o", f"{Path(side).stem}.npz", "-q").returncode == 0
    given = sift("match", *(f"{Path(side).stem}.npz" for side in pair), *tests)
    assert chosen.returncode == given.returncode == 0, chosen.stderr.decode()
    rows = [[line.split(b",")[:9] for line in out.splitlines()] for out in (chosen.stdout, given.stdout)]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 10
    assert sift("match", *pair, "--preset", "accurate", "--ratio", "0.6").stdout != chosen.stdout
