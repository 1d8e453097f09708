"""Meaning of the colours of keypoints."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError
from ..features import Features, Float32
from .color import Colors, cyclic, sequential
from .legend import Bar, Entry
from .palette import parse_color

__all__ = ["colored", "even_bar"]

_STEPS = 256
_TWOS = tuple(2.0**k for k in range(-8, 16))
_ONE_TWO_FIVE = tuple(a * 10.0**k for k in range(-6, 5) for a in (1, 2, 5))
_ROOM = 0.16
"""Distance of ticks that leaves room for their labels, as a share of the bar."""


def colored(features: Features, by: str) -> tuple[Colors, list[Entry]]:
    """Return a colour for each keypoint, and the legend's entry for them.

    Parameters
    ----------
    features : Features
    by : str
        One of `siftcli.draw.palette.COLORINGS`, or a colour.

    Raises
    ------
    ParameterError
        If the features do not tell what the colour is to stand for.
    """
    if by == "scale":
        return even_bar(features.scales, "\N{GREEK SMALL LETTER SIGMA} (px)", _TWOS)
    if by == "response":
        return even_bar(_known(features.scores, "response", by), "response |DoG|", _ONE_TWO_FIVE)
    if by == "octave":
        return _octaves(_known(features.octaves, "octave", by))
    if by == "orientation":
        around = np.linspace(-np.pi, np.pi, _STEPS)
        bar = Bar("orientation, clockwise", cyclic(around), ((0, "-180°"), (0.5, "0°"), (1, "180°")))
        return cyclic(features.orientations), [bar]
    return np.tile(np.array(parse_color(by), np.uint8), (len(features), 1)), []


def _known(values: npt.NDArray[np.generic] | None, what: str, by: str) -> npt.NDArray[np.generic]:
    if values is None:
        raise ParameterError("color", f"{by}: these features do not tell their {what}; take scale or orientation")
    return values


def even_bar(
    values: npt.NDArray[np.generic] | Float32, title: str, marks: tuple[float, ...] = _ONE_TWO_FIVE
) -> tuple[Colors, list[Entry]]:
    """Colour positive values half by their rank and half by their logarithm.

    The rank uses the whole range of colours, however unevenly the values are spread; the logarithm keeps values that
    are far apart far apart in colour.

    Parameters
    ----------
    values : (N,) array
    title : str
        Title of the colour bar.
    marks : tuple of float
        Values that may have a tick.
    """
    levels = np.log2(np.maximum(values.astype(np.float64), 1e-12))
    if not len(levels):
        return np.empty((0, 3), np.uint8), []
    known, which, counts = np.unique(levels, return_inverse=True, return_counts=True)
    # The mean rank of equal values, from 0 to 1.
    places = np.cumsum(counts) - (counts + 1) / 2
    places, steps = ((v - v[0]) / max(float(np.ptp(v)), 1e-9) for v in (places, known))
    places = (places + steps) / 2
    low, high = float(known[0]), float(known[-1])
    inside = [mark for mark in marks if low - 1e-6 <= np.log2(mark) <= high + 1e-6]
    inside = inside if len(inside) > 1 else [2.0**low, 2.0**high][: 1 + (high > low)]
    ticks = _apart([(float(np.interp(np.log2(mark), known, places)), f"{mark:.3g}") for mark in inside])
    return sequential(places[which]), [Bar(title, sequential(np.linspace(0, 1, _STEPS)), ticks)]


def _apart(ticks: list[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """Keep the first and the last tick, and those between that leave room for their labels."""
    kept = ticks[:1]
    for tick in ticks[1:-1]:
        if tick[0] - kept[-1][0] >= _ROOM and ticks[-1][0] - tick[0] >= _ROOM:
            kept.append(tick)
    return (*kept, *ticks[1:][-1:])


def _octaves(octaves: npt.NDArray[np.generic]) -> tuple[Colors, list[Entry]]:
    if not len(octaves):
        return np.empty((0, 3), np.uint8), []
    numbers = octaves.astype(np.int64)
    first, count = int(numbers.min()), int(np.ptp(numbers)) + 1
    shades = sequential((np.arange(count) + 0.5) / count)
    ticks = tuple(((i + 0.5) / count, str(first + i)) for i in range(count))
    return shades[numbers - first], [Bar("octave", np.repeat(shades, 32, axis=0), ticks)]
