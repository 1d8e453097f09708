"""The presets: sets of parameters by name, and the parameters of a preset with single values changed."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from .errors import ParameterError
from .params import DescriptorParams, DetectorParams, Parameters, SelectionParams

__all__ = ["MATCH_PRESETS", "PRESETS", "RECONSTRUCTION_MATCHES", "all_parameters", "parameters"]

PRESETS: dict[str, Parameters] = {
    "default": Parameters(),
    "accurate": Parameters(
        DetectorParams(contrast_threshold=0.035, orientation_window=3.0),
        DescriptorParams(domain_sizes=(1.0, 1.4, 2.0, 2.8), samples=15, root_sift=True),
    ),
    "accurate-affine": Parameters(
        DetectorParams(
            contrast_threshold=0.035,
            orientation_window=3.0,
            affine_shape=True,
            affine_strength=0.6,
            affine_blur="level",
            affine_iterations=2,
        ),
        DescriptorParams(domain_sizes=(1.0, 1.5, 2.25), samples=15, root_sift=True),
    ),
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
        SelectionParams(max_keypoints=8192, keep="levels"),
    ),
}
"""Parameters by name: for more correct matches, or with the effect of other programs' defaults; see docs/presets.md."""


_ACCURATE_MATCHES = {"ratio": 0.85, "ratio_test": "fginn", "ratio_both_ways": True}
MATCH_PRESETS: dict[str, dict[str, Any]] = {"accurate": _ACCURATE_MATCHES, "accurate-affine": _ACCURATE_MATCHES}
"""Parameters of `MatchParams` that ``sift match --preset`` changes, by preset."""


RECONSTRUCTION_MATCHES: dict[str, Any] = {"metric": "root"}
"""Parameters of `MatchParams` for images whose features are extracted to be matched with one another."""


def all_parameters(preset: str = "default", **overrides: Any) -> Parameters:
    """Return the parameters of a preset, with overrides by name.

    Parameters
    ----------
    preset : str
        A key of `PRESETS`.
    **overrides
        Values by the field names of `DetectorParams`, `DescriptorParams` and `SelectionParams`.

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
    """Return the detector and descriptor parameters of a preset, with overrides by name.

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
