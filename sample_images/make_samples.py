"""Make the sample images of this folder.

Run it with scikit-image, SciPy and Pillow installed::

    python sample_images/make_samples.py

All photographs but one are read from the files that the scikit-image wheel installs in ``skimage/data``; nothing is
downloaded. ``dandelion.jpg`` is the exception: it is a reduced copy of a photograph of the Debian package
``lomiri-wallpapers-16.04``. It is kept as it is unless the original is given::

    python sample_images/make_samples.py --dandelion-original seeding_by_Clements_Engelhardt.jpg

The result is deterministic: the sources are checked by their SHA-256 and the noise of the image pairs comes from fixed
seeds. The bytes of the JPEG files still depend on the version of the JPEG library that Pillow was built with.

Pixel coordinates are (x, y) with the centre of the top left pixel at (0, 0), everywhere in this file.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage
from PIL import Image, ImageDraw
from scipy import ndimage

Array = npt.NDArray[np.float64]

HERE = Path(__file__).resolve().parent
SKIMAGE_DATA = Path(skimage.__file__).resolve().parent / "data"
JPEG_QUALITY = 90

# Files that are copied byte for byte, and files that are encoded again as JPEG at the same size in pixels.
COPIED = ("camera.png", "hubble_deep_field.jpg", "retina.jpg")
ENCODED = ("astronaut.png", "chelsea.png", "coffee.png")

SHA256 = {
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "hubble_deep_field.jpg": "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    "retina.jpg": "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    "dandelion original": "a5634d1ab5e41a3568e92d4a894a500c92b891f9ff734e50bd224d6e185a605f",
}

DANDELION_SIZE = (1600, 900)  # the original is 5312 x 2988, so this is an even reduction by 3.32

# The astronaut, drawn by hand on astronaut.png: her head, her suit with the neck ring, and the helmet in her arm.
MASK_POLYGONS: dict[str, list[tuple[float, float]]] = {
    "head": [
        (231, 15), (245, 17), (256, 21), (268, 26), (278, 31), (286, 38), (291, 45), (295, 54), (298, 63), (301, 74),
        (302, 85), (301, 92), (299, 99), (297, 107), (293, 114), (288, 120), (283, 124), (278, 131), (272, 137),
        (267, 136), (264, 147), (257, 161), (256, 175), (257, 200), (184, 200), (184, 149), (182, 141), (182, 132),
        (177, 130), (172, 124), (169, 116), (163, 110), (158, 105), (155, 95), (153, 82), (153, 73), (155, 64),
        (161, 54), (170, 46), (180, 40), (187, 37), (191, 30), (199, 25), (207, 21), (216, 19), (222, 17),
    ],
    "suit": [
        (185, 148), (172, 148), (157, 150), (148, 154), (141, 158), (135, 163), (130, 169), (126, 174), (122, 181),
        (117, 184), (113, 187), (113, 195), (114, 202), (111, 206), (106, 212), (100, 218), (94, 224), (87, 229),
        (80, 233), (74, 238), (66, 246), (60, 255), (54, 264), (49, 273), (44, 286), (40, 296), (38, 303), (34, 316),
        (31, 327), (28, 338), (25, 348), (25, 360), (25, 379), (21, 390), (19, 396), (20, 408), (22, 420), (24, 431),
        (23, 444), (23, 458), (24, 468), (27, 482), (31, 492), (37, 502), (43, 512), (400, 512), (400, 360), (366, 350),
        (362, 345), (361, 336), (363, 332), (360, 325), (358, 314), (356, 302), (354, 291), (352, 286), (349, 283),
        (347, 274), (344, 267), (340, 261), (336, 257), (331, 252), (325, 246), (320, 242), (312, 238), (304, 234),
        (303, 230), (300, 221), (296, 213), (291, 203), (286, 196), (279, 189), (272, 183), (264, 177), (255, 172),
    ],
    "helmet": [
        (366, 350), (375, 347), (384, 345), (396, 343), (407, 343), (418, 344), (430, 347), (441, 351), (450, 356),
        (458, 361), (466, 368), (473, 375), (480, 385), (485, 393), (489, 403), (492, 412), (494, 424), (496, 433),
        (496, 442), (498, 450), (503, 454), (503, 458), (500, 461), (505, 466), (507, 474), (507, 484), (511, 488),
        (512, 512), (300, 512), (280, 512), (278, 470), (282, 440), (296, 400), (320, 374), (345, 357),
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A view b of a photograph a under a known homography.

    Attributes
    ----------
    name, source:
        Stem of the files written, and name of the photograph.
    size:
        Width and height of b in pixels.
    centre:
        Point of a that is seen at the centre of b.
    rotation:
        Degrees by which the picture is turned, clockwise as seen on the screen.
    scale:
        Pixels of b per pixel of a, at the centre of b.
    perspective:
        Change of the projective denominator per pixel of b, along x and y.
    gain, offset:
        Brightness of b, as ``gain * value + offset``, the gain separately for red, green and blue.
    noise:
        Standard deviation, in grey levels, of the noise added to a and to b.
    seed:
        Seed of the noise.
    """

    name: str
    source: str
    size: tuple[int, int]
    centre: tuple[float, float]
    rotation: float
    scale: float
    perspective: tuple[float, float]
    gain: tuple[float, float, float]
    offset: float
    noise: tuple[float, float]
    seed: int

    def homography(self) -> Array:
        """Return the 3 x 3 matrix that maps pixels of a to pixels of b, scaled to have 1 as its last element."""
        width, height = self.size
        angle = np.deg2rad(self.rotation)
        cos, sin = np.cos(angle) / self.scale, np.sin(angle) / self.scale
        to_centre = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]])
        project = np.array([[1, 0, 0], [0, 1, 0], [*self.perspective, 1]])
        similarity = np.array([[cos, sin, self.centre[0]], [-sin, cos, self.centre[1]], [0, 0, 1]])
        a_to_b = np.linalg.inv(similarity @ project @ to_centre)
        return np.asarray(a_to_b / a_to_b[2, 2], dtype=np.float64)


