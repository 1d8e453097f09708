"""Elements of a picture, before it is rendered as pixels or SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image

from .color import Colors
from .legend import Entry, Legend
from .palette import THEMES, Theme
from .raster import Canvas

__all__ = ["SHADE", "Marks", "Scene", "halo_width", "line_width"]

_Floats = npt.NDArray[np.floating]

SHADE = 0.6
"""Opacity of the halo, times that of the marks."""


_HALO, _THIN = 0.6, 0.8
"""Width of a halo, in line widths, and the least, in pixels."""
_CLEAR = 0.04
"""Share of a picture that halos may darken at full width; where there are more marks, halos are thinner."""


def line_width(width: float, height: float) -> float:
    """Width of lines that suits a picture of this size, in pixels: 1.2, and more above 1080 pixels."""
    return max(1.2, max(width, height) / 900)


def halo_width(line: float) -> float:
    """Width of the halo beside lines of this width."""
    return max(1.0, _HALO * line)


@dataclass(frozen=True, eq=False)
class Marks:
    """Line work of one kind; the last mark is on top.

    Attributes
    ----------
    kind : str
        What a mark is, in one word.
    colors : (N, 3) uint8
        Colour of each mark.
    widths : (N,) array
        Width of its lines, in pixels.
    circles : (C, 3) array
        x, y and radius, in pixels; a circle of radius 0 is a dot as wide as the line.
    circle_of : (C,) intp
        The mark that each belongs to; ascending.
    segments : (S, 4) array
        x and y of one end, then of the other, in pixels.
    segment_of : (S,) intp
        The mark that each belongs to; ascending.
    opacity : float
        Times that of the scene.
    rimmed : bool
        Whether its lines have halos.
    """

    kind: str
    colors: Colors
    widths: _Floats
    circles: _Floats
    circle_of: npt.NDArray[np.intp]
    segments: _Floats
    segment_of: npt.NDArray[np.intp]
    opacity: float = 1.0
    rimmed: bool = True

    def __len__(self) -> int:
        return len(self.colors)

    @classmethod
    def of(
        cls,
        kind: str,
        colors: Colors,
        widths: _Floats,
        *,
        circles: _Floats | None = None,
        segments: _Floats | None = None,
    ) -> Marks:
        """Make marks of one circle each, of the same number of segments each, or of both.

        Parameters
        ----------
        circles : (N, 3) array, optional
        segments : (N, k, 4) array, optional
        """
        each = np.arange(len(colors))
        count = 0 if segments is None else segments.shape[1]
        return cls(
            kind,
            colors,
            widths,
            np.empty((0, 3)) if circles is None else circles,
            each[:0] if circles is None else each,
            np.empty((0, 4)) if segments is None else segments.reshape(-1, 4),
            np.repeat(each, count),
        )


@dataclass(frozen=True, eq=False)
class Scene:
    """An image, marks on it, and what explains them.

    Attributes
    ----------
    ground : PIL.Image.Image
        RGB, or RGBA for a theme without ground; the centre of its first pixel is at (0, 0) of the marks.
    marks : sequence of Marks
        The last on top.
    opacity : float
        Opacity of the marks, 0 to 1.
    halo : float
        Largest width of the dark rim beside their lines, in pixels; 0 for none.
    legend : sequence of Entry
        Shown in a strip below the image, unless empty.
    theme : Theme
        Theme of that strip.
    """

    ground: Image.Image
    marks: Sequence[Marks]
    opacity: float = 1.0
    halo: float = 1.0
    legend: Sequence[Entry] = ()
    theme: Theme = THEMES["dark"]

    def halos(self, marks: Marks) -> _Floats:
        """Width of the halos of marks, (N,): less beside thin lines, and where marks are many."""
        return self._reach(marks) * self._crowding

    def _reach(self, marks: Marks) -> _Floats:
        return np.minimum(np.maximum(_HALO * marks.widths, _THIN), self.halo if marks.rimmed else 0)

    @cached_property
    def _crowding(self) -> float:
        """Factor of the halos' widths that keeps a dense picture from getting dark; 1 for most pictures."""
        dark = 0.0
        for marks in self.marks:
            along, reach = marks.segments[:, 2:] - marks.segments[:, :2], self._reach(marks)
            length = np.bincount(marks.segment_of, np.hypot(along[:, 0], along[:, 1]), len(marks))
            around = 2 * np.pi * (marks.circles[:, 2] + marks.widths[marks.circle_of] / 4)  # a dot has one side only
            rims = np.bincount(marks.circle_of, around, len(marks))
            dark += 2 * float(((length + rims) * reach).sum())
        return min(1.0, _CLEAR * self.ground.width * self.ground.height / max(dark, 1e-9))

    def render(self) -> Image.Image:
        """Return the picture in the mode of the theme: the image with its marks, and the legend below."""
        width, height = self.ground.size
        legend = Legend.of(self.legend, width, max(width, height))
        pixels = np.empty((height + legend.height, width, len(self.theme.mode)), np.uint8)
        pixels[:height] = np.asarray(self.ground.convert(self.theme.mode))
        count = sum(map(len, self.marks))
        if count:
            canvas = Canvas(width, height, count)
            first = 0
            for marks in self.marks:
                halos = self.halos(marks)
                for draw, lines, of in (
                    (canvas.circles, marks.circles, marks.circle_of),
                    (canvas.segments, marks.segments, marks.segment_of),
                ):
                    draw(lines, marks.widths[of], halos[of], of + first)
                first += len(marks)
            colors = np.concatenate([marks.colors for marks in self.marks])
            opacity = np.concatenate([np.full(len(marks), marks.opacity, np.float32) for marks in self.marks])
            canvas.over(pixels[:height], colors, opacity * np.float32(self.opacity), SHADE if self.halo else 0)
        picture = Image.fromarray(pixels)
        if legend.height:
            picture.paste(legend.render(self.theme), (0, height))
        return picture
