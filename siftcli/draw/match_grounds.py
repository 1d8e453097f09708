"""Two images in one picture: beside each other, or one warped onto the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..matches import Matches
from .palette import THEMES, Theme
from .picture import View
from .scene import line_width
from .warp import homography_of, mapped, overlaid, union

__all__ = ["Ground", "MatchedImages", "beside", "overlay"]

_Array = npt.NDArray[np.float64]
_Place: TypeAlias = Callable[[npt.NDArray[np.floating]], _Array]

_SMALLER = 0.4
"""An image that is smaller than this, relative to the other, is enlarged to the same size."""
_GAP = 4.0
"""Between images, in line widths."""
_WIDE = 4.0
"""Width of a picture over its height from which on two images are stacked; two of 16 x 9 have 3.6."""


@dataclass(frozen=True, eq=False)
class MatchedImages:
    """Two images and their matches.

    Attributes
    ----------
    a, b : PIL.Image.Image
        RGB.
    matches : Matches
        With positions.
    """

    a: Image.Image
    b: Image.Image
    matches: Matches


@dataclass(frozen=True, eq=False)
class Ground:
    """The picture without marks, and where points of a and of b are in it.

    Attributes
    ----------
    image : PIL.Image.Image
        RGB, or RGBA for a theme without ground.
    place_a, place_b : callable
        Takes points of the image, (N, 2), to those of the picture; NaN for what it cannot show.
    """

    image: Image.Image
    place_a: _Place
    place_b: _Place

    def places(self, matches: Matches) -> tuple[_Array, _Array]:
        """Return where matches begin and end in the picture, (M, 2) each."""
        assert matches.xy_a is not None
        assert matches.xy_b is not None
        return self.place_a(matches.xy_a), self.place_b(matches.xy_b)


def beside(images: MatchedImages, layout: str, zoom: float | None, theme: Theme = THEMES["dark"]) -> Ground:
    """Put two images beside ("side") or below ("stacked") each other; "auto" stacks what would be very wide."""
    sizes = images.a.size, images.b.size
    ratios = [max(other) / max(own) for own, other in (sizes, sizes[::-1])]
    enlarge = [ratio if ratio * _SMALLER > 1 else 1.0 for ratio in ratios]
    (width, height), (other_width, other_height) = ((e * s[0], e * s[1]) for e, s in zip(enlarge, sizes, strict=True))
    side = width + other_width, max(height, other_height)
    stack = max(width, other_width), height + other_height
    stacked = layout == "stacked" or (layout == "auto" and side[0] > _WIDE * side[1])
    whole = stack if stacked else side
    zoom = View.of((round(whole[0]), round(whole[1])), zoom=zoom).zoom
    views = [View.of(size, zoom=zoom * e) for size, e in zip(sizes, enlarge, strict=True)]
    along = 1 if stacked else 0
    start = [0, views[0].size[along] + max(4, round(_GAP * line_width(*whole) * zoom))]
    length, breadth = start[1] + views[1].size[along], max(view.size[1 - along] for view in views)
    ground = Image.new(theme.mode, (breadth, length) if stacked else (length, breadth), theme.fill)
    places: list[_Place] = []
    for image, view, first in zip((images.a, images.b), views, start, strict=True):
        middle = (breadth - view.size[1 - along]) // 2
        corner = (middle, first) if stacked else (first, middle)
        ground.paste(view.show(image), corner)
        places.append(_shifted(view, corner))
    return Ground(ground, *places)


def _shifted(view: View, corner: tuple[int, int]) -> _Place:
    return lambda xy: view.place(xy) + corner


def overlay(images: MatchedImages, zoom: float | None, theme: Theme = THEMES["dark"]) -> Ground:
    """Lay image a, as the homography of the matches takes it, over image b."""
    homography = homography_of(images.matches)
    left, top, width, height = union(homography, images.a.size, images.b.size)
    homography = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ homography
    ground = overlaid(images.a, images.b, homography, (-left, -top), (width, height), theme)
    view = View.of((width, height), zoom=zoom)
    return Ground(
        view.show(ground), lambda xy: view.place(mapped(homography, xy)), lambda xy: view.place(xy - (left, top))
    )
