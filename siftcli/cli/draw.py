"""``sift draw``: pictures of keypoints and of matches."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from ..draw.formats import FORMATS
from ..draw.style import KeypointStyle, MatchStyle, PictureStyle
from ..params import DescriptorParams, DetectorParams, SelectionParams
from .command import SiftCommand
from .guard import READ, WRITTEN
from .options import all_of, field_options, option, report_options
from .parameter_options import chosen_parameters, preset_option
from .shared_options import image_options, taken_reading

__all__ = ["command"]

_VERIFY = ("auto", "homography", "fundamental", "essential", "similarity", "none")


_style_options = all_of(
    [
        field_options(PictureStyle, "Picture"),
        field_options(MatchStyle, "Matches", PictureStyle.__dataclass_fields__),
        field_options(KeypointStyle, "Keypoints", PictureStyle.__dataclass_fields__),
    ]
)
"""An option for every field of the styles."""


_EXTRACTED = tuple(
    f.name
    for kind in (DetectorParams, DescriptorParams, SelectionParams)
    for f in fields(kind)
    if f.name != "region"  # --region is of the picture
)
"""Parameters of features that are extracted."""
_extraction_options = all_of(
    [
        field_options(DetectorParams, "Detector"),
        field_options(DescriptorParams, "Descriptor"),
        field_options(SelectionParams, "Selection", ["region"]),
    ]
)
"""An option for each of them."""


@click.command("draw", cls=SiftCommand, example="sift draw photo.jpg")
@click.argument("files", nargs=-1, metavar="IMAGE [FEATURES] | A B [FEATURES...] | FOLDER", type=READ)
@option(
    "-o",
    "--output",
    group="Output",
    metavar="OUT",
    type=WRITTEN,
    help="A picture, or an .html page to look around in; a folder; '-' for stdout. For a FOLDER, a picture is a "
    "contact sheet of its images.",
    note="default: photo.keypoints.png or a-b.matches.png beside the first image; for stdin, stdout",
)
@option(
    "--format",
    "format",
    group="Output",
    metavar="NAME",
    values=lambda: FORMATS,
    help=f"Whatever the suffix of OUT: {', '.join(FORMATS)}.",
    note="default: by the suffix of OUT, else png",
)
@option("--overwrite", group="Output", is_flag=True, help="Replace an existing output.")
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
    "--pair",
    group="Matches",
    nargs=2,
    metavar="A B",
    help="Names of the two images in the match file, if they differ.",
)
@option(
    "--verify",
    group="Matches",
    type=click.Choice(_VERIFY),
    default="auto",
    help="Model that verifies matches made here; auto: a homography or, where there is parallax, a "
    "fundamental matrix, whichever explains the matches; none where neither does, or without PoseLib.",
    note="default: auto",
)
@preset_option("Detector", "Preset of features that are extracted here; the options below override single parameters.")
@_extraction_options
@image_options
@report_options("Other", "Print a JSON object about the picture on stdout.", "Print what was drawn.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    output: str | None,
    format: str | None,
    overwrite: bool,
    match_file: str | None,
    pair: tuple[str, str] | None,
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

    A first look at a folder: sift draw photos/ -o sheet.png

    Each of its images: sift draw photos/ -o pictures/

    Exit status: 0 done, 1 a file cannot be read or written, 2 wrong usage.
    """
    images = taken_reading(given)
    parameters = chosen_parameters(preset, {name: given.pop(name) for name in _EXTRACTED})
    style = {name: value for name, value in given.items() if value is not None}

    from .draw_matches import MatchSource
    from .draw_run import run
    from .draw_target import Output
    from .one_image import Reading

    source = MatchSource(match_file, pair, verify)
    output_file = Output(output, format, overwrite, as_json, quiet, verbose)
    ctx.exit(run(files, style, source, Reading(parameters, images, quiet=quiet), output_file))