PAIRS = (
    Pair(
        name="pair_astronaut",
        source="astronaut.png",
        size=(384, 384),
        centre=(258.0, 246.0),
        rotation=12.0,
        scale=0.95,
        perspective=(1.6e-4, -0.8e-4),
        gain=(0.93, 0.94, 0.96),
        offset=6.0,
        noise=(1.0, 1.5),
        seed=1,
    ),
    Pair(
        name="pair_dandelion",
        source="dandelion.jpg",
        size=(500, 960),
        centre=(858.0, 462.0),
        rotation=84.0,
        scale=0.7,
        perspective=(1.0e-4, 1.2e-4),
        gain=(1.10, 1.08, 1.05),
        offset=-4.0,
        noise=(1.0, 2.0),
        seed=2,
    ),
)


def check_sha256(path: Path, name: str) -> None:
    """Stop if the file is not the very one that these samples were made from."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name]:
        raise SystemExit(f"{path} is not the expected file: its SHA-256 differs")


def read_rgb(path: Path) -> Array:
    """Return an image as a float array of shape (height, width, 3)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.float64)


def write_jpeg(path: Path, image: Image.Image | Array) -> None:
    """Write an RGB JPEG without metadata; every source is sRGB, so no colour profile is needed."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    pixels = image.convert("RGB")
    pixels.info.clear()
    pixels.save(path, quality=JPEG_QUALITY, optimize=True)


def warp(image: Array, a_to_b: Array, size: tuple[int, int], oversampling: int = 3, aperture: float = 0.5) -> Array:
    """Return the view of ``image`` through a homography, with little aliasing.

    The view is drawn ``oversampling`` times finer than asked for in both directions, by cubic spline interpolation,
    then blurred by a Gaussian aperture with a standard deviation of ``aperture`` output pixels, and sampled at the
    centres of the output pixels. The blur is made in the output, so it suits the local scale everywhere, whatever the
    perspective. ``oversampling`` is odd, so that one fine sample falls on each pixel centre.
    """
    width, height = size
    margin = 4 * oversampling  # drawn around the view so that the blur needs no invented border
    fine_x = (np.arange(-margin, width * oversampling + margin) - oversampling // 2) / oversampling
    fine_y = (np.arange(-margin, height * oversampling + margin) - oversampling // 2) / oversampling
    x, y = np.meshgrid(fine_x, fine_y)
    b_to_a = np.linalg.inv(a_to_b)
    source_x, source_y, denominator = (row[0] * x + row[1] * y + row[2] for row in b_to_a)
    source_x, source_y = source_x / denominator, source_y / denominator
    rows, columns = image.shape[:2]
    inside = min(source_x.min(), source_y.min(), columns - 1 - source_x.max(), rows - 1 - source_y.max())
    if inside < 0:
        raise ValueError(f"the view leaves the photograph by {-inside:.1f} pixels")
    picks = np.s_[margin + oversampling // 2 : -margin : oversampling]
    channels = []
    for channel in np.moveaxis(image, 2, 0):
        fine = ndimage.map_coordinates(channel, [source_y, source_x], order=3, mode="mirror")
        channels.append(ndimage.gaussian_filter(fine, aperture * oversampling)[picks, picks])
    return np.stack(channels, axis=2)


def make_pair(pair: Pair, image: Array, out: Path) -> None:
    """Write both images of a pair and its homography."""
    a_to_b = pair.homography()
    random = np.random.default_rng(pair.seed)
    a = image + pair.noise[0] * random.standard_normal(image.shape)
    b = warp(image, a_to_b, pair.size) * np.array(pair.gain) + pair.offset
    b += pair.noise[1] * random.standard_normal(b.shape)
    write_jpeg(out / f"{pair.name}_a.jpg", a)
    write_jpeg(out / f"{pair.name}_b.jpg", b)
    header = f"maps pixel (x, y) of {pair.name}_a.jpg to {pair.name}_b.jpg, centre of the top left pixel at (0, 0)"
    np.savetxt(out / f"{pair.name}_H.txt", a_to_b, fmt="%.17g", header=header)


def make_mask(out: Path) -> None:
    """Write the mask of astronaut.jpg: 255 on the astronaut and her helmet, 0 on the background."""
    mask = Image.new("L", (512, 512), 0)
    draw = ImageDraw.Draw(mask)
    for polygon in MASK_POLYGONS.values():
        draw.polygon(polygon, fill=255)
    mask.save(out / "astronaut_mask.png", optimize=True)


def make_dandelion(original: Path | None, out: Path) -> None:
    """Write dandelion.jpg from its original, or take the copy in this folder if there is no original."""
    target = out / "dandelion.jpg"
    if original is not None:
        check_sha256(original, "dandelion original")
        with Image.open(original) as image:
            write_jpeg(target, image.convert("RGB").resize(DANDELION_SIZE, Image.Resampling.LANCZOS))
        return
    kept = HERE / "dandelion.jpg"
    if not kept.exists():
        raise SystemExit("dandelion.jpg is missing: make it with --dandelion-original")
    if kept != target:
        shutil.copyfile(kept, target)


def main() -> None:
    """Make all samples."""
    parser = argparse.ArgumentParser(description="Make the sample images.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: the one of this script)")
    parser.add_argument("--dandelion-original", type=Path, help="the 5312 x 2988 photograph that dandelion.jpg is from")
    arguments = parser.parse_args()
    out: Path = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)

    for name in (*COPIED, *ENCODED):
        check_sha256(SKIMAGE_DATA / name, name)
    for name in COPIED:
        shutil.copyfile(SKIMAGE_DATA / name, out / name)
    for name in ENCODED:
        with Image.open(SKIMAGE_DATA / name) as image:
            write_jpeg((out / name).with_suffix(".jpg"), image)
    make_dandelion(arguments.dandelion_original, out)
    make_mask(out)
    for pair in PAIRS:
        folder = SKIMAGE_DATA if pair.source in SHA256 else out
        make_pair(pair, read_rgb(folder / pair.source), out)


if __name__ == "__main__":
    main()
