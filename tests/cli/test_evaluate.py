"""``sift evaluate``.  Oracles: `siftcli.evaluate`, parsers of the outputs, and the contract of the command line."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from cli_tools import Sift
from evaluation_tools import write_plane
from image_tools import heic
from PIL import Image

import siftcli

MACHINE = ("seconds", "memory")


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences of three pairs each, so that there are intervals."""
    folder = tmp_path_factory.mktemp("sequences")
    for name, layout in (("one", "oxford"), ("two", "hpatches")):
        write_plane(folder / name, layout, 4)
    return folder


def test_json_is_what_python_gives(sift: Sift, sequences: Path) -> None:
    run = sift("evaluate", sequences, "--preset", "default", "--preset", "lowe", "--json", "--budget", "200", "-q")
    assert (run.returncode, run.stderr) == (0, b"")
    printed = json.loads(run.stdout)
    expected = siftcli.evaluate(sequences, ["default", "lowe"], budget=200)
    assert len(printed["pairs"]) == 12
    for found, record in zip(printed["pairs"], expected.records, strict=True):
        plain = record.plain()
        assert {k: v for k, v in found.items() if k not in MACHINE} == {
            k: v for k, v in plain.items() if k not in MACHINE
        }
    for method in ("default", "lowe"):
        interval = printed["summary"][method]["precision"]
        assert interval["value"] == expected.summary[method]["precision"].value
        assert interval["low"] <= interval["value"] <= interval["high"]


def test_csv_has_a_line_for_each_method_and_pair(sift: Sift, sequences: Path) -> None:
    run = sift("evaluate", sequences / "one", "--csv")
    rows = list(csv.DictReader(io.StringIO(run.stdout.decode())))
    expected = siftcli.evaluate(sequences / "one")
    assert [(row["sequence"], row["a"], row["b"]) for row in rows] == [
        ("one", "img1.png", f"img{k}.png") for k in (2, 3, 4)
    ]
    for row, record in zip(rows, expected.records, strict=True):
        assert float(row["repeatability"]) == record.measures["repeatability"]
        curve = record.measures["accuracy"]
        assert [float(row[f"accuracy_{t}"]) for t in range(1, 11)] == curve


