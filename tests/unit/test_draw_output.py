"""Pictures as files.

Oracles: Pillow's readers, and the formats' own first bytes and page counts.
"""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from draw_tools import scattered
from PIL import Image, ImageSequence

import siftcli
from siftcli.draw.formats import ANIMATED, FORMATS, picture_format
from siftcli.draw.keypoints import keypoint_scene
from siftcli.draw.output import encode, encode_animation, encode_picture
from siftcli.draw.picture import float_picture
from siftcli.draw.scene import Scene
from siftcli.draw.style import KeypointStyle


def scene() -> Scene:
    y, x = np.mgrid[:150, :200]
    ground = Image.fromarray(np.stack([x, y, 200 - x // 2], axis=-1).astype(np.uint8))
    return keypoint_scene(ground, scattered(20, 200, 150), KeypointStyle(zoom=1))


# WebP has colours at half the resolution, and GIF has 256 of them: thin lines lose some.
@pytest.mark.parametrize(("format", "largest"), [("png", 0), ("tiff", 0), ("jpeg", 90), ("webp", 180), ("gif", 120)])
def test_pixels_come_back(format: str, largest: int) -> None:
    expected = scene().render()
    with Image.open(io.BytesIO(encode(scene(), format))) as image:
        assert image.format == format.upper()
        got = np.asarray(image.convert("RGB")).astype(int)
    difference = np.abs(got - np.asarray(expected))
    assert difference.max() <= largest
    assert difference.mean() < 5


def test_a_pdf_has_one_page_of_the_right_shape() -> None:
    data = encode(scene(), "pdf")
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", data)) == 1
    width, height = scene().render().size
    box = re.search(rb"/MediaBox \[ 0 0 (\S+) (\S+) \]", data)
    assert box is not None
    assert float(box[1]) / float(box[2]) == pytest.approx(width / height, rel=1e-3)


def test_svg_is_text() -> None:
    assert encode(scene(), "svg").startswith(b'<svg xmlns="http://www.w3.org/2000/svg"')


@pytest.mark.parametrize("format", ANIMATED)
def test_animations_hold_all_pictures(format: str) -> None:
    y, x = np.mgrid[:40, :60]
    pictures = [Image.fromarray(np.stack([x * 4, y * 6, x * 0 + v], axis=-1).astype(np.uint8)) for v in (20, 220)]
    with Image.open(io.BytesIO(encode_animation(pictures, format, 700))) as image:
        assert image.info.get("loop") == 0
        frames = []
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")).astype(int))
            assert frame.info["duration"] == 700
    assert len(frames) == 2
    for got, expected in zip(frames, pictures, strict=True):
        assert np.abs(got - np.asarray(expected)).mean() < 8


def test_formats_without_animation_refuse_one() -> None:
    with pytest.raises(siftcli.OutputError, match=r"x\.pdf: pdf holds no animation; use one of gif, webp, png"):
        encode_animation([Image.new("RGB", (2, 2))] * 2, "pdf", 100, name="x.pdf")


@pytest.mark.parametrize(("format", "side"), [("webp", 16384), ("jpeg", 65501)])
def test_pictures_that_a_format_cannot_hold(format: str, side: int) -> None:
    with pytest.raises(siftcli.OutputError, match=f"{format} holds no more than {side - 1} pixels a side, not {side}"):
        encode(Scene(Image.new("RGB", (side, 1)), ()), format)


def test_floats_come_back_exactly() -> None:
    values = np.random.default_rng(0).normal(0, 1, (7, 9)).astype(np.float32)
    with Image.open(io.BytesIO(encode_picture(float_picture(values), "tiff"))) as image:
        np.testing.assert_array_equal(np.asarray(image), values)


@pytest.mark.parametrize(
    ("path", "name", "format"),
    [
        ("a.JPG", None, "jpeg"),
        ("b.c/x.tif", None, "tiff"),
        ("x", "jpg", "jpeg"),
        ("x.png", "SVG", "svg"),
        ("v.htm", None, "html"),
    ],
)
def test_which_format(path: str, name: str | None, format: str) -> None:
    assert picture_format(path, name) == format


def test_every_suffix_means_its_format() -> None:
    for format, suffixes in FORMATS.items():
        assert {picture_format(f"x{suffix}") for suffix in suffixes} == {format}


@pytest.mark.parametrize(
    ("path", "name", "parameter"), [("x.key", None, "output"), ("x", None, "output"), ("x", "bmp", "format")]
)
def test_no_format(path: str, name: str | None, parameter: str) -> None:
    with pytest.raises(siftcli.ParameterError) as error:
        picture_format(path, name)
    assert error.value.name == parameter
