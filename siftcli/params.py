"""The parameters: their defaults, ranges and meaning, and the presets.

This module is the only home of defaults.  The command line builds its options, and the documentation its tables,
from the fields below; every instance is checked when it is made.
"""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, Literal

from .errors import ParameterError

__all__ = [
    "PRESETS",
    "DescriptorParams",
    "DetectorParams",
    "parameters",
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
) -> Any:
    """A dataclass field with its range (`low` and `high` inclusive, `above` exclusive), unit and meaning."""
    return field(
        default=default,
        metadata={"help": help, "unit": unit, "low": low, "high": high, "above": above, "choices": choices},
    )


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
        _check_number(f, value)


def _check_number(f: Field[Any], value: Any) -> None:
    whole = not isinstance(f.default, float)
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
    max_orientations: int = _param(4, "Most orientations at one location.", low=1, high=36)
    orientation_window: float = _param(1.5, "Sigma of the orientation window.", unit="keypoint sigma", above=0, high=8)
    peak_ratio: float = _param(0.8, "Smallest orientation peak, relative to the highest.", low=0, high=1)
    upright: bool = _param(False, "Give every keypoint orientation 0 instead of estimating it.")
    variant: Literal["standard", "lowe"] = _param(
        "standard",
        "standard: each level blurred from the octave's base, linear orientation bins; "
        "lowe: as Lowe's program computes, rounding included.",
        choices=("standard", "lowe"),
    )

    def __post_init__(self) -> None:
        _check(self)
        if self.sigma_base * 2.0 ** max(-self.first_octave, 0) < self.sigma_input:
            raise ParameterError("sigma_input", f"must not exceed the first level's blur, not {self.sigma_input}")

    @property
    def dog_threshold(self) -> float:
        """Smallest |DoG| of a refined keypoint, image in [0, 1]. [Lowe04 §4]"""
        return self.contrast_threshold / self.scales_per_octave


@dataclass(frozen=True)
class DescriptorParams:
    """What decides the descriptor of a keypoint. [Lowe04 §6]"""

    magnification: float = _param(3.0, "Side of a descriptor cell.", unit="keypoint sigma", above=0, high=32)
    window_size: float = _param(2.0, "Sigma of the descriptor's Gaussian window.", unit="cells", above=0, high=1e6)
    clamp: float = _param(0.2, "Largest value of a normalised descriptor before it is normalised again.", above=0)
    norm_threshold: float = _param(
        0.0, "Descriptors whose mean gradient norm is below this are set to zero; image in [0, 1].", low=0
    )
    root_sift: bool = _param(False, "L1-normalise and take the square root (RootSIFT).")
    sampling: Literal["grid", "pixels"] = _param(
        "grid",
        "grid: a fixed grid of samples in the keypoint's own frame; pixels: every pixel, as Lowe's program does.",
        choices=("grid", "pixels"),
    )

    def __post_init__(self) -> None:
        _check(self)


PRESETS: dict[str, tuple[DetectorParams, DescriptorParams]] = {
    "default": (DetectorParams(), DescriptorParams()),
    "lowe": (DetectorParams(variant="lowe"), DescriptorParams(sampling="pixels")),
}
"""Name to detector and descriptor parameters."""


def parameters(preset: str = "default", **overrides: Any) -> tuple[DetectorParams, DescriptorParams]:
    """Return a preset's parameters, with single ones replaced by name.

    Raises
    ------
    ParameterError
        For an unknown preset or parameter, or a value outside its range.
    """
    if preset not in PRESETS:
        raise ParameterError("preset", f"must be one of {', '.join(PRESETS)}, not {preset!r}")
    detector, descriptor = PRESETS[preset]
    names = [{f.name for f in fields(p)} for p in (detector, descriptor)]
    for name in overrides:
        if name not in names[0] | names[1]:
            raise ParameterError(name, "is not a parameter")
    return (
        replace(detector, **{k: v for k, v in overrides.items() if k in names[0]}),
        replace(descriptor, **{k: v for k, v in overrides.items() if k in names[1]}),
    )
