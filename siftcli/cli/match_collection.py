"""``sift match FEATURES``: the image pairs of a collection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..batch.choose_pairs import choose_pairs
from ..batch.match_run import PairResult, journal_for, match_pairs, write_journal
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
from .match_output import MatchOutput, Messages
from .progress import Display
from .streams import read_stdin, say, write_json

__all__ = ["run_collection"]


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
    if target.on_stdout:
        raise PlanError("-o: the matches of a collection need a file; give -o the name of one, such as matches.h5")
    output, format = str(target.path), target.format(many=True)
    database = format.database
    guard([output], extended=[features] if database else [])
    if params.verify is not None:
        require_estimator(params.verify)
    source = Source(features)
    parameters = parameters_of(features)
    check_comparable(parameters, parameters, features, features, params.metric)
    pairs = _chosen(source, choice, params.seed, messages)
    if not messages.quiet:
        for note in pairs.notes:
            say(f"note: {note}")
    format.function("check_names")(output, pairs.used())
    if database and not target.overwrite and Path(output).is_file():
        pairs, there = _new_pairs(pairs, source, output, verified=params.verify is not None)
        if there and not messages.quiet:
            what = f"{there:,} pairs are" if there != 1 else "1 pair is"
            say(f"note: {what} in {output} already and not matched again; --overwrite does it")
        if not len(pairs):
            return 0
    make_folder(Path(output).parent)
    journal = journal_for(output, source, pairs, params, resume=resume, overwrite=target.overwrite)
    with journal:
        if not (target.overwrite or resume or database) and Path(output).is_file():
            raise PlanError(f"{output}: exists already; use --overwrite to replace it, or another name")
        report = PairReport(len(pairs), skipped=len(journal), verified=params.verify is not None)
        try:
            with Display(report, "pairs", quiet=messages.quiet, verbose=messages.verbose) as shown:
                match_pairs(source, pairs, params, journal, _teller(shown, messages), workers)
        except KeyboardInterrupt:
            say(f"{len(journal):,} of {len(pairs):,} pairs are in {journal.path}; go on with --resume")
            raise
        write_journal(journal, pairs, output, source, format.name, overwrite=True, database=target.database)
        if not report.failed:
            journal.remove()
    if report.failed:
        say(f"{output} lacks the pairs that failed; to try those again, repeat the command with --resume")
    return report.exit_status


def _new_pairs(pairs: Pairs, source: Source, output: str, *, verified: bool) -> tuple[Pairs, int]:
    """Leave out the pairs that a database has of the same features; return how many those are, too."""
    from ..io.match_db import pairs_there
    from ..io.registry import collection_reader

    with collection_reader(source.path, source.format) as collection:
        known = frozenset(collection.names)
        read = None if Path(output).samefile(source.path) else collection.read
        there = pairs_there(output, known & set(pairs.used()), read, verified=verified)
    new = np.array([pairs[i] not in there for i in range(len(pairs))], bool)
    return Pairs(pairs.names, pairs.index[new], pairs.notes), int(np.count_nonzero(~new))


def _teller(shown: Display, messages: Messages) -> Callable[[PairResult], None]:
    def tell(result: PairResult) -> None:
        shown.show(result)
        if messages.as_json:
            write_json(result.record())

    return tell


def _chosen(source: Source, choice: PairChoice, seed: int, messages: Messages) -> Pairs:
    """Choose the pairs to match, and show progress where that takes time."""
    if choice.pairs == STDIN:
        choice = choice._replace(pairs=read_stdin())
    if choice.retrieve is None:
        return choose_pairs(source, choice, seed)
    with Display(Tally(2 * len(source.names()), "read"), "reads", quiet=messages.quiet, summary=False) as shown:
        return choose_pairs(source, choice, seed, shown.step)
