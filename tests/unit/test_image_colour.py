"""Images of kinds that Pillow alone does not read, in colour.

Oracles: the scene that libheif and tifffile wrote; the reader of grey images, whose luma must be that of the colours.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from image_tools import by_opencv, by_tifffile, dng, heic, scene

from siftcli.io.grey import luma, turned
from siftcli.io.image import read_colour, read_image

GREY = scene(shape=(96, 128))
SCENE = np.stack([GREY, GREY**2, 1 - GREY], -1)
EIGHT = np.rint(SCENE * 255).astype(np.uint8)
SIXTEEN = np.rint(SCENE * 65535).astype(np.uint16)

FILES: dict[str, Callable[[], bytes]] = {
    "HEIC of 8 bits": lambda: heic(EIGHT),
    "HEIC of 10 bits": lambda: heic(SIXTEEN, 10),
    "HEIC of 12 bits": lambda: heic(SIXTEEN, 12),
    "DNG": lambda: dng(SCENE, mosaic=False),
    "DNG on its side": lambda: dng(SCENE, mosaic=False, orientation=6),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("upright", [False, True])
def test_colours_on_the_grid_of_the_grey_image(name: str, upright: bool) -> None:
    data = FILES[name]()
    grey = read_image(data, exif_orientation=upright).pixels
    colours = read_colour(data, exif_orientation=upright)
    assert colours is not None
    assert colours.shape == (*grey.shape, 3)
    white = np.iinfo(colours.dtype).max
    wanted = turned(SCENE, 6) if upright and "side" in name else SCENE
    np.testing.assert_allclose(colours / white, wanted, atol=0.008 if "DNG" in name else 0.006)
    np.testing.assert_allclose(luma(colours) / white, grey / np.iinfo(grey.dtype).max, atol=0.002)


@pytest.mark.parametrize("data", [heic(EIGHT[..., 0]), by_opencv(".png", EIGHT), by_tifffile(EIGHT)])
def test_other_kinds_are_left_to_pillow(data: bytes) -> None:
    assert read_colour(data) is None
