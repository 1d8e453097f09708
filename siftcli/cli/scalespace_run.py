"""``sift scalespace``: from an image to the folder of pictures."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..draw.output import encode, encode_picture
from ..draw.palette import THEMES
from ..draw.picture import Picture, float_picture
from ..draw.scale_space import FATES, ContactSheet, dog_picture, extrema_scene, gaussian_picture
from ..draw.scene import halo_width, line_width
from ..engine.inspect import OctaveView, inspect
from ..errors import PlanError
from ..features import Float32
from ..io.files import why_unreadable
from ..io.output import atomic_write, make_folder
from ..io.registry import write_features
from ..params import DetectorParams
from .guard import guard
from .one_image import Reading, coloured, open_image
from .streams import one_line, say, write_json

__all__ = ["Output", "run"]

_OURS = re.compile(r"(scalespace|extrema|gaussian_o-?\d+_s\d+|dog_o-?\d+_s\d+|stage\d_\w+)\.\w+", re.IGNORECASE)
"""The names of what is written."""
_REACH = 8.0
"""|DoG| that is shown as black or white, in units of the DoG threshold."""
_PLAIN_REACH = 0.1
"""The same where that threshold is 0."""


@dataclass(frozen=True)
class Output:
    """The folder to write, and what is printed about it.

    Attributes
    ----------
    folder : str
    format : "png" or "tiff"
        Format of the levels.
    stages : bool
        Write the keypoints of every stage too.
    tile : int
        Longer side of a level on the sheet, in pixels.
    theme : str
        A key of `THEMES`.
    overwrite : bool
        Replace files that exist.
    as_json, quiet, verbose : bool
    """

    folder: str
    format: str
    stages: bool
    tile: int
    theme: str
    overwrite: bool
    as_json: bool
    quiet: bool
    verbose: bool


def run(image: str, detector: DetectorParams, reading: Reading, output: Output) -> None:
    """Write the scale space of an image, and pictures of its extrema."""
    start = time.perf_counter()
    folder = _folder(output)
    opened = open_image(image, reading)
    make_folder(folder)
    reach = _REACH * detector.dog_threshold or _PLAIN_REACH
    theme = THEMES[output.theme]
    sheet = ContactSheet(output.tile, reach, theme)

    number = 0

    def write(name: str, level: Float32, picture: Picture) -> None:
        nonlocal number
        number += 1
        pixels = float_picture(level) if output.format == "tiff" else picture
        _write(folder / f"{name}.{output.format}", pixels, output)

    def visit(octave: OctaveView) -> None:
        for s, level in enumerate(octave.gaussians):
            write(f"gaussian_o{octave.index}_s{s}", level, gaussian_picture(level))
        for s in range(len(octave.gaussians) - 1):
            level = octave.gaussians[s + 1] - octave.gaussians[s]
            write(f"dog_o{octave.index}_s{s}", level, dog_picture(level, reach))
        places = {name: (p.level, np.stack([p.x, p.y], axis=1)) for name, p in octave.stages.items() if name in FATES}
        sheet.add(octave.index, octave.gaussians, octave.sigmas, places)

    stages = inspect(opened.image.pixels, detector, visit)
    _write(folder / "scalespace.png", sheet.render(), output)
    ground = coloured(opened, reading.images.exif_orientation)
    line = line_width(*ground.size)
    scene = extrema_scene(ground, {name: stages[name].xy for name in FATES}, 3 * line, halo_width(line), theme)
    atomic_write(folder / "extrema.png", encode(scene, "png"), overwrite=output.overwrite)
    if output.stages:
        for place, (name, features) in enumerate(stages.items(), start=1):
            write_features(folder / f"stage{place}_{name}.csv", features, overwrite=output.overwrite)
    counts = {name: len(features) for name, features in stages.items()}
    seconds = time.perf_counter() - start
    if output.as_json:
        record = {
            "path": image,
            "output": str(folder),
            **counts,
            "seconds": round(seconds, 4),
            "status": "done",
        }
        write_json(record)
    if not output.quiet:
        counted = [f"{count:,} {name}" for name, count in counts.items()] if output.verbose else []
        written = f"scalespace.png, extrema.png and {number:,} levels written to {one_line(str(folder))}"
        say(f"{one_line(image)}: {'; '.join(filter(None, [', '.join(counted), written]))} in {seconds:.2f} s")


def _folder(output: Output) -> Path:
    """Return the folder; refuse one that has something in it."""
    folder = Path(output.folder)
    if not output.folder or output.folder == "-":
        raise PlanError("-o: needs the name of a folder")
    if folder.exists() and not folder.is_dir():
        raise PlanError(f"{folder}: is a file; give -o the name of a folder")
    try:
        taken = folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise PlanError(f"{folder}: {why_unreadable(error)}") from error
    if taken and not output.overwrite:
        raise PlanError(f"{folder}: is not empty; use --overwrite to write into it, or another folder")
    if taken:
        guard(path for path in folder.iterdir() if _OURS.fullmatch(path.name))
    return folder


def _write(path: Path, picture: Picture, output: Output) -> None:
    atomic_write(path, encode_picture(picture, path.suffix[1:], name=path), overwrite=output.overwrite)
