"""Match pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ParameterError
from ..features import Features, Float32
from ..matches import MODELS, Matches
from ..words import counted
from .legend import Entry, Key, Note
from .match_grounds import MatchedImages, beside, overlay
from .match_marks import best_first, connected, in_full, match_colors, residuals
from .palette import THEMES, parse_color
from .picture import ImageLike, to_rgb
from .scene import Scene, halo_width, line_width
from .style import MatchStyle

__all__ = ["draw_matches", "match_scene", "matched_images"]


def draw_matches(
    image_a: ImageLike,
    image_b: ImageLike,
    matches: Matches,
    features_a: Features | None = None,
    features_b: Features | None = None,
    **options: Any,
) -> Image.Image:
    """Draw two images and the matches between them.

    Parameters
    ----------
    image_a, image_b : PIL.Image.Image, or (H, W) or (H, W, 3) array
        Arrays are uint8, uint16, or floats in [0, 1].
    matches : Matches
    features_a, features_b : Features, optional
        Features of the images, where the matches do not tell where they are.
    **options
        See `siftcli.draw.style.MatchStyle`.

    Returns
    -------
    PIL.Image.Image
        RGB.

    Raises
    ------
    ParameterError
        For an image of another shape or dtype, an option outside its range, matches without a place, or without the
        homography that a layout needs.

    Examples
    --------
    >>> import numpy as np, siftcli
    >>> y, x = np.mgrid[:64, :64]
    >>> blob = np.exp(-((x - 30.25) ** 2 + (y - 33.75) ** 2) / (2 * 4.0**2))
    >>> a, b = (siftcli.detect(image, max_orientations=1) for image in (blob, blob.T))
    >>> siftcli.draw_matches(blob, blob.T, siftcli.match(a, b), legend=False, zoom=1).size
    (133, 64)
    """
    for name in options:
        if name not in MatchStyle.__dataclass_fields__:
            raise ParameterError(name, "is not an option of match pictures")
    style = MatchStyle(**options)
    if style.layout == "blink":
        raise ParameterError("layout", "blink is two pictures; take them from siftcli.draw.blink.blink_scenes")
    return match_scene(matched_images(image_a, image_b, matches, features_a, features_b), style).render()


def matched_images(
    a: ImageLike,
    b: ImageLike,
    matches: Matches,
    features_a: Features | None = None,
    features_b: Features | None = None,
) -> MatchedImages:
    """Prepare images and matches for drawing; parameters and errors as of `draw_matches`."""
    xy_a, xy_b = _places(matches, 0, features_a), _places(matches, 1, features_b)
    return MatchedImages(to_rgb(a), to_rgb(b), replace(matches, xy_a=xy_a, xy_b=xy_b))


def _places(matches: Matches, side: int, features: Features | None) -> Float32:
    xy = (matches.xy_a, matches.xy_b)[side]
    if xy is not None:
        return xy
    name = "ab"[side]
    if features is None:
        raise ParameterError("matches", f"do not tell where they are; give the features of image {name} too")
    index = matches.indices[:, side]
    if len(index) and int(index.max()) >= len(features):
        raise ParameterError(
            "matches", f"are of keypoint {int(index.max())} of image {name}, and there are {len(features)} features"
        )
    return features.xy[index]


def match_scene(images: MatchedImages, style: MatchStyle) -> Scene:
    """Lay out a match picture of any layout but blink."""
    theme = THEMES[style.theme]
    shown = _shown(images.matches, style.show)
    if style.layout == "overlay":
        ground = overlay(images, style.zoom, theme)
    else:
        ground = beside(images, style.layout, style.zoom, theme)
    line = style.line_width or line_width(*ground.image.size)
    start, stop = ground.places(shown)
    colors, entries = match_colors(shown, style)
    order = best_first(shown, start, stop)
    chosen = order[: style.top]
    full = np.ones(len(chosen), bool)
    if style.layout == "overlay":
        marks = residuals(shown, start, stop, colors, chosen, line)
        entries += [Key((255, 0, 255), "a, warped onto b", "area"), Key((0, 255, 0), "b", "area")]
    else:
        if style.thin and style.top is None:
            full = in_full(start[chosen], stop[chosen], line, ground.image.size)
        marks = connected(shown, start, stop, colors, chosen[full], chosen[~full], line)
    words: list[Entry] = [Note(_count(len(shown), len(chosen), int(full.sum())))]
    words += _verdicts(images.matches, shown, chosen, style)
    return Scene(
        ground.image,
        [m for m in marks if len(m)],
        opacity=style.opacity,
        halo=halo_width(line) if style.halo else 0.0,
        legend=words + entries if style.legend else (),
        theme=theme,
    )


def _shown(matches: Matches, show: str) -> Matches:
    if show == "all":
        return matches
    if matches.inliers is None:
        raise ParameterError("show", f"{show}: these matches were not verified; match with --verify")
    if show == "inliers":
        return matches.only_inliers()
    turned = replace(matches, inliers=~matches.inliers).only_inliers()
    return replace(turned, inliers=np.zeros(len(turned), bool))


def _count(total: int, drawn: int, full: int) -> str:
    text = counted(total, "match")
    if drawn < total:
        text = f"the {drawn:,} best of {text}"
    return text if full == drawn else f"{text}, {full:,} drawn as lines, the others as dots"


def _verdicts(matches: Matches, shown: Matches, drawn: npt.NDArray[np.intp], style: MatchStyle) -> list[Entry]:
    """Explain the colours of inliers and outliers: how many of each are drawn, and how many are not."""
    if matches.inliers is None or shown.inliers is None:
        return []
    model = "" if matches.kind is None else f" of {MODELS[matches.kind]}"
    inliers = int(np.count_nonzero(matches.inliers))
    totals = {"inliers": inliers, "outliers": len(matches) - inliers}
    seen = int(np.count_nonzero(shown.inliers[drawn]))
    counts = {"inliers": seen, "outliers": len(drawn) - seen}
    colors = {"inliers": style.line_color or "blue", "outliers": style.outlier_color}
    kinds: dict[str, Literal["line", "dashes"]] = {"inliers": "line", "outliers": "dashes"}
    entries: list[Entry] = []
    for name, total in totals.items():
        of = model if name == "inliers" else ""
        if style.show not in ("all", name):
            entries.append(Note(f"{counted(total, name[:-1])}{of} not shown"))
            continue
        part = f"{counts[name]:,} of " if counts[name] < total else ""
        entries.append(Key(parse_color(colors[name]), f"{part}{counted(total, name[:-1])}{of}", kinds[name]))
    return entries
