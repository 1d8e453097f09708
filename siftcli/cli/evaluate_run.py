"""The work of ``sift evaluate``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..batch.pair_report import PairReport
from ..errors import FormatError, PlanError
from ..evaluation.methods import Method, methods_of
from ..evaluation.pairs import Measurer
from ..evaluation.run import Evaluation, journal_for, measure_pairs, settings_of
from ..evaluation.sequences import LAYOUTS, ImagePair, find_pairs, pair_of_points
from ..io.formats import format_of_suffix
from ..io.image_kinds import ALL_SUFFIXES, ImageReading
from ..io.output import atomic_write, make_folder
from ..words import counted
from .guard import guard
from .messages import Messages
from .progress import Display
from .streams import say, write_stdout
from .table import cells, print_table, table_of

__all__ = ["EvaluateOptions", "run_evaluation"]


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of an evaluation, apart from its inputs.

    Attributes
    ----------
    presets : tuple of str
        To evaluate, besides features that are given.
    budget : int or None
        Most keypoints of an image.
    pairs, points : str or None
        List of the pairs of cameras; corresponding points of the two images that are given.
    output : str or None
        The report.
    overwrite, resume : bool
        Replace a report that exists; continue an interrupted run.
    jobs : int
        Number of processes.
    as_json, as_csv, quiet, verbose : bool
        Kind of output to print.
    tests : dict
        Fields of `MatchParams` that were given.
    reading : ImageReading
        How images are read.
    """

    presets: tuple[str, ...]
    budget: int | None
    pairs: str | None
    points: str | None
    output: str | None
    overwrite: bool
    resume: bool
    jobs: int
    as_json: bool
    as_csv: bool
    quiet: bool
    verbose: bool
    tests: dict[str, Any]
    reading: ImageReading


def run_evaluation(inputs: tuple[str, ...], options: EvaluateOptions) -> int:
    """Evaluate; return the exit status."""
    from ..evaluation import report  # imports Pillow

    output = options.output
    if output is None and options.resume:
        raise PlanError("--resume: resumes the run of a report; give -o its name")
    if output is not None and Path(output).suffix.lower() not in report.FORMATS:
        raise PlanError(f"-o: {output}: must end with one of {', '.join(report.FORMATS)}")
    if output is not None and not (options.overwrite or options.resume) and Path(output).exists():
        raise PlanError(f"{output}: exists already; use --overwrite to replace it, or another name")
    pairs, features = _sorted(inputs, options)
    methods = _methods(features, options)
    settings = replace(settings_of(options.tests, options.budget), reading=options.reading)
    journal = None
    if output is not None:
        images = [image for pair in pairs for image in (pair.a, pair.b)]
        guard([output], [*(image.path for image in images), *(f for m in methods for f in m.files(images))])
        make_folder(Path(output).parent)
        journal = journal_for(output, methods, pairs, settings, resume=options.resume, overwrite=options.overwrite)
    with journal or nullcontext():
        done = 0 if journal is None else len(journal)
        messages = Messages(quiet=options.quiet, verbose=options.verbose)
        tally = PairReport(len(pairs) * len(methods), skipped=done)
        try:
            with Display(tally, "pairs", messages, summary=False) as shown:
                evaluation = measure_pairs(
                    methods, pairs, settings, journal=journal, on_result=shown.show, jobs=options.jobs
                )
        except KeyboardInterrupt:
            if journal is not None:
                say(f"{len(journal):,} of {tally.total:,} pairs are in {journal.path}; continue with --resume")
            raise
        if output is not None:
            measurer = Measurer(methods, pairs, settings)
            command = shlex.join(["sift", "evaluate", *sys.argv[2:]])
            data = report.encode_report(evaluation, output, measurer, pairs, command)
            atomic_write(output, data, overwrite=True)
        if journal is not None and not tally.failed:
            journal.remove()
    _print(evaluation, options)
    return tally.exit_status


def _print(evaluation: Evaluation, options: EvaluateOptions) -> None:
    from ..evaluation import report

    if not options.quiet:
        for note in evaluation.notes:
            say(f"note: {note}")
    if options.as_json:
        write_stdout(report.encode_json(evaluation))
    elif options.as_csv:
        write_stdout(report.encode_csv(evaluation))
    elif options.output is None or not options.quiet:
        count = evaluation.parameters["pairs"]
        table = table_of(["measure"], evaluation.methods)
        rows = report.table_rows(evaluation)
        for row in rows:
            table.add_row(*cells(*row))
        starred = any(cell.endswith("*") for row in rows for cell in row)
        bracketed = any("[" in cell for row in rows for cell in row[1:])
        print_table(
            counted(count, "image pair")
            + ("; 95 % confidence intervals by bootstrap over the pairs" if bracketed else ""),
            table if rows else None,
            "* differs from the first method: the interval of the difference excludes 0" if starred else "",
        )


def _methods(features: list[str], options: EvaluateOptions) -> list[Method]:
    presets = options.presets or (() if features else ("default",))
    return methods_of([*dict.fromkeys(presets), *(Path(path) for path in features)])


# --- which input is what


def _sorted(inputs: tuple[str, ...], options: EvaluateOptions) -> tuple[list[ImagePair], list[str]]:
    """Tell sequences and features apart."""
    pairs: list[ImagePair] = []
    features = []
    rest: Iterable[str] = dict.fromkeys(inputs)
    if options.points is not None:
        if len(inputs) < 2 or not all(Path(path).is_file() for path in inputs[:2]):
            raise PlanError("--points: the first two inputs must be the images that the points are of")
        pairs.append(pair_of_points(inputs[0], inputs[1], options.points))
        rest = dict.fromkeys(inputs[2:])
    for path in rest:
        found = _pairs(path, options)
        pairs.extend(found)
        if not found:
            features.append(path)
    if not pairs:
        raise PlanError(
            f"no sequence: give a folder of images with {LAYOUTS}; or two images, and --points"
            if not features
            else f"{features[0]}: holds features only; give a sequence too, a folder of images with {LAYOUTS}"
        )
    return pairs, features


def _pairs(path: str, options: EvaluateOptions) -> list[ImagePair]:
    """Find the pairs of an input; none, if it is features."""
    place = Path(path)
    if place.is_file() and not place.name.endswith("H.txt"):
        if place.suffix.lower() in ALL_SUFFIXES:
            raise PlanError(f"{path}: is an image; give the folder of a sequence, or two images and --points")
        if format_of_suffix(place) is None:
            raise FormatError(path, "is neither a homography, name_H.txt beside two images, nor a feature file")
        return []
    found = find_pairs(path, options.pairs)
    if not found and not _holds_features(place):
        raise FormatError(path, f"is neither a sequence, with {LAYOUTS}, nor a folder of feature files")
    return found


def _holds_features(folder: Path) -> bool:
    return any(format_of_suffix(path) is not None for path in [*folder.glob("*"), *folder.glob("*/*")])
