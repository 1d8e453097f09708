"""Which geometric model the matches of two images are evidence for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ParameterError
from ..matches import Matches
from ..params import MatchParams
from .verify import require_estimator, verify

__all__ = ["can_verify", "hidden_by", "verify_by_evidence"]

_ENOUGH = 0.8
"""Inliers of a homography over those of a fundamental matrix from which on the homography explains the images.

A fundamental matrix has fewer constraints and always keeps a few more.  COLMAP takes the same ratio.
"""
_FLAT, _DEEP = 0.2, 0.4
"""Share of the matches that each model has to keep: among enough wrong matches, a fundamental matrix finds inliers."""


def can_verify() -> bool:
    """Tell whether PoseLib, which estimates homographies and fundamental matrices, is installed."""
    try:
        require_estimator("homography")
    except ParameterError:
        return False
    return True


def verify_by_evidence(matches: Matches, params: MatchParams) -> Matches:
    """Verify matches by the model that explains the two images.

    That is a homography for a plane or a turning camera, and a fundamental matrix where there is parallax.

    Parameters
    ----------
    matches : Matches
        With coordinates.
    params : MatchParams
        As of `siftcli.matching.verify.verify`; its `verify` is taken as "auto".

    Returns
    -------
    Matches
        With `model` and `inliers`; as they were if there is evidence for neither model, or without PoseLib.
    """
    if not can_verify():
        return matches
    flat, deep = (verify(matches, replace(params, verify=kind)) for kind in ("homography", "fundamental"))
    if flat.model is not None and _inliers(flat) >= _ENOUGH * _inliers(deep):
        return flat
    if deep.model is not None and _inliers(deep) >= _DEEP * len(matches):
        return deep
    return flat if flat.model is not None and _inliers(flat) >= _FLAT * len(matches) else matches


def hidden_by(matches: Matches, params: MatchParams) -> int | None:
    """Return how many matches a fundamental matrix keeps where a homography rejects many of them; else None."""
    if params.verify != "homography" or not can_verify():
        return None
    deep = verify(matches, replace(params, verify="fundamental"))
    clear = deep.model is not None and _inliers(deep) >= _DEEP * len(matches)
    return _inliers(deep) if clear and _inliers(matches) < _ENOUGH * _inliers(deep) else None


def _inliers(matches: Matches) -> int:
    return 0 if matches.inliers is None else int(np.count_nonzero(matches.inliers))
