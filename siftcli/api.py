"""The public functions of detection, description and matching, from arrays to features."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from .engine import describe_frames, pipeline
from .engine.selection import select
from .errors import ParameterError, refuse_renamed
from .features import Features, Image
from .io.levels import Levels, check_levels, graded
from .matches import Matches
from .matching.exact import match_features
from .params import MatchParams
from .presets import all_parameters, parameters

__all__ = ["describe", "detect", "match"]

_OVERSHOOT = 1.0
"""Tolerance of float images outside [0, 1], which sharpening and resampling produce."""


def detect(
    image: npt.ArrayLike,
    preset: str = "default",
    *,
    descriptors: bool = True,
    mask: npt.ArrayLike | None = None,
    workers: int = 1,
    levels: Levels = "auto",
    **overrides: Any,
) -> Features:
    """Detect SIFT keypoints and describe them. [Lowe04]

    Parameters
    ----------
    image : (H, W) uint8, uint16 or float
        Grey image; floats in [0, 1].  Any real type and byte order with `levels`.
    preset : str
        Name of a preset, see `siftcli.presets.PRESETS`.
    descriptors : bool
        Compute descriptors; otherwise the result has keypoints only.
    mask : (H, W) array, optional
        Keep keypoints whose nearest pixel is not zero in the mask.
    workers : int
        Number of workers that share the image; the features do not depend on it.  On Linux, workers are processes
        forked from this one; they are kept for further images and end after ten idle seconds.  Elsewhere they are
        threads, which gain little.
    levels : "auto", "full" or (low, high)
        The values that are black and white.  "auto" takes 255, 65535 and 1 for the white of uint8, uint16 and floats;
        "full" takes the whole range of the type.  See `siftcli.io.levels`.
    **overrides
        Parameters by name, see `siftcli.params`, including those that select keypoints: `max_keypoints` and `keep`
        ("strongest", "largest", "spread" or "levels"), `region`, `min_scale` and `max_scale`.

    Returns
    -------
    Features
        Keypoints in Lowe's order, coarse octaves first; none if the image has no structure.

    Raises
    ------
    ParameterError
        If the image has another shape or dtype, or a parameter is unknown or outside its range.

    Examples
    --------
    >>> import numpy as np, siftcli
    >>> y, x = np.mgrid[:64, :64]
    >>> blob = np.exp(-((x - 30.25) ** 2 + (y - 33.75) ** 2) / (2 * 4.0**2))
    >>> features = siftcli.detect(blob, max_orientations=1)
    >>> features.xy.astype(float).round(1).tolist()
    [[30.2, 33.8]]
    """
    refuse_renamed(overrides)
    detector, descriptor, selection = all_parameters(preset, **overrides)
    if workers < 1:
        raise ParameterError("workers", f"must be at least 1, not {workers}")
    pixels = _grey(image, levels)
    kept = None if mask is None else _mask(mask, pixels.shape)
    features = pipeline.detect(pixels[None], detector, descriptor if descriptors else None, workers)[0]
    return select(features, selection, kept)


def describe(
    image: npt.ArrayLike,
    frames: Features,
    preset: str = "default",
    *,
    assign_orientations: bool = False,
    bad_frames: str = "error",
    levels: Levels = "auto",
    **overrides: Any,
) -> Features:
    """Describe given frames.

    Parameters
    ----------
    image : (H, W) uint8, uint16 or float
        Grey image; floats in [0, 1].  Any real type and byte order with `levels`.
    frames : Features
        Frames to describe; their order and number are kept.  Without `octaves` and `levels`, a frame is described at
        the level nearest to its scale.  Frames that `detect` returned get the same descriptors byte for byte, except
        for rounding if the image was reduced to `max_image_size` or the processor has no AVX-512.  Affine frames follow
        VLFeat's page, "Calculation in the image frame".
    preset : str
        As for `detect`.
    assign_orientations : bool
        Estimate orientations.  The result then has each frame once per orientation, up to `max_orientations`, or with
        its given orientation if there is none; `sources` holds the index of the given frame.
    bad_frames : "error" or "zero"
        Treatment of frames that cannot be described, because the centre is outside the image, the scale is below
        0.001 px or beyond the scale space, or a number is not finite.  "zero" gives them a descriptor of zeros.
    levels : "auto", "full" or (low, high)
        As for `detect`.
    **overrides
        Parameters by name, see `siftcli.params`; those that select keypoints do not apply.

    Returns
    -------
    Features
        The frames with descriptors.

    Raises
    ------
    ParameterError
        If the image has another shape or dtype, or a parameter is unknown or outside its range.
    FrameError
        If a frame cannot be described and `bad_frames` is "error".
    """
    detector, descriptor = parameters(preset, **overrides)
    if bad_frames not in ("error", "zero"):
        raise ParameterError("bad_frames", f"must be error or zero, not {bad_frames!r}")
    pixels, skip = _grey(image, levels)[None], bad_frames == "zero"
    return describe_frames.describe(pixels, frames, detector, descriptor, assign=assign_orientations, skip=skip)


def match(a: Features, b: Features, *, workers: int = 1, **tests: Any) -> Matches:
    """Match the keypoints of two images by their descriptors, exactly. [Lowe04 §7.1]

    Parameters
    ----------
    a, b : Features
        With descriptors.
    workers : int
        Number of workers that share the work, which are threads; the matches do not depend on it.
    **tests
        The tests that a match has to pass, by the names of `siftcli.params.MatchParams`: `ratio`, `ratio_test`,
        `fginn_radius`, `ratio_both_ways`, `mutual`, `max_distance`, `metric`; and for the geometric verification
        `verify`, `threshold`, `min_inliers`, `focal`, `seed`, `guided`, `guided_distance`.  Keypoints whose descriptor
        is zero match nothing.  With ``verify="auto"``, matches that neither model explains stay unverified, and so do
        all matches without PoseLib.

    Returns
    -------
    Matches
        Ordered by the keypoints of `a`.

    Raises
    ------
    ParameterError
        If descriptors are missing, a test is unknown or its value outside its range, or the verification needs PoseLib
        (extra ``geometry``) and it is not installed.

    Examples
    --------
    >>> import numpy as np, siftcli
    >>> y, x = np.mgrid[:64, :64]
    >>> blob = np.exp(-((x - 30.25) ** 2 + (y - 33.75) ** 2) / (2 * 4.0**2))
    >>> a, b = siftcli.detect(blob, max_orientations=1), siftcli.detect(blob.T, max_orientations=1)
    >>> siftcli.match(a, b).indices.tolist()
    [[0, 0]]
    """
    refuse_renamed(tests)
    known = {field.name for field in fields(MatchParams)}
    for name in tests:
        if name not in known:
            raise ParameterError(name, f"is not a test; those are {', '.join(sorted(known))}")
    return match_features(a, b, MatchParams(**tests), workers)


def _grey(image: npt.ArrayLike, levels: Levels) -> Image:
    pixels = np.asarray(image)
    if pixels.ndim != 2:
        raise ParameterError("image", f"must be a grey image of shape (height, width), not {pixels.shape}")
    kind, size = pixels.dtype.kind, pixels.dtype.itemsize
    if kind not in "biuf":
        raise ParameterError("image", f"must be of a real type, not {pixels.dtype}")
    if not pixels.dtype.isnative:
        pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    levels = check_levels(levels)
    if levels != "auto":
        try:
            return graded(pixels, levels)[0]
        except ValueError as error:
            raise ParameterError("image", f"has {error}") from error
    if kind == "f":
        pixels = pixels.astype(np.float32, copy=False)
        if not np.isfinite(pixels).all():
            raise ParameterError("image", "must be finite")
        low, high = (float(pixels.min()), float(pixels.max())) if pixels.size else (0.0, 1.0)
        if low < -_OVERSHOOT or high > 1 + _OVERSHOOT:
            raise ParameterError(
                "image", f"floats must be in [0, 1], not {low:g} to {high:g}; say what is black and white with levels"
            )
    elif kind != "u" or size > 2:
        raise ParameterError(
            "image", f"must be uint8, uint16 or float, not {pixels.dtype}; or say what is black and white with levels"
        )
    return pixels


def _mask(mask: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    kept = np.asarray(mask)
    if kept.shape != shape:
        raise ParameterError("mask", f"must be of the image's shape {shape}, not {kept.shape}")
    return kept != 0
