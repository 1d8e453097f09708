"""An evaluation: all methods on all pairs, in processes, with a journal, so that a run can be killed and resumed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from os import PathLike
from typing import Any

from ..batch.match_run import PairResult
from ..batch.workers import run_tasks
from ..errors import FormatError, ParameterError, refuse_renamed
from ..io.journal import Journal
from ..params import MatchParams
from .methods import Given, Method, methods_of
from .pairs import Measured, Measurer, Settings, can_estimate
from .provenance import provenance, versions
from .sequences import LAYOUTS, ImagePair, find_pairs
from .summary import Interval, summarise

__all__ = ["Evaluation", "PairRecord", "evaluate", "journal_for", "measure_pairs", "sequence_pairs", "settings_of"]

_NOT_OURS = ("verify", "min_inliers", "focal")
"""Parameters of matching that the ground truth replaces."""


@dataclass(frozen=True)
class PairRecord:
    """The result of one method on one image pair.

    Attributes
    ----------
    method, sequence, a, b : str
        Names of the method, the sequence and its images.
    measures : dict of str to float, list of float, or None
        See the table of docs/evaluate.md; `accuracy` is the curve at 1 to 10 px.  A pose or homography that was not
        found has an infinite error.  None where there is no value: an epipolar error without matches, the time of
        features that were read.
    error : str or None
        Why there are none.
    """

    method: str
    sequence: str
    a: str
    b: str
    measures: Measured
    error: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return the record as an object for JSON, infinite errors as None."""
        values = {name: _finite(value) for name, value in self.measures.items()}
        names = {"method": self.method, "sequence": self.sequence, "a": self.a, "b": self.b}
        return {**names, **values, "error": self.error}


