"""``sift detect`` on folders: workers, what was done before, reports, plans, shards.

Oracles: the same command with one process and a plain loop over the images; the lists of what was put into the
folders; the exit statuses that the help promises.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from batch_tools import fill, make_bad, make_odd, outputs
from cli_tools import Sift
from PIL import Image

import siftcli
from siftcli.batch import units
from siftcli.batch.manifest import MANIFEST
from siftcli.cli.main import cli
from siftcli.engine import pipeline


def lines(stderr: bytes) -> list[str]:
    return stderr.decode().splitlines()


def records(stdout: bytes) -> dict[str, dict[str, object]]:
    return {str(r["path"]): r for r in map(json.loads, stdout.splitlines())}


def key_of(image: Path) -> bytes:
    return siftcli.encode_key(siftcli.detect(siftcli.read_image(image).pixels))


# --- workers


def test_a_folder_of_all_there_is(sift: Sift, tmp_path: Path) -> None:
    """Five hundred images and everything that goes wrong: the good are done, the bad are named."""
    good = set(fill(tmp_path / "in", 500)) | make_odd(tmp_path / "in")
    bad = make_bad(tmp_path / "in")
    result = sift("detect", "in", "-o", "out", "--jobs", "2", "--json", "--report", "run.json")
    assert result.returncode == 1
    told = {Path(path).name: r for path, r in records(result.stdout).items()}
    assert set(told) == good | set(bad)
    assert {name for name, r in told.items() if r["status"] == "done"} == good
    for name, word in bad.items():
        assert word in str(told[name]["error"])
        assert any(line.startswith(f"sift: error: in/{name}: ") and word in line for line in lines(result.stderr))
    found = outputs(tmp_path / "out")
    assert set(found) == {f"{Path(name).stem}.key" for name in good}
    for name in [*sorted(good)[::40], "dot.png", "line.png", "deep.png", "print.jpg", "moving.gif"]:
        assert found[f"{Path(name).stem}.key"] == key_of(tmp_path / "in" / name)
    assert found["dot.key"] == found["line.key"] == b"0 128\n"
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["counts"] == {"done": len(good), "failed": len(bad)}
    assert report["exit_status"] == 1
    assert sorted(Path(r["path"]).name for r in report["images"]) == sorted(told)


@pytest.mark.parametrize("output", ["{}", "{}.h5"])
def test_the_outputs_do_not_depend_on_the_number_of_jobs(sift: Sift, tmp_path: Path, output: str) -> None:
    fill(tmp_path / "in", 20)
    fill(tmp_path / "in" / "large", 4, size=(300, 310))  # beyond what is detected together
    for jobs in ("1", "3"):
        args = ["detect", "in", "-r", "-o", output.format(f"out{jobs}") + "/" * ("." not in output), "--jobs", jobs]
        assert sift(*args).returncode == 0
    one, three = (Path(output.format(f"out{jobs}")) for jobs in "13")
    assert (outputs(one) == outputs(three) and outputs(one)) if one.is_dir() else one.read_bytes() == three.read_bytes()


def test_little_memory_makes_it_slow_not_impossible(sift: Sift, tmp_path: Path) -> None:
    fill(tmp_path / "in", 6, size=(300, 310))
    assert sift("detect", "in", "-o", "out", "--jobs", "2", "--memory", "1M").returncode == 0
    assert len(outputs(tmp_path / "out")) == 6


def test_a_single_image_that_needs_more_memory_is_done_and_told(sift: Sift, photo: Path) -> None:
    done = sift("detect", "photo.png", "-o", "-", "--memory", "10M")
    assert done.returncode == 0
    assert done.stdout == key_of(photo)
    assert "photo.png: may take" in str(done.stderr)
    assert "more than --memory 10M" in str(done.stderr)


def test_workers_change_nothing(sift: Sift, photo: Path) -> None:
    one, three = (sift("detect", "photo.png", "-o", "-", "--workers", n).stdout for n in "13")
    assert one == three == key_of(photo)


@pytest.mark.parametrize(
    ("side", "options", "expected"),
    [
        (500, [], 1),
        (600, [], 3),
        (600, ["--first-octave", "0"], 1),
        (20, ["--workers", "2"], 2),
        (600, ["--memory", "10M"], 1),
    ],
)
def test_a_single_image_is_shared_if_it_is_large(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, side: int, options: list[str], expected: int
) -> None:
    workers: list[int] = []

    def detect(images: Any, detector: Any, descriptor: Any, number: int) -> Any:
        workers.append(number)
        return found(images, detector, descriptor)

    found = pipeline.detect
    monkeypatch.setattr(pipeline, "detect", detect)
    monkeypatch.setattr(units, "cores", lambda: 3)
    Image.new("L", (side, side)).save(tmp_path / "a.png")
    assert cli.main(["detect", str(tmp_path / "a.png"), *options], standalone_mode=False) == 0
    assert workers == [expected]


# --- going on


@pytest.mark.parametrize("output", ["out/", "all.h5"])
def test_resume_skips_what_is_done(sift: Sift, tmp_path: Path, output: str) -> None:
    names = fill(tmp_path / "in", 12)
    for name in names[8:]:
        shutil.move(tmp_path / "in" / name, tmp_path)
    assert sift("detect", "in", "-o", output).returncode == 0
    for name in names[8:]:
        shutil.move(tmp_path / name, tmp_path / "in")
    result = sift("detect", "in", "-o", output, "--resume", "--json")
    assert result.returncode == 0
    status = {Path(path).name: r["status"] for path, r in records(result.stdout).items()}
    assert status == dict.fromkeys(names[:8], "skipped") | dict.fromkeys(names[8:], "done")
    assert "4 images done, 8 up to date: " in lines(result.stderr)[-1]
    again = sift("detect", "in", "-o", output, "--resume")
    assert "nothing to do: 12 images up to date" in lines(again.stderr)[-1]
    assert sift("detect", "in", "-o", f"other-{output}").returncode == 0
    if output == "out/":
        assert outputs(tmp_path / "out") == outputs(tmp_path / "other-out")
    else:
        assert Path("all.h5").read_bytes() == Path("other-all.h5").read_bytes()


@pytest.mark.parametrize("output", ["out/", "all.h5"])
def test_resume_redoes_a_changed_image(sift: Sift, tmp_path: Path, output: str) -> None:
    names = fill(tmp_path / "in", 4)
    assert sift("detect", "in", "-o", output).returncode == 0
    (tmp_path / "in" / names[1]).write_bytes((tmp_path / "in" / names[2]).read_bytes())
    os.utime(tmp_path / "in" / names[3], ns=(1, 1))  # of another time, with the same contents
    result = sift("detect", "in", "-o", output, "--resume", "--json")
    status = {Path(path).name: r["status"] for path, r in records(result.stdout).items()}
    assert status == dict.fromkeys(names, "skipped") | {names[1]: "done"}
    assert "1 image done (1 again, because " in lines(result.stderr)[-1]
    if output == "out/":
        assert Path("out/0001.key").read_bytes() == Path("out/0002.key").read_bytes()
    else:
        with siftcli.collection_reader("all.h5") as collection:
            assert (collection.read(names[1]).xy == collection.read(names[2]).xy).all()


def test_resume_redoes_what_has_other_parameters(sift: Sift, tmp_path: Path) -> None:
    fill(tmp_path / "in", 3)
    assert sift("detect", "in", "-o", "out", "--edge-threshold", "5").returncode == 0
    assert sift("detect", "in", "-o", "right").returncode == 0
    Path("out/0001.key").unlink()
    result = sift("detect", "in", "-o", "out", "--resume")
    assert "3 images done (2 again, because " in lines(result.stderr)[-1]
    assert outputs(tmp_path / "out") == outputs(tmp_path / "right")
    # In one file for all, the features of other images would be lost.
    assert sift("detect", "in", "-o", "all.h5", "--edge-threshold", "5").returncode == 0
    before = Path("all.h5").read_bytes()
    refused = sift("detect", "in", "-o", "all.h5", "--resume")
    assert refused.returncode == 1
    assert "other parameters" in lines(refused.stderr)[0]
    assert Path("all.h5").read_bytes() == before


@pytest.mark.parametrize("command", ["detect", "describe"])
def test_resume_redoes_what_has_another_mask_or_other_frames(sift: Sift, tmp_path: Path, command: str) -> None:
    names = fill(tmp_path / "in", 3)
    for folder in ("mask", "frames"):
        Path(folder).mkdir()
    for name in names:
        Image.new("L", (90, 60), 255).save(Path("mask", name))
        Path("frames", name).with_suffix(".csv").write_text("x,y,sigma\n20,15,3\n")
    args = [command, "in", "-o", "out/", *(("--mask", "mask") if command == "detect" else ("-k", "frames"))]
    assert sift(*args).returncode == 0
    before = outputs(tmp_path / "out")
    Image.new("L", (90, 60), 0).save(Path("mask", names[1]))
    Path("frames", names[1]).with_suffix(".csv").write_text("x,y,sigma\n20,15,3.5\n")
    result = sift(*args, "--resume")
    assert "1 image done (1 again, because " in lines(result.stderr)[-1]
    assert "2 up to date" in lines(result.stderr)[-1]
    after = outputs(tmp_path / "out")
    assert [name for name in before if before[name] != after[name]] == ["0001.key"]


def test_resume_redoes_an_output_that_was_cut(sift: Sift, tmp_path: Path) -> None:
    fill(tmp_path / "in", 2)
    assert sift("detect", "in", "-o", "out").returncode == 0
    whole = Path("out/0000.key").read_bytes()
    Path("out/0000.key").write_bytes(whole[:100])
    assert sift("detect", "in", "-o", "out", "--resume").returncode == 0
    assert Path("out/0000.key").read_bytes() == whole


def test_resume_replaces_nothing_of_unknown_origin(sift: Sift, tmp_path: Path) -> None:
    fill(tmp_path / "in", 2)
    Path("out").mkdir()
    Path("out/0001.key").write_text("precious")
    result = sift("detect", "in", "-o", "out", "--resume")
    assert result.returncode == 2
    assert "out/0001.key: exists" in lines(result.stderr)[0]
    assert "no record" in lines(result.stderr)[0]
    assert outputs(tmp_path / "out") == {"0001.key": b"precious"}
    assert sift("detect", "in", "-o", "out", "--resume", "--overwrite").returncode == 0
    assert Path("out/0001.key").read_bytes() == key_of(Path("in/0001.png"))


def test_a_damaged_record_costs_its_image_only(sift: Sift, tmp_path: Path) -> None:
    fill(tmp_path / "in", 5)
    assert sift("detect", "in", "-o", "out").returncode == 0
    whole = outputs(tmp_path / "out")
    manifest = Path("out", MANIFEST)
    manifest.write_bytes(manifest.read_bytes()[:-60])
    result = sift("detect", "in", "-o", "out", "--resume", "--overwrite")
    assert "1 image done (1 again" in lines(result.stderr)[-1]
    assert "4 up to date" in lines(result.stderr)[-1]
    assert outputs(tmp_path / "out") == whole


# --- stopping


@pytest.mark.parametrize(("option", "failed"), [(("--fail-fast",), 1), (("--max-failures", "3"), 3)])
@pytest.mark.parametrize("output", ["out/", "all.h5"])
def test_stopping_after_failures(sift: Sift, tmp_path: Path, option: tuple[str, ...], failed: int, output: str) -> None:
    fill(tmp_path / "in", 3)
    for i in range(40):
        (tmp_path / "in" / f"bad{i}.png").touch()
    fill(tmp_path / "in" / "z", 3)
    result = sift("detect", "in", "-r", "-o", output, *option, "--report", "run.csv", "--jobs", "1")
    assert result.returncode == 1
    assert f"stopped after {failed} failure" in lines(result.stderr)[-1]
    assert "--resume" in lines(result.stderr)[-1]
    with Path("run.csv").open(newline="") as file:
        rows = [row["status"] for row in csv.DictReader(file)]
    assert rows.count("failed") == failed
    assert rows.count("done") == 3
    assert rows.count("not reached") == 46 - 3 - failed
    assert not Path("all.h5").exists()
    shutil.rmtree("in/z")
    for bad in Path("in").glob("bad*"):
        bad.unlink()
    done = sift("detect", "in", "-o", output, "--resume")
    assert "nothing to do: 3 images up to date" in lines(done.stderr)[-1]
    assert Path(output).exists()


# --- plans


def test_dry_run(sift: Sift, tmp_path: Path) -> None:
    fill(tmp_path / "in", 3)
    result = sift("detect", "in", "-o", "out", "--dry-run")
    assert result.returncode == 0
    assert result.stdout.decode().splitlines() == [f"in/000{i}.png -> out/000{i}.key" for i in range(3)]
    assert not Path("out").exists()
    assert sift("detect", "in/0001.png", "in/0002.png", "-o", "out/").returncode == 0
    before = outputs(tmp_path)
    result = sift("detect", "in", "-o", "out", "--dry-run", "--resume", "--json")
    assert [r["status"] for r in records(result.stdout).values()] == ["planned", "skipped", "skipped"]
    assert "1 image to process, 2 up to date; nothing was written" in lines(result.stderr)[-1]
    assert outputs(tmp_path) == before


def test_shards_are_the_whole(sift: Sift, tmp_path: Path) -> None:
    fill(tmp_path / "in", 7)
    counts = []
    for k in range(1, 4):
        assert sift("detect", "in", "-o", "out", "--resume", "--shard", f"{k}/3").returncode == 0
        counts.append(len(outputs(tmp_path / "out")))
    assert counts == [3, 5, 7]
    assert sift("detect", "in", "-o", "whole").returncode == 0
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


@pytest.mark.parametrize(
    "args",
    [
        ("--shard", "0/3"),
        ("--shard", "4/3"),
        ("--shard", "3"),
        ("--shard", "a/b"),
        ("--jobs", "0"),
        ("--workers", "0"),
        ("--memory", "much"),
        ("--memory", "0"),
        ("--max-failures", "0"),
        ("--max-failures", "2", "--fail-fast"),
        ("--ship",),
        ("--scheduler", "tcp://127.0.0.1:1", "--jobs", "2"),
        ("--report", "run.txt"),
    ],
)
def test_wrong_usage(sift: Sift, tmp_path: Path, args: tuple[str, ...]) -> None:
    fill(tmp_path / "in", 1)
    result = sift("detect", "in", "-o", "out", *args)
    assert (result.returncode, result.stdout) == (2, b"")
    assert args[0].encode() in result.stderr
    assert not Path("out").exists()


def test_the_folder_of_a_report_is_created(sift: Sift, photo: Path) -> None:
    assert sift("detect", "photo.png", "--report", "new/folder/run.json").returncode == 0
    assert json.loads(Path("new/folder/run.json").read_text())["images"][0]["status"] == "done"


def test_a_report_is_not_overwritten(sift: Sift, photo: Path) -> None:
    Path("run.json").write_text("precious")
    result = sift("detect", "photo.png", "--report", "run.json")
    assert (result.returncode, Path("run.json").read_text()) == (2, "precious")
    assert not Path("photo.key").exists()


def test_a_single_image_leaves_no_record(sift: Sift, photo: Path) -> None:
    assert sift("detect", "photo.png").returncode == 0
    assert not Path(MANIFEST).exists()
    assert sift("detect", "photo.png", "--resume", "--overwrite").returncode == 0
    assert Path(MANIFEST).exists()
    again = sift("detect", "photo.png", "--resume", "--json")
    assert [r["status"] for r in records(again.stdout).values()] == ["skipped"]
