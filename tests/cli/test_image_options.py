"""Options of how images are read, and what is told of a searched folder.

Oracle: the same scene in 8 bits, and the files that the test put into the folder.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import Sift
from image_tools import by_opencv, scene
from PIL import Image

import siftcli

EIGHT = np.rint(scene(shape=(64, 80)) * 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "8.png").write_bytes(by_opencv(".png", EIGHT))
    (tmp_path / "12.png").write_bytes(by_opencv(".png", EIGHT.astype(np.uint16) * 16))
    file = io.BytesIO()
    Image.fromarray(EIGHT).save(file, "JPEG", quality=95)
    data = file.getvalue()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    return tmp_path


def lines(stderr: bytes) -> list[str]:
    return stderr.decode().splitlines()


def test_narrow_levels_are_told_and_scaled_on_demand(sift: Sift, folder: Path) -> None:
    dark = sift("detect", "12.png", "-o", "dark.h5")
    assert "--levels 0,4095" in dark.stderr.decode()
    assert b"warning" not in sift("detect", "12.png", "--levels", "0,4080", "-o", "light.h5").stderr
    light, expected = siftcli.read_features("light.h5"), siftcli.detect(EIGHT)
    assert len(siftcli.read_features("dark.h5")) < len(light)
    assert abs(len(light) - len(expected)) <= 0.02 * len(expected)
    assert light.parameters is not None
    assert light.parameters["levels"] == "0,4080"


@pytest.mark.parametrize("command", ["detect", "match", "scalespace", "draw", "describe"])
def test_every_command_that_reads_images_has_the_options(sift: Sift, folder: Path, command: str) -> None:
    assert sift("detect", "8.png", "-o", "8.key").returncode == 0
    rest: dict[str, Any] = {
        "detect": ["-o", "o.key"],
        "match": ["8.png", "-o", "o.csv"],
        "scalespace": ["-o", "o"],
        "draw": ["-o", "o.png"],
        "describe": ["-k", "8.key", "-o", "o.key"],
    }
    refused = sift(command, "cut.jpg", *rest[command], "--strict")
    assert refused.returncode == 1
    assert "cut.jpg: is damaged: Corrupt JPEG data" in refused.stderr.decode()
    wrong = sift(command, "cut.jpg", *rest[command], "--levels", "9,1")
    assert wrong.returncode == 2
    assert "--levels: MIN must be below MAX" in wrong.stderr.decode()
    told = sift(command, "cut.jpg", *rest[command], "--levels=-10,300")
    assert told.returncode == 0
    assert any("warning: cut.jpg: may be damaged" in line for line in lines(told.stderr))


def test_levels_in_a_file_and_a_variable(sift: Sift, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sift.toml").write_text("levels = '0,4080'\nstrict = true\n")
    assert sift("detect", "12.png", "--config", "sift.toml", "-o", "a.key").returncode == 0
    assert sift("detect", "cut.jpg", "--config", "sift.toml", "-o", "b.key").returncode == 1
    monkeypatch.setenv("SIFT_LEVELS", "0,4080")
    assert sift("detect", "12.png", "-o", "c.key").returncode == 0
    assert (folder / "a.key").read_bytes() == (folder / "c.key").read_bytes()


def test_a_searched_folder_tells_what_is_left_out(
    sift: Sift, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = folder / "photos"
    (photos / "more").mkdir(parents=True)
    (photos / "a.png").write_bytes((folder / "8.png").read_bytes())
    for name in ("b.heic", "c.HEIC", "d.dng", "notes.txt", "more.txt", "none", ".hidden", "more/e.png"):
        (photos / name).write_bytes((folder / "8.png").read_bytes())
    monkeypatch.setenv("PYTHONPATH", str(folder / "empty"))
    (folder / "empty").mkdir()
    (folder / "empty" / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in ('pillow_heif', 'rawpy') else find(name, *a)\n"
    )
    run = sift("detect", "photos", "-o", "out/")
    assert run.returncode == 0
    assert sorted(path.name for path in (folder / "out").glob("*.key")) == ["a.key"]
    told = next(line for line in lines(run.stderr) if "left out" in line)
    assert told == (
        "sift: photos: left out: 2 files (.heic 2), which siftcli[heif] reads: pip install 'siftcli[heif]'; "
        "1 file (.dng 1), which siftcli[raw] reads: pip install 'siftcli[raw]'; "
        "3 files (.txt 2, no suffix 1) of other kinds; 1 folder, not searched without --recursive"
    )
    assert b"left out" not in sift("detect", "photos", "-o", "out/", "--overwrite", "-q").stderr
    deep = sift("detect", "photos", "-r", "-o", "deep/")
    assert b"not searched" not in deep.stderr
    assert (folder / "deep" / "more" / "e.key").exists()


def test_a_named_file_is_read_whatever_its_suffix(sift: Sift, folder: Path) -> None:
    (folder / "scan.txt").write_bytes((folder / "8.png").read_bytes())
    assert sift("detect", "scan.txt", "-o", "a.key").returncode == 0
    (folder / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    run = sift("detect", "photo.heic", "8.png", "-o", "out/")
    assert run.returncode == 1
    assert "photo.heic: " in run.stderr.decode()
    assert (folder / "out" / "8.key").exists()
