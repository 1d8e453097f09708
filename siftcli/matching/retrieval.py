"""Which images look alike: one vector for each image, aggregated from its descriptors (VLAD).

A codebook of cluster centres is learnt from a sample of the collection's own descriptors, in RootSIFT form.  The
vector of an image sums up, for each centre, by how much the descriptors nearest to it differ from it; each centre's
part, then the whole, is brought to unit norm (Jegou et al. 2010, with the intra-normalisation of Arandjelovic and
Zisserman 2013).  The dot product of two vectors tells how alike the images are, from -1 to 1.

Everything is seeded: the same collection gives the same neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ..features import Float32

__all__ = ["aggregate", "learn_codebook", "most_similar", "sample"]

_CENTRES = 64
_ROUNDS = 12
_SAMPLE = 100_000
"""Descriptors that a codebook is learnt from, at most."""

_LEAST = -2.0
"""A similarity below all others."""

_BLOCK = 4096
_QUERIES = 256
"""Descriptors, and images, that are compared with all others at a time."""


def _root(descriptors: npt.NDArray[np.uint8] | Float32) -> Float32:
    """Bring descriptors into RootSIFT form; zero ones are left out, they show nothing."""
    values = np.maximum(descriptors.astype(np.float32), 0)
    values = values[values.any(axis=1)]
    return np.asarray(np.sqrt(values / values.sum(axis=1, keepdims=True)))


def sample(names: Sequence[str], read: Callable[[str], npt.NDArray[np.uint8] | Float32], seed: int) -> Float32:
    """Draw descriptors from all over a collection.

    Parameters
    ----------
    names : sequence of str
        The images.
    read : callable
        Gives the (N, 128) descriptors of an image.
    seed : int
        Seed of the random draw.

    Returns
    -------
    (at most 100,000, 128) float32
        In RootSIFT form; the same number from every image that has as many.
    """
    share = max(1, _SAMPLE // max(1, len(names)))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(names))[:_SAMPLE])
    parts = [np.empty((0, 128), np.float32)]
    for place in chosen.tolist():
        descriptors = read(names[place])
        random = np.random.default_rng((seed, place))
        parts.append(_root(descriptors[np.sort(random.permutation(len(descriptors))[:share])]))
    return np.concatenate(parts)


def _nearest(rows: Float32, centres: Float32) -> npt.NDArray[np.intp]:
    """Find the centre nearest to each row."""
    offset = np.square(centres).sum(axis=1) / 2
    parts = [np.empty(0, np.intp)]
    for i in range(0, len(rows), _BLOCK):
        parts.append((rows[i : i + _BLOCK] @ centres.T - offset).argmax(axis=1))
    return np.concatenate(parts)


def _sums(rows: Float32, label: npt.NDArray[np.intp], n: int) -> npt.NDArray[np.float64]:
    """Sum up the rows of each label."""
    order = np.argsort(label, kind="stable")
    present, start = np.unique(label[order], return_index=True)
    sums = np.zeros((n, rows.shape[1]))
    if len(rows):
        sums[present] = np.add.reduceat(rows[order], start, axis=0, dtype=np.float64)
    return sums


def learn_codebook(rows: Float32, seed: int) -> Float32:
    """Find cluster centres: k-means, begun at rows drawn at random.

    Parameters
    ----------
    rows : (N, 128) float32
        See :func:`sample`.
    seed : int
        Seed of the first centres.

    Returns
    -------
    (64, 128) float32
        Fewer if there are fewer rows.
    """
    random = np.random.default_rng(seed)
    centres = rows[np.sort(random.permutation(len(rows))[:_CENTRES])]
    for _ in range(_ROUNDS):
        label = _nearest(rows, centres)
        count = np.bincount(label, minlength=len(centres))[:, None]
        mean = _sums(rows, label, len(centres)) / np.maximum(count, 1)
        centres = np.where(count > 0, mean, centres).astype(np.float32)
    return centres


def aggregate(descriptors: npt.NDArray[np.uint8] | Float32, codebook: Float32) -> Float32:
    """Compute the vector of an image.

    Parameters
    ----------
    descriptors : (N, 128) uint8 or float32
        Descriptors of the image.
    codebook : (K, 128) float32
        The centres from :func:`learn_codebook`.

    Returns
    -------
    (128 K,) float32
        A vector of unit norm; zero for an image without descriptors.
    """
    if not len(codebook):
        return np.empty(0, np.float32)
    rows = _root(descriptors)
    label = _nearest(rows, codebook)
    count = np.bincount(label, minlength=len(codebook))[:, None]
    vector = _sums(rows, label, len(codebook)) - count * codebook.astype(np.float64)
    vector /= np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-12)
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32).ravel()


def most_similar(
    queries: Float32, vectors: Float32, count: int, exclude_self: bool = False
) -> tuple[npt.NDArray[np.intp], Float32]:
    """Find the images most like each query.

    Parameters
    ----------
    queries : (Q, D) float32
        Vectors from :func:`aggregate`.
    vectors : (N, D) float32
        Likewise.
    count : int
        How many for each query, if there are as many.
    exclude_self : bool
        The queries are the vectors; an image is not its own neighbour.

    Returns
    -------
    index : (Q, count) intp
        Most similar first; of equally similar ones, the lowest index first.  Images without descriptors come last.
    similarity : (Q, count) float32
    """
    count = max(0, min(count, len(vectors) - exclude_self))
    empty = ~vectors.any(axis=1)
    index = np.empty((len(queries), count), np.intp)
    similarity = np.empty(index.shape, np.float32)
    for start in range(0, len(queries) if count else 0, _QUERIES):
        scores = queries[start : start + _QUERIES] @ vectors.T
        scores[:, empty] = _LEAST
        if exclude_self:
            own = np.arange(len(scores))
            scores[own, start + own] = -np.inf
        least = np.partition(scores, -count, axis=1)[:, -count]
        for query, score in enumerate(scores):
            near = np.flatnonzero(score >= least[query])
            near = near[np.lexsort((near, -score[near]))][:count]
            index[start + query], similarity[start + query] = near, score[near]
    return index, similarity
