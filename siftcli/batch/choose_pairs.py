"""Choosing the image pairs of a collection, as the options of a command line ask for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import PlanError
from ..io.registry import collection_reader
from ..words import counted
from . import pairs as pairing
from .match_source import Source
from .pair_choice import PairChoice
from .pairs import Pairs
from .similar import similar_images

__all__ = ["choose_pairs"]


_EXHAUSTIVE = 200
"""Most images of which all pairs are matched where the user does not choose; COLMAP has the same number."""
_SIMILAR, _FOLLOWING = 30, 5
"""Beyond that, the most similar images and those that follow by name that each one is matched with."""


def choose_pairs(
    source: Source,
    names: tuple[str, ...],
    choice: PairChoice,
    seed: int,
    on_image: Callable[[], None] = lambda: None,
) -> Pairs:
    """Choose pairs of a source's images.

    Parameters
    ----------
    source : Source
    names : tuple of str
        The images.
    choice : PairChoice
    seed : int
        Seed of the codebook of retrieval.
    on_image : callable
        Called after each image that retrieval has read, twice for each image.

    Raises
    ------
    PlanError
        If there are no such pairs.
    FormatError
        If the source cannot be read.
    """
    if choice.pairs is not None:
        return pairing.from_list(names, choice.pairs, name="<stdin>" if isinstance(choice.pairs, bytes) else None)
    if len(names) < 2:
        raise PlanError(f"{source.path}: holds {counted(len(names), 'image')}; a pair needs two")
    if choice.exhaustive:
        return pairing.exhaustive(names)
    if choice.sequential is not None:
        return pairing.sequential(names, choice.sequential)
    if choice.retrieve is not None:
        return pairing.nearest_pairs(names, similar_images(source, names, choice.retrieve, seed, on_image=on_image))
    if choice.near is not None or choice.neighbours is not None:
        return _by_position(source, names, choice)
    if len(names) <= _EXHAUSTIVE:
        return pairing.exhaustive(names)
    similar = pairing.nearest_pairs(names, similar_images(source, names, _SIMILAR, seed, on_image=on_image))
    index = np.concatenate([similar.index, pairing.sequential(names, _FOLLOWING).index])
    note = (
        f"each of the {len(names):,} images is matched with the {_SIMILAR} most similar ones and the next "
        f"{_FOLLOWING} by name; --exhaustive matches all pairs"
    )
    return Pairs(names, np.unique(index, axis=0), (note,))


def _by_position(source: Source, names: tuple[str, ...], choice: PairChoice) -> Pairs:
    """Pair images by their positions; those without one are in no pair."""
    from ..matching.positions import cartesian, near_pairs

    option = "--near" if choice.near is not None else "--neighbours"
    with collection_reader(source.path, source.format) as collection:
        cameras = {name: collection.read(name).camera for name in names}
    positions = {n: camera.position for n, camera in cameras.items() if camera is not None and camera.position}
    if len(positions) < 2:
        raise PlanError(
            f"{option}: {source.path} tells the position of {len(positions)} of {len(names)} images; positions come "
            "from EXIF metadata, which sift detect keeps in .h5 and .db, and sift convert --images adds"
        )
    index = near_pairs(cartesian(list(positions.values())), choice.near, choice.neighbours)
    if not len(index):
        raise PlanError(f"{option}: no two images were taken so near one another")
    bare = len(names) - len(positions)
    notes = (f"{bare:,} of {len(names):,} images have no position, and are in no pair",) if bare else ()
    return Pairs(tuple(positions), index.astype(np.int32), notes)
