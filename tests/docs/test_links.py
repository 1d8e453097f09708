"""Links lead somewhere.  Oracle: the files, and the headings of the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from doc_tools import PAGES, ROOT

PATTERN = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and MkDocs make of the headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.add(re.sub(r" +", "-", re.sub(r"[^\w\- ]", "", plain.lower()).strip()))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page(page: Path) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", page.read_text(), flags=re.M | re.S)
    for link, image in PATTERN.findall(text):
        target, _, anchor = (link or image).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name}: there is no {target}"
        assert path.is_relative_to(ROOT)
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), f"{page.name}: {target or page.name} has no heading #{anchor}"


def test_every_page_is_in_the_navigation() -> None:
    config = (ROOT / "docs" / "tools" / "mkdocs.yml").read_text()
    listed = re.findall(r": (\S+\.md)$", config, re.M)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
