"""``sift draw FOLDER``: a picture of each image of a folder, or a contact sheet of all of them."""

from __future__ import annotations

import re
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath

from ..batch.execute import memory_limit
from ..batch.inputs import find_inputs
from ..batch.plan import Job
from ..batch.report import Report, Result
from ..batch.units import predicted_memory, size_of, workers_for_files
from ..batch.workers import run_tasks
from ..draw.formats import FORMATS, picture_format
from ..draw.output import encode_picture
from ..draw.sheet import Tile, contact_sheet, make_tile, tile_side
from ..draw.style import KeypointStyle
from ..errors import PlanError
from ..io.files import STDOUT
from ..io.output import atomic_write, make_folder
from ..words import counted
from .draw_inputs import read_picture, read_their_features
from .draw_pictures import keypoint_file, with_drawn_features
from .draw_target import Output, refuse_existing, write_picture
from .guard import guard
from .messages import Messages
from .one_image import Reading
from .progress import Display
from .streams import one_line, say, write_json

__all__ = ["run_folder"]

_OURS = re.compile(r".*\.(keypoints|matches)\.\w+", re.IGNORECASE)
"""Names of pictures that `sift draw` writes, which are not drawn again."""


@dataclass(frozen=True)
class _Task:
    """One image, and its picture's file; None for a tile of the sheet."""

    path: str
    output: str | None


@dataclass(frozen=True)
class _Work:
    """The work of a worker on its images; it can be pickled."""

    reading: Reading
    style: KeypointStyle
    features: str | None
    format: str
    overwrite: bool
    side: int

    def __call__(self, task: _Task) -> tuple[int, int, float, Tile | None]:
        """Draw an image; return its pixels, keypoints, seconds, and tile."""
        start = time.perf_counter()
        picture = read_picture(task.path, self.reading)
        if self.features is not None:
            picture = replace(picture, features=read_their_features(self.features, picture, quiet=self.reading.quiet))
        picture = with_drawn_features(picture, self.style, self.format, self.reading)
        assert picture.features is not None
        tile = None
        if task.output is None:
            tile = make_tile(picture.name, picture.rgb, picture.features, self.style, self.side)
        else:
            data = keypoint_file(picture, self.style, self.format, name=task.output)
            atomic_write(task.output, data, overwrite=self.overwrite)
        return picture.image.pixels.size, len(picture.features), time.perf_counter() - start, tile


def run_folder(folder: str, features: str | None, style: KeypointStyle, reading: Reading, output: Output) -> int:
    """Draw the images of a folder; return the exit status."""
    images = [i.path for i in find_inputs([folder]).images if not _OURS.fullmatch(PurePath(i.path).name)]
    if not images:
        raise PlanError(f"{folder}: no images in it but those that sift draw has written")
    sheet = _sheet(output)
    format = picture_format(sheet or "", output.format or (None if sheet and sheet != STDOUT else "png"))
    if sheet and format in ("html", "svg"):
        raise PlanError(f"{sheet}: a contact sheet is made of pixels; use .png, .jpg, .webp or .pdf")
    outputs = [sheet] if sheet else _outputs(images, FORMATS[format][0], output.path)
    refuse_existing(outputs, output)
    guard([path for path in outputs if path != STDOUT], images)
    if outputs[0] != STDOUT:
        make_folder(Path(outputs[0]).parent)
    tasks = [_Task(image, None if sheet else path) for image, path in zip(images, outputs * len(images))]  # noqa: B905
    jobs = workers_for_files(images)
    reading = replace(reading, workers=1 if jobs > 1 else None)
    work = _Work(reading, style, features, format, output.overwrite, tile_side(len(images)))
    report, tiles = Report(len(images)), dict[str, Tile]()
    display = Display(report, folder, Messages(quiet=output.quiet, verbose=output.verbose))
    cost = partial(_memory, reading=reading)
    results = run_tasks(tasks, partial(_same, work), min(jobs, len(tasks)), cost=cost, budget=memory_limit(None))
    with display, closing(results) as outcomes:
        for outcome in outcomes:
            task = outcome.task
            result = Result(task.path, task.output or sheet or "", "failed", None, 0.0, outcome.error)
            if outcome.result is not None:
                pixels, keypoints, seconds, tile = outcome.result
                result = Result(task.path, result.output, "done", keypoints, seconds, pixels=pixels)
                if tile is not None:
                    tiles[task.path] = tile
            elif outcome.error and not outcome.error.startswith(task.path):
                result = result._replace(error=f"{task.path}: {outcome.error}")
            display.show(result)
            if output.as_json:
                write_json(result.record())
    if sheet and tiles:
        data = encode_picture(contact_sheet([tiles[i] for i in images if i in tiles], style), format, name=sheet)
        write_picture(sheet, data, output)
        if sheet != STDOUT and not output.quiet:
            say(f"{one_line(folder)}: {counted(len(tiles), 'image')} drawn to {one_line(sheet)}")
    return report.exit_status


def _memory(task: _Task, reading: Reading) -> int:
    return predicted_memory(*size_of(Job(task.path, "", "", "")), reading.settings().detector)


def _same(work: _Work) -> _Work:
    return work


def _sheet(output: Output) -> str | None:
    """Return the name of the one output, or None where each image has its own."""
    path = output.path
    if path is None or path.endswith("/") or Path(path).is_dir():
        return None
    return path if path == STDOUT or PurePath(path).suffix else None


def _outputs(images: list[str], suffix: str, folder: str | None) -> list[str]:
    """Name the picture of each image; images of one stem keep their suffixes."""
    stems = Counter(PurePath(image).stem for image in images)
    names = [PurePath(i).name if stems[PurePath(i).stem] > 1 else PurePath(i).stem for i in images]
    places = [Path(image).parent if folder is None else Path(folder) for image in images]
    return [str(place / f"{name}.keypoints{suffix}") for place, name in zip(places, names, strict=True)]
