"""``sift info``, in a process of its own, and the summary that it prints.

Oracles: counts of features that were made to have them; the exit status.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import Sift
from format_tools import PARAMETERS, SINGLE, make, write, write_three

from siftcli.cli.info_table import sparkline
from siftcli.features import Camera, Features
from siftcli.io.formats import FORMATS
from siftcli.io.matches import write_matches
from siftcli.io.registry import write_features
from siftcli.io.summary import summarise
from siftcli.matches import Matches


def odd() -> Features:
    """Six keypoints at three places; one descriptor is zero, one not a number, one as another; one frame is as another,
    and one outside the image of 100 x 50; two affine shapes diverged.
    """
    descriptors = np.zeros((6, 128), np.float32)
    descriptors[:, 0] = 1
    descriptors[1, :2] = 0.6, 0.8
    descriptors[2] = 0
    descriptors[3, 5] = np.nan
    descriptors[4, 1] = 0.5
    return Features(
        xy=np.array([[1, 2], [1, 2], [1, 2], [99.4, 49.4], [99.4, 49.4], [99.6, 2]], np.float32),
        scales=np.array([2, 2, 2, 4, 4, 8], np.float32),
        orientations=np.array([0, 1, 2, 1, 1, 0], np.float32),
        octaves=np.array([-1, -1, -1, 0, 0, 2], np.int16),
        descriptors=descriptors,
        image_size=(100, 50),
        diverged=np.array([0, 1, 0, 0, 1, 0], np.uint8),
    )


def test_a_summary_counts_what_there_is() -> None:
    s = summarise(odd())
    assert (s.keypoints, s.locations, s.outside) == (6, 3, 1)
    assert s.orientations == {1: 1, 2: 1, 3: 1}
    assert s.octaves == {-1: 3, 0: 2, 2: 1}
    assert (s.not_a_number, s.zero, s.duplicates, s.duplicate_frames) == (1, 1, 1, 1)
    assert s.scales is not None
    assert (s.scales.smallest, s.scales.median, s.scales.largest) == (2, 3, 8)
    assert sum(s.scales.counts) == 6
    assert (s.scales.counts[0], s.scales.counts[-1]) == (3, 1)
    assert s.scales.counts[8] == 2  # 4 is half way from 2 to 8
    assert s.norms is not None
    assert (s.norms.smallest, s.norms.largest) == pytest.approx((1, 1.25**0.5))
    assert s.scores is None
    found = (
        "1 not a number",
        "1 zero",
        "1 duplicate",
        "1 duplicate frames",
        "1 outside the image",
        "2 diverged shapes",
    )
    assert s.problems == found


@pytest.mark.parametrize("others", [{}, {"descriptors": None, "scores": None, "octaves": None, "image_size": None}])
@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one(n: int, others: dict[str, Any]) -> None:
    s = summarise(make(n, **others))
    assert s.keypoints == s.locations == n
    assert s.problems == ()
    assert (s.scales is None) == (n == 0)


def test_norms_of_bytes_are_in_units_of_512() -> None:
    values = np.zeros((1, 128), np.uint8)
    values[0, :4] = 255
    norms = summarise(make(1, descriptors=values)).norms
    assert norms is not None
    assert norms.median == pytest.approx(510 / 512)


@pytest.mark.parametrize(
    ("counts", "drawn"),
    [((0, 1, 8), " ▁█"), ((1, 2, 3, 4), "▂▄▆█"), ((), ""), ((0, 0), ""), ((1, 1000), "▁█"), ((7,), "█")],
)
def test_sparkline(counts: tuple[int, ...], drawn: str) -> None:
    assert sparkline(counts) == drawn


@pytest.mark.parametrize("name", SINGLE)
def test_every_format(sift: Sift, tmp_path: Path, name: str) -> None:
    path = write(tmp_path / f"a b{FORMATS[name].suffix}", make(1234), name)
    result = sift("info", path.name)
    assert (result.returncode, result.stderr) == (0, b"")
    text = result.stdout.decode()
    assert text.startswith(f"{path.name}: {FORMATS[name].title}; 1 image, 1,234 keypoints\n")
    assert ("floats, norm" if name == "opensfm" else "bytes, norm") in text


def test_the_images_of_a_file_of_many(sift: Sift, tmp_path: Path) -> None:
    write_three(tmp_path / "f.h5", "hdf5")
    text = sift("info", "f.h5", env={"PYTHONIOENCODING": "utf-8"}).stdout.decode()
    assert "3 images, 60 keypoints" in text
    for name in ("a/1 é.jpg", "a/2.jpg", "b.jpg"):
        (line,) = (line for line in text.splitlines() if name in line)
        assert "640 x 480" in line
        assert " 20 " in line
    assert max(map(len, text.splitlines()[1:])) <= 80
    assert "contrast_threshold=0.03" in text
    assert "octaves=None" in text


def test_json_has_an_object_for_each_image(sift: Sift, tmp_path: Path) -> None:
    write_three(tmp_path / "f.h5", "hdf5")
    result = sift("info", "--json", "f.h5", "none.key")
    assert result.returncode == 1
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [r.get("image") for r in records] == ["a/1 é.jpg", "a/2.jpg", "b.jpg", None]
    assert [r["status"] for r in records] == ["done"] * 3 + ["failed"]
    first = records[0]
    assert (first["path"], first["format"], first["keypoints"], first["image_size"]) == ("f.h5", "hdf5", 20, [640, 480])
    assert first["parameters"] == PARAMETERS
    assert sum(first["octaves"].values()) == 20
    assert "no such file" in records[-1]["error"]


def test_problems_are_shown(sift: Sift, tmp_path: Path) -> None:
    features = odd()
    assert features.descriptors is not None
    features.descriptors[3, 5] = 0  # what is not a number is refused when it is read
    write_features(tmp_path / "odd.npz", features)
    text = " ".join(sift("info", "odd.npz").stdout.decode().split())
    assert "1 zero; 2 duplicate; 1 duplicate frames; 1 outside the image; 2 diverged shapes" in text


def test_one_bad_file_costs_itself_alone(sift: Sift, tmp_path: Path) -> None:
    write_features(tmp_path / "a.key", make(3))
    (tmp_path / "b.key").write_bytes(b"rubbish")
    write_features(tmp_path / "c.sift", make(4))
    result = sift("info", "a.key", "b.key", "c.sift", "d.jpg")
    assert result.returncode == 1
    assert result.stdout.count(b" keypoints\n") == 2
    assert result.stderr.decode().splitlines() == [
        "sift: error: b.key:1: begins with 'rubbish' instead of a count and 128; this is not a Lowe key file",
        *result.stderr.decode().splitlines()[1:],
    ]
    assert b"d.jpg: no such file; check the path" in result.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuch", "nosuch: no such file; check the path"),
        ("folder/", "folder/: is a folder; sift info tells about feature and match files, such as folder/photo.key"),
        ("photo.png", "photo.png: is an image, not a feature file; sift detect finds its features"),
        ("notes.xyz", "notes.xyz: its suffix does not say which format; use"),
    ],
)
def test_what_is_no_such_file_is_told(sift: Sift, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    for file in ("photo.png", "notes.xyz"):
        (tmp_path / file).write_bytes(b"text")
    result = sift("info", name)
    assert result.returncode == 1
    (line,) = result.stderr.decode().splitlines()
    assert line.startswith(f"sift: error: {message}")
    assert "--format" not in line  # this command has --from


def test_nothing_is_cut_in_a_pipe(sift: Sift, tmp_path: Path) -> None:
    features = make(3)
    names = ["a" * 120 + ".jpg", "b.jpg", "c" * 60 + "/" + "d" * 60 + ".jpg"]
    from siftcli.io.registry import collection_writer

    with collection_writer(tmp_path / "f.h5") as collection:
        for name in names:
            collection.add(name, features)
    text = sift("info", "f.h5").stdout.decode()
    assert all(name in text for name in names)
    assert "..." not in text
    rows = [line.split() for line in text.splitlines() if "640 x 480" in line]
    assert [row[-6:-2] for row in rows] == [["640", "x", "480", "3"]] * 3


@pytest.mark.parametrize("others", [1400.0, 700.0])
def test_a_camera_of_all_images_is_told_once(sift: Sift, tmp_path: Path, others: float) -> None:
    from siftcli.io.registry import collection_writer

    with collection_writer(tmp_path / "f.h5") as collection:
        for name, focal in (("a.jpg", 1400.0), ("b.jpg", others), ("c.jpg", others)):
            collection.add(name, replace(make(3), camera=Camera("Pinhole 1", focal)))
    lines = [line.split() for line in sift("info", "f.h5").stdout.decode().splitlines() if "Pinhole" in line]
    assert len(lines) == (1 if others == 1400 else 3)
    assert lines[0][:2] in (["camera", "Pinhole"], ["camera:", "Pinhole"])


def test_pairs_are_a_table_where_there_are_many(sift: Sift, tmp_path: Path) -> None:
    matches = Matches(np.array([[0, 1], [2, 3]], np.int32), sizes=(5, 6))
    write_matches(tmp_path / "m.h5", [("a.jpg", f"b{k}.jpg", matches) for k in range(4)])
    lines = sift("info", "m.h5").stdout.decode().splitlines()
    assert lines[0] == "m.h5: matches, HDF5 as hloc has it; 4 pairs, 8 matches"
    assert [line.split()[:3] for line in lines[2:]] == [["a.jpg,", f"b{k}.jpg", "2"] for k in range(4)]


def test_a_terminal_without_such_letters(sift: Sift, tmp_path: Path) -> None:
    write_three(tmp_path / "f.h5", "hdf5")
    result = sift("info", "f.h5", env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0
    assert result.stdout.isascii()
    assert b"\\xe9.jpg" in result.stdout


def test_stdin(sift: Sift, tmp_path: Path) -> None:
    write_features(tmp_path / "a.key", make(3))
    assert b"1 image, 3 keypoints" in sift("info", "-", stdin=(tmp_path / "a.key").read_bytes()).stdout
    assert sift("info", "-", "--from", "hdf5").returncode == 1
    assert sift("info").returncode == 2
    assert sift("info", "a.key", "--from", "nothing").returncode == 2


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".h5", ".txt"])
def test_match_files(sift: Sift, tmp_path: Path, suffix: str) -> None:
    matches = Matches(np.array([[0, 1], [2, 3], [4, 0]], np.int32), distances=np.array([0.1, 0.2, 0.5]), sizes=(5, 6))
    write_matches(tmp_path / f"m{suffix}", [("a.jpg", "b.jpg", matches)])
    result = sift("info", f"m{suffix}")
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"1 pair, 3 matches\n" in result.stdout
    record = json.loads(sift("info", "--json", f"m{suffix}").stdout)
    assert record["matches"] == 3
    assert record["images"] == ["a.jpg", "b.jpg"]
