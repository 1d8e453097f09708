"""The ways to choose the image pairs of a collection."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ParameterError
from ..io.files import Source

__all__ = ["PairChoice"]


class PairChoice(NamedTuple):
    """The ways to choose pairs, of which one is given, or none: then their number decides.

    `near` and `neighbours` go together.

    Attributes
    ----------
    exhaustive : bool
        All pairs.
    sequential : int or None
        Each image with so many that follow it by name.
    pairs : path or bytes or None
        A list of pairs, or its contents.
    retrieve : int or None
        Each image with so many that look most like it.
    near : float or None
        Images that were taken at most so many metres apart.
    neighbours : int or None
        Each image with so many that were taken nearest to it.
    """

    exhaustive: bool = False
    sequential: int | None = None
    pairs: Source | None = None
    retrieve: int | None = None
    near: float | None = None
    neighbours: int | None = None

    def given(self) -> list[str]:
        """Return the options that are given; ``--neighbours`` only without ``--near``.

        Raises
        ------
        ParameterError
            If a value is outside its range.
        """
        least = {"sequential": 1, "retrieve": 1, "near": 0, "neighbours": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and not value >= low:
                raise ParameterError(name, f"must be at least {low}, not {value:g}")
        found = [f"--{name}" for name, value in zip(self._fields, self, strict=True) if value not in (None, False)]
        return ["--near"] if found == ["--near", "--neighbours"] else found
