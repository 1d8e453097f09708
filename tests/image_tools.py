"""Images of one scene in every kind and depth, written by other programs than the one that reads them."""

from __future__ import annotations

import io
import shutil
import subprocess
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.ndimage

__all__ = ["by_imagemagick", "by_opencv", "by_tifffile", "dng", "heic", "needed", "scene"]

_LINEAR_RAW, _CFA = 34892, 32803


def scene(seed: int = 24, shape: tuple[int, int] = (200, 260)) -> npt.NDArray[np.float64]:
    """A grey scene of blobs of many sizes, from exactly 0 to exactly 1."""
    rng = np.random.default_rng(seed)
    sigmas = (1.5, 3, 6)
    total: Any = sum(scipy.ndimage.gaussian_filter(rng.standard_normal(shape), s) * s for s in sigmas)
    return np.asarray((total - total.min()) / np.ptp(total))


def needed(*packages: str) -> Any:
    """Import packages of an extra, or skip loudly."""
    modules = [pytest.importorskip(name, reason=f"NO {name}: pip install 'siftcli[images]'") for name in packages]
    return modules[0]


def by_tifffile(values: npt.NDArray[Any], **options: Any) -> bytes:
    """A TIFF by tifffile."""
    file = io.BytesIO()
    needed("tifffile", "imagecodecs").imwrite(file, values, **options)
    return file.getvalue()


def by_opencv(suffix: str, values: npt.NDArray[Any], *options: int) -> bytes:
    """A file by OpenCV; colour is red, green, blue."""
    import cv2

    blue_first = values[..., [2, 1, 0, 3][: values.shape[2]]] if values.ndim == 3 else values
    done, data = cv2.imencode(suffix, blue_first, options)
    assert done
    return bytes(data)


def by_imagemagick(suffix: str, values: npt.NDArray[Any], *options: str) -> bytes:
    """A file by ImageMagick, from 8 or 16 bits."""
    program = shutil.which("magick") or shutil.which("convert")
    if program is None:
        pytest.skip("NO ImageMagick: install it to test the files that it writes")
    command = [program, "png:-", *options, f"{suffix.removeprefix('.')}:-"]
    return subprocess.run(command, input=by_opencv(".png", values), stdout=subprocess.PIPE, check=True).stdout


def heic(values: npt.NDArray[Any], bits: int = 8) -> bytes:
    """A lossless HEIC by libheif and x265; grey, or red, green and blue.  Deep ones are of 16 bits."""
    library = needed("pillow_heif")
    mode = ("L" if values.ndim == 2 else "RGB") + (";16" if bits > 8 else "")
    library.options.SAVE_HDR_TO_12_BIT = bits == 12
    file = io.BytesIO()
    image = library.from_bytes(mode, values.shape[1::-1], np.ascontiguousarray(values).tobytes())
    image.save(file, quality=-1, chroma=444, **({"matrix_coefficients": 0} if values.ndim == 3 else {}))
    return file.getvalue()


def dng(grey: npt.NDArray[np.float64], *, mosaic: bool, orientation: int = 1) -> bytes:
    """A DNG of a grey scene in [0, 1] on the sRGB curve, by tifffile: 16 linear bits, neutral white balance.

    Without a mosaic, the scene may have three bands.

    The camera's colours are linear sRGB: ColorMatrix1 leads from XYZ (D65) there. [DNG 1.4]
    """
    linear = np.where(grey <= 0.04045, grey / 12.92, ((grey + 0.055) / 1.055) ** 2.4)
    raw = np.rint(linear * 65535).astype(np.uint16)
    matrix = [3.2404542, -1.5371385, -0.4985314, -0.969266, 1.8760108, 0.041556, 0.0556434, -0.2040259, 1.0572252]
    rational = [part for value in matrix for part in (round(value * 10**6), 10**6)]
    tags: list[Any] = [
        (50706, 1, 4, (1, 4, 0, 0), True),  # DNGVersion
        (50708, 2, 0, "Scene", True),  # UniqueCameraModel
        (50721, 10, 9, rational, True),  # ColorMatrix1
        (50778, 3, 1, 21, True),  # CalibrationIlluminant1: D65
        (50728, 5, 3, [1, 1] * 3, True),  # AsShotNeutral
        (50717, 4, 1 if mosaic else 3, 65535 if mosaic else (65535,) * 3, True),  # WhiteLevel
        (274, 3, 1, orientation, True),
    ]
    if not mosaic:
        bands = np.stack([raw] * 3, -1) if raw.ndim == 2 else raw
        return by_tifffile(bands, photometric=_LINEAR_RAW, extratags=tags, planarconfig="contig")
    tags += [(33421, 3, 2, (2, 2), True), (33422, 1, 4, (0, 1, 1, 2), True)]  # CFA: red, green, green, blue
    return by_tifffile(raw, photometric=_CFA, extratags=tags)
