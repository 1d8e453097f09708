"""How pictures look: the options, their defaults and ranges.

The command line builds its options from the fields below; every instance is checked when it is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import ParameterError
from .palette import COLORINGS, THEMES, parse_color

__all__ = ["KeypointStyle", "MatchStyle", "PictureStyle"]


def _option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: tuple[str, ...] = (),
    whole: bool = False,
) -> Any:
    """A dataclass field with its range (`low` and `high` inclusive, `above` exclusive), unit and meaning."""
    metadata = {"help": help, "unit": unit, "low": low, "high": high, "above": above, "choices": choices}
    return field(default=default, metadata={**metadata, "whole": whole})


@dataclass(frozen=True, kw_only=True)
class PictureStyle:
    """What keypoint and match pictures share."""

    top: int | None = _option(
        None, "Draw only the best N: keypoints of highest response, matches of lowest ratio.", low=0, whole=True
    )
    thin: bool = _option(
        True,
        "Where marks would crowd or lines run together, draw the best in full and the others as dots. With --top N "
        "nothing is reduced but descriptors that would cover a larger one.",
    )
    opacity: float = _option(0.9, "Opacity of the marks.", low=0, high=1)
    line_width: float | None = _option(
        None, "Width of lines; by default it grows with the picture.", unit="picture px", above=0, high=1000
    )
    halo: bool = _option(True, "Draw a dark rim around lines, so that they show on light ground.")
    zoom: float | None = _option(
        None, "Size of the picture over that of the image; by default 1, and more for small images.", above=0, high=64
    )
    legend: bool = _option(True, "Explain the picture in a strip below it.")
    theme: str = _option(
        "dark",
        "Colours of the legend and of gaps; none: transparent, with grey text (png, webp, tiff and svg).",
        choices=tuple(THEMES),
    )

    def __post_init__(self) -> None:
        for f in fields(self):
            _check(f.name, f.metadata, getattr(self, f.name), optional=f.default is None)


@dataclass(frozen=True, kw_only=True)
class KeypointStyle(PictureStyle):
    """How keypoints are drawn."""

    style: str = _option(
        "circles",
        "circles, with a line that points along the orientation; arrows; frames, as squares; points; "
        "descriptors, the 4 x 4 histograms of gradients.",
        choices=("circles", "points", "arrows", "frames", "descriptors"),
    )
    radius: str = _option(
        "auto",
        "Size of circles, arrows and frames: sigma; support, that of the descriptor (two cells to each side); "
        "auto, support for arrows and sigma for the others.",
        choices=("auto", "sigma", "support"),
    )
    color: str = _option(
        "scale",
        f"What colour shows ({', '.join(COLORINGS)}), or one colour (yellow, #ffe24d). Colours of scale and response "
        "are spread over the keypoints.",
    )
    region: tuple[float, float, float, float] | None = _option(
        None, "Draw only this part of the image: left, top, width and height.", unit="px"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.color not in COLORINGS:
            parse_color(self.color, others=COLORINGS)
        if self.region is not None and (
            len(self.region) != 4 or not all(map(math.isfinite, self.region)) or min(self.region[2:]) < 1
        ):
            raise ParameterError("region", f"must be left, top, width and height of at least 1, not {self.region}")

    @property
    def supported(self) -> bool:
        """Whether marks are as large as the descriptor's support."""
        return self.radius == "support" or (self.radius == "auto" and self.style == "arrows")


@dataclass(frozen=True, kw_only=True)
class MatchStyle(PictureStyle):
    """How matches are drawn."""

    layout: str = _option(
        "auto",
        "side: beside each other; stacked: below each other; auto: stacked for panoramas, else side; overlay: a warped "
        "onto b, a in magenta and b in green, grey where they agree; blink: a warped onto b and b in turn.",
        choices=("auto", "side", "stacked", "overlay", "blink"),
    )
    show: str = _option(
        "all", "Which matches are drawn, where they were verified.", choices=("all", "inliers", "outliers")
    )
    line_color: str | None = _option(
        None, "Colour of matches, or of inliers where matches were verified; by default blue, or by ratio."
    )
    outlier_color: str = _option("orange", "Colour of outliers.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.line_color is not None:
            parse_color(self.line_color, "line_color")
        parse_color(self.outlier_color, "outlier_color")


def _check(name: str, meta: Any, value: Any, *, optional: bool) -> None:
    """Raise ParameterError for a value outside its range."""
    if value is None and optional:
        return
    if meta["choices"] and value not in meta["choices"]:
        raise ParameterError(name, f"must be one of {', '.join(meta['choices'])}, not {value!r}")
    low, high, above = (meta[key] for key in ("low", "high", "above"))
    if low is None and above is None:
        return
    whole = meta["whole"]
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not math.isfinite(value):
        raise ParameterError(name, f"must be a {'whole ' if whole else ''}number, not {value!r}")
    if low is not None and value < low:
        raise ParameterError(name, f"must be at least {low}, not {value}")
    if above is not None and value <= above:
        raise ParameterError(name, f"must be greater than {above}, not {value}")
    if high is not None and value > high:
        raise ParameterError(name, f"must be at most {high}, not {value}")
