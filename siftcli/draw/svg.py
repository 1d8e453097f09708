"""Scenes as SVG: one element for each mark, over the embedded image."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import numpy.typing as npt
from PIL import Image

from .color import Colors
from .legend import Bar, Key, Legend, Note, Placed, dashes
from .palette import HALO, Theme
from .scene import SHADE, Marks, Scene

__all__ = ["data_url", "to_svg"]

_Floats = npt.NDArray[np.floating]

_SOLID = 2 / 3
"""Share of a halo's width at which the pixel picture's, which fades out, has fallen to a half."""
_STOPS = 32
_FEW = 16
"""Colour bars of fewer colours are drawn as rectangles, others as a gradient of so many stops."""
_QUALITY = 92
_LARGE = 1 << 20
"""Images of more pixels are not tried as PNG."""


def data_url(image: Image.Image) -> str:
    """Return an image as a ``data:`` URL: PNG, or JPEG where that is smaller or the image large."""
    choices: list[tuple[int, str, bytes]] = []
    kinds: list[tuple[str, dict[str, int]]] = [("jpeg", {"quality": _QUALITY, "subsampling": 0}), ("png", {})]
    for kind, options in kinds[image.mode == "RGBA" :]:  # JPEG has no transparency
        if choices and image.width * image.height > _LARGE:
            break
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        choices.append((stream.tell(), kind, stream.getvalue()))
    _, kind, data = min(choices)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def to_svg(scene: Scene) -> str:
    """Return a scene as an SVG document.

    Each mark is one element, a ``path`` or for dots a ``circle``, in a group of its kind's class; what makes the halos
    is in groups of class ``halo``.
    """
    width, height = scene.ground.size
    legend = Legend.of(scene.legend, width, max(width, height))
    total = height + legend.height
    title = next((entry.text for entry in scene.legend if isinstance(entry, Note)), "")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total}" viewBox="0 0 {width} {total}" '
            'role="img">',
            f"<title>{escape(title)}</title>",
            f'<image width="{width}" height="{height}" href="{data_url(scene.ground)}"/>',
            f'<svg width="{width}" height="{height}">',
            # In SVG, (0, 0) is the corner of the first pixel, in marks its centre.
            '<g transform="translate(0.5 0.5)" fill="none" stroke-linecap="round" stroke-linejoin="round">',
            *(line for marks in scene.marks for line in _halos(scene, marks)),
            *(line for marks in scene.marks for line in _marks(scene, marks)),
            "</g>",
            "</svg>",
            *_legend(legend, height, scene.theme),
            "</svg>\n",
        ]
    )


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _hex(color: tuple[int, ...] | Colors) -> str:
    return "#{:02x}{:02x}{:02x}".format(*(int(c) for c in color))


# --- marks


def _paths(marks: Marks) -> list[str]:
    """Return the path of each mark; that of a dot is a line of no length."""
    paths = [""] * len(marks)
    for i, (x, y, r) in zip(marks.circle_of.tolist(), marks.circles.tolist(), strict=True):
        arc = f"a{_number(r)} {_number(r)} 0 1 0 "
        paths[i] += f"M{_number(x - r)} {_number(y)}"
        paths[i] += f"{arc}{_number(2 * r)} 0{arc}{_number(-2 * r)} 0Z" if r else "h0"
    last = None
    for i, ends in zip(marks.segment_of.tolist(), marks.segments.tolist(), strict=True):
        x, y, to_x, to_y = map(_number, ends)
        paths[i] += f"L{to_x} {to_y}" if last == (i, x, y) else f"M{x} {y}L{to_x} {to_y}"
        last = i, to_x, to_y
    return paths


def _halos(scene: Scene, marks: Marks) -> Iterator[str]:
    if not scene.halo or not marks.rimmed or not len(marks):
        return
    widths = np.round(marks.widths + 2 * _SOLID * scene.halos(marks), 1)
    paths = _paths(marks)
    yield f'<g class="halo" stroke="{_hex(HALO)}" opacity="{_number(scene.opacity * marks.opacity * SHADE)}">'
    for width in np.unique(widths).tolist():
        data = "".join(paths[i] for i in np.flatnonzero(widths == width).tolist())
        yield f'<path stroke-width="{_number(width)}" d="{data}"/>'
    yield "</g>"


def _marks(scene: Scene, marks: Marks) -> Iterator[str]:
    yield f'<g class="{marks.kind}" opacity="{_number(scene.opacity * marks.opacity)}">'
    lone = not len(marks.segments) and not marks.circles[:, 2].any()
    if lone:
        for color, width, (x, y, _) in zip(marks.colors, marks.widths, marks.circles.tolist(), strict=True):
            yield f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{_number(width / 2)}" fill="{_hex(color)}"/>'
    else:
        for color, width, path in zip(marks.colors, marks.widths, _paths(marks), strict=True):
            yield f'<path stroke="{_hex(color)}" stroke-width="{_number(width)}" d="{path}"/>'
    yield "</g>"


# --- legend


def _legend(legend: Legend, top: int, theme: Theme) -> Iterator[str]:
    if not legend.height:
        return
    yield f'<g class="legend" transform="translate(0 {top})" font-family="Helvetica, Arial, sans-serif"'
    yield f' font-size="{legend.size}" fill="{_hex(theme.ink)}">'
    if theme.ground is not None:
        yield f'<rect width="{legend.width}" height="{legend.height}" fill="{_hex(theme.ground)}"/>'
    for number, placed in enumerate(legend.items):
        if isinstance(placed.item, str):
            yield _text(placed, placed.item, legend.size)
        elif isinstance(placed.item, Bar):
            yield from _bar(placed, placed.item, f"bar{number}")
        else:
            yield from _key(placed, placed.item, legend.size)
    yield "</g>"


def _text(placed: Placed, text: str, size: int) -> str:
    place = f'x="{_number(placed.left)}" y="{_number(placed.top + 0.35 * size)}"'
    return f'<text {place} textLength="{_number(placed.width)}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'


def _bar(placed: Placed, bar: Bar, name: str) -> Iterator[str]:
    changes = np.flatnonzero((bar.colors[1:] != bar.colors[:-1]).any(axis=1)) + 1
    edges = [0, *changes.tolist(), len(bar.colors)]
    top, height = _number(placed.top), _number(placed.height)
    if len(edges) <= _FEW:
        unit = placed.width / len(bar.colors)
        for start, stop in pairwise(edges):
            left, width = _number(placed.left + start * unit), _number((stop - start) * unit)
            yield f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="{_hex(bar.colors[start])}"/>'
        return
    yield f"<linearGradient id={quoteattr(name)}>"
    for i in np.linspace(0, len(bar.colors) - 1, _STOPS + 1).round().astype(int).tolist():
        yield f'<stop offset="{_number(100 * i / (len(bar.colors) - 1))}%" stop-color="{_hex(bar.colors[i])}"/>'
    yield "</linearGradient>"
    box = f'x="{_number(placed.left)}" y="{top}" width="{_number(placed.width)}" height="{height}"'
    yield f'<rect {box} fill="url(#{name})"/>'


def _key(placed: Placed, key: Key, size: int) -> Iterator[str]:
    left, right, middle = placed.left, placed.left + placed.width, _number(placed.top + placed.height / 2)
    thick = max(2, size // 6)
    if key.kind == "dot":
        yield f'<circle cx="{_number((left + right) / 2)}" cy="{middle}" r="{1.5 * thick}" fill="{_hex(key.color)}"/>'
    elif key.kind == "area":
        box = f'x="{_number(left)}" y="{_number(placed.top)}" width="{_number(placed.width)}"'
        yield f'<rect {box} height="{_number(placed.height)}" fill="{_hex(key.color)}"/>'
    else:
        lines = dashes(left, right) if key.kind == "dashes" else [(left, right)]
        path = "".join(f"M{_number(start)} {middle}H{_number(stop)}" for start, stop in lines)
        yield f'<path d="{path}" stroke="{_hex(key.color)}" stroke-width="{thick}"/>'
