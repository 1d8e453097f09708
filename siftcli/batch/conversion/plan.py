"""Planning a conversion: which files are read and written, and all checks before anything is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import OutputError, PlanError
from ...features import ParameterValue
from ...io.colmap.camera import DatabaseOptions
from ...io.files import STDIN, STDOUT
from ...io.formats import FORMATS, Format, feature_files, format_for, format_of_suffix
from ...io.journal import abandoned_journal
from ...io.names import place_below, stem
from ..clashes import refuse_clashes
from .image_names import ImageFinder, is_image
from .sources import Item, exists_as_folder, find_sources

__all__ = ["Conversion", "Item", "plan_conversion"]


@dataclass(frozen=True)
class Conversion:
    """A planned conversion.

    Attributes
    ----------
    items : tuple of Item
        Items of one file are consecutive.
    target : Format
        Format of the output.
    output : str
        A file, or a folder.
    overwrite : bool
        Replace existing outputs.
    finder : ImageFinder or None
        Finds the images of the features.
    parameters : mapping or None
        Parameters of all features, if the output stores them.
    notes : tuple of str
        Messages for the user, one line each.
    database : DatabaseOptions or None
        Options for writing a COLMAP database.
    """

    items: tuple[Item, ...]
    target: Format
    output: str
    overwrite: bool = False
    finder: ImageFinder | None = None
    parameters: Mapping[str, ParameterValue] | None = None
    notes: tuple[str, ...] = ()
    database: DatabaseOptions | None = None

    @property
    def outputs(self) -> list[Path]:
        """All files that are written."""
        outputs = {item.output for item in self.items if item.fault is None} or {self.output}
        return [part for path in sorted(outputs - {STDOUT}) for part in feature_files(path, self.target.name)]

    @property
    def inputs(self) -> list[Path]:
        """All files that are read."""
        images = [] if self.finder is None else [self.finder.path(item.name) for item in self.items]
        sources = dict.fromkeys(item.path for item in self.items if item.path != STDIN)
        return [*(part for path in sources for part in feature_files(path)), *images]


def plan_conversion(
    sources: Sequence[str],
    output: str,
    *,
    source_format: str | None = None,
    target_format: str | None = None,
    images: str | None = None,
    recursive: bool = False,
    overwrite: bool = False,
    database: DatabaseOptions | None = None,
    keep: Callable[[str], bool] | None = None,
) -> Conversion:
    """Plan a conversion.

    Parameters
    ----------
    sources : sequence of str
        Feature files, folders of files of one image each, or `STDIN` alone.
    output : str
        A file or a folder.  A name is a folder if one exists, if it ends with a slash, or if there are several images
        and the format holds one.
    source_format, target_format : str, optional
        Names of formats; by default, suffixes and contents determine them.
    images : str, optional
        Folder of the images, which has their full names and sizes.
    recursive : bool
        Search subfolders too.
    overwrite : bool
        Replace existing outputs.
    database : DatabaseOptions, optional
        Options for writing a COLMAP database.
    keep : callable, optional
        Tells whether to convert an image, by its name; by default, all are converted.

    Returns
    -------
    Conversion
        With at least one item, or a target of many images.

    Raises
    ------
    PlanError
        If there is nothing to convert, a format is unknown, two inputs have an image of the same name or different
        parameters, or an output exists and `overwrite` is not set.
    FormatError
        If a file of many images cannot be read.
    ParameterError
        For an unknown format.
    """
    if not output or not all(sources):
        raise PlanError("the name of the input or the output is empty")
    finder = None if images is None else ImageFinder(images)
    found = find_sources(sources, source_format, recursive)
    items, notes = _named(found.items, finder)
    if keep is not None:
        items = [item for item in items if keep(item.name)]
    target = _target(output, target_format, found.several)
    if database is not None and not target.database:
        raise PlanError("--camera, --camera-model, --camera-params and --colmap-version need an output that is a .db")
    folder = _is_folder(output) or (found.several and not target.many)
    if output == STDOUT:
        if found.several or target.kind != "stream":
            raise PlanError(f"standard output takes one file of one image, not {target.title}; give a name")
    elif folder:
        items = [_placed(item, output, target) for item in items]
    else:
        items = [replace(item, output=output) for item in items]
    sound = [item for item in items if item.fault is None]
    outputs = list(dict.fromkeys(item.output for item in sound)) if folder else [output]
    if output != STDOUT:
        _refuse_collisions(sound, target)
    parameters = found.parameters(output) if target.many and "parameters" in target.holds else None
    bare = next((item.name for item in items if not is_image(item.name)), None)
    if bare is not None and finder is None and (target.many or target.whole_name) and output != STDOUT:
        notes.append(f"{bare!r} is the name of features, and the image's is not known; --images DIR finds it")
    notes = [*found.notes, *notes]
    conversion = Conversion(tuple(items), target, output, overwrite, finder, parameters, tuple(notes), database)
    refuse_clashes(conversion.outputs, conversion.inputs)
    if output != STDOUT and not overwrite:
        _refuse_existing(outputs, target)
    return conversion


def _exists_as_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:
        return False


def _is_folder(output: str) -> bool:
    return output.endswith(("/", os.sep)) or exists_as_folder(output)


def _named(items: list[Item], finder: ImageFinder | None) -> tuple[list[Item], list[str]]:
    """Give the items the full names of their images, as far as these are found."""
    if finder is None:
        return items, []
    names = [finder.find(item.name) for item in items]
    lost = [item.name for item, name in zip(items, names, strict=True) if name is None]
    more = f" (nor for {len(lost) - 1} more)" if len(lost) > 1 else ""
    notes = [f"no image for {lost[0]!r}{more} in the folder of the images"] if lost else []
    return [replace(item, name=name or item.name) for item, name in zip(items, names, strict=True)], notes


def _target(output: str, name: str | None, several: bool) -> Format:
    """Return the format of the output; refuse an unknown one, and one that cannot hold the features."""
    if output == STDOUT:
        return format_for("", name or "lowe")
    if name is None and (_is_folder(output) or format_of_suffix(output) is None):
        why = "is a folder" if _is_folder(output) else "has no suffix of a feature format"
        raise PlanError(f"{output}: {why}; say what to convert to with --to, one of {', '.join(FORMATS)}")
    target = format_for(output, name)
    if target.many and _is_folder(output):
        raise PlanError(f"{output}: is a folder, and {target.title} is one file for all; give the name of a file")
    if several and not target.many and not _is_folder(output) and format_of_suffix(output) is not None:
        raise PlanError(f"{output}: {target.title} holds one image; give a folder ('out/') for several")
    return target


def _placed(item: Item, folder: str, target: Format) -> Item:
    """Give an item its file below a folder, or a fault if its name cannot be the name of a file there."""
    name = item.name if target.whole_name or not is_image(item.name) else stem(item.name)
    try:
        return replace(item, output=str(place_below(folder, item.name, name + target.suffix)))
    except OutputError as error:
        return replace(item, output=folder, fault=error.reason)


def _refuse_collisions(items: list[Item], target: Format) -> None:
    """Raise PlanError if two images have the same place in the output."""
    taken: dict[tuple[str, str], Item] = {}
    for item in items:
        other = taken.setdefault((os.path.normcase(item.output), item.name if target.many else ""), item)
        if other is item:
            continue
        if other.path == item.path and other.image == item.image:
            raise PlanError(f"{item.path}: is given twice; give each input once")
        hint = "leave one of them out"
        if not (other.format.many or item.format.many) and Path(other.path).parent != Path(item.path).parent:
            hint = "name the folder that holds both, with --recursive, to keep its tree"
        if target.many:
            raise PlanError(f"{other.path} and {item.path} both have an image {item.name!r}; {hint}")
        raise PlanError(f"{other.label} and {item.label} would both write {item.output}; {hint}")


def _refuse_existing(outputs: Sequence[str], target: Format) -> None:
    """Raise PlanError if an output exists, or the journal of an unfinished run that writes it."""
    exists = [output for output in outputs if _exists_as_file(output)]
    if exists:
        more = f" (as do {len(exists) - 1} more)" if len(exists) > 1 else ""
        raise PlanError(f"{exists[0]}: exists already{more}; use --overwrite, or give another name")
    if target.many and (left := abandoned_journal(outputs[0])) is not None:
        raise PlanError(
            f"{left}: was left by an interrupted run; if that was sift detect, continue "
            "with --resume; otherwise drop it with --overwrite"
        )
