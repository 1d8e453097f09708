"""The recipes for COLMAP on eleven photographs of a castle.  Oracle: the programs that the recipes call."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from doc_tools import ROOT, Block, Reader, blocks
from PIL import Image

SIDE = 500
"""Longer side of the reduced photographs."""

LEAST_POINTS = 1500
"""2,102 with COLMAP's own features."""


def recipe(heading: str) -> list[Block]:
    """The blocks of a section of the page of recipes."""
    text = (ROOT / "docs" / "recipes.md").read_text()
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [replace(block, marks={k: v for k, v in block.marks.items() if k != "setup"}) for block in blocks(section)]


@pytest.fixture
def reader(oracle_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader of the recipes who has the photographs in the folder ``scene``."""
    photographs = sorted((oracle_data / "sceaux").glob("*.jpg"))
    if not photographs:
        pytest.skip(f"NO PHOTOGRAPHS: {oracle_data}/sceaux has none of Sceaux castle; no model is made of them")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    someone = Reader(tmp_path)
    (someone.folder / "scene").mkdir()
    for path in photographs:
        with Image.open(path) as image:
            image.thumbnail((SIDE, SIDE))
            image.save(someone.folder / "scene" / path.name, quality=95, exif=image.getexif())
    return someone


def follow(reader: Reader, heading: str) -> str:
    """Run the blocks of a recipe; return what they print."""
    found = recipe(heading)
    missing = sorted({name for block in found for name in block.missing()})
    if missing:
        pytest.skip(f"NO {', '.join(missing).upper()}: the recipe is not followed")
    return "".join(reader.run(block) for block in found)


def test_to_a_model_with_pycolmap(reader: Reader) -> None:
    """The block itself asserts that every photograph is registered."""
    printed = follow(reader, "COLMAP, from images to a sparse model")
    found = re.search(r"11 images, (\d+) points", printed)
    assert found is not None, printed
    assert int(found[1]) > LEAST_POINTS


def test_to_a_model_with_the_program(reader: Reader) -> None:
    """By a database and by text files."""
    printed = follow(reader, "COLMAP's own matcher")
    assert re.findall(r"Registered images: (\d+)", printed) == ["11", "11"]
    points = [int(count) for count in re.findall(r"Points: (\d+)", printed)]
    assert len(points) == 2
    assert min(points) > LEAST_POINTS
