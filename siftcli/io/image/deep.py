"""Decoding by imagecodecs: colour of more than 8 bits, which Pillow reduces, and JPEG of 12 bits."""

from __future__ import annotations

from typing import BinaryIO

from ..grey import grey_and_alpha
from ..image_kinds import missing_extra
from .opened import Decoded, Opened, package
from .streams import errors_of_libraries

__all__ = ["deep_colour", "deep_jpeg"]

_DECODERS = {"PNG": "png_decode", "JPEG2000": "jpeg2k_decode", "AVIF": "avif_decode", "JPEG": "jpeg8_decode"}


def deep_colour(stream: BinaryIO, kind: str, bits: int) -> Decoded | None:
    """Decode an image of so many bits in its own depth; None if imagecodecs is not installed."""
    if missing_extra("deep"):
        return None
    import imagecodecs

    stream.seek(0)
    with errors_of_libraries(True) as said:
        pixels = getattr(imagecodecs, _DECODERS[kind])(stream.read())
    grey, visible = grey_and_alpha(pixels[..., None] if pixels.ndim == 2 else pixels)
    full = None if bits == 16 else (0.0, float((1 << bits) - 1))
    return Decoded(grey, visible, full, damage=tuple(said))


def deep_jpeg(stream: BinaryIO, name: str, bits: int, width: int, height: int) -> Opened:
    """Open a JPEG of more than 8 bits.

    Raises
    ------
    ImageError
        If imagecodecs is not installed.
    """
    package("deep", name, f"a JPEG of {bits} bits")

    def decode() -> Decoded:
        found = deep_colour(stream, "JPEG", bits)
        assert found is not None  # asked above
        return found

    return Opened(width, height, width * height * 16.0, decode)
