"""Numbers in sentences."""

from __future__ import annotations

__all__ = ["counted"]

_PLURALS = {"match": "matches"}


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: "1 keypoint", "2 keypoints", "1,290 matches"."""
    return f"{number:,} {noun if number == 1 else _PLURALS.get(noun, noun + 's')}"
