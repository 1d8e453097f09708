"""Images as they are shown.

Oracles: the reader of grey images, whose luma of every file must be that of the colours; Pillow's own resizing of a
blob, whose centre of mass must go where points go; closed forms.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siftcli.draw.picture import View, read_rgb, to_rgb
from siftcli.errors import ParameterError
from siftcli.io.grey import luma
from siftcli.io.image import read_image


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 7, 255]], np.uint8), [0, 7, 255]),
        (np.array([[0, 0x0701, 0xFFFF]], np.uint16), [0, 7, 255]),
        (np.array([[0, 0.5, 1]]), [0, 128, 255]),
        (np.array([[-1, np.nan, 2]], np.float32), [0, 0, 255]),
    ],
)
def test_arrays_of_every_kind(values: np.ndarray, expected: list[int]) -> None:
    pixels = np.asarray(to_rgb(values))
    np.testing.assert_array_equal(pixels, np.repeat(np.array(expected)[None, :, None], 3, axis=2))


def test_colour_stays_colour() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(to_rgb(pixels)), pixels)
    np.testing.assert_array_equal(np.asarray(to_rgb(Image.fromarray(pixels))), pixels)


def test_transparent_pixels_become_grey() -> None:
    image = Image.merge("RGBA", [Image.new("L", (2, 1), 200)] * 3 + [Image.fromarray(np.array([[0, 255]], np.uint8))])
    np.testing.assert_array_equal(np.asarray(to_rgb(image)), [[[128] * 3, [200] * 3]])


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2, 4), np.uint8), np.zeros(5), np.zeros((3, 3), np.int64), np.zeros((0, 3))]
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="image: must"):
        to_rgb(array)


# --- files


def colourful(seed: int = 0) -> Image.Image:
    """Smooth colours, so that JPEG does little to them, different in every corner."""
    y, x = np.mgrid[:24, :40]
    return Image.fromarray(np.stack([x * 6, y * 10, 255 - 3 * x - 4 * y], axis=-1).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("applied", [False, True])
def test_colours_are_on_the_grid_of_the_grey_image(kind: str, orientation: int, applied: bool) -> None:
    stream, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    if kind == "TIFF":
        colourful().save(stream, kind, tiffinfo={274: orientation})
    else:
        colourful().save(stream, kind, exif=exif, **({"quality": 98, "subsampling": 0} if kind == "JPEG" else {}))
    data = stream.getvalue()
    grey = read_image(data, exif_orientation=applied).pixels
    rgb = np.asarray(read_rgb(data, grey, exif_orientation=applied))
    assert rgb.shape == (*grey.shape, 3)
    assert (rgb.max(axis=2).astype(int) - rgb.min(axis=2)).mean() > 30  # it is in colour
    assert np.abs(luma(rgb).astype(int) - grey).max() <= (4 if kind == "JPEG" else 1)


@pytest.mark.parametrize("mode", ["L", "1", "I;16", "P", "RGBA", "LA", "CMYK"])
def test_files_of_every_mode(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    image = colourful()
    if mode == "I;16":
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(path)
    else:
        image.convert(mode).save(path)
    loaded = read_image(path)
    rgb = np.asarray(read_rgb(path, loaded.pixels, exif_orientation=False))
    grey = loaded.pixels if loaded.pixels.dtype == np.uint8 else loaded.pixels >> 8
    assert np.abs(luma(rgb).astype(int) - grey).max() <= 1


def test_what_pillow_alone_cannot_open_is_shown_in_grey(tmp_path: Path) -> None:
    path = tmp_path / "deep.ppm"
    samples = np.arange(4 * 5 * 3, dtype=">u2").reshape(4, 5, 3) * 900
    path.write_bytes(b"P6 5 4 60000\n" + samples.tobytes()[:-2])  # too short for Pillow
    grey = np.arange(20, dtype=np.uint8).reshape(4, 5)
    np.testing.assert_array_equal(np.asarray(read_rgb(path, grey, exif_orientation=False))[..., 1], grey)


def test_large_images_are_not_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    colourful().save(tmp_path / "image.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    rgb = read_rgb(tmp_path / "image.png", np.zeros((24, 40), np.uint8), exif_orientation=False)
    np.testing.assert_array_equal(np.asarray(rgb), np.asarray(colourful()))
    assert Image.MAX_IMAGE_PIXELS == 100


# --- views


@pytest.mark.parametrize("zoom", [0.5, 1.0, 2.0, 3.7, 6.0])
def test_points_go_where_pixels_go(zoom: float) -> None:
    y, x = np.mgrid[:60, :80]
    at = np.array([[41.3, 27.6]])
    blob = np.exp(-((x - at[0, 0]) ** 2 + (y - at[0, 1]) ** 2) / (2 * 5.0**2))
    view = View.of((80, 60), (10, 5, 60, 50), zoom)
    shown = np.asarray(view.show(to_rgb(blob)), float)[..., 0]
    rows, columns = np.mgrid[: shown.shape[0], : shown.shape[1]]
    centre = [(shown * columns).sum() / shown.sum(), (shown * rows).sum() / shown.sum()]
    np.testing.assert_allclose(view.place(at)[0], centre, atol=0.06 * max(1, zoom))


def test_corners_of_a_view() -> None:
    view = View.of((100, 50), (10, 20, 30, 20), 2)
    assert view.size == (60, 40)
    np.testing.assert_allclose(view.place(np.array([[9.5, 19.5], [39.5, 39.5]])), [[-0.5, -0.5], [59.5, 39.5]])
    assert view.holds(np.array([[9.4, 25], [9.6, 25], [39.4, 39.4], [39.6, 39]])).tolist() == [False, True, True, False]


def test_a_region_is_cut_to_the_image() -> None:
    view = View.of((100, 50), (-5, 40.5, 20, 100), 1)
    assert (view.left, view.top, view.width, view.height) == (0, 40, 15, 10)


@pytest.mark.parametrize(("size", "zoom"), [((64, 32), 10), ((479, 20), 2), ((480, 3), 1), ((5000, 3000), 1)])
def test_small_images_are_enlarged(size: tuple[int, int], zoom: int) -> None:
    assert View.of(size).zoom == zoom


@pytest.mark.parametrize("region", [(100, 0, 5, 5), (0, 50, 5, 5), (-9, -9, 8, 8)])
def test_a_region_beside_the_image_is_refused(region: tuple[float, float, float, float]) -> None:
    with pytest.raises(ParameterError, match="region: lies outside the image"):
        View.of((100, 50), region)


def test_a_picture_too_large_is_refused() -> None:
    with pytest.raises(ParameterError, match="zoom: 64 makes a picture of 256000 x 192000"):
        View.of((4000, 3000), zoom=64)
