"""``sift convert`` for COLMAP databases and for matches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PlanError
from ..io.files import STDIN, STDOUT
from ..io.formats import FORMATS, format_of_suffix
from ..words import counted
from .guard import guard
from .messages import Messages
from .streams import say, write_json

if TYPE_CHECKING:
    from ..io.colmap.camera import DatabaseOptions

__all__ = ["are_databases", "convert_databases", "convert_matches"]


def are_databases(sources: Sequence[str], source: str | None, output: str, target: str | None) -> bool:
    """Tell whether all inputs and the output are COLMAP databases, by their formats or suffixes."""
    names = [(path, source) for path in sources] + [(output, target)]
    formats = (FORMATS.get(name) if name else format_of_suffix(path) for path, name in names)
    return all(format is not None and format.database for format in formats)


def _refuse_existing(output: str, overwrite: bool) -> None:
    if not overwrite and Path(output).exists():
        raise PlanError(f"{output}: exists already; use --overwrite, or give another name")


def convert_databases(
    sources: Sequence[str],
    output: str,
    keep: Callable[[str], bool],
    options: DatabaseOptions | None,
    *,
    overwrite: bool,
    messages: Messages,
) -> int:
    """Merge databases, with their cameras and matches; return the exit status."""
    from ..io.colmap.merge import merge_databases

    guard([output])
    _refuse_existing(output, overwrite)
    images: dict[str, int] = {}

    def on_image(source: str, name: str, found: int) -> None:
        images[name] = found
        if messages.as_json:
            record = {
                "path": f"{source}: {name}",
                "output": output,
                "status": "done",
                "keypoints": found,
                "error": None,
            }
            write_json(record)
        if messages.verbose:
            say(f"{source}: {name}: {counted(found, 'keypoint')}")

    merge_databases(sources, output, keep, options=options, overwrite=overwrite, on_image=on_image)
    images_done, databases = counted(len(images), "image"), counted(len(sources), "database")
    messages.note(f"{output}: {images_done} of {databases}, {counted(sum(images.values()), 'keypoint')}")
    return 0


def convert_matches(
    sources: Sequence[str],
    output: str,
    keep: Callable[[str], bool],
    *,
    source_format: str | None,
    target_format: str | None,
    overwrite: bool,
    messages: Messages,
) -> int:
    """Convert a match file of many pairs; return the exit status."""
    from ..io.matches import match_format_for, pairs_of, write_matches

    if len(sources) != 1 or STDIN in sources or output == STDOUT:
        raise PlanError("--matches: converts one file of matches into another; give two names")
    guard([output])
    source = match_format_for(sources[0], source_format, many=True, reading=True)
    target = match_format_for(output, target_format, many=True)
    if not target.database:
        _refuse_existing(output, overwrite)
    pairs = [
        (a, b, matches)
        for a, b, matches in pairs_of(sources[0], source)
        if a is not None and b is not None and keep(a) and keep(b)
    ]
    target.function("check_names")(output, {name for a, b, _ in pairs for name in (a, b)})
    if target.needs_sizes and any(matches.sizes is None for _, _, matches in pairs):
        raise PlanError(f"{sources[0]}: does not tell how many keypoints the images have, which {target.title} needs")
    write_matches(output, pairs, target.name, overwrite=overwrite or target.database)
    total = sum(len(matches) for _, _, matches in pairs)
    messages.note(f"{output}: {counted(len(pairs), 'pair')}, {counted(total, 'match')}")
    return 0
