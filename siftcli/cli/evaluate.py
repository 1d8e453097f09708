"""``sift evaluate``: features on images with known geometry, by the measures of the literature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..errors import PlanError
from ..params import MatchParams
from ..presets import PRESETS
from .command import SiftCommand
from .guard import READ, WRITTEN
from .options import all_of, field_options, option, report_options
from .shared_options import config_option, image_options, taken_reading

__all__ = ["command"]

_F = TypeVar("_F", bound=Callable[..., Any])

WITHOUT = ("verify", "min_inliers", "focal")
"""Options of matches that the ground truth decides on."""


_features_options = all_of(
    [
        option(
            "--preset",
            "presets",
            group="Features",
            multiple=True,
            type=click.Choice(list(PRESETS)),
            help="Extract features with these parameters; may be given several times, to compare.",
            note="default: default, unless FEATURES are given",
        ),
        option(
            "--budget",
            group="Features",
            metavar="N",
            type=int,
            help="Keep the N strongest keypoints of each image (the largest, where files hold no responses), so that "
            "methods are compared at equal numbers.",
        ),
        option(
            "--agreement",
            group="Features",
            is_flag=True,
            help="Compare two feature files of one image, the inputs, instead.",
        ),
    ]
)

_pairs_options = all_of(
    [
        option(
            "--pairs",
            group="Image pairs",
            metavar="LIST",
            type=READ,
            help="Evaluate only the pairs of a list in sequences with cameras: a line with two names for each.",
            note="default: all pairs",
        ),
        option(
            "--points",
            group="Image pairs",
            metavar="FILE",
            type=READ,
            help="The first two inputs are images of a plane, related by the homography of these points: a line "
            "x_a y_a x_b y_b for each of four or more, in pixels.",
        ),
    ]
)

_output_options = all_of(
    [
        option(
            "-o",
            "--output",
            group="Output",
            metavar="REPORT",
            type=WRITTEN,
            help="Write a report: .html, with curves, pictures and all parameters; .svg, the curves; .json or .csv.",
        ),
        option("--overwrite", group="Output", is_flag=True, help="Replace an existing report."),
        option("--resume", group="Output", is_flag=True, help="Resume an interrupted run with the same REPORT."),
        option("--csv", "as_csv", group="Output", is_flag=True, help="Print a line of CSV for each method and pair."),
        report_options("Output", "Print everything as one JSON object.", "Print one line per pair."),
        option(
            "-j",
            "--jobs",
            group="Output",
            metavar="N",
            type=int,
            default=1,
            help="Processes; those that run at once slow each other down, which the times show.",
            note="default: 1",
        ),
    ]
)


@click.command(
    "evaluate",
    cls=SiftCommand,
    example="sift evaluate sample_images/pair_astronaut_H.txt --preset default --preset lowe",
)
@click.argument("inputs", nargs=-1, metavar="SEQUENCE... [FEATURES...]", type=READ)
@_features_options
@_pairs_options
@field_options(MatchParams, "Matching", without=WITHOUT)
@image_options
@_output_options
@config_option
@click.pass_context
def command(ctx: click.Context, /, inputs: tuple[str, ...], agreement: bool, **given: Any) -> None:
    """Evaluate features on images with known geometry.

    SEQUENCE is a folder of images with their homographies (H1to2p as of Oxford, H_1_2 as of HPatches, H.txt or
    name_H.txt beside two images), or with their cameras (image.camera as of Strecha, or a COLMAP model, text or
    binary), or a folder of such folders, or a file name_H.txt. FEATURES is a folder with a feature file for each image,
    or a file of many images, of any format and any program; each is a method of its own.

    The measures, with their sources, are those of the page "Evaluation" of the documentation: repeatability, matching
    score, correct matches, precision, mean matching accuracy, and the accuracy of the homography or pose, each with a
    95 % confidence interval.

    Exit status: 0 all done, 1 a pair failed (the others are done), 2 wrong usage, 130 interrupted.
    """
    if given["as_json"] and given["as_csv"]:
        raise PlanError("--json and --csv exclude each other")
    if given["jobs"] < 1:
        raise PlanError(f"--jobs: must be at least 1, not {given['jobs']}")
    reading = taken_reading(given)
    tests = {name: given.pop(name) for name in MatchParams.__dataclass_fields__ if name not in WITHOUT}
    if agreement:
        for option, value in (("--preset", "presets"), ("-o", "output"), ("--points", "points")):
            if given[value]:
                raise PlanError(f"--agreement and {option} exclude each other")
        from .evaluate_agreement import run_agreement

        run_agreement(inputs, as_json=given["as_json"])
        return
    from .evaluate_run import EvaluateOptions, run_evaluation

    chosen = {name: value for name, value in tests.items() if value is not None}
    options = EvaluateOptions(**given, tests=chosen, reading=reading)
    ctx.exit(run_evaluation(inputs, options))
