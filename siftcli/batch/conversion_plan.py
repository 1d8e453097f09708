"""From one feature format to another: which files are read, and which are written.

Everything that can be refused is refused here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from ..io.files import why_unreadable
from ..io.formats import FORMATS, Format, format_for, format_of_suffix, recognise
from ..io.registry import read_collection
from .image_names import ImageFinder, is_image
from .inputs import STDIN, PlanError
from .plan import STDOUT

__all__ = ["Conversion", "Item", "plan_conversion"]


@dataclass(frozen=True)
class Item:
    """One image's features to convert.

    Attributes
    ----------
    path : str
        The file that they are in.
    format : Format
        Of that file.
    image : str
        The image's name in the file.
    name : str
        The image's name below the folder of the images, as far as it is known.
    output : str
        The file that they go to.
    """

    path: str
    format: Format
    image: str
    name: str
    output: str = STDOUT


@dataclass(frozen=True)
class Conversion:
    """A conversion that can be carried out.

    Attributes
    ----------
    items : tuple of Item
        Those of one file follow one another.
    target : Format
        Of the output.
    output : str
        A file, or a folder.
    overwrite : bool
        Existing outputs may be replaced.
    finder : ImageFinder or None
        Finds the images that the features are of.
    notes : tuple of str
        What the user should know, each one line.
    """

    items: tuple[Item, ...]
    target: Format
    output: str
    overwrite: bool = False
    finder: ImageFinder | None = None
    notes: tuple[str, ...] = ()


def plan_conversion(
    source: str,
    output: str,
    *,
    source_format: str | None = None,
    target_format: str | None = None,
    images: str | None = None,
    recursive: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """Decide what is read and what is written.

    Parameters
    ----------
    source : str
        A feature file, or a folder of files of one image each.
    output : str
        A file, or a folder (one that exists, ends with a slash, or is meant because there are several images).
    source_format, target_format : str, optional
        By default the suffixes and the contents say them.
    images : str, optional
        The folder of the images, which gives them their whole names and their sizes.
    recursive : bool
        Search the subfolders of a folder too.
    overwrite : bool
        Existing outputs may be replaced.

    Returns
    -------
    Conversion
        With at least one item, or a target of many images.

    Raises
    ------
    PlanError
        If there is nothing to convert, a format cannot be told, two images would write the same file, or an output
        exists and is not to be overwritten.
    FormatError
        If a file of many images cannot be read.
    ParameterError
        For an unknown format.
    """
    if not source or not output:
        raise PlanError("the name of the input or the output is empty")
    finder = None if images is None else ImageFinder(images)
    items, notes = _named(list(_sources(source, source_format, recursive)), finder)
    several = len(items) != 1 or _exists_as_folder(source)
    target = _target(output, target_format, several)
    folder = _is_folder(output) or (several and not target.many)
    if output == STDOUT:
        if several or target.kind != "stream":
            raise PlanError(f"standard output takes one file of one image, not {target.title}; give a name")
    elif folder:
        items = [replace(item, output=str(Path(output, _file_name(item.name, target)))) for item in items]
    else:
        items = [replace(item, output=output) for item in items]
    _refuse(items, target, overwrite)
    bare = next((item.name for item in items if not is_image(item.name)), None)
    if bare is not None and finder is None and (target.many or target.whole_name) and output != STDOUT:
        notes.append(f"{bare!r} is the name of features, and the image's is not known; --images DIR finds it")
    return Conversion(tuple(items), target, output, overwrite, finder, tuple(notes))


def _exists_as_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:  # such as a name that is too long
        return False


def _exists_as_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:
        return False


def _is_folder(output: str) -> bool:
    return output.endswith(("/", os.sep)) or _exists_as_folder(output)


def _sources(source: str, name: str | None, recursive: bool) -> Iterator[Item]:
    """Find the features of a file or a folder."""
    if _exists_as_folder(source):
        found = list(_folder(Path(source), Path(source), name, recursive))
        if not found:
            raise PlanError(f"{source}: no feature files in it" + ("" if recursive else ", subfolders not searched"))
        yield from found
        return
    if source == STDIN:
        format = format_for("", name or "lowe")
        if format.kind != "stream":
            raise PlanError(f"standard input holds one file of one image, not {format.title}; give its name")
        yield Item(STDIN, format, "stdin", "stdin")
        return
    format = format_for(source, name, reading=True)
    if not format.many:
        image = format.image_name(PurePath(PurePath(source).name))
        yield Item(source, format, image, image)
        return
    with read_collection(source, format.name) as collection:
        for image in collection.names:
            yield Item(source, format, image, image)


def _folder(folder: Path, root: Path, name: str | None, recursive: bool) -> Iterator[Item]:
    """Find the feature files of one image each: all, or those of one format."""
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise PlanError(f"{folder}: {why_unreadable(error)}") from error
    for path in entries:
        format = _of_one_image(path, name)
        if format is not None:
            image = format.image_name(PurePath(path.name))
            yield Item(str(path), format, image, path.parent.relative_to(root).joinpath(image).as_posix())
    for path in entries if recursive else ():
        if path.is_dir() and not path.is_symlink():
            yield from _folder(path, root, name, recursive)


def _of_one_image(path: Path, name: str | None) -> Format | None:
    """Return the format of a file, if it is one of one image, and of that name if one is given."""
    suffixed = format_of_suffix(path)
    if suffixed is None or not path.is_file():
        return None
    if name is None:
        format = recognise(path)
    else:
        format = format_for(path, name)
        if not any(path.name.lower().endswith(suffix) for suffix in format.suffixes):
            return None
    if format is None or format.many:
        return None
    # Of a pair of files, one stands for both.
    second = format.kind == "pair" and not path.name.lower().endswith(format.suffix)
    return None if second and path.with_suffix(format.suffix).exists() else format


def _named(items: list[Item], finder: ImageFinder | None) -> tuple[list[Item], list[str]]:
    """Give the features the whole names of their images, where these are found."""
    if finder is None:
        return items, []
    names = [finder.find(item.name) for item in items]
    lost = [item.name for item, name in zip(items, names, strict=True) if name is None]
    more = f" (nor for {len(lost) - 1} more)" if len(lost) > 1 else ""
    notes = [f"no image for {lost[0]!r}{more} in the folder of the images"] if lost else []
    return [replace(item, name=name or item.name) for item, name in zip(items, names, strict=True)], notes


def _target(output: str, name: str | None, several: bool) -> Format:
    """Return the format of the output, or refuse where it cannot be told or cannot hold what there is."""
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


def _file_name(name: str, target: Format) -> PurePath:
    """Name the output of an image, whose name may lack the suffix."""
    path = PurePath(name)
    stem = path.name if target.whole_name or not is_image(name) else path.stem
    return path.with_name(stem + target.suffix)


def _refuse(items: list[Item], target: Format, overwrite: bool) -> None:
    """Raise PlanError if an output is an input, is one of two images, or exists and is not to be replaced."""
    inputs = {Path(item.path).absolute() for item in items}
    taken: dict[tuple[str, str], Item] = {}
    for item in items:
        if item.output != STDOUT and Path(item.output).absolute() in inputs:
            raise PlanError(f"{item.output}: is the input, and would be overwritten; give another name")
        other = taken.setdefault((os.path.normcase(item.output), item.name if target.many else ""), item)
        if other is not item:
            raise PlanError(
                f"{other.path} and {item.path} would both write {item.name if target.many else item.output}"
            )
    exists = [output for output in dict.fromkeys(item.output for item in items) if _exists_as_file(output)]
    if exists and not overwrite:
        more = f" (as do {len(exists) - 1} more)" if len(exists) > 1 else ""
        raise PlanError(f"{exists[0]}: exists already{more}; use --overwrite, or give another name")
