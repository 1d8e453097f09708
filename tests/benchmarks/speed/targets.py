"""The goals that the engine is held to: largest ratios of its time to another's, and largest memory."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CROPS", "ENGINE", "FOLDER", "LOWE", "MEMORY", "OTHERS", "PROCESS", "SCALING", "Goal", "cell"]


@dataclass(frozen=True)
class Goal:
    """A limit of some figure.

    Attributes
    ----------
    limit : float
    least : bool
        Whether the figure is to be at least, not at most, that.
    """

    limit: float
    least: bool = False

    def met(self, value: float) -> bool:
        """Whether a figure, rounded as it is printed, keeps to the limit."""
        return round(value, 2) >= self.limit if self.least else round(value, 2) <= self.limit


ENGINE = {
    "engine": {"0.3": Goal(1.0), "1": Goal(0.9), "3": Goal(0.75), "12": Goal(0.45)},
    "engine2": {"0.3": Goal(0.75), "1": Goal(0.6), "3": Goal(0.45), "12": Goal(0.3)},
}
"""Over OpenCV with two threads, by megapixels."""

OTHERS = {"colmap": Goal(0.2), "skimage": Goal(0.06)}
"""The engine with one thread over these."""

LOWE = Goal(3.0)
"""The preset lowe over the default."""

CROPS = {"one": Goal(2.5), "stack": Goal(1.5)}
"""Crops of 64 x 128 over OpenCV: each by itself, and many of them together."""

PROCESS = {"0.3": Goal(0.9), "1": Goal(0.9), "12": Goal(0.4)}
"""The command over a script with OpenCV, by megapixels."""

MEMORY = {"12": Goal(350), "50": Goal(600)}
"""Peak memory of the command, MB, by megapixels."""

FOLDER = {"jobs": Goal(1.8, least=True), "opencv": Goal(0.9, least=True)}
"""Images per second: two jobs over one, and over a script with OpenCV in two processes."""

SCALING = 0.2
"""How much the time per megapixel may differ from its mean."""


def cell(value: float, goal: Goal | None, form: str = "{:.2f}") -> str:
    """Return a figure and, where there is a goal, that goal and whether it is met."""
    text = form.format(value)
    if goal is None:
        return text
    return f"{text} ({'≥' if goal.least else '≤'} {goal.limit:g} {'met' if goal.met(value) else 'NOT met'})"
