"""The cameras of COLMAP: their models and parameters, and which images share one."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ...errors import ParameterError
from .schema import VERSIONS

if TYPE_CHECKING:
    from ...features import Camera

__all__ = ["MODELS", "SHARING", "CameraRow", "DatabaseOptions", "Sharing", "camera_row"]

Sharing: TypeAlias = Literal["auto", "single", "folder", "image"]
SHARING: tuple[Sharing, ...] = ("auto", "single", "folder", "image")

MODELS: dict[str, tuple[int, int, int]] = {
    "SIMPLE_PINHOLE": (0, 1, 0),
    "PINHOLE": (1, 2, 0),
    "SIMPLE_RADIAL": (2, 1, 1),
    "RADIAL": (3, 1, 2),
    "OPENCV": (4, 2, 4),
    "OPENCV_FISHEYE": (5, 2, 4),
    "FULL_OPENCV": (6, 2, 8),
    "FOV": (7, 2, 1),
    "SIMPLE_RADIAL_FISHEYE": (8, 1, 1),
    "RADIAL_FISHEYE": (9, 1, 2),
    "THIN_PRISM_FISHEYE": (10, 2, 8),
}
"""A camera model to its number, how many focal lengths it has and how many parameters of distortion.

The parameters are in this order: focal lengths, the principal point (two), distortion.  Versions from 3.8 have all.
"""

_FOCAL_OF_SIDE = 1.2
"""Focal length over the longer side, where it is not known."""

_FOV_START = 0.01
"""First value of the one distortion parameter that must not be zero."""


@dataclass(frozen=True)
class DatabaseOptions:
    """How a database is made.

    Attributes
    ----------
    version : str or None
        Version of COLMAP, for a new database: one of `VERSIONS`; None for the newest.
    sharing : "auto", "single", "folder" or "image"
        Which images have one camera: those whose metadata name one camera, focal length and size; all; those of a
        folder; each its own.
    model : str
        One of `MODELS`.
    params : tuple of float or None
        Parameters of every new camera; None for those that its metadata or its size suggest.

    Raises
    ------
    ParameterError
        If one is none of these, or the parameters are not as many as the model has.
    """

    version: str | None = None
    sharing: Sharing = "auto"
    model: str = "SIMPLE_RADIAL"
    params: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.version is not None and self.version not in VERSIONS:
            raise ParameterError("colmap_version", f"must be one of {', '.join(VERSIONS)}, not {self.version!r}")
        if self.sharing not in SHARING:
            raise ParameterError("camera", f"must be one of {', '.join(SHARING)}, not {self.sharing!r}")
        if self.model not in MODELS:
            raise ParameterError("camera_model", f"must be one of {', '.join(MODELS)}, not {self.model!r}")
        if self.params is None:
            return
        _, focals, distortions = MODELS[self.model]
        wanted = focals + 2 + distortions
        if len(self.params) != wanted or not all(map(math.isfinite, self.params)):
            raise ParameterError(
                "camera_params", f"must be {wanted} numbers for {self.model}: {_parameter_names(self.model)}"
            )


def _parameter_names(model: str) -> str:
    _, focals, distortions = MODELS[model]
    lengths = "focal length" if focals == 1 else "two focal lengths"
    return f"{lengths}, principal point (x, y)" + (f", {distortions} of distortion" if distortions else "")


@dataclass(frozen=True)
class CameraRow:
    """A row of the table of cameras, but for its key.

    Attributes
    ----------
    model, width, height : int
    params : bytes
        float64.
    prior : bool
        Whether the focal length is known before reconstruction.
    """

    model: int
    width: int
    height: int
    params: bytes
    prior: bool


def camera_row(options: DatabaseOptions, camera: Camera | None, size: tuple[int, int]) -> CameraRow:
    """Return the camera of an image of this size: as told, as its metadata say, or as COLMAP guesses."""
    number, focals, distortions = MODELS[options.model]
    prior = options.params is not None or (camera is not None and camera.focal is not None)
    params = options.params
    if params is None:
        focal = _FOCAL_OF_SIDE * max(size) if camera is None or camera.focal is None else camera.focal
        start = _FOV_START if options.model == "FOV" else 0.0
        params = (focal,) * focals + (size[0] / 2, size[1] / 2) + (start,) * distortions
    return CameraRow(number, *size, struct.pack(f"<{len(params)}d", *params), prior)
