"""Whatever names a file holds, nothing is written outside the output folder, and no input changes.

Oracle: all files of the surroundings, before and after, with their contents and times.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from batch_tools import fill
from fork_tools import ForkServer
from format_tools import PARAMETERS, make
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from siftcli.io.registry import collection_writer

EXAMPLES = settings(max_examples=6, derandomize=True, suppress_health_check=list(HealthCheck))

PARTS = (
    "..",
    ".",
    "",
    "a",
    "x.jpg",
    "é",
    "C:",
    "C:\\x",
    "con",
    "a\\..\\b",
    "\udcff",
    "y" * 300,
    "\0",
    "out",
    "new\nline",
)

names = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "", "", "/", "ABSOLUTE/", "../../../evil/", "../"]),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=5),
)
"""Names of images; "ABSOLUTE" stands for a folder that is there."""

evil = [
    *("../evil.jpg", "../../evil.jpg", "../../../../evil.jpg", "ABSOLUTE/evil.jpg", "/evil.jpg", "a/../../evil.jpg"),
    *("..", ".", "", "..\\evil.jpg", "x\0.jpg", "ABSOLUTE/photos/0000.png", "../photos/0000.png", "../some.h5"),
]


@contextmanager
def surroundings() -> Iterator[tuple[Path, Path]]:
    """A folder some levels deep, with inputs and an empty folder for outputs; the uppermost one, and that one."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        place = top / "1" / "2" / "3"
        (place / "out").mkdir(parents=True)
        (top / "evil.csv").write_text("precious")
        fill(place / "photos", 2)
        yield top, place


