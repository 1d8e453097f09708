"""The pictures that speed is measured on: photographs, and mosaics of them where they are too small.

A large picture is a mosaic of square windows of photographs at their own resolution.  Neighbours overlap by some
pixels and fade into each other, so that there is no edge between them; nothing is mirrored, which would make a seam
where every structure meets its own reflection.  A window that is used again is turned by a quarter.  How many keypoints
the seams add or take is counted, not assumed: `expected_keypoints` sums what the photographs themselves have there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

import siftcli

__all__ = [
    "LARGE",
    "SIZES",
    "Picture",
    "Tile",
    "crops",
    "expected_keypoints",
    "mosaic",
    "photographs",
    "picture",
    "sources",
    "windows",
]

UInt8: TypeAlias = npt.NDArray[np.uint8]

ROOT = Path(__file__).parents[3]

SIZES = ("0.3", "1", "3", "12")
"""Pictures to compare on, by megapixels."""

LARGE = {"3": (1536, 2048), "12": (3072, 4096), "25": (4096, 6144), "50": (6144, 8192)}
"""Height and width of the mosaics."""

BLEND = 16
"""Pixels in which two windows fade into each other."""

SAMPLES = ("astronaut.jpg", "hubble_deep_field.jpg", "camera.png", "dandelion.jpg", "coffee.jpg")
"""Photographs of the mosaic. `retina.jpg` is left out: with 0.1 keypoints per 1,000 pixels it is not typical."""


@dataclass(frozen=True)
class Tile:
    """A window of a photograph, and where it is in a mosaic.

    Attributes
    ----------
    photograph : str
        Its name.
    row, column : int
        First pixel of the window in the photograph.
    turns : int
        Quarter turns, counter-clockwise.
    top, left : int
        Where the window's first pixel is in the mosaic; may be negative.
    """

    photograph: str
    row: int
    column: int
    turns: int
    top: int
    left: int


@dataclass(frozen=True, eq=False)
class Picture:
    """A grey picture and where it comes from.

    Attributes
    ----------
    name : str
    pixels : (H, W) uint8
    source : str
        What it shows, in words.
    tiles : tuple of Tile
        Of a mosaic; empty for a photograph.
    side : int
        Of the tiles, in pixels, overlap included.
    """

    name: str
    pixels: UInt8
    source: str
    tiles: tuple[Tile, ...] = ()
    side: int = 0

    @property
    def megapixels(self) -> float:
        """Its size in millions of pixels."""
        return self.pixels.size / 1e6


def sources() -> tuple[str, ...]:
    """Return the names of the sets of photographs that are there: the samples, and *boat* if it is."""
    return ("samples", "boat") if _boat_folder().is_dir() else ("samples",)


def _boat_folder() -> Path:
    data = os.environ.get("SIFTCLI_ORACLE_DATA") or ROOT.parent / "shared" / "data"
    return Path(data) / "boat"


@cache
def photographs(source: str) -> Mapping[str, UInt8]:
    """Return the photographs of a set, name to (H, W) uint8.

    Parameters
    ----------
    source : "samples" or "boat"
        The samples have 1 to 5 keypoints per 1,000 pixels.  *boat* is the sequence of that name by Mikolajczyk and
        Schmid, 10 to 17; it is not part of this package and found through ``SIFTCLI_ORACLE_DATA``.
    """
    if source == "samples":
        files = [ROOT / "sample_images" / name for name in SAMPLES]
    else:
        files = sorted(_boat_folder().glob("img*.pgm"))
    return {file.name: np.asarray(siftcli.read_image(file).pixels, np.uint8) for file in files}


def windows(shape: tuple[int, int], height: int, width: int) -> list[tuple[int, int]]:
    """Return the first pixels of all windows of a size that fit into a picture side by side."""
    rows, columns = range(0, shape[0] - height + 1, height), range(0, shape[1] - width + 1, width)
    return [(row, column) for row in rows for column in columns]


def mosaic(photos: Mapping[str, UInt8], height: int, width: int, name: str = "mosaic", blend: int = BLEND) -> Picture:
    """Return a mosaic of square windows of photographs, each in turn.

    Parameters
    ----------
    photos : name to (H, W) uint8
        The smallest of them decides how large the windows are.
    height, width : int
        Of the mosaic.
    name : str
    blend : int
        Overlap of neighbouring windows, in pixels.
    """
    side = min(min(photo.shape) for photo in photos.values())
    step = side - blend
    tiles = tuple(_tiles(photos, height, width, side, blend))
    ramp = (np.arange(blend, dtype=np.float32) + np.float32(0.5)) / np.float32(max(blend, 1))
    weight = np.concatenate([ramp, np.ones(side - 2 * blend, np.float32), ramp[::-1]])
    columns = _count(width, step, blend) * step + blend
    pixels = np.empty((height, width), np.uint8)
    carried = np.zeros((blend, columns), np.float32)
    for top in sorted({tile.top for tile in tiles}):
        row = np.zeros((side, columns), np.float32)
        for tile in tiles:
            if tile.top == top:
                left = tile.left + blend
                row[:, left : left + side] += _cut(photos, tile, side) * weight
        row *= weight[:, None]
        row[:blend] += carried
        carried = row[step:]
        # The mosaic starts where the first windows have their full weight, so the last may reach beyond it.
        first, last = max(top, 0), min(top + step, height)
        pixels[first:last] = np.rint(row[first - top : last - top, blend : blend + width])
    return Picture(name, pixels, f"mosaic of {len(tiles)} windows of {side} x {side}", tiles, side)


def _tiles(photos: Mapping[str, UInt8], height: int, width: int, side: int, blend: int) -> Iterator[Tile]:
    names, step = list(photos), side - blend
    places = {name: windows(photos[name].shape[:2], side, side) for name in names}
    rows, columns = (_count(size, step, blend) for size in (height, width))
    for i in range(rows):
        for j in range(columns):
            turn, which = divmod(i * columns + j, len(names))
            # Each row starts with the next photograph, so that columns are not all of one.
            name = names[(which + i) % len(names)]
            turns, place = divmod(turn, len(places[name]))
            yield Tile(name, *places[name][place], turns % 4, i * step - blend, j * step - blend)


def _count(size: int, step: int, blend: int) -> int:
    """Return how many windows cover so many pixels; the last one fades out beyond them, the first one before."""
    return -(-(size + blend) // step)


def _cut(photos: Mapping[str, UInt8], tile: Tile, side: int) -> UInt8:
    photo = photos[tile.photograph]
    return np.rot90(photo[tile.row : tile.row + side, tile.column : tile.column + side], tile.turns)


def expected_keypoints(photos: Mapping[str, UInt8], picture: Picture, blend: int = BLEND) -> int:
    """Return how many keypoints the photographs have, detected whole, in what a mosaic shows of them.

    A window counts up to the middle of its overlap with the next.
    """
    found = {name: siftcli.detect(photo, descriptors=False).xy for name, photo in photos.items()}
    height, width = picture.pixels.shape
    last, total = picture.side - 1, 0
    low, high = blend / 2 - 0.5, picture.side - blend / 2 - 0.5
    for tile in picture.tiles:
        x, y = (found[tile.photograph] - (tile.column, tile.row)).T
        for _ in range(tile.turns):
            x, y = y, last - x
        inside = (x >= low) & (x < high) & (y >= low) & (y < high)
        x, y = x + tile.left, y + tile.top
        inside &= (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
        total += int(inside.sum())
    return total


@cache
def picture(source: str, size: str) -> Picture:
    """Return the picture of about `size` megapixels from a set of photographs.

    0.3 is a window of 640 x 480 of one photograph; 1 is a whole photograph of the samples, and otherwise, as all above,
    a mosaic.
    """
    photos, name = photographs(source), f"{source} {size} MP"
    if size == "0.3":
        one = "hubble_deep_field.jpg" if source == "samples" else "img3.pgm"
        top, left = ((side - needed) // 2 for side, needed in zip(photos[one].shape, (480, 640), strict=True))
        return Picture(name, photos[one][top : top + 480, left : left + 640].copy(), f"640 x 480 of {one}")
    if size == "1" and source == "samples":
        return Picture(name, photos["hubble_deep_field.jpg"], "hubble_deep_field.jpg")
    height, width = LARGE.get(size) or _shape(float(size))
    return mosaic(photos, height, width, name)


def _shape(megapixels: float) -> tuple[int, int]:
    """Return height and width, 3 to 4, multiples of 64."""
    height = max(1, round((megapixels * 1e6 * 3 / 4) ** 0.5 / 64)) * 64
    return height, round(height * 4 / 3 / 64) * 64


def crops(source: str, count: int, height: int = 128, width: int = 64) -> UInt8:
    """Return `count` windows of the photographs of a set, (count, height, width); they repeat if there are too few."""
    photos: Sequence[UInt8] = list(photographs(source).values())
    cut = [
        photo[row : row + height, column : column + width]
        for photo in photos
        for row, column in windows(photo.shape[:2], height, width)
    ]
    order = np.random.default_rng(0).permutation(len(cut))
    return np.stack([cut[order[i % len(cut)]] for i in range(count)])
