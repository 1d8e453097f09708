"""Prose is plain: no sentence has a phrase that must be read twice.  Oracle: the lists of phrases below."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_tools import PAGES, ROOT

RIDDLES = re.compile(
    r"(Of (?!course)|What (?![^.]*\?)|That (which|of) |By (which|what)|So (many|much)|As many|How far|How (it|they) "
    r"|Whoever|Whatever|Whether |Where from)"
)
"""Beginnings of docstrings, comments and paragraphs that a noun phrase or an imperative replaces."""

IDIOMS = re.compile(r"go(es|ne)? on (with|from)\b|pass(ed|es) over\b|not got\b|all of it or nothing|\b(is|are) told\b")
"""Phrases that the field has words for: resume, skip, lack, atomically, report."""

PACKAGE = sorted((ROOT / "siftcli").rglob("*.py"))


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring of a module, those of constants included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value.strip()


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every comment of a module."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#: ")


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT / "siftcli")))
def test_docstrings_and_comments_begin_plainly(path: Path) -> None:
    found = [
        f"{path.name}:{line}: {text[:60]}"
        for line, text in [*docstrings(path), *comments(path)]
        if RIDDLES.match(text) or IDIOMS.search(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: str(path.relative_to(ROOT / "siftcli")))
def test_descriptions_of_parameters_say_what_they_are(path: Path) -> None:
    """No description continues the name of its parameter: "seed : int, Of the codebook"."""
    found = [
        f"{path.name}:{line}: {text[:60]}"
        for line, docstring in docstrings(path)
        for text in re.findall(r"^ *\**[\w, ]+(?: : .*)?\n +(Of .*)", docstring, re.M)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paragraphs_begin_plainly(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    found = [
        part[:70] for part in re.split(r"\n\s*\n|\n[-*] ", text) if RIDDLES.match(part.strip()) or IDIOMS.search(part)
    ]
    assert not found, "\n".join(found)
