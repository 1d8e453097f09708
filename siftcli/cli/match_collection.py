"""``sift match FEATURES``: the image pairs of a collection."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..batch.choose_pairs import choose_pairs
from ..batch.match_record import matched_pairs
from ..batch.match_run import PairResult, journal_for, match_pairs, pair_key, write_journal
from ..batch.match_source import Source
from ..batch.pair_choice import PairChoice
from ..batch.pair_report import PairReport
from ..batch.pairs import Pairs
from ..batch.tally import Tally
from ..errors import PlanError
from ..io.files import STDIN
from ..io.output import make_folder
from ..io.recorded import check_comparable, parameters_of
from ..matching.verify import require_estimator
from ..params import MatchParams
from .guard import guard
from .match_output import MatchOutput
from .messages import Messages
from .progress import Display
from .streams import read_stdin, say, write_json

__all__ = ["chosen_pairs", "match_into", "require_file", "run_collection", "without"]


def run_collection(
    features: str,
    choice: PairChoice,
    params: MatchParams,
    target: MatchOutput,
    messages: Messages,
    *,
    resume: bool,
    workers: int,
) -> int:
    """Match pairs of a collection's images; return the exit status.

    Parameters
    ----------
    features : str
        File of the features of many images.
    choice : PairChoice
        Which pairs.
    params : MatchParams
        The tests.
    target : MatchOutput
    messages : Messages
    resume : bool
        Continue an interrupted run.
    workers : int
        Processes.
    """
    output = require_file(target)
    format = target.format(many=True)
    database = format.database
    guard([output], extended=[features] if database else [])
    if params.verify is not None:
        require_estimator(params.verify)
    source = Source(features)
    parameters = parameters_of(features)
    check_comparable(parameters, parameters, features, features, params.metric)
    pairs = chosen_pairs(source, source.names(), choice, params.seed, messages)
    format.function("check_names")(output, pairs.used())
    if database and not target.overwrite and Path(output).is_file():
        there = matched_pairs(output, format, source, pairs.used(), verified=params.verify is not None)
        wanted, pairs = len(pairs), without(pairs, there)
        if len(pairs) < wanted and not messages.quiet:
            count = wanted - len(pairs)
            what = f"{count:,} pairs are" if count != 1 else "1 pair is"
            say(f"note: {what} in {output} already and not matched again; --overwrite does it")
        if not len(pairs):
            return 0
    exists = target.overwrite or resume or database
    return match_into(
        source,
        pairs,
        params,
        target,
        messages,
        resume=resume,
        drop=target.overwrite and not resume,
        exists=exists,
        workers=workers,
    )


def require_file(target: MatchOutput) -> str:
    """Return the name of the match file; PlanError if there is none."""
    if target.on_stdout:
        raise PlanError("-o: the matches of many images need a file; give -o the name of one, such as matches.h5")
    return str(target.path)


def match_into(
    source: Source,
    pairs: Pairs,
    params: MatchParams,
    target: MatchOutput,
    messages: Messages,
    *,
    resume: bool,
    drop: bool,
    exists: bool,
    workers: int,
    kept: Iterable[tuple[str, str]] = (),
) -> int:
    """Match pairs and write their matches; return the exit status.

    Parameters
    ----------
    source : Source
    pairs : Pairs
        Pairs of its images.
    params : MatchParams
    target : MatchOutput
        A file.
    messages : Messages
    resume : bool
        Continue an interrupted run.
    drop : bool
        Drop the journal of an interrupted run that is not resumed.
    exists : bool
        The file may exist.
    workers : int
        Processes.
    kept : iterable of (str, str)
        Pairs of a file that exists which stay in it.
    """
    output = str(target.path)
    make_folder(Path(output).parent)
    with journal_for(output, source, params, resume=resume, overwrite=drop) as journal:
        if not exists and Path(output).is_file():
            raise PlanError(f"{output}: exists already; use --overwrite to replace it, or another name")
        earlier = sum(pair_key(pairs[i]) in journal for i in range(len(pairs)))
        report = PairReport(len(pairs), skipped=earlier, verified=params.verify is not None)
        display = Display(report, "pairs", messages)

        def tell(result: PairResult) -> None:
            display.show(result)
            if messages.as_json:
                write_json(result.record())

        try:
            with display:
                match_pairs(source, pairs, params, journal, tell, workers)
        except KeyboardInterrupt:
            say(f"{len(journal):,} of {len(pairs):,} pairs are in {journal.path}; continue with --resume")
            raise
        write_journal(
            journal, pairs, output, source, target.format().name, overwrite=True, database=target.database, kept=kept
        )
        if not report.failed:
            journal.remove()
    if report.failed:
        say(f"{output} lacks the pairs that failed; to try those again, repeat the command with --resume")
    return report.exit_status


def without(pairs: Pairs, there: frozenset[tuple[str, str]]) -> Pairs:
    """Leave out pairs, whichever way round they are."""
    new = np.array([not there & {(a, b), (b, a)} for a, b in (pairs[i] for i in range(len(pairs)))], bool)
    return Pairs(pairs.names, pairs.index[new], pairs.notes)


def chosen_pairs(source: Source, names: tuple[str, ...], choice: PairChoice, seed: int, messages: Messages) -> Pairs:
    """Choose the pairs to match, tell what there is to tell, and show progress where that takes time."""
    if choice.pairs == STDIN:
        choice = choice._replace(pairs=read_stdin())
    reads = Display(Tally(2 * len(names), "read"), "reads", messages, summary=False)
    with reads as shown:
        pairs = choose_pairs(source, names, choice, seed, shown.step)
    if not messages.quiet:
        for note in pairs.notes:
            say(f"note: {note}")
    return pairs
