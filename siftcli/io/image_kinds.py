"""Kinds of image files: how they begin, how their names end, and the library that reads each."""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

__all__ = [
    "ALL_SUFFIXES",
    "DEFAULT_MAX_PIXELS",
    "EXTRAS",
    "EXTRA_SUFFIXES",
    "IMAGE_SUFFIXES",
    "READABLE",
    "Extra",
    "ImageReading",
    "kind_of",
    "missing_extra",
]

DEFAULT_MAX_PIXELS = 250_000_000
"""Larger images are refused before they are decoded.  Detection in this many takes about 5 GB."""

READABLE = "JPEG, PNG, TIFF, PBM, PGM, PPM, PFM, BMP, GIF, WebP, JPEG 2000, AVIF, HEIC, camera raw"
"""The kinds in words."""

IMAGE_SUFFIXES = frozenset(
    f".{suffix}"
    for kinds in ("jpg jpeg jpe png tif tiff", "pgm ppm pbm pnm pfm", "bmp gif webp avif jp2 j2k jpf jpx")
    for suffix in kinds.split()
)
"""Suffixes of images in a searched folder, in lower case.  A named file may have any suffix."""


class ImageReading(NamedTuple):
    """How images are read; the parameters of :func:`siftcli.read_image` by their names.

    Attributes
    ----------
    exif_orientation : bool
        Turn images upright as their EXIF orientation says.
    max_pixels : int
        Larger images are refused.
    levels : "auto", "full" or (low, high)
        The values that are black and white.
    strict : bool
        Images that their decoder says are damaged are refused.
    """

    exif_orientation: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS
    levels: str | tuple[float, float] = "auto"
    strict: bool = False


class Extra(NamedTuple):
    """An optional dependency.

    Attributes
    ----------
    packages : tuple of str
        The modules to import.
    suffixes : frozenset of str
        Files that nothing else reads.
    """

    packages: tuple[str, ...]
    suffixes: frozenset[str]


_RAW = "dng cr2 cr3 crw nef nrw arw sr2 srf raf orf rw2 pef srw 3fr erf iiq kdc mef mos mrw rwl x3f"

EXTRAS = {
    "jpeg": Extra(("simplejpeg",), frozenset()),
    "tiff": Extra(("tifffile", "imagecodecs"), frozenset()),
    "deep": Extra(("imagecodecs",), frozenset()),
    "heif": Extra(("pillow_heif",), frozenset((".heic", ".heif", ".hif"))),
    "raw": Extra(("rawpy",), frozenset(f".{suffix}" for suffix in _RAW.split())),
}
"""The extras that read images, by the names that pip knows them by: ``siftcli[heif]``."""

EXTRA_SUFFIXES = {suffix: name for name, extra in EXTRAS.items() for suffix in extra.suffixes}
"""Suffix to the extra that reads such files."""

ALL_SUFFIXES = IMAGE_SUFFIXES | EXTRA_SUFFIXES.keys()
"""Suffixes of all images, whether the extras are installed or not."""

_SIGNATURES = (
    ("JPEG", 0, (b"\xff\xd8\xff",)),
    ("PNG", 0, (b"\x89PNG\r\n\x1a\n",)),
    ("RAW", 8, (b"CR\x02",)),
    ("TIFF", 0, (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")),
    ("PPM", 0, (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf", b"PF")),
    ("BMP", 0, (b"BM",)),
    ("GIF", 0, (b"GIF87a", b"GIF89a")),
    ("WEBP", 8, (b"WEBP",)),
    ("JPEG2000", 0, (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")),
    ("AVIF", 4, (b"ftypavif", b"ftypavis")),
    ("HEIC", 4, (b"ftyphei", b"ftyphev")),
    ("HEIC or AVIF", 4, (b"ftypmif1", b"ftypmsf1")),
    ("RAW", 4, (b"ftypcrx ",)),
    ("RAW", 0, (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"II\x1a\0\0\0HEAP", b"FOVb", b"\0MRM")),
)
"""A kind, Pillow's name where Pillow reads it, and how its files begin: any of the bytes, at the offset."""


def kind_of(head: bytes, name: str = "") -> str | None:
    """Return the kind of an image file.

    Parameters
    ----------
    head : bytes
        The first 64 or more.
    name : str
        Name of the file.  Many camera raw files are TIFF inside, and only the suffix tells.

    Returns
    -------
    str or None
        None for what is no image.
    """
    kind = next((kind for kind, offset, starts in _SIGNATURES if head[offset:].startswith(starts)), None)
    if kind == "TIFF" and PurePath(name).suffix.lower() in EXTRAS["raw"].suffixes:
        return "RAW"
    if kind == "HEIC or AVIF":  # the generic brand: the others follow
        return "AVIF" if b"avif" in head[16:64] else "HEIC"
    return kind


def missing_extra(extra: str) -> bool:
    """Tell whether packages of an extra are not installed, without importing them."""
    import sys
    from importlib.util import find_spec

    return any(package not in sys.modules and find_spec(package) is None for package in EXTRAS[extra].packages)
