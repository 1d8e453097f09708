"""``sift match QUERY FEATURES --rank``: the images of a collection that match another one best."""

from __future__ import annotations

import csv
import io

from ..batch.match_run import PairResult
from ..batch.match_source import Source
from ..batch.pair_report import PairReport
from ..batch.similar import rank, similar_images
from ..batch.tally import Tally
from ..errors import PlanError
from ..io.files import STDIN
from ..io.recorded import check_comparable, parameters_of
from ..matching.verify import require_estimator
from ..params import MatchParams
from .match_pair import load
from .messages import Messages
from .one_image import Reading
from .progress import Display
from .streams import write_json, write_stdout

__all__ = ["run_rank"]


def run_rank(
    query: str,
    features: str,
    params: MatchParams,
    reading: Reading,
    messages: Messages,
    retrieve: int | None = None,
    *,
    top: int | None,
    workers: int,
) -> int:
    """Print a collection's images by how well they match a query; return the exit status.

    Parameters
    ----------
    query : str
        An image or a feature file.
    features : str
        File of the features of many images.
    params : MatchParams
        The tests.
    reading : Reading
        How features are extracted from the query.
    messages : Messages
    retrieve : int, optional
        Match only so many that look most like the query.
    top : int or None
        How many to print.
    workers : int
        Processes.
    """
    if params.verify is not None:
        require_estimator(params.verify)
    if top is not None and top < 1:
        raise PlanError(f"--top: must be at least 1, not {top}")
    if features == STDIN:
        raise PlanError("--rank: the second input is a file of the features of many images, not stdin")
    source = Source(features)
    names = source.names()
    loaded = load(query, None, reading)
    check_comparable(loaded.features.parameters, parameters_of(features), query, features, params.metric)
    if retrieve is not None:
        with Display(Tally(2 * len(names), "read"), "reads", messages, summary=False) as reads:
            found = similar_images(source, names, retrieve, params.seed, loaded.features, reads.step)
        names = tuple(names[i] for i in found[0])
    report = PairReport(len(names), "image", verified=params.verify is not None)
    with Display(report, "images", messages) as shown:
        results = rank(loaded.features, source, names, params, shown.show, workers)
    _print(results[:top], messages)
    return report.exit_status


def _print(results: list[PairResult], messages: Messages) -> None:
    if messages.as_json:
        for i, r in enumerate(results, 1):
            write_json({"rank": i, "image": r.names[1], **_counts(r)})
        return
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("rank", "image", "inliers", "matches"))
    table.writerows((i, r.names[1], *_counts(r).values()) for i, r in enumerate(results, 1))
    write_stdout(text.getvalue().encode("utf-8", "surrogateescape"))


def _counts(result: PairResult) -> dict[str, int | None]:
    return {"inliers": result.inliers, "matches": result.matches}
