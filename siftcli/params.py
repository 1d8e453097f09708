"""The parameters: their defaults, ranges and meaning, and the presets.

This module is the only home of defaults.  The command line builds its options, and the documentation its tables,
from the fields below; every instance is checked when it is made.
"""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple

from .errors import ParameterError

__all__ = [
    "PRESETS",
    "DescriptorParams",
    "DetectorParams",
    "MatchParams",
    "Parameters",
    "SelectionParams",
    "all_parameters",
    "parameters",
    "plain_values",
]


def _param(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: tuple[str, ...] = (),
    whole: bool | None = None,
    parts: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with its range (`low` and `high` inclusive, `above` exclusive), unit and meaning.

    `whole` tells whether it is a whole number, where the default does not; `parts` names the numbers of which it is
    made, where it is several.
    """
    if whole is None:
        whole = not isinstance(default, float)
    metadata = {"help": help, "unit": unit, "low": low, "high": high, "above": above, "choices": choices}
    return field(default=default, metadata={**metadata, "whole": whole, "parts": parts})


def _check(params: Any) -> None:
    """Raise ParameterError for the first field that is outside its range."""
    for f in fields(params):
        value = getattr(params, f.name)
        if value is None and f.default is None:
            continue
        if f.metadata["choices"]:
            if value not in f.metadata["choices"]:
                raise ParameterError(f.name, f"must be one of {', '.join(f.metadata['choices'])}, not {value!r}")
            continue
        if isinstance(f.default, bool):
            if not isinstance(value, bool):
                raise ParameterError(f.name, f"must be true or false, not {value!r}")
            continue
        parts = f.metadata["parts"]
        if not parts:
            _check_number(f, value)
        elif not isinstance(value, (tuple, list)) or len(value) != len(parts):
            raise ParameterError(f.name, f"must be {len(parts)} numbers, {','.join(parts)}, not {value!r}")
        else:
            for part in value:
                _check_number(f, part)


def _check_number(f: Field[Any], value: Any) -> None:
    whole = f.metadata["whole"]
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ParameterError(f.name, f"must be a {'whole ' if whole else ''}number, not {value!r}")
    if not math.isfinite(value):
        raise ParameterError(f.name, f"must be finite, not {value}")
    low, high, above = (f.metadata[k] for k in ("low", "high", "above"))
    if low is not None and value < low:
        raise ParameterError(f.name, f"must be at least {low}, not {value}")
    if above is not None and value <= above:
        raise ParameterError(f.name, f"must be greater than {above}, not {value}")
    if high is not None and value > high:
        raise ParameterError(f.name, f"must be at most {high}, not {value}")


@dataclass(frozen=True)
class DetectorParams:
    """What decides where keypoints are, and their orientation. [Lowe04 §3-5]"""

    first_octave: int = _param(-1, "First octave; -1 doubles the image, 0 starts at its own size.", low=-2, high=8)
    octaves: int | None = _param(None, "Number of octaves; as many as fit when not given.", low=1)
    scales_per_octave: int = _param(3, "Scales per octave that are searched for extrema.", low=1, high=16)
    sigma_base: float = _param(1.6, "Blur of an octave's first level.", unit="octave px", above=0, high=16)
    sigma_input: float = _param(0.5, "Blur that the input is assumed to have.", unit="px", low=0, high=16)
    contrast_threshold: float = _param(
        0.04, "Smallest |DoG| of a keypoint, times the scales per octave; image in [0, 1].", low=0
    )
    edge_threshold: float = _param(10.0, "Largest ratio of principal curvatures.", low=1)
    border: int = _param(5, "Nearest that extrema lie to the border of the image.", unit="octave px", low=1, high=1000)
    refinement: Literal["lowe", "vlfeat", "converged"] = _param(
        "lowe",
        "lowe: fits move in x and y, the last one counts, edges are tested at the extremum; "
        "vlfeat: the same, edges are tested where the fit ends; "
        "converged: fits move in scale too and have to settle, edges are tested where they do.",
        choices=("lowe", "vlfeat", "converged"),
    )
    max_offset: float = _param(
        0.6, "Offset of a fit from its pixel beyond which it moves to the next.", unit="octave px", above=0, high=1.5
    )
    max_orientations: int = _param(4, "Most orientations at one location.", low=1, high=36)
    orientation_window: float = _param(1.5, "Sigma of the orientation window.", unit="keypoint sigma", low=0.1, high=8)
    orientation_smoothings: int = _param(
        6, "How often the histogram of orientations is smoothed with [1, 1, 1] / 3.", low=0, high=100
    )
    peak_ratio: float = _param(0.8, "Smallest orientation peak, relative to the highest.", low=0, high=1)
    upright: bool = _param(False, "Give every keypoint orientation 0 instead of estimating it.")
    variant: Literal["standard", "lowe"] = _param(
        "standard",
        "standard: the method, with orientations shared between neighbouring bins; "
        "lowe: as Lowe's program computes, accidents and rounding included.",
        choices=("standard", "lowe"),
    )
    max_image_size: int | None = _param(
        None,
        "Reduce images with a longer side to this one; keypoints stay in pixels of the image as it was.",
        unit="px",
        low=16,
    )

    def __post_init__(self) -> None:
        _check(self)
        # Octaves before the doubled image are sharper than any input: it is taken as it is.
        if self.sigma_base * 2.0 ** max(self.first_octave, -1) < self.sigma_input:
            raise ParameterError("sigma_input", f"must not exceed the first level's blur, not {self.sigma_input}")

    @property
    def dog_threshold(self) -> float:
        """Smallest |DoG| of a refined keypoint, image in [0, 1]. [Lowe04 §4]"""
        return self.contrast_threshold / self.scales_per_octave


@dataclass(frozen=True)
class DescriptorParams:
    """What decides the descriptor of a keypoint. [Lowe04 §6]"""

    magnification: float = _param(3.0, "Side of a descriptor cell.", unit="keypoint sigma", low=0.1, high=32)
    window_size: float = _param(2.0, "Sigma of the descriptor's Gaussian window.", unit="cells", low=0.1, high=1e6)
    clamp: float = _param(0.2, "Largest value of a normalised descriptor before it is normalised again.", above=0)
    norm_threshold: float = _param(
        0.0,
        "Set descriptors to zero where the mean norm of the gradient is below this; image in [0, 1].",
        unit="1 / octave px",
        low=0,
    )
    root_sift: bool = _param(False, "L1-normalise and take the square root (RootSIFT); otherwise plain L2.")
    float_descriptors: bool = _param(
        False, "Descriptors of norm 1 in float32, instead of bytes min(255, floor(512 d))."
    )
    sampling: Literal["grid", "pixels"] = _param(
        "grid",
        "grid: a fixed grid of samples in the keypoint's own frame; pixels: every pixel, as Lowe's program does.",
        choices=("grid", "pixels"),
    )

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class MatchParams:
    """What makes two descriptors a match, and how matches are verified. [Lowe04 §7.1]"""

    ratio: float = _param(
        0.8, "The nearest is nearer than this times the distance of the second nearest; 1 for no such test.",
        above=0, high=1,
    )  # fmt: skip
    mutual: bool = _param(True, "Keep a match only if each keypoint is the other's nearest.")
    max_distance: float | None = _param(
        None, "Largest distance of a match; no limit when not given.", unit="descriptor norm", low=0, whole=False
    )
    metric: Literal["l2", "root"] = _param(
        "l2",
        "l2: Euclidean distance of the descriptors; root: of their RootSIFT form (L1-normalised, square root).",
        choices=("l2", "root"),
    )
    verify: Literal["homography", "fundamental", "essential", "similarity"] | None = _param(
        None,
        "Geometric model that true matches obey, found by RANSAC; no verification when not given.",
        choices=("homography", "fundamental", "essential", "similarity"),
    )
    threshold: float = _param(3.0, "Largest error of an inlier of the model.", unit="px", above=0, high=1e6)
    min_inliers: int = _param(15, "Fewer inliers than this are no evidence that a model holds.", low=1)
    focal: float | None = _param(
        None, "Focal length of both images, for essential; 1.2 times the longer side when not given.",
        unit="px", above=0, whole=False,
    )  # fmt: skip
    seed: int = _param(0, "Seed of the random sampling.", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class SelectionParams:
    """Which of the keypoints that were found are kept."""

    min_scale: float | None = _param(
        None, "Smallest sigma of a keypoint; no limit when not given.", unit="px", low=0, whole=False
    )
    max_scale: float | None = _param(
        None, "Largest sigma of a keypoint; no limit when not given.", unit="px", above=0, whole=False
    )
    region: tuple[float, float, float, float] | None = _param(
        None,
        "Keep keypoints in a rectangle of pixels: its first column and row, width and height.",
        unit="px",
        parts=("x", "y", "w", "h"),
        whole=False,
    )
    max_keypoints: int | None = _param(
        None, "Most keypoints of an image, after its mask; no limit when not given.", low=1
    )
    keep: Literal["strongest", "largest", "spread"] = _param(
        "strongest",
        "Which ones, if there are more. strongest: of highest |DoG|; largest: of largest sigma; "
        "spread: well distributed over the image, by adaptive non-maximal suppression.",
        choices=("strongest", "largest", "spread"),
    )

    def __post_init__(self) -> None:
        _check(self)
        if self.min_scale is not None and self.max_scale is not None and self.min_scale > self.max_scale:
            raise ParameterError("min_scale", f"must not exceed max_scale, {self.max_scale}, not {self.min_scale}")
        if self.region is not None and min(self.region[2:]) <= 0:
            raise ParameterError("region", f"must have a width and height above 0, not {list(self.region)}")


class Parameters(NamedTuple):
    """All that decides on the features of an image."""

    detector: DetectorParams = DetectorParams()
    descriptor: DescriptorParams = DescriptorParams()
    selection: SelectionParams = SelectionParams()


PRESETS: dict[str, Parameters] = {
    "default": Parameters(),
    "lowe": Parameters(DetectorParams(variant="lowe"), DescriptorParams(sampling="pixels")),
    "vlfeat": Parameters(DetectorParams(contrast_threshold=0.0, border=1, refinement="vlfeat")),
    "ipol": Parameters(DetectorParams(octaves=8, border=1, refinement="converged", max_orientations=36)),
    "opencv": Parameters(
        DetectorParams(refinement="converged", max_offset=0.5, max_orientations=36, orientation_smoothings=1)
    ),
    "colmap": Parameters(
        DetectorParams(
            octaves=4,
            contrast_threshold=0.02,
            border=1,
            refinement="vlfeat",
            max_orientations=2,
            max_image_size=3200,
        ),
        DescriptorParams(root_sift=True),
        SelectionParams(max_keypoints=8192, keep="largest"),
    ),
}
"""The effective defaults of other programs in this one's terms, by name; see docs/parameters.md."""


def all_parameters(preset: str = "default", **overrides: Any) -> Parameters:
    """Return a preset's parameters, with single ones replaced by name.

    Parameters
    ----------
    preset : str
        A key of `PRESETS`.
    **overrides
        By the names of the fields of `DetectorParams`, `DescriptorParams` and `SelectionParams`.

    Raises
    ------
    ParameterError
        For an unknown preset or parameter, or a value outside its range.
    """
    if preset not in PRESETS:
        raise ParameterError("preset", f"must be one of {', '.join(PRESETS)}, not {preset!r}")
    chosen = PRESETS[preset]
    rest = dict(overrides)

    def own(group: Any) -> dict[str, Any]:
        return {f.name: rest.pop(f.name) for f in fields(group) if f.name in rest}

    changed = Parameters(
        replace(chosen.detector, **own(chosen.detector)),
        replace(chosen.descriptor, **own(chosen.descriptor)),
        replace(chosen.selection, **own(chosen.selection)),
    )
    if rest:
        raise ParameterError(next(iter(rest)), "is not a parameter")
    return changed


def parameters(preset: str = "default", **overrides: Any) -> tuple[DetectorParams, DescriptorParams]:
    """Return the parameters of detector and descriptor of a preset, with single ones replaced by name.

    Raises
    ------
    ParameterError
        For an unknown preset or parameter, or a value outside its range.
    """
    for f in fields(SelectionParams):
        if f.name in overrides:
            raise ParameterError(f.name, "is not a parameter of the detector or descriptor")
    detector, descriptor, _ = all_parameters(preset, **overrides)
    return detector, descriptor


def plain_values(*groups: Any) -> dict[str, bool | int | float | str | None]:
    """Return parameters by name as files can hold them: what is made of several numbers becomes text, ``"0,0,9,9"``.

    Parameters
    ----------
    *groups : dataclass instances
        Of this module.
    """
    values = {f.name: getattr(group, f.name) for group in groups for f in fields(group)}
    return {k: ",".join(f"{part:g}" for part in v) if isinstance(v, (tuple, list)) else v for k, v in values.items()}
