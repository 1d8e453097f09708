"""What a run of the benchmark is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .contenders import PEERS
from .images import SIZES, sources
from .timing import quiet

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """What to measure, and how thoroughly.

    Attributes
    ----------
    quick : bool
        Few repetitions, small pictures: to see that everything works.
    repeat : int or None
        Rounds; by default as many as suit each section.
    sizes, sources, peers : tuple of str
    files : int or None
        Images of the folder.
    gigapixel : float
        Size of the largest picture, in millions of pixels.
    progress : callable
        Told what is being measured.
    """

    quick: bool = False
    repeat: int | None = None
    sizes: tuple[str, ...] = SIZES
    sources: tuple[str, ...] = ()
    peers: tuple[str, ...] = PEERS
    files: int | None = None
    gigapixel: float = 1000
    progress: Callable[[str], None] = quiet

    def about(self, name: str) -> Callable[[str], None]:
        """Return what tells the progress of one thing, by its name."""
        return lambda message: self.progress(f"{name}: {message}")

    def rounds(self, usual: int) -> int:
        """Return the number of rounds of a section that usually has so many."""
        return self.repeat or (1 if self.quick else usual)

    def chosen_sources(self) -> tuple[str, ...]:
        """Return the sets of photographs that are asked for, by default all that are there."""
        return self.sources or sources()
