"""From inputs to jobs: which image goes to which file, and all checks that need no image to be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from ..errors import PlanError
from ..io.files import STDIN, STDOUT
from ..io.formats import FORMATS, Format, feature_files, format_for, format_of_suffix
from ..io.journal import abandoned_journal
from .clashes import refuse_clashes
from .inputs import Inputs

__all__ = ["DEFAULT_FORMAT", "FramesFile", "Job", "files_of", "make_jobs", "take_shard"]

DEFAULT_FORMAT = "lowe"
"""Format of outputs whose name has no suffix of a format."""


class FramesFile(NamedTuple):
    """File that has the given frames of an image.

    Attributes
    ----------
    path : str
        A feature file; the searched folder, if it has none for the image.
    format : str or None
        Format of the file; None if there is no file.
    image : str or None
        The image's name in a file of many.
    """

    path: str
    format: str | None
    image: str | None = None


class Job(NamedTuple):
    """One image to read and the output for its features; can be pickled.

    Attributes
    ----------
    path : str
        The image, or `STDIN`.
    output : str
        The feature file, or `STDOUT`.
    format : str
        Format of the output, a key of `siftcli.io.formats.FORMATS`.
    name : str
        Name of the image in an output of many images: a relative POSIX path.
    shared : bool
        The output is one file for all jobs.
    data : bytes or None
        Contents of the image file, if they are not read from `path`.
    mask : str or None
        Mask of the image.
    frames : FramesFile or None
        Frames to describe; None to detect keypoints.
    """

    path: str
    output: str
    format: str
    name: str
    shared: bool = False
    data: bytes | None = None
    mask: str | None = None
    frames: FramesFile | None = None


def make_jobs(
    inputs: Inputs,
    output: str | None = None,
    *,
    format: str | None = None,
    overwrite: bool = False,
    resume: bool = False,
) -> list[Job]:
    """Choose the output of every input.

    Parameters
    ----------
    inputs : Inputs
        At least one.
    output : str, optional
        A file, a folder, or `STDOUT`.  A name is a folder if one exists, if it ends with a slash, or if there are
        several inputs and its suffix is of no format.  By default, a file beside each image; `STDOUT` for `STDIN`.
    format : str, optional
        Name of the format; by default, the suffix of the output determines it.
    overwrite, resume : bool
        Accept outputs that exist.

    Returns
    -------
    list of Job
        In the order of the inputs.

    Raises
    ------
    PlanError
        If the format is unknown or cannot hold the features, two inputs have the same output, an output exists, or an
        output is one of the inputs.
    ParameterError
        For an unknown format.
    """
    jobs = _jobs(inputs, output, None if format is None else format_for("", format))
    _refuse_collisions(jobs)
    refuse_clashes(dict.fromkeys(job.output for job in jobs), (job.path for job in jobs))
    if not overwrite and not resume:
        _refuse_existing(jobs)
    return jobs


def files_of(jobs: Iterable[Job]) -> tuple[list[str | Path], list[str | Path]]:
    """Return all files that jobs write, and all that they read."""
    jobs = list(jobs)
    written: list[str | Path] = []
    for output, format in dict.fromkeys((job.output, job.format) for job in jobs if job.output != STDOUT):
        written += feature_files(output, format)
    read: list[str | Path] = [job.path for job in jobs]
    read += dict.fromkeys(job.mask for job in jobs if job.mask is not None)
    for frames in dict.fromkeys(job.frames.path for job in jobs if job.frames is not None):
        read += feature_files(frames)
    return written, read


def take_shard(jobs: Sequence[Job], text: str) -> list[Job]:
    """Return the jobs of one shard.

    Parameters
    ----------
    jobs : sequence of Job
    text : str
        "K/N": every N-th job, beginning with the K-th; K from 1 to N.

    Raises
    ------
    PlanError
        If it is something else.
    """
    k, slash, n = text.partition("/")
    if not (slash and k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise PlanError(f"--shard: must be K/N with K from 1 to N, such as 1/4, not {text!r}")
    return list(jobs[int(k) - 1 :: int(n)])


def _jobs(inputs: Inputs, output: str | None, given: Format | None) -> list[Job]:
    stdin = inputs.images[0].path == STDIN
    if output == STDOUT or (output is None and stdin):
        return _to_stdout(inputs, given or FORMATS[DEFAULT_FORMAT])
    if output is None:
        return _to_files(inputs, None, given or FORMATS[DEFAULT_FORMAT])
    if not output:
        raise PlanError("-o: the name is empty")
    chosen = given or format_of_suffix(output)
    if _is_folder(output) or (not inputs.single and format_of_suffix(output) is None):
        if stdin:
            raise PlanError(f"{output}: is a folder, and standard input has no name; give -o a file, or '-'")
        _require_folder(Path(output))
        return _to_files(inputs, Path(output), given or FORMATS[DEFAULT_FORMAT])
    if chosen is None:
        known = ", ".join(dict.fromkeys(f.suffix for f in FORMATS.values()))
        raise PlanError(
            f"{output}: its suffix does not say which format; use one of {known}, give --format, "
            "or end the name with '/' for a folder"
        )
    if not chosen.many:
        _require_one(inputs, output)
    return [
        Job(i.path, output, chosen.name, "stdin" if stdin else PurePath(i.relative).as_posix(), chosen.many)
        for i in inputs.images
    ]


def _to_stdout(inputs: Inputs, format: Format) -> list[Job]:
    _require_one(inputs, "standard output")
    if format.kind != "stream":
        raise PlanError(f"--format {format.name}: cannot go to standard output; give -o the name of a file")
    return [Job(inputs.images[0].path, STDOUT, format.name, "stdin")]


def _to_files(inputs: Inputs, folder: Path | None, format: Format) -> list[Job]:
    """One output for each image, beside it or in a folder."""
    if format.many and len(inputs.images) > 1:
        raise PlanError(f"--format {format.name}: holds all images in one file; give its name: -o NAME{format.suffix}")
    places = [Path(i.path) if folder is None else folder / i.relative for i in inputs.images]
    return [
        Job(i.path, str(format.output_name(place)), format.name, place.name)
        for i, place in zip(inputs.images, places, strict=True)
    ]


def _is_folder(output: str) -> bool:
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _require_one(inputs: Inputs, output: str) -> None:
    if len(inputs.images) > 1:
        raise PlanError(f"{output}: {len(inputs.images)} images cannot share it; give -o a folder, such as 'out/'")


def _require_folder(folder: Path) -> None:
    """Refuse a folder that cannot be created because a part of its path is a file."""
    part = next(part for part in (folder, *folder.parents) if part.exists())
    if not part.is_dir():
        raise PlanError(f"{part}: is a file, and the outputs need a folder of that name; give -o another")


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    first: dict[tuple[str, str], str] = {}
    for job in jobs:
        other = first.setdefault((os.path.normcase(job.output), job.name if job.shared else ""), job.path)
        if other != job.path:
            hint = "run the command once for each, with another -o"
            if Path(other).parent != Path(job.path).parent:
                hint = "name the folder that holds both, with --recursive, to keep its tree"
            what = f"{job.name} of {job.output}" if job.shared else job.output
            raise PlanError(f"{other} and {job.path} would both write {what}; {hint}")


def _refuse_existing(jobs: Sequence[Job]) -> None:
    # A device such as /dev/null can be written to and stays.
    outputs = list(dict.fromkeys(job.output for job in jobs if job.output != STDOUT))
    taken = [output for output in outputs if Path(output).is_file()]
    if taken:
        more = f" (as do {len(taken) - 1} more of {len(outputs)} outputs)" if len(taken) > 1 else ""
        raise PlanError(
            f"{taken[0]}: exists already{more}; use --overwrite to replace, --resume to continue with the others, "
            "or -o for another place"
        )
    left = next((abandoned_journal(job.output) for job in jobs[:1] if job.shared), None)
    if left is not None:
        raise PlanError(
            f"{left}: was left by an interrupted run; use --resume to continue it, or --overwrite to start over"
        )
