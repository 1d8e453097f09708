"""Images as one grey array.

Oracles: closed forms (BT.601 luma, scaling of levels), files built byte by byte, and the arrays that Pillow was given
to write lossless files from.
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from siftcli.errors import ImageError
from siftcli.io.image import LoadedImage, read_image
from siftcli.io.image_kinds import missing_extra

RNG = np.random.default_rng(601)
H, W = 37, 53
RGB = RNG.integers(0, 256, (H, W, 3), dtype=np.uint8)
GREY = RGB[..., 0]
DEEP = RNG.integers(0, 65536, (H, W), dtype=np.uint16)
UNIT = RNG.random((H, W), dtype=np.float32)


LUMA_ERROR = 0.51
"""Rounding to a level, and the weights to 1/65536."""
DEEP_LUMA_ERROR = 0.5 + 3 * 0.5 * 65535 / 65536
"""The same, where the weights' own rounding counts: 65535 times half of 1/65536, three times."""


def luma(rgb: np.ndarray) -> np.ndarray:
    return rgb[..., 0] * 0.299 + rgb[..., 1] * 0.587 + rgb[..., 2] * 0.114


def encode(image: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, colour: int, rows: Iterable[bytes], extra: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + extra + data + chunk(b"IEND", b"")


def tiff(tags: dict[int, list[int]], strips: list[bytes], order: str = "<", long: tuple[int, ...] = ()) -> bytes:
    """A TIFF of uncompressed strips; tags are SHORT, or LONG where said."""
    tags = {259: [1], 277: [len(tags[258])], 278: tags[257], 279: [len(s) for s in strips], 273: [], **tags}
    long = (273, 279, *long)
    code = {k: "I" if k in long else "H" for k in tags}
    tags[273] = [0] * len(strips)
    outside = {k: len(v) * struct.calcsize(code[k]) for k, v in tags.items()}
    outside = {k: n for k, n in outside.items() if n > 4}
    here = 8 + 2 + 12 * len(tags) + 4
    at = here + sum(outside.values())
    for i, strip in enumerate(strips):
        tags[273][i] = at
        at += len(strip)
    entries, blob = b"", b""
    for k in sorted(tags):
        value = struct.pack(order + f"{len(tags[k])}{code[k]}", *tags[k])
        entries += struct.pack(order + "HHI", k, 4 if k in long else 3, len(tags[k]))
        if k in outside:
            entries += struct.pack(order + "I", here + len(blob))
            blob += value
        else:
            entries += value.ljust(4, b"\0")
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, len(tags))
    return head + entries + bytes(4) + blob + b"".join(strips)


def grey_tiff(values: np.ndarray, bits: int, order: str = "<", **tags: list[int]) -> bytes:
    """A one-band TIFF, black is zero unless `photometric` says otherwise."""
    more = {339: tags["sample_format"]} if "sample_format" in tags else {}
    basic = {256: [values.shape[1]], 257: [values.shape[0]], 258: [bits], 262: tags.get("photometric", [1])}
    return tiff({**basic, **more}, [values.astype(values.dtype.newbyteorder(order)).tobytes()], order)


def attempt(data: bytes, **options: Any) -> LoadedImage | ImageError:
    try:
        return read_image(data, **options)
    except ImageError as error:
        return error


def check(image: LoadedImage, expected: np.ndarray, dtype: type, tolerance: float = 0.0) -> None:
    assert image.pixels.dtype == dtype
    assert image.pixels.dtype.isnative
    assert image.pixels.flags.c_contiguous
    assert image.pixels.shape == expected.shape
    np.testing.assert_allclose(image.pixels.astype(float), expected, rtol=0, atol=tolerance)


# --- formats and modes


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM"])
def test_colour_becomes_luma(kind: str) -> None:
    image = read_image(encode(RGB, kind))
    check(image, luma(RGB), np.uint8, LUMA_ERROR)
    assert image.mask is None
    assert image.warnings == ()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
def test_grey_stays_as_it_is(kind: str) -> None:
    image = read_image(encode(GREY, kind))
    check(image, GREY, np.uint8)
    assert image.warnings == ()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
