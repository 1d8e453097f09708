"""The page on formats says what is.  Oracles: the table of formats, and the page's own code, which is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from format_tools import write_three

from siftcli.errors import FormatError
from siftcli.io.fields import FIELDS
from siftcli.io.formats import FORMATS
from siftcli.io.registry import read_features

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text()


def test_every_dataset_is_described(page: str) -> None:
    described = page.split("| dataset |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", described.replace("`sift describe`", "").replace("`detect`", ""))) == {
        *(f.name for f in FIELDS),
        "image_size",
    }


def test_the_speed_of_every_format_is_given(page: str) -> None:
    rows = re.findall(r"^\| `?([\w-]+)`? \| [\d,]+ \| [\d,]+ \| \d+ \|$", page.split("## Speed")[1], re.M)
    assert rows == list(FORMATS)


def test_the_code_runs(page: str, tmp_path: Path) -> None:
    write_three(tmp_path / "features.h5", "hdf5")
    examples = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(examples) == 2
    for code in examples:
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONIOENCODING": "utf-8"},
        )
        assert result.returncode == 0, result.stderr
        lines = result.stdout.splitlines()
        assert [line[: line.index(".jpg")] for line in lines] == ["a/1 é", "a/2", "b"]
        assert all("640" in line and "20" in line for line in lines)
    assert examples[0].count("\n") <= 11  # ten lines and a blank one


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none", "no such file"),
        ("a\0b", "no such file"),
        ("photo.JPG", "is an image, not a feature file"),
        ("notes.xyz", "its suffix does not say which format"),
    ],
)
def test_what_is_no_feature_file(tmp_path: Path, name: str, reason: str) -> None:
    for there in ("photo.JPG", "notes.xyz"):
        (tmp_path / there).write_bytes(b"")
    with pytest.raises(FormatError, match=reason):
        read_features(f"{tmp_path}/{name}")
