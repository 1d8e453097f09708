"""Pictures of a scale space: its levels, and all of them on one sheet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..features import Float32
from .legend import Key, Legend, Note, text_width, write
from .palette import THEMES, Theme
from .scene import Marks, Scene

__all__ = ["FATES", "ContactSheet", "dog_picture", "extrema_scene", "gaussian_picture"]

_Array = npt.NDArray[np.floating]

FATES = {
    "contrast": ((150, 152, 160), "too little contrast"),
    "edge": ((232, 110, 50), "on an edge"),
    "unstable": ((196, 84, 178), "unstable fit"),
    "refined": ((120, 255, 120), "kept"),
}
"""Outcome of extrema, the last on top: name to colour and words."""

_REJECTED = 0.6
"""Diameter of the dots of rejected extrema, relative to those that are kept."""
_FADED = 0.8
"""Opacity of rejected extrema."""

_SMALL = 2.5
"""Dots up to this diameter, in pixels, have no rim."""


def gaussian_picture(level: Float32) -> Image.Image:
    """Return a level of the Gaussian scale space, image in [0, 1], as grey."""
    return Image.fromarray(np.rint(level.clip(0, 1) * 255).astype(np.uint8))


def dog_picture(level: Float32, reach: float) -> Image.Image:
    """Return a level of the DoG scale space as grey: black is minus `reach`, white plus, mid-grey 0."""
    return Image.fromarray(np.rint((level / np.float32(2 * reach) + np.float32(0.5)).clip(0, 1) * 255).astype(np.uint8))


def extrema_scene(
    ground: Image.Image, places: Mapping[str, _Array], diameter: float, halo: float = 0.0, theme: Theme = THEMES["dark"]
) -> Scene:
    """Lay out a picture with a dot at each extremum, coloured by its outcome: rejected ones small and without a rim.

    Parameters
    ----------
    ground : PIL.Image.Image
    places : mapping of str to (N, 2) array
        By the names of `FATES`: x and y in pixels of `ground`.
    diameter, halo : float
        Diameter of the dots, and the width of their rims, in pixels.
    theme : Theme
        Colours of the legend.
    """
    marks = []
    for name, (color, _) in FATES.items():
        xy = places[name]
        circles = np.concatenate([xy, np.zeros((len(xy), 1))], axis=1)
        kept = name == "refined"
        size = diameter if kept else max(1.5, _REJECTED * diameter)
        colors = np.tile(np.array(color, np.uint8), (len(xy), 1))
        dots = Marks.of(name, colors, np.full(len(xy), size), circles=circles)
        marks.append(dots if kept else replace(dots, opacity=_FADED, rimmed=False))
    legend = [Key(color, f"{len(places[name]):,} {text}", "dot") for name, (color, text) in FATES.items()]
    return Scene(ground.convert("RGB"), marks, halo=halo, legend=legend[::-1], theme=theme)


@dataclass(frozen=True, eq=False)
class _Row:
    """An octave on the sheet: its title, and its tiles with their labels."""

    title: str
    gaussians: list[tuple[Image.Image, str]]
    dogs: list[tuple[Image.Image, str]]


class ContactSheet:
    """All levels of a scale space on one picture: a row for each octave, Gaussians on the left, DoG on the right.

    Parameters
    ----------
    tile : int
        Longer side of a level, in pixels.
    reach : float
        |DoG| that is shown as black or white.
    theme : Theme
        Colours around the levels.
    """

    def __init__(self, tile: int, reach: float, theme: Theme = THEMES["dark"]) -> None:
        self._tile, self._reach, self._theme = tile, reach, theme
        self._rows: list[_Row] = []
        self._counts = dict.fromkeys(FATES, 0)

    def add(
        self,
        index: int,
        gaussians: Float32,
        sigmas: _Array,
        places: Mapping[str, tuple[npt.NDArray[np.integer], _Array]],
    ) -> None:
        """Add an octave below the others.

        Parameters
        ----------
        index : int
            Index of the octave.
        gaussians : (L, H, W) float32
            Its levels.
        sigmas : (L,) array
            Their blur, in pixels of the image.
        places : mapping of str to (level, xy)
            By the names of `FATES`: the DoG level, (N,), and octave pixel, (N, 2), of each extremum.
        """
        height, width = gaussians.shape[1:]
        zoom = self._tile / max(height, width)
        size = max(1, round(width * zoom)), max(1, round(height * zoom))
        row = _Row(f"octave {index}: {width} x {height}", [], [])
        for level, sigma in zip(gaussians, sigmas.tolist(), strict=True):
            row.gaussians.append((_resized(gaussian_picture(level), size), f"sigma {sigma:.3g}"))
        for s, sigma in enumerate(sigmas[:-1].tolist()):
            tile = _resized(dog_picture(gaussians[s + 1] - gaussians[s], self._reach), size)
            chosen = {name: (xy[level == s] + 0.5) * zoom - 0.5 for name, (level, xy) in places.items()}
            if 0 < s < len(gaussians) - 2:  # the others are there for comparison only
                dot = min(max(1.5 * zoom, self._tile / 100), self._tile / 30)
                scene = extrema_scene(tile, chosen, dot, halo=0.8 if dot > _SMALL else 0.0)
                tile = replace(scene, legend=()).render()
            row.dogs.append((tile, f"sigma {sigma:.3g}"))
            for name, xy in chosen.items():
                self._counts[name] += len(xy)
        self._rows.append(row)

    def render(self) -> Image.Image:
        """Return the sheet, RGB, or RGBA for a theme without ground."""
        rows, size = self._rows, max(12, self._tile // 16)
        gap, label = size // 2, round(1.5 * size)
        tile_width = max((row.gaussians[0][0].width for row in rows), default=self._tile)
        counts = len(rows[0].gaussians) if rows else 1, len(rows[0].dogs) if rows else 1
        lefts = [gap, gap + counts[0] * (tile_width + gap) + 2 * size]
        width = max(lefts[1] + counts[1] * (tile_width + gap), 40 * size)
        entries = [Note("extrema, by what becomes of them:")]
        keys = [Key(color, f"{self._counts[name]:,} {text}", "dot") for name, (color, text) in FATES.items()]
        legend = Legend.of([*entries, *keys[::-1]], width, 72 * size)
        head = 2 * label
        heights = [row.gaussians[0][0].height + 2 * label + gap for row in rows]
        sheet = Image.new(self._theme.mode, (width, head + sum(heights) + legend.height), self._theme.fill)
        reach = f"{self._reach:.3g}"
        for left, text in zip(lefts, ("Gaussians", f"DoG, black -{reach} to white {reach}"), strict=True):
            write(sheet, left, head / 2, text, round(1.3 * size), self._theme)
        top = head
        for row, height in zip(rows, heights, strict=True):
            write(sheet, gap, top + label / 2, row.title, size, self._theme)
            for left, tiles in zip(lefts, (row.gaussians, row.dogs), strict=True):
                for k, (tile, text) in enumerate(tiles):
                    corner = left + k * (tile_width + gap), top + label
                    sheet.paste(tile, corner)
                    middle = corner[0] + (tile.width - text_width(text, size)) / 2
                    write(sheet, middle, corner[1] + tile.height + label / 2, text, size, self._theme)
            top += height
        sheet.paste(legend.render(self._theme), (0, top))
        return sheet


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize a level: small ones show their pixels."""
    if size[0] >= 2 * image.width:
        return image.resize(size, Image.Resampling.NEAREST)
    return image.resize(size, Image.Resampling.LANCZOS)
