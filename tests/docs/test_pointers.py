"""Pages that point to tests and modules point to ones that exist.  Oracle: the files."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec

import pytest
from doc_tools import ROOT


@pytest.mark.parametrize("page", ["vlfeat-page.md"])
def test_tests_that_a_page_names(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 50
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"


def test_every_row_of_vlfeats_page_names_a_test() -> None:
    text = (ROOT / "docs" / "vlfeat-page.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and not re.match(r"\| (---|on the page)", line)]
    assert len(rows) > 35
    assert [row for row in rows if "::test_" not in row] == []


def test_modules_that_the_articles_steps_name() -> None:
    text = (ROOT / "docs" / "article-steps.md").read_text()
    modules = re.findall(r"`(siftcli(?:\.\w+)+)`", text)
    assert len(set(modules)) > 8
    for name in modules:
        assert find_spec(name) is not None, name
