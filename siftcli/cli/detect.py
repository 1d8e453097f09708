"""``sift detect``: keypoints and their descriptors of images."""

from __future__ import annotations

from typing import Any, Literal

import click

from .batch import run_batch
from .command import SiftCommand
from .database import database_options
from .guard import READ
from .images import FeatureOutput, InputOptions
from .messages import Messages
from .options import option
from .parameter_options import chosen_parameters, parameter_options, selection_options
from .run_options import RunOptions, run_options
from .shared_options import batch_options, config_option, depth_option, image_options, output_options, taken_reading

__all__ = ["command"]


@click.command("detect", cls=SiftCommand, example="sift detect photo.jpg -o photo.key")
@click.argument("inputs", nargs=-1, metavar="INPUT...", type=READ)
@output_options
@option("--keypoints-only", group="Output", is_flag=True, help="Write keypoints without descriptors.")
@image_options
@depth_option
@selection_options
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
    keypoints_only: bool,
    mask: str | None,
    alpha: Literal["mask", "ignore"],
    depth: Literal["full", "8"],
    preset: str,
    **given: Any,
) -> None:
    """Detect keypoints in images and describe them.

    An INPUT is an image, a folder, a pattern in quotes ('photos/**/*.jpg'), or '-' for an image from stdin. The
    features of photo.jpg are written to photo.key beside it; those of stdin go to stdout.

    In place of Lowe's program: sift detect - < in.pgm > out.key

    Exit status: 0 all done, 1 an image failed (the others are done), 2 wrong usage, 130 interrupted.
    """
    run, messages, images = RunOptions.taken_from(given), Messages.taken_from(given), InputOptions.taken_from(given)
    output, reading = FeatureOutput.taken_from(given), taken_reading(given)
    detector, chosen, selection = chosen_parameters(preset, given)
    descriptor = None if keypoints_only else chosen
    found = images.find(inputs, messages)
    jobs = output.jobs(found, descriptor, messages, resume=run.resume)
    if mask is not None:
        from ..batch.masks import with_masks

        jobs = with_masks(jobs, found, mask)
    from ..batch.settings import Settings  # imports NumPy, which help does without

    settings = Settings(
        detector,
        descriptor,
        overwrite=output.overwrite,
        reading=reading,
        selection=selection,
        alpha=alpha,
        depth=depth,
        masked=mask is not None,
        database=output.database,
    )
    ctx.exit(run_batch(jobs, settings, run, messages, several=not found.single))
