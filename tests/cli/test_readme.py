"""The first command of the README shows what happens.  Oracle: the command itself, run on the sample image.

The other blocks are run by `tests/docs/test_blocks.py`, the line of the tests by `.ci/run`.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cli_tools import Sift

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def block(marker: str) -> list[str]:
    """The lines of the fenced block after a marker."""
    found = re.search(rf"^<!-- {marker} -->\n```\w+\n(.*?)\n```$", README, re.M | re.S)
    assert found, f"the README has no block marked {marker}"
    return found[1].splitlines()


def test_the_first_command(sift: Sift, tmp_path: Path) -> None:
    (line,) = block("run")
    *setup, command = line.split(" && ")
    assert setup == ["python3 -m venv .venv", ".venv/bin/pip install -q ."]
    program, *args = shlex.split(command)
    assert program == ".venv/bin/sift"
    (tmp_path / "sample_images").symlink_to(ROOT / "sample_images")
    result = sift(*args, "-v")  # says without a terminal what one line says on a terminal
    assert result.returncode == 0
    (said,), (shown,) = result.stderr.decode().splitlines(), block("output")
    pattern = re.compile(r"(sift: \S+: )([\d,]+)( keypoints to coffee\.key in )\d+\.\d\d s")
    ours, theirs = pattern.fullmatch(said), pattern.fullmatch(shown)
    assert ours
    assert theirs
    assert ours[1] == theirs[1]
    number, promised = int(ours[2]), int(theirs[2])
    assert number == pytest.approx(promised, rel=0.01)  # rounding differs from one processor to another

    header, frame, row = block("head")
    assert header == f"{promised} 128"
    written = (tmp_path / "coffee.key").read_text().splitlines()
    assert written[0] == f"{number} 128"
    assert [float(x) for x in written[1].split()] == pytest.approx([float(x) for x in frame.split()], abs=0.05)
    assert [int(x) for x in written[2].split()] == pytest.approx([int(x) for x in row.split()], abs=3)