@dataclass(frozen=True)
class Evaluation:
    """The outcome of an evaluation.

    Attributes
    ----------
    methods : tuple of str
        Their names.
    records : tuple of PairRecord
        One for each pair and method; the pairs in their order, the methods of a pair together.
    summary : dict of str to dict of str to Interval
        By method and measure: the mean over the pairs that succeeded for all methods, or the area under the curve of
        their errors, with its 95 % confidence interval, and the difference to the first method with its own.
    parameters : dict
        What the outcome depends on: versions, tests, budget, and for each method its parameters or files.
    notes : tuple of str
        Messages for the user, one line each.
    """

    methods: tuple[str, ...]
    records: tuple[PairRecord, ...]
    summary: dict[str, dict[str, Interval]]
    parameters: dict[str, Any]
    notes: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return the evaluation as an object for JSON."""
        summary = {
            method: {name: {k: _finite(v) for k, v in interval._asdict().items()} for name, interval in found.items()}
            for method, found in self.summary.items()
        }
        return {
            "parameters": self.parameters,
            "summary": summary,
            "pairs": [record.plain() for record in self.records],
            "notes": list(self.notes),
        }


def evaluate(
    sequences: str | PathLike[str] | Iterable[str | PathLike[str]],
    methods: Iterable[Given] | Mapping[str, Given] = ("default",),
    *,
    budget: int | None = None,
    seed: int = 0,
    workers: int = 1,
    **tests: Any,
) -> Evaluation:
    """Evaluate features on sequences with ground truth, by the measures of the literature.

    The measures and their sources are those of docs/evaluate.md.

    Parameters
    ----------
    sequences : path or iterable of paths
        Folders of images with homographies (as of Oxford or HPatches, or ``H.txt`` beside two images) or with known
        cameras (Strecha's ``.camera`` files, or a COLMAP model), or folders of such folders.
    methods : iterable or mapping of str to method
        A method is the name of a preset; the path of features, a folder with a file for each image or a file of many
        images, in any format; or a function from a grey image, (H, W) uint8, uint16 or float32, to `Features`.  The
        keys of a mapping name them.
    budget : int, optional
        Most keypoints of an image: the strongest, or the largest where the method tells no response.
    seed : int
        Seed of the estimation and the bootstrap.
    workers : int
        Workers that share the detection in one image.
    **tests
        Tests of the matches, by the names of `siftcli.params.MatchParams`; `threshold` is also the largest error of a
        correct match, in pixels.

    Returns
    -------
    Evaluation
        With a record for each pair and method, and their summary.  Without PoseLib (extra ``geometry``) homographies
        and poses are not estimated, and a note says so.

    Raises
    ------
    ParameterError
        For a parameter outside its range, or a method that is neither a preset nor features.
    FormatError
        If a folder is no sequence, or its ground truth is damaged.

    Examples
    --------
    >>> evaluation = siftcli.evaluate("boat", ["default", "lowe"])  # doctest: +SKIP
    >>> evaluation.summary["lowe"]["repeatability"].value  # doctest: +SKIP
    0.62
    """
    refuse_renamed(tests)
    folders = [sequences] if isinstance(sequences, (str, PathLike)) else list(sequences)
    pairs = [pair for folder in folders for pair in sequence_pairs(folder)]
    settings = settings_of({"seed": seed, **tests}, budget)
    return measure_pairs(methods_of(methods, workers), pairs, settings)


def sequence_pairs(path: str | PathLike[str], listed: str | None = None) -> list[ImagePair]:
    """Find the pairs of a sequence or a folder of sequences, see `find_pairs`.

    Raises
    ------
    FormatError
        If there are none.
    """
    pairs = find_pairs(path, listed)
    if not pairs:
        raise FormatError(path, f"is no sequence: it holds no {LAYOUTS}")
    return pairs


def settings_of(tests: Mapping[str, Any], budget: int | None) -> Settings:
    """Check the tests and the budget.

    Raises
    ------
    ParameterError
        For an unknown test, one that the ground truth decides on, or a value outside its range.
    """
    known = {field.name for field in fields(MatchParams)} - set(_NOT_OURS)
    for name in tests:
        if name not in known:
            raise ParameterError(name, f"is not a test of an evaluation; those are {', '.join(sorted(known))}")
    if budget is not None and budget < 1:
        raise ParameterError("budget", f"must be at least 1, not {budget}")
    estimate = can_estimate()
    if tests.get("guided") and not estimate:
        raise ParameterError("guided", "needs PoseLib; install it with: pip install 'siftcli[geometry]'")
    return Settings(MatchParams(verify="homography", **tests), budget, estimate)


def journal_for(
    output: str,
    methods: Sequence[Method],
    pairs: Sequence[ImagePair],
    settings: Settings,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Journal:
    """Begin, or resume, the journal of a run, beside its output; parameters and errors as of `Journal`."""
    about = json.dumps(provenance(methods, pairs, settings), sort_keys=True, default=str).encode()
    return Journal(output, about, resume=resume, overwrite=overwrite and not resume)


def measure_pairs(
    methods: Sequence[Method],
    pairs: Sequence[ImagePair],
    settings: Settings,
    *,
    journal: Journal | None = None,
    on_result: Callable[[PairResult], None] = lambda result: None,
    jobs: int = 1,
) -> Evaluation:
    """Measure all methods on all pairs.

    Parameters
    ----------
    methods, pairs, settings
        What to measure.
    journal : Journal, optional
        Has the pairs of an earlier run, and gets those of this one.
    on_result : callable
        Called with each pair as soon as it is measured; its inliers are the correct matches.
    jobs : int
        Number of processes; the measures do not depend on it, but for times and memory.
    """
    found: dict[tuple[int, int], PairRecord] = {}
    warnings: dict[str, None] = {}
    tasks = []
    for task in ((m, p) for m in range(len(methods)) for p in range(len(pairs))):
        key = _key(task)
        if journal is not None and key in journal:
            found[task] = _record(methods, pairs, task, json.loads(journal.read(key)))
        else:
            tasks.append(task)
    make = partial(Measurer, methods, pairs, settings)
    for outcome in run_tasks(tasks, make, max(1, min(jobs, len(tasks)))):
        task = outcome.task
        pair = pairs[task[1]]
        names = (pair.a.name, pair.b.name)
        if outcome.result is None:
            error = f"{methods[task[0]].name}, {pair.sequence}, {names[0]}, {names[1]}: {outcome.error}"
            found[task] = _record(methods, pairs, task, {}, error)
            on_result(PairResult(task[1], names, "failed", error=error))
            continue
        measured, seconds, warned = outcome.result
        warnings |= dict.fromkeys(warned)
        if journal is not None:
            journal.add(_key(task), json.dumps(measured).encode())
        found[task] = _record(methods, pairs, task, measured)
        matches, correct = (int(measured.get(name) or 0) for name in ("matches", "correct"))  # type: ignore[arg-type]
        on_result(PairResult(task[1], names, "done", matches, correct, seconds))
    return _evaluation(methods, pairs, settings, found, tuple(warnings))


def _key(task: tuple[int, int]) -> bytes:
    return b"".join(number.to_bytes(4, "big") for number in task)


def _record(
    methods: Sequence[Method],
    pairs: Sequence[ImagePair],
    task: tuple[int, int],
    measured: Measured,
    error: str | None = None,
) -> PairRecord:
    pair = pairs[task[1]]
    return PairRecord(methods[task[0]].name, pair.sequence, pair.a.name, pair.b.name, measured, error)


def _evaluation(
    methods: Sequence[Method],
    pairs: Sequence[ImagePair],
    settings: Settings,
    found: Mapping[tuple[int, int], PairRecord],
    warnings: tuple[str, ...],
) -> Evaluation:
    whole = [p for p in range(len(pairs)) if all(found[m, p].error is None for m in range(len(methods)))]
    summaries = summarise([[found[m, p].measures for p in whole] for m in range(len(methods))], settings.match.seed)
    notes = []
    if not settings.estimate:
        notes.append("PoseLib is missing, so no homography or pose was estimated: pip install 'siftcli[geometry]'")
    if len(whole) < len(pairs):
        notes.append(f"{len(pairs) - len(whole)} of {len(pairs)} pairs failed for a method, and are not in the summary")
    parameters = provenance(methods, pairs, settings) | {"packages": versions(), "pairs": len(pairs)}
    return Evaluation(
        methods=tuple(method.name for method in methods),
        records=tuple(found[m, p] for p in range(len(pairs)) for m in range(len(methods))),
        summary={method.name: summary for method, summary in zip(methods, summaries, strict=True)},
        parameters=parameters,
        notes=(*notes, *warnings),
    )


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
