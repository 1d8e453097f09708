"""Masks: images that tell by zero which pixels do not count."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from .files import Source, source_name
from .image import DEFAULT_MAX_PIXELS, decode_image

__all__ = ["read_mask"]


def read_mask(
    source: Source,
    shape: tuple[int, ...],
    *,
    name: str | None = None,
    exif_orientation: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    strict: bool = False,
) -> npt.NDArray[np.bool_]:
    """Read the mask of an image.

    Parameters
    ----------
    source : path, bytes or binary file
        An image of any kind that :func:`read_image` reads.
    shape : (height, width)
        Shape of the image, as it is processed.
    name : str, optional
        The file's name in messages.
    exif_orientation : bool
        Turn the mask upright as its EXIF orientation says.
    max_pixels : int
        The largest mask to decode.
    strict : bool
        Refuse a mask that its decoder says is damaged.

    Returns
    -------
    (H, W) bool
        True where the mask is not zero, of whatever value or colour, and not fully transparent.

    Raises
    ------
    ImageError
        If it cannot be read, or is of another size than the image.
    """
    name = source_name(source, name)
    mask = decode_image(source, name=name, exif_orientation=exif_orientation, max_pixels=max_pixels, strict=strict)
    if mask.values.shape != shape:
        (height, width), (rows, columns) = mask.values.shape, shape
        raise ImageError(
            name,
            f"is a mask of {width} x {height} pixels for an image of {columns} x {rows}; make it of the image's size",
        )
    return mask.not_zero()
