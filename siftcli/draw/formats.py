"""The formats of pictures, and the format of a file by its name."""

from __future__ import annotations

from os import PathLike
from pathlib import PurePath

from ..errors import ParameterError

__all__ = ["ANIMATED", "FORMATS", "TRANSPARENT", "picture_format"]

FORMATS = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg", ".jpe"),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "svg": (".svg",),
    "pdf": (".pdf",),
    "gif": (".gif",),
    "html": (".html", ".htm"),
}
"""Name of a picture's format to its suffixes."""

ANIMATED = ("gif", "webp", "png")
"""Formats that hold several pictures, shown in turn."""

TRANSPARENT = ("png", "webp", "tiff", "svg")
"""Formats that may have transparent pixels."""


def picture_format(path: str | PathLike[str], name: str | None = None) -> str:
    """Return the format of a picture file: that of `name` where given, else of the suffix.

    Raises
    ------
    ParameterError
        If no format has that name or suffix.
    """
    if name is not None:
        for format, suffixes in FORMATS.items():
            if name.lower() == format or f".{name.lower()}" in suffixes:
                return format
        raise ParameterError("format", f"must be one of {', '.join(FORMATS)}, not {name!r}")
    suffix = PurePath(path).suffix.lower()
    for format, suffixes in FORMATS.items():
        if suffix in suffixes:
            return format
    known = ", ".join(suffixes[0] for suffixes in FORMATS.values())
    raise ParameterError("output", f"{str(path)!r} has no picture's suffix; use one of {known}, or give --format")
