"""The page to look around in, as a file; `tests/browser` looks at it in a browser.

Oracles: an HTML parser, and the arrays that went in.
"""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from draw_tools import Array, scattered
from PIL import Image

from siftcli.conventions import quantise
from siftcli.draw.page import Exhibit, page
from siftcli.features import Features
from siftcli.matches import Matches


class Reader(HTMLParser):
    """Collects the text of scripts, tags, ids and what attributes refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.titles: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href", "action", "srcset", "data", "poster"):
                self.links.append(str(value))
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts[-1] += data
        if self._within in ("title", "h1"):
            self.titles.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def data_of(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(read(text).scripts[0])
    return loaded


def array(text: str, dtype: str) -> Array:
    return np.frombuffer(base64.b64decode(text), dtype)


def exhibit(name: str = "photo.jpg", found: Features | None = None) -> Exhibit:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8))
    return Exhibit(name, image, scattered(50, 90, 60) if found is None else found)


def test_the_arrays_are_those_of_the_features() -> None:
    found = exhibit().features
    (image,) = data_of(page([exhibit()]))["images"]
    kept = image["features"]
    assert (image["name"], image["width"], image["height"]) == ("photo.jpg", 90, 60)
    assert kept["count"] == 50
    for name, dtype, expected in (
        ("xy", "<f4", found.xy),
        ("sigma", "<f4", found.scales),
        ("angle", "<f4", found.orientations),
        ("response", "<f4", found.scores),
        ("octave", "<i2", found.octaves),
        ("level", "<i2", found.levels),
        ("descriptors", "u1", found.descriptors),
    ):
        assert expected is not None
        np.testing.assert_array_equal(array(kept[name], dtype), expected.ravel())
    assert kept["affine"] is None


def test_what_features_do_not_tell_is_null() -> None:
    bare = Features(np.zeros((2, 2), np.float32), np.ones(2, np.float32), np.zeros(2, np.float32))
    kept = data_of(page([exhibit(found=bare)]))["images"][0]["features"]
    assert [name for name, value in kept.items() if value is None] == [
        "response",
        "octave",
        "level",
        "affine",
        "descriptors",
    ]


def test_float_descriptors_are_shown_as_bytes() -> None:
    values = np.random.default_rng(0).uniform(0, 0.3, (50, 128)).astype(np.float32)
    found = scattered(50, 90, 60, descriptors=values)
    kept = data_of(page([exhibit(found=found)]))["images"][0]["features"]
    np.testing.assert_array_equal(array(kept["descriptors"], "u1"), quantise(values).ravel())


def test_the_image_is_inside() -> None:
    image = data_of(page([exhibit()]))["images"][0]
    with Image.open(io.BytesIO(base64.b64decode(image["url"].partition(",")[2]))) as inside:
        assert inside.size == (90, 60)


def test_an_image_that_browsers_would_not_show_is_reduced() -> None:
    image = data_of(page([Exhibit("wide", Image.new("RGB", (20000, 10)), scattered(1, 9, 9))]))["images"][0]
    assert (image["width"], image["height"]) == (20000, 10)
    with Image.open(io.BytesIO(base64.b64decode(image["url"].partition(",")[2]))) as inside:
        assert inside.width == 8192


def test_matches() -> None:
    found = Matches(
        np.array([[0, 3], [4, 1]], np.int32),
        distances=np.array([0.25, 0.5]),
        ratios=np.array([0.5, 0.75]),
        inliers=np.array([True, False]),
    )
    kept = data_of(page([exhibit("a"), exhibit("b")], found))["matches"]
    assert kept["count"] == 2
    assert array(kept["indices"], "<i4").tolist() == [0, 3, 4, 1]
    assert array(kept["distances"], "<f4").tolist() == [0.25, 0.5]
    assert array(kept["ratios"], "<f4").tolist() == [0.5, 0.75]
    assert array(kept["inliers"], "u1").tolist() == [1, 0]
    assert data_of(page([exhibit()]))["matches"] is None


def test_the_page_needs_nothing_else() -> None:
    text = page([exhibit("a"), exhibit("b")], Matches(np.zeros((0, 2), np.int32)))
    assert read(text).links == []
    assert not re.search(r"https?://|//[a-z]+\.[a-z]+/|@import|url\(", re.sub(r'"[A-Za-z0-9+/=]{200,}"', "", text))
    assert "default-src 'none'" in text
    assert "{{" not in text


def test_ids_are_unique() -> None:
    ids = read(page([exhibit()])).ids
    assert len(ids) > 20
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>", "<!--", "a & b <i>", "{{script}}", "日本.jpg", 'q"uote']
)
def test_names_of_all_kinds(name: str) -> None:
    reader = read(page([exhibit(name)]))
    assert len(reader.scripts) == 2
    assert json.loads(reader.scripts[0])["images"][0]["name"] == name
    assert reader.titles == [name, name]


def test_how_the_page_begins() -> None:
    data = data_of(page([exhibit()], look={"style": "frames", "color": "octave"}))
    assert data["look"] == {"style": "frames", "color": "octave"}
    data = data_of(page([exhibit()], look={"color": "#123456"}))
    assert data["look"] == {"color": "none"}
    assert data["colors"]["plain"] == "#123456"


def test_no_keypoints() -> None:
    assert data_of(page([exhibit(found=scattered(0, 90, 60))]))["images"][0]["features"]["count"] == 0
