"""The options of ``sift match``, and what their values say together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ..batch.pair_choice import PairChoice
from ..errors import PlanError
from ..params import MatchParams
from ..presets import MATCH_PRESETS
from .database import database_options
from .guard import READ, WRITTEN
from .options import all_of, field_options, option, report_options
from .parameter_options import preset_option
from .shared_options import config_option, image_options

__all__ = ["chosen_tests", "match_options"]


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
    type=click.Choice([*MatchParams.__dataclass_fields__["verify"].metadata["choices"], "none"]),
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


match_options = all_of(
    [
        _output_options,
        _verify_option,
        field_options(MatchParams, "Matching", without=["verify"]),
        _collection_options,
        _other_options,
    ]
)
"""All options of the command."""


def chosen_tests(given: dict[str, Any], choice: PairChoice, *, two: bool) -> MatchParams:
    """Take the values of the options of matching out of those of a command.

    Parameters
    ----------
    given : dict
        Values of the options, by name.
    choice : PairChoice
    two : bool
        Two images are matched, not a collection.

    Returns
    -------
    MatchParams

    Raises
    ------
    PlanError
        If an option needs another one that is not given.
    ParameterError
        For a value outside its range.
    """
    tests = {name: given.pop(name) for name in MatchParams.__dataclass_fields__}
    tests = {name: value for name, value in tests.items() if value is not None}
    asked = tests.pop("verify", None)
    if asked == "auto" and not two:
        raise PlanError("--verify auto: is for two images; for a collection, name the model")
    if asked is None and given["rank"]:
        from ..matching.evidence import can_verify

        asked = "homography" if can_verify() else None
    if two and asked is None:
        asked = "auto"
    if asked not in (None, "none"):
        tests["verify"] = asked
    params = MatchParams(**{**MATCH_PRESETS.get(given["preset"], {}), **tests})
    _refuse_unused(tests, params, {"seed"} if choice.retrieve is not None else set())
    return params


def _refuse_unused(tests: Mapping[str, Any], params: MatchParams, used: set[str]) -> None:
    """Refuse options that are about one that is not given."""
    about = tests.keys() & {"threshold", "min_inliers", "focal", "seed"} - used
    if params.verify is None and about:
        raise PlanError("--threshold, --min-inliers, --focal and --seed are about --verify; give that too")
    if "guided_distance" in tests and not params.guided:
        raise PlanError("--guided-distance: is about --guided; give that too")
    if "fginn_radius" in tests and params.ratio_test != "fginn":
        raise PlanError("--fginn-radius: is about --ratio-test fginn; give that too")