def state(top: Path, out: Path) -> dict[str, tuple[object, ...]]:
    """Everything that is not in the output folder."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino, path.read_bytes() if path.is_file() else b"")
        for path in top.rglob("*")
        if out not in path.parents and path != out and not (path.is_dir() and out.is_relative_to(path))
    }


def check(forked: ForkServer, top: Path, place: Path, commands: tuple[str, ...]) -> str:
    """Run commands, each into a folder of its own, and compare what is around these; return what the first one said."""
    before = state(top, place / "out")
    runs = []
    for number, command in enumerate(commands):
        folder = place / "out" / str(number)
        folder.mkdir()
        runs.append((command.replace("OUT", f"out/{number}").split(), 0.0))
    done = forked.together(runs, place)
    for (command, _), run in zip(runs, done, strict=True):
        assert run.status in (0, 1, 2), f"{command}: {run.said}"
    assert state(top, place / "out") == before
    return done[0].said


def absolute(name: str, top: Path) -> str:
    return name.replace("ABSOLUTE", str(top))


def group_at(file: h5py.File, name: str) -> h5py.Group:
    """Make a group by a name that h5py itself would not take."""
    place = file.id
    for part in name.encode("utf-8", "surrogateescape").split(b"/"):
        if part == b".":
            raise ValueError("to HDF5, the group itself")
        exists = part in place
        place = h5py.h5g.open(place, part) if exists else h5py.h5g.create(place, part)
    return h5py.Group(place)


CONVERSIONS = tuple(
    f"convert FILE OUT/{target}"
    for target in (
        *("x/ --to csv", "x/ --to openmvg", "x/ --to visualsfm --images photos", "x.h5", "x.h5 --to hloc", "x.db"),
    )
)
MATCHINGS = tuple(f"match FILE --exhaustive -o OUT/m.{suffix} --jobs 1" for suffix in ("h5", "txt", "db"))


@EXAMPLES
@given(st.lists(names, min_size=1, max_size=4, unique=True))
@example(evil[:6])
@example(evil[6:])
def test_groups_of_hdf5(forked: ForkServer, found: list[str]) -> None:
    with surroundings() as (top, place):
        with h5py.File(place / "f.h5", "w") as file:
            for number, name in enumerate(("fine.jpg", *found)):
                with suppress(ValueError, KeyError, RuntimeError):  # a name that HDF5 cannot have
                    group = group_at(file, absolute(name, top))
                    features = make(5, number)
                    group["keypoints"], group["scales"] = features.xy, features.scales
                    group["oris"] = features.orientations
                    group["descriptors"] = np.full((128, 5), 0.0884, np.float32)
                    group["image_size"] = [640, 480]
        commands = (*CONVERSIONS, *MATCHINGS, "info FILE")
        said = check(forked, top, place, tuple(command.replace("FILE", "f.h5") for command in commands))
        assert (place / "out" / "0" / "x" / "fine.csv").exists(), said


@EXAMPLES
@given(st.lists(names, min_size=1, max_size=4, unique=True))
@example(evil[:6])
@example(evil[6:])
def test_images_of_a_database(forked: ForkServer, found: list[str]) -> None:
    with surroundings() as (top, place):
        with collection_writer(place / "f.db") as writer:
            writer.add("fine.jpg", make(5))
            for number in range(len(found)):
                writer.add(f"{number}.jpg", make(5, number))
        with closing(sqlite3.connect(place / "f.db")) as database:
            for number, name in enumerate(found):
                data = absolute(name, top).encode("utf-8", "surrogateescape")
                database.execute("UPDATE images SET name = CAST(? AS TEXT) WHERE name = ?", (data, f"{number}.jpg"))
            database.commit()
        commands = (*CONVERSIONS, *MATCHINGS, "info FILE")
        said = check(forked, top, place, tuple(command.replace("FILE", "f.db") for command in commands))
        assert (place / "out" / "0" / "x" / "fine.csv").exists(), said


@EXAMPLES
@given(st.lists(names, min_size=1, max_size=4, unique=True))
@example(evil)
def test_names_of_matches_and_pairs(forked: ForkServer, found: list[str]) -> None:
    """Match lists, pairs to match, and the names that a match file in HDF5 has."""
    with surroundings() as (top, place):
        real = [absolute(name, top) for name in found]
        with collection_writer(place / "some.h5", parameters=PARAMETERS) as writer:
            for i in range(3):
                writer.add(f"{i}.jpg", make(20, i))
        lines = "".join(f"{name}\t0.jpg\n" for name in real)
        (place / "pairs.txt").write_bytes(lines.encode("utf-8", "surrogateescape"))
        blocks = "".join(f"{name} {name}\n0 0\n\n" for name in real)
        (place / "m.txt").write_bytes(blocks.encode("utf-8", "surrogateescape"))
        with h5py.File(place / "m.h5", "w") as file:
            for number, name in enumerate(real):
                group = file.create_group(f"{number}/b")
                group["matches0"] = np.zeros(3, np.int32) - 1
                with suppress(ValueError):  # a name that HDF5 cannot have
                    group.attrs["name_a"] = np.bytes_(name.encode("utf-8", "surrogateescape"))
        commands = (
            *(f"match some.h5 --pairs pairs.txt -o OUT/m.{suffix} --jobs 1" for suffix in ("h5", "txt", "db")),
            *("info m.txt m.h5", "draw photos/0000.png photos/0001.png --matches m.txt -o OUT/p.png"),
            *(
                "draw photos/0000.png photos/0001.png --matches m.h5 -o OUT/p.html",
                "detect photos --files-from pairs.txt -o OUT/",
            ),
        )
        check(forked, top, place, commands)


@EXAMPLES
@given(st.lists(names, min_size=1, max_size=4, unique=True))
@example(["../photos/0000.png", "ABSOLUTE/1/2/3/photos/0001.png", "photos/../../3/photos/0000.png"])
@example(["ABSOLUTE/evil.csv", "../../../evil.csv", *evil])
def test_lists_of_images(forked: ForkServer, found: list[str]) -> None:
    with surroundings() as (top, place):
        data = b"\0".join(absolute(name, top).encode("utf-8", "surrogateescape").replace(b"\0", b"") for name in found)
        (place / "list").write_bytes(data + b"\0")
        commands = (
            "detect --files-from list -0 -o OUT/x/ --jobs 1",
            "detect --files-from list -0 -o OUT/x/ --jobs 1 --mask photos --format openmvg",
            "detect --files-from list -0 -o OUT/x.h5 --jobs 1",
            "detect --files-from list -0 -o OUT/x.db --jobs 1",
            "describe --files-from list -0 --keypoints photos -o OUT/x/ --jobs 1",
        )
        check(forked, top, place, commands)


@pytest.mark.skipif(os.name == "nt", reason="names of bytes")
def test_a_link_in_the_output_folder_is_followed_as_the_user_made_it(forked: ForkServer, tmp_path: Path) -> None:
    """What leads out of the output folder by the user's own link is his wish; what is there is kept all the same."""
    fill(tmp_path / "photos", 1)
    (tmp_path / "elsewhere.key").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0000.key").symlink_to(tmp_path / "elsewhere.key")
    run = forked("detect", "photos", "-o", "out/", "--jobs", "1", cwd=tmp_path)
    assert run.status == 2
    assert (tmp_path / "elsewhere.key").read_text() == "precious"
