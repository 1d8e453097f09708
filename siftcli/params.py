"""The parameters of the method, with their defaults, ranges and meaning.

This is the only module with defaults; `presets` has other sets of values.  The command line builds its options, and the
documentation its tables, from the fields below.  Every instance is checked when it is created.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from .errors import ParameterError
from .settings import check, setting

__all__ = [
    "DescriptorParams",
    "DetectorParams",
    "MatchParams",
    "Parameters",
    "SelectionParams",
    "plain_values",
]


@dataclass(frozen=True)
class DetectorParams:
    """Parameters of detection and orientation. [Lowe04 §3-5]"""

    first_octave: int = setting(-1, "First octave; -1 is the doubled image, 0 the image itself.", low=-2, high=8)
    octaves: int | None = setting(None, "Number of octaves; by default as many as fit.", low=1, kind=int)
    scales_per_octave: int = setting(3, "Number of scales per octave that are searched for extrema.", low=1, high=16)
    sigma_base: float = setting(1.6, "Blur (sigma) of an octave's first level.", unit="octave px", above=0, high=16)
    sigma_input: float = setting(0.5, "Assumed blur (sigma) of the input image.", unit="px", low=0, high=16)
    contrast_threshold: float = setting(
        0.04, "Minimum |DoG| of a keypoint times the scales per octave, for an image in [0, 1].", low=0
    )
    edge_threshold: float = setting(10.0, "Maximum ratio of the principal curvatures.", low=1)
    border: int = setting(5, "Minimum distance of extrema from the image border.", unit="octave px", low=1, high=1000)
    refinement: Literal["lowe", "vlfeat", "converged"] = setting(
        "lowe",
        "Method of the sub-pixel fit. lowe: fits move in x and y, the last fit is kept whether converged or not, edges "
        "are tested at the extremum; vlfeat: the same, but edges are tested where the fit ends; "
        "converged: fits also move in scale and must converge, edges are tested where they end.",
        choices=("lowe", "vlfeat", "converged"),
    )
    max_offset: float = setting(
        0.6, "Offset from its pixel beyond which a fit moves to the next pixel.", unit="octave px", above=0, high=1.5
    )
    max_orientations: int = setting(4, "Maximum number of orientations at one location.", low=1, high=36)
    orientation_window: float = setting(1.5, "Sigma of the orientation window.", unit="keypoint sigma", low=0.1, high=8)
    orientation_smoothings: int = setting(
        6, "Number of times that the orientation histogram is smoothed with [1, 1, 1] / 3.", low=0, high=100
    )
    peak_ratio: float = setting(0.8, "Minimum height of an orientation peak relative to the highest.", low=0, high=1)
    affine_shape: bool = setting(
        False, "Estimate the affine shape of keypoints, for strong changes of the viewpoint; frames become ellipses."
    )
    affine_strength: float = setting(
        1.0,
        "Exponent of the ratio of an ellipse's half axes; below 1, shapes are drawn towards the circle.",
        low=0,
        high=1,
    )
    affine_blur: Literal["round", "level"] = setting(
        "round",
        "Blur for the affine shape. round: that of the ellipse, which gives its shape without bias; "
        "level: that of the level, which gives rounder shapes, as VLFeat and COLMAP do, and more matches.",
        choices=("round", "level"),
    )
    affine_iterations: int = setting(
        10,
        "Maximum number of iterations of the affine shape; it ends when shapes hardly change.",
        low=1,
        high=100,
    )
    upright: bool = setting(False, "Set all orientations to 0 instead of estimating them.")
    variant: Literal["standard", "lowe"] = setting(
        "standard",
        "standard: the published method, with linear interpolation between orientation bins; "
        "lowe: the computation of Lowe's program, including its quirks and rounding.",
        choices=("standard", "lowe"),
    )
    max_image_size: int | None = setting(
        None,
        "Reduce an image whose longer side exceeds this; keypoints are in pixels of the original image.",
        unit="px",
        low=16,
        kind=int,
    )

    def __post_init__(self) -> None:
        check(self)
        if self.affine_shape and self.variant == "lowe":
            raise ParameterError("affine_shape", "needs variant standard, not lowe")
        # Octaves before the doubled image are sharper than any input: it is taken as it is.
        if self.sigma_base * 2.0 ** max(self.first_octave, -1) < self.sigma_input:
            raise ParameterError("sigma_input", f"must not exceed the first level's blur, not {self.sigma_input}")

    @property
    def dog_threshold(self) -> float:
        """Smallest |DoG| of a refined keypoint, image in [0, 1]. [Lowe04 §4]"""
        return self.contrast_threshold / self.scales_per_octave


@dataclass(frozen=True)
class DescriptorParams:
    """Parameters of the descriptor. [Lowe04 §6]"""

    magnification: float = setting(3.0, "Side of a descriptor cell.", unit="keypoint sigma", low=0.1, high=32)
    window_size: float = setting(2.0, "Sigma of the descriptor's Gaussian window.", unit="cells", low=0.1, high=1e6)
    clamp: float = setting(0.2, "Maximum value of the normalised descriptor, before it is normalised again.", above=0)
    domain_sizes: tuple[float, ...] = setting(
        (1.0,),
        "Sizes of the descriptor's domain relative to the usual one; descriptors of several sizes are pooled into "
        "one (DSP-SIFT), with --sampling grid.",
        parts=("z", "..."),
        low=0.1,
        high=16,
        kind=float,
    )
    samples: int = setting(20, "Samples along each side of a descriptor, with --sampling grid.", low=8, high=64)
    norm_threshold: float = setting(
        0.0,
        "Set a descriptor to zero if the mean gradient norm is below this, for an image in [0, 1].",
        unit="1 / octave px",
        low=0,
    )
    root_sift: bool = setting(False, "Write RootSIFT (L1-normalised, square root) instead of L2 descriptors.")
    float_descriptors: bool = setting(
        False, "Write descriptors as float32 of norm 1 instead of bytes min(255, floor(512 d))."
    )
    sampling: Literal["grid", "pixels"] = setting(
        "grid",
        "Samples of a descriptor. grid: a fixed grid in the frame of the keypoint; "
        "pixels: every pixel, as in Lowe's program.",
        choices=("grid", "pixels"),
    )

    def __post_init__(self) -> None:
        check(self)
        object.__setattr__(self, "domain_sizes", tuple(map(float, self.domain_sizes)))
        if self.sampling == "pixels" and self.domain_sizes != (1.0,):
            raise ParameterError("domain_sizes", "needs sampling grid, not pixels")


@dataclass(frozen=True)
class MatchParams:
    """Parameters of matching and of geometric verification. [Lowe04 §7.1]"""

    ratio: float = setting(
        0.8, "Maximum distance of the nearest descriptor over that of the second nearest; 1 turns the test off.",
        above=0, high=1,
    )  # fmt: skip
    ratio_test: Literal["nearest", "fginn"] = setting(
        "nearest",
        "Second nearest of the ratio. nearest: of all keypoints; fginn: of those farther from the nearest than "
        "--fginn-radius, the first geometrically inconsistent one.",
        choices=("nearest", "fginn"),
    )
    fginn_radius: float = setting(
        10.0, "Radius around the nearest keypoint, for --ratio-test fginn.", unit="px", above=0, high=1e6
    )
    ratio_both_ways: bool = setting(False, "Require the ratio of both keypoints of a match, from a to b and b to a.")
    mutual: bool = setting(True, "Keep only mutual nearest neighbours.")
    max_distance: float | None = setting(
        None, "Maximum distance of a match; by default no limit.", unit="descriptor norm", low=0, kind=float
    )
    metric: Literal["l2", "root"] = setting(
        "l2",
        "Distance of descriptors. l2: Euclidean; root: Euclidean, of their RootSIFT form (L1-normalised, square root).",
        choices=("l2", "root"),
    )
    verify: Literal["auto", "homography", "fundamental", "essential", "similarity"] | None = setting(
        None,
        "Verify matches by a geometric model, estimated by RANSAC; by default not. auto: by a homography or, where "
        "there is parallax, by a fundamental matrix, whichever explains the matches.",
        choices=("auto", "homography", "fundamental", "essential", "similarity"),
    )
    threshold: float = setting(3.0, "Maximum error of an inlier of the model.", unit="px", above=0, high=1e6)
    min_inliers: int = setting(15, "Minimum number of inliers of a model.", low=1)
    focal: float | None = setting(
        None, "Focal length of both images, for --verify essential; by default 1.2 times the longer side.",
        unit="px", above=0, kind=float,
    )  # fmt: skip
    guided: bool = setting(False, "Match again, only pairs of keypoints that obey the model, and keep these matches.")
    guided_distance: float = setting(0.7, "Maximum distance of a match of --guided.", unit="descriptor norm", low=0)
    seed: int = setting(0, "Seed of the random sampling of RANSAC.", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        check(self)
        if self.guided and self.verify is None:
            raise ParameterError("guided", "needs a model to match along; give verify too")


@dataclass(frozen=True)
class SelectionParams:
    """Parameters that select keypoints."""

    min_scale: float | None = setting(
        None, "Minimum sigma of a keypoint; by default no limit.", unit="px", low=0, kind=float
    )
    max_scale: float | None = setting(
        None, "Maximum sigma of a keypoint; by default no limit.", unit="px", above=0, kind=float
    )
    region: tuple[float, float, float, float] | None = setting(
        None,
        "Keep keypoints in a rectangle: left, top, width and height.",
        unit="px",
        parts=("x", "y", "w", "h"),
        kind=float,
    )
    max_keypoints: int | None = setting(
        None, "Maximum number of keypoints of an image, after its mask; by default no limit.", low=1, kind=int
    )
    keep: Literal["strongest", "largest", "spread", "levels"] = setting(
        "strongest",
        "Keypoints that --max-keypoints keeps. strongest: highest |DoG|; largest: largest sigma; "
        "spread: well distributed over the image, by adaptive non-maximal suppression; "
        "levels: whole levels, from the coarsest to the one with which the locations become more than the number, "
        "as COLMAP does.",
        choices=("strongest", "largest", "spread", "levels"),
    )

    def __post_init__(self) -> None:
        check(self)
        if self.min_scale is not None and self.max_scale is not None and self.min_scale > self.max_scale:
            raise ParameterError("min_scale", f"must not exceed max_scale, {self.max_scale}, not {self.min_scale}")
        if self.region is not None and min(self.region[2:]) <= 0:
            raise ParameterError("region", f"must have a width and height above 0, not {list(self.region)}")


class Parameters(NamedTuple):
    """All parameters that determine the features of an image."""

    detector: DetectorParams = DetectorParams()
    descriptor: DescriptorParams = DescriptorParams()
    selection: SelectionParams = SelectionParams()


def plain_values(*groups: Any) -> dict[str, bool | int | float | str | None]:
    """Return parameters by name as values that files can store; several numbers become text, ``"0,0,9,9"``.

    Parameters
    ----------
    *groups : dataclass instances
        Parameters of this module.
    """
    values = {f.name: getattr(group, f.name) for group in groups for f in fields(group)}
    return {k: ",".join(f"{part:.12g}" for part in v) if isinstance(v, (tuple, list)) else v for k, v in values.items()}
