"""``sift describe``: descriptors of given frames."""

from __future__ import annotations

from typing import Any, Literal

import click

from ..io.formats import FORMATS
from .batch import run_batch
from .command import SiftCommand
from .database import database_options
from .guard import READ
from .images import FeatureOutput, InputOptions
from .messages import Messages
from .options import option
from .parameter_options import chosen_parameters, parameter_options
from .run_options import RunOptions, run_options
from .shared_options import batch_options, config_option, depth_option, image_options, output_options, taken_reading

__all__ = ["command"]


@click.command("describe", cls=SiftCommand, example="sift describe photo.jpg --keypoints frames.csv -o photo.key")
@click.argument("inputs", nargs=-1, metavar="INPUT...", type=READ)
@option(
    "-k",
    "--keypoints",
    group="Frames",
    required=True,
    type=READ,
    metavar="FRAMES",
    setting=False,
    help="A feature file, whatever its format, or a CSV file of x,y,sigma[,orientation] or x,y,a11,a12,a21,a22; for "
    "several images a file of many, or a folder with a file for each, named as it is.",
)
@option(
    "--keypoints-format",
    group="Frames",
    metavar="NAME",
    values=lambda: FORMATS,
    setting=False,
    help="Format of the frames file.",
    note="default: by suffix and content",
)
@option(
    "--assign-orientations",
    group="Frames",
    is_flag=True,
    help="Estimate orientations: a frame is written once per orientation, up to --max-orientations; .csv, .npz and .h5 "
    "store the index of the frame, from 0, as 'source'.",
)
@option(
    "--bad-frames",
    group="Frames",
    type=click.Choice(["error", "zero"]),
    default="error",
    help="Treatment of frames outside the image, of size 0, or too large for the scale space. error: the image "
    "fails; zero: they get a descriptor of zeros.",
    note="default: error",
)
@output_options
@image_options
@depth_option
@config_option
@parameter_options
@batch_options
@run_options
@database_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    keypoints: str,
    keypoints_format: str | None,
    assign_orientations: bool,
    bad_frames: str,
    depth: Literal["full", "8"],
    preset: str,
    **given: Any,
) -> None:
    """Describe given frames of images.

    Frames keep their order and number. Those that sift detect has written to .h5, .npz or .csv get the descriptors
    that it gave them; frames of other formats are described at the level nearest in scale.

    An INPUT is an image, a folder, a pattern in quotes ('photos/**/*.jpg'), or '-' for an image from stdin. The
    features of photo.jpg are written to photo.key beside it; those of stdin go to stdout.

    Exit status: 0 all done, 1 an image failed (the others are done), 2 wrong usage, 130 interrupted.
    """
    run, messages, images = RunOptions.taken_from(given), Messages.taken_from(given), InputOptions.taken_from(given)
    output, reading = FeatureOutput.taken_from(given), taken_reading(given)
    detector, descriptor, _ = chosen_parameters(preset, given)
    found = images.find(inputs, messages)
    jobs = output.jobs(found, descriptor, messages, resume=run.resume)

    from ..batch.given import Describing, upright, with_frames
    from ..batch.settings import Settings

    jobs = with_frames(jobs, found, keypoints, keypoints_format)
    reading = reading._replace(exif_orientation=upright(jobs, reading.exif_orientation))
    describing = Describing(assign=assign_orientations, skip=bad_frames == "zero")
    settings = Settings(
        detector,
        descriptor,
        overwrite=output.overwrite,
        reading=reading,
        depth=depth,
        describing=describing,
        database=output.database,
    )
    ctx.exit(run_batch(jobs, settings, run, messages, several=not found.single))
