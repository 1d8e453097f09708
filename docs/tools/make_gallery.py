"""Make the gallery: ``python docs/tools/make_gallery.py``.

Every picture is made by the command that the page shows below it, from the sample images, and then converted to a
small WebP.  Pictures of the HTML page need Chromium; without it, the ones that are there stay.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageSequence

__all__ = ["PICTURES", "Picture", "make", "page"]

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
SAMPLES = ROOT / "sample_images"
_QUALITY = 72
_WIDEST = 1280


@dataclass(frozen=True)
class Picture:
    """One picture of the gallery.

    Attributes
    ----------
    name : str
        Of its file, ``gallery-NAME.webp``.
    words : str
        What it shows.
    command : str
        Arguments of ``sift``, with the names of sample images.
    shown : str
        Which output it is; "" for the one that ``-o`` names.
    """

    name: str
    words: str
    command: str
    shown: str = ""

    @property
    def file(self) -> Path:
        """Where it is."""
        return IMAGES / f"gallery-{self.name}.webp"


_PAIR = "pair_astronaut_a.jpg pair_astronaut_b.jpg"

PICTURES = {
    "Keypoints": (
        Picture("circles", "Circles of radius sigma, coloured by scale: the default.", "draw chelsea.jpg"),
        Picture(
            "support",
            "The descriptor's support instead: the part of the image that each descriptor is about.",
            "draw dandelion.jpg --radius support --zoom 0.6",
        ),
        Picture(
            "arrows",
            "Arrows as long as the descriptor's support, coloured by orientation.",
            "draw retina.jpg --style arrows --color orientation --zoom 0.5",
        ),
        Picture("frames", "Frames as squares, in one colour.", "draw camera.png --style frames --color orange"),
        Picture("points", "Points, coloured by octave.", "draw coffee.jpg --style points --color octave"),
        Picture(
            "descriptors",
            "Descriptors: 4 x 4 histograms of 8 directions.",
            "draw astronaut.jpg --style descriptors --color octave",
        ),
        Picture(
            "region",
            "Part of an image, enlarged; the 40 strongest keypoints, coloured by response; a light legend.",
            "draw hubble_deep_field.jpg --region 380,420,160,110 --top 40 --color response --theme light",
        ),
    ),
    "Folders": (
        Picture(
            "sheet", "The images of a folder on a contact sheet, for a first look.", "draw sample_images -o sheet.png"
        ),
    ),
    "Matches": (
        Picture(
            "side",
            "Side by side. Inliers are solid, outliers dashed and faint; of lines that run together one is drawn.",
            f"draw {_PAIR} --layout side",
        ),
        Picture(
            "stacked",
            "Stacked; the 60 best matches.",
            "draw pair_dandelion_a.jpg pair_dandelion_b.jpg --layout stacked --top 60 --zoom 0.5",
        ),
        Picture(
            "overlay",
            "One image warped onto the other by the homography: what is grey agrees, each line is an error.",
            f"draw {_PAIR} --layout overlay",
        ),
        Picture("blink", "The same two images in turn.", f"draw {_PAIR} --layout blink --format webp"),
    ),
    "Scale space": (
        Picture(
            "scalespace",
            "Every level of every octave. Colours show which extrema are kept and why others are rejected.",
            "scalespace camera.png --tile 150",
            "scalespace.png",
        ),
        Picture("extrema", "The same extrema over the image.", "scalespace camera.png", "extrema.png"),
    ),
    "A page to look around in": (
        Picture(
            "page",
            "Move, zoom, filter; point at a keypoint to see its numbers, its patch and its descriptor.",
            "draw coffee.jpg -o coffee.html",
            "#page",
        ),
        Picture(
            "page-matches",
            "The same for matches: choose a keypoint to see its partner.",
            f"draw {_PAIR} -o matches.html",
            "#page-matches",
        ),
    ),
}
"""Heading to pictures."""

_SELECTED = {"#page": 12, "#page-matches": 34}
"""Keypoint that is chosen on a page."""
_ATTEMPTS = 3
"""At a screenshot of a page."""
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1180,760",
    "--virtual-time-budget=8000",
)


def make(picture: Picture, target: Path) -> bool:
    """Make one picture as the file `target`; False if it needs a browser and there is none."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = {SAMPLES.name: SAMPLES, **{sample.name: sample for sample in SAMPLES.iterdir()}}
        arguments = [str(given.get(word, word)) for word in picture.command.split()]
        made = folder / "picture.png"
        if picture.shown.startswith("#"):
            browser = next((found for found in map(shutil.which, _CHROMIUM) if found), None)
            if browser is None:
                return False
            place = arguments.index("-o") + 1
            arguments[place] = str(folder / arguments[place])
            _run([sys.executable, "-m", "siftcli", *arguments])
            address = f"{Path(arguments[place]).as_uri()}#{_SELECTED[picture.shown]}"
            line = [browser, *_FLAGS, f"--user-data-dir={folder / 'profile'}", f"--screenshot={made}", address]
            for _ in range(_ATTEMPTS):
                _run(line)
                if _drawn(made):
                    break
            else:
                raise RuntimeError(f"{browser} shows nothing where the pictures of {picture.name} belong")
        elif picture.shown:
            _run([sys.executable, "-m", "siftcli", *arguments, "-o", str(folder / "out")])
            made = folder / "out" / picture.shown
        else:
            made = made.with_suffix(".webp") if "webp" in arguments else made
            _run([sys.executable, "-m", "siftcli", *arguments, "-o", str(made)])
        _shrink(made, target)
    return True


def _drawn(screenshot: Path) -> bool:
    """Tell whether the page had drawn its pictures when the screenshot was taken; now and then it has not."""
    with Image.open(screenshot) as image:
        low, high = image.convert("L").crop((100, 200, 700, 600)).getextrema()
    return low != high


def _run(line: list[str]) -> None:
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _shrink(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]
        duration = image.info.get("duration", 0)
    for frame in frames:
        frame.thumbnail((_WIDEST, 4 * _WIDEST))
    options = {"save_all": True, "append_images": frames[1:], "duration": duration, "loop": 0} if frames[1:] else {}
    frames[0].save(target, "WEBP", quality=_QUALITY, method=6, **options)


def page() -> str:
    """Return the page that shows them."""
    lines = ["# Gallery", "", "Made by `python docs/tools/make_gallery.py` from the images in `sample_images`.", ""]
    for heading, pictures in PICTURES.items():
        lines += [f"## {heading}", ""]
        for picture in pictures:
            output = "" if " -o " in picture.command else " -o scales" if picture.shown else ""
            lines += [
                picture.words,
                "",
                "<!-- setup: cp sample_images/* . -->" if picture.shown.startswith("#") else "<!-- gallery -->",
                "```sh",
                f"sift {picture.command}{output}",
                "```",
                "",
                f"![{picture.words}](images/{picture.file.name})",
                "",
            ]
    return "\n".join(lines)


def main() -> None:
    """Make all of them, or those that are named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="pictures to make; default: all")
    names = parser.parse_args().names
    for picture in (p for pictures in PICTURES.values() for p in pictures):
        if not names or picture.name in names:
            done = make(picture, picture.file)
            size = f"{picture.file.stat().st_size / 1000:.0f} kB" if done else "left as it is: there is no Chromium"
            print(f"{picture.file.name}: {size}", flush=True)
    (ROOT / "docs" / "gallery.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
