"""Which of the detected features are kept."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..features import Features

__all__ = ["inside", "take"]


def take(features: Features, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Features:
    """Return the features of these indices, or those where a mask over them is true.

    Parameters
    ----------
    features : Features
        N of them.
    index : (M,) intp or (N,) bool
        Into them.
    """
    values = {f.name: getattr(features, f.name) for f in fields(features)}
    arrays: dict[str, Any] = {name: value[index] for name, value in values.items() if isinstance(value, np.ndarray)}
    return replace(features, **arrays)


def inside(features: Features, mask: npt.NDArray[np.bool_]) -> Features:
    """Return the features whose centre lies on a pixel that a mask keeps.

    Parameters
    ----------
    features : Features
        Centres beyond the image count as on its edge.
    mask : (H, W) bool
        True keeps.
    """
    last = np.array(mask.shape[::-1]) - 1
    column, row = np.clip(np.rint(features.xy).astype(np.intp), 0, last).T
    return take(features, mask[row, column])
