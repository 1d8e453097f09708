"""``sift match``: correspondences between two images, or among many."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..batch.pair_choice import PairChoice
from ..errors import PlanError
from ..io.files import STDIN
from ..machine import cores
from .command import SiftCommand
from .database import require_database, taken_database_options
from .guard import READ
from .match_options import EXTRACTION, chosen_tests, match_options
from .match_output import MatchOutput
from .messages import Messages
from .parameter_options import chosen_parameters
from .run_options import RunOptions
from .shared_options import taken_reading

__all__ = ["command"]


@click.command("match", cls=SiftCommand, example="sift match left.jpg right.jpg -o matches.csv --verify homography")
@click.argument("inputs", nargs=-1, metavar="A B | IMAGES... | FEATURES", type=READ)
@match_options
@click.pass_context
def command(ctx: click.Context, /, inputs: tuple[str, ...], jobs: int | None, **given: Any) -> None:
    """Match the keypoints of two images, or of a collection.

    A and B are images, whose features are extracted, or feature files of any format. Two descriptors match if each is
    the other's nearest neighbour, found exactly, and clearly nearer than the second nearest. Matches go to stdout, as
    index_a, index_b, x_a, y_a, x_b, y_b, distance, ratio, inlier.

    IMAGES are a folder, patterns in quotes, or many images. Their features go to a file beside OUT; pairs are chosen,
    matched and verified. The same command again continues an interrupted run, and does what is new.

    From photographs to matches: sift match photos/ -o scene.db

    FEATURES is a file of many images: sift match features.h5 --exhaustive -o matches.h5

    Images like another one, best first: sift match query.jpg features.h5 --rank

    Exit status: 0 all done, 1 an image or a pair failed (the others are done), 2 wrong usage, 130 interrupted.
    """
    if jobs is not None and jobs < 1:
        raise PlanError(f"--jobs: must be at least 1, not {jobs}")
    how: dict[str, Any] = {name: given.pop(name) for name in ("memory", "scheduler", "ship")}
    run = RunOptions.for_extraction(None if how["scheduler"] else jobs, **how)
    jobs = cores() if jobs is None else jobs
    choice = PairChoice(**{name: given.pop(name) for name in PairChoice._fields})
    chosen = choice.given()
    kind = _kind(inputs, chosen, rank=given["rank"])
    parameters = chosen_parameters(given["preset"], {name: given.pop(name) for name in EXTRACTION})
    params = chosen_tests(given, choice, kind, parameters.descriptor)
    database = taken_database_options(given)
    messages = Messages.taken_from(given)
    images = taken_reading(given)
    output = MatchOutput(given["output"], given["format"], given["overwrite"], database)
    if database is not None:
        require_database(database, output.is_database)
    _refuse_others(kind, chosen, given)
    if kind == "collection" or (kind == "pair" and not any(map(_is_image, inputs))):
        _refuse_extraction(ctx)
    from .one_image import Reading

    reading = Reading(parameters, images, quiet=messages.quiet)
    if kind == "rank":
        from .match_rank import run_rank

        ctx.exit(
            run_rank(inputs[0], inputs[1], params, reading, messages, choice.retrieve, top=given["top"], workers=jobs)
        )
    if kind == "pair":
        from .match_pair import run_pair

        names, save_model = given["names"] or (None, None), given["save_model"]
        how = {"names": names, "save_model": save_model, "threads": jobs}
        ctx.exit(run_pair(inputs[0], inputs[1], params, reading, output, messages, **how))
    if kind == "images":
        from .match_images import run_images

        run = run._replace(resume=not output.overwrite)
        how = {"recursive": given["recursive"], "features": given["features"], "workers": jobs}
        ctx.exit(run_images(inputs, choice, params, reading, output, messages, run, **how))
    from .match_collection import run_collection

    ctx.exit(run_collection(inputs[0], choice, params, output, messages, resume=given["resume"], workers=jobs))


def _kind(inputs: tuple[str, ...], chosen: list[str], *, rank: bool) -> Any:
    """Tell what is matched: "pair", "images", "collection" or "rank"; PlanError for inputs that are none of these."""
    from ..io.formats import format_of_suffix

    if rank:
        if len(inputs) != 2:
            raise PlanError("--rank: needs the query, and the file of the features of many images")
        return "rank"
    if len(inputs) == 2 and not chosen and not any(map(_is_many, inputs)):
        return "pair"
    if not inputs:
        raise PlanError("no input: name two images, a folder of images, or one file of the features of many")
    if all(map(_is_image, inputs)) and (len(inputs) > 1 or _is_many(inputs[0])):
        return "images"
    if len(inputs) != 1:
        raise PlanError(
            f"match needs two images, many images, or one file of the features of many, not {len(inputs)} inputs of "
            "which some are feature files"
        )
    found = format_of_suffix(inputs[0])
    if found is not None and found.many:
        return "collection"
    if chosen:
        what = "is one image" if found is None else "holds the features of one image"
        raise PlanError(f"{inputs[0]}: {what}, and {chosen[0]} is about many; name a folder, or a file of many")
    raise PlanError(f"{inputs[0]}: name a second image: sift match {inputs[0]} OTHER")


def _is_many(path: str) -> bool:
    """Tell whether an input names many images: it is a folder or a pattern."""
    if path == STDIN or not _is_image(path):
        return False
    return Path(path).is_dir() or (glob.has_magic(path) and not os.path.lexists(path))


def _is_image(path: str) -> bool:
    """Tell whether an input is no feature file, by its name."""
    from ..io.formats import format_of_suffix

    return path == STDIN or format_of_suffix(path) is None


_ONLY = {
    "names": ("pair", "is about two images"),
    "save_model": ("pair", "is about two images"),
    "top": ("rank", "is about --rank; give that too"),
    "features": ("images", "is about images whose features are extracted"),
    "recursive": ("images", "is about a folder of images"),
}
"""Options that are about one kind of inputs, and the message for others."""


def _refuse_others(kind: str, chosen: list[str], given: dict[str, Any]) -> None:
    """Refuse options that are about something else than what is matched."""
    for name, (wanted, why) in _ONLY.items():
        if given[name] and kind != wanted:
            raise PlanError(f"--{name.replace('_', '-')}: {why}")
    if kind == "pair" and given["resume"]:
        raise PlanError("--resume: is about collections; two images are matched at once")
    if kind == "rank":
        wrong = [name for name in chosen if name != "--retrieve"]
        wrong += [flag for flag, name in (("-o", "output"), ("--resume", "resume")) if given[name]]
        if wrong:
            raise PlanError(f"--rank and {wrong[0]} exclude each other")
    elif len(chosen) > 1:
        raise PlanError(f"{' and '.join(chosen)} exclude each other")


def _refuse_extraction(ctx: click.Context) -> None:
    """Refuse options about features that are extracted, where there are none."""
    for name in EXTRACTION:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise PlanError(f"--{name.replace('_', '-')}: is about images; the features are there already")
