"""Keypoint overlays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..conventions import affine_of
from ..errors import ParameterError
from ..features import Features
from ..words import counted
from . import shapes
from .choice import best, uncrowded
from .color import Colors
from .coloring import colored
from .legend import Note
from .palette import THEMES
from .picture import ImageLike, View, to_rgb
from .scene import Marks, Scene, halo_width, line_width
from .style import KeypointStyle

__all__ = ["draw_keypoints", "keypoint_scene", "magnification", "meaning", "strongest"]

_Array = npt.NDArray[np.float64]

_CELL, _SHARE = 24.0, 0.3
"""Side of a cell, in line widths, and how much of it may be covered; see `uncrowded`."""
_DOT, _SMALL_DOT = 3.0, 2.0
"""Diameter of points, and the largest of those that stand for what is not drawn in full, in line widths."""
_LEGIBLE, _WHOLE = 60.0, 0.4
"""Sides of descriptors that can be made out, in line widths, and as a share of the picture's shorter side."""
_HEAD = 12.0
"""Longest head of an arrow, in line widths."""
_CELLS = 2
"""Descriptor cells to each side of the centre."""


def draw_keypoints(image: ImageLike, features: Features, **options: Any) -> Image.Image:
    """Draw keypoints over their image.

    Parameters
    ----------
    image : PIL.Image.Image, or (H, W) or (H, W, 3) array
        Arrays are uint8, uint16, or floats in [0, 1].
    features : Features
    **options
        See `siftcli.draw.style.KeypointStyle`.

    Returns
    -------
    PIL.Image.Image
        The image, `zoom` times as large, with the legend below; RGB, or RGBA with ``theme="none"``.

    Raises
    ------
    ParameterError
        For an image of another shape or dtype, an option outside its range, or features that lack what is to be drawn.

    Examples
    --------
    >>> import numpy as np, siftcli
    >>> y, x = np.mgrid[:64, :64]
    >>> blob = np.exp(-((x - 30.25) ** 2 + (y - 33.75) ** 2) / (2 * 4.0**2))
    >>> siftcli.draw_keypoints(blob, siftcli.detect(blob), legend=False).size
    (640, 640)
    """
    return keypoint_scene(to_rgb(image), features, _style(options)).render()


def _style(options: dict[str, Any]) -> KeypointStyle:
    for name in options:
        if name not in KeypointStyle.__dataclass_fields__:
            raise ParameterError(name, "is not an option of keypoint pictures")
    return KeypointStyle(**options)


def keypoint_scene(image: Image.Image, features: Features, style: KeypointStyle) -> Scene:
    """Lay out a keypoint overlay.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB.
    features : Features
    style : KeypointStyle
    """
    view = View.of(image.size, style.region, style.zoom)
    shown = features.take(view.holds(features.xy) & _finite(features))
    word = "largest" if features.scores is None else "strongest"
    count = len(shown)
    shown = strongest(shown, style.top)
    shown = shown.take(np.argsort(-shown.scales, kind="stable"))  # the small ones on top
    line = style.line_width or line_width(*view.size)
    centres, maps = _frames(shown, view)
    colors, entries = colored(shown, style.color)
    full = np.ones(len(shown), bool)
    if style.style == "descriptors":
        maps *= magnification(shown)
        if style.thin and style.top is None:
            full = _apart(centres, maps, _strength(shown), (_LEGIBLE * line, _WHOLE * min(view.size)))
        elif style.thin:
            full = _apart(centres, maps, shown.scales, (0, np.inf))
    elif style.style != "points":
        maps *= reach_of(shown, supported=style.supported)
        if style.thin and style.top is None:
            radius = _radius(maps)
            ink = _STROKES[style.style] * radius * (_widths(radius, line) + halo_width(line))
            full = uncrowded(centres, radius, ink, _strength(shown), _CELL * line, _SHARE)
    marks = _marks(style.style, shown, centres, maps, colors, line, view.zoom, full)
    texts = _count(style, len(shown), count, int(full.sum()), word), meaning(style, magnification(shown))
    return Scene(
        view.show(image),
        marks,
        opacity=style.opacity,
        halo=halo_width(line) if style.halo else 0.0,
        legend=[*(Note(text) for text in texts if text), *entries] if style.legend else (),
        theme=THEMES[style.theme],
    )


# --- frames


def strongest(features: Features, count: int | None) -> Features:
    """Return the `count` features of highest response, or of largest scale where that is unknown; all for None."""
    return features.take(best(_strength(features), count))


def magnification(features: Features) -> float:
    """Side of a descriptor cell in units of sigma: as the features tell, else Lowe's 3."""
    value = (features.parameters or {}).get("magnification", 3.0)
    return float(value) if isinstance(value, (int, float)) else 3.0


def reach_of(features: Features, *, supported: bool) -> float:
    """Size of frames in units of sigma: 1, or the descriptor's support."""
    return _CELLS * magnification(features) if supported else 1.0


def _finite(features: Features) -> npt.NDArray[np.bool_]:
    """Return which frames can be drawn."""
    maps = features.scales[:, None] if features.affine is None else features.affine.reshape(-1, 4)
    finite = np.isfinite(np.column_stack([features.xy, features.scales, features.orientations, maps]))
    return np.asarray(finite.all(axis=1))


