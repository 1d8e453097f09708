"""Maps from values to colours that differ for colour-blind readers too.

They are paths through OKLab (Ottosson 2020), in which equal steps look equally large.  Along the sequential one,
lightness and blueness change monotonically, and around the cyclic one they take turns; confusing red with green, as
red- or green-blind readers do, touches neither.  All colours are light, see :mod:`siftcli.draw.palette`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Colors", "cyclic", "oklab_to_srgb", "sequential"]

Colors = npt.NDArray[np.uint8]
"""(N, 3): red, green, blue in sRGB."""

_LMS = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]])
_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
"""From OKLab to cube roots of cone responses, and from the cone responses to linear sRGB. [Ottosson 2020]"""


def oklab_to_srgb(lab: npt.NDArray[np.float64]) -> Colors:
    """Convert OKLab to sRGB; what sRGB cannot show is clipped.

    Parameters
    ----------
    lab : (N, 3) float64
        Lightness 0 to 1, green-red, blue-yellow.

    Returns
    -------
    (N, 3) uint8
    """
    linear = ((lab @ _LMS.T) ** 3 @ _RGB.T).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(encoded * 255), np.uint8)


def sequential(values: npt.NDArray[np.floating]) -> Colors:
    """Return the colours of values: blue, teal, green, yellow, ever lighter.

    Parameters
    ----------
    values : (N,) array
        In [0, 1]; others are clipped.
    """
    t = np.clip(values, 0, 1).astype(np.float64)
    hue = np.deg2rad(280 - 173 * t)
    chroma = 0.15 + 0.03 * t - 0.04 * np.sin(np.pi * t)
    return oklab_to_srgb(np.stack([0.62 + 0.33 * t, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1))


def cyclic(angles: npt.NDArray[np.floating]) -> Colors:
    """Return the colours of directions: yellow to the right, dark below, blue to the left, light above.

    Parameters
    ----------
    angles : (N,) array
        Radians, y down.
    """
    angles = angles.astype(np.float64)
    x, y = np.cos(angles), np.sin(angles)
    return oklab_to_srgb(np.stack([0.78 - 0.16 * y, 0.03 * y, 0.005 + 0.135 * x], axis=1))
