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
    from ..io.colmap.camera import DatabaseOptions
    from .given import Describing

__all__ = ["Settings"]

_NOT_SIGNED = ("overwrite", "workers", "remote", "signature", "database")
"""Fields of `Settings` that the features do not depend on."""


@dataclass(frozen=True)
class Settings:
    """Settings of all jobs; can be pickled.

    Attributes
    ----------
    detector : DetectorParams
    descriptor : DescriptorParams or None
        None for keypoints alone.
    overwrite : bool
        Replace existing outputs.
    reading : ImageReading
        How images are read.
    selection : SelectionParams
        Which keypoints are kept.
    alpha : "mask" or "ignore"
        "mask" removes keypoints on fully transparent pixels.
    depth : "full" or "8"
        "8" rounds images of more than 8 bits to 8 bits.
    masked : bool
        The jobs have masks.
    describing : Describing or None
        How the given frames of the jobs are described; None to detect keypoints.
    workers : int
        Number of workers that share one image.
    remote : bool
        Return outputs in the results, because another process writes them.
    signature : str or None
        Digest of everything that the features depend on besides the image, see `signed`; None to keep no records.
    database : DatabaseOptions or None
        Options for writing a COLMAP database.
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
        """Return these settings with their signature for a format and a version of this package."""
        from hashlib import blake2b

        values = {f.name: repr(getattr(self, f.name)) for f in fields(self) if f.name not in _NOT_SIGNED}
        text = repr((version, format, sorted(values.items())))
        return replace(self, signature=blake2b(text.encode(), digest_size=16).hexdigest())

    @cached_property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """Parameters that the features depend on, by name."""
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
