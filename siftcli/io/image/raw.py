"""Camera raw files (DNG, CR2, NEF, ARW, ...), developed by LibRaw through rawpy.

Demosaiced by LibRaw's default, with the camera's white balance, to linear sRGB without any automatic brightness, then
the sRGB curve, 16 bits, and luma: what a JPEG of the camera looks like before its own corrections.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from ..grey import grey_and_alpha
from .opened import Array, Decoded, Opened, package
from .streams import errors_of_libraries

__all__ = ["opened"]

_ORIENTATIONS = {3: 3, 5: 8, 6: 6}
"""LibRaw's turns as EXIF orientations."""
_SRGB = (2.4, 12.92)
"""Power and slope of the sRGB curve. [IEC 61966-2-1]"""
_BYTES = 40
"""Measured bytes of a pixel that LibRaw takes, its copies and the result included."""


def opened(stream: BinaryIO, name: str) -> Opened:
    """Open a camera raw file.

    Raises
    ------
    ImageError
        If rawpy is not installed.
    """
    library = package("raw", name, "a camera raw file")
    stream.seek(0)
    try:
        with errors_of_libraries(True):
            raw = library.imread(stream)
    except library.LibRawError as error:
        raise _plain(error) from error
    sizes = raw.sizes
    memory = float(sizes.raw_width) * sizes.raw_height * _BYTES
    orientation = _ORIENTATIONS.get(sizes.flip, 1)

    def decode() -> Decoded:
        developed, said = _developed(library, raw)
        return Decoded(grey_and_alpha(developed, alpha=-1)[0], orientation=orientation, damage=said)

    def colour() -> tuple[Array, int]:
        return _developed(library, raw)[0], orientation

    return Opened(sizes.width, sizes.height, memory, decode, colour)


def _developed(library: Any, raw: Any) -> tuple[Array, tuple[str, ...]]:
    """Return RGB of 16 bits, and what LibRaw said."""
    try:
        with errors_of_libraries(True) as said, raw:
            developed = raw.postprocess(
                use_camera_wb=True,
                no_auto_bright=True,
                output_color=library.ColorSpace.sRGB,
                gamma=_SRGB,
                output_bps=16,
                user_flip=0,
            )
    except library.LibRawError as error:
        raise _plain(error) from error
    return developed, tuple(said)


def _plain(error: Exception) -> ValueError:
    """Return LibRaw's error, whose text is bytes, as one that every decoder may raise."""
    words = error.args[0] if error.args else ""
    return ValueError(f"LibRaw: {words.decode(errors='replace') if isinstance(words, bytes) else words}")
