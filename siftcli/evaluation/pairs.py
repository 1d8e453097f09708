"""The measures of one image pair."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError
from ..features import Features, Image
from ..io.image import read_image, read_size
from ..io.image_kinds import ImageReading
from ..matches import Matches
from ..matching.exact import Side, match_sides
from ..matching.verify import require_estimator
from ..params import MatchParams
from . import measures
from .methods import Extracted, Method, budgeted
from .overlap import inverse, regions
from .sequences import ImagePair, SequenceImage
from .truth import Cameras, Homography, Truth

__all__ = ["ACCURACY_THRESHOLDS", "Measured", "Measurer", "Settings", "can_estimate"]

ACCURACY_THRESHOLDS = tuple(range(1, 11))
"""Pixels, of the mean matching accuracy."""

_CACHE = 512 << 20
"""Bytes of features that are kept."""

Value: TypeAlias = "float | list[float] | None"
Measured: TypeAlias = dict[str, Value]
"""Values by the names of measures; those that the ground truth of the pair does not allow are absent."""


@dataclass(frozen=True)
class Settings:
    """Settings of the measures.

    Attributes
    ----------
    match : MatchParams
        The tests of a match; `threshold` is also the largest error of a correct match and the largest distance of a
        repeated keypoint, in pixels.
    budget : int or None
        Most keypoints of an image.
    estimate : bool
        Estimate homographies and poses, which needs PoseLib.
    reading : ImageReading
        How images are read.
    """

    match: MatchParams
    budget: int | None = None
    estimate: bool = True
    reading: ImageReading = field(default_factory=ImageReading)


def can_estimate() -> bool:
    """Tell whether PoseLib is installed."""
    try:
        require_estimator("homography")
    except ParameterError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class _Image:
    """An image prepared for its pairs."""

    extracted: Extracted
    features: Features
    side: Side | None
    size: tuple[int, int]

    @property
    def bytes(self) -> int:
        """Approximate memory in bytes."""
        return 1000 * len(self.features)


class Measurer:
    """Measures pairs; features of the images used last are kept.

    Parameters
    ----------
    methods : sequence of Method
    pairs : sequence of ImagePair
    settings : Settings
    """

    def __init__(self, methods: Sequence[Method], pairs: Sequence[ImagePair], settings: Settings) -> None:
        self._methods, self._pairs, self._settings = methods, pairs, settings
        self._kept: OrderedDict[tuple[int, SequenceImage], _Image] = OrderedDict()

    def __call__(self, task: tuple[int, int]) -> tuple[Measured, float, tuple[str, ...]]:
        """Measure a method, by its number, on a pair, by its number; also return the seconds it took, and warnings."""
        start = time.perf_counter()
        method, number = task
        pair = self._pairs[number]
        a, b = self._image(method, pair.a), self._image(method, pair.b)
        found: Measured = {"keypoints_a": len(a.features), "keypoints_b": len(b.features)}
        if isinstance(pair.truth, Homography):
            found |= self._planar(pair.truth, a, b)
        else:
            found |= self._calibrated(pair.truth, a, b)
        timed = [image.extracted for image in (a, b)]
        found["seconds"] = _mean([t.seconds for t in timed])
        found["memory"] = max((t.memory for t in timed if t.memory is not None), default=None)
        return found, time.perf_counter() - start, (*a.extracted.warnings, *b.extracted.warnings)

    def pixels(self, image: SequenceImage) -> Image:
        """Read an image in grey."""
        return read_image(image.path, **self._settings.reading._asdict()).pixels

    def matches(self, method: int, number: int) -> Matches:
        """Match a pair again; inliers are the correct matches."""
        pair = self._pairs[number]
        a, b = self._image(method, pair.a), self._image(method, pair.b)
        if a.side is None or b.side is None:
            return Matches(np.empty((0, 2), np.int32))
        matches = self._match(pair.truth, a.side, b.side)
        i, j = matches.indices.T
        correct = pair.truth.errors(a.features.xy[i], b.features.xy[j]) <= self._settings.match.threshold
        return replace(matches, xy_a=a.features.xy[i], xy_b=b.features.xy[j], inliers=correct)

    def _image(self, method: int, image: SequenceImage) -> _Image:
        key = (method, image)
        if key not in self._kept:
            extracted = self._methods[method].extract(image, self._settings.reading)
            features = budgeted(extracted.features, self._settings.budget)
            side = None
            if features.descriptors is not None:
                side = Side.of(features, self._settings.match.metric)
            extracted = extracted._replace(features=features)
            self._kept[key] = _Image(extracted, features, side, self._size(image))
            while sum(kept.bytes for kept in self._kept.values()) > _CACHE and len(self._kept) > 2:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _size(self, image: SequenceImage) -> tuple[int, int]:
        if not self._settings.reading.exif_orientation:
            return read_size(image.path)
        height, width = self.pixels(image).shape
        return width, height

    def _match(self, truth: Truth, a: Side, b: Side) -> Matches:
        """Match, and estimate the geometry if that is asked for."""
        params, estimate = self._settings.match, self._settings.estimate
        if not estimate:
            params = replace(params, verify=None)
        elif isinstance(truth, Homography):
            params = replace(params, verify="homography", min_inliers=4)
        if estimate and isinstance(truth, Cameras):
            # In the pixels of ideal cameras of one focal length, with the principal point at (0, 0).
            focal = float(np.mean([truth.a.focal.mean(), truth.b.focal.mean()]))
            params = replace(params, verify="essential", min_inliers=5, focal=focal)
            a, b = (
                replace(side, xy=_scaled(camera.ideal(side.xy), focal / camera.focal.mean()), image_size=(1, 1))
                for camera, side in ((truth.a, a), (truth.b, b))
            )
        return match_sides(a, b, params)

    # --- a plane

    def _planar(self, truth: Homography, a: _Image, b: _Image) -> Measured:
        matrix, threshold = truth.matrix, self._settings.match.threshold
        regions_a, regions_b = _regions(a.features), _regions(b.features)
        in_a = measures.common(matrix, regions_a[0], b.size)
        in_b = measures.common(inverse(matrix), regions_b[0], a.size)
        common_a, common_b = _taken(regions_a, in_a), _taken(regions_b, in_b)
        found: Measured = {
            "repeatability": measures.repeatability(matrix, common_a, common_b),
            "repeatability_within": measures.repeatability_within(matrix, common_a[0], common_b[0], threshold),
        }
        if a.side is None or b.side is None:
            return found
        nearest = match_sides(a.side, b.side, MatchParams(ratio=1.0, metric=self._settings.match.metric))
        i, j = nearest.indices.T
        both, fewest = in_a[i] & in_b[j], min(int(in_a.sum()), int(in_b.sum()))
        score = measures.matching_score(matrix, _taken(regions_a, i[both]), _taken(regions_b, j[both]), fewest)
        curve = measures.accuracy_curve(truth.errors(a.features.xy[i], b.features.xy[j]), ACCURACY_THRESHOLDS)
        matches = self._match(truth, a.side, b.side)
        found |= {"matching_score": score, **self._counts(truth, matches, a.features, b.features)}
        found["accuracy"] = curve.tolist()
        if self._settings.estimate:
            model = None if matches.model is None else matches.model.matrix
            found["corner_error"] = measures.corner_error(model, matrix, a.size)
        return found

    # --- cameras

    def _calibrated(self, truth: Cameras, a: _Image, b: _Image) -> Measured:
        if a.side is None or b.side is None:
            return {}
        matches = self._match(truth, a.side, b.side)
        found = self._counts(truth, matches, a.features, b.features)
        i, j = matches.indices.T
        errors = truth.errors(a.features.xy[i], b.features.xy[j])
        found["epipolar_error"] = float(np.median(errors)) if len(errors) else None
        if self._settings.estimate:
            pose = None if matches.model is None else matches.model.pose
            rotation, translation = measures.pose_errors(
                None if pose is None else (pose[:, :3], pose[:, 3]), truth.pose
            )
            found |= {
                "rotation_error": rotation,
                "translation_error": translation,
                "pose_error": max(rotation, translation),
            }
        return found

    def _counts(self, truth: Truth, matches: Matches, a: Features, b: Features) -> Measured:
        i, j = matches.indices.T
        xy_a, xy_b = a.xy[i], b.xy[j]
        correct = truth.errors(xy_a, xy_b) <= self._settings.match.threshold
        count = int(np.count_nonzero(correct))
        return {
            "matches": len(matches),
            "correct": count,
            "distinct": measures.count_distinct(xy_a[correct], xy_b[correct]),
            "precision": count / max(len(matches), 1),
        }


_Regions: TypeAlias = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def _regions(features: Features) -> _Regions:
    return features.xy.astype(np.float64), regions(features)


def _taken(found: _Regions, index: npt.NDArray[Any]) -> _Regions:
    return found[0][index], found[1][index]


def _scaled(xy: npt.NDArray[np.float64], factor: float) -> npt.NDArray[np.float32]:
    return np.asarray(xy * factor, np.float32)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
