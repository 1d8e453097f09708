"""``sift convert``: features from one format to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import PlanError
from ..io.files import STDIN
from ..io.formats import FORMATS
from .command import SiftCommand
from .database import database_options, taken_database_options
from .guard import READ, WRITTEN, guard
from .messages import Messages
from .options import option, report_options
from .streams import read_stdin, write_json, write_stdout

if TYPE_CHECKING:
    from ..batch.report import Result

__all__ = ["command"]

_NAMES = ", ".join(f"{format.name} ({format.suffix})" for format in FORMATS.values())


@click.command("convert", cls=SiftCommand, example="sift convert photo.key photo.sift")
@click.argument("sources", metavar="IN...", nargs=-1, type=READ)
@click.argument("output", metavar="OUT", type=WRITTEN)
@option(
    "--to",
    "--format",
    "target_format",
    group="Output",
    metavar="NAME",
    values=lambda: FORMATS,
    help=f"Output format, regardless of the suffix: {_NAMES}.",
    note="default: by the suffix of OUT; for stdout, lowe",
)
@option(
    "--overwrite", group="Output", is_flag=True, help="Replace existing outputs; add to an existing COLMAP database."
)
@option(
    "--from",
    "source_format",
    group="Batch",
    metavar="NAME",
    values=lambda: FORMATS,
    help="Format of the input.",
    note="default: by its suffix and contents; for stdin, lowe",
)
@option(
    "--images",
    group="Batch",
    metavar="DIR",
    type=READ,
    help="Folder of the images, from which features get the full names and sizes of their images.",
)
@option("-r", "--recursive", group="Batch", is_flag=True, help="Search subfolders too.")
@option(
    "--only",
    group="Batch",
    metavar="PATTERN",
    multiple=True,
    help="Convert only images whose names match a pattern in quotes, such as 'left/*'; may be given several times.",
)
@option(
    "--exclude",
    group="Batch",
    metavar="PATTERN",
    multiple=True,
    help="Omit images whose names match a pattern, and their matches; may be given several times.",
)
@option("--matches", "of_matches", group="Batch", is_flag=True, help="Convert a file of matches instead of features.")
@database_options
@report_options("Batch", "Print one JSON object per image on stdout.", "Print one line per image.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    sources: tuple[str, ...],
    output: str,
    target_format: str | None,
    overwrite: bool,
    source_format: str | None,
    images: str | None,
    recursive: bool,
    only: tuple[str, ...],
    exclude: tuple[str, ...],
    of_matches: bool,
    **given: Any,
) -> None:
    """Convert features from one format to another.

    IN is a feature file, a folder of them, or '-' for stdin. OUT is a file, a folder (with --to), or '-' for stdout. A
    file of many images becomes a folder of files, and a folder one file of many images. What the new format cannot
    hold, and the conversion of coordinates, angles and bins, are reported.

    Several inputs become one file of many images, or one folder; the last name is the output. To merge the outputs of
    sift detect --shard: sift convert shard-*.h5 features.h5

    COLMAP databases are merged with their cameras and matches; --colmap-version changes the version of the tables, and
    --exclude 'night/*' omits images: sift convert a.db b.db both.db

    Matches alone: sift convert --matches scene.db pairs.h5

    For hloc, with the sizes of the images: sift convert keys/ features.h5 --to hloc --images photos/

    Exit status: 0 all done, 1 an image failed (the others are done), 2 wrong usage, 130 interrupted.
    """
    if not sources:
        raise click.UsageError("Missing argument 'OUT': name one or more inputs, then the output.", ctx)

    from ..batch.conversion.convert import convert, differences
    from ..batch.conversion.plan import plan_conversion
    from ..batch.report import Report
    from ..io.colmap.merge import name_filter
    from ..io.files import STDOUT
    from .convert_database import are_databases, convert_databases, convert_matches
    from .progress import Display

    messages = Messages.taken_from(given)
    keep = name_filter(only, exclude)
    if of_matches:
        formats = {"source_format": source_format, "target_format": target_format}
        ctx.exit(convert_matches(sources, output, keep, **formats, overwrite=overwrite, messages=messages))
    database = taken_database_options(given)
    if are_databases(sources, source_format, output, target_format):
        ctx.exit(convert_databases(sources, output, keep, database, overwrite=overwrite, messages=messages))
    conversion = plan_conversion(
        sources,
        output,
        source_format=source_format,
        target_format=target_format,
        images=images,
        recursive=recursive,
        overwrite=overwrite,
        database=database,
        keep=keep,
    )
    guard(conversion.outputs)
    if messages.as_json and output == STDOUT:
        raise PlanError("--json: stdout cannot take both the features and the JSON; give OUT a name")
    stdin = read_stdin() if STDIN in sources else b""
    for note in conversion.notes:
        messages.note(f"warning: {note}")

    def on_result(result: Result) -> None:
        if result.data is not None:
            write_stdout(result.data)
        display.show(result)
        if messages.as_json:
            write_json(result.record())

    report = Report(len(conversion.items))
    with Display(report, "convert", messages) as display:
        lost = convert(conversion, on_result, stdin=stdin)
    if report.done:
        target = conversion.target
        if lost:
            of = "" if report.done == 1 else f" ({max(lost.values())} images)"
            messages.note(f"warning: {target.title} cannot hold: {', '.join(lost)}; left out{of}")
        for format in {item.format.name: item.format for item in conversion.items}.values():
            if how := differences(format, target):
                messages.note(f"{format.name} to {target.name}: {how}")
    ctx.exit(report.exit_status)