def test_black_and_white(kind: str) -> None:
    bits = Image.fromarray(GREY > 127)
    assert bits.mode == "1"
    check(read_image(encode(bits, kind)), (GREY > 127) * 255.0, np.uint8)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("WEBP", {"lossless": True}), ("JPEG2000", {}), ("AVIF", {"quality": 100, "subsampling": "4:4:4"})],
)
def test_formats_that_a_pillow_may_lack(kind: str, options: dict[str, Any]) -> None:
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow has no {kind}")
    smooth = np.add.outer(np.arange(H), np.arange(W))[..., None] * np.array([1.0, 2.0, 1.5])
    image = read_image(encode(smooth.astype(np.uint8), kind, **options))
    check(image, luma(smooth.astype(np.uint8)), np.uint8, 3 if kind == "AVIF" else LUMA_ERROR)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions(compression: str | None) -> None:
    check(read_image(encode(RGB, "TIFF", compression=compression)), luma(RGB), np.uint8, LUMA_ERROR)
    check(read_image(encode(DEEP, "TIFF", compression=compression)), DEEP, np.uint16)


SMOOTH = np.dstack(
    [
        np.add.outer(np.arange(64) * 2, np.arange(80)),
        np.add.outer(np.arange(64), 160 - np.arange(80)),
        np.full((64, 80), 90),
    ]
).astype(np.uint8)


def test_jpeg_is_its_own_luma_plane() -> None:
    data = encode(RGB, "JPEG", quality=90)  # noise: much of it is outside RGB, so luma from RGB would differ
    image = read_image(data)
    with Image.open(io.BytesIO(data)) as reference:
        reference.draft("YCbCr", None)
        np.testing.assert_array_equal(image.pixels, np.asarray(reference)[..., 0])
    check(read_image(encode(SMOOTH, "JPEG", quality=100, subsampling=0)), luma(SMOOTH), np.uint8, 2)


