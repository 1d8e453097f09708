"""Single colours, by name.

All are light, and are drawn on a dark halo: on dark ground the colour shows, on light ground the halo does.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import hexdigits

from ..errors import ParameterError

__all__ = ["COLORINGS", "COLOR_NAMES", "HALO", "INLIER", "OUTLIER", "PLAIN", "THEMES", "Theme", "parse_color"]

HALO = (0, 0, 0)
PLAIN = (255, 226, 77)
INLIER = (77, 208, 255)
OUTLIER = (255, 132, 66)


@dataclass(frozen=True)
class Theme:
    """Colours of the legend and of what lies between and beside images.

    Attributes
    ----------
    ground : (int, int, int) or None
        None is transparent.
    ink : (int, int, int)
        Colour of text.
    """

    ground: tuple[int, int, int] | None
    ink: tuple[int, int, int]

    @property
    def mode(self) -> str:
        """Pillow mode of a picture with this theme."""
        return "RGBA" if self.ground is None else "RGB"

    @property
    def fill(self) -> tuple[int, ...]:
        """Colour of an empty picture; transparent pixels keep the ink's colour, for smooth text."""
        return (*self.ink, 0) if self.ground is None else self.ground


THEMES = {
    "dark": Theme((22, 24, 29), (232, 232, 232)),
    "light": Theme((255, 255, 255), (32, 34, 40)),
    "none": Theme(None, (128, 128, 128)),  # legible on white and on black
}
"""Name to theme, for `siftcli.draw.style.PictureStyle.theme`."""

COLORINGS = ("scale", "response", "orientation", "octave")
"""Quantities that the colour of a keypoint may represent."""

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


COLOR_NAMES = tuple(_NAMES)


def parse_color(text: str, option: str = "color", others: tuple[str, ...] = ()) -> tuple[int, int, int]:
    """Return the colour that a name, ``#rgb`` or ``#rrggbb`` stands for.

    Parameters
    ----------
    text : str
    option : str
        Name of the option in the error.
    others : tuple of str
        What else the option takes, for the error.

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
        raise ParameterError(option, f"must be {', '.join((*others, *_NAMES))} or #rrggbb, not {text!r}")
    value = int(digits, 16)
    return value >> 16, value >> 8 & 255, value & 255
