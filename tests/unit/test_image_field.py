"""What images of the field have besides plain pixels: depths, no data, damage, sizes that are a trap.

Oracles: the same scene in 8 bits; the array that another program wrote; libjpeg's own words through OpenCV.
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_tools import by_opencv, by_tifffile, dng, heic, needed, scene
from PIL import Image, ImageFile
from scipy.spatial import cKDTree

import siftcli
from siftcli.errors import ImageError
from siftcli.io.image import read_image, read_size

SCENE = scene()
EIGHT = np.rint(SCENE * 255).astype(np.uint8)


def deep(bits: int) -> np.ndarray:
    return np.rint(SCENE * ((1 << bits) - 1)).astype(np.uint16)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png16(values: np.ndarray, *chunks: bytes) -> bytes:
    """A PNG of 16 bits, byte by byte; OpenCV writes no such chunks."""
    height, width = values.shape[:2]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0 if values.ndim == 2 else 2, 0, 0, 0))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def statement(bits: int) -> list[Any]:
    return [(281, 3, 1, (1 << bits) - 1, True)]


# --- the same scene


VARIANTS: dict[str, Callable[[], bytes]] = {
    "10 bits": lambda: by_tifffile(deep(10), extratags=statement(10)),
    "12 bits": lambda: by_tifffile(deep(12), extratags=statement(12)),
    "12 bits, sBIT": lambda: png16(deep(12), chunk(b"sBIT", b"\x0c")),
    "12 bits scaled up, sBIT": lambda: png16(deep(12) << 4 | deep(12) >> 8, chunk(b"sBIT", b"\x0c")),
    "14 bits, big-endian": lambda: by_tifffile(deep(14), byteorder=">", extratags=statement(14)),
    "16 bits, big-endian BigTIFF in tiles": lambda: by_tifffile(
        deep(16), byteorder=">", bigtiff=True, tile=(64, 64), compression="zlib"
    ),
    "signed 16 bits": lambda: by_tifffile((deep(16).astype(int) - 32768).astype(np.int16)),
    "signed 8 bits": lambda: by_tifffile((EIGHT.astype(int) - 128).astype(np.int8)),
    "float": lambda: by_tifffile(SCENE.astype(np.float32)),
    "float of 16 bits up to 4095": lambda: by_tifffile((SCENE * 4095).astype(np.float16)),
    "HEIC of 8 bits": lambda: heic(EIGHT),
    "HEIC of 10 bits": lambda: heic(np.stack([deep(16)] * 3, -1), 10),
    "DNG, three bands": lambda: dng(SCENE, mosaic=False),
    "DNG, mosaic": lambda: dng(SCENE, mosaic=True),
}


@pytest.fixture(scope="module")
def expected() -> siftcli.Features:
    return siftcli.detect(EIGHT)


def common(a: siftcli.Features, b: siftcli.Features) -> float:
    """The smaller share of keypoints that have one of the other within half a pixel and a quarter of an octave."""
    places = [np.column_stack([f.xy, 2 * np.log2(f.scales)]) for f in (a, b)]
    return min(float((cKDTree(q).query(p)[0] < 0.5).mean()) for p, q in (places, places[::-1]))


@pytest.mark.parametrize("name", VARIANTS)
def test_one_scene_has_the_same_keypoints_in_every_depth(name: str, expected: siftcli.Features) -> None:
    """Measured: 0.99, and 0.98 of the mosaic; 8 bits round what the others keep."""
    image = read_image(VARIANTS[name]())
    assert not any("damaged" in words for words in image.warnings)
    assert common(expected, siftcli.detect(image.pixels)) > (0.97 if "mosaic" in name else 0.985)


def test_levels_of_the_user_come_before_those_of_the_file() -> None:
    data = by_tifffile(deep(12), extratags=statement(12))
    np.testing.assert_array_equal(read_image(data, levels="full").pixels, deep(12))
    image = read_image(data, levels=(1000, 3000))
    np.testing.assert_allclose(image.pixels, ((deep(12) - 1000.0) / 2000).clip(0, 1), atol=1e-6)
    graymap = b"P5 3 1 100\n" + bytes([0, 50, 100])
    np.testing.assert_allclose(read_image(graymap, levels=(0, 200)).pixels, [[0, 0.25 * 65535, 0.5 * 65535]], atol=0.51)


def test_a_range_that_begins_above_zero() -> None:
    tags = [(280, 3, 1, 1000, True), (281, 3, 1, 3000, True)]
    values = (1000 + np.rint(SCENE * 2000)).astype(np.uint16)
    np.testing.assert_allclose(read_image(by_tifffile(values, extratags=tags)).pixels, SCENE, atol=1 / 2000)
    tags = [(340, 12, 1, -2.0, True), (341, 12, 1, 2.0, True)]  # SMinSampleValue, SMaxSampleValue
    image = read_image(by_tifffile(SCENE * 4 - 2, extratags=tags))
    np.testing.assert_allclose(image.pixels, SCENE, atol=1e-6)


# --- what is not there


def with_no_data(values: np.ndarray, text: str, **options: Any) -> bytes:
    return by_tifffile(values, extratags=[(42113, 2, 0, text, True)], **options)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("f4", "-9999", -9999),
        ("f4", "nan", np.nan),
        ("f4", "-3.4028234663852886e+38", np.finfo("f4").min),
        ("f8", "-1.7976931348623157e+308", np.finfo("f8").min),
        ("i2", "-32768", -32768),
        ("u2", "65535", 65535),
        ("u2", "0", 0),
        ("u1", "255", 255),
        ("i1", "-128", -128),
        ("u4", "4294967295", 2**32 - 1),
    ],
)
def test_no_data_is_masked_and_has_no_part_in_the_range(kind: str, text: str, value: float) -> None:
    values = np.rint(10 + SCENE * 90).astype(kind)
    whole = read_image(by_tifffile(values[20:]))
    values[:20] = value
    image = read_image(with_no_data(values, text))
    assert image.mask is not None
    np.testing.assert_array_equal(image.mask, np.arange(len(SCENE))[:, None] + 0 * SCENE >= 20)
    np.testing.assert_array_equal(image.pixels[20:], whole.pixels)
    assert image.warnings == whole.warnings


@pytest.mark.parametrize("planes", [False, True])
def test_no_data_of_colour_is_where_all_bands_have_it(planes: bool) -> None:
    values = np.rint(np.stack([SCENE, SCENE, 1 - SCENE], -1) * 250 + 1).astype(np.uint8)
    values[:9], values[9:12, :, 0] = 0, 0
    arranged = values.transpose(2, 0, 1) if planes else values
    data = with_no_data(arranged, "0", photometric="rgb", planarconfig="separate" if planes else "contig")
    image = read_image(data)
    assert image.mask is not None
    np.testing.assert_array_equal(image.mask.all(axis=1), np.arange(len(SCENE)) >= 9)
    assert read_image(with_no_data(values, "rubbish", photometric="rgb")).mask is None


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_a_geotiff_by_gdal() -> None:
    rasterio = pytest.importorskip("rasterio", reason="NO rasterio: pip install rasterio")
    values = np.rint(SCENE * 1000).astype(np.int16) - 500
    values[:20] = -9999
    with rasterio.MemoryFile() as file:
        with file.open(
            driver="GTiff", height=200, width=260, count=1, dtype="int16", nodata=-9999, tiled=True, compress="zstd"
        ) as out:
            out.write(values, 1)
        image = read_image(bytes(file.getbuffer()))
    assert image.mask is not None
    np.testing.assert_array_equal(image.mask, values != -9999)
    np.testing.assert_allclose(image.pixels[20:], (values[20:] - values[20:].min()) / np.ptp(values[20:]), atol=1e-6)


def test_masks_and_overviews_in_pages_of_their_own() -> None:
    tifffile = needed("tifffile")
    mask = np.where(SCENE > 0.3, 255, 0).astype(np.uint8)
    for pixels in (EIGHT, np.stack([deep(16)] * 3, -1)):
        file = io.BytesIO()
        with tifffile.TiffWriter(file) as writer:
            writer.write(pixels)
            writer.write(pixels[::2, ::2], subfiletype=1)
            writer.write(mask > 0, subfiletype=4, photometric="mask")
        image = read_image(file.getvalue())
        assert image.mask is not None
        np.testing.assert_array_equal(image.mask, mask > 0)
        assert image.warnings == ()


def test_alpha_of_16_bits() -> None:
    values = np.stack([deep(16)] * 3 + [np.where(SCENE > 0.5, 65535, 0).astype(np.uint16)], -1)
    for data in (
        by_opencv(".png", values),
        by_tifffile(values, photometric="rgb", extrasamples=["unassalpha"]),
    ):
        image = read_image(data)
        assert image.mask is not None
        assert image.pixels.dtype == np.uint16
        np.testing.assert_array_equal(image.mask, SCENE > 0.5)


def test_one_transparent_level_or_colour_of_16_bits() -> None:
    values = deep(16)
    key = int(values[7, 9])
    image = read_image(png16(values, chunk(b"tRNS", struct.pack(">H", key))))
    assert image.mask is not None
    np.testing.assert_array_equal(image.mask, values != key)
    needed("imagecodecs")
    colour = np.stack([values, values, values], -1)
    colour[..., 2] ^= 1  # the upper bytes stay
    colour[7, 9, 2] = key
    image = read_image(png16(colour, chunk(b"tRNS", struct.pack(">3H", key, key, key))))
    assert image.mask is not None
    np.testing.assert_array_equal(np.argwhere(~image.mask), [[7, 9]])


def test_planes_bands_and_tiles_give_the_same() -> None:
    bands = np.random.default_rng(5).integers(0, 256, (4, 40, 50)).astype(np.uint8)
    options: dict[str, Any] = {"photometric": "rgb", "extrasamples": ["unspecified"]}
    whole = read_image(by_tifffile(np.ascontiguousarray(bands.transpose(1, 2, 0)), **options))
    for more in ({}, {"tile": (16, 16)}, {"bigtiff": True, "byteorder": ">", "compression": "lzw"}):
        image = read_image(by_tifffile(bands, planarconfig="separate", **options, **more))
        np.testing.assert_array_equal(image.pixels, whole.pixels)
    five = np.repeat(bands, 2, axis=0)[:5].astype(np.uint16) * 257
    image = read_image(by_tifffile(five, photometric="minisblack", planarconfig="separate", extrasamples=[0] * 4))
    np.testing.assert_array_equal(image.pixels, five[0])


# --- what decoders say


def cut(data: bytes) -> bytes:
    """A JPEG of which half is missing, and that ends as if it were whole."""
    return data[: len(data) // 2] + b"\xff\xd9"


def jpeg(**options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(EIGHT).convert(options.pop("mode", "L")).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def scrambled(data: bytes) -> bytes:
    """Data with two markers that belong elsewhere."""
    at = len(data) // 2
    return data[:at] + b"\xff\xd3\xff\xd5" + data[at + 4 :]


@pytest.mark.parametrize(
    "data",
    [
        cut(jpeg()),
        cut(jpeg(mode="RGB", progressive=True)),
        cut(jpeg(mode="CMYK")),
        scrambled(jpeg(mode="RGB")),
    ],
    ids=["grey", "progressive", "CMYK", "scrambled"],
)
def test_what_libjpeg_says_is_told_and_refused_if_strict(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    import cv2

    cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    words = capfd.readouterr().err
    image = read_image(data)
    assert len(image.warnings) == 1
    assert "Corrupt JPEG data" in image.warnings[0]
    if "Corrupt JPEG data" in words:
        assert words.strip().splitlines()[-1][:24] in image.warnings[0]
    with pytest.raises(ImageError, match=r"is damaged: Corrupt JPEG data.*--strict"):
        read_image(data, strict=True)
    assert capfd.readouterr().err == ""


def test_sound_files_say_nothing_if_strict() -> None:
    for data in (jpeg(), jpeg(mode="RGB", progressive=True), jpeg(mode="CMYK"), by_opencv(".png", EIGHT), heic(EIGHT)):
        assert read_image(data, strict=True).warnings == ()


@pytest.mark.parametrize("compression", ["zlib", "packbits", "lzw", "jpeg"])
def test_what_libtiff_says_has_the_name_of_the_file(compression: str, capfd: pytest.CaptureFixture[str]) -> None:
    whole = by_tifffile(EIGHT, compression=compression)
    assert read_image(whole, strict=True).warnings == ()
    for data in (whole[: len(whole) // 2], *([scrambled(whole)] if compression == "jpeg" else [])):
        with pytest.raises(ImageError, match=r"^a\.tif: "):
            read_image(data, name="a.tif", strict=True)
    assert capfd.readouterr().err == ""


def test_what_other_libraries_write_has_the_name_of_the_file(capfd: pytest.CaptureFixture[str]) -> None:
    """LibRaw and libpng write on standard error."""
    needed("imagecodecs")
    colour = by_opencv(".png", np.stack([deep(16)] * 3, -1))
    raw = dng(SCENE, mosaic=True)
    for data in (raw[: len(raw) * 3 // 4], colour[:-20] + b"\0\0\0\0" + colour[-16:]):
        with pytest.raises(ImageError, match=r"^a: is "):
            read_image(data, name="a", strict=True)
    assert capfd.readouterr().err == ""


def test_reductions_to_8_bits_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    codecs = needed("imagecodecs")
    colour = np.stack([deep(16)] * 3, -1)
    files = [
        by_opencv(".png", colour),
        bytes(codecs.jpeg2k_encode(colour >> 4, level=0, bitspersample=12)),
        bytes(codecs.avif_encode(colour >> 6, level=100, bitspersample=10)),
        by_tifffile(colour),
    ]
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for package in ("tifffile", "imagecodecs"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    for data in files:
        image = read_image(data)
        assert image.pixels.dtype == np.uint8
        assert len(image.warnings) == 1
        assert "upper 8 bits" in image.warnings[0]
        assert "pip install" in image.warnings[0]


def test_jpeg_without_its_extra_has_the_same_pixels(sample_images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariance: Pillow and simplejpeg decode by the same library."""
    path = sample_images / "coffee.jpg"
    expected = read_image(path).pixels
    monkeypatch.setattr("siftcli.io.image.jpeg.missing_extra", lambda _: True)
    assert np.array_equal(read_image(path).pixels, expected)


