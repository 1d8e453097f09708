"""Which mask belongs to which image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ImageError, PlanError
from ..io.files import STDIN
from ..io.mask import read_mask
from .inputs import Inputs
from .plan import Job

__all__ = ["mask_of", "with_masks"]


def with_masks(jobs: Sequence[Job], inputs: Inputs, mask: str) -> list[Job]:
    """Give jobs the masks of their images.

    Parameters
    ----------
    jobs : sequence of Job
        One for each input, in their order.
    inputs : Inputs
    mask : str
        A file, the mask of every image; or a folder with the tree of the inputs, where ``photo.jpg.png`` or
        ``photo.png`` is the mask of ``photo.jpg``.

    Returns
    -------
    list of Job
        An image that has no mask in the folder fails when it is read.

    Raises
    ------
    PlanError
        If there is no such file or folder, what has the name of a mask is a pipe or a device, or standard input is to
        find its mask in a folder.
    """
    place = Path(mask)
    if not place.is_dir():
        if not place.exists():
            raise PlanError(f"--mask {mask}: no such file or folder; check the path")
        return [job._replace(mask=mask) for job in jobs]
    if inputs.images[0].path == STDIN:
        raise PlanError(f"--mask {mask}: is a folder, and standard input has no name; give the mask's file")
    return [
        job._replace(mask=str(_found(place / PurePath(image.relative))))
        for job, image in zip(jobs, inputs.images, strict=True)
    ]


def _found(image: Path) -> Path:
    """Return the mask of an image that lay here, or its first name if there is none."""
    names = image.with_name(f"{image.name}.png"), image.with_suffix(".png")
    found = next((path for path in names if path.exists()), names[0])
    if found.exists() and not found.is_file() and not found.is_dir():  # opening a pipe would wait for a writer
        raise PlanError(f"--mask: {found} is a pipe or a device, not a file; replace it, or move it away")
    return found


def mask_of(path: str, image: str, shape: tuple[int, ...], **how: Any) -> npt.NDArray[np.bool_]:
    """Read the mask of an image.

    Parameters
    ----------
    path : str
        As `with_masks` gives it.
    image : str
        The image's name in messages.
    shape : (height, width)
        Shape of the image.
    **how
        As of :func:`read_mask`.

    Raises
    ------
    ImageError
        If there is none, it cannot be read, or it is of another size.
    """
    whole = Path(path)
    if not whole.exists():
        short = whole.with_suffix("").with_suffix(".png")
        raise ImageError(image, f"has no mask: there is neither {whole} nor {short}")
    return read_mask(whole, shape, **how)
