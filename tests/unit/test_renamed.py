"""Former names of options, arguments and functions are refused, and the message has the present name.

Oracle: the list of names that changed before 1.0.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import siftcli
from siftcli.cli.main import cli

FUNCTIONS = {"open_collection": "collection_writer", "read_collection": "collection_reader", "write_key": "encode_key"}


@pytest.mark.parametrize("old", FUNCTIONS)
def test_functions(old: str) -> None:
    with pytest.raises(ImportError, match=f"siftcli.{old} is now called {FUNCTIONS[old]}"):
        getattr(siftcli, old)
    with pytest.raises(ImportError, match=f"is now called {FUNCTIONS[old]}"):
        exec(f"from siftcli import {old}")
    assert callable(getattr(siftcli, FUNCTIONS[old]))


def test_names_that_never_were() -> None:
    assert not hasattr(siftcli, "frobnicate")
    with pytest.raises(ImportError):
        importlib.import_module("siftcli.frobnicate")


def test_arguments() -> None:
    image = np.zeros((20, 20), np.uint8)
    none = siftcli.detect(image)
    for call in (
        lambda: siftcli.detect(image, threads=2),
        lambda: siftcli.match(none, none, threads=2),
        lambda: siftcli.evaluate("no such folder", threads=2),
    ):
        with pytest.raises(siftcli.ParameterError, match="threads: is now called workers"):
            call()


@pytest.mark.parametrize("command", ["detect", "describe"])
def test_options(command: str, tmp_path: Path) -> None:
    run = CliRunner()
    asked = run.invoke(cli, [command, "x.png", "--threads", "2"])
    variable = run.invoke(cli, [command, "x.png"], env={"SIFT_THREADS": "2"})
    file = tmp_path / "sift.toml"
    file.write_text("threads = 2\n")
    top = run.invoke(cli, [command, "x.png", "--config", str(file)])
    file.write_text(f"[{command}]\nthreads = 2\n")
    table = run.invoke(cli, [command, "x.png", "--config", str(file)])
    assert [result.exit_code for result in (asked, variable, top, table)] == [2] * 4
    assert "No such option '--threads'. Use --workers." in asked.output
    assert "SIFT_THREADS is no longer read. Use SIFT_WORKERS." in variable.output
    assert "use workers" in top.output
    assert "use workers" in table.output


def test_a_variable_of_another_command(tmp_path: Path) -> None:
    """Invariance: commands without ``--workers`` do not look at the variable."""
    file = tmp_path / "x.key"
    file.write_text("0 128\n")
    assert CliRunner().invoke(cli, ["info", str(file)], env={"SIFT_THREADS": "2"}).exit_code == 0
