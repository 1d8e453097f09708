"""The options of ``sift match``, and what their values say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

import click

from ..batch.pair_choice import PairChoice
from ..errors import PlanError
from ..params import DescriptorParams, DetectorParams, MatchParams, SelectionParams
from ..presets import MATCH_PRESETS, RECONSTRUCTION_MATCHES
from .database import database_options
from .guard import READ, WRITTEN
from .options import all_of, field_options, option, report_options
from .parameter_options import preset_option
from .run_options import cluster_options, memory_option
from .shared_options import config_option, image_options

__all__ = ["EXTRACTION", "chosen_tests", "match_options"]

EXTRACTION = tuple(field.name for kind in (DetectorParams, DescriptorParams, SelectionParams) for field in fields(kind))
"""Names of the options about features that are extracted."""


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
            "or .db; of many images .h5 or .db. A .db is a COLMAP database, and is added to.",
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
        option(
            "--features",
            group="Output",
            metavar="FILE",
            type=WRITTEN,
            help="File that keeps the features of many images, for the next run.",
            note="default: beside OUT; of scene.db, scene.features.h5",
        ),
        option("--overwrite", group="Output", is_flag=True, help="Replace an existing output, and what is beside it."),
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
    note="default: auto for two images, fundamental for many images (none without PoseLib), none for a collection of "
    "features, homography for --rank",
)

_collection_options = all_of(
    [
        option("-r", "--recursive", group="Collection", is_flag=True, help="Search subfolders for images too."),
        option(
            "--exhaustive",
            group="Collection",
            is_flag=True,
            help="Match all image pairs. This is the default up to 200 images; beyond that it is the 30 most similar "
            "images of each and the next 5 by name.",
        ),
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
        preset_option("Detector", "Parameters of the features that are extracted from images, and of their matches."),
        field_options(DetectorParams, "Detector"),
        field_options(DescriptorParams, "Descriptor"),
        field_options(SelectionParams, "Selection"),
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
        memory_option,
        cluster_options,
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


def chosen_tests(
    given: dict[str, Any],
    choice: PairChoice,
    kind: Literal["pair", "images", "collection", "rank"],
    descriptor: DescriptorParams,
) -> MatchParams:
    """Take the values of the options of matching out of those of a command.

    Parameters
    ----------
    given : dict
        Values of the options, by name.
    choice : PairChoice
    kind : str
        The kind of the inputs: two images, many images, the images of a file, or one image with these.
    descriptor : DescriptorParams
        Parameters of features that are extracted.

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
    if asked == "auto" and kind != "pair":
        raise PlanError("--verify auto: is for two images; for a collection, name the model")
    if asked is None and kind == "pair":
        asked = "auto"
    if asked is None and kind in ("images", "rank"):
        from ..matching.evidence import can_verify

        model = "fundamental" if kind == "images" else "homography"
        asked = model if can_verify() else None
    if asked not in (None, "none"):
        tests["verify"] = asked
    defaults = MATCH_PRESETS.get(given["preset"], {})
    if kind == "images" and not descriptor.root_sift:
        defaults = {**RECONSTRUCTION_MATCHES, **defaults}
    params = MatchParams(**{**defaults, **tests})
    by_likeness = choice.retrieve is not None or (kind != "pair" and not choice.given())
    _refuse_unused(tests, params, {"seed"} if by_likeness else set())
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
