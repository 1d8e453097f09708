"""``sift match``: correspondences between two images, or among the images of a collection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..batch.pair_choice import PairChoice
from ..errors import PlanError
from ..io.files import STDIN
from ..machine import cores
from .command import SiftCommand
from .database import require_database, taken_database_options
from .guard import READ
from .match_options import chosen_tests, match_options
from .match_output import MatchOutput, Messages
from .shared_options import taken_reading

__all__ = ["command"]


@click.command("match", cls=SiftCommand, example="sift match left.jpg right.jpg -o matches.csv --verify homography")
@click.argument("inputs", nargs=-1, metavar="A B | FEATURES", type=READ)
@match_options
@click.pass_context
def command(ctx: click.Context, /, inputs: tuple[str, ...], jobs: int | None, **given: Any) -> None:
    """Match the keypoints of two images, or of a collection.

    A and B are images, whose features are extracted, or feature files of any format. Two descriptors match if each is
    the other's nearest neighbour, found exactly, and clearly nearer than the second nearest. Matches go to stdout, as
    index_a, index_b, x_a, y_a, x_b, y_b, distance, ratio, inlier.

    FEATURES is a file of many images: sift match features.h5 --exhaustive -o matches.h5

    Images like another one, best first: sift match query.jpg features.h5 --rank

    Exit status: 0 all done, 1 an image or a pair failed (the others are done), 2 wrong usage, 130 interrupted.
    """
    if jobs is not None and jobs < 1:
        raise PlanError(f"--jobs: must be at least 1, not {jobs}")
    jobs = cores() if jobs is None else jobs
    two = len(inputs) == 2 and not given["rank"]
    choice = PairChoice(**{name: given.pop(name) for name in PairChoice._fields})
    params = chosen_tests(given, choice, two=two)
    database = taken_database_options(given)
    messages = Messages(**{name: given.pop(name) for name in Messages._fields})
    from .one_image import Reading

    reading = Reading(given["preset"], taken_reading(given), quiet=messages.quiet)
    output = MatchOutput(given["output"], given["format"], given["overwrite"], database)
    if database is not None:
        require_database(database, output.is_database)
    chosen = choice.given()
    if given["rank"]:
        refused = [name for name in chosen if name != "--retrieve"]
        _refuse("--rank", refused, given, ("names", "save_model", "output", "resume"))
        if len(inputs) != 2:
            raise PlanError("--rank: needs the query, and the file of the features of many images")
        from .match_rank import run_rank

        ctx.exit(
            run_rank(inputs[0], inputs[1], params, reading, messages, choice.retrieve, top=given["top"], workers=jobs)
        )
    if given["top"] is not None:
        raise PlanError("--top: is about --rank; give that too")
    if two and not chosen and not any(map(_is_folder, inputs)):
        if given["resume"]:
            raise PlanError("--resume: is about collections; two images are matched at once")
        from .match_pair import run_pair

        names, save_model = given["names"] or (None, None), given["save_model"]
        how: dict[str, Any] = {"names": names, "save_model": save_model, "threads": jobs}
        ctx.exit(run_pair(inputs[0], inputs[1], params, reading, output, messages, **how))
    _refuse_inputs(inputs, chosen)
    if len(chosen) != 1:
        ways = ", ".join(f"--{name}" for name in PairChoice._fields)
        raise PlanError(
            f"which pairs? give one of {ways}" if not chosen else f"{' and '.join(chosen)} exclude each other"
        )
    _refuse(chosen[0], [], given, ("names", "save_model"))
    from .match_collection import run_collection

    ctx.exit(run_collection(inputs[0], choice, params, output, messages, resume=given["resume"], workers=jobs))


def _is_folder(path: str) -> bool:
    """Return True for a folder; one whose name ends as those of feature files do is none."""
    from ..io.formats import format_of_suffix

    return path != STDIN and Path(path).is_dir() and format_of_suffix(path) is None


def _refuse(option: str, chosen: list[str], given: dict[str, Any], others: tuple[str, ...]) -> None:
    """Refuse what does not go with an option for collections."""
    flags = {"output": "-o", "save_model": "--save-model"}
    wrong = [*chosen, *(flags.get(name, f"--{name}") for name in others if given[name])]
    if wrong:
        raise PlanError(f"{option} and {wrong[0]} exclude each other")


def _refuse_inputs(inputs: tuple[str, ...], chosen: list[str]) -> None:
    """Refuse inputs that are neither two images nor one file of the features of many, and say what to do."""
    from ..io.formats import format_of_suffix

    way = chosen[0] if chosen else "--exhaustive"
    if way in ("--sequential", "--retrieve"):
        way += " 5"
    elif way == "--pairs":
        way += " LIST"
    folders = list(filter(_is_folder, inputs))
    named = folders[0] if folders else "IMAGES..."
    steps = f"first: sift detect {named} -o features.h5; then: sift match features.h5 {way} -o matches.h5"
    if folders:
        raise PlanError(f"{folders[0]}: is a folder; {steps}")
    if len(inputs) != 1:
        if not inputs:
            raise PlanError("no input: name two images, or one file of the features of many")
        raise PlanError(
            f"match needs two images, or one file of the features of many, not {len(inputs)} inputs; {steps}"
        )
    found = format_of_suffix(inputs[0])
    if found is not None and found.many:
        return
    if chosen:
        what = "is an image" if found is None else "holds the features of one image"
        raise PlanError(f"{inputs[0]}: {what}, and {chosen[0]} matches those of many; {steps}")
    raise PlanError(f"{inputs[0]}: name a second image: sift match {inputs[0]} OTHER")
