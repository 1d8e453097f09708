"""Names and formats of the pictures of ``sift draw``, and their writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple

from ..draw.formats import ANIMATED, FORMATS, picture_format
from ..errors import PlanError
from ..io.files import STDIN, STDOUT
from ..io.output import atomic_write, make_folder
from .streams import write_stdout

__all__ = ["Output", "Target", "refuse_existing", "target_of", "write_picture"]


@dataclass(frozen=True)
class Output:
    """The output that was asked for, and what is printed about it.

    Attributes
    ----------
    path, format : str or None
        None where they were not given.
    overwrite : bool
        Replace files that exist.
    as_json, quiet, verbose : bool
    """

    path: str | None
    format: str | None
    overwrite: bool
    as_json: bool
    quiet: bool
    verbose: bool


class Target(NamedTuple):
    """A picture's file, or `STDOUT`, and its format."""

    path: str
    format: str


def target_of(images: Sequence[str], output: Output, *, blink: bool) -> Target:
    """Decide where the picture of one or two images goes.

    Parameters
    ----------
    blink : bool
        Whether the picture is an animation.

    Raises
    ------
    PlanError
        If it cannot go there.
    """
    path, usual = output.path, output.format or ("gif" if blink else "png")
    if path == "":
        raise PlanError("-o: the name is empty")
    if path == STDOUT or (path is None and images[0] == STDIN):
        target = Target(STDOUT, picture_format("", usual))
    elif path is None or path.endswith("/") or Path(path).is_dir():
        folder, format = Path(images[0]).parent if path is None else Path(path), picture_format("", usual)
        target = Target(str(folder / _name(images, FORMATS[format][0])), format)
    else:
        target = Target(path, picture_format(path, output.format))
    if blink and target.format not in ANIMATED:
        raise PlanError(f"--layout blink: {target.format} holds no animation; use {', '.join(ANIMATED)}")
    if target.path == STDOUT and output.as_json:
        raise PlanError("--json: stdout cannot take both the picture and the JSON; give -o a file")
    refuse_existing([target.path], output)
    return target


def _name(images: Sequence[str], suffix: str) -> str:
    """Return the default name of the picture of one or two images."""
    stems = ["stdin" if image == STDIN else PurePath(image).stem for image in images]
    return f"{stems[0]}.keypoints{suffix}" if len(stems) == 1 else f"{stems[0]}-{stems[1]}.matches{suffix}"


def refuse_existing(paths: Sequence[str], output: Output) -> None:
    """Refuse to replace files unless --overwrite was given."""
    present = [path for path in paths if path != STDOUT and Path(path).is_file()]
    if present and not output.overwrite:
        more = f" (as do {len(present) - 1} more)" if len(present) > 1 else ""
        raise PlanError(f"{present[0]}: exists already{more}; use --overwrite to replace it, or -o for another place")


def write_picture(path: str, data: bytes, output: Output) -> None:
    """Write a picture to a file, whose folder is created if needed, or to stdout."""
    if path == STDOUT:
        write_stdout(data)
    else:
        make_folder(Path(path).parent)
        atomic_write(path, data, overwrite=output.overwrite)
