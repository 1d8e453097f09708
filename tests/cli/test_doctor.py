"""``sift doctor`` as a user sees it.  Oracles: metadata of the installed packages, what the environment sets."""

from __future__ import annotations

import json
import os
from importlib import metadata

import numpy as np
import pytest
from cli_tools import Sift
from click.testing import CliRunner

import siftcli
from siftcli.cli.doctor import command
from siftcli.doctor import environment, selftest


def test_all_is_well(sift: Sift) -> None:
    result = sift("doctor")
    assert (result.returncode, result.stderr) == (0, b"")
    lines = result.stdout.decode().splitlines()
    assert lines[-1] == "all is well"
    assert not [line for line in lines if line.startswith("!")]
    assert any(line.split() == ["numpy", np.__version__] for line in lines)


def test_json(sift: Sift) -> None:
    result = sift("doctor", "--json")
    record = json.loads(result.stdout)
    assert (result.returncode, record["sound"], record["errors"]) == (0, True, {})
    assert record["siftcli"] == siftcli.__version__
    assert record["packages"]["scipy"] == metadata.version("scipy")
    assert {check["passed"] for check in record["checks"]} == {True}
    assert record["speed"]["keypoints"] > 0
    assert record["cores"] == environment.cores()


@pytest.mark.parametrize("threads", [1, 2])
def test_the_threads_of_the_library(sift: Sift, threads: int) -> None:
    if threads > environment.cores():
        pytest.skip("the library does not use more threads than there are cores")
    told = json.loads(sift("doctor", "--json", env={"OPENBLAS_NUM_THREADS": str(threads)}).stdout)["blas"]
    assert told["variables"]["OPENBLAS_NUM_THREADS"] == str(threads)
    if "openblas" not in (told["name"] or ""):
        pytest.skip(f"{told['name']} reads other variables")
    assert told["threads"] == threads


def test_what_is_wrong_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PACKAGES", {"numpy": "numpy", "no-such-distribution": "json"})
    monkeypatch.setattr(environment, "EXTRAS", {"moon": ("the moon", {"no-such-distribution": "json"})})
    nothing = siftcli.detect(np.zeros((20, 20), np.float32))
    monkeypatch.setattr(selftest, "detect", lambda *args, **options: nothing)
    result = CliRunner().invoke(command, [], catch_exceptions=False)
    assert result.exit_code == 1
    marked = [line for line in result.stdout.splitlines() if line.startswith("!")]
    assert [line.split()[1] for line in marked] == ["no-such-distribution", "number"]
    assert "not installed; for the moon: " in result.stdout
    assert " -m pip install 'siftcli[moon]'\n" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("NOT SOUND")
    record = json.loads(CliRunner().invoke(command, ["--json"], catch_exceptions=False).stdout)
    assert (record["sound"], record["extras"]["moon"]["present"]) == (False, False)


def test_it_does_not_need_a_folder_to_write_to(sift: Sift) -> None:
    before = set(os.listdir())  # noqa: PTH208
    assert sift("doctor").returncode == 0
    assert set(os.listdir()) == before  # noqa: PTH208
