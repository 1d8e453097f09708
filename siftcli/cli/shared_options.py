"""Options that several commands share: inputs, outputs, and how images are read."""

from __future__ import annotations

from typing import Any

import click

from ..batch.plan import DEFAULT_FORMAT
from ..errors import ParameterError
from ..io.formats import FORMATS
from ..io.image_kinds import DEFAULT_MAX_PIXELS, ImageReading
from .guard import READ, WRITTEN
from .options import CONFIG, all_of, option, report_options

__all__ = ["batch_options", "config_option", "depth_option", "image_options", "output_options", "taken_reading"]

_FORMATS = ", ".join(f"{f.name} ({f.suffix})" for f in FORMATS.values())

output_options = all_of(
    [
        option(
            "-o",
            "--output",
            group="Output",
            metavar="OUT",
            type=WRITTEN,
            help="Output file, folder (created if needed; end a new one with '/'), or '-' for stdout. "
            "The subfolders of a searched folder are kept.",
            note="default: beside each image; for stdin, stdout",
        ),
        option(
            "--format",
            "format",
            group="Output",
            metavar="NAME",
            values=lambda: FORMATS,
            help="Output format, regardless of the suffix.",
            note=f"{_FORMATS}; default: by the suffix of OUT, else {DEFAULT_FORMAT}",
        ),
        option("--overwrite", group="Output", is_flag=True, help="Replace existing outputs."),
    ]
)
"""``-o``, ``--format``, ``--overwrite``."""

image_options = all_of(
    [
        option(
            "--exif-orientation",
            group="Image",
            is_flag=True,
            help="Rotate images according to their EXIF orientation; by default keypoints refer to the stored pixels.",
        ),
        option(
            "--max-pixels",
            group="Image",
            type=int,
            help="Refuse images with more pixels.",
            note=f"at least 1; default: {DEFAULT_MAX_PIXELS}",
        ),
        option(
            "--levels",
            group="Image",
            default="auto",
            metavar="LEVELS",
            help="Pixel values that are black and white. auto: as the file states, else the range of its type, else a "
            "guess with a warning; full: the whole range of its type, [0, 1] for floats; MIN,MAX: these two.",
            note="default: auto",
        ),
        option(
            "--strict",
            group="Image",
            is_flag=True,
            help="Refuse damaged images that can be decoded; by default they give a warning.",
        ),
    ]
)
"""``--exif-orientation``, ``--max-pixels``, ``--levels``, ``--strict``: see `taken_reading`."""


def taken_reading(given: dict[str, Any]) -> ImageReading:
    """Remove the values of `image_options` from the options of a command, and return them.

    Raises
    ------
    ParameterError
        If the limit is below 1, or the levels are not a range.
    """
    values = {name: given.pop(name) for name in ImageReading._fields}
    if values["max_pixels"] is None:
        values["max_pixels"] = DEFAULT_MAX_PIXELS
    if values["max_pixels"] < 1:
        raise ParameterError("max_pixels", f"must be at least 1, not {values['max_pixels']}")
    if values["levels"] not in ("auto", "full"):
        from ..io.levels import check_levels  # imports NumPy

        values["levels"] = check_levels(values["levels"])
    return ImageReading(**values)


depth_option = option(
    "--depth",
    group="Image",
    type=click.Choice(["full", "8"]),
    default="full",
    help="full: keep the precision of images of more than 8 bits; 8: round them to 8 bits, as many programs do.",
    note="default: full",
)
"""``--depth``."""

batch_options = all_of(
    [
        option("-r", "--recursive", group="Batch", is_flag=True, help="Search subfolders too."),
        option(
            "--files-from",
            group="Batch",
            metavar="LIST",
            type=READ,
            help="Read further inputs from a file, one per line; '-' is stdin.",
        ),
        option("-0", "--null", group="Batch", is_flag=True, help="Names in LIST are separated by NUL, not newline."),
        report_options("Batch", "Print one JSON object per image on stdout.", "Print one line per image."),
    ]
)
"""Inputs of a batch, and its reports."""


def _configure(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Use the values of a configuration file as defaults."""
    if path is not None:
        from .config import config_values  # not needed by most runs

        ctx.meta[CONFIG] = path
        ctx.default_map = config_values(path, ctx.command, lambda: _all_commands(ctx))


def _all_commands(ctx: click.Context) -> dict[str, click.Command]:
    """Return all commands of the program that a command belongs to, by their names."""
    root = ctx.find_root()
    group = root.command
    if not isinstance(group, click.Group):
        return {group.name or "": group}
    found = {name: group.get_command(root, name) for name in group.list_commands(root)}
    return {name: command for name, command in found.items() if command is not None}


config_option = option(
    "--config",
    group="Settings",
    type=READ,
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_configure,
    help="Read options from a TOML file, such as edge_threshold = 8. Command-line options and environment variables "
    "such as SIFT_EDGE_THRESHOLD override the file, and the file overrides the preset.",
)
"""``--config``."""
