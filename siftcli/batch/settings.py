"""The settings that all jobs of a batch share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from ..features import ParameterValue
from ..io.image_kinds import ImageReading
from ..params import DescriptorParams, DetectorParams, SelectionParams, plain_values

if TYPE_CHECKING:
    from ..io.colmap_camera import DatabaseOptions
    from .given import Describing

__all__ = ["Settings"]

_HOW = ("overwrite", "workers", "remote", "signature", "database")
"""Fields of `Settings` that the features do not depend on."""


@dataclass(frozen=True)
class Settings:
    """Settings of all jobs; they can be sent to another process.

    Attributes
    ----------
    detector : DetectorParams
    descriptor : DescriptorParams or None
        None for keypoints alone.
    overwrite : bool
        Existing outputs may be replaced.
    reading : ImageReading
        How images are read.
    selection : SelectionParams
        Which of the keypoints are kept.
    alpha : "mask" or "ignore"
        Whether keypoints on fully transparent pixels are left out.
    depth : "full" or "8"
        Whether images of more than 8 bits keep their precision.
    masked : bool
        Jobs have masks.
    describing : Describing or None
        What to do with the frames that jobs have; None if frames are to be found.
    workers : int
        Number of workers that share one image.
    remote : bool
        Outputs are in the results, for another process to write.
    signature : str or None
        Of everything that the features depend on besides the image, see `signed`; None if what is done is not
        recorded.
    database : DatabaseOptions or None
        How a COLMAP database is made.
    """

    detector: DetectorParams
    descriptor: DescriptorParams | None
    overwrite: bool = False
    reading: ImageReading = field(default_factory=ImageReading)
    selection: SelectionParams = field(default_factory=SelectionParams)
    alpha: Literal["mask", "ignore"] = "mask"
    depth: Literal["full", "8"] = "full"
    masked: bool = False
    describing: Describing | None = None
    workers: int = 1
    remote: bool = False
    signature: str | None = None
    database: DatabaseOptions | None = None

    def signed(self, format: str, version: str) -> Settings:
        """Return these settings with their signature for outputs of a format, made by a version of this package."""
        from hashlib import blake2b

        values = {f.name: repr(getattr(self, f.name)) for f in fields(self) if f.name not in _HOW}
        text = repr((version, format, sorted(values.items())))
        return replace(self, signature=blake2b(text.encode(), digest_size=16).hexdigest())

    @cached_property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """With which features are computed, by name."""
        chosen = (self.detector, *([] if self.descriptor is None else [self.descriptor]))
        how = self.reading
        reading: dict[str, ParameterValue] = {"exif_orientation": how.exif_orientation, "depth": self.depth}
        if how.levels != "auto":
            reading["levels"] = how.levels if isinstance(how.levels, str) else f"{how.levels[0]:g},{how.levels[1]:g}"
        if self.describing is not None:
            given = {
                "assign_orientations": self.describing.assign,
                "bad_frames": "zero" if self.describing.skip else "error",
            }
            return {**plain_values(*chosen), **reading, **given}
        return {**plain_values(*chosen, self.selection), **reading, "alpha": self.alpha, "mask": self.masked}
