"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("siftcli", deadline=None)  # how long an example takes is no property of the code
settings.load_profile("siftcli")


@pytest.fixture(scope="session")
def oracle_data() -> Path:
    """The folder of images and key files by Lowe's own program: SIFTCLI_ORACLE_DATA, or ../shared/data."""
    folder = Path(os.environ.get("SIFTCLI_ORACLE_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not (folder / "lowe").is_dir():
        pytest.skip(f"NO ORACLE: {folder} has no lowe/*.key; set SIFTCLI_ORACLE_DATA to the folder that has")
    return folder
