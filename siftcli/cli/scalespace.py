"""``sift scalespace``: what the detector sees, as pictures."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import click

from ..draw.palette import THEMES
from ..errors import ParameterError
from ..params import DetectorParams, Parameters
from ..presets import parameters
from .command import SiftCommand
from .guard import READ, WRITTEN
from .options import field_options, option, report_options
from .parameter_options import start_option
from .shared_options import image_options, taken_reading

__all__ = ["command"]

_TILE = 240


@click.command("scalespace", cls=SiftCommand, example="sift scalespace photo.jpg -o scales")
@click.argument("image", metavar="IMAGE", type=READ)
@option(
    "-o",
    "--output",
    group="Output",
    metavar="DIR",
    type=WRITTEN,
    required=True,
    help="Output folder; it is created if needed.",
)
@option(
    "--format",
    "format",
    group="Output",
    type=click.Choice(["png", "tiff"]),
    default="png",
    help="Of the levels. png: 8 bits, to look at, DoG levels from black (-8 times the DoG threshold) to white; "
    "tiff: the values as they are, 32-bit floats.",
    note="default: png",
)
@option(
    "--stages",
    group="Output",
    is_flag=True,
    help="Write the keypoints of every stage as CSV files too: extrema, rejected ones, refined, oriented.",
)
@option(
    "--tile",
    group="Output",
    metavar="N",
    type=int,
    default=_TILE,
    help="Longer side of a level on the sheet of all levels.",
    note=f"px; 16 to 4096; default: {_TILE}",
)
@option(
    "--theme",
    group="Output",
    type=click.Choice(list(THEMES)),
    default="dark",
    help="Colours of the sheet and of the legends; none: transparent, with grey text.",
    note="default: dark",
)
@option("--overwrite", group="Output", is_flag=True, help="Write into a non-empty folder.")
@image_options
@start_option
@field_options(DetectorParams, "Detector")
@report_options(
    "Other", "Print a JSON object with the counts on stdout.", "Print the number of keypoints of each stage."
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    image: str,
    output: str,
    format: str,
    stages: bool,
    tile: int,
    theme: str,
    overwrite: bool,
    preset: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **given: Any,
) -> None:
    """Write the Gaussian and DoG scale space of an image as pictures.

    DIR gets every level of every octave (gaussian_o0_s1.png, dog_o0_s1.png), a sheet of all of them with the extrema
    marked by what becomes of them (scalespace.png), and the same over the image (extrema.png).

    Exit status: 0 done, 1 a file cannot be read or written, 2 wrong usage.
    """
    if not 16 <= tile <= 4096:
        raise ParameterError("tile", f"must be from 16 to 4096, not {tile}")
    reading = taken_reading(given)
    known = {field.name for field in fields(DetectorParams)}
    detector, _ = parameters(preset, **{k: v for k, v in given.items() if k in known and v is not None})

    from .one_image import Reading
    from .scalespace_run import Output, run

    written = Output(output, format, stages, tile, theme, overwrite, as_json, quiet, verbose)
    run(image, detector, Reading(Parameters(detector), reading, quiet=quiet), written)
