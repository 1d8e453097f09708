"""Summaries over image pairs, with confidence intervals by bootstrap. [EfronTibshirani93]"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .measures import auc
from .pairs import ACCURACY_THRESHOLDS, Measured

__all__ = ["MEASURES", "Interval", "Measure", "summarise"]

Float64 = npt.NDArray[np.float64]

_RESAMPLES = 1000
_FEWEST = 5
"""Fewer pairs give no interval, because resampling them is not informative."""
_LEVEL = 95.0
_HOMOGRAPHY_THRESHOLDS = (1, 3, 5)
_POSE_THRESHOLDS = (5, 10, 20)


class Interval(NamedTuple):
    """A value and its difference from the first method, each with a 95 % confidence interval.

    Attributes
    ----------
    value, low, high : float
        `low` and `high` are NaN for fewer than 5 pairs.
    difference, difference_low, difference_high : float or None
        None for the first method.
    """

    value: float
    low: float
    high: float
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None


class Measure(NamedTuple):
    """A row of the summary.

    Attributes
    ----------
    name : str
        In records.
    title : str
        In tables.
    source : str
        The values of pairs that it is made of.
    threshold : float or None
        Threshold of an accuracy curve, or of the area under a curve.
    digits : int
        Decimals in tables.
    """

    name: str
    title: str
    source: str
    threshold: float | None = None
    digits: int = 3


MEASURES = (
    Measure("keypoints", "keypoints", "keypoints", digits=0),
    Measure("repeatability", "repeatability, overlap error < 40 %", "repeatability"),
    Measure("repeatability_within", "repeatability, by distance", "repeatability_within"),
    Measure("matching_score", "matching score", "matching_score"),
    Measure("matches", "matches", "matches", digits=1),
    Measure("correct", "correct matches", "correct", digits=1),
    Measure("distinct", "distinct correct matches", "distinct", digits=1),
    Measure("precision", "precision", "precision"),
    *(Measure(f"mma_{t}", f"mean matching accuracy, {t} px", "accuracy", t) for t in ACCURACY_THRESHOLDS),
    *(Measure(f"homography_auc_{t}", f"homography AUC, {t} px", "corner_error", t) for t in _HOMOGRAPHY_THRESHOLDS),
    Measure("epipolar_error", "median epipolar error, px", "epipolar_error"),
    *(Measure(f"pose_auc_{t}", f"pose AUC, {t}\N{DEGREE SIGN}", "pose_error", t) for t in _POSE_THRESHOLDS),
    Measure("seconds", "seconds per image", "seconds"),
    Measure("memory", "peak memory, MB", "memory", digits=0),
)
"""Every measure of a summary, in the order of its table."""


def summarise(measured: Sequence[Sequence[Measured]], seed: int = 0) -> list[dict[str, Interval]]:
    """Summarise measures over pairs.

    Parameters
    ----------
    measured : sequence of sequences of Measured
        For each method, those of the pairs; the same pairs for all.
    seed : int
        Seed of the resampling; one set of resampled pairs serves all methods and measures.

    Returns
    -------
    list of dict of str to Interval
        For each method, by the names of `MEASURES`; those that apply to no pair are left out.
    """
    count = len(measured[0])
    if not count:
        return [{} for _ in measured]
    chosen = np.random.default_rng(seed).integers(0, count, (_RESAMPLES if count >= _FEWEST else 0, count))
    summaries: list[dict[str, Interval]] = [{} for _ in measured]
    for measure in MEASURES:
        first: tuple[float, Float64] | None = None
        for number, found in enumerate(measured):
            values = np.array([_value(pair, measure) for pair in found])
            if np.isnan(values).all():
                continue
            value, resampled = _statistic(values, measure), _resampled(values, chosen, measure)
            difference: tuple[float, ...] = ()
            if number and first is not None:
                difference = (value - first[0], *_interval(resampled - first[1]))
            elif not number:
                first = value, resampled
            summaries[number][measure.name] = Interval(value, *_interval(resampled), *difference)
    return summaries


def _value(pair: Measured, measure: Measure) -> float:
    """Return the value of a pair; NaN where it has none."""
    if measure.source == "keypoints":
        return float(np.mean([pair["keypoints_a"], pair["keypoints_b"]]))
    value = pair.get(measure.source)
    if isinstance(value, list):
        return value[ACCURACY_THRESHOLDS.index(int(measure.threshold or 0))]
    return np.nan if value is None else float(value)


def _statistic(values: Float64, measure: Measure) -> float:
    known = values[~np.isnan(values)]
    if measure.source in ("corner_error", "pose_error"):
        return auc(known, float(measure.threshold or 0))
    return float(known.mean()) if len(known) else np.nan


def _resampled(values: Float64, chosen: npt.NDArray[np.int64], measure: Measure) -> Float64:
    if measure.source in ("corner_error", "pose_error"):
        return np.array([_statistic(values[pick], measure) for pick in chosen])
    known = ~np.isnan(values)[chosen]
    means = np.full(len(chosen), np.nan)
    np.divide(np.where(known, values[chosen], 0).sum(axis=1), known.sum(axis=1), out=means, where=known.any(axis=1))
    return means


def _interval(values: Float64) -> tuple[float, float]:
    tail = (100 - _LEVEL) / 2
    known = values[np.isfinite(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)
