"""``sift draw``: from images, features and matches to the picture's file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..draw.formats import TRANSPARENT
from ..draw.style import KeypointStyle, MatchStyle
from ..errors import PlanError
from ..io.files import STDIN, STDOUT
from ..io.formats import feature_files
from ..matches import Matches
from ..words import counted
from .draw_inputs import Picture, folder_of, read_pictures, sorted_files
from .draw_matches import MatchSource, hint_on, match_file, matched, summary
from .draw_pictures import keypoint_file, with_drawn_features
from .draw_target import Output, Target, target_of, write_picture
from .guard import guard
from .one_image import Reading
from .streams import one_line, say, write_json

__all__ = ["run"]

_OF_PAGES = ("style", "radius", "color", "top")
"""Options of keypoint pictures that pages have too."""


def run(files: Sequence[str], given: Mapping[str, Any], source: MatchSource, reading: Reading, output: Output) -> int:
    """Draw pictures and write them; return the exit status.

    Parameters
    ----------
    files : sequence of str
        Images and feature files, or a folder.
    given : mapping
        Fields of :mod:`siftcli.draw.style` that were given.
    """
    start = time.perf_counter()
    folder, features = folder_of(files)
    if folder is not None:
        from .draw_folder import run_folder  # and the batch

        return run_folder(folder, features, _keypoint_style(given, source), reading, output)
    images, described = sorted_files(files)
    style = _match_style(given, source) if len(images) > 1 else _keypoint_style(given, source)
    target = target_of(images, output, blink=isinstance(style, MatchStyle) and style.layout == "blink")
    _refuse_options(target, given, style)
    guard([target.path], (part for path in files if path != STDIN for part in feature_files(path)))
    pictures = read_pictures(images, described, reading)
    hint = None
    if isinstance(style, KeypointStyle):
        picture = with_drawn_features(pictures[0], style, target.format, reading)
        data = keypoint_file(picture, style, target.format, name=target.path)
        record, text = _keypoints(picture, style)
        names: dict[str, object] = {"path": images[0]}
    else:
        pictures, ends = matched(pictures, source, style.layout, reading, described=target.format == "html")
        data = match_file(pictures, ends, style, target)
        record, text = _matches(ends.matches), summary(ends.matches, style, source)
        names = {"a": images[0], "b": images[1]}
        hint = None if output.quiet else hint_on(ends.matches, style)
    write_picture(target.path, data, output)
    seconds = time.perf_counter() - start
    if output.as_json:
        write_json({**names, "output": target.path, **record, "seconds": round(seconds, 4), "status": "done"})
    if output.verbose or (target.path != STDOUT and not output.quiet):
        where = "" if target.path == STDOUT else f" to {one_line(target.path)}"
        say(f"{one_line(' and '.join(images))}: {text}{where} in {seconds:.2f} s")
    if hint is not None:
        say(hint)
    return 0


# --- what is refused before there is work


def _keypoint_style(given: Mapping[str, Any], source: MatchSource) -> KeypointStyle:
    if source.file is not None:
        raise PlanError("--matches: needs both images; name the other one too")
    if source.pair is not None:
        raise PlanError("--pair: names the images of a match file; give --matches too")
    _refuse_foreign(given, KeypointStyle, "the matches of two images")
    return KeypointStyle(**given)


def _match_style(given: Mapping[str, Any], source: MatchSource) -> MatchStyle:
    if source.pair is not None and source.file is None:
        raise PlanError("--pair: names the images of a match file; give --matches too")
    _refuse_foreign(given, MatchStyle, "the keypoints of one image")
    return MatchStyle(**given)


def _refuse_foreign(given: Mapping[str, Any], kind: type[KeypointStyle | MatchStyle], others: str) -> None:
    known = {field.name for field in fields(kind)}
    for name in given:
        if name not in known:
            raise PlanError(f"{_flag(name)}: applies to {others}")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _refuse_options(target: Target, given: Mapping[str, Any], style: KeypointStyle | MatchStyle) -> None:
    """Refuse options that do not go with the format."""
    several = isinstance(style, MatchStyle)
    if target.format == "html":
        for name in given:
            if several or name not in _OF_PAGES:
                raise PlanError(f"{_flag(name)}: does not apply to a page; what can be chosen there is chosen there")
    if style.theme == "none" and target.format not in TRANSPARENT:
        raise PlanError(f"--theme none: {target.format} has no transparency; use {', '.join(TRANSPARENT)}")


# --- messages


def _keypoints(picture: Picture, style: KeypointStyle) -> tuple[dict[str, object], str]:
    """Return how many keypoints there are and are drawn, for JSON and in words."""
    assert picture.features is not None
    count = len(picture.features)
    drawn = count if style.top is None else min(count, style.top)
    return {"keypoints": count}, (f"{drawn:,} of " if drawn < count else "") + f"{counted(count, 'keypoint')} drawn"


def _matches(matches: Matches) -> dict[str, object]:
    return {
        "matches": len(matches),
        "inliers": None if matches.inliers is None else int(matches.inliers.sum()),
        "model": matches.kind,
    }
