"""Masks: images that tell by zero which pixels do not count."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from .files import Source
from .image import DEFAULT_MAX_PIXELS, read_image

__all__ = ["read_mask"]


def read_mask(
    source: Source,
    shape: tuple[int, ...],
    *,
    name: str | None = None,
    exif_orientation: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> npt.NDArray[np.bool_]:
    """Read the mask of an image.

    Parameters
    ----------
    source : path, bytes or binary file
        Of any kind that :func:`read_image` reads.
    shape : (height, width)
        Of the image, as it is processed.
    name : str, optional
        The file's name in messages.
    exif_orientation : bool
        Turn the mask upright as its EXIF orientation says.
    max_pixels : int
        The largest mask to decode.

    Returns
    -------
    (H, W) bool
        True where the mask is not zero, of whatever value or colour, and not fully transparent.

    Raises
    ------
    ImageError
        If it cannot be read, or is of another size than the image.
    """
    mask = read_image(source, name=name, exif_orientation=exif_orientation, max_pixels=max_pixels)
    if mask.pixels.shape != shape:
        (height, width), (rows, columns) = mask.pixels.shape, shape
        raise ImageError(
            mask.name,
            f"is a mask of {width} x {height} pixels for an image of {columns} x {rows}; make it of the image's size",
        )
    kept: npt.NDArray[np.bool_] = mask.pixels > 0
    return kept if mask.mask is None else kept & mask.mask
