"""Finding the features to convert: their files, and the names of their images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ...errors import PlanError, SiftError
from ...features import ParameterValue
from ...io.files import STDIN, STDOUT, why_unreadable
from ...io.formats import Format, format_for, format_of_suffix, recognise
from ...io.journal import has_journal, journal_path
from ...io.npz import read_parameters
from ...io.registry import collection_reader

__all__ = ["Item", "Sources", "exists_as_folder", "find_sources"]

_TOLD = 3
"""Most differences that a message names."""


@dataclass(frozen=True)
class Item:
    """The features of one image to convert.

    Attributes
    ----------
    path : str
        The file that has them.
    format : Format
        Format of that file.
    image : str
        Name of the image in the file.
    name : str
        Name of the image below the folder of the images, as far as it is known.
    output : str
        The file to write.
    fault : str or None
        Why it cannot be written.
    """

    path: str
    format: Format
    image: str
    name: str
    output: str = STDOUT
    fault: str | None = None

    @property
    def label(self) -> str:
        """The file and, where it holds many images, which of them."""
        return f"{self.path}: {self.image}" if self.format.many else self.path


@dataclass
class Sources:
    """The contents of the inputs.

    Attributes
    ----------
    items : list of Item
        Items of one file are consecutive.
    several : bool
        There are several images, or the input is a folder, which may have several.
    notes : list of str
        Messages for the user, one line each.
    """

    items: list[Item] = field(default_factory=list)
    several: bool = False
    notes: list[str] = field(default_factory=list)
    _told: dict[str, Mapping[str, ParameterValue] | None] = field(default_factory=dict)

    def add(self, source: str, name: str | None, recursive: bool) -> None:
        """Add a file, a folder of files of one image each, or standard input.

        Raises
        ------
        PlanError
            If there is nothing in a folder, or a file is not finished.
        FormatError
            If a file of many images cannot be read.
        ParameterError
            For an unknown format.
        """
        if exists_as_folder(source):
            found = list(_folder(Path(source), Path(source), name, recursive))
            if not found:
                raise PlanError(
                    f"{source}: no feature files in it" + ("" if recursive else ", subfolders not searched")
                )
            self.items += found
        elif source == STDIN:
            format = format_for("", name or "lowe")
            if format.kind != "stream":
                raise PlanError(f"standard input holds one file of one image, not {format.title}; give its name")
            self.items.append(Item(STDIN, format, "stdin", "stdin"))
        else:
            self._add_file(source, name)

    def _add_file(self, source: str, name: str | None) -> None:
        journal = journal_path(source) if has_journal(source) else None
        if journal is not None and not Path(source).exists():
            raise PlanError(f"{source}: is not there yet, but {journal}; finish that run with --resume first")
        format = format_for(source, name, reading=True)
        if not format.many:
            image = format.image_name(PurePath(PurePath(source).name))
            self.items.append(Item(source, format, image, image))
            return
        with collection_reader(source, format.name) as collection:
            self.items += [Item(source, format, image, image) for image in collection.names]
            self._told[source] = collection.parameters
        if journal is not None:
            self.notes.append(
                f"{journal} is of a run that did not end, and not converted; to have it all, finish that run "
                "with --resume first"
            )

    def parameters(self, output: str) -> Mapping[str, ParameterValue] | None:
        """Return the parameters of all features; None if a file does not store them.

        Parameters
        ----------
        output : str
            Name of the output, for messages.

        Raises
        ------
        PlanError
            If two files have different ones.
        """
        known: tuple[str, Mapping[str, ParameterValue]] | None = None
        silent = None
        formats = {item.path: item.format for item in self.items}
        for path in dict.fromkeys((*self._told, *formats)):
            try:
                told = self._told[path] if path in self._told else _read_parameters(path, formats[path])
            except SiftError:  # reported when the file is converted
                continue
            if told is None:
                silent = silent or path
            elif known is None:
                known = (path, told)
            elif told != known[1]:
                raise PlanError(
                    f"{known[0]} and {path} were made with different parameters ({_difference(known[1], told)}), and "
                    f"{output} would have one set for all; make one of them again, or convert them to separate files"
                )
        if known is None or silent is None:
            return known and known[1]
        self.notes.append(f"{silent} does not store its parameters, unlike {known[0]}; {output} will store none")
        return None


def find_sources(sources: Sequence[str], name: str | None, recursive: bool) -> Sources:
    """Find the features in several inputs.

    Parameters
    ----------
    sources : sequence of str
        Files, folders, or standard input alone.
    name : str or None
        Name of their format.
    recursive : bool
        Search the subfolders of folders too.

    Raises
    ------
    PlanError, FormatError, ParameterError
        As `Sources.add`.
    """
    if len(sources) > 1 and STDIN in sources:
        raise PlanError("standard input cannot be one of several inputs; give it alone, or the names of files")
    found = Sources()
    for source in sources:
        found.add(source, name, recursive)
    found.several = len(found.items) != 1 or len(sources) > 1 or any(map(exists_as_folder, sources))
    return found


def exists_as_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:  # such as a name that is too long
        return False


def _read_parameters(path: str, format: Format) -> Mapping[str, ParameterValue] | None:
    """Return the parameters that a file of one image stores; only one such format does."""
    return read_parameters(path) if "parameters" in format.holds and path != STDIN else None


def _difference(a: Mapping[str, ParameterValue], b: Mapping[str, ParameterValue]) -> str:
    """Name the first parameters that differ, with their values."""
    names = [name for name in sorted({*a, *b}) if name not in a or name not in b or a[name] != b[name]]
    told = [f"{name}: {a.get(name, 'nothing')} and {b.get(name, 'nothing')}" for name in names[:_TOLD]]
    return ", ".join(told) + (f", and {len(names) - _TOLD} more" if len(names) > _TOLD else "")


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
    """Return the format of a file of one image, which must be the named one if there is a name; else None."""
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
    # One file represents both of a pair.
    second = format.kind == "pair" and not path.name.lower().endswith(format.suffix)
    return None if second and path.with_suffix(format.suffix).exists() else format
