"""Images as they are shown: RGB of 8 bits, cropped and resized."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ParameterError

__all__ = ["ImageLike", "Picture", "View", "float_picture", "read_rgb", "to_rgb"]

Picture: TypeAlias = Image.Image

ImageLike: TypeAlias = "Image.Image | npt.NDArray[np.generic]"
"""A Pillow image, or an array (H, W) or (H, W, 3): uint8, uint16, or floats in [0, 1]."""

_SHORT = 480
_ENOUGH = 640
"""Images whose longer side is below the first are enlarged to at least the second."""
_BLOCKY = 4
"""From this zoom on, pixels are shown as squares."""


def to_rgb(image: ImageLike) -> Image.Image:
    """Return an image as RGB of 8 bits; what is transparent becomes mid-grey.

    Raises
    ------
    ParameterError
        For an array of another shape or dtype.
    """
    if isinstance(image, Image.Image):
        return _flat(image)
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or not pixels.size:
        raise ParameterError("image", f"must have shape (height, width) or (height, width, 3), not {pixels.shape}")
    if pixels.dtype.kind == "f":
        pixels = np.rint(np.nan_to_num(pixels).clip(0, 1) * 255).astype(np.uint8)
    elif pixels.dtype == np.uint16:
        pixels = np.right_shift(pixels, 8, dtype=np.uint16).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        raise ParameterError("image", f"must be uint8, uint16 or float, not {pixels.dtype}")
    return Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")


def float_picture(values: npt.NDArray[np.float32]) -> Image.Image:
    """Return an array (H, W) as a picture of 32-bit floats, which TIFF can hold."""
    return Image.fromarray(np.ascontiguousarray(values, np.float32))


def _flat(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, np.float64)
        top = 1.0 if image.mode == "F" else 65535.0
        return to_rgb(values / top)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGB", image.size, (128, 128, 128))
        ground.paste(image, mask=image.getchannel("A"))
        return ground
    return image if image.mode == "RGB" else image.convert("RGB")


# --- files

_ORIENTATION = 274
"""The EXIF tag, and TIFF's."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transposition that turns an image of each EXIF orientation upright."""
_BACK = {6: 8, 8: 6}
"""The orientation whose turn undoes that of another; of the others, each undoes itself."""


def read_rgb(source: str | PathLike[str] | bytes, grey: npt.NDArray[Any], *, exif_orientation: bool) -> Image.Image:
    """Return an image file as RGB, on the pixel grid that keypoints are on.

    Parameters
    ----------
    source : path or bytes
        The file of an image, or its contents.
    grey : (H, W) array
        What was read from it: the result where the file has no colour, or none that can be shown.
    exif_orientation : bool
        Whether `grey` was turned upright.
    """
    try:
        with _quiet_pillow(), Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            tiff = image.format == "TIFF"
            orientation = getattr(image, "tag_v2", {}).get(_ORIENTATION, 1) if tiff else 1
            image.load()  # Pillow turns TIFF images upright, and no others
            if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;16"):
                return to_rgb(grey)
            if not tiff:
                orientation = image.getexif().get(_ORIENTATION, 1)
            rgb = _flat(image)
    except (OSError, SyntaxError, ValueError):  # a kind of image that Pillow does not know
        return to_rgb(grey)
    if tiff != exif_orientation and orientation in _TURNS:
        rgb = rgb.transpose(_TURNS[_BACK.get(orientation, orientation) if tiff else orientation])
    return rgb if rgb.size == grey.shape[::-1] else to_rgb(grey)


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Lift Pillow's limit on sizes, which is not the user's, and silence its warnings."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@dataclass(frozen=True)
class View:
    """Which part of an image a picture shows, and how large.

    Attributes
    ----------
    left, top, width, height : int
        The part, in image pixels.
    zoom : float
        Picture pixels per image pixel.
    """

    left: int
    top: int
    width: int
    height: int
    zoom: float

    @classmethod
    def of(
        cls, size: tuple[int, int], region: tuple[float, float, float, float] | None = None, zoom: float | None = None
    ) -> View:
        """Return the view of a region of an image of this size.

        Parameters
        ----------
        region : (left, top, width, height), optional
            What lies beyond the image is left out.
        zoom : float, optional
            By default 1, or for short sides the whole number that makes the longer one 640 or more.

        Raises
        ------
        ParameterError
            If the region lies outside the image, or the picture would have no pixels, or too many.
        """
        left, top, right, bottom = 0, 0, *size
        if region is not None:
            left, top = max(0, math.floor(region[0])), max(0, math.floor(region[1]))
            right = min(size[0], math.ceil(region[0] + region[2]))
            bottom = min(size[1], math.ceil(region[1] + region[3]))
            if right <= left or bottom <= top:
                raise ParameterError("region", f"lies outside the image, which has {size[0]} x {size[1]} pixels")
        width, height = right - left, bottom - top
        longer = max(width, height)
        if zoom is None:
            zoom = math.ceil(_ENOUGH / longer) if longer < _SHORT else 1
        if width * height * zoom * zoom > 1 << 29 or longer * zoom > 65000:
            raise ParameterError("zoom", f"{zoom:g} makes a picture of {width * zoom:.0f} x {height * zoom:.0f} pixels")
        return cls(left, top, width, height, zoom)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return max(1, round(self.width * self.zoom)), max(1, round(self.height * self.zoom))

    def show(self, image: Image.Image) -> Image.Image:
        """Return this part of an RGB image at this size."""
        if (self.width, self.height) != image.size:
            image = image.crop((self.left, self.top, self.left + self.width, self.top + self.height))
        if self.zoom == 1:
            return image
        how = Image.Resampling.NEAREST if self.zoom >= _BLOCKY else Image.Resampling.BICUBIC
        return image.resize(self.size, how)

    def place(self, xy: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return where points of the image, (N, 2), are in the picture."""
        # Both have the centre of their first pixel at (0, 0), and half a pixel before it begins the pixel itself.
        return (np.asarray(xy, np.float64) - (self.left - 0.5, self.top - 0.5)) * self.zoom - 0.5

    def holds(self, xy: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Tell which points of the image, (N, 2), lie in this part."""
        place = (np.asarray(xy, np.float64) - (self.left - 0.5, self.top - 0.5)) / (self.width, self.height)
        return np.asarray(((place >= 0) & (place < 1)).all(axis=1))
