"""Features: keypoints and descriptors as arrays of stated dtype, shape and unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Camera", "Features", "Float32", "Float64", "Image", "Index", "Mask", "ParameterValue"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]
"""A grey image `[row, col]`: uint8 (0-255), uint16 (0-65535) or float32 (0-1)."""

ParameterValue: TypeAlias = bool | int | float | str | None
"""Type of a parameter of :mod:`siftcli.params`."""


@dataclass(frozen=True)
class Camera:
    """Camera and position from the metadata of an image.

    Attributes
    ----------
    name : str
        Maker and model; empty where not told.
    focal : float or None
        Focal length in pixels of the image.
    position : (float, float, float) or None
        Latitude and longitude in degrees, north and east positive, and altitude in metres above the sea, NaN where not
        told (WGS 84).
    """

    name: str = ""
    focal: float | None = None
    position: tuple[float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class Features:
    """The keypoints of one image and, if computed, their descriptors.

    Conventions (see :mod:`siftcli.conventions`): x is the column, y the row, the centre of the first pixel is (0, 0);
    angles are in radians, y down, clockwise on screen positive; descriptors are laid out
    ``[y-bin][x-bin][orientation]``, orientation fastest.

    Attributes
    ----------
    xy : (N, 2) float32
        Positions, in input pixels.
    scales : (N,) float32
        Sigma, in input pixels.
    orientations : (N,) float32
        Radians in [-pi, pi).
    scores : (N,) float32 or None
        Responses: the refined |DoG| for an image in [0, 1]; None if unknown.
    octaves : (N,) int16 or None
        Octave of detection; -1 is the doubled image.
    levels : (N,) int16 or None
        Level s of detection within the octave, 1 to scales per octave.
    descriptors : (N, 128) uint8 or float32, or None
        Quantised (0-255) or unit-norm descriptors.
    image_size : (width, height) or None
        In pixels.
    affine : (N, 2, 2) float32 or None
        Affine frames: a point p of the frame, in units of sigma along its own axes, lies at ``xy + A p`` (x before y).
        A similarity is ``sigma R(orientation)``; VLFeat's A is this matrix times the magnification.  None if all frames
        are similarities; else `scales` is ``sqrt(abs(det A))`` and `orientations` the direction of A's first column.
    parameters : mapping of str to parameter value, or None
        Parameters of the computation, by the names of :mod:`siftcli.params`; None if unknown.
    sources : (N,) int32 or None
        Index of the given frame, from 0, that each keypoint comes from, if orientations were assigned to given frames.
    diverged : (N,) uint8 or None
        1 where the estimate of the affine shape diverged: the half axes would have differed by more than a factor of 5,
        so the frame is that of the iteration before; 0 elsewhere.  None if no shapes were estimated.
    camera : Camera or None
        Camera of the image; None if its metadata do not tell it, or were not read.
    """

    xy: Float32
    scales: Float32
    orientations: Float32
    scores: Float32 | None = None
    octaves: npt.NDArray[np.int16] | None = None
    levels: npt.NDArray[np.int16] | None = None
    descriptors: npt.NDArray[np.uint8] | Float32 | None = None
    image_size: tuple[int, int] | None = field(default=None)
    affine: Float32 | None = None
    parameters: Mapping[str, ParameterValue] | None = None
    sources: npt.NDArray[np.int32] | None = None
    diverged: npt.NDArray[np.uint8] | None = None
    camera: Camera | None = None

    def __post_init__(self) -> None:
        n = len(self.xy)
        if self.xy.shape != (n, 2):
            raise ValueError(f"xy must be (N, 2), not {self.xy.shape}")
        for name in ("scales", "orientations", "scores", "octaves", "levels", "sources", "diverged"):
            value = getattr(self, name)
            if value is not None and value.shape != (n,):
                raise ValueError(f"{name} must be ({n},), not {value.shape}")
        if self.descriptors is not None and self.descriptors.shape != (n, 128):
            raise ValueError(f"descriptors must be ({n}, 128), not {self.descriptors.shape}")
        if self.affine is not None and self.affine.shape != (n, 2, 2):
            raise ValueError(f"affine must be ({n}, 2, 2), not {self.affine.shape}")

    def __len__(self) -> int:
        return len(self.xy)

    def take(self, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Features:
        """Return the features at indices, (M,) intp, or where a mask, (N,) bool, is true."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        arrays: dict[str, Any] = {k: v[index] for k, v in values.items() if isinstance(v, np.ndarray)}
        return replace(self, **arrays)

    def without_descriptors(self) -> Features:
        """Return the features without their descriptors."""
        return replace(self, descriptors=None)
