"""Damage that libjpeg and libtiff do not report through Pillow.

Oracles: libjpeg's own warnings through simplejpeg; the bytes that were changed; whole files of Pillow and OpenCV.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from image_tools import by_opencv, by_tifffile, needed, scene
from PIL import Image

from siftcli.errors import ImageError
from siftcli.io.image import read_image

EIGHT = np.rint(scene() * 255).astype(np.uint8)
EARLY = "may be damaged, its decoder says: its data ends before the image does"


def jpeg(mode: str = "L", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(EIGHT).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


WHOLE = {
    "grey": jpeg(),
    "colour": jpeg("RGB"),
    "CMYK": jpeg("CMYK"),
    "CMYK, subsampled": jpeg("CMYK", subsampling=1),
    "restarts": jpeg(restart_marker_blocks=3),
    "OpenCV": by_opencv(".jpg", EIGHT),
    "bytes behind": jpeg() + b"trailer\xff\xd9",
}
"""JPEG files of one scan."""


@pytest.fixture
def without_simplejpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siftcli.io.image.jpeg.missing_extra", lambda extra: True)


@pytest.mark.usefixtures("without_simplejpeg")
@pytest.mark.parametrize("name", WHOLE)
def test_a_jpeg_that_ends_too_early_is_told(name: str) -> None:
    whole = WHOLE[name]
    assert read_image(whole, strict=True).warnings == ()
    start = whole.rindex(b"\xff\xda") + 14
    end = whole.index(b"\xff\xd9", start)
    for share in (0.01, 0.5, 0.9, 0.99):
        data = whole[: start + int((end - start) * share)] + b"\xff\xd9"
        image = read_image(data)
        assert image.warnings == (EARLY,)
        assert image.pixels.shape == EIGHT.shape
        with pytest.raises(ImageError, match=r"a\.jpg: is damaged: its data ends before the image does.*--strict"):
            read_image(data, name="a.jpg", strict=True)


@pytest.mark.usefixtures("without_simplejpeg")
@pytest.mark.parametrize(
    "data",
    [
        jpeg(progressive=True),
        jpeg("RGB", progressive=True),
        by_opencv(".jpg", EIGHT, 2, 1),  # progressive
        jpeg(exif=Image.Exif().tobytes() + b"\xff\xd9" * 9),
        jpeg(quality=1),
        jpeg(quality=100),
    ],
)
def test_whole_files_say_nothing(data: bytes) -> None:
    assert read_image(data, strict=True).warnings == ()


def test_what_libjpeg_finds_is_found_without_its_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    needed("simplejpeg")
    cut = [WHOLE["colour"][:at] + b"\xff\xd9" for at in range(len(WHOLE["colour"]) - 40, 700, -997)]
    told = [bool(read_image(data).warnings) for data in cut]
    monkeypatch.setattr("siftcli.io.image.jpeg.missing_extra", lambda extra: True)
    assert [bool(read_image(data).warnings) for data in cut] == told
    assert all(told)


# --- deflated TIFF


def deflated(**options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(EIGHT).save(file, "TIFF", compression="tiff_adobe_deflate", **options)
    return file.getvalue()


def last_strip(data: bytes) -> tuple[int, int]:
    """Where the last strip begins, and its size."""
    with Image.open(io.BytesIO(data)) as image:
        tags: Any = image.tag_v2  # type: ignore[attr-defined]
        return tags[273][-1], tags[279][-1]


def test_changed_bytes_of_deflated_data_are_noticed() -> None:
    """The decoder of libtiff stops when it has all pixels, which may be before the checksum."""
    whole = deflated()
    assert read_image(whole, strict=True).warnings == ()
    start, size = last_strip(whole)
    for at in np.random.default_rng(0).integers(0, size, 40):
        changed = bytearray(whole)
        changed[start + at] ^= 16
        with pytest.raises(ImageError, match="is damaged"):
            read_image(bytes(changed), strict=True)


def test_deflated_data_without_its_end_is_told() -> None:
    whole = deflated()
    _, size = last_strip(whole)
    entry = whole.index(struct.pack("<I", size))
    shorter = whole[:entry] + struct.pack("<I", size - 4) + whole[entry + 4 :]  # without the checksum
    assert read_image(shorter).warnings == ("may be damaged, its decoder says: incomplete deflated data",)


@pytest.mark.parametrize("options", [{}, {"tile": (64, 64)}, {"predictor": True}, {"bigtiff": True, "byteorder": ">"}])
def test_changed_pixels_of_deflated_data_are_noticed(options: dict[str, Any]) -> None:
    """Level 0 stores the pixels, so that a changed byte is a changed pixel, which only the checksum tells."""
    whole = by_tifffile(EIGHT, compression="zlib", compressionargs={"level": 0}, **options)
    assert read_image(whole, strict=True).warnings == ()
    at = len(whole) // 2
    with pytest.raises(ImageError, match="is damaged"):
        read_image(whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :], strict=True)
