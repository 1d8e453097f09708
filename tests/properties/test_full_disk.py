"""A full disk is an error of one line and status 1, whatever is written and whenever it becomes full.

Oracles: the bytes of a run with room enough; a small file system in memory of ten sizes, from next to nothing to what
is needed.  Needs the right to mount one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from batch_tools import fill
from fork_tools import ForkServer, files_of
from format_tools import PARAMETERS, make
from PIL import Image

from siftcli.io.formats import FORMATS
from siftcli.io.registry import collection_writer, write_features

SIZES = 10
PAGE = 4096


@contextmanager
def disk(folder: Path, pages: int) -> Iterator[Path]:
    """Mount a file system with room for so many pages of 4 kB."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={(pages + 1) * PAGE}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError as error:
        pytest.skip(f"NO SMALL DISK: {error}")
    if done.returncode:
        pytest.skip(f"NO SMALL DISK: {done.stderr.strip()}")
    try:
        (folder / ".full").write_bytes(bytes(PAGE))  # a size of 0 would be none
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, features of one and of several, and matches."""
    folder = tmp_path_factory.mktemp("sources")
    fill(folder / "photos", 3)
    write_features(folder / "one.npz", make(300), image="a.png")
    with collection_writer(folder / "some.h5", parameters=PARAMETERS) as writer:
        for i in range(6):
            writer.add(f"{i}.jpg", make(120, i))
    ground = np.random.default_rng(0).normal(0, 40, (120, 160)).cumsum(0).cumsum(1)
    ground = 255 * (ground - ground.min()) / np.ptp(ground)
    for name, shift in (("a.png", 0), ("b.png", 5)):
        noise = np.random.default_rng(shift).normal(0, 9, (100, 140))
        Image.fromarray((ground[shift : shift + 100, :140] + noise).clip(0, 255).astype(np.uint8)).save(folder / name)
    return folder


FEATURES = {
    f"features: {f.name}": ("convert", "one.npz", f"OUT/f{f.suffix}", "--to", f.name)
    for f in FORMATS.values()
    if not f.many
}
COLLECTIONS = {
    "HDF5": ("convert", "some.h5", "OUT/f.h5", "--to", "hdf5"),
    "HDF5, hloc": ("convert", "some.h5", "OUT/f.h5", "--to", "hloc"),
    "folder": ("convert", "some.h5", "OUT/f/", "--to", "csv"),
    "HDF5, detected": ("detect", "photos", "-o", "OUT/f.h5", "--jobs", "1"),
    "folder, detected": ("detect", "photos", "-o", "OUT/f/", "--jobs", "1"),
}
MATCHES = {
    f"matches: {suffix}": ("match", "a.png", "b.png", "-o", f"OUT/m{suffix}", "--jobs", "1")
    for suffix in (".csv", ".npz", ".h5", ".txt")
} | {
    f"matches of all: {suffix}": ("match", "some.h5", "--exhaustive", "-o", f"OUT/m{suffix}", "--jobs", "1")
    for suffix in (".h5", ".txt")
}
OTHERS = {
    "report: csv": ("detect", "photos", "-o", "OUT/f/", "--jobs", "1", "--report", "OUT/r.csv"),
    "report: json": ("detect", "photos", "-o", "OUT/f/", "--jobs", "1", "--report", "OUT/r.json"),
    **{f"picture: {s}": ("draw", "a.png", "-o", f"OUT/p.{s}") for s in ("png", "svg", "html", "jpg")},
    "pictures: scale space": ("scalespace", "photos/0000.png", "-o", "OUT/s", "--stages"),
}
DATABASES = {
    "database": ("convert", "some.h5", "OUT/f.db"),
    "matches: .db": ("match", "some.h5", "--exhaustive", "-o", "OUT/m.db", "--jobs", "1"),
}
KINDS = FEATURES | COLLECTIONS | MATCHES | OTHERS | DATABASES

NO_OUTPUTS = ("*.sift.journal", ".sift-manifest.jsonl", ".full")
"""What a run leaves that may be resumed, and what `disk` makes."""


def pages_of(folder: Path) -> int:
    return sum(-(-path.stat().st_size // PAGE) + 1 for path in folder.rglob("*"))


def outputs(folder: Path) -> dict[str, bytes]:
    return {
        name: data
        for name, data in files_of(folder).items()
        if not any(Path(name).match(pattern) for pattern in NO_OUTPUTS)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk(kind: str, sources: Path, forked: ForkServer, tmp_path: Path) -> None:
    command = KINDS[kind]

    def run(folder: Path) -> tuple[int, str]:
        return forked(*(word.replace("OUT", str(folder)) for word in command), cwd=sources)

    (tmp_path / "room").mkdir()
    assert run(tmp_path / "room")[0] == 0
    whole = outputs(tmp_path / "room")
    assert whole
    most = 3 * pages_of(tmp_path / "room") + 16  # a journal, larger than text, and the file that is made of it
    failed = 0
    for number in range(SIZES):
        with disk(tmp_path / str(number), most * number // (SIZES - 1)) as folder:
            status, said = run(folder)
            found = outputs(folder)
        assert status in (0, 1), f"{kind}: {said}"
        if status:
            failed += 1
            assert "no space left on the device" in said, said
            assert len(found) < len(whole) or "report" in kind
        else:
            assert found.keys() == whole.keys()
        for name, data in found.items():
            assert name in whole, f"{kind}: {name} was left behind"
            assert data == whole[name] or name.startswith("r."), f"{kind}: {name} is not whole"
    assert 0 < failed < SIZES, "the sizes are too small or too large to try anything"
