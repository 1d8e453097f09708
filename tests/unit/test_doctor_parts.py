"""The parts of ``sift doctor``.

Oracles: the closed forms that the self-test stores, computed here by numerical integration and search; known faults
that it has to find; and pyproject.toml.
"""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import siftcli
from siftcli.doctor import environment, selftest, speed

PROJECT = (Path(__file__).parents[2] / "pyproject.toml").read_text()


# --- the closed forms


def test_the_scale_of_a_blob_is_where_its_difference_of_gaussians_is_largest() -> None:
    k = 2 ** (1 / 3)
    sigma = np.linspace(1, 8, 700_001)
    for blob in selftest.BLOBS:
        variance = blob.s**2 + 1 / 8 - 1 / 4  # of the blob, less the blur that the input is assumed to have
        response = variance / (variance + sigma**2) - variance / (variance + (k * sigma) ** 2)
        assert sigma[np.argmax(response)] == pytest.approx(blob.sigma, abs=1e-4)


def test_the_descriptor_of_a_ramp_is_the_integral_of_window_and_cell() -> None:
    u = (np.arange(500_000) + 0.5) / 100_000 - 2.5  # in cells; the support of the outer ones ends there
    window = np.exp(-(u**2) / (2 * 2**2))
    weights = [np.sum(window * np.maximum(0, 1 - np.abs(u - centre))) for centre in (-1.5, -0.5, 0.5, 1.5)]
    cells = np.outer(weights, weights)
    cells = np.minimum(cells / np.linalg.norm(cells), 0.2)
    assert np.floor(512 * cells / np.linalg.norm(cells)).astype(int).tolist() == [
        list(r) for r in selftest.RAMP_DESCRIPTOR
    ]


# --- the self-test finds what it is for


def failed() -> set[str]:
    return {check.name for check in selftest.self_test() if not check.passed}


def test_this_installation_is_sound() -> None:
    assert failed() == set()
    assert {check.name for check in selftest.self_test()} >= {"centres of blobs", "descriptor of a ramp"}


def spoilt(monkeypatch: pytest.MonkeyPatch, name: str, **changes: object) -> None:
    """Let the function of that name return features with some arrays changed by functions."""
    original = getattr(selftest, name)

    def wrong(*args: object, **options: object) -> siftcli.Features:
        found = original(*args, **options)
        return dataclasses.replace(found, **{k: change(getattr(found, k)) for k, change in changes.items()})  # type: ignore[operator]

    monkeypatch.setattr(selftest, name, wrong)


@pytest.mark.parametrize(
    ("name", "field", "change", "told"),
    [
        ("detect", "xy", lambda v: v + np.float32(0.25), "centres of blobs"),  # resizing by aligned corners
        ("detect", "scales", lambda v: v * np.float32(2 ** (1 / 3)), "scales of blobs"),  # one level off
        ("detect", "orientations", lambda v: -v, "orientations along a ramp"),  # y up
        ("describe", "descriptors", lambda v: np.roll(v, 1, axis=1), "descriptor of a ramp"),
        ("describe", "descriptors", lambda v: None, "descriptor of a ramp"),
    ],
)
def test_a_fault_is_found(monkeypatch: pytest.MonkeyPatch, name: str, field: str, change: object, told: str) -> None:
    spoilt(monkeypatch, name, **{field: change})
    assert failed() == {told}


def test_keypoints_that_are_missing_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    none = siftcli.detect(np.zeros((20, 20), np.float32))
    monkeypatch.setattr(selftest, "detect", lambda *args, **options: none)
    assert failed() == {"number of keypoints"}


# --- what is installed


def requirements(name: str) -> set[str]:
    """The distributions of a list in pyproject.toml."""
    found = re.search(rf"^{name} = \[(.*?)\]", PROJECT, re.M | re.S)
    assert found
    return {re.split(r"[<>=!\[]", item)[0].lower() for item in re.findall(r'"([^"]+)"', found[1])}


def test_the_tables_are_those_of_pyproject() -> None:
    assert set(environment.PACKAGES) == requirements("dependencies")
    section = PROJECT.split("[project.optional-dependencies]\n")[1].split("\n[")[0]
    users = set(re.findall(r"^(\w+) = ", section, re.M)) - {"test", "bench", "docs"}
    assert {name: set(parts) for name, (_, parts) in environment.EXTRAS.items()} == {n: requirements(n) for n in users}


def test_versions() -> None:
    assert {p.name: p.version for p in environment.packages()} == {n: metadata.version(n) for n in environment.PACKAGES}
    assert all(p.sound for p in environment.packages())
    assert environment.system()["siftcli"] == siftcli.__version__


def test_an_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "EXTRAS", {"moon": ("the moon", {"no-such-distribution": "json"})})
    monkeypatch.setattr(sys, "executable", "/my envs/bin/python")
    (extra,) = environment.extras()
    assert (extra.present, extra.install) == (False, "'/my envs/bin/python' -m pip install 'siftcli[moon]'")
    assert extra.packages[0].version is None


def test_a_package_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PACKAGES", {"numpy": "no_such_module"})
    (package,) = environment.packages()
    assert package.version == metadata.version("numpy")
    assert "no_such_module" in str(package.error)
    assert not package.sound


def test_the_texture_has_its_size_and_range() -> None:
    image = speed.texture(90, 60)
    assert image.shape == (60, 90)
    assert (image.min(), image.max()) == (0, 1)
    measured = speed.measure(90, 60, runs=1)
    assert measured.keypoints == len(siftcli.detect(image))
    assert 0 < measured.seconds < math.inf