@pytest.mark.parametrize(
    ("data", "name", "extra"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a.heic", "heif"),
        (b"II*\0\x08\0\0\0", "a.dng", "raw"),
        (b"FUJIFILMCCD-RAW" + bytes(80), "a.raf", "raw"),
        (b"MM\0+", "a.tif", "tiff"),
    ],
)
def test_a_missing_extra_is_named(data: bytes, name: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for package in ("tifffile", "imagecodecs", "pillow_heif", "rawpy"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    with pytest.raises(ImageError, match=rf"pip install 'siftcli\[{extra}\]'"):
        read_image(data, name=name)


@pytest.fixture
def plugin() -> Iterator[None]:
    """A kind of image that the program has registered with Pillow."""

    class Plugin(ImageFile.ImageFile):
        format = "TEST"

        def _open(self) -> None:
            self._size = (5, 4)
            self._mode = "L"
            self.tile = [("raw", (0, 0, 5, 4), 8, ("L", 0, 1))]  # type: ignore[list-item]

    Image.register_open("TEST", Plugin, lambda head: head.startswith(b"TESTKIND"))
    yield
    Image.ID.remove("TEST")
    del Image.OPEN["TEST"]


def test_a_registered_plugin_is_used(plugin: None) -> None:
    data = b"TESTKIND" + bytes(range(20))
    np.testing.assert_array_equal(read_image(data).pixels, np.arange(20).reshape(4, 5))
    assert read_size(data) == (5, 4)
    with pytest.raises(ImageError, match="limit of 19"):
        read_image(data, max_pixels=19)


def test_a_camera_raw_file_is_turned_on_demand_only() -> None:
    stored, turned = (dng(SCENE[:64, :96], mosaic=True, orientation=n) for n in (1, 6))
    plain = read_image(stored).pixels
    image = read_image(turned)
    np.testing.assert_array_equal(image.pixels, plain)
    assert "EXIF orientation 6" in image.warnings[0]
    np.testing.assert_array_equal(read_image(turned, exif_orientation=True).pixels, np.rot90(plain, -1))
    assert read_size(turned) == (96, 64)


# --- traps


def gif(width: int, height: int) -> bytes:
    """35 bytes of a GIF of any size, one pixel of which is drawn."""
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


def small_tiff(**options: Any) -> bytes:
    """A file of zeros that is small because it is compressed."""
    return by_tifffile(np.zeros((4000, 4000), np.uint8), compression="zlib", **options)


def jpeg2000(width: int, height: int) -> bytes:
    data = bytearray(needed("imagecodecs").jpeg2k_encode(EIGHT, level=0, codecformat="j2k"))
    at = data.index(b"\xff\x51")
    struct.pack_into(">II", data, at + 6, width, height)
    struct.pack_into(">II", data, at + 22, width, height)  # one tile
    return bytes(data)


@pytest.mark.parametrize(
    "make",
    [lambda: gif(31000, 31000), lambda: small_tiff().replace(b"\xa0\x0f", b"\x18\x79"), lambda: jpeg2000(31000, 31000)],
    ids=["GIF", "TIFF", "JPEG 2000"],
)
def test_a_declared_size_is_refused_before_decoding(make: Callable[[], bytes]) -> None:
    data = make()
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=r"more than the limit of 250000000.*--max-pixels"):
            read_image(data)
        assert tracemalloc.get_traced_memory()[1] < 2e7
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", [lambda: gif(12000, 12000), lambda: jpeg2000(9000, 9000)], ids=["GIF", "JPEG 2000"])
def test_what_decoding_takes_is_refused_where_there_is_less(
    make: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("siftcli.machine.available_memory", lambda: 500_000_000)
    with pytest.raises(ImageError, match=r"GB of memory, and 0.5 GB are free"):
        read_image(make())


def test_a_tile_that_is_larger_than_its_image_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = by_tifffile(np.zeros((64, 64), np.uint8), tile=(16384, 16384), compression="zlib")
    monkeypatch.setattr("siftcli.machine.available_memory", lambda: 200_000_000)
    with pytest.raises(ImageError, match="GB of memory"):
        read_image(data)


def test_what_detection_takes_is_asked_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siftcli.machine.available_memory", lambda: 1 << 30)
    data = by_opencv(".png", EIGHT)
    assert read_image(data, needs=lambda width, height: width * height).pixels.shape == EIGHT.shape
    with pytest.raises(ImageError, match="free"):
        read_image(data, needs=lambda width, height: width * height << 20)


@pytest.mark.parametrize("kind", [b"P5", b"P6", b"P2", b"P1", b"P4", b"Pf"])
def test_a_comment_without_an_end_is_read_or_refused_in_bounded_time(kind: bytes) -> None:
    """Bounded: no more of the file is read than a header may have, whatever its length."""

    class Counted(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    file = Counted(kind + b"\n#" + b"x" * 5_000_000 + b"\n5 5\n255\n" + b"1 " * 25)
    with pytest.raises(ImageError, match="64 KB"):
        read_image(file)
    assert file.taken < 200_000


def test_comments_of_a_gif_are_read_or_refused() -> None:
    """Pillow joins them one by one, in a time that grows with the square of their size."""
    whole = gif(5, 4)
    head, rest = whole[:19], whole[19:]
    comment = b"!\xfe" + (b"\xff" + b"x" * 255) * 100 + b"\0"
    assert read_image(head + comment + rest).pixels.shape == (4, 5)
    with pytest.raises(ImageError, match="more than 1 MB"):
        read_image(head + comment * 100 + rest)
    assert read_image(head + rest[:-1] + comment * 100 + rest).warnings == ()
    assert len(read_image(head + rest[:-1] + comment + rest).warnings) == 1  # two images


@pytest.mark.parametrize(
    "segments",
    [b"\xff" * 100_000, b"\xff\xfe\0\x02" + b"\0" * 100_000, b"\xff\xe1\0\x08Exif\0\0" * 20, b"\xff\xfe\0\x02" * 5000],
    ids=["fill", "zeros", "EXIF", "comments"],
)
def test_a_jpeg_header_without_an_end_is_refused(segments: bytes) -> None:
    """Pillow looks at every byte, and joins EXIF segments in a time that grows with the square of their size."""
    with pytest.raises(ImageError, match="a header without an end"):
        read_image(jpeg()[:2] + segments + jpeg()[2:])
    few = b"\xff\xfe\0\x02" * 50 + b"\xff" * 50
    np.testing.assert_array_equal(read_image(jpeg()[:2] + few + jpeg()[2:]).pixels, read_image(jpeg()).pixels)


def test_two_sizes_in_one_file_are_refused() -> None:
    codecs = needed("imagecodecs")
    data = bytearray(codecs.jpeg2k_encode(np.stack([deep(12)] * 3, -1), level=0, bitspersample=12))
    at = data.index(b"ihdr")
    struct.pack_into(">II", data, at + 4, 8, 9)
    with pytest.raises(ImageError, match="9 x 8 pixels, its data 260 x 200"):
        read_image(bytes(data))


def test_comments_between_plain_samples() -> None:
    data = b"P2 # a\n3 1 # b\n9\n0 # one\n# two 5\n 3\n9 # end"
    np.testing.assert_array_equal(read_image(data).pixels, [[0, 85, 255]])
    many = b"P2 2 2 255 " + b"#\n" * 30_000 + b"1 2 3 4"
    np.testing.assert_array_equal(read_image(many).pixels, [[1, 2], [3, 4]])
    with pytest.raises(ImageError, match="more comments than pixels"):
        read_image(b"P2 2 2 255 " + b"#\n" * 300_000 + b"1 2 3 4")


def test_extras_are_imported_when_a_file_needs_them() -> None:
    program = (
        "import sys, siftcli\n"
        "siftcli.read_image(sys.stdin.buffer.read())\n"
        "print(*sorted({'tifffile', 'imagecodecs', 'rawpy', 'pillow_heif'} & set(sys.modules)))"
    )
    for data, wanted in (
        (jpeg(), ""),
        (by_tifffile(EIGHT), ""),
        (by_tifffile(deep(16)), ""),
        (heic(EIGHT), "pillow_heif"),
    ):
        run = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
        assert run.stdout.decode().strip() == wanted
