"""``sift draw``: from what was asked for to the picture's file."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from pathlib import Path, PurePath
from typing import Any

from ..draw.blink import MILLISECONDS, blink_scenes
from ..draw.formats import ANIMATED, FORMATS, TRANSPARENT, picture_format
from ..draw.keypoints import keypoint_scene, strongest
from ..draw.matches import match_scene, matched_images
from ..draw.output import encode, encode_animation
from ..draw.page import Exhibit, page
from ..draw.style import KeypointStyle, MatchStyle
from ..errors import PlanError
from ..io.files import STDIN, STDOUT
from ..io.output import atomic_write, make_folder
from ..io.pairs import parts
from ..matches import Matches
from ..matching.evidence import can_verify
from ..matching.verify import require_estimator
from ..words import counted
from .draw import Request
from .draw_inputs import (
    Picture,
    extracted,
    folder_of,
    match_pictures,
    read_pictures,
    sorted_files,
)
from .draw_match_file import (
    read_match_file,
    require_features_for_indices,
    require_matched_features,
    with_stored_features,
)
from .guard import guard
from .match_words import verdict
from .one_image import Reading
from .streams import one_line, say, write_json, write_stdout

__all__ = ["exhibit_page", "run"]

_OF_PAGES = ("style", "radius", "color", "top")
"""Options of keypoint pictures that pages have too."""


@dataclass(frozen=True)
class _Target:
    """Where the picture goes, and in which format."""

    path: str
    format: str


def run(request: Request) -> int:
    """Draw pictures and write them; return the exit status."""
    start = time.perf_counter()
    reading = Reading(request.preset, request.reading, quiet=request.quiet)
    folder, features = folder_of(request.files)
    if folder is not None:
        from .draw_folder import run_folder

        style = _style(request, several=False)
        assert isinstance(style, KeypointStyle)
        return run_folder(folder, features, style, request, reading)
    images, feature_files = sorted_files(request.files)
    style = _style(request, several=len(images) > 1)
    target = _target(images, request, blink=isinstance(style, MatchStyle) and style.layout == "blink")
    _refuse_options(target, request, style)
    guard([target.path], (part for path in request.files if path != STDIN for part in parts(path)))
    pictures = read_pictures(images, feature_files, reading)
    if isinstance(style, KeypointStyle):
        data, found, said = _keypoints(pictures[0], style, target, reading)
    else:
        data, found, said = _matches(pictures, request, style, target, reading)
    if target.path == STDOUT:
        write_stdout(data)
    else:
        make_folder(Path(target.path).parent)
        atomic_write(target.path, data, overwrite=request.overwrite)
    seconds = time.perf_counter() - start
    if request.as_json:
        names: dict[str, Any] = {"path": images[0]} if len(images) == 1 else {"a": images[0], "b": images[1]}
        write_json({**names, "output": target.path, **found, "seconds": round(seconds, 4), "status": "done"})
    if request.verbose or (target.path != STDOUT and not request.quiet):
        link = " " if isinstance(style, KeypointStyle) else "; "
        where = "" if target.path == STDOUT else f"{link}drawn to {one_line(target.path)}"
        say(f"{one_line(' and '.join(images))}: {said}{where} in {seconds:.2f} s")
    return 0


# --- what is refused before there is work


def _style(request: Request, *, several: bool) -> KeypointStyle | MatchStyle:
    kind = MatchStyle if several else KeypointStyle
    known = {field.name for field in fields(kind)}
    for name in request.style:
        if name not in known:
            raise PlanError(f"{_flag(name)}: is about {'keypoints, of one image' if several else 'two images'}")
    if request.match_file is not None and not several:
        raise PlanError("--matches: are of two images; name the other one too")
    if request.pair is not None and request.match_file is None:
        raise PlanError("--pair: names the images of a match file; give --matches too")
    return kind(**request.style)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _refuse_options(target: _Target, request: Request, style: KeypointStyle | MatchStyle) -> None:
    """Refuse options that do not go with the format."""
    several = isinstance(style, MatchStyle)
    if target.format == "html":
        for name in request.style:
            if several or name not in _OF_PAGES:
                raise PlanError(f"{_flag(name)}: does not apply to a page; what can be chosen there is chosen there")
    if style.theme == "none" and target.format not in TRANSPARENT:
        raise PlanError(f"--theme none: {target.format} has no transparency; use {', '.join(TRANSPARENT)}")


def _target(images: list[str], request: Request, *, blink: bool) -> _Target:
    output, usual = request.output, request.format or ("gif" if blink else "png")
    if output == "":
        raise PlanError("-o: the name is empty")
    if output == STDOUT or (output is None and images[0] == STDIN):
        target = _Target(STDOUT, picture_format("", usual))
    elif output is None or output.endswith("/") or Path(output).is_dir():
        folder, format = Path(images[0]).parent if output is None else Path(output), picture_format("", usual)
        target = _Target(str(folder / _name(images, FORMATS[format][0])), format)
    else:
        target = _Target(output, picture_format(output, request.format))
    if blink and target.format not in ANIMATED:
        raise PlanError(f"--layout blink: {target.format} holds no animation; use {', '.join(ANIMATED)}")
    if target.path == STDOUT and request.as_json:
        raise PlanError("--json: stdout cannot take both the picture and the JSON; give -o a file")
    if target.path != STDOUT and not request.overwrite and Path(target.path).is_file():
        raise PlanError(f"{target.path}: exists already; use --overwrite to replace it, or -o for another place")
    return target


def _name(images: list[str], suffix: str) -> str:
    stems = ["stdin" if image == STDIN else PurePath(image).stem for image in images]
    return f"{stems[0]}.keypoints{suffix}" if len(stems) == 1 else f"{stems[0]}-{stems[1]}.matches{suffix}"


# --- pictures


def _keypoints(
    picture: Picture, style: KeypointStyle, target: _Target, reading: Reading
) -> tuple[bytes, dict[str, object], str]:
    """Return the file of a keypoint picture, and what is told about it."""
    page_wanted = target.format == "html"
    given = picture.features is not None
    picture = extracted(picture, reading, descriptors=style.style == "descriptors" or (page_wanted and not given))
    assert picture.features is not None
    count = len(picture.features)
    found: dict[str, object] = {"keypoints": count}
    drawn = count if style.top is None else min(count, style.top)
    said = counted(count, "keypoint") if drawn == count else f"{drawn:,} of {counted(count, 'keypoint')}"
    if page_wanted:
        return exhibit_page(picture, style), found, said
    return encode(keypoint_scene(picture.image, picture.features, style), target.format, name=target.path), found, said


def exhibit_page(picture: Picture, style: KeypointStyle) -> bytes:
    """Return the page of one picture that has features."""
    assert picture.features is not None
    features = strongest(picture.features, style.top)
    look = {"style": style.style, "radius": "support" if style.supported else "sigma", "color": style.color}
    return page([Exhibit(picture.name, picture.image, features)], look=look).encode()


def _matches(
    pictures: list[Picture], request: Request, style: MatchStyle, target: _Target, reading: Reading
) -> tuple[bytes, dict[str, object], str]:
    """Return the file of a match picture, and what is told about it."""
    page_wanted = target.format == "html"
    if request.match_file is None:
        kind = "homography" if request.verify == "auto" and style.layout in ("overlay", "blink") else request.verify
        if request.verify == "auto" and kind != "auto" and not can_verify():
            raise PlanError(f"--layout {style.layout}: needs PoseLib; install it with: pip install 'siftcli[geometry]'")
        if kind not in ("auto", "none"):
            require_estimator(kind)
        pictures = [extracted(picture, reading) for picture in pictures]
        matches = match_pictures(pictures[0], pictures[1], None if kind == "none" else kind)
    else:
        matches = read_match_file(request.match_file, pictures, request.pair)
        pictures = with_stored_features(request.match_file, matches, pictures)
        require_features_for_indices(request.match_file, matches, pictures)
        given = [picture.features is not None for picture in pictures]
        if page_wanted or matches.xy_a is None or matches.xy_b is None:
            pictures = [extracted(picture, reading, descriptors=page_wanted) for picture in pictures]
        require_matched_features(request.match_file, matches, pictures, given)
    a, b = pictures
    images = matched_images(a.image, b.image, matches, a.features, b.features)
    found: dict[str, object] = {
        "matches": len(matches),
        "inliers": None if matches.inliers is None else int(matches.inliers.sum()),
        "model": None if matches.model is None else matches.model.kind,
    }
    said = _said(images.matches, style, request)
    if page_wanted:
        exhibits = [Exhibit(p.name, p.image, p.features) for p in pictures if p.features is not None]
        return page(exhibits, images.matches).encode(), found, said
    if style.layout == "blink":
        frames = [scene.render() for scene in blink_scenes(images, style)]
        return encode_animation(frames, target.format, MILLISECONDS, name=target.path), found, said
    return encode(match_scene(images, style), target.format, name=target.path), found, said


def _said(matches: Matches, style: MatchStyle, request: Request) -> str:
    """Say how many matches there are, of which model, and how many are drawn."""
    text = verdict(matches, None if request.match_file is not None else request.verify)
    shown = len(matches)
    if style.show != "all" and matches.inliers is not None:
        shown = int((matches.inliers == (style.show == "inliers")).sum())
    drawn = shown if style.top is None else min(shown, style.top)
    return text if drawn == len(matches) else f"{text}; {drawn:,} of them"
