"""``sift match FEATURES`` and ``sift match QUERY FEATURES --rank``: the images of a collection."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..batch import pairs as choose
from ..batch.match_run import PairResult, journal_for, match_pairs, write_journal
from ..batch.match_source import Source
from ..batch.pairs import Pairs
from ..batch.similar import rank, similar_images
from ..errors import PlanError
from ..features import Features
from ..io.files import STDIN, STDOUT
from ..io.matches import match_format_for
from ..io.output import make_folder
from ..io.recorded import check_comparable, parameters_of
from ..matching.verify import require_estimator
from .guard import guard
from .match import Request
from .match_pair import load
from .match_progress import PairDisplay
from .streams import read_stdin, say, write_json, write_stdout

__all__ = ["run_collection", "run_rank"]


def run_collection(features: str, request: Request) -> int:
    """Match pairs of a collection's images; return the exit status."""
    output = request.output
    if output is None or output == STDOUT:
        raise PlanError("-o: the matches of a collection need a file; give -o the name of one, such as matches.h5")
    format = match_format_for(output, request.format, many=True)
    database = format.name == "colmap-db"
    guard([output], extended=[features] if database else [])
    if request.params.verify is not None:
        require_estimator(request.params.verify)
    source = Source(features)
    parameters = parameters_of(features)
    check_comparable(parameters, parameters, features, features, request.params.metric)
    pairs = _pairs(source, request)
    if not request.quiet:
        for note in pairs.notes:
            say(f"note: {note}")
    format.function("check_names")(output, pairs.used())
    if database and not request.overwrite and Path(output).is_file():
        pairs, there = _new_pairs(pairs, source, request)
        if there and not request.quiet:
            what = f"{there:,} pairs are" if there != 1 else "1 pair is"
            say(f"note: {what} in {output} already and not matched again; --overwrite does it")
        if not len(pairs):
            return 0
    make_folder(Path(output).parent)
    journal = journal_for(output, source, pairs, request.params, resume=request.resume, overwrite=request.overwrite)
    with journal:
        if not (request.overwrite or request.resume or database) and Path(output).is_file():
            raise PlanError(f"{output}: exists already; use --overwrite to replace it, or another name")
        shown = PairDisplay(len(pairs), "pair", done=len(journal), quiet=request.quiet, verbose=request.verbose)
        try:
            with shown:
                match_pairs(source, pairs, request.params, journal, _teller(shown, request), request.jobs)
        except KeyboardInterrupt:
            say(f"{len(journal):,} of {len(pairs):,} pairs are in {journal.path}; go on with --resume")
            raise
        write_journal(journal, pairs, output, source, format.name, overwrite=True, database=request.database)
        if not shown.failed:
            journal.remove()
    if not request.quiet:
        say(shown.summary(request.params.verify is not None))
    if shown.failed:
        say(f"{output} lacks the pairs that failed; to try those again, repeat the command with --resume")
    return shown.exit_status


def _new_pairs(pairs: Pairs, source: Source, request: Request) -> tuple[Pairs, int]:
    """Leave out the pairs that a database has of the same features; return how many those are, too."""
    from ..io.match_db import pairs_there
    from ..io.registry import collection_reader

    output = str(request.output)
    verified = request.params.verify is not None
    with collection_reader(source.path, source.format) as collection:
        known = frozenset(collection.names)
        read = None if Path(output).samefile(source.path) else collection.read
        there = pairs_there(output, known & set(pairs.used()), read, verified=verified)
    new = np.array([pairs[i] not in there for i in range(len(pairs))], bool)
    return Pairs(pairs.names, pairs.index[new], pairs.notes), int(np.count_nonzero(~new))


def _teller(shown: PairDisplay, request: Request) -> Callable[[PairResult], None]:
    def tell(result: PairResult) -> None:
        shown.show(result)
        if request.as_json:
            write_json(result.record())

    return tell


def _pairs(source: Source, request: Request) -> Pairs:
    """Choose the pairs to match.

    Raises
    ------
    PlanError
        If there are none.
    """
    names = source.names()
    if request.pairs is not None:
        listed = read_stdin() if request.pairs == STDIN else request.pairs
        return choose.from_list(names, listed, name="<stdin>" if request.pairs == STDIN else request.pairs)
    if len(names) < 2:
        raise PlanError(f"{source.path}: holds {len(names)} image{'' if len(names) == 1 else 's'}; a pair needs two")
    if request.exhaustive:
        return choose.exhaustive(names)
    if request.sequential is not None:
        return choose.sequential(names, request.sequential)
    if request.near is not None or request.neighbours is not None:
        return _near(source, names, request)
    return choose.nearest_pairs(names, _similar(source, names, request))


def _near(source: Source, names: tuple[str, ...], request: Request) -> Pairs:
    """Pair images by their positions; those without one are in no pair."""
    from ..io.registry import collection_reader
    from ..matching.positions import cartesian, near_pairs

    if request.near is not None and not request.near >= 0:
        raise PlanError(f"--near: must be at least 0, not {request.near:g}")
    if request.neighbours is not None and request.neighbours < 1:
        raise PlanError(f"--neighbours: must be at least 1, not {request.neighbours}")
    option = "--near" if request.near is not None else "--neighbours"
    with collection_reader(source.path, source.format) as collection:
        cameras = {name: collection.read(name).camera for name in names}
    positions = {n: camera.position for n, camera in cameras.items() if camera is not None and camera.position}
    if len(positions) < 2:
        raise PlanError(
            f"{option}: {source.path} tells the position of {len(positions)} of {len(names)} images; positions come "
            "from EXIF metadata, which sift detect keeps in .h5 and .db, and sift convert --images adds"
        )
    index = near_pairs(cartesian(list(positions.values())), request.near, request.neighbours)
    if not len(index):
        raise PlanError(f"{option}: no two images were taken so near one another")
    bare = len(names) - len(positions)
    notes = (f"{bare:,} of {len(names):,} images have no position, and are in no pair",) if bare else ()
    return Pairs(tuple(positions), index.astype(np.int32), notes)


def _similar(
    source: Source, names: tuple[str, ...], request: Request, query: Features | None = None
) -> npt.NDArray[np.intp]:
    count = request.retrieve or 0
    if count < 1:
        raise PlanError(f"--retrieve: must be at least 1, not {count}")
    with PairDisplay(2 * len(names), "read", quiet=request.quiet) as shown:
        return similar_images(source, names, count, request.params.seed, query, shown.step)


# --- a query


def run_rank(query: str, features: str, request: Request) -> int:
    """Print a collection's images by how well they match a query; return the exit status."""
    if request.params.verify is not None:
        require_estimator(request.params.verify)
    if request.top is not None and request.top < 1:
        raise PlanError(f"--top: must be at least 1, not {request.top}")
    if features == STDIN:
        raise PlanError("--rank: the second input is a file of the features of many images, not stdin")
    source = Source(features)
    names = source.names()
    loaded = load(query, None, request)
    check_comparable(loaded.features.parameters, parameters_of(features), query, features, request.params.metric)
    if request.retrieve is not None:
        names = tuple(names[i] for i in _similar(source, names, request, loaded.features)[0])
    shown = PairDisplay(len(names), "image", quiet=request.quiet, verbose=request.verbose)
    with shown:
        results = rank(loaded.features, source, names, request.params, shown.show, request.jobs)
    _print(results[: request.top], request)
    if not request.quiet:
        say(shown.summary(request.params.verify is not None))
    return shown.exit_status


def _print(results: list[PairResult], request: Request) -> None:
    if request.as_json:
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
