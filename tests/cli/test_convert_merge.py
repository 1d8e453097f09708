"""``sift convert`` of several inputs into one output.

Oracles: the file of the undivided run; the features that were written, read back by the library; the folder's listing.
"""

from __future__ import annotations

import errno
import itertools
import json
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest
from batch_tools import fill, outputs
from cli_tools import SIFT, Sift
from format_tools import PARAMETERS, make, same

from siftcli.batch.conversion.convert import convert
from siftcli.batch.conversion.plan import plan_conversion
from siftcli.errors import OutputError
from siftcli.features import Features
from siftcli.io.journal import Journal
from siftcli.io.registry import collection_reader, collection_writer, read_features, write_features

SHARDS = ("s-1.h5", "s-2.h5", "s-3.h5")


def collect(path: Path, images: dict[str, Features], parameters: Any = PARAMETERS, format: str = "hdf5") -> None:
    with collection_writer(path, format, parameters=parameters) as writer:
        for name, features in images.items():
            writer.add(name, features)


def datasets(path: Path) -> dict[str, Any]:
    """Every dataset and attribute of a file, as h5py reads them."""
    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        found.update({f"@{key}": str(value) for key, value in file.attrs.items()})
        file.visititems(lambda name, thing: found.update({name: thing[()].tolist()} if hasattr(thing, "shape") else {}))
    return found


