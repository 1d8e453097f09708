"""How well features agree: with Lowe's own files, with another program's, and across a known homography.

These are the definitions behind every figure in docs/accuracy.md and behind the tests in tests/oracles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree  # type: ignore[import-untyped]

from siftcli import Features

__all__ = ["Agreement", "Lines", "Matches", "agreement", "angle_gap", "common", "correct_matches", "cosines", "lines"]

Index = npt.NDArray[np.intp]
Float64 = npt.NDArray[np.float64]

POSITION, RELATIVE, SCALE, ANGLE = 0.25, 0.1, 0.05, 0.1
"""The same keypoint: within max(0.25 px, 0.1 sigma), 5 % in scale, 0.1 rad."""
RATIO, WITHIN = 0.8, 3.0
"""A match: mutual nearest neighbours, distance ratio 0.8; correct within 3 px of the homography."""


def angle_gap(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Float64:
    """Return the absolute difference of angles, in radians, 0 to pi."""
    gap: Float64 = np.abs((np.asarray(a, float) - b + np.pi) % (2 * np.pi) - np.pi)
    return gap


def common(ours: Features, theirs: Features, *, angle: float = ANGLE) -> tuple[Index, Index]:
    """Return which keypoint of ours is which of theirs: indices into both, ascending in theirs.

    Parameters
    ----------
    ours : Features
        The keypoints that are searched.
    theirs : Features
        The keypoints that are looked for.
    angle : float
        Largest difference of orientation, in radians; infinity compares locations alone.
    """
    xy, their_xy = ours.xy.astype(float), theirs.xy.astype(float)
    tree, i, j = cKDTree(xy), [], []
    for k in range(len(their_xy)):
        reach = max(POSITION, RELATIVE * float(theirs.scales[k]))
        near = np.array(tree.query_ball_point(their_xy[k], reach), np.intp)
        same = np.abs(np.log(ours.scales[near] / theirs.scales[k])) < SCALE
        same &= angle_gap(ours.orientations[near], theirs.orientations[k]) < angle
        near = near[same]
        if len(near):
            i.append(near[np.argmin(np.linalg.norm(xy[near] - their_xy[k], axis=1))])
            j.append(k)
    return np.array(i, np.intp), np.array(j, np.intp)


def _unit(features: Features) -> Float64:
    assert features.descriptors is not None
    d = features.descriptors.astype(np.float64)
    unit: Float64 = d / np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-9)
    return unit


def cosines(ours: Features, theirs: Features, i: Index, j: Index) -> Float64:
    """Return the cosines between the descriptors of pairs of keypoints."""
    cosine: Float64 = (_unit(ours)[i] * _unit(theirs)[j]).sum(axis=1)
    return cosine


@dataclass(frozen=True)
class Agreement:
    """How much of their keypoints ours reproduce, and how closely those found.

    Attributes
    ----------
    recall : float
        Share of their keypoints that are among ours.
    precision : float
        Share of ours that are among theirs.
    count : float
        Number of ours over number of theirs.
    position : float
        Median distance, in pixels.
    cosine, cosine_p10 : float
        Median and 10th percentile of the cosine between descriptors.
    """

    recall: float
    precision: float
    count: float
    position: float
    cosine: float
    cosine_p10: float


def agreement(ours: Features, theirs: Features, *, angle: float = ANGLE) -> Agreement:
    """Return how well our features agree with theirs."""
    i, j = common(ours, theirs, angle=angle)
    if not len(i):
        return Agreement(0.0, 0.0, len(ours) / max(len(theirs), 1), np.nan, np.nan, np.nan)
    cosine = cosines(ours, theirs, i, j)
    distance = np.linalg.norm(ours.xy[i].astype(float) - theirs.xy[j], axis=1)
    return Agreement(
        recall=len(j) / len(theirs),
        precision=len(common(theirs, ours, angle=angle)[0]) / len(ours),
        count=len(ours) / len(theirs),
        position=float(np.median(distance)),
        cosine=float(np.median(cosine)),
        cosine_p10=float(np.percentile(cosine, 10)),
    )


@dataclass(frozen=True)
class Lines:
    """How two key files of the same keypoints in the same order agree, as text.

    Attributes
    ----------
    frames : float
        Share of the lines ``row col sigma orientation`` that are equal character for character.
    values : float
        Share of the descriptor values that are equal.
    largest : int
        Largest difference of a descriptor value.
    """

    frames: float
    values: float
    largest: int


def lines(ours: bytes, theirs: bytes) -> Lines | None:
    """Compare two key files line by line; None if they have different numbers of keypoints."""
    a, b = ours.splitlines(), theirs.splitlines()
    if len(a) != len(b) or a[0] != b[0]:
        return None

    def values(text: list[bytes]) -> npt.NDArray[np.int64]:
        rows = (b" ".join(text[i + 1 : i + 8]).split() for i in range(1, len(text), 8))
        return np.array([[int(value) for value in row] for row in rows])

    gap = np.abs(values(a) - values(b))
    equal = [p == q for p, q in zip(a[1::8], b[1::8], strict=True)]
    return Lines(sum(equal) / len(equal), float((gap == 0).mean()), int(gap.max()))


@dataclass(frozen=True)
class Matches:
    """Matches between two images: how many, and how many of them are right."""

    matches: int
    correct: int

    @property
    def precision(self) -> float:
        """Share of the matches that are right."""
        return self.correct / max(self.matches, 1)


def correct_matches(a: Features, b: Features, homography: Float64) -> Matches:
    """Match two images exhaustively and count the matches that obey the homography from a to b.

    Parameters
    ----------
    a : Features
        Of the first image.
    b : Features
        Of the second image.
    homography : (3, 3) float
        Maps (x, y, 1) of a to b.
    """
    first, second = _unit(a).astype(np.float32), _unit(b).astype(np.float32)
    best = np.empty(len(first), np.intp)
    nearest, runner_up = np.empty(len(first)), np.empty(len(first))
    back, back_cosine = np.zeros(len(second), np.intp), np.full(len(second), -np.inf)
    for start in range(0, len(first), 1024):
        part = slice(start, start + 1024)
        cosine = first[part] @ second.T
        rows = np.arange(len(cosine))
        best[part] = cosine.argmax(axis=1)
        nearest[part] = cosine[rows, best[part]]
        top = cosine.argmax(axis=0)
        here = cosine[top, np.arange(len(second))]
        back = np.where(here > back_cosine, top + start, back)
        back_cosine = np.maximum(back_cosine, here)
        cosine[rows, best[part]] = -1
        runner_up[part] = cosine.max(axis=1)
    ratio = np.sqrt(np.maximum(2 - 2 * nearest, 0) / np.maximum(2 - 2 * runner_up, 1e-12))
    keep = np.flatnonzero((back[best] == np.arange(len(first))) & (ratio < RATIO))
    mapped = np.column_stack([a.xy[keep], np.ones(len(keep))]) @ homography.T
    error = np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - b.xy[best[keep]], axis=1)
    return Matches(len(keep), int((error < WITHIN).sum()))
