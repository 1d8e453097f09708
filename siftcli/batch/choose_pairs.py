"""Choosing the image pairs of a collection, as the options of a command line ask for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import PlanError
from ..io.registry import collection_reader
from . import pairs as pairing
from .match_source import Source
from .pair_choice import PairChoice
from .pairs import Pairs
from .similar import similar_images

__all__ = ["choose_pairs"]


def choose_pairs(source: Source, choice: PairChoice, seed: int, on_image: Callable[[], None] = lambda: None) -> Pairs:
    """Choose pairs of a source's images.

    Parameters
    ----------
    source : Source
    choice : PairChoice
    seed : int
        Of the codebook of `retrieve`.
    on_image : callable
        Called after each image that `retrieve` has read, twice for each image.

    Raises
    ------
    PlanError
        If there are no such pairs.
    FormatError
        If the source cannot be read.
    """
    names = source.names()
    if choice.pairs is not None:
        return pairing.from_list(names, choice.pairs, name="<stdin>" if isinstance(choice.pairs, bytes) else None)
    if len(names) < 2:
        raise PlanError(f"{source.path}: holds {len(names)} image{'' if len(names) == 1 else 's'}; a pair needs two")
    if choice.exhaustive:
        return pairing.exhaustive(names)
    if choice.sequential is not None:
        return pairing.sequential(names, choice.sequential)
    if choice.retrieve is not None:
        neighbours = similar_images(source, names, choice.retrieve, seed, on_image=on_image)
        return pairing.nearest_pairs(names, neighbours)
    return _by_position(source, names, choice)


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
