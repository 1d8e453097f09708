"""SVG.

Oracles: an XML parser, the features that were drawn, and the image that was put below them.
"""

from __future__ import annotations

import base64
import io
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from draw_tools import features, scattered
from PIL import Image

from siftcli.draw.keypoints import keypoint_scene
from siftcli.draw.legend import Note
from siftcli.draw.matches import match_scene, matched_images
from siftcli.draw.scene import Scene
from siftcli.draw.style import KeypointStyle, MatchStyle
from siftcli.draw.svg import data_url, to_svg
from siftcli.features import Features
from siftcli.matches import Matches

NAMESPACE = "{http://www.w3.org/2000/svg}"


def parsed(found: Features, **options: Any) -> ElementTree.Element:
    ground = Image.fromarray(np.random.default_rng(0).integers(0, 256, (150, 200, 3)).astype(np.uint8))
    return ElementTree.fromstring(to_svg(keypoint_scene(ground, found, KeypointStyle(**{"zoom": 1, **options}))))


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for group in root.iter(f"{NAMESPACE}g") if group.get("class") == name for element in group]


def number(element: ElementTree.Element, name: str) -> float:
    value = element.get(name)
    assert value is not None
    return float(value)


@pytest.mark.parametrize("style", ["circles", "arrows", "frames", "points", "descriptors"])
def test_every_keypoint_is_one_element(style: str) -> None:
    found = scattered(60, 200, 150)
    assert len(of_class(parsed(found, style=style, thin=False), "keypoint")) == 60


def test_thinned_keypoints_are_elements_too() -> None:
    elements = of_class(parsed(scattered(3000, 200, 150)), "keypoint")
    kinds = [element.tag.removeprefix(NAMESPACE) for element in elements]
    assert len(kinds) == 3000
    assert 10 < kinds.count("path") < kinds.count("circle")


def test_dots_are_where_their_keypoints_are() -> None:
    found = scattered(30, 200, 150)
    elements = of_class(parsed(found, style="points"), "keypoint")
    got = sorted((number(e, "cx"), number(e, "cy")) for e in elements)
    np.testing.assert_allclose(got, sorted(found.xy.tolist()), atol=0.0051)


def test_circles_are_where_their_keypoints_are() -> None:
    found = features([[50.5, 40.25]], [7.5], [0.0])
    (path,) = of_class(parsed(found), "keypoint")
    arcs = re.fullmatch(
        r"M(\S+) (\S+)a(\S+) (\S+) 0 1 0 (\S+) 0a\S+ \S+ 0 1 0 (\S+) 0ZM(\S+) (\S+)L(\S+) (\S+)", path.get("d") or ""
    )
    assert arcs is not None
    x, y, r, r2, over, back, *tick = map(float, arcs.groups())
    assert (x + r, y, r, r2) == (50.5, 40.25, 7.5, 7.5)
    assert (over, back) == (15, -15)
    assert tick == [50.5, 40.25, 58, 40.25]


def test_the_corner_of_the_first_pixel_is_the_origin() -> None:
    root = parsed(scattered(3, 200, 150))
    assert any(g.get("transform") == "translate(0.5 0.5)" for g in root.iter(f"{NAMESPACE}g"))


def test_the_image_is_inside() -> None:
    ground = Image.fromarray(np.random.default_rng(0).integers(0, 256, (15, 20, 3)).astype(np.uint8))
    root = ElementTree.fromstring(to_svg(Scene(ground, ())))
    (image,) = root.iter(f"{NAMESPACE}image")
    assert (image.get("width"), image.get("height")) == ("20", "15")
    kind, data = (image.get("href") or "").split(";base64,")
    assert kind in ("data:image/png", "data:image/jpeg")
    with Image.open(io.BytesIO(base64.b64decode(data))) as inside:
        assert np.abs(np.asarray(inside.convert("RGB")).astype(int) - np.asarray(ground)).mean() < 8


def test_nothing_refers_to_anything_outside() -> None:
    text = to_svg(keypoint_scene(Image.new("RGB", (200, 150)), scattered(30, 200, 150), KeypointStyle()))
    links = re.findall(r'(?:href|src|url)\s*[=(]\s*"?([^")]*)', text)
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)


def test_the_smaller_encoding_is_taken() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3)).astype(np.uint8))
    assert data_url(noise).startswith("data:image/jpeg")
    assert data_url(Image.new("RGB", (80, 80))).startswith("data:image/png")


def test_colours_and_widths() -> None:
    (path,) = of_class(parsed(features([[50, 40]], [20.0]), color="#12ab9f", line_width=3), "keypoint")
    assert path.get("stroke") == "#12ab9f"
    assert number(path, "stroke-width") == 3


def test_halos_are_wider_and_dark_and_can_be_switched_off() -> None:
    found = features([[50, 40]], [20.0])
    (halo,) = of_class(parsed(found, line_width=3), "halo")
    assert 3 < number(halo, "stroke-width") < 3 + 2 * 0.6 * 3
    assert of_class(parsed(found, halo=False), "halo") == []


def test_the_legend_is_text_and_a_colour_bar() -> None:
    root = parsed(scattered(30, 200, 150), thin=False)
    texts = [e.text for e in of_class(root, "legend") if e.tag == f"{NAMESPACE}text"]
    assert texts[:3] == ["30 keypoints", "radius = \N{GREEK SMALL LETTER SIGMA}", "\N{GREEK SMALL LETTER SIGMA} (px)"]
    (gradient,) = root.iter(f"{NAMESPACE}linearGradient")
    assert len(list(gradient)) == 33
    assert number(root, "height") > 150
    assert number(parsed(scattered(3, 200, 150), legend=False), "height") == 150


@pytest.mark.parametrize(("theme", "grounds"), [("dark", 1), ("light", 1), ("none", 0)])
def test_a_legend_without_ground_has_none(theme: str, grounds: int) -> None:
    blocks = [e for e in of_class(parsed(scattered(3, 200, 150), theme=theme), "legend") if e.tag == f"{NAMESPACE}rect"]
    assert len(blocks) == grounds + 1  # and the bar


def test_octaves_have_a_bar_of_blocks() -> None:
    found = features([[1, 1]] * 3, [1, 2, 4], octaves=np.array([0, 1, 2], np.int16))
    blocks = [e for e in of_class(parsed(found, color="octave"), "legend") if e.tag == f"{NAMESPACE}rect"]
    assert len(blocks) == 1 + 3  # the ground, and one for each octave


def test_what_has_a_meaning_in_xml_is_escaped() -> None:
    scene = Scene(Image.new("RGB", (300, 100)), (), legend=[Note('a < b & "c" > d')])
    root = ElementTree.fromstring(to_svg(scene))
    assert 'a < b & "c" > d' in [e.text for e in of_class(root, "legend")]
    assert root.findtext(f"{NAMESPACE}title") == 'a < b & "c" > d'


def test_every_match_is_one_element() -> None:
    random = np.random.default_rng(0)
    xy = (random.uniform(0, 99, (40, 2))).astype(np.float32)
    found = Matches(np.zeros((40, 2), np.int32), xy_a=xy, xy_b=xy, inliers=np.arange(40) > 9)
    images = matched_images(Image.new("RGB", (100, 100)), Image.new("RGB", (100, 100)), found)
    root = ElementTree.fromstring(to_svg(match_scene(images, MatchStyle(thin=False, zoom=1))))
    assert len(of_class(root, "match")) == 40
    assert sum(e.tag == f"{NAMESPACE}text" for e in of_class(root, "legend")) == 3


def test_no_marks() -> None:
    assert of_class(parsed(scattered(0, 200, 150)), "keypoint") == []