# --- shards of one run


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, what three shards have made of them, and in ``whole/`` what one run has."""
    import subprocess

    folder = tmp_path_factory.mktemp("shards")
    fill(folder / "photos", 4)
    fill(folder / "photos" / "more", 3, seed=1)
    (folder / "whole").mkdir()
    runs = [("whole/all.h5",), *((name, "--shard", f"{k}/3") for k, name in enumerate(SHARDS, 1))]
    for run in runs:
        subprocess.run([*SIFT, "detect", "photos", "-r", "-q", "--jobs", "1", "-o", *run], cwd=folder, check=True)
    return folder


@pytest.fixture
def copied(shards: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(shards, tmp_path, dirs_exist_ok=True))


def test_shards_in_any_order_are_the_undivided_run(shards: Path, tmp_path: Path) -> None:
    whole = shards / "whole" / "all.h5"
    for i, order in enumerate(itertools.permutations(SHARDS)):
        out = tmp_path / f"{i}.h5"
        convert(plan_conversion([str(shards / name) for name in order], str(out)), lambda result: None)
        assert out.read_bytes() == whole.read_bytes()
    assert datasets(out) == datasets(whole)
    assert len(collection_reader(out).names) == 7


def test_a_merged_file_is_gone_on_with(sift: Sift, copied: Path) -> None:
    resume = ("detect", "photos", "-r", "-o", "all.h5", "--resume", "--json")
    assert sift("convert", *SHARDS, "all.h5").returncode == 0
    before = (copied / "all.h5").stat()
    result = sift(*resume)
    assert result.returncode == 0
    assert [json.loads(line)["status"] for line in result.stdout.splitlines()] == ["skipped"] * 7
    assert (copied / "all.h5").stat().st_mtime_ns == before.st_mtime_ns
    # What has changed is done anew, and what is new is added.
    shutil.copy(copied / "photos" / "0000.png", copied / "photos" / "0003.png")
    shutil.copy(copied / "photos" / "0000.png", copied / "photos" / "new.png")
    records = [json.loads(line) for line in sift(*resume).stdout.splitlines()]
    assert sorted(Path(r["path"]).name for r in records if r["status"] == "done") == ["0003.png", "new.png"]
    with collection_reader(copied / "all.h5") as collection:
        assert len(collection.names) == 8
    assert b"other parameters" in sift(*resume, "--contrast-threshold", "0.05").stderr


def test_the_records_of_a_file_that_is_replaced_do_not_hold_for_the_new_one(sift: Sift, copied: Path) -> None:
    """Its features may be of other images; those of the shards are unknown here, as their records are missing."""
    (copied / "elsewhere").mkdir()
    for name in SHARDS:
        shutil.copy(copied / name, copied / "elsewhere")
    arguments = [*(f"elsewhere/{name}" for name in SHARDS), "whole/all.h5"]
    assert sift("convert", *arguments).returncode == 2
    assert sift("convert", *arguments, "--overwrite").returncode == 0
    resume = ("detect", "photos", "-r", "-o", "whole/all.h5", "--resume")
    assert b"0 up to date" in sift(*resume, "--dry-run").stderr
    # With records, they hold again.
    assert sift("convert", *SHARDS, "whole/all.h5", "--overwrite").returncode == 0
    assert b"7 up to date" in sift(*resume, "--dry-run").stderr


def test_features_of_other_layouts_are_not_taken_for_those_of_a_run(sift: Sift, copied: Path) -> None:
    """What has passed a format that holds less is not what the run would write."""
    assert sift("convert", *SHARDS, "hloc.h5", "--to", "hloc").returncode == 0
    assert sift("convert", "hloc.h5", "all.h5", "--to", "hdf5").returncode == 0
    result = sift("detect", "photos", "-r", "-o", "all.h5", "--resume", "--overwrite")
    assert b"7 images done" in result.stderr
    assert (copied / "all.h5").read_bytes() == (copied / "whole" / "all.h5").read_bytes()


def leave_journal(output: Path) -> None:
    """Do as a run that is killed before its output is there."""
    with Journal(output, b"") as journal:
        journal.add(b"x.jpg", b"features")


def test_a_shard_that_is_not_finished_is_noticed(sift: Sift, copied: Path) -> None:
    (copied / "s-2.h5").unlink()
    leave_journal(copied / "s-2.h5")
    result = sift("convert", *SHARDS, "all.h5")
    assert result.returncode == 2
    assert b"s-2.h5: is not there yet, but s-2.h5.sift.journal; finish that run with --resume first" in result.stderr
    leave_journal(copied / "s-1.h5")
    Path("s-3.h5.sift.journal").write_bytes(b"of somebody else")
    result = sift("convert", "s-1.h5", "s-3.h5", "all.h5")
    assert result.returncode == 0
    assert b"warning: s-1.h5.sift.journal is of a run that did not end, and not converted" in result.stderr


def test_what_an_unfinished_run_has_left_is_not_dropped(sift: Sift, copied: Path) -> None:
    leave_journal(copied / "all.h5")
    before = outputs(copied)
    result = sift("convert", *SHARDS, "all.h5")
    assert result.returncode == 2
    assert b"all.h5.sift.journal: was left by an interrupted run" in result.stderr
    assert outputs(copied) == before
    assert sift("convert", *SHARDS, "all.h5", "--overwrite").returncode == 0
    assert not (copied / "all.h5.sift.journal").exists()


# --- whatever inputs


def several(folder: Path) -> None:
    """Files of all kinds, with images that do not collide but in ``twin``."""
    collect(folder / "a.h5", {"x/1.jpg": make(20, 1), "2.jpg": make(20, 2)})
    collect(folder / "b.h5", {"x/3.jpg": make(20, 3)})
    collect(folder / "twin.h5", {"x/3.jpg": make(20, 4), "4.jpg": make(20, 5)})
    collect(folder / "other.h5", {"5.jpg": make(20, 6)}, {**PARAMETERS, "levels": 5, "upright": False})
    for name in ("left/p.key", "right/p.key", "right/q.key"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_features(folder / name, make(20, len(name)))


def test_files_and_folders_become_one_file(sift: Sift, tmp_path: Path) -> None:
    several(tmp_path)
    result = sift("convert", "a.h5", "left/p.key", "b.h5", "all.h5")
    assert result.returncode == 0
    assert b"warning: left/p.key does not store its parameters, unlike a.h5; all.h5 will store none" in result.stderr
    with collection_reader(tmp_path / "all.h5") as collection:
        assert collection.names == ("2.jpg", "p", "x/1.jpg", "x/3.jpg")
        assert collection.parameters is None
        same(collection.read("x/3.jpg"), make(20, 3, parameters=None))
        same(collection.read("p"), read_features(tmp_path / "left" / "p.key"))
    assert sift("convert", "a.h5", "right", "mixed.h5").returncode == 0
    assert collection_reader(tmp_path / "mixed.h5").names == ("2.jpg", "p", "q", "x/1.jpg")


def test_files_and_folders_become_one_folder(sift: Sift, tmp_path: Path) -> None:
    several(tmp_path)
    assert sift("convert", "a.h5", "other.h5", "right", "out", "--to", "npz").returncode == 0
    made = outputs(tmp_path / "out")
    assert list(made) == ["2.npz", "5.npz", "p.npz", "q.npz", "x/1.npz"]
    assert read_features(tmp_path / "out" / "5.npz").parameters == {**PARAMETERS, "levels": 5, "upright": False}
    assert read_features(tmp_path / "out" / "2.npz").parameters == PARAMETERS
    # Files of one image tell their parameters too.
    result = sift("convert", "out/5.npz", "out/2.npz", "one.h5")
    assert result.returncode == 2
    assert b"(levels: 5 and 4, upright: False and True)" in result.stderr
    assert sift("convert", "out/2.npz", "out/x", "two.h5").returncode == 0
    with collection_reader(tmp_path / "two.h5") as collection:
        assert collection.parameters == PARAMETERS


def test_a_database_of_several_files(sift: Sift, tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    several(tmp_path)
    assert sift("convert", "a.h5", "b.h5", "other.h5", "all.db").returncode == 0
    with collection_reader(tmp_path / "all.db") as collection:
        assert collection.names == ("2.jpg", "5.jpg", "x/1.jpg", "x/3.jpg")
        np.testing.assert_array_equal(collection.read("x/3.jpg").descriptors, make(20, 3).descriptors)
    assert sift("convert", "all.db", "twin.h5", "again.db").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.h5", "b.h5", "twin.h5", "all.h5"], "b.h5 and twin.h5 both have an image 'x/3.jpg'; leave one of them out"),
        (
            ["b.h5", "twin.h5", "out/", "--to", "lowe"],
            "b.h5: x/3.jpg and twin.h5: x/3.jpg would both write out/x/3.key",
        ),
        (["left/p.key", "right/p.key", "all.h5"], "name the folder that holds both, with --recursive"),
        (["left", "right", "all.h5"], "left/p.key and right/p.key both have an image 'p'"),
        (["a.h5", "a.h5", "all.h5"], "a.h5: is given twice"),
        (["a.h5", "other.h5", "all.h5"], "different parameters (levels: 4 and 5, upright: True and False)"),
        (["a.h5", "b.h5", "b.h5"], "b.h5: is an input, and would be overwritten"),
        (["a.h5", "b.h5", "b.h5", "--overwrite"], "b.h5: is an input, and would be overwritten"),
        (["a.h5", "b.h5", "link.h5", "--overwrite"], "link.h5: is an input, and would be overwritten"),
        (["a.h5", "b.h5", "other.h5"], "other.h5: exists already; use --overwrite"),
        (["a.h5", "b.h5", "all"], "has no suffix of a feature format; say what to convert to with --to"),
        (["left/p.key", "right/q.key", "out.sift"], "holds one image; give a folder ('out/') for several"),
        (["a.h5", "b.h5", "-", "--to", "lowe"], "standard output takes one file of one image"),
        (["a.h5", "-", "all.h5"], "standard input cannot be one of several inputs"),
        (["a.h5", "", "all.h5"], "is empty"),
        (["a.h5"], "Missing argument 'OUT'"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_work(
    sift: Sift, tmp_path: Path, arguments: list[str], words: str
) -> None:
    several(tmp_path)
    (tmp_path / "link.h5").symlink_to("b.h5")
    before = outputs(tmp_path)
    result = sift("convert", *arguments)
    assert result.returncode == 2
    assert words in result.stderr.decode()
    assert outputs(tmp_path) == before


@pytest.mark.parametrize(("name", "words"), [("none.h5", "no such file"), ("bad.h5", "is not HDF5")])
def test_a_file_of_many_that_cannot_be_read_stops_the_merge(sift: Sift, tmp_path: Path, name: str, words: str) -> None:
    several(tmp_path)
    (tmp_path / "bad.h5").write_bytes(b"rubbish")
    before = outputs(tmp_path)
    result = sift("convert", "a.h5", name, "b.h5", "all.h5")
    assert result.returncode == 1
    assert f"error: {name}: {words}" in result.stderr.decode()
    assert outputs(tmp_path) == before


def test_an_image_that_cannot_be_read_costs_itself_alone(sift: Sift, tmp_path: Path) -> None:
    several(tmp_path)
    (tmp_path / "bad.key").write_bytes(b"rubbish")
    (tmp_path / "bad.npz").write_bytes(b"rubbish")
    result = sift("convert", "a.h5", "bad.key", "left/p.key", "all.h5")
    assert result.returncode == 1
    assert b"error: bad.key:" in result.stderr
    with collection_reader(tmp_path / "all.h5") as collection:
        assert collection.names == ("2.jpg", "p", "x/1.jpg")
    assert sift("convert", "a.h5", "bad.npz", "rest.h5").returncode == 1
    with collection_reader(tmp_path / "rest.h5") as collection:
        assert collection.parameters == PARAMETERS


def test_a_merge_that_cannot_be_published_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "no space")

    several(tmp_path)
    before = outputs(tmp_path)
    plan = plan_conversion([str(tmp_path / n) for n in ("a.h5", "b.h5")], str(tmp_path / "twin.h5"), overwrite=True)
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="no space left"):
        convert(plan, lambda result: None)
    assert outputs(tmp_path) == before


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    features = make(4000)
    for part in "abc":
        collect(tmp_path / f"{part}.h5", {f"{part}{i}.jpg": features for i in range(20)})
    plan = plan_conversion([str(tmp_path / f"{part}.h5") for part in "abc"], str(tmp_path / "all.h5"))
    tracemalloc.start()
    convert(plan, lambda result: None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (tmp_path / "all.h5").stat().st_size / 8
