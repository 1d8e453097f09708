"""Match pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ParameterError
from ..features import Features, Matches
from .color import INLIER, OUTLIER, Colors, sequential
from .legend import GROUND, Bar, Entry, Key, Note
from .picture import ImageLike, View, to_rgb
from .scene import Marks, Scene, halo_width, line_width
from .style import MatchStyle
from .warp import homography_of, mapped, warped

__all__ = ["blink", "draw_matches", "match_scene"]

_Array = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

_SHARE = 0.3
"""Share of the picture that lines may cover."""
_RING, _DOT = 2.5, 2.0
"""Radius of the rings at the ends of lines, and diameter of the dots that stand for what has no line, in line widths."""
_DASH, _GAP = 6.0, 5.0
"""Of outliers' lines, in line widths."""
_SMALLER = 0.4
"""An image that is smaller than this, relative to the other, is enlarged to it."""
_BLINK = 700
"""Milliseconds that each picture is shown."""
_DIM = 0.45
"""Brightness of what only one image shows."""
