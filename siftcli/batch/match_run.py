"""Matching the pairs of a collection: in processes, with a journal, so that a run can be killed and resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..io import match_npz
from ..io.colmap.camera import DatabaseOptions
from ..io.journal import Journal
from ..io.matches import write_matches
from ..io.registry import collection_reader
from ..matches import Matches
from ..matching.exact import match_sides
from ..params import MatchParams
from .match_source import Images, Source
from .outcome import Outcome
from .pairs import Pairs
from .workers import run_tasks

__all__ = ["PairResult", "count_inliers", "journal_for", "match_pairs", "pair_key", "write_journal"]

_TILE = 16


@dataclass(frozen=True)
class PairResult:
    """The result of one image pair.

    Attributes
    ----------
    key : int
        Its place among the pairs.
    names : (str, str)
        The images.
    status : "done" or "failed"
    matches, inliers : int or None
        How many; None if the pair failed, or was not verified.
    seconds : float
        That it took.
    error : str or None
        Why it failed: one line.
    data : bytes or None
        The matches, encoded.
    """

    key: int
    names: tuple[str, str]
    status: Literal["done", "failed"]
    matches: int | None = None
    inliers: int | None = None
    seconds: float = 0.0
    error: str | None = None
    data: bytes | None = None

    def record(self) -> dict[str, object]:
        """Return the result as a JSON object."""
        return {
            "a": self.names[0],
            "b": self.names[1],
            "matches": self.matches,
            "inliers": self.inliers,
            "seconds": round(self.seconds, 4),
            "status": self.status,
            "error": self.error,
        }


_Task = tuple[int, tuple[str, str]]
_Answer = tuple[bytes, int, int | None, float]


class _PairMatcher:
    """Matches pairs of a source's images."""

    def __init__(self, source: Source, params: MatchParams) -> None:
        self._images = Images(source, params.metric)
        self._params = params

    def __call__(self, task: _Task) -> _Answer:
        start = time.perf_counter()
        _, names = task
        a, b = map(self._images.side, names)
        matches = match_sides(a, b, self._params)
        return match_npz.encode(matches, names), len(matches), count_inliers(matches), time.perf_counter() - start


def count_inliers(matches: Matches) -> int | None:
    """How many inliers there are; None if the matches were not verified."""
    return None if matches.inliers is None else int(np.count_nonzero(matches.inliers))


def journal_for(
    output: str, source: Source, params: MatchParams, *, resume: bool = False, overwrite: bool = False
) -> Journal:
    """Begin or resume the journal of a run, beside its output.

    Parameters
    ----------
    output : str
        The match file.
    source : Source
        The file of the features.  A journal of other features is not resumed.
    params : MatchParams
        The tests.  A journal of other parameters is not resumed.
    resume, overwrite : bool
        See `Journal`.  With both, a journal that cannot be resumed is dropped.

    Raises
    ------
    OutputError
        See `Journal`.
    """
    about = {"features": source.fingerprint(), "parameters": asdict(params)}
    encoded = json.dumps(about, sort_keys=True).encode()
    return Journal(output, encoded, resume=resume, overwrite=overwrite)


def pair_key(names: tuple[str, str]) -> bytes:
    """Return the key of a pair in a journal."""
    return blake2b("\0".join(names).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def match_pairs(
    source: Source,
    pairs: Pairs,
    params: MatchParams,
    journal: Journal,
    on_result: Callable[[PairResult], None],
    jobs: int = 1,
) -> None:
    """Match the pairs that a journal lacks, and append them to it.

    Parameters
    ----------
    source : Source
        The file of the features.
    pairs : Pairs
        Pairs of its images.
    params : MatchParams
        The tests.
    journal : Journal
        Journal of this run.
    on_result : callable
        Called with the result of each pair as soon as it is in the journal.
    jobs : int
        Number of processes.  The journal's records do not depend on it, but for their order.

    Raises
    ------
    OutputError
        If the journal cannot be written.
    """
    left = [key for key in pairs.schedule(_TILE).tolist() if pair_key(pairs[key]) not in journal]
    tasks = ((key, pairs[key]) for key in left)
    for outcome in run_tasks(tasks, partial(_PairMatcher, source, params), max(1, min(jobs, len(left)))):
        result = _result(outcome)
        if result.data is not None:
            journal.add(pair_key(result.names), result.data)
        on_result(result)


def _result(outcome: Outcome[_Task, _Answer]) -> PairResult:
    key, names = outcome.task
    if outcome.result is None:
        return PairResult(key, names, "failed", error=f"{names[0]}, {names[1]}: {outcome.error}")
    data, matches, inliers, seconds = outcome.result
    return PairResult(key, names, "done", matches, inliers, seconds, data=data)


def write_journal(
    journal: Journal,
    pairs: Pairs,
    output: str,
    source: Source,
    format: str | None = None,
    *,
    overwrite: bool = False,
    database: DatabaseOptions | None = None,
    kept: Iterable[tuple[str, str]] = (),
) -> None:
    """Write the match file of a run, in the order of its pairs.

    Parameters
    ----------
    journal : Journal
        Journal of the run.
    pairs : Pairs
        Pairs of the run.
    output : str
        The match file.
    source : Source
        The file of the features, for images that a database lacks.
    format : str, optional
        Format of the match file; by default the suffix decides.
    overwrite : bool
        Replace what exists, or add to a database.
    database : DatabaseOptions, optional
        How a COLMAP database is made.
    kept : iterable of (str, str)
        Pairs of a file that exists which stay in it.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """

    def matched() -> Iterator[tuple[str, str, Matches]]:
        for names in (pairs[i] for i in range(len(pairs))):
            if (key := pair_key(names)) in journal:
                yield *names, match_npz.decode(journal.read(key))

    same = Path(output).exists() and Path(output).samefile(source.path)
    with collection_reader(source.path, source.format) as collection:
        features = None if same else collection.read
        how: dict[str, Any] = {"features": features, "overwrite": overwrite, "database": database, "kept": kept}
        write_matches(output, matched(), format, **how)
