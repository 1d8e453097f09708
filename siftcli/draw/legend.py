"""The legend: a strip below a picture that explains its marks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .color import Colors
from .palette import THEMES, Theme

__all__ = ["Bar", "Entry", "Key", "Legend", "Note", "Placed", "text_width", "write"]


@dataclass(frozen=True)
class Note:
    """A text."""

    text: str


@dataclass(frozen=True)
class Key:
    """A sample of a line, dashed line, dot or area, and what it stands for."""

    color: tuple[int, int, int]
    text: str
    kind: Literal["line", "dashes", "dot", "area"] = "line"


@dataclass(frozen=True, eq=False)
class Bar:
    """A colour bar.

    Attributes
    ----------
    title : str
    colors : (N, 3) uint8
        From left to right.
    ticks : tuple of (float, str)
        Place along the bar, 0 to 1, and label.
    """

    title: str
    colors: Colors
    ticks: tuple[tuple[float, str], ...]


Entry: TypeAlias = Note | Key | Bar


@dataclass(frozen=True, eq=False)
class Placed:
    """An entry, or a text of one, at its place: left, top, width and height in pixels."""

    item: Key | Bar | str
    left: float
    top: float
    width: float
    height: float


_SMALL, _SMALLEST = 11, 9
"""Sizes of fonts, in pixels: of small pictures, and where there is little room."""
_FINE = 4
"""Factor by which text is drawn larger and then reduced, for positions finer than whole pixels."""
_SIGMA = "\N{GREEK SMALL LETTER SIGMA}"


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that comes with Pillow; it has ASCII, and a few more."""
    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> float:
    """Width of a text in pixels."""
    return _font(size * _FINE).getlength(text.replace(_SIGMA, "o")) / _FINE


def write(picture: Image.Image, left: float, middle: float, text: str, size: int, theme: Theme) -> None:
    """Write a text, in pixels of the picture from `left` on, its small letters centred on the height `middle`."""
    mask = Image.new("L", (math.ceil(text_width(text, size) + 2) * _FINE, 2 * size * _FINE))
    draw, font = ImageDraw.Draw(mask), _font(size * _FINE)
    plain = text.replace(_SIGMA, "o")
    draw.text((_FINE, size * _FINE), plain, 255, font, anchor="lm")
    for place in (i for i, letter in enumerate(text) if letter == _SIGMA):  # an o with a bar: the font has no sigma
        _, _, _, bottom = draw.textbbox((_FINE, size * _FINE), plain, font, anchor="lm")
        start, top, stop, _ = draw.textbbox((_FINE + font.getlength(plain[:place]), 0), "o", font)
        top += bottom - draw.textbbox((0, 0), plain, font)[3]
        draw.rectangle(((start + stop) / 2, top, stop + 0.04 * size * _FINE, top + 0.09 * size * _FINE), 255)
    mask = mask.reduce(_FINE)
    ink = theme.ink if picture.mode == "RGB" else (*theme.ink, 255)
    picture.paste(ink, (round(left) - 1, round(middle) - size), mask)


@dataclass(frozen=True, eq=False)
class Legend:
    """Entries at their places.

    Attributes
    ----------
    width, height : int
        Width and height of the strip, in pixels; height is 0 if there is nothing to show.
    size : int
        Size of the font, in pixels.
    items : sequence of Placed
        Relative to the strip.
    """

    width: int
    height: int
    size: int
    items: Sequence[Placed]

    @classmethod
    def of(cls, entries: Iterable[Entry], width: int, side: int) -> Legend:
        """Lay entries out in rows, in a font that suits a picture of this longer side."""
        entries = list(entries)
        if not entries:
            return cls(width, 0, 0, ())
        size = max(_SMALL, round(side / 72))
        while size > _SMALLEST and max(_width(e, size) for e in entries) + size > width:
            size -= 1
        entries = [part for entry in entries for part in _broken(entry, size, width - size)]
        pad, gap, line = size // 2, 1.6 * size, round(2.1 * size)
        items: list[Placed] = []
        left, top = float(pad), pad
        for entry in entries:
            needed = _width(entry, size)
            if left > pad and left + needed > width - pad:
                left, top = float(pad), top + line
            items += _placed(entry, left, top, size)
            left += needed + gap
        return cls(width, top + line, size, items)

    def render(self, theme: Theme = THEMES["dark"]) -> Image.Image:
        """Return the strip, RGB, or RGBA for a theme without ground."""
        strip = Image.new(theme.mode, (self.width, self.height), theme.fill)
        draw = ImageDraw.Draw(strip)
        for placed in self.items:
            box = [round(v) for v in (placed.left, placed.top, placed.width, placed.height)]
            if isinstance(placed.item, str):
                write(strip, placed.left, placed.top, placed.item, self.size, theme)
            elif isinstance(placed.item, Bar):
                colors = Image.fromarray(np.ascontiguousarray(placed.item.colors[None]))
                strip.paste(colors.resize((box[2], box[3]), Image.Resampling.BILINEAR), (box[0], box[1]))
            else:
                _sample(draw, placed, self.size)
        return strip


