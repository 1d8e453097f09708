"""The pictures of the README and the documentation, made by ``sift``: ``python -m docs.tools.pictures``."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

__all__ = ["PICTURES"]

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"

PICTURES = {
    "keypoints.webp": ("draw sample_images/coffee.jpg -o picture.png", "picture.png"),
    "matches.webp": (
        "draw sample_images/pair_astronaut_a.jpg sample_images/pair_astronaut_b.jpg -o picture.png",
        "picture.png",
    ),
    "scalespace.webp": ("scalespace sample_images/coffee.jpg --tile 140 -o scales", "scales/scalespace.png"),
    "extrema.webp": ("scalespace sample_images/coffee.jpg -o scales", "scales/extrema.png"),
    "descriptors.webp": (
        "draw sample_images/coffee.jpg --style descriptors --top 5 --region 185,225,80,60 -o picture.png",
        "picture.png",
    ),
    "unmasked.webp": ("draw sample_images/astronaut.jpg -o picture.png", "picture.png"),
    "masked.webp": (
        "detect sample_images/astronaut.jpg --mask sample_images/astronaut_mask.png -o person.h5;"
        "draw sample_images/astronaut.jpg person.h5 -o picture.png",
        "picture.png",
    ),
}
"""Name of the picture in docs/images, the arguments of ``sift`` (of several runs, with semicolons between), and which
of its files the picture is."""


def main() -> None:
    """Make all of them, as WebP, which are a fifth as large."""
    IMAGES.mkdir(exist_ok=True)
    for name, (line, result) in PICTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "sample_images").symlink_to(ROOT / "sample_images")
            for arguments in map(shlex.split, line.split(";")):
                subprocess.run([sys.executable, "-m", "siftcli", *arguments], cwd=folder, check=True)
            Image.open(Path(folder) / result).convert("RGB").save(IMAGES / name, quality=82, method=6)
        print(f"{name}: {(IMAGES / name).stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
