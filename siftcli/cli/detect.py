"""``sift detect``: keypoints and their descriptors of images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from ..batch.inputs import STDIN, Inputs, PlanError, find_inputs, read_list
from ..errors import ParameterError
from .batch import RunOptions, run_batch, run_options
from .options import (
    SiftCommand,
    batch_options,
    chosen_parameters,
    image_options,
    option,
    output_options,
    parameter_options,
)
from .streams import read_stdin, say

__all__ = ["command"]


@click.command("detect", cls=SiftCommand, example="sift detect photo.jpg -o photo.key")
@click.argument("inputs", nargs=-1, metavar="INPUT...", type=click.Path())
@output_options
@option("--keypoints-only", group="Output", is_flag=True, help="Write the keypoints' frames without descriptors.")
@image_options
@parameter_options
@batch_options
@run_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    output: str | None,
    format: str | None,
    overwrite: bool,
    keypoints_only: bool,
    exif_orientation: bool,
    max_pixels: int | None,
    preset: str,
    recursive: bool,
    files_from: str | None,
    null: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **given: Any,
) -> None:
    """Find keypoints in images and describe them.

    An INPUT is an image, a folder, a pattern in quotes ('photos/**/*.jpg'), or '-' for an image from stdin. The
    features of photo.jpg are written to photo.key beside it; those of stdin go to stdout.

    In place of Lowe's program: sift detect - < in.pgm > out.key

    Exit status: 0 all done, 1 an image failed (the others are done), 2 wrong usage, 130 interrupted.
    """
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other.", ctx)
    run = RunOptions.taken_from(given)
    detector, descriptor = chosen_parameters(preset, given)
    found = _inputs(inputs, files_from, null=null, recursive=recursive)

    from ..batch.plan import STDOUT, make_jobs  # NumPy: a wrong option is told sooner without it

    jobs = make_jobs(found, output, format=format, overwrite=overwrite, resume=run.resume)
    if as_json and any(job.output == STDOUT for job in jobs):
        raise PlanError("--json: stdout cannot take both the features and the JSON; give -o a file")
    if not quiet:
        for note in found.notes:
            say(f"warning: {note}")

    from ..batch.run import Settings

    settings = Settings(detector, None if keypoints_only else descriptor, overwrite, exif_orientation)
    if max_pixels is not None:
        if max_pixels < 1:
            raise ParameterError("max_pixels", f"must be at least 1, not {max_pixels}")
        settings = replace(settings, max_pixels=max_pixels)
    if jobs[0].path == STDIN:
        jobs = [replace(jobs[0], data=read_stdin())]
    status = run_batch(
        jobs,
        settings,
        run,
        several=not found.single,
        overwrite=overwrite,
        as_json=as_json,
        quiet=quiet,
        verbose=verbose,
    )
    ctx.exit(status)


def _inputs(arguments: tuple[str, ...], files_from: str | None, *, null: bool, recursive: bool) -> Inputs:
    if files_from is None:
        if null:
            raise PlanError("-0: is about the list of --files-from; give that too")
        return find_inputs(arguments, recursive=recursive)
    if files_from == STDIN:
        if STDIN in arguments:
            raise PlanError("--files-from -: stdin cannot be both the list and an image")
        return find_inputs(arguments, read_list(read_stdin(), name="<stdin>", null=null), recursive=recursive)
    return find_inputs(arguments, read_list(files_from, null=null), recursive=recursive)
