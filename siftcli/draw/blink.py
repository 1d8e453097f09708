"""Animations that alternate between two images, one warped onto the other; misaligned parts jump."""

from __future__ import annotations

from .legend import Entry, Note
from .match_grounds import MatchedImages
from .picture import View
from .scene import Scene
from .style import MatchStyle
from .warp import homography_of, warped

__all__ = ["MILLISECONDS", "blink_scenes"]

MILLISECONDS = 700
"""Duration of each image."""


def blink_scenes(images: MatchedImages, style: MatchStyle) -> list[Scene]:
    """Lay out the two pictures: image a as the homography of the matches takes it, and image b.

    Raises
    ------
    ParameterError
        If the matches have no homography.
    """
    moved, _ = warped(images.a, homography_of(images.matches), images.b.size)
    view = View.of(images.b.size, zoom=style.zoom)
    scenes = []
    for image, text in ((moved, "a, warped onto b"), (images.b, "b")):
        legend: tuple[Entry, ...] = (Note(text),) if style.legend else ()
        scenes.append(Scene(view.show(image), (), legend=legend))
    return scenes
