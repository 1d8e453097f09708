"""One image at a time: reading it and finding its features, as a batch of one does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ..batch.plan import Job
from ..batch.run import detect_image, read_job
from ..batch.settings import Settings
from ..batch.units import workers_for_size
from ..errors import PlanError
from ..features import Features
from ..io.files import STDIN, STDOUT
from ..io.image import LoadedImage
from ..io.image_kinds import ImageReading
from ..params import Parameters
from .streams import read_stdin, say

if TYPE_CHECKING:
    from ..draw.picture import Picture

__all__ = ["Opened", "Reading", "coloured", "features_of", "open_image"]


@dataclass(frozen=True)
class Reading:
    """How images are read.

    Attributes
    ----------
    parameters : Parameters
        For features that are extracted.
    images : ImageReading
    workers : int or None
        None chooses by the image.
    quiet : bool
        Leave out warnings.
    """

    parameters: Parameters
    images: ImageReading
    workers: int | None = None
    quiet: bool = False

    def settings(self, *, descriptors: bool = True) -> Settings:
        """Return the settings of a batch that reads and detects in this way."""
        detector, descriptor, selection = self.parameters
        return Settings(
            detector,
            descriptor if descriptors else None,
            reading=self.images,
            selection=selection,
        )


@dataclass(frozen=True, eq=False)
class Opened:
    """An image.

    Attributes
    ----------
    path : str
        As the user wrote it.
    name : str
        Its last part.
    source : str or bytes
        The file, or its contents.
    image : LoadedImage
        Grey.
    """

    path: str
    name: str
    source: str | bytes
    image: LoadedImage


def open_image(path: str, reading: Reading) -> Opened:
    """Read an image file, or standard input, and print its warnings."""
    if path != STDIN and Path(path).is_dir():
        raise PlanError(f"{path}: is a folder; name one of its images")
    data = read_stdin() if path == STDIN else None
    name = "stdin" if path == STDIN else PurePath(path).name
    image = read_job(Job(path, STDOUT, "", name, data=data), reading.settings())
    if not reading.quiet:
        for warning in image.warnings:
            say(f"warning: {image.name}: {warning}")
    return Opened(path, name, path if data is None else data, image)


def coloured(opened: Opened, exif_orientation: bool) -> Picture:
    """Return an image as RGB of 8 bits, on the grid of its pixels; grey where it has no colour."""
    from ..draw.picture import read_rgb, to_rgb  # imports Pillow
    from ..io.image import read_colour

    pixels = read_colour(opened.source, name=opened.image.name, exif_orientation=exif_orientation)
    if pixels is not None and pixels.shape[:2] == opened.image.pixels.shape:
        return to_rgb(pixels)
    return read_rgb(opened.source, opened.image.pixels, exif_orientation=exif_orientation)


def features_of(image: LoadedImage, reading: Reading, *, descriptors: bool = True) -> Features:
    """Find the features of an image."""
    settings = reading.settings(descriptors=descriptors)
    height, width = image.pixels.shape
    workers = reading.workers or workers_for_size(width, height, settings.detector)
    return detect_image(image, replace(settings, workers=workers))
