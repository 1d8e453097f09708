"""Results of decoders: an image of known size, and its pixels as stored."""

from __future__ import annotations

import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import ImageError
from ..image_kinds import EXTRAS, missing_extra
from ..levels import Range, Stated, type_range

__all__ = ["DAMAGE", "EXIF_DAMAGE", "Array", "Decoded", "Mask", "Opened", "damaged", "listening", "needed", "package"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


class Decoded(NamedTuple):
    """Pixels as the file has them, before their range is brought to that of the engine.

    Attributes
    ----------
    values : (H, W) array of any real type
        Grey, on the stored grid.
    visible : (H, W) bool or None
        False where the file says that there is nothing; None if it says so nowhere.
    full : (low, high) or None
        The range of the file's depth, where the type of the array has another.
    stated : Stated or None
        The range that the file states besides.
    white_is_zero : bool
        Black and white are swapped.
    orientation : int
        EXIF orientation of these pixels, 1 to 8.
    notes : tuple of str
        What was chosen or lost, each one line without the file's name.
    damage : tuple of str
        What the decoder says is wrong with the file.
    exif_in_tags : bool
        The orientation is a tag of the image itself, where Pillow's own search for EXIF data may go wrong.
    """

    values: Array
    visible: Mask | None = None
    full: Range | None = None
    stated: Stated | None = None
    white_is_zero: bool = False
    orientation: int = 1
    notes: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    exif_in_tags: bool = False

    def not_zero(self) -> Mask:
        """Return where the image is visible and not black, of whatever type its values are."""
        black = (self.full or type_range(self.values.dtype))[1] if self.white_is_zero else 0.0
        kept: Mask = self.values != black
        return kept if self.visible is None else kept & self.visible


class Opened(NamedTuple):
    """An image file of which the header has been read.

    Attributes
    ----------
    width, height : int
        In pixels of the stored grid.
    memory : float
        Bytes that decoding will take at its peak, predicted.
    decode : callable
        Reads the pixels.
    colour : callable or None
        Returns the stored pixels in colour, (H, W, 3) uint8 or uint16, and their EXIF orientation; None where there are
        none, or Pillow reads them.
    """

    width: int
    height: int
    memory: float
    decode: Callable[[], Decoded]
    colour: Callable[[], tuple[Array, int]] | None = None


DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""Exceptions besides OSError that decoders raise on damaged files."""

_THEIR_WORDS = (OSError, EOFError, RuntimeError, SyntaxError, ValueError)
"""Exceptions whose text is a decoder's, not Python's own."""


def damaged(name: str, error: Exception) -> ImageError:
    """Say what is wrong with a file that a decoder does not get through."""
    words = " ".join(str(error).split()) if isinstance(error, _THEIR_WORDS) else ""
    detail = "".join(c if c.isprintable() else "?" for c in words)[:160]
    if detail == "not identified by this driver":
        return ImageError(name, "has no pixels, or a damaged header; get the file again")
    told = f" ({detail})" if detail else ""
    short = ("truncated", "not enough image data", "Premature end of JPEG file", "failed to read")
    if isinstance(error, EOFError) or any(words in detail for words in short):
        return ImageError(name, f"is truncated; get the whole file{told}")
    return ImageError(name, f"is damaged, or of a kind that cannot be read; convert it to PNG{told}")


def needed(extra: str) -> str:
    """Say which packages an extra brings, and how to install it."""
    names = " and ".join(package.replace("_", "-") for package in EXTRAS[extra].packages)
    return f"{names}: pip install 'siftcli[{extra}]'"


def package(extra: str, name: str, what: str) -> ModuleType:
    """Import the first package of an extra.

    Raises
    ------
    ImageError
        If it is not installed; `what` says what the file is.
    """
    from importlib import import_module

    if missing_extra(extra):
        raise ImageError(name, f"is {what}, which takes {needed(extra)}")
    return import_module(EXTRAS[extra].packages[0])


# --- what decoders say besides

_LOCK = threading.Lock()
_LOGGERS = ("PIL", "tifffile")
EXIF_DAMAGE = "Corrupt EXIF data"
"""How Pillow begins to say that it cannot read the orientation."""
_ABOUT_US = ("Palette images with Transparency",)
"""Beginnings of warnings that are about the program, not about the file."""


class _Collector(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(record.getMessage())


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collect warnings and log messages of decoders, and lift Pillow's own limit of pixels.

    These are global, so one thread at a time.

    Yields
    ------
    list of str
        Each one line; complete when the block ends.
    """
    from PIL import Image

    heard: list[str] = []
    collector = _Collector(heard)
    with _LOCK, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        for logger in _LOGGERS:
            logging.getLogger(logger).addHandler(collector)
        try:
            yield heard
        finally:
            for logger in _LOGGERS:
                logging.getLogger(logger).removeHandler(collector)
            Image.MAX_IMAGE_PIXELS = limit
            texts = [str(warning.message) for warning in caught] + heard
            lines = (" ".join(text.split()) for text in texts if not text.startswith(_ABOUT_US))
            heard[:] = dict.fromkeys("".join(c if c.isprintable() else "?" for c in line)[:160] for line in lines)
