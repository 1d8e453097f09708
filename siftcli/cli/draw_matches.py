"""Matches of two pictures: made here, or read from a file; and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..draw.blink import MILLISECONDS, blink_scenes
from ..draw.match_grounds import MatchedImages
from ..draw.matches import match_scene, matched_images
from ..draw.output import encode, encode_animation
from ..draw.page import Exhibit, page
from ..draw.style import MatchStyle
from ..errors import PlanError
from ..machine import cores
from ..matches import Matches
from ..matching.evidence import can_verify
from ..matching.exact import match_features
from ..matching.verify import require_estimator
from ..params import MatchParams
from ..words import counted
from .draw_inputs import Picture, extracted
from .draw_match_file import (
    read_match_file,
    require_features_for_indices,
    require_matched_features,
    with_stored_features,
)
from .draw_target import Target
from .match_words import parallax_hint, verdict
from .one_image import Reading

__all__ = ["MatchSource", "hint_on", "match_file", "matched", "summary"]

_WARPED = ("overlay", "blink")
"""Layouts that need a homography."""


@dataclass(frozen=True)
class MatchSource:
    """Source of the matches of two images.

    Attributes
    ----------
    file : str or None
        A match file; None to match the images here.
    pair : (str, str) or None
        Names of the two images in the file, if they differ.
    verify : str
        Model that verifies matches made here, "auto" or "none".
    """

    file: str | None
    pair: tuple[str, str] | None
    verify: str


def matched(
    pictures: list[Picture], source: MatchSource, layout: str, reading: Reading, *, described: bool
) -> tuple[list[Picture], MatchedImages]:
    """Match two pictures, or read their matches.

    Parameters
    ----------
    pictures : list of Picture
        Two.
    layout : str
        As of `MatchStyle`.
    described : bool
        Whether the pictures that are returned need features with descriptors.

    Raises
    ------
    PlanError, ParameterError
        If a package that the model or the layout needs is missing.
    FormatError
        If the match file is not of these images and features.
    """
    if source.file is None:
        pictures, matches = _matched_here(pictures, source.verify, layout, reading)
    else:
        pictures, matches = _read(pictures, source.file, source.pair, reading, described=described)
    a, b = pictures
    return pictures, matched_images(a.rgb, b.rgb, matches, a.features, b.features)


def _matched_here(pictures: list[Picture], verify: str, layout: str, reading: Reading) -> tuple[list[Picture], Matches]:
    """Match two pictures, and verify the matches by the model that was asked for."""
    kind: Any = "homography" if verify == "auto" and layout in _WARPED else verify
    if verify == "auto" and kind != "auto" and not can_verify():
        raise PlanError(f"--layout {layout}: needs PoseLib; install it with: pip install 'siftcli[geometry]'")
    if kind != "none":
        require_estimator(kind)
    a, b = pictures = [extracted(picture, reading) for picture in pictures]
    assert a.features is not None
    assert b.features is not None
    params = MatchParams(verify=None if kind == "none" else kind)
    return pictures, match_features(a.features, b.features, params, cores())


def _read(
    pictures: list[Picture], path: str, pair: tuple[str, str] | None, reading: Reading, *, described: bool
) -> tuple[list[Picture], Matches]:
    """Read the matches of two pictures, and find features where they are needed."""
    matches = read_match_file(path, pictures, pair)
    pictures = with_stored_features(path, matches, pictures)
    require_features_for_indices(path, matches, pictures)
    given = [picture.features is not None for picture in pictures]
    if described or matches.xy_a is None or matches.xy_b is None:
        pictures = [extracted(picture, reading, descriptors=described) for picture in pictures]
    require_matched_features(path, matches, pictures, given)
    return pictures, matches


def match_file(pictures: list[Picture], images: MatchedImages, style: MatchStyle, target: Target) -> bytes:
    """Return the file of a match picture, an animation or a page."""
    if target.format == "html":
        exhibits = [Exhibit(p.name, p.rgb, p.features) for p in pictures if p.features is not None]
        return page(exhibits, images.matches).encode()
    if style.layout == "blink":
        frames = [scene.render() for scene in blink_scenes(images, style)]
        return encode_animation(frames, target.format, MILLISECONDS, name=target.path)
    return encode(match_scene(images, style), target.format, name=target.path)


def summary(matches: Matches, style: MatchStyle, source: MatchSource) -> str:
    """Say how many matches there are, of which model, and how many are drawn."""
    text = verdict(matches, None if source.file is not None else source.verify)
    shown = len(matches)
    if style.show != "all" and matches.inliers is not None:
        shown = int((matches.inliers == (style.show == "inliers")).sum())
    drawn = shown if style.top is None else min(shown, style.top)
    if drawn == len(matches):
        return f"{text}; drawn"
    return f"{text}; {f'{drawn:,}' if style.show == 'all' else counted(drawn, style.show[:-1])} drawn"


def hint_on(matches: Matches, style: MatchStyle) -> str | None:
    """Return a hint where outliers of a homography are drawn that are due to parallax, or None."""
    if style.layout in _WARPED or matches.kind != "homography":
        return None
    return parallax_hint(matches, MatchParams(verify="homography"))
