"""What the command line's tests share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import click
import numpy as np
import numpy.typing as npt

from siftcli.cli.command import SiftCommand
from siftcli.cli.main import cli

SIFT = (sys.executable, "-m", "siftcli")
"""The command, of the Python that runs the tests."""

Sift = Callable[..., "subprocess.CompletedProcess[bytes]"]
"""The fixture of that name."""


def command_of(name: str) -> SiftCommand:
    """Return a command of ``sift``."""
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, SiftCommand)
    return command


def blobs(height: int = 60, width: int = 90) -> npt.NDArray[np.uint8]:
    """Dark and bright blobs of several sizes on grey: a handful of keypoints."""
    y, x = np.mgrid[:height, :width]
    grey = np.full((height, width), 128.0)
    for row, column, sigma, height_of in ((15, 20, 2.5, 90), (40, 30, 4, -100), (25, 65, 5, 110), (47, 72, 2, -80)):
        grey += height_of * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * sigma**2))
    return grey.clip(0, 255).astype(np.uint8)
