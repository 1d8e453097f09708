"""``sift match FOLDER``: extract the features of images, choose their pairs, and match and verify these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..batch.inputs import find_inputs
from ..batch.match_record import check_record, has_record, matched_pairs, record_parameters
from ..batch.match_source import Source
from ..batch.pair_choice import PairChoice
from ..batch.plan import Job, make_jobs
from ..batch.settings import Settings
from ..batch.states import job_states
from ..errors import PlanError
from ..io.formats import format_of_suffix
from ..io.journal import has_journal
from ..io.recorded import check_comparable, parameters_of
from ..matching.verify import require_estimator
from ..params import MatchParams
from ..words import counted
from .batch import run_batch
from .guard import guard
from .match_collection import chosen_pairs, match_into, require_file, without
from .match_output import MatchOutput
from .messages import Messages
from .one_image import Reading
from .run_options import RunOptions
from .streams import say

__all__ = ["run_images"]


def run_images(
    inputs: tuple[str, ...],
    choice: PairChoice,
    params: MatchParams,
    reading: Reading,
    target: MatchOutput,
    messages: Messages,
    run: RunOptions,
    *,
    recursive: bool,
    features: str | None,
    workers: int,
) -> int:
    """Match images; return the exit status.

    Features and matches of an earlier run are used again, so the same command continues an interrupted run.

    Parameters
    ----------
    inputs : tuple of str
        Images, folders and patterns.
    choice : PairChoice
        Which pairs.
    params : MatchParams
        The tests.
    reading : Reading
        How features are extracted.
    target : MatchOutput
        A database or HDF5 file.
    messages : Messages
    run : RunOptions
        How the images are processed.
    recursive : bool
        Search subfolders.
    features : str or None
        The file that keeps the features; by default beside the output.
    workers : int
        Processes that match.
    """
    output = require_file(target)
    format = target.format(many=True)
    if not format.extends:
        raise PlanError(f"{output}: pairs cannot be added to such a file later; give -o a .db or .h5 file")
    if params.verify is not None:
        require_estimator(params.verify)
    if features is None:
        features = str(Path(output).with_name(f"{Path(output).stem}.features.h5"))
    kept = format_of_suffix(features)
    if kept is None or not kept.many or "parameters" not in kept.holds:
        raise PlanError(f"--features: {features} cannot keep the features of many images; give the name of a .h5 file")
    found = find_inputs(inputs, recursive=recursive)
    if not messages.quiet:
        for note in found.notes:
            say(f"warning: {note}")
        for others in found.left_out:
            say(others)
    jobs = make_jobs(found, features, overwrite=target.overwrite, resume=not target.overwrite)
    guard([output, features], [job.path for job in jobs])
    settings = replace(reading.settings(), overwrite=target.overwrite)
    status, names = _extract(jobs, settings, run, messages)
    source, parameters = Source(features), parameters_of(features)
    check_comparable(parameters, parameters, features, features, params.metric)
    pairs = chosen_pairs(source, names, choice, params.seed, messages)
    format.function("check_names")(output, pairs.used())
    exists, there = Path(output).is_file(), frozenset[tuple[str, str]]()
    if exists and not target.overwrite:
        if not format.database and not has_record(output):
            raise PlanError(f"{output}: exists already; use --overwrite to replace it, or another name")
        check_record(output, params, parameters)
        there = matched_pairs(output, format, source, source.names(), verified=params.verify is not None)
    new = without(pairs, there)
    if not exists:
        record_parameters(output, params, parameters)
    if len(new):
        how: dict[str, Any] = {"resume": True, "drop": True, "exists": True, "workers": workers, "kept": sorted(there)}
        status = max(status, match_into(source, new, params, target, messages, **how))
        if exists:
            record_parameters(output, params, parameters)
    if not messages.quiet:
        with format.function("MatchCollection")(output) as collection:
            count, verified = len(collection.pairs), collection.count_verified()
        earlier = len(pairs) - len(new)
        matched = f"{counted(len(new), 'pair')} matched" + (f", {earlier:,} up to date" if earlier else "")
        if not len(new):
            matched = f"nothing to match: {counted(earlier, 'pair')} up to date"
        say(f"{counted(len(names), 'image')}; {matched}")
        say(f"{output} has {counted(count, 'pair')}, {verified:,} of them verified; the features are in {features}")
    return status


def _extract(
    jobs: Sequence[Job], settings: Settings, run: RunOptions, messages: Messages
) -> tuple[int, tuple[str, ...]]:
    """Extract the features that are missing; return the exit status and the names of the images that have features."""
    signature = str(settings.signed(jobs[0].format, __version__).signature)
    names, status = _present(jobs, signature) if run.resume else (), 0
    if len(names) == len(jobs) and not has_journal(jobs[0].output):
        messages.note(f"nothing to extract: {counted(len(jobs), 'image')} up to date")
    else:
        status = run_batch(jobs, settings, run, messages._replace(as_json=False), several=True)
        names = _present(jobs, signature)
    if len(names) < 2:
        raise PlanError(f"a pair needs two images, and there are features of {len(names)}")
    return status, names


def _present(jobs: Sequence[Job], signature: str) -> tuple[str, ...]:
    """Return the names of the images whose features are up to date."""
    return tuple(sorted(job.name for job, state in job_states(jobs, signature) if state == "done"))
