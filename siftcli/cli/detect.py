"""``sift detect``: keypoints and their descriptors of images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from .command import SiftCommand
from .database import database_options
from .guard import READ
from .images import Request
from .options import option
from .parameter_options import chosen_parameters, parameter_options, selection_options
from .run_options import run_options
from .shared_options import batch_options, config_option, depth_option, image_options, output_options

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
    alpha: str,
    preset: str,
    **given: Any,
) -> None:
    """Detect keypoints in images and describe them.

    An INPUT is an image, a folder, a pattern in quotes ('photos/**/*.jpg'), or '-' for an image from stdin. The
    features of photo.jpg are written to photo.key beside it; those of stdin go to stdout.

    In place of Lowe's program: sift detect - < in.pgm > out.key

    Exit status: 0 all done, 1 an image failed (the others are done), 2 wrong usage, 130 interrupted.
    """
    request = Request.taken_from(given)
    detector, chosen, selection = chosen_parameters(preset, given)
    descriptor = None if keypoints_only else chosen
    found, jobs = request.plan(inputs, descriptor)
    if mask is not None:
        from ..batch.masks import with_masks

        jobs = with_masks(jobs, found, mask)
    policy: Any = alpha
    settings = request.settings(detector, descriptor)
    settings = replace(settings, selection=selection, alpha=policy, masked=mask is not None)
    ctx.exit(request.carry_out(found, jobs, settings))
