"""``sift draw``: pictures of keypoints and of matches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from typing import Any, TypeVar

import click

from ..draw.formats import FORMATS
from ..draw.style import KeypointStyle, MatchStyle, PictureStyle
from ..io.image_kinds import ImageReading
from .guard import READ, WRITTEN
from .options import SiftCommand, image_options, option, preset_option, report_options, taken_reading

__all__ = ["Request", "command"]

_F = TypeVar("_F", bound=Callable[..., Any])

_VERIFY = ("homography", "fundamental", "essential", "similarity", "none")


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes
    ----------
    files : tuple of str
        Images and feature files.
    output, format : str or None
        Where the picture goes; which format.
    overwrite : bool
        About a file that exists.
    match_file : str or None
        Of the matches to draw.
    verify : str or None
        The model that matches made here are verified by.
    style : mapping
        Fields of :mod:`siftcli.draw.style` that were given.
    preset : str
        For features that are extracted.
    reading : ImageReading
        How images are read.
    as_json, quiet, verbose : bool
        What is told.
    """

    files: tuple[str, ...]
    output: str | None
    format: str | None
    overwrite: bool
    match_file: str | None
    verify: str | None
    style: Mapping[str, Any]
    preset: str
    reading: ImageReading
    as_json: bool
    quiet: bool
    verbose: bool


def _region(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float, float, float] | None:
    """Read LEFT,TOP,WIDTH,HEIGHT."""
    if value is None:
        return None
    try:
        left, top, width, height = map(float, value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not four numbers: left,top,width,height", ctx, param) from None
    return left, top, width, height


def _style_option(field: Field[Any], group: str) -> Callable[[_F], _F]:
    """Declare the option of a field; it is None where it was not given."""
    meta, flag = field.metadata, f"--{field.name.replace('_', '-')}"
    attrs: dict[str, Any] = {"group": group, "help": meta["help"], "default": None, "note": _note(field)}
    if isinstance(field.default, bool):
        return option(f"{flag}/--no-{flag[2:]}", **attrs)
    if field.name == "region":
        return option(flag, callback=_region, metavar="X,Y,W,H", **attrs)
    if meta["choices"]:
        return option(flag, type=click.Choice(meta["choices"]), **attrs)
    return option(flag, type=str if isinstance(field.default, str) else int if meta["whole"] else float, **attrs)


def _note(field: Field[Any]) -> str:
    low, above, high = (field.metadata[key] for key in ("low", "above", "high"))
    start = f"at least {low:g}" if low is not None else f"above {above:g}" if above is not None else ""
    limits = [text for text in (start, "" if high is None else f"at most {high:g}") if text]
    default = {True: "on", False: "off"}[field.default] if isinstance(field.default, bool) else field.default
    parts = (field.metadata["unit"], ", ".join(limits), "" if default is None else f"default: {default}")
    return "; ".join(part for part in parts if part)


def _style_options(function: _F) -> _F:
    shared = {field.name for field in fields(PictureStyle)}
    groups = (
        ("Picture", fields(PictureStyle)),
        ("Matches", [field for field in fields(MatchStyle) if field.name not in shared]),
        ("Keypoints", [field for field in fields(KeypointStyle) if field.name not in shared]),
    )
    for group, members in groups:
        for field in reversed(members):
            function = _style_option(field, group)(function)
    return function


@click.command("draw", cls=SiftCommand, example="sift draw photo.jpg")
@click.argument("files", nargs=-1, metavar="IMAGE [FEATURES] | A B [FEATURES...]", type=READ)
@option(
    "-o",
    "--output",
    group="Output",
    metavar="OUT",
    type=WRITTEN,
    help="A picture, or an .html page to look around in; a folder; '-' for stdout.",
    note="default: photo.keypoints.png or a-b.matches.png beside the first image; for stdin, stdout",
)
@option(
    "--format",
    "format",
    group="Output",
    metavar="NAME",
    help=f"Whatever the suffix of OUT: {', '.join(FORMATS)}.",
    note="default: by the suffix of OUT, else png",
)
@option("--overwrite", group="Output", is_flag=True, help="Replace an output that exists.")
@_style_options
@option(
    "--matches",
    "match_file",
    group="Matches",
    metavar="FILE",
    type=READ,
    help="Draw the matches of a file that sift match wrote; without it, two images are matched here.",
)
@option(
    "--verify",
    group="Matches",
    type=click.Choice(_VERIFY),
    default="homography",
    help="How matches that are made here are verified.",
    note="default: homography",
)
@preset_option("Image", "Parameters of features that are extracted here.")
@image_options
@report_options("Other", "Print a JSON object about the picture on stdout.", "Say what was drawn.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    output: str | None,
    format: str | None,
    overwrite: bool,
    match_file: str | None,
    verify: str,
    preset: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **given: Any,
) -> None:
    """Draw keypoints over their image, or the matches of two images.

    FEATURES are of any format that sift reads; without them, features are extracted. With -o page.html the result is a
    page to look around in: zoom, filter, and point at a keypoint to see its numbers, its patch and its descriptor.

    Matches: sift draw left.jpg right.jpg --matches matches.csv

    Exit status: 0 done, 1 a file cannot be read or written, 2 wrong usage.
    """
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other.", ctx)
    reading = taken_reading(given)
    request = Request(
        files=files,
        output=output,
        format=format,
        overwrite=overwrite,
        match_file=match_file,
        verify=None if verify == "none" else verify,
        style={name: value for name, value in given.items() if value is not None},
        preset=preset,
        reading=reading,
        as_json=as_json,
        quiet=quiet,
        verbose=verbose,
    )

    from .draw_run import run

    run(request)
