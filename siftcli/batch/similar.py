"""Which images of a collection look alike, and which of them a query matches best."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import FormatError, OutputError
from ..features import Features, Float32
from ..io.retrieval_file import StoredVectors, digest_of_descriptors, read_vectors, write_vectors
from ..matching.exact import Side, match_sides
from ..matching.retrieval import aggregate, learn_codebook, most_similar, sample
from ..params import MatchParams
from .match_run import PairResult, count_inliers
from .match_source import Images, Source
from .workers import run_tasks

__all__ = ["rank", "similar_images"]

Descriptors: TypeAlias = npt.NDArray[np.uint8] | Float32

_NONE = np.empty((0, 128), np.uint8)


def similar_images(
    source: Source,
    names: tuple[str, ...],
    count: int,
    seed: int,
    query: Features | None = None,
    on_image: Callable[[], None] = lambda: None,
) -> npt.NDArray[np.intp]:
    """Find the images that look most like each of a collection, or like a query.

    Parameters
    ----------
    source : Source
        The file of the features.
    names : tuple of str
        N images.
    count : int
        How many to find, if there are as many.
    seed : int
        Seed of the codebook.
    query : Features, optional
        Another image.
    on_image : callable
        Called after each image that was read, 2 N times at most.  One that cannot be read is like no other.

    Notes
    -----
    The codebook and the vectors are kept beside the source, see :mod:`siftcli.io.retrieval_file`, and used again; of
    images that are new or have other descriptors, vectors are computed with the same codebook.

    Returns
    -------
    (N, count) intp
        Into the names, most similar first; (1, count) for a query.

    Raises
    ------
    FormatError
        If the source cannot be read.
    """
    codebook, vectors = _vectors(source, names, seed, on_image)
    if query is None:
        return most_similar(vectors, vectors, count, exclude_self=True)[0]
    descriptors = _NONE if query.descriptors is None else query.descriptors
    return most_similar(aggregate(descriptors, codebook)[None], vectors, count)[0]


def _vectors(
    source: Source, names: tuple[str, ...], seed: int, on_image: Callable[[], None]
) -> tuple[Float32, Float32]:
    """Return the codebook and the vectors of images: those that are kept beside the source, and new ones."""
    try:
        stored, ours = read_vectors(source.path), True
    except FormatError:  # something else has that name; it stays
        stored, ours = None, False
    if stored is not None and stored.seed != seed:
        stored = None
    size, modified = source.fingerprint()
    places = {} if stored is None else {name: i for i, name in enumerate(stored.names)}
    if stored is not None and stored.source == (size, modified) and places.keys() >= set(names):
        return stored.codebook, stored.vectors[[places[name] for name in names]]
    images = Images(source, "l2")

    def read(name: str) -> Descriptors:
        try:
            found = images.features(name).descriptors
        except FormatError:  # matching says why
            found = None
        on_image()
        return _NONE if found is None else found

    codebook = learn_codebook(sample(names, read, seed), seed) if stored is None else stored.codebook
    vectors = np.empty((len(names), codebook.size), np.float32)
    digests = []
    for vector, name in zip(vectors, names, strict=True):
        descriptors = read(name)
        digests.append(digest_of_descriptors(descriptors))
        place = places.get(name)
        if stored is not None and place is not None and stored.digests[place] == digests[-1]:
            vector[:] = stored.vectors[place]
        else:
            vector[:] = aggregate(descriptors, codebook)
    if ours:
        with suppress(OutputError):  # such as in a folder that is read-only; it is computed again next time
            write_vectors(source.path, StoredVectors(seed, (size, modified), codebook, names, tuple(digests), vectors))
    return codebook, vectors


class _QueryMatcher:
    """Matches a query with a source's images."""

    def __init__(self, query: Features, source: Source, params: MatchParams) -> None:
        self._query = Side.of(query, params.metric)
        self._images = Images(source, params.metric)
        self._params = params

    def __call__(self, name: str) -> tuple[int, int | None, float]:
        start = time.perf_counter()
        matches = match_sides(self._query, self._images.side(name), self._params)
        return len(matches), count_inliers(matches), time.perf_counter() - start


def rank(
    query: Features,
    source: Source,
    names: Iterable[str],
    params: MatchParams,
    on_result: Callable[[PairResult], None],
    jobs: int = 1,
) -> list[PairResult]:
    """Order images by how many of their keypoints match a query's.

    Parameters
    ----------
    query : Features
        With descriptors.
    source : Source
        The file of the features of the images.
    names : iterable of str
        Which of its images.
    params : MatchParams
        The tests; with `verify`, it is the inliers that count.
    on_result : callable
        Called with the result of each image as soon as it is known.
    jobs : int
        Number of processes.

    Returns
    -------
    list of PairResult
        Most inliers first, then most matches, then by name; images that failed are left out.
    """
    names = list(names)
    results = []
    jobs = max(1, min(jobs, len(names)))
    outcomes = run_tasks(names, partial(_QueryMatcher, query, source, params), jobs)
    for key, outcome in enumerate(outcomes):
        pair = ("", outcome.task)
        if outcome.result is None:
            result = PairResult(key, pair, "failed", error=f"{outcome.task}: {outcome.error}")
        else:
            result = PairResult(key, pair, "done", *outcome.result)
            results.append(result)
        on_result(result)
    return sorted(results, key=lambda r: (-(r.inliers or 0), -(r.matches or 0), r.names[1]))
