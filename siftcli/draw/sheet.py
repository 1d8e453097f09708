"""A contact sheet: the images of a folder with their keypoints, for a first look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from ..features import Features
from ..words import counted
from .keypoints import keypoint_scene, meaning
from .legend import Legend, Note, text_width, write
from .palette import THEMES
from .style import KeypointStyle

__all__ = ["Tile", "contact_sheet", "make_tile", "tile_side"]

_WIDTH, _LARGEST, _SMALLEST = 3200, 420, 96
"""Width of a full row, and limits of a tile's longer side, in pixels."""
_SHAPE = 1.3
"""Columns per row."""


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of a sheet.

    Attributes
    ----------
    name : str
    keypoints : int
        That were found.
    picture : PIL.Image.Image
        Reduced, with the keypoints.
    """

    name: str
    keypoints: int
    picture: Image.Image


def tile_side(count: int) -> int:
    """Return the longer side of each of so many tiles, in pixels."""
    return max(_SMALLEST, min(_LARGEST, _WIDTH // _columns(count)))


def make_tile(name: str, image: Image.Image, features: Features, style: KeypointStyle, side: int) -> Tile:
    """Reduce an image to a longer side, with its keypoints drawn at that size."""
    style = replace(style, zoom=side / max(image.size), legend=False)
    return Tile(name, len(features), keypoint_scene(image, features, style).render())


def contact_sheet(tiles: Sequence[Tile], style: KeypointStyle) -> Image.Image:
    """Lay tiles out in rows, each with its name and number of keypoints, and a legend below.

    Parameters
    ----------
    tiles : sequence of Tile
        At least one.
    style : KeypointStyle
        With which they were drawn.

    Returns
    -------
    PIL.Image.Image
        In the mode of the theme.
    """
    theme, columns = THEMES[style.theme], _columns(len(tiles))
    size = max(11, tile_side(len(tiles)) // 24)
    gap, line = size, round(1.6 * size)
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    cell = max(tile.picture.width for tile in tiles)
    width = gap + len(rows[0]) * (cell + gap)
    heights = [max(tile.picture.height for tile in row) + 2 * line + gap for row in rows]
    total = sum(tile.keypoints for tile in tiles)
    notes = [Note(counted(len(tiles), "image")), Note(counted(total, "keypoint")), Note(meaning(style))]
    legend = Legend.of([note for note in notes if note.text] if style.legend else [], width, 72 * size)
    sheet = Image.new(theme.mode, (width, gap + sum(heights) + legend.height), theme.fill)
    top = gap
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            left, bottom = gap + column * (cell + gap), top + height - 2 * line - gap
            sheet.paste(tile.picture, (left + (cell - tile.picture.width) // 2, bottom - tile.picture.height))
            for k, text in enumerate((tile.name, counted(tile.keypoints, "keypoint"))):
                write(sheet, left, bottom + (k + 0.6) * line, _fitted(text, size, cell), size, theme)
        top += height
    sheet.paste(legend.render(theme), (0, top))
    return sheet


def _columns(count: int) -> int:
    return max(1, math.ceil(math.sqrt(_SHAPE * count)))


def _fitted(text: str, size: int, width: float) -> str:
    """Shorten a text that is too wide by its middle."""
    kept = len(text)
    shown = text
    while kept > 2 and text_width(shown, size) > width:
        kept -= 1
        shown = f"{text[: kept - kept // 2]}...{text[len(text) - kept // 2 :]}"
    return shown
