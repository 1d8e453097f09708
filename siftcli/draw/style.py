"""Options of pictures, with their defaults and ranges.

The command line builds its options from the fields below; every instance is checked when it is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ParameterError
from ..settings import check, setting
from .palette import COLOR_NAMES, COLORINGS, THEMES, parse_color

__all__ = ["KeypointStyle", "MatchStyle", "PictureStyle"]


@dataclass(frozen=True, kw_only=True)
class PictureStyle:
    """Style that keypoint and match pictures share."""

    top: int | None = setting(
        None, "Draw only the best N: keypoints of highest response, matches of lowest ratio.", low=0, kind=int
    )
    thin: bool = setting(
        True,
        "Where marks would crowd or lines run together, draw the best in full and the others as dots. With --top N "
        "nothing is reduced but descriptors that would cover a larger one.",
    )
    opacity: float = setting(0.9, "Opacity of the marks.", low=0, high=1)
    line_width: float | None = setting(
        None, "Width of lines; by default it grows with the picture.", unit="picture px", above=0, high=1000, kind=float
    )
    halo: bool = setting(True, "Draw a dark rim around lines, so that they are visible on bright images.")
    zoom: float | None = setting(
        None,
        "Magnification of the picture; by default 1, and more for small images.",
        above=0,
        high=64,
        kind=float,
    )
    legend: bool = setting(True, "Draw a legend below the picture.")
    theme: str = setting(
        "dark",
        "Colours of the legend and of gaps; none: transparent, with grey text (png, webp, tiff and svg).",
        choices=tuple(THEMES),
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class KeypointStyle(PictureStyle):
    """How keypoints are drawn."""

    style: str = setting(
        "circles",
        "circles, with a line that points along the orientation; arrows; frames, as squares; points; "
        "descriptors, the 4 x 4 histograms of gradients.",
        choices=("circles", "points", "arrows", "frames", "descriptors"),
    )
    radius: str = setting(
        "auto",
        "Size of circles, arrows and frames: sigma; support, that of the descriptor (two cells to each side); "
        "auto, support for arrows and sigma for the others.",
        choices=("auto", "sigma", "support"),
    )
    color: str = setting(
        "scale",
        f"What colour shows ({', '.join(COLORINGS)}), or one colour (yellow, #ffe24d). Colours of scale and response "
        "are spread over the keypoints.",
        words=(*COLORINGS, *COLOR_NAMES),
    )
    region: tuple[float, float, float, float] | None = setting(
        None, "Draw only this part of the image.", unit="px", kind=float, parts=("x", "y", "w", "h")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.color not in COLORINGS:
            parse_color(self.color, others=COLORINGS)
        if self.region is not None and min(self.region[2:]) < 1:
            raise ParameterError("region", f"must have a width and height of at least 1, not {list(self.region)}")

    @property
    def supported(self) -> bool:
        """True if marks are as large as the descriptor's support."""
        return self.radius == "support" or (self.radius == "auto" and self.style == "arrows")


@dataclass(frozen=True, kw_only=True)
class MatchStyle(PictureStyle):
    """How matches are drawn."""

    layout: str = setting(
        "auto",
        "side: beside each other; stacked: below each other; auto: stacked for panoramas, else side; overlay: a warped "
        "onto b, a in magenta and b in green, grey where they agree; blink: a warped onto b and b in turn.",
        choices=("auto", "side", "stacked", "overlay", "blink"),
    )
    show: str = setting("all", "Matches to draw, if they were verified.", choices=("all", "inliers", "outliers"))
    line_color: str | None = setting(
        None,
        "Colour of matches, or of inliers where matches were verified; by default blue, or by ratio.",
        words=COLOR_NAMES,
        kind=str,
    )
    outlier_color: str = setting("orange", "Colour of outliers.", words=COLOR_NAMES)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.line_color is not None:
            parse_color(self.line_color, "line_color")
        parse_color(self.outlier_color, "outlier_color")
