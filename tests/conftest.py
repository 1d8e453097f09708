"""Fixtures that every test may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for tests.benchmarks, whose measures the tests share, and docs.tools

from fork_tools import ForkServer  # noqa: E402

import siftcli  # noqa: E402

settings.register_profile("siftcli", deadline=None)  # how long an example takes is no property of the code
settings.load_profile("siftcli")


@pytest.fixture(scope="session")
def oracle_data() -> Path:
    """The folder of images and key files by Lowe's own program: SIFTCLI_ORACLE_DATA, or ../shared/data."""
    folder = Path(os.environ.get("SIFTCLI_ORACLE_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (folder / "lowe").is_dir():
        pytest.skip(f"NO ORACLE: {folder} has no lowe/*.key; set SIFTCLI_ORACLE_DATA to the folder that has")
    return folder


@pytest.fixture(scope="session")
def sample_images() -> Path:
    """The folder of photographs that come with the package."""
    return ROOT / "sample_images"


@pytest.fixture(scope="session")
def pixels(sample_images: Path) -> Callable[[str], npt.NDArray[np.uint8]]:
    """The pixels of a sample image by its file name; read-only."""

    @cache
    def read(name: str) -> npt.NDArray[np.uint8]:
        image = np.asarray(siftcli.read_image(sample_images / name).pixels, np.uint8)
        image.setflags(write=False)
        return image

    return read


@pytest.fixture(scope="session")
def detected() -> Callable[[Path, str], siftcli.Features]:
    """The features of an image file with a preset, computed once in a session."""

    @cache
    def detect(path: Path, preset: str) -> siftcli.Features:
        return siftcli.detect(siftcli.read_image(path).pixels, preset)

    return detect


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """Run ``sift`` quickly, many times."""
    if not hasattr(os, "fork"):
        pytest.skip("no forking on this system")
    server = ForkServer(tmp_path_factory.mktemp("forked"))
    yield server
    server.close()