def test_jpeg_of_other_colour_spaces() -> None:
    check(read_image(encode(SMOOTH[..., 0], "JPEG", quality=100)), SMOOTH[..., 0], np.uint8, 2)
    check(read_image(encode(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG", quality=100)), luma(SMOOTH), np.uint8, 3)
    check(read_image(encode(SMOOTH, "JPEG", quality=90, progressive=True)), luma(SMOOTH), np.uint8, 4)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_other_colour_spaces_in_tiff(mode: str) -> None:
    data = encode(Image.fromarray(SMOOTH).convert(mode), "TIFF", compression="tiff_adobe_deflate")
    check(read_image(data), luma(SMOOTH), np.uint8, 2)


def test_lab_in_tiff() -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    grey = np.repeat(SMOOTH[..., :1], 3, axis=2)
    converted = ImageCms.applyTransform(Image.fromarray(grey), ImageCms.buildTransform(srgb, lab, "RGB", "LAB"))
    assert converted is not None
    check(read_image(encode(converted, "TIFF")), SMOOTH[..., 0], np.uint8, 2)


def test_grey_palette_and_colour_palette() -> None:
    ramp = Image.frombytes("P", (W, H), (GREY // 4).tobytes())
    ramp.putpalette([v for k in range(64) for v in (255 - 4 * k,) * 3])
    for kind in ("PNG", "TIFF", "BMP", "GIF"):
        check(read_image(encode(ramp, kind)), 255.0 - 4 * (GREY // 4), np.uint8)
    quantised = Image.fromarray(RGB).quantize(64)
    for kind in ("PNG", "TIFF", "BMP", "GIF"):
        check(read_image(encode(quantised, kind)), luma(np.asarray(quantised.convert("RGB"))), np.uint8, LUMA_ERROR)


# --- levels


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_kept(kind: str) -> None:
    image = read_image(encode(DEEP, kind))
    check(image, DEEP, np.uint16)
    assert image.warnings == ()


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits_of_either_byte_order(order: str) -> None:
    check(read_image(grey_tiff(DEEP, 16, order)), DEEP, np.uint16)


def test_white_is_zero() -> None:
    check(read_image(grey_tiff(DEEP, 16, photometric=[0])), 65535.0 - DEEP, np.uint16)
    check(read_image(grey_tiff(GREY, 8, photometric=[0])), 255.0 - GREY, np.uint8)
    inverted = read_image(grey_tiff(UNIT, 32, photometric=[0], sample_format=[3]))
    check(inverted, 1.0 - UNIT, np.float32, 1e-7)


def test_12_bit_tiff_has_the_whole_range() -> None:
    data = tiff({256: [2], 257: [1], 258: [12], 262: [1]}, [bytes([0xFF, 0xF8, 0x00])])
    check(read_image(data), np.array([[65535, 0x800 * 65535 / 4095]]), np.uint16, 0.5)


def test_16_bit_colour_is_kept_or_reduced_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = RNG.integers(0, 65536, (4, 5, 3)).astype(np.uint16)
    tags = {256: [5], 257: [4], 258: [16, 16, 16], 262: [2]}
    for data in (
        png(5, 4, 16, 2, [row.astype(">u2").tobytes() for row in deep]),
        tiff(tags, [deep.astype("<u2").tobytes()]),
        tiff(tags, [deep.astype(">u2").tobytes()], ">"),
    ):
        whole = attempt(data)
        if not missing_extra("tiff"):
            assert isinstance(whole, LoadedImage)
            check(whole, luma(deep), np.uint16, DEEP_LUMA_ERROR)
            assert whole.warnings == ()
        with monkeypatch.context() as patch:
            patch.setattr("importlib.util.find_spec", lambda _: None)
            for package in ("tifffile", "imagecodecs"):
                patch.delitem(sys.modules, package, raising=False)
            image = read_image(data)
        check(image, luma(deep) / 257, np.uint8, 1.5)
        assert len(image.warnings) == 1
        assert "16-bit" in image.warnings[0]
        assert "siftcli[" in image.warnings[0]


def test_16_bit_planes_take_an_extra_and_8_bit_planes_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    small = RGB[:4, :5]
    tags = {256: [5], 257: [4], 262: [2], 284: [2]}
    planes = [small[..., k].tobytes() for k in range(3)]
    check(read_image(tiff({**tags, 258: [8] * 3}, planes)), luma(small), np.uint8, LUMA_ERROR)
    data = tiff({**tags, 258: [16] * 3}, [small[..., k].astype("<u2").tobytes() for k in range(3)])
    if not missing_extra("tiff"):
        check(read_image(data, levels="full"), luma(small), np.uint16, LUMA_ERROR)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.delitem(sys.modules, "tifffile", raising=False)
    with pytest.raises(ImageError, match=r"separate planes.*siftcli\[tiff\]"):
        read_image(data)


@pytest.mark.parametrize(
    ("values", "expected", "dtype", "words"),
    [
        (UNIT, UNIT, np.float32, None),
        (np.zeros((3, 4), np.float32), np.zeros((3, 4)), np.float32, None),
        (UNIT * 255, UNIT, np.float32, "8-bit"),
        (UNIT * 65535, UNIT, np.float32, "16-bit"),
        (UNIT - 0.5, (UNIT - UNIT.min()) / np.ptp(UNIT), np.float32, "stretched"),
        (UNIT * 1.5, (UNIT - UNIT.min()) / np.ptp(UNIT), np.float32, "stretched"),
        (UNIT * 1e6, (UNIT - UNIT.min()) / np.ptp(UNIT), np.float32, "stretched"),
        (
            (UNIT.astype(float) * 6e38 - 3e38).astype(np.float32),
            (UNIT - UNIT.min()) / np.ptp(UNIT),
            np.float32,
            "stretched",
        ),
        (np.full((3, 4), -2, np.float32), np.zeros((3, 4)), np.float32, "stretched"),
        (GREY.astype(np.int32), GREY, np.uint8, "8-bit"),
        (DEEP.astype(np.int32), DEEP, np.uint16, "16-bit"),
        (DEEP.astype(np.int32) - 40000, (DEEP - float(DEEP.min())) / np.ptp(DEEP), np.float32, "stretched"),
        ((GREY > 99).astype(np.int32), GREY > 99, np.float32, "stretched"),
    ],
)
def test_levels_without_a_range_are_given_one(
    values: np.ndarray, expected: np.ndarray, dtype: type, words: str | None
) -> None:
    image = read_image(encode(values, "TIFF"))
    check(image, expected, dtype, 1e-6 if dtype == np.float32 else 0)
    assert len(image.warnings) == (words is not None)
    assert words is None or words in image.warnings[0]
    if image.pixels.dtype == np.float32:
        assert image.pixels.min() >= 0
        assert image.pixels.max() <= 1


def test_signed_and_unsigned_integers() -> None:
    low = DEEP.astype(np.int32) - 32768
    check(read_image(grey_tiff(low.astype(np.int16), 16, sample_format=[2])), DEEP, np.uint16)
    check(read_image(grey_tiff(DEEP.astype(np.uint32) * 65537, 32)), DEEP / 65535, np.float32, 1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    values = UNIT.copy()
    values[3, 4] = bad
    with pytest.raises(ImageError, match="NaN or infinite"):
        read_image(encode(values, "TIFF"))


# --- PBM, PGM, PPM


@pytest.mark.parametrize(
    ("data", "expected", "dtype"),
    [
        (b"P5\n# by hand\n3 2\n255\n\0\1\2\3\4\xff", [[0, 1, 2], [3, 4, 255]], np.uint8),
        (b"P5 2 1 # here\n# and here\n100\n\0\x64", [[0, 255]], np.uint8),
        (b"P5 2 1 65535 \0\1\xff\xfe", [[1, 65534]], np.uint16),
        (b"P5 3 1 4095 \0\0\x0f\xff\x08\0", [[0, 65535, 0x800 * 65535 / 4095]], np.uint16),
        (b"P5 2 1 100 \0\xff", [[0, 255]], np.uint8),  # above the maximum
        (b"P6 2 1 255 \0\0\0\xff\0\0", [[0, 0.299 * 255]], np.uint8),
        (b"P6 1 1 65535 \0\0\xff\xff\0\0", [[0.587 * 65535]], np.uint16),
        (b"P4 9 1 \x55\x80", [[255, 0, 255, 0, 255, 0, 255, 0, 0]], np.uint8),
        (b"P1 # x\n3 1\n1 0\n1\n", [[0, 255, 0]], np.uint8),
        (b"P2 3 1\n# x\n15\n0 5 # y\n15\n", [[0, 85, 255]], np.uint8),
        (b"P2 2 1 1023 0 1023\n", [[0, 65535]], np.uint16),
        (b"P3 1 2 255 0 0 255 9 9 9", [[0.114 * 255], [9]], np.uint8),
    ],
)
def test_netpbm_by_hand(data: bytes, expected: list[list[float]], dtype: type) -> None:
    image = read_image(data)
    check(image, np.array(expected), dtype, 0.5)
    assert image.warnings == ()


def test_pfm_runs_bottom_up() -> None:
    for scale, order in ((b"-1.0", "<f4"), (b"1.0", ">f4")):
        data = b"Pf\n%d %d\n%s\n" % (W, H, scale) + UNIT[::-1].astype(order).tobytes()
        image = attempt(data)
        if isinstance(image, ImageError):
            pytest.skip(f"this Pillow has no PFM: {image}")
        check(image, UNIT, np.float32)


@given(st.data(), st.integers(1, 65535), st.integers(1, 9), st.integers(1, 9))
def test_pgm_of_any_maximum(data: st.DataObject, maximum: int, width: int, height: int) -> None:
    n = width * height
    samples = np.array(data.draw(st.lists(st.integers(0, maximum), min_size=n, max_size=n)))
    body = samples.astype(">u2" if maximum > 255 else "u1").tobytes()
    image = read_image(b"P5 %d %d %d\n" % (width, height, maximum) + body)
    white = 65535 if maximum > 255 else 255
    check(image, (samples * white / maximum).reshape(height, width), np.uint16 if maximum > 255 else np.uint8, 0.5)


def test_lowes_images_have_comments(oracle_data: Path) -> None:
    path = oracle_data / "lowe" / "box.pgm"
    data = path.read_bytes()
    assert b"# CREATOR" in data[:20]
    image = read_image(path)
    check(image, np.frombuffer(data[-324 * 223 :], np.uint8).reshape(223, 324), np.uint8)
    assert image.name == str(path)


# --- transparency

ALPHA = np.full((H, W), 255, np.uint8)
ALPHA[:, :10] = 0
ALPHA[:, 10:20] = 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_only_fully_transparent_pixels_are_masked(kind: str) -> None:
    for image, grey in (
        (read_image(encode(np.dstack([RGB, ALPHA]), kind)), luma(RGB)),
        (read_image(encode(np.dstack([GREY, ALPHA]), kind)), GREY),
    ):
        check(image, grey, np.uint8, LUMA_ERROR)
        assert image.mask is not None
        np.testing.assert_array_equal(image.mask, ALPHA > 0)
        assert image.mask.dtype == bool


def test_an_opaque_alpha_channel_is_no_mask() -> None:
    assert read_image(encode(np.dstack([RGB, np.full_like(GREY, 1)]), "PNG")).mask is None


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_entry(kind: str) -> None:
    quantised = Image.fromarray(RGB).quantize(64)
    image = read_image(encode(quantised, kind, transparency=3))
    check(image, luma(np.asarray(quantised.convert("RGB"))), np.uint8, LUMA_ERROR)
    assert image.mask is not None
    np.testing.assert_array_equal(image.mask, np.asarray(quantised) != 3)


def test_half_transparent_palette_entries_without_noise(recwarn: pytest.WarningsRecorder) -> None:
    quantised = Image.fromarray(RGB).quantize(64)
    image = read_image(encode(quantised, "PNG", transparency=bytes([255, 0, 3, 0])))
    assert image.mask is not None
    np.testing.assert_array_equal(image.mask, ~np.isin(np.asarray(quantised), (1, 3)))
    assert list(recwarn) == []


@pytest.mark.parametrize(
    ("bits", "row", "key", "grey", "visible"),
    [
        (1, [0b00011011], 1, [0, 0, 0, 255, 255, 0, 255, 255], [1, 1, 1, 0, 0, 1, 0, 0]),
        (2, [0b00011011], 2, [0, 85, 170, 255], [1, 1, 0, 1]),
        (4, [0x05, 0xAF], 5, [0, 85, 170, 255], [1, 0, 1, 1]),
        (8, [0, 7, 8], 7, [0, 7, 8], [1, 0, 1]),
    ],
)
def test_a_transparent_grey_of_any_depth(
    bits: int, row: list[int], key: int, grey: list[int], visible: list[int]
) -> None:
    image = read_image(png(len(grey), 1, bits, 0, [bytes(row)], chunk(b"tRNS", struct.pack(">H", key))))
    check(image, np.array([grey]), np.uint8)
    assert image.mask is not None
    assert image.mask.astype(int).tolist() == [visible]


def test_a_transparent_level_of_16_bits_and_a_transparent_colour() -> None:
    row = struct.pack(">3H", 257, 258, 40000)
    image = read_image(png(3, 1, 16, 0, [row], chunk(b"tRNS", struct.pack(">H", 258))))
    check(image, np.array([[257, 258, 40000]]), np.uint16)
    assert image.mask is not None
    assert image.mask.tolist() == [[True, False, True]]
    image = read_image(png(2, 1, 8, 2, [b"\1\2\3\1\2\4"], chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))))
    assert image.mask is not None
    assert image.mask.tolist() == [[False, True]]
    row = struct.pack(">6H", 257, 600, 900, 257, 600, 5000)
    image = read_image(png(2, 1, 16, 2, [row], chunk(b"tRNS", struct.pack(">3H", 257, 600, 900))))
    assert image.mask is not None
    assert image.mask.tolist() == [[False, True]]


# --- orientation and frames


STORED = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
UPRIGHT = {  # where the stored first row and column belong, drawn by hand
    1: [[0, 1, 2], [3, 4, 5]],
    2: [[2, 1, 0], [5, 4, 3]],
    3: [[5, 4, 3], [2, 1, 0]],
    4: [[3, 4, 5], [0, 1, 2]],
    5: [[0, 3], [1, 4], [2, 5]],
    6: [[3, 0], [4, 1], [5, 2]],
    7: [[5, 2], [4, 1], [3, 0]],
    8: [[2, 5], [1, 4], [0, 3]],
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    data = encode(np.dstack([STORED] * 3 + [STORED]), kind, exif=exif)  # alpha 0 in the first pixel only
    image = read_image(data)
    check(image, STORED, np.uint8)
    assert image.mask is not None
    np.testing.assert_array_equal(image.mask, STORED > 0)
    assert len(image.warnings) == (orientation != 1)
    assert orientation == 1 or f"EXIF orientation {orientation}" in image.warnings[0]
    turned = read_image(data, exif_orientation=True)
    check(turned, np.array(UPRIGHT[orientation]) * 40, np.uint8)
    assert turned.mask is not None
    np.testing.assert_array_equal(turned.mask, turned.pixels > 0)
    assert turned.warnings == ()


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_orientation_of_a_jpeg(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    data = encode(SMOOTH[..., 0], "JPEG", exif=exif)
    with Image.open(io.BytesIO(data)) as stored:
        check(read_image(data), np.asarray(stored), np.uint8)
        check(read_image(data, exif_orientation=True), np.asarray(ImageOps.exif_transpose(stored)), np.uint8)


def test_damaged_exif_does_not_cost_the_image() -> None:
    profile = chunk(b"tEXt", b"Raw profile type exif\0\nexif\n       4\nthis is not hexadecimal\n")
    image = read_image(png(2, 1, 8, 0, [b"\1\2"], profile))
    check(image, np.array([[1, 2]]), np.uint8)
    assert image.warnings == ("has damaged EXIF data, which is ignored",)


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG"])
def test_the_first_of_several_frames(kind: str) -> None:
    second = Image.fromarray(255 - GREY)
    image = read_image(encode(GREY, kind, save_all=True, append_images=[second]))
    check(image, GREY, np.uint8)
    assert image.warnings == ("has several frames; only the first is used",)


def test_a_tiff_that_begins_with_a_preview() -> None:
    data = tiff({254: [1], 256: [W], 257: [H], 258: [8], 262: [1]}, [GREY.tobytes()], long=(254,))
    image = read_image(data)
    check(image, GREY, np.uint8)
    assert "preview" in image.warnings[0]


# --- limits


def test_the_limit_is_checked_before_decoding() -> None:
    tracemalloc.start()
    try:
        for data in (
            b"P5 40000 30000 255\n",
            png(40000, 30000, 8, 0, []),
            tiff({256: [40000], 257: [30000], 258: [8], 262: [1]}, [b"x"]),
        ):
            with pytest.raises(ImageError, match=r"40000 x 30000 pixels.*250000000.*--max-pixels"):
                read_image(data)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()
    assert read_image(encode(GREY, "PNG"), max_pixels=H * W).pixels.shape == (H, W)
    with pytest.raises(ImageError, match=f"limit of {H * W - 1}"):
        read_image(encode(GREY, "PNG"), max_pixels=H * W - 1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_pillows_own_limit_is_neither_used_nor_changed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(encode(RGB, kind)).pixels.shape == (H, W)
    with pytest.raises(ImageError):
        read_image(encode(RGB, kind)[:60])
    assert Image.MAX_IMAGE_PIXELS == 10


def test_memory_of_a_grey_image_is_that_of_its_pixels() -> None:
    data = encode(np.zeros((2000, 3000), np.uint8), "JPEG")
    read_image(data)  # imports
    tracemalloc.start()
    try:
        image = read_image(data)
        assert tracemalloc.get_traced_memory()[1] < 1.2 * image.pixels.nbytes
    finally:
        tracemalloc.stop()


# --- failures

SMALL = Image.fromarray(SMOOTH)
DAMAGEABLE: dict[str, bytes] = {
    "jpeg": encode(SMALL, "JPEG"),
    "progressive": encode(SMALL, "JPEG", progressive=True),
    "png": encode(SMALL, "PNG"),
    "png16": encode(DEEP, "PNG"),
    "tiff": encode(SMALL, "TIFF"),
    "tiff lzw": encode(SMALL, "TIFF", compression="tiff_lzw"),
    "tiff float": encode(UNIT, "TIFF"),
    "gif": encode(SMALL, "GIF"),
    "bmp": encode(SMALL, "BMP"),
    "webp": encode(SMALL, "WEBP"),
    "pgm": encode(GREY, "PPM"),
    "ascii": b"P2 4 4 255\n" + b" ".join(b"%d" % (9 * i) for i in range(16)),
}


@pytest.mark.parametrize("name", DAMAGEABLE)
def test_cut_short_at_every_percent(name: str) -> None:
    data = DAMAGEABLE[name]
    whole = read_image(data).pixels
    refused = 0
    for percent in range(100):
        result = attempt(data[: len(data) * percent // 100], name=name)
        if isinstance(result, ImageError):
            assert str(result).startswith(f"{name}: ")
            assert str(result).isprintable()
            refused += 1
        elif name != "ascii":  # where the last number may have lost a digit; else, what was cut off was not pixels
            np.testing.assert_array_equal(result.pixels, whole)
    assert refused >= 80


@pytest.mark.parametrize("name", DAMAGEABLE)
def test_flipped_bits_give_an_image_or_a_named_error(name: str) -> None:
    data = DAMAGEABLE[name]
    rng = np.random.default_rng(len(data))
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data) if rng.random() < 0.5 else min(200, len(data)), rng.integers(1, 5)):
            damaged[place] ^= 1 << int(rng.integers(8))
        result = attempt(bytes(damaged), max_pixels=10**6)
        outcomes.add(type(result))
        if isinstance(result, ImageError):
            assert str(result).isprintable()
        else:
            assert result.pixels.ndim == 2
            assert result.pixels.dtype in (np.uint8, np.uint16, np.float32)
    assert ImageError in outcomes


@given(
    st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0", b"P5 2 2 255\n", b"P2 2 2 ", b"BM"]
    ),
    st.binary(max_size=100),
)
def test_any_bytes_give_an_image_or_a_named_error(head: bytes, rest: bytes) -> None:
    result = attempt(head + rest, max_pixels=10**6)
    if isinstance(result, ImageError):
        assert str(result).isprintable()
    else:
        assert result.pixels.size > 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"P", "is not an image"),
        (b"638 128\n", "is not an image.*JPEG, PNG, TIFF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", r"is HEIC.*siftcli\[heif\]|is damaged"),
        (b"P5 0 5 255\n", "no pixels"),
        (b"P5 4 4 255\nabc", "truncated.*3 of 16 pixels"),
        (b"P5 4 4 0\n", "damaged"),
        (b"P5 4 4 70000\n", "damaged"),
        (b"P5 -4 4 255\n" + bytes(16), "no pixels"),
        (b"P2 2 1 255\n 7 x", "damaged"),
        (DAMAGEABLE["png16"][:2000], "truncated"),
        (DAMAGEABLE["jpeg"][:400], "truncated|damaged"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words) as caught:
        read_image(data, name="a b.png")
    assert caught.value.path == "a b.png"
    assert str(caught.value).startswith("a b.png: ")


def test_files_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="no such file") as caught:
        read_image(tmp_path / "missing.png")
    assert caught.value.path == str(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match="is empty"):
        read_image(tmp_path / "empty.png")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match="permission denied"):
        read_image(tmp_path / "empty.png")


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    data = encode(GREY, "TIFF")
    monkeypatch.setattr(Image.Image, "crop", refuse)
    with pytest.raises(ImageError, match="more memory"):
        read_image(data)


def run_python(program: str, data: bytes = b"") -> tuple[str, str]:
    """Run a program apart from the test's own logging and imports; return what it says on stdout and stderr."""
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-W", "default", "-c", program], cwd=root, input=data, capture_output=True)
    return run.stdout.decode(), run.stderr.decode()


def test_pillow_says_nothing_itself() -> None:
    # 100 samples: Pillow logs an error, and tifffile finds too few bytes.
    data = tiff({256: [5], 257: [4], 258: [8], 262: [1], 277: [100]}, [bytes(1000)])
    program = (
        "import sys\nfrom siftcli.io.image import read_image\nfrom siftcli.errors import ImageError\n"
        "try: read_image(sys.stdin.buffer)\nexcept ImageError as error: print(error)"
    )
    out, err = run_python(program, data)
    assert out.startswith("<stdin>: is ")
    assert err == ""


# --- sources


def test_every_kind_of_source_gives_the_same(tmp_path: Path) -> None:
    data = encode(RGB, "TIFF", compression="tiff_lzw")
    path = tmp_path / "a b é.tif"
    path.write_bytes(data)

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation("seek")

    sources: list[tuple[Callable[[], Any], str]] = [
        (lambda: path, str(path)),
        (lambda: str(path), str(path)),
        (lambda: data, "<bytes>"),
        (lambda: io.BytesIO(data), "<stream>"),
        (lambda: Pipe(data), "<stream>"),
    ]
    for source, name in sources:
        image = read_image(source())
        check(image, luma(RGB), np.uint8, LUMA_ERROR)
        assert image.name == name
    with path.open("rb") as file:
        check(read_image(file, name="stdin"), luma(RGB), np.uint8, LUMA_ERROR)
        assert not file.closed


def test_importing_is_cheap_and_only_the_needed_plugin_is_loaded() -> None:
    program = (
        "import sys, siftcli.io.image as m; assert 'PIL' not in sys.modules;"
        "m.read_image(sys.stdin.buffer); print(*sorted(k for k in sys.modules if k.endswith('Plugin')))"
    )
    assert run_python(program, b"P5 1 1 255\n0") == ("\n", "")
    assert run_python(program, encode(GREY, "BMP")) == ("PIL.BmpImagePlugin\n", "")
