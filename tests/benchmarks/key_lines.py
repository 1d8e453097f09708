"""How two key files of the same keypoints in the same order agree, as text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Lines", "lines"]


@dataclass(frozen=True)
class Lines:
    """How two key files of the same keypoints in the same order agree, as text.

    Attributes
    ----------
    frames : float
        Share of the lines ``row col sigma orientation`` that are equal character for character.
    values : float
        Share of the descriptor values that are equal.
    largest : int
        Largest difference of a descriptor value.
    """

    frames: float
    values: float
    largest: int


def lines(ours: bytes, theirs: bytes) -> Lines | None:
    """Compare two key files line by line; None if they have different numbers of keypoints."""
    a, b = ours.splitlines(), theirs.splitlines()
    if len(a) != len(b) or a[0] != b[0]:
        return None

    def values(text: list[bytes]) -> npt.NDArray[np.int64]:
        rows = (b" ".join(text[i + 1 : i + 8]).split() for i in range(1, len(text), 8))
        return np.array([[int(value) for value in row] for row in rows])

    gap = np.abs(values(a) - values(b))
    equal = [p == q for p, q in zip(a[1::8], b[1::8], strict=True)]
    return Lines(sum(equal) / len(equal), float((gap == 0).mean()), int(gap.max()))
