"""Messages about the matches of two images."""

from __future__ import annotations

import numpy as np

from ..matches import MODELS, Matches
from ..matching.evidence import can_verify, hidden_by
from ..params import MatchParams
from ..words import counted

__all__ = ["parallax_hint", "verdict"]


def verdict(matches: Matches, verify: str | None, min_inliers: int = 15) -> str:
    """Say how many matches there are, and how many obey which model.

    Parameters
    ----------
    matches : Matches
    verify : str or None
        The model that was asked for, or "auto"; None for matches of a file.
    min_inliers : int
        Fewest that make a model.
    """
    count = counted(len(matches), "match")
    if matches.inliers is None:
        if verify != "auto" or not len(matches):
            return count
        if not can_verify():
            return f"{count}, not verified (that needs PoseLib: pip install 'siftcli[geometry]')"
        return f"{count}; neither a homography nor a fundamental matrix explains them"
    inliers = counted(int(np.count_nonzero(matches.inliers)), "inlier")
    if matches.kind is not None:
        return f"{count}, {inliers} of {MODELS[matches.kind]}"
    if verify in MODELS:
        return f"{count}; no {MODELS[verify].split(' ', 1)[1]} found (fewer than {min_inliers} inliers)"
    return f"{count}, {inliers}"


def parallax_hint(matches: Matches, params: MatchParams) -> str | None:
    """Return a hint where a fundamental matrix keeps many outliers of a homography, or None."""
    more = hidden_by(matches, params)
    if more is None:
        return None
    return (
        f"hint: a fundamental matrix keeps {more:,} of the {counted(len(matches), 'match')}, so there is parallax; "
        "see --verify fundamental"
    )
