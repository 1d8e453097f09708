"""``sift scalespace``: what the detector sees, as pictures."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import click

from ..errors import ParameterError
from ..io.image_kinds import ImageReading
from ..params import DetectorParams
from ..presets import parameters
from .guard import READ, WRITTEN
from .options import SiftCommand, field_options, image_options, option, report_options, start_option, taken_reading

__all__ = ["Request", "command"]

_TILE = 240


@dataclass(frozen=True)
class Request:
    """The options of the command line.

    Attributes
    ----------
    image : str
        The file.
    output : str
        The folder.
    format : "png" or "tiff"
        Of the levels.
    stages : bool
        Write the sets of keypoints too.
    tile : int
        Longer side of a level on the sheet, in pixels.
    detector : DetectorParams
    reading : ImageReading
        How the image is read.
    overwrite, as_json, quiet, verbose : bool
        About files that exist; what is told.
    """

    image: str
    output: str
    format: str
    stages: bool
    tile: int
    detector: DetectorParams
    reading: ImageReading
    overwrite: bool
    as_json: bool
    quiet: bool
    verbose: bool


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

    from .scalespace_run import run

    run(
        Request(
            image=image,
            output=output,
            format=format,
            stages=stages,
            tile=tile,
            detector=detector,
            reading=reading,
            overwrite=overwrite,
            as_json=as_json,
            quiet=quiet,
            verbose=verbose,
        )
    )
