"""The gallery: golden pictures on the sample images.

Oracle: the pictures in ``docs/images``, which were looked at before they were kept.
``python docs/tools/make_gallery.py`` makes them again; look at what has changed.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"

MEAN, SHARE, MUCH = 3.0, 0.02, 48
"""Mean difference in grey levels, and share of pixels that differ by much: a few keypoints at a threshold, a line that
ends elsewhere, another version of the WebP library."""


def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_gallery", DOCS / "tools" / "make_gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_gallery"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


GALLERY = gallery()
PICTURES = {picture.name: picture for pictures in GALLERY.PICTURES.values() for picture in pictures}
MADE = [name for name, picture in PICTURES.items() if not picture.shown.startswith("#")]


@pytest.mark.parametrize("name", MADE)
def test_pictures_look_as_they_did(name: str, tmp_path: Path) -> None:
    if "pair_" in PICTURES[name].command:
        pytest.importorskip("poselib")
    assert GALLERY.make(PICTURES[name], tmp_path / "picture.webp")
    with Image.open(tmp_path / "picture.webp") as made, Image.open(PICTURES[name].file) as golden:
        assert made.size == golden.size
        assert getattr(made, "n_frames", 1) == getattr(golden, "n_frames", 1)
        pixels = [np.asarray(image.convert("RGB")).astype(int) for image in (made, golden)]
    difference = np.abs(pixels[0] - pixels[1]).max(axis=2)
    assert difference.mean() < MEAN
    assert (difference > MUCH).mean() < SHARE


def test_golden_pictures_are_not_alike() -> None:
    # Or the comparison above could not fail.
    with Image.open(PICTURES["extrema"].file) as marked, Image.open(PICTURES["frames"].file) as framed:
        a, b = (np.asarray(i.convert("RGB")).astype(int)[:500] for i in (marked, framed))
    difference = np.abs(a - b).max(axis=2)
    assert difference.mean() > MEAN
    assert (difference > MUCH).mean() > SHARE


def test_the_page_is_generated_and_shows_all_pictures() -> None:
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert text == GALLERY.page()
    shown = re.findall(r"\]\(images/(\S+)\)", text)
    assert sorted(shown) == sorted(path.name for path in (DOCS / "images").glob("gallery-*"))


def test_the_gallery_is_small() -> None:
    assert sum(path.stat().st_size for path in (DOCS / "images").glob("gallery-*")) < 1_500_000