def test_table(sift: Sift, sequences: Path) -> None:
    """A row for each measure, with an interval from five pairs on."""
    run = sift("evaluate", sequences)
    assert run.returncode == 0
    lines = run.stdout.decode().splitlines()
    assert lines[0].startswith("6 image pairs")
    row = next(line for line in lines if line.strip().startswith("precision"))
    assert re.search(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", row)
    alone = sift("evaluate", sequences / "one").stdout.decode()
    assert "[" not in next(line for line in alone.splitlines() if line.strip().startswith("precision"))


def test_reports(sift: Sift, sequences: Path, tmp_path: Path) -> None:
    """A page that needs nothing else, with curves, two pictures, parameters; charts as XML; data."""
    for suffix in ("html", "svg", "json", "csv"):
        run = sift(
            "evaluate", sequences, "--preset", "default", "--preset", "lowe", "-o", tmp_path / f"r.{suffix}", "-q"
        )
        assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
    page = (tmp_path / "r.html").read_text()
    assert page.count("<img ") == 2
    assert page.count("<polyline") == 2 * (1 + 2 * 3)
    assert not re.search(r'(?:href|src)="(?!data:)', page.replace("http://www.w3.org/2000/svg", ""))
    assert siftcli.__version__ in page
    assert "sift evaluate" in page
    assert "contrast_threshold" in page
    charts = ElementTree.parse(tmp_path / "r.svg").getroot()
    assert len(charts.findall("{http://www.w3.org/2000/svg}svg")) == 7
    assert json.loads((tmp_path / "r.json").read_text())["parameters"]["pairs"] == 6
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 13
    assert {path.name for path in tmp_path.iterdir()} == {f"r.{suffix}" for suffix in ("html", "svg", "json", "csv")}


def test_points(sift: Sift, sample_images: Path, tmp_path: Path) -> None:
    """Four exact points give what the homography gives."""
    import numpy as np

    homography = np.loadtxt(sample_images / "pair_astronaut_H.txt")
    corners = np.array([[0, 0], [500, 0], [480, 490], [10, 500.0]])
    to = np.c_[corners, np.ones(4)] @ homography.T
    np.savetxt(tmp_path / "points.txt", np.c_[corners, to[:, :2] / to[:, 2:]])
    pair = [sample_images / f"pair_astronaut_{side}.jpg" for side in "ab"]
    found = json.loads(sift("evaluate", *pair, "--points", tmp_path / "points.txt", "--json").stdout)["pairs"][0]
    (record,) = siftcli.evaluate(sample_images / "pair_astronaut_H.txt").records
    for name in ("repeatability", "precision", "correct", "matching_score"):
        assert found[name] == pytest.approx(record.measures[name])


def test_features_of_files(sift: Sift, sequences: Path, tmp_path: Path) -> None:
    """A folder and a file of many images are methods, alone or with presets."""
    sift("detect", *sorted((sequences / "one").glob("*.png")), "-o", f"{tmp_path / 'keys'}/")
    sift("detect", *sorted((sequences / "one").glob("*.png")), "-o", tmp_path / "all.h5")
    run = sift("evaluate", sequences / "one", tmp_path / "keys", tmp_path / "all.h5", "--preset", "default", "--csv")
    rows = list(csv.DictReader(io.StringIO(run.stdout.decode())))
    assert [row["method"] for row in rows[:3]] == ["default", "keys", "all.h5"]
    assert rows[0]["correct"] == rows[2]["correct"]
    assert rows[1]["seconds"] == rows[2]["seconds"] == ""
    alone = sift("evaluate", sequences / "one", tmp_path / "keys", "--csv").stdout.decode()
    assert {row["method"] for row in csv.DictReader(io.StringIO(alone))} == {"keys"}


def test_a_pair_that_fails(sift: Sift, sequences: Path, tmp_path: Path) -> None:
    """The others are done; exit status 1; the journal stays, and --resume does what is left."""
    shutil.copytree(sequences / "one", tmp_path / "one")
    whole = (tmp_path / "one" / "img3.png").read_bytes()
    (tmp_path / "one" / "img3.png").write_bytes(whole[:300])
    run = sift("evaluate", tmp_path / "one", "-o", tmp_path / "r.csv")
    assert run.returncode == 1
    assert b"img3.png" in run.stderr
    assert b"Traceback" not in run.stderr
    assert [bool(row["error"]) for row in csv.DictReader((tmp_path / "r.csv").read_text().splitlines())] == [
        False,
        True,
        False,
    ]
    again = sift("evaluate", tmp_path / "one", "-o", tmp_path / "r.csv", "--resume")
    assert again.returncode == 1
    assert (tmp_path / "r.csv.sift.journal").exists()


def test_all_pairs_fail(sift: Sift, sequences: Path, tmp_path: Path) -> None:
    """Every pair is named, and there is no table."""
    shutil.copytree(sequences / "one", tmp_path / "one")
    (tmp_path / "one" / "img1.png").write_bytes(b"no image")
    for more in ((), ("--json",), ("--csv",), ("-o", tmp_path / "r.html")):
        run = sift("evaluate", tmp_path / "one", *more)
        assert run.returncode == 1
        assert run.stderr.count(b"img1.png") >= 3
        assert b"Traceback" not in run.stderr
    assert sift("evaluate", tmp_path / "one").stdout == b"3 image pairs\n"


def test_agreement(sift: Sift, sample_images: Path, tmp_path: Path) -> None:
    for name, preset in (("a.npz", "default"), ("b.npz", "opencv")):
        sift("detect", sample_images / "camera.png", "--preset", preset, "-o", tmp_path / name)
    paths = tmp_path / "a.npz", tmp_path / "b.npz"
    record = json.loads(sift("evaluate", "--agreement", *paths, "--json").stdout)
    expected = siftcli.agreement(*map(siftcli.read_features, paths))
    assert (record["recall"], record["precision"]) == (expected.recall, expected.precision)
    assert record["position"] == list(expected.quantiles["position"])
    table = sift("evaluate", "--agreement", *paths).stdout.decode()
    assert f"{expected.recall:.2%}" in table
    assert "cosine of descriptors" in table


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "no sequence: give a folder"),
        (("{empty}",), 1, "is neither a sequence"),
        (("{one}/H1to2p",), 1, "is neither a homography, name_H.txt"),
        (("{one}/img1.png",), 2, "is an image; give the folder"),
        (("nothing",), 1, "no such file or folder"),
        (("{one}", "nothing"), 1, "no such file or folder"),
        (("{one}", "--resume"), 2, "--resume: resumes the run of a report"),
        (("{one}", "-o", "x.pdf"), 2, "must end with one of"),
        (("{one}", "-o", "{one}/img1.svg"), 2, "exists already"),
        (("{one}", "--json", "--csv"), 2, "exclude each other"),
        (("{one}", "-j", "0"), 2, "--jobs: must be at least 1"),
        (("{one}", "--budget", "0"), 2, "--budget: must be at least 1"),
        (("{one}", "--ratio", "7"), 2, "--ratio"),
        (("{one}", "--points", "x"), 2, "--points: the first two inputs must be the images"),
        (("--agreement", "{one}/img1.svg"), 2, "needs two feature files"),
    ],
)
def test_what_cannot_be_done(
    sift: Sift, sequences: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    """One line that says why, before any work."""
    (tmp_path / "empty").mkdir()
    shutil.copytree(sequences / "one", tmp_path / "one")
    (tmp_path / "one" / "img1.svg").write_text("")
    given = [a.format(one=tmp_path / "one", empty=tmp_path / "empty") for a in arguments]
    run = sift("evaluate", *given)
    assert run.returncode == status
    assert re.search(message, run.stderr.decode())
    assert run.stderr.count(b"\n") == 1
    assert b"Traceback" not in run.stderr


def deeper(path: Path) -> None:
    """Store 8 bits as the upper ones of 12 in 16, without a word about it."""
    with Image.open(path) as image:
        values = np.asarray(image.convert("L"), np.uint16) * 16
    Image.fromarray(values).save(path)


def turned(path: Path) -> None:
    """Store an image lying on its side, with the EXIF orientation that says so."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(path, exif=exif)


def telephones(path: Path) -> None:
    """Store an image as HEIC, without loss."""
    with Image.open(path) as image:
        path.with_suffix(".heic").write_bytes(heic(np.asarray(image.convert("L"))))
    path.unlink()


def test_a_sequence_of_heic_images(sift: Sift, sequences: Path, tmp_path: Path) -> None:
    """Oracle: the same images as PNG."""
    shutil.copytree(sequences / "one", tmp_path / "one")
    for path in (tmp_path / "one").glob("*.png"):
        telephones(path)
    expected, found = (json.loads(sift("evaluate", x / "one", "--json").stdout)["pairs"] for x in (sequences, tmp_path))
    for a, b in zip(expected, found, strict=True):
        assert b == a | {name: b[name] for name in (*MACHINE, "a", "b")}
        assert b["a"] == "img1.heic"


@pytest.mark.parametrize(
    ("change", "options", "note"),
    [(deeper, ("--levels", "0,4080"), "--levels 0,4095"), (turned, ("--exif-orientation",), "EXIF orientation 6")],
)
def test_images_are_read_as_the_options_say(
    sift: Sift, sequences: Path, tmp_path: Path, change: Callable[[Path], None], options: tuple[str, ...], note: str
) -> None:
    """Oracle: the same images in 8 bits, upright."""
    shutil.copytree(sequences / "one", tmp_path / "one")
    for path in (tmp_path / "one").glob("*.png"):
        change(path)
    expected, found = (
        json.loads(sift("evaluate", *args, "--json").stdout)["pairs"]
        for args in ((sequences / "one",), (tmp_path / "one", *options))
    )
    for a, b in zip(expected, found, strict=True):
        assert b == a | {name: b[name] for name in MACHINE}
    run = sift("evaluate", tmp_path / "one", "--csv")
    assert note in run.stderr.decode()
    assert "img1.png: " in run.stderr.decode()