def _strength(features: Features) -> npt.NDArray[np.floating]:
    return features.scales if features.scores is None else features.scores


def _frames(features: Features, view: View) -> tuple[_Array, _Array]:
    """Return centres (N, 2) and maps (N, 2, 2) of frames, in picture pixels."""
    maps = affine_of(features.scales, features.orientations) if features.affine is None else features.affine
    return view.place(features.xy), maps.astype(np.float64) * view.zoom


def _radius(maps: _Array) -> _Array:
    return np.asarray(np.sqrt(np.abs(np.linalg.det(maps))))


# --- what is drawn in full

_STROKES = {"circles": 2 * np.pi + 1, "arrows": 1.6, "frames": 9.0}
"""Length of a mark's lines, in radii."""


def _apart(
    centres: _Array, maps: _Array, strength: npt.NDArray[np.floating], sides: tuple[float, float]
) -> npt.NDArray[np.bool_]:
    """Return which descriptors have sides within limits (or all, if none has) and do not cover a stronger one."""
    half = _CELLS * _radius(maps)
    full = np.zeros(len(half), bool)
    fitting = np.flatnonzero((2 * half >= sides[0]) & (2 * half <= sides[1]))
    if not len(fitting):
        fitting = np.arange(len(half))
    for i in fitting[np.argsort(-strength[fitting], kind="stable")].tolist():
        gap = np.hypot(*(centres[full] - centres[i]).T)
        full[i] = bool((gap > half[full] + half[i]).all())
    return full


# --- marks


def _marks(
    style: str,
    features: Features,
    centres: _Array,
    maps: _Array,
    colors: Colors,
    line: float,
    zoom: float,
    full: npt.NDArray[np.bool_],
) -> list[Marks]:
    if style == "points":
        return [_dots(centres, colors, np.full(len(colors), _DOT * line))]
    rest = ~full
    diameter = np.clip(1.2 * zoom * features.scales, min(1.5, line), _SMALL_DOT * line)  # not larger than their circle
    dots = [_dots(centres[rest], colors[rest], diameter[rest])] if rest.any() else []
    centres, maps, colors = centres[full], maps[full], colors[full]
    radius = _radius(maps)
    if style == "descriptors":
        return [*dots, *_descriptors(features.take(full), centres, maps, colors, line)]
    widths = _widths(radius, line)
    if style == "arrows":
        return [*dots, Marks.of("keypoint", colors, widths, segments=shapes.arrows(centres, maps, _HEAD * line))]
    if style == "frames":
        return [*dots, Marks.of("keypoint", colors, widths, segments=shapes.squares(centres, maps))]
    lines = shapes.ticks(centres, maps)
    if features.affine is not None:
        outlines = np.concatenate([shapes.ellipses(centres, maps), lines], axis=1)
        return [*dots, Marks.of("keypoint", colors, widths, segments=outlines)]
    circles = np.concatenate([centres, radius[:, None]], axis=1)
    return [*dots, Marks.of("keypoint", colors, widths, circles=circles, segments=lines)]


def _widths(radius: _Array, line: float) -> _Array:
    """Width of the lines of marks: less for small ones, which would be blobs."""
    return np.minimum(np.maximum(0.4 * radius, 1), line)


def _dots(centres: _Array, colors: Colors, diameter: npt.NDArray[np.floating]) -> Marks:
    circles = np.concatenate([centres, np.zeros((len(centres), 1))], axis=1)
    return Marks.of("keypoint", colors, diameter, circles=circles)


def _descriptors(features: Features, centres: _Array, maps: _Array, colors: Colors, line: float) -> list[Marks]:
    if features.descriptors is None:
        raise ParameterError("style", "descriptors: these features have none; take another style")
    thin = np.clip(_radius(maps) / 10, min(line, 1), 1.5 * line)  # maps are one cell
    segments, which = shapes.rays(centres, maps, features.descriptors)
    none = np.empty((0, 3)), np.empty(0, np.intp)
    return [
        Marks.of("cells", colors // 2 + 40, thin * 0.7, segments=shapes.grids(centres, maps)),
        Marks("keypoint", colors, thin, *none, segments, which),
    ]


# --- words


def _count(style: KeypointStyle, drawn: int, total: int, full: int, word: str) -> str:
    text = counted(total, "keypoint")
    if drawn < total:
        text = f"the {drawn:,} {word} of {text}"
    return text if full == drawn else f"{text}, {full:,} drawn as {style.style}, the others as dots"


def meaning(style: KeypointStyle, magnification: float = 3.0) -> str:
    """Return the legend's note on the size of marks."""
    if style.style == "points":
        return ""
    if style.style == "descriptors":
        return f"cell = {magnification:g} {_SIGMA}"
    if style.supported:
        return f"{_SIZE[style.style]} = {_CELLS * magnification:g} {_SIGMA}, the descriptor's support"
    return f"{_SIZE[style.style]} = {_SIGMA}"


_SIGMA = "\N{GREEK SMALL LETTER SIGMA}"
_SIZE = {"circles": "radius", "arrows": "length", "frames": "half side"}
