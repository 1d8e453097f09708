"""What a release is made of agrees with itself.  Oracle: the package's version and metadata."""

from __future__ import annotations

import re
import sys

import pytest
from doc_tools import ROOT

import siftcli

PROJECT = (ROOT / "pyproject.toml").read_text()


def test_the_citation_has_the_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (\S+)$", citation, re.M) == [siftcli.__version__]
    licence = re.findall(r'^license = "(.*)"$', PROJECT, re.M)
    assert re.findall(r"^license: (\S+)$", citation, re.M) == licence


def test_the_version_stands_in_one_place() -> None:
    assert 'dynamic = ["version"]' in PROJECT
    assert re.search(r"^version = ", PROJECT, re.M) is None


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.M)
    assert versions[0] == ("Unreleased", "")
    assert all(date for _, date in versions[1:])
    assert len(re.findall(r"^## ", text, re.M)) == len(versions)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.M)) <= kinds


def test_the_pythons_that_are_declared() -> None:
    declared = [tuple(map(int, v.split("."))) for v in re.findall(r"Python :: (3\.\d+)", PROJECT)]
    assert declared == [(3, 11), (3, 12), (3, 13)]
    assert 'requires-python = ">=3.11"' in PROJECT
    if sys.version_info[:2] not in declared:
        pytest.skip(f"Python {sys.version_info.major}.{sys.version_info.minor} is not declared")
