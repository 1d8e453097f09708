"""No command writes over a file that it reads, by whatever path the output is named and whatever --overwrite says.

Oracle: the bytes of all files before and after.  A test sees to it that the tables below have every option of a file.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from cli_tools import blobs, command_of
from fork_tools import ForkServer, files_of
from format_tools import make
from PIL import Image

from siftcli.cli.guard import READ, WRITTEN
from siftcli.cli.main import COMMANDS
from siftcli.io.registry import collection_writer, write_features

READS = {
    "detect": {"inputs", "--files-from", "--mask", "--config"},
    "describe": {"inputs", "--files-from", "--keypoints", "--config"},
    "match": {"inputs", "--config", "--pairs"},
    "draw": {"files", "--matches"},
    "scalespace": {"image"},
    "convert": {"sources", "--images"},
    "evaluate": {"inputs", "--config", "--pairs", "--points"},
    "info": {"files"},
}
"""What each command reads."""

WRITES = {
    "detect": {"--output", "--report"},
    "describe": {"--output", "--report"},
    "match": {"--output", "--features", "--save-model"},
    "draw": {"--output"},
    "scalespace": {"--output"},
    "convert": {"output"},
    "evaluate": {"--output"},
}
"""What each command writes."""

COMMANDS_AND_INPUTS = (
    ("detect a.png --files-from list.h5 -o TARGET --format hdf5", "list.h5"),
    ("detect b.png --mask mask.png --config c.toml -o TARGET --format lowe", "b.png mask.png c.toml"),
    ("describe b.png --keypoints a.csv --config c.toml -o TARGET --format npz", "b.png a.csv c.toml"),
    ("describe b.png --keypoints some.h5 -o TARGET --format hdf5", "some.h5"),
    ("describe b.png --files-from list.h5 --keypoints a.csv -o TARGET --format vlfeat", "list.h5"),
    ("describe b.png --keypoints a.csv -o o.key --report TARGET", "a.csv"),
    ("match a.png b.png --config c.toml -o TARGET --format csv", "a.png b.png c.toml"),
    ("match a.png b.png -o o.csv --verify homography --save-model TARGET", "a.png b.png"),
    ("match some.h5 --exhaustive -o TARGET --format hloc", "some.h5"),
    ("match some.h5 --pairs pairs.txt -o TARGET --format colmap", "pairs.txt some.h5"),
    ("match photos --pairs list.h5 -o o.h5 --features TARGET", "list.h5"),
    ("draw a.png b.png --matches m.csv -o TARGET --format png", "a.png b.png m.csv"),
    ("draw a.png a.csv -o TARGET --format svg", "a.png a.csv"),
    ("convert a.csv TARGET --to lowe --images photos", "a.csv photos/a.png"),
    ("convert some.h5 TARGET --to hloc", "some.h5"),
    ("evaluate a.png b.png --preset lowe --points points.csv -o TARGET", "points.csv"),
)
CASES = [(words, read) for words, files in COMMANDS_AND_INPUTS for read in files.split()]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """One file of each kind."""
    for name in ("a.png", "b.png", "mask.png"):
        Image.fromarray(blobs()).save(tmp_path / name)
    (tmp_path / "photos").mkdir()
    Image.fromarray(blobs()).save(tmp_path / "photos" / "a.png")
    (tmp_path / "list.h5").write_text("b.png\n")
    (tmp_path / "c.toml").write_text("edge_threshold = 8\n")
    (tmp_path / "m.csv").write_text("index_a,index_b,x_a,y_a,x_b,y_b,distance,ratio,inlier\n0,0,1,1,1,1,0.1,0.1,\n")
    write_features(tmp_path / "a.csv", make(5), image="a.png")
    with collection_writer(tmp_path / "some.h5") as writer:
        for i in range(3):
            writer.add(f"{i}.jpg", make(20, i))
    (tmp_path / "points.csv").write_text("0 0 0 0\n50 0 50 0\n0 50 0 50\n50 50 50 50\n")
    (tmp_path / "pairs.txt").write_text("0.jpg 1.jpg\n")
    return tmp_path


def itself(path: Path, alias: Path) -> Path:
    return path


def link(path: Path, alias: Path) -> Path:
    alias.symlink_to(path)
    return alias


def hard_link(path: Path, alias: Path) -> Path:
    alias.hardlink_to(path)
    return alias


def by_linked_folder(path: Path, alias: Path) -> Path:
    alias.symlink_to(path.parent)
    return alias / path.name


def roundabout(path: Path, alias: Path) -> Path:
    folder = path.parent / alias.name
    folder.mkdir()
    return folder / ".." / path.name


WAYS = [itself, link, hard_link, by_linked_folder, roundabout]


def paths_of(command: click.Command, kind: click.Path) -> set[str]:
    """The options, by their long names, and the arguments of a command that name files of a kind."""
    return {
        param.opts[-1] if isinstance(param, click.Option) else str(param.name)
        for param in command.params
        if param.type is kind
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_file_of_the_command_line_is_in_the_tables(name: str) -> None:
    command = command_of(name)
    assert paths_of(command, READ) == set(READS.get(name, ()))
    assert paths_of(command, WRITTEN) == set(WRITES.get(name, ()))
    others = [p.name for p in command.params if isinstance(p.type, click.Path) and p.type not in (READ, WRITTEN)]
    assert not others, "every path is READ or WRITTEN"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("words", "read"), CASES)
def test_an_input_is_never_an_output(
    words: str, read: str, way: Callable[[Path, Path], Path], place: Path, forked: ForkServer
) -> None:
    target = way(place / read, place / f"alias{Path(read).suffix}")
    before = files_of(place)
    run = forked(*words.replace("TARGET", str(target)).split(), "--overwrite", cwd=place)
    assert files_of(place) == before, run.said
    assert run.status == 2, run.said
    assert "is an input, and would be overwritten" in run.said


@pytest.mark.parametrize("way", WAYS)
def test_two_outputs_are_never_one_file(way: Callable[[Path, Path], Path], place: Path, forked: ForkServer) -> None:
    for words in (
        ("detect", "b.png", "-o", "r.csv", "--report", "TARGET"),
        ("match", "a.png", "b.png", "-o", "r.csv", "--verify", "homography", "--save-model", "TARGET"),
        ("match", "photos", "-o", "r.h5", "--features", "TARGET"),
    ):
        output = place / words[words.index("-o") + 1]
        output.write_text("old\n")
        target = way(output, place / f"alias{words[0]}{output.suffix}")
        before = files_of(place)
        run = forked(*(str(target) if word == "TARGET" else word for word in words), "--overwrite", cwd=place)
        assert run.status == 2, run.said
        assert "give one of them another name" in run.said
        assert files_of(place) == before


def test_both_files_of_a_pair_count(place: Path, forked: ForkServer) -> None:
    """Formats of two files for one image: the other one is read, and written, as well."""
    write_features(place / "a.feat", make(5))
    before = files_of(place)
    for words in (
        ("convert", "a.feat", "a.desc", "--to", "csv"),
        ("describe", "a.png", "--keypoints", "a.feat", "-o", "a.desc", "--format", "csv"),
        ("draw", "a.png", "a.feat", "-o", "a.desc", "--format", "png"),
    ):
        run = forked(*words, "--overwrite", cwd=place)
        assert (run.status, files_of(place)) == (2, before), run.said
    shutil.copy(place / "a.png", place / "x.desc")
    before = files_of(place)
    run = forked("detect", "x.desc", "-o", "x.feat", "--overwrite", cwd=place)
    assert (run.status, files_of(place)) == (2, before), run.said


def test_pictures_of_a_scale_space_spare_the_image(place: Path, forked: ForkServer) -> None:
    for name, way in itertools.product(("scalespace.png", "gaussian_o0_s0.png"), (link, hard_link, itself)):
        folder = place / f"{name}-{way.__name__}"
        folder.mkdir()
        image = place / "a.png"
        if way is itself:
            image = Path(shutil.copy(image, folder / name))
        else:
            way(image, folder / name)
        before = files_of(place)
        run = forked("scalespace", image, "-o", folder, "--overwrite", cwd=place)
        assert (run.status, files_of(place)) == (2, before), run.said


def test_a_database_that_is_matched_is_added_to(place: Path, forked: ForkServer) -> None:
    pytest.importorskip("pycolmap")
    assert forked("convert", "some.h5", "some.db", cwd=place).status == 0
    run = forked("match", "some.db", "--exhaustive", "-o", "some.db", cwd=place)
    assert run.status == 0, run.said


FOREIGN = (
    *("y.h5.tmp", "y.h5.journal", "y.h5.sift.journal", "z.db.tmp", "z.db.tmp-wal", "z.db.tmp-shm", "y.h5.tmp-journal"),
    *("k.key.tmp", "m.txt.journal", "m.txt.sift.journal", ".sift-1.tmp", ".sift-0123456789abcdef.tmp"),
    ".sift-0123456789abcdef-00000000.tmp",
)


@pytest.mark.parametrize("way", ["file", "link", "hard link"])
def test_files_of_somebody_else_stay_as_they_are(way: str, place: Path, forked: ForkServer) -> None:
    """Whatever their names: those that earlier versions used among them, and those of our journals."""
    (place / "target").write_bytes(b"precious")
    os.utime(place / "target", (0, 0))
    for name in FOREIGN:
        if way == "file":
            (place / name).write_bytes(b"precious")
            os.utime(place / name, (0, 0))
        else:
            (link if way == "link" else hard_link)(place / "target", place / name)
    before = {name: ((place / name).lstat(), (place / name).read_bytes()) for name in (*FOREIGN, "target")}
    for words in (
        ("detect", "a.png", "-o", "y.h5"),
        ("detect", "a.png", "-o", "k.key"),
        ("convert", "a.csv", "y.h5"),
        ("match", "some.h5", "--exhaustive", "-o", "m.txt"),
        ("detect", "a.png", "-o", "y.h5", "--resume"),
        ("detect", "a.png", "-o", "y.h5", "--overwrite"),
    ):
        assert forked(*words, cwd=place).status in (0, 1)
        after = {name: ((place / name).lstat(), (place / name).read_bytes()) for name in (*FOREIGN, "target")}
        for name, (status, data) in after.items():
            assert data == b"precious", name
            assert os.path.samestat(status, before[name][0]), name
            assert status.st_mtime_ns == before[name][0].st_mtime_ns, name
