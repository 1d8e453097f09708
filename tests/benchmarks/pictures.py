"""The pictures that speed is measured on: photographs, mosaics of them where they are too small, and crops.

A mosaic shows square windows of the photographs at their own resolution, in turn.  Neighbouring windows overlap and
fade into each other, so there is no edge between them; a window that is used again is turned by a quarter.  Seams
change the number of keypoints by about one per cent.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

import siftcli

__all__ = ["ROOT", "SIZES", "crops", "mosaic", "photographs", "picture", "sources", "window_grid"]

UInt8: TypeAlias = npt.NDArray[np.uint8]

ROOT = Path(__file__).parents[2]

SIZES = {"0.3": (480, 640), "1": (872, 1000), "3": (1536, 2048), "12": (3072, 4096), "50": (6144, 8192)}
"""Height and width of the pictures, by their name in megapixels."""

BLEND = 16
"""Overlap of two windows, in pixels."""

SAMPLES = ("hubble_deep_field.jpg", "astronaut.jpg", "camera.png", "dandelion.jpg", "coffee.jpg")


def sources() -> tuple[str, ...]:
    """Return the names of the sets of photographs that are there: *samples* and, where its folder is found, *boat*."""
    return ("samples", "boat") if _boat().is_dir() else ("samples",)


def _boat() -> Path:
    return Path(os.environ.get("SIFTCLI_ORACLE_DATA") or ROOT.parent / "shared" / "data") / "boat"


@cache
def photographs(source: str) -> list[UInt8]:
    """Return the photographs of a set, each (H, W) uint8.

    *samples* are those of this project, with 1 to 5 keypoints in 1,000 pixels; *boat* is the sequence of the Oxford
    Visual Geometry Group, with 8 to 17.
    """
    files = (
        [ROOT / "sample_images" / name for name in SAMPLES] if source == "samples" else sorted(_boat().glob("img*.pgm"))
    )
    return [np.asarray(siftcli.read_image(file).pixels, np.uint8) for file in files]


@cache
def picture(source: str, size: str) -> UInt8:
    """Return a picture of a set, (H, W) uint8: the middle of its first photograph, or a mosaic if that is too small."""
    height, width = SIZES[size]
    first = photographs(source)[0]
    top, left = (first.shape[0] - height) // 2, (first.shape[1] - width) // 2
    if min(top, left) >= 0:
        return first[top : top + height, left : left + width].copy()
    return mosaic(photographs(source), height, width)


def window_grid(shape: tuple[int, ...], height: int, width: int) -> list[tuple[int, int]]:
    """Return the first pixels of all windows of a size that fit into a photograph side by side."""
    rows, columns = range(0, shape[0] - height + 1, height), range(0, shape[1] - width + 1, width)
    return [(row, column) for row in rows for column in columns]


def mosaic(photos: list[UInt8], height: int, width: int, blend: int = BLEND) -> UInt8:
    """Return a mosaic, (height, width) uint8, of square windows as large as the smallest photograph allows."""
    side = min(min(photo.shape) for photo in photos)
    step = side - blend
    rows, columns = -(-(height + blend) // step), -(-(width + blend) // step)
    ramp = (np.arange(blend, dtype=np.float32) + np.float32(0.5)) / np.float32(blend)
    fade = np.concatenate([ramp, np.ones(side - 2 * blend, np.float32), ramp[::-1]])
    pixels = np.zeros((rows * step + blend, columns * step + blend), np.float32)
    for i, j in np.ndindex(rows, columns):
        turn, which = divmod(i * columns + j, len(photos))
        photo = photos[(which + i) % len(photos)]  # each row begins with another photograph
        grid = window_grid(photo.shape, side, side)
        turns, place = divmod(turn, len(grid))
        top, left = grid[place]
        window = np.rot90(photo[top : top + side, left : left + side], turns)
        pixels[i * step : i * step + side, j * step : j * step + side] += window * fade[:, None] * fade
    # Only the part in which the weights of the windows sum to one.
    return np.rint(pixels[blend : blend + height, blend : blend + width]).astype(np.uint8)


def crops(source: str, count: int, height: int = 128, width: int = 64) -> UInt8:
    """Return `count` windows of the photographs of a set, (count, height, width) uint8, in a fixed random order."""
    cut = [
        photo[top : top + height, left : left + width]
        for photo in photographs(source)
        for top, left in window_grid(photo.shape, height, width)
    ]
    order = np.random.default_rng(0).permutation(len(cut))
    return np.stack([cut[order[i % len(cut)]] for i in range(count)])
