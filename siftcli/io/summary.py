"""Summaries of features: counts, distributions and problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..features import Camera, Features

__all__ = ["Distribution", "Summary", "summarise"]

_BINS = 16


@dataclass(frozen=True)
class Distribution:
    """Distribution of values.

    Attributes
    ----------
    smallest, median, largest : float
        Quantiles of the finite values.
    counts : tuple of int
        In bins of equal width of the logarithm, from the smallest to the largest.
    """

    smallest: float
    median: float
    largest: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """Summary of the features of one image.

    Attributes
    ----------
    keypoints, locations : int
        A location is a position with its scale; it may have several orientations.
    image_size : (width, height) or None
        In pixels.
    outside : int
        Keypoints beyond the image, where its size is known.
    scales, scores : Distribution or None
        Sigma in pixels; abs(DoG).
    octaves : dict of int to int
        Octave to number of keypoints; empty where not known.
    orientations : dict of int to int
        Number of orientations to number of locations that have so many.
    descriptors : "bytes", "floats" or None
        Their kind.
    norms : Distribution or None
        Norms of the descriptors, in units of 512 for bytes.
    not_a_number, zero, duplicates : int
        Descriptors with an element that is not finite, that are all zero, and that equal an earlier one (not those
        that are zero).
    duplicate_frames : int
        Keypoints that equal an earlier one in position, scale and orientation.
    diverged : int
        Keypoints whose affine shape diverged; see `Features`.
    camera : Camera or None
        Camera of the image, where its metadata were kept.
    """

    keypoints: int
    locations: int
    image_size: tuple[int, int] | None
    outside: int
    scales: Distribution | None
    scores: Distribution | None
    octaves: dict[int, int]
    orientations: dict[int, int]
    descriptors: str | None
    norms: Distribution | None
    not_a_number: int
    zero: int
    duplicates: int
    duplicate_frames: int
    diverged: int = 0
    camera: Camera | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """Problems, in words."""
        found = (
            (self.not_a_number, "not a number"),
            (self.zero, "zero"),
            (self.duplicates, "duplicate"),
            (self.duplicate_frames, "duplicate frames"),
            (self.outside, "outside the image"),
            (self.diverged, "diverged shapes"),
        )
        return tuple(f"{count:,} {what}" for count, what in found if count)


def summarise(features: Features) -> Summary:
    """Summarise the features of one image.

    Parameters
    ----------
    features : Features
        Any number, none included.
    """
    frames = np.column_stack((features.xy, features.scales, features.orientations))
    locations, of_location = np.unique(frames[:, :3], axis=0, return_counts=True)
    bad = zero = duplicates = 0
    norms = kind = None
    if features.descriptors is not None:
        kind = "bytes" if features.descriptors.dtype == np.uint8 else "floats"
        values = features.descriptors.astype(np.float64) / (512 if kind == "bytes" else 1)
        finite = np.isfinite(values).all(axis=1)
        empty = finite & ~values.any(axis=1)
        bad, zero = int((~finite).sum()), int(empty.sum())
        kept = np.ascontiguousarray(features.descriptors[finite & ~empty])
        duplicates = _repeated(kept)
        norms = _distribution(np.sqrt(np.einsum("ij,ij->i", values, values))[finite & ~empty])
    outside = 0
    if features.image_size is not None:
        outside = int(((features.xy < -0.5) | (features.xy > np.array(features.image_size) - 0.5)).any(axis=1).sum())
    return Summary(
        keypoints=len(features),
        locations=len(locations),
        image_size=features.image_size,
        outside=outside,
        scales=_distribution(features.scales),
        scores=None if features.scores is None else _distribution(np.abs(features.scores)),
        octaves={} if features.octaves is None else _counts(features.octaves),
        orientations=_counts(of_location),
        descriptors=kind,
        norms=norms,
        not_a_number=bad,
        zero=zero,
        duplicates=duplicates,
        duplicate_frames=_repeated(frames),
        diverged=0 if features.diverged is None else int(np.count_nonzero(features.diverged)),
        camera=features.camera,
    )


def _repeated(rows: npt.NDArray[np.generic]) -> int:
    """Count the rows that equal an earlier one."""
    if not len(rows):
        return 0
    rows = np.ascontiguousarray(rows)
    return len(rows) - len(np.unique(rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize)))))


def _counts(values: npt.NDArray[np.integer]) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _distribution(values: npt.NDArray[np.floating]) -> Distribution | None:
    values = values[np.isfinite(values)].astype(np.float64)
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    logs = np.log(np.maximum(values, max(high, 1e-30) * 1e-6))
    counts, _ = np.histogram(logs, bins=_BINS, range=(logs.min(), max(logs.max(), logs.min() + 1e-9)))
    return Distribution(low, float(np.median(values)), high, tuple(counts.tolist()))
