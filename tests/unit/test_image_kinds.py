"""Every kind of image in every format, from files that another program has written.

Oracle: the array that the program was given, brought to the range of the engine by a formula.  `docs/images.md` has the
same table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from image_tools import by_imagemagick, by_opencv, by_tifffile, dng, heic, needed, scene

from siftcli.io.image import read_image

GREY = scene(shape=(96, 128))
COLOUR = np.stack([GREY, GREY**2, 1 - GREY], -1)
"""Red, green and blue, each from 0 to 1."""
LUMA = COLOUR @ (0.299, 0.587, 0.114)
TRUNCATION = 2.1
"""ImageMagick 6 rounds 16 bits down to 12, by up to two levels."""
LUMA_STEPS = 1.3
"""Rounding of three bands and of their sum, in levels; see `test_io_image`."""


def levels(values: np.ndarray, bits: int) -> np.ndarray:
    """Values in [0, 1] as unsigned integers of so many bits."""
    return np.rint(values * ((1 << bits) - 1)).astype("u1" if bits <= 8 else "u2" if bits <= 16 else "u4")


class Cell(NamedTuple):
    """A kind of image in one format.

    Attributes
    ----------
    kind, format : str
        Row and column of the table.
    library : str
        That reads it.
    result : str
        Type of the pixels.
    write : callable
        Makes the file.
    steps : float
        Largest difference from the scene, in levels of the file.
    bits : int
        Of the file.
    """

    kind: str
    format: str
    library: str
    result: str
    write: Callable[[], bytes]
    steps: float = 0.51
    bits: int = 8
    colour: bool = False


def codec(name: str, values: np.ndarray, **options: Any) -> bytes:
    return bytes(getattr(needed("imagecodecs"), f"{name}_encode")(values, **options))


def stated(bits: int, **options: Any) -> bytes:
    return by_tifffile(levels(GREY, bits), extratags=[(281, 3, 1, (1 << bits) - 1, True)], **options)


def shifted(values: np.ndarray, kind: str) -> np.ndarray:
    """Values in [0, 1] as signed integers."""
    bits = 8 * np.dtype(kind).itemsize
    return (levels(values, bits).astype(np.int64) - (1 << (bits - 1))).astype(kind)


def signed(kind: str) -> bytes:
    return by_tifffile(shifted(GREY, kind))


def lossless(quality: int) -> tuple[int, int]:
    import cv2

    return cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, quality


CELLS = [
    Cell("grey, 8 bits", "PNG", "Pillow", "uint8", lambda: by_opencv(".png", levels(GREY, 8))),
    Cell("grey, 8 bits", "TIFF", "Pillow", "uint8", lambda: by_tifffile(levels(GREY, 8))),
    Cell("grey, 8 bits", "JPEG", "simplejpeg", "uint8", lambda: by_opencv(".jpg", levels(GREY, 8), 1, 100), 2.5),
    Cell("grey, 8 bits", "PNM", "siftcli", "uint8", lambda: by_opencv(".pgm", levels(GREY, 8))),
    Cell("grey, 8 bits", "JPEG 2000", "Pillow", "uint8", lambda: by_opencv(".jp2", levels(GREY, 8), *lossless(1000))),
    Cell("grey, 8 bits", "HEIC", "pillow-heif", "uint8", lambda: heic(levels(GREY, 8))),
    Cell("grey, 8 bits", "BMP", "Pillow", "uint8", lambda: by_opencv(".bmp", levels(GREY, 8))),
    Cell("grey, 8 bits", "WebP", "Pillow", "uint8", lambda: by_opencv(".webp", levels(GREY, 8), 64, 101)),
    Cell("grey, 8 bits", "AVIF", "Pillow", "uint8", lambda: codec("avif", levels(GREY, 8), level=100)),
    Cell("colour, 8 bits", "PNG", "Pillow", "uint8", lambda: by_opencv(".png", levels(COLOUR, 8)), LUMA_STEPS),
    Cell("colour, 8 bits", "TIFF", "Pillow", "uint8", lambda: by_tifffile(levels(COLOUR, 8)), LUMA_STEPS),
    Cell("colour, 8 bits", "JPEG", "simplejpeg", "uint8", lambda: by_opencv(".jpg", levels(COLOUR, 8), 1, 100), 4),
    Cell("colour, 8 bits", "PNM", "siftcli", "uint8", lambda: by_opencv(".ppm", levels(COLOUR, 8)), LUMA_STEPS),
    Cell("colour, 8 bits", "BMP", "Pillow", "uint8", lambda: by_opencv(".bmp", levels(COLOUR, 8)), LUMA_STEPS),
    Cell(
        "colour, 8 bits", "WebP", "Pillow", "uint8", lambda: by_opencv(".webp", levels(COLOUR, 8), 64, 101), LUMA_STEPS
    ),
    Cell(
        "colour, 8 bits",
        "JPEG 2000",
        "Pillow",
        "uint8",
        lambda: codec("jpeg2k", levels(COLOUR, 8), level=0),
        LUMA_STEPS,
    ),
    Cell("colour, 8 bits", "AVIF", "Pillow", "uint8", lambda: codec("avif", levels(COLOUR, 8), level=100), LUMA_STEPS),
    Cell("colour, 8 bits", "HEIC", "pillow-heif", "uint8", lambda: heic(levels(COLOUR, 8)), LUMA_STEPS),
    Cell("grey, 10 to 14 bits", "TIFF", "Pillow", "uint16", lambda: stated(12), 0.54, 12),
    Cell(
        "grey, 10 to 14 bits",
        "JPEG 2000",
        "Pillow",
        "uint16",
        lambda: codec("jpeg2k", levels(GREY, 10), level=0, bitspersample=10),
        0.51,
        10,
    ),
    Cell(
        "grey, 10 to 14 bits",
        "JPEG",
        "imagecodecs",
        "uint16",
        lambda: codec("jpeg8", levels(GREY, 12), level=100, bitspersample=12),
        3,
        12,
    ),
    Cell("grey, 10 to 14 bits", "DNG", "rawpy", "uint16", lambda: dng(GREY, mosaic=False), 2.5, 12),
    Cell(
        "grey, 10 to 14 bits",
        "PNM",
        "siftcli",
        "uint16",
        lambda: by_imagemagick(".pgm", levels(GREY, 16), "-depth", "12"),
        TRUNCATION,
        12,
    ),
    Cell(
        "colour, 10 to 14 bits",
        "PNM",
        "siftcli",
        "uint16",
        lambda: by_imagemagick(".ppm", levels(COLOUR, 16), "-depth", "12"),
        TRUNCATION + LUMA_STEPS,
        12,
    ),
    Cell("grey, 10 to 14 bits", "HEIC", "pillow-heif", "uint16", lambda: heic(levels(GREY, 16), 12), 1, 12),
    Cell(
        "grey, 10 to 14 bits",
        "AVIF",
        "imagecodecs",
        "uint16",
        lambda: codec("avif", levels(GREY, 10), level=100, bitspersample=10),
        0.52,
        10,
    ),
    Cell(
        "colour, 10 to 14 bits",
        "TIFF",
        "tifffile",
        "uint16",
        lambda: by_tifffile(levels(COLOUR, 12), photometric="rgb", extratags=[(281, 3, 3, (4095,) * 3, True)]),
        LUMA_STEPS,
        12,
    ),
    Cell("colour, 10 to 14 bits", "DNG", "rawpy", "uint16", lambda: dng(COLOUR, mosaic=False), 2.5, 12),
    Cell(
        "colour, 10 to 14 bits",
        "JPEG 2000",
        "imagecodecs",
        "uint16",
        lambda: codec("jpeg2k", levels(COLOUR, 12), level=0, bitspersample=12),
        LUMA_STEPS,
        12,
    ),
    Cell(
        "colour, 10 to 14 bits",
        "AVIF",
        "imagecodecs",
        "uint16",
        lambda: codec("avif", levels(COLOUR, 10), level=100, bitspersample=10),
        LUMA_STEPS,
        10,
    ),
    Cell("colour, 10 to 14 bits", "HEIC", "pillow-heif", "uint16", lambda: heic(levels(COLOUR, 16), 12), 2.5, 12),
    Cell("grey, 16 bits", "PNG", "Pillow", "uint16", lambda: by_opencv(".png", levels(GREY, 16)), 0.51, 16),
    Cell("grey, 16 bits", "TIFF", "Pillow", "uint16", lambda: by_tifffile(levels(GREY, 16), byteorder=">"), 0.51, 16),
    Cell("grey, 16 bits", "PNM", "siftcli", "uint16", lambda: by_opencv(".pgm", levels(GREY, 16)), 0.51, 16),
    Cell(
        "grey, 16 bits",
        "JPEG 2000",
        "Pillow",
        "uint16",
        lambda: by_opencv(".jp2", levels(GREY, 16), *lossless(1000)),
        0.51,
        16,
    ),
    Cell("colour, 16 bits", "PNG", "imagecodecs", "uint16", lambda: by_opencv(".png", levels(COLOUR, 16)), 2, 16),
    Cell(
        "colour, 16 bits", "TIFF", "tifffile", "uint16", lambda: by_tifffile(levels(COLOUR, 16), tile=(32, 32)), 2, 16
    ),
    Cell("colour, 16 bits", "PNM", "siftcli", "uint16", lambda: by_opencv(".ppm", levels(COLOUR, 16)), 2, 16),
    Cell(
        "colour, 16 bits",
        "JPEG 2000",
        "imagecodecs",
        "uint16",
        lambda: codec("jpeg2k", levels(COLOUR, 16), level=0),
        2,
        16,
    ),
    Cell("grey, signed 8 bits", "TIFF", "Pillow", "uint8", lambda: signed("i1")),
    Cell("grey, signed 8 bits", "JPEG 2000", "Pillow", "uint8", lambda: codec("jpeg2k", shifted(GREY, "i1"), level=0)),
    Cell("grey, signed 16 bits", "TIFF", "Pillow", "uint16", lambda: signed("i2"), 0.51, 16),
    Cell(
        "grey, signed 16 bits",
        "JPEG 2000",
        "Pillow",
        "uint16",
        lambda: codec("jpeg2k", shifted(GREY, "i2"), level=0),
        0.51,
        16,
    ),
    Cell(
        "colour, signed 16 bits",
        "TIFF",
        "tifffile",
        "uint16",
        lambda: by_tifffile(shifted(COLOUR, "i2"), photometric="rgb"),
        2,
        16,
    ),
    Cell("grey, 32 bits", "TIFF", "Pillow", "float32", lambda: by_tifffile(levels(GREY, 32)), 1, 23),
    Cell("grey, signed 32 bits", "TIFF", "Pillow", "float32", lambda: signed("i4"), 1, 23),
    Cell(
        "colour, 32 bits",
        "TIFF",
        "tifffile",
        "float32",
        lambda: by_tifffile(levels(COLOUR, 32), photometric="rgb"),
        1,
        22,
    ),
    Cell(
        "grey, 64 bits",
        "TIFF",
        "tifffile",
        "float32",
        lambda: by_tifffile((GREY * (2.0**64 - 2048)).astype("u8")),
        1,
        23,
    ),
    Cell(
        "grey, float of 32 bits",
        "TIFF",
        "Pillow",
        "float32",
        lambda: by_tifffile(GREY.astype("f4"), byteorder=">"),
        1,
        23,
    ),
    Cell("grey, float of 32 bits", "PNM", "siftcli", "float32", lambda: by_opencv(".pfm", GREY.astype("f4")), 1, 23),
    Cell("grey, float of 16 or 64 bits", "TIFF", "tifffile", "float32", lambda: by_tifffile(GREY), 1, 23),
    Cell("colour, float", "PNM", "siftcli", "float32", lambda: by_opencv(".pfm", COLOUR.astype("f4")), 1, 22),
    Cell(
        "colour, float",
        "TIFF",
        "tifffile",
        "float32",
        lambda: by_tifffile(COLOUR.astype("f4"), photometric="rgb"),
        1,
        22,
    ),
]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.kind} {cell.format}")
def test_a_kind_in_a_format(cell: Cell) -> None:
    image = read_image(cell.write(), name=f"scene.{cell.format.lower()}")
    wanted = LUMA if cell.kind.startswith("colour") else GREY
    assert image.pixels.dtype == cell.result
    white = {"uint8": 255, "uint16": 65535, "float32": 1}[cell.result]
    np.testing.assert_allclose(image.pixels / white, wanted, rtol=0, atol=cell.steps / (2.0**cell.bits - 1))
    assert image.warnings == ()
    assert image.mask is None


def test_the_documentation_has_the_same_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "images.md").read_text()
    head, _, *rows = page.split("## Kinds and formats")[1].split("\n\n")[2].splitlines()
    columns = [name.strip() for name in head.strip("|").split("|")][1:]
    documented = {}
    for row in rows:
        kind, *cells = (part.strip() for part in row.strip("|").split("|"))
        for column, text in zip(columns, cells, strict=True):
            if text:
                library, result = re.fullmatch(r"(\S+), (\S+)", text).groups()  # type: ignore[union-attr]
                documented[kind, column] = (library, result)
    assert documented == {(cell.kind, cell.format): (cell.library, cell.result) for cell in CELLS}


def table() -> str:
    """The table as `docs/images.md` has it."""
    formats = list(dict.fromkeys(cell.format for cell in CELLS))
    found = {(cell.kind, cell.format): f"{cell.library}, {cell.result}" for cell in CELLS}
    rows = [["kind", *formats], ["---"] * (len(formats) + 1)]
    for kind in dict.fromkeys(cell.kind for cell in CELLS):
        rows.append([kind, *(found.get((kind, format), "") for format in formats)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
