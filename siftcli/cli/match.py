"""``sift match``: correspondences between two images, or among the images of a collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import PlanError
from ..io.files import STDIN
from ..io.image_kinds import ImageReading
from ..machine import cores
from ..params import MatchParams
from ..presets import MATCH_PRESETS
from .database import database_options, require_database, taken_database_options
from .guard import READ, WRITTEN
from .options import (
    SiftCommand,
    all_of,
    config_option,
    field_options,
    image_options,
    option,
    preset_option,
    report_options,
    taken_reading,
)

if TYPE_CHECKING:
    from ..io.colmap_camera import DatabaseOptions

__all__ = ["Request", "command"]

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Request:
    """The options of the command line, without the inputs.

    Attributes
    ----------
    params : MatchParams
        The tests.
    evidence : bool
        Verify the matches of two images by the model that they are evidence for.
    output, format : str or None
        Where matches go; which format.
    overwrite, resume : bool
        About files that exist.
    names : (str, str) or None
        Of the two images.
    save_model : str or None
        Where the model of two images goes.
    exhaustive : bool
        Match all pairs of a collection.
    sequential, retrieve : int or None
        Match each image with so many that follow, or that look like it.
    near : float or None
        Match images taken at most so many metres apart.
    neighbours : int or None
        Match each image with so many that were taken nearest to it.
    pairs : str or None
        List of the pairs to match.
    rank : bool
        Order the images of a collection by how well they match.
    top : int or None
        How many of those to print.
    jobs : int
        How many may work at once.
    preset : str
        For images whose features are extracted.
    reading : ImageReading
        How such images are read.
    as_json, quiet, verbose : bool
        What is told.
    database : DatabaseOptions or None
        How a COLMAP database is made.
    """

    params: MatchParams
    evidence: bool
    output: str | None
    format: str | None
    overwrite: bool
    resume: bool
    names: tuple[str, str] | None
    save_model: str | None
    exhaustive: bool
    sequential: int | None
    retrieve: int | None
    near: float | None
    neighbours: int | None
    pairs: str | None
    rank: bool
    top: int | None
    jobs: int
    preset: str
    reading: ImageReading
    as_json: bool
    quiet: bool
    verbose: bool
    database: DatabaseOptions | None


def _format_names() -> list[str]:
    from ..io.matches import MATCH_FORMATS

    return list(MATCH_FORMATS)


def _formats() -> str:
    from ..io.matches import MATCH_FORMATS

    return ", ".join(f"{f.name} ({f.suffixes[0]})" for f in MATCH_FORMATS.values())


_output_options = all_of(
    [
        option(
            "-o",
            "--output",
            group="Output",
            metavar="OUT",
            type=WRITTEN,
            help="A match file; '-' for stdout. Of two images .csv, .npz, .h5, .txt or .db; of a collection .h5, .txt "
            "or .db. A .db is a COLMAP database, and is added to.",
            note="default: for two images, CSV on stdout",
        ),
        option(
            "--format",
            "format",
            group="Output",
            metavar="NAME",
            values=_format_names,
            help="Whatever the suffix of OUT.",
            note=_formats,
        ),
        option("--overwrite", group="Output", is_flag=True, help="Replace an existing output."),
        option(
            "--save-model",
            group="Output",
            metavar="FILE",
            type=WRITTEN,
            help="Write the 3 x 3 matrix of the model as text.",
        ),
        option(
            "--names",
            group="Output",
            nargs=2,
            metavar="A B",
            help="Names of the two images: which ones of files of many, and what .h5, .txt and .db call them.",
            note="default: of the files",
        ),
    ]
)

_verify_option = option(
    "--verify",
    group="Matching",
    type=click.Choice(["auto", *MatchParams.__dataclass_fields__["verify"].metadata["choices"], "none"]),
    help="Find the model that most matches obey, and mark those as inliers; auto: a homography or, where there is "
    "parallax, a fundamental matrix, whichever explains the matches.",
    note="default: auto for two images (none without PoseLib), none for a collection, homography for --rank",
)

_collection_options = all_of(
    [
        option("--exhaustive", group="Collection", is_flag=True, help="Match all image pairs."),
        option(
            "--sequential",
            group="Collection",
            metavar="N",
            type=int,
            help="Match each image with the next N by name.",
        ),
        option(
            "--pairs",
            group="Collection",
            metavar="LIST",
            type=READ,
            help="Match the pairs of a list: a line with two names for each, names with blanks in double quotes or "
            "separated by a tab.",
        ),
        option(
            "--retrieve",
            group="Collection",
            metavar="K",
            type=int,
            help="Match each image with the K most similar images.",
        ),
        option(
            "--near",
            group="Collection",
            metavar="METRES",
            type=float,
            help="Match images that were taken at most so far apart, by the GPS positions in their EXIF metadata.",
        ),
        option(
            "--neighbours",
            group="Collection",
            metavar="K",
            type=int,
            help="Match each image with the K nearest by GPS position; with --near, only those within that distance.",
        ),
        option("--resume", group="Collection", is_flag=True, help="Continue an interrupted run."),
        option(
            "--rank",
            group="Collection",
            is_flag=True,
            help="Print the images of the second input by how many of their keypoints match the first, verified by a "
            "homography unless --verify says otherwise. With --retrieve K, only of the K that look most like it.",
        ),
        option("--top", group="Collection", metavar="N", type=int, help="Print only the first N.", note="default: all"),
    ]
)

_other_options = all_of(
    [
        preset_option("Image", "Parameters of the features that are extracted from images, and of their matches."),
        image_options,
        config_option,
        database_options,
        option(
            "-j",
            "--jobs",
            group="Work",
            setting=True,
            metavar="N",
            type=int,
            help="Processes for a collection, threads for two images; the matches do not depend on it.",
            note="default: the number of cores",
        ),
        report_options(
            "Work",
            "Print one JSON object per image pair on stdout instead of matches.",
            "Print one line per image pair.",
        ),
    ]
)


@click.command("match", cls=SiftCommand, example="sift match left.jpg right.jpg -o matches.csv --verify homography")
@click.argument("inputs", nargs=-1, metavar="A B | FEATURES", type=READ)
@_output_options
@_verify_option
@field_options(MatchParams, "Matching", without=["verify"])
@_collection_options
@_other_options
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
    tests = {name: given.pop(name) for name in MatchParams.__dataclass_fields__}
    tests = {name: value for name, value in tests.items() if value is not None}
    asked = tests.pop("verify", None)
    two = len(inputs) == 2 and not given["rank"]
    if asked == "auto" and not two:
        raise PlanError("--verify auto: is for two images; for a collection, name the model")
    if asked is None and given["rank"] and _can_verify():
        asked = "homography"
    if asked not in (None, "auto", "none"):
        tests["verify"] = asked
    evidence = two and asked in (None, "auto")
    if jobs is not None and jobs < 1:
        raise PlanError(f"--jobs: must be at least 1, not {jobs}")
    database = taken_database_options(given)
    params = MatchParams(**{**MATCH_PRESETS.get(given["preset"], {}), **tests})
    workers = cores() if jobs is None else jobs
    reading = taken_reading(given)
    request = Request(params=params, evidence=evidence, jobs=workers, database=database, reading=reading, **given)
    if database is not None:
        from ..io.matches import match_format_for

        output = request.output or "-"
        require_database(database, output != "-" and match_format_for(output, request.format).name == "colmap-db")
    about = tests.keys() & {"threshold", "min_inliers", "focal", "seed"} - _also(request)
    if params.verify is None and not evidence and about:
        raise PlanError("--threshold, --min-inliers, --focal and --seed are about --verify; give that too")
    if "guided_distance" in tests and not request.params.guided:
        raise PlanError("--guided-distance: is about --guided; give that too")
    if "fginn_radius" in tests and request.params.ratio_test != "fginn":
        raise PlanError("--fginn-radius: is about --ratio-test fginn; give that too")
    ctx.exit(_run(inputs, request))


def _can_verify() -> bool:
    from ..matching.evidence import can_verify

    return can_verify()


def _also(request: Request) -> set[str]:
    """The tests that are of use without --verify."""
    return {"seed"} if request.retrieve is not None else set()


def _run(inputs: tuple[str, ...], request: Request) -> int:
    """Do what is asked for; return the exit status."""
    from ..io.formats import format_of_suffix

    selectors = {
        "--exhaustive": request.exhaustive,
        "--sequential": request.sequential is not None,
        "--pairs": request.pairs is not None,
        "--retrieve": request.retrieve is not None,
        "--near": request.near is not None,
        "--neighbours": request.neighbours is not None,
    }
    chosen = [name for name, given in selectors.items() if given]
    if chosen == ["--near", "--neighbours"]:
        chosen = ["--near"]
    if request.rank:
        _refuse(request, "--rank", chosen=[name for name in chosen if name != "--retrieve"], names=request.names)
        if len(inputs) != 2:
            raise PlanError("--rank: needs the query, and the file of the features of many images")
        from .match_collection import run_rank

        return run_rank(inputs[0], inputs[1], request)
    if request.top is not None:
        raise PlanError("--top: is about --rank; give that too")
    if len(inputs) == 2 and not chosen and not any(Path(p).is_dir() and format_of_suffix(p) is None for p in inputs):
        if request.resume:
            raise PlanError("--resume: is about collections; two images are matched at once")
        from .match_pair import run_pair

        return run_pair(inputs[0], inputs[1], request)
    _refuse_inputs(inputs, chosen)
    if len(chosen) != 1:
        raise PlanError(
            "which pairs? give one of " + ", ".join(selectors)
            if not chosen
            else f"{' and '.join(chosen)} exclude each other"
        )
    _refuse(request, chosen[0], chosen=[], names=request.names)
    from .match_collection import run_collection

    return run_collection(inputs[0], request)


def _refuse_inputs(inputs: tuple[str, ...], chosen: list[str]) -> None:
    """Refuse inputs that are neither two images nor one file of the features of many, and say what to do."""
    from ..io.formats import format_of_suffix

    way = chosen[0] if chosen else "--exhaustive"
    if way in ("--sequential", "--retrieve"):
        way += " 5"
    elif way == "--pairs":
        way += " LIST"
    folders = [path for path in inputs if path != STDIN and Path(path).is_dir() and format_of_suffix(path) is None]
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


def _refuse(request: Request, option: str, *, chosen: list[str], names: tuple[str, str] | None) -> None:
    """Refuse what does not go with an option for collections."""
    wrong = [*chosen, *(["--names"] if names else []), *(["--save-model"] if request.save_model is not None else [])]
    if request.rank:
        wrong += [f for f, v in (("-o", request.output), ("--resume", request.resume)) if v]
    if wrong:
        raise PlanError(f"{option} and {wrong[0]} exclude each other")
