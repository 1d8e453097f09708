"""Single colours, by name.

All are light, and are drawn on a dark halo: on dark ground the colour shows, on light ground the halo does.
"""

from __future__ import annotations

from string import hexdigits

from ..errors import ParameterError

__all__ = ["COLORINGS", "GROUND", "HALO", "INK", "INLIER", "OUTLIER", "PLAIN", "parse_color"]

HALO = (0, 0, 0)
PLAIN = (255, 226, 77)
INLIER = (77, 208, 255)
OUTLIER = (255, 132, 66)
GROUND = (22, 24, 29)
INK = (232, 232, 232)
"""Of strips and gaps, and of what is written there."""

COLORINGS = ("scale", "response", "orientation", "octave")
"""What the colour of a keypoint may stand for, instead of being one of these."""

_NAMES = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "red": (255, 92, 80),
    "orange": OUTLIER,
    "yellow": PLAIN,
    "green": (92, 221, 120),
    "blue": INLIER,
    "magenta": (255, 120, 230),
}


def parse_color(text: str) -> tuple[int, int, int]:
    """Return the colour that a name, ``#rgb`` or ``#rrggbb`` stands for.

    Raises
    ------
    ParameterError
        If it is none of these.
    """
    if text.lower() in _NAMES:
        return _NAMES[text.lower()]
    digits = text[1:]
    if len(digits) == 3:
        digits = "".join(2 * c for c in digits)
    if text[:1] != "#" or len(digits) != 6 or not set(digits) <= set(hexdigits):
        raise ParameterError("color", f"must be {', '.join((*COLORINGS, *_NAMES))} or #rrggbb, not {text!r}")
    value = int(digits, 16)
    return value >> 16, value >> 8 & 255, value & 255