def _sample(draw: ImageDraw.ImageDraw, placed: Placed, size: int) -> None:
    key, left, right, middle = placed.item, placed.left, placed.left + placed.width, placed.top + placed.height / 2
    assert isinstance(key, Key)
    thick = max(2, size // 6)
    if key.kind == "dot":
        centre, radius = (left + right) / 2, 1.5 * thick
        draw.ellipse((centre - radius, middle - radius, centre + radius, middle + radius), key.color)
    elif key.kind == "area":
        draw.rectangle((left, placed.top, right, placed.top + placed.height), key.color)
    else:
        for start, stop in dashes(left, right) if key.kind == "dashes" else [(left, right)]:
            draw.line((start, middle, stop, middle), key.color, thick)


def dashes(left: float, right: float) -> list[tuple[float, float]]:
    """Return where the three dashes of a sample begin and end."""
    step = (right - left) / 5
    return [(left + i * step, left + (i + 1) * step) for i in (0, 2, 4)]


# --- widths and places, in units of the font's size

_SAMPLE = 1.8
_SPACE = 0.5
_BAR = 9.0


def _width(entry: Entry, size: int) -> float:
    if isinstance(entry, Note):
        return text_width(entry.text, size)
    if isinstance(entry, Key):
        return (_SAMPLE + _SPACE) * size + text_width(entry.text, size)
    return text_width(entry.title, size) + _lead(entry, size) + _BAR * size + _overhang(entry, size)


def _broken(entry: Entry, size: int, width: float) -> list[Entry]:
    """Break a note that does not fit into a row."""
    if not isinstance(entry, Note) or _width(entry, size) <= width:
        return [entry]
    first, *words = entry.text.split()
    rows = [first]
    for word in words:
        longer = f"{rows[-1]} {word}"
        if text_width(longer, size) <= width:
            rows[-1] = longer
        else:
            rows.append(word)
    return [Note(row) for row in rows]


def _overhang(bar: Bar, size: int) -> float:
    """Width of the part of the last tick's label beyond the bar."""
    return max([0.0, *(text_width(text, size) / 2 - (1 - place) * _BAR * size for place, text in bar.ticks)])


def _lead(bar: Bar, size: int) -> float:
    """Space between title and bar for the part of the first tick's label beyond the bar."""
    reach = [text_width(text, size) / 2 - place * _BAR * size for place, text in bar.ticks]
    return max([0.0, *reach]) + _SPACE * size


def _placed(entry: Entry, left: float, top: float, size: int) -> list[Placed]:
    middle = top + 0.8 * size
    if isinstance(entry, Note):
        return [_text(entry.text, left, middle, size)]
    if isinstance(entry, Key):
        sample = Placed(entry, left, middle - 0.4 * size, _SAMPLE * size, 0.8 * size)
        return [sample, _text(entry.text, left + (_SAMPLE + _SPACE) * size, middle, size)]
    start = left + text_width(entry.title, size) + _lead(entry, size)
    bar = Placed(entry, start, top, _BAR * size, 0.55 * size)
    return [
        _text(entry.title, left, middle, size),
        bar,
        *(
            _text(label, start + place * _BAR * size - text_width(label, size) / 2, top + 1.15 * size, size)
            for place, label in entry.ticks
        ),
    ]


def _text(text: str, left: float, middle: float, size: int) -> Placed:
    return Placed(text, left, middle, text_width(text, size), size)
