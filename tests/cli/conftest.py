"""What the command line's tests share: the command in a process of its own, and small images."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cli_tools import SIFT, Sift, blobs
from PIL import Image


@pytest.fixture
def sift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sift:
    """Run ``sift`` with these arguments in an empty folder, the current one; bytes in, bytes out."""
    monkeypatch.chdir(tmp_path)

    def run(
        *args: str | bytes | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        result = subprocess.run(
            [*SIFT, *args], input=stdin, capture_output=True, cwd=tmp_path, env={**os.environ, **(env or {})}
        )
        assert b"Traceback" not in result.stderr, result.stderr.decode()
        return result

    return run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small image with keypoints, ``photo.png``."""
    Image.fromarray(blobs()).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"
