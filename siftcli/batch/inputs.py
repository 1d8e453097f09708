"""Finding the images that a command line names: files, folders, patterns, lists."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from stat import S_ISREG
from typing import NamedTuple

from ..errors import FormatError, PlanError
from ..io.files import STDIN, Source, source_name, why_unreadable
from ..io.text.lines import byte_lines
from .left_out import LeftOut

__all__ = ["Input", "Inputs", "find_inputs", "read_list"]


class Input(NamedTuple):
    """One image to read.

    Attributes
    ----------
    path : str
        As the user would write it, or `STDIN`.
    relative : str
        Path below an output folder, which is the path of the image below the folder that the user named.
    """

    path: str
    relative: str


class Inputs(NamedTuple):
    """The images of a command line.

    Attributes
    ----------
    images : tuple of Input
        Each file once, in the order of the command line; in a folder by name, its files before its subfolders.
    single : bool
        The user named one file, not a folder, pattern or list.
    notes : tuple of str
        Messages for the user, one line each.
    left_out : tuple of str
        Summaries of the files in searched folders that are not read, one line each.
    """

    images: tuple[Input, ...]
    single: bool
    notes: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def find_inputs(arguments: Iterable[str], listed: Iterable[str] | None = None, *, recursive: bool = False) -> Inputs:
    """Find the images that a command line names.

    Parameters
    ----------
    arguments : iterable of str
        Files, folders, patterns (those of the shell, and ``**``), or `STDIN` alone.  A name that exists is no pattern.
        Whether a file exists is checked when it is read.
    listed : iterable of str, optional
        Files and folders from a list, see :func:`read_list`; never patterns.
    recursive : bool
        Search the subfolders of folders too.

    Returns
    -------
    Inputs

    Raises
    ------
    PlanError
        If there is no image, a pattern matches nothing, a folder cannot be read, or stdin is not alone.

    Notes
    -----
    In folders, names that begin with a dot are skipped, links to folders are not followed, and the suffix decides
    whether a file is read, which depends on the installed extras.  A file that is named directly may have any suffix.
    """
    arguments = list(arguments)
    if STDIN in arguments and (len(arguments) > 1 or listed is not None):
        raise PlanError("'-' (standard input) must be the only input")
    images: dict[Path, Input] = {}
    notes: list[str] = []
    left_out: list[str] = []
    single = False
    for named in (*(n for a in arguments for n in _argument(a)), *map(_listed, listed or ())):
        if named.path != STDIN and Path(named.path).is_dir():
            others = LeftOut()
            found = list(_folder(named.path, recursive, PurePath(named.relative), others))
            if not found:
                notes.append(f"{named.path}: no images in it" + (f"; left out: {others}" if str(others) else ""))
            elif str(others):
                left_out.append(f"{named.path}: left out: {others}")
        else:
            found = [named]
            single = arguments == [named.path]
        for image in found:
            images.setdefault(Path(image.path).absolute(), image)
    if not images:
        raise PlanError("; ".join(notes) or "no input: name at least one image, folder or pattern")
    return Inputs(tuple(images.values()), single and listed is None, tuple(notes), tuple(left_out))


def read_list(source: Source, *, name: str | None = None, null: bool = False) -> list[str]:
    """Read a list of file names, one per line or separated by NUL bytes.

    Parameters
    ----------
    source : path, bytes or binary file
        Empty names are skipped, and carriage returns at the ends of lines are removed.
    name : str, optional
        Name of the list in messages.
    null : bool
        Names are separated by NUL.

    Raises
    ------
    PlanError
        If the list cannot be read, or names no file.
    """
    name = source_name(source, name)
    separator = b"\0" if null else b"\n"
    try:
        lines = list(byte_lines(source, "a list of files", name, separator=separator))
    except FormatError as error:
        hint = "; use -0 for a list that is separated by them" if "NUL bytes" in error.reason else ""
        raise PlanError(f"{error}{hint}") from error
    names = [os.fsdecode(line if null else line.removesuffix(b"\r")) for line in lines if line.strip(b"\r")]
    if not names:
        raise PlanError(f"{name}: names no files")
    return names


def _argument(argument: str) -> Iterator[Input]:
    """Expand a pattern; yield any other argument unchanged."""
    path = Path(argument)
    if not argument:
        raise PlanError("an input has an empty name")
    if argument == STDIN:
        yield Input(STDIN, STDIN)
    elif path.is_dir():
        yield Input(argument, "")
    elif os.path.lexists(argument) or not glob.has_magic(argument):
        yield Input(argument, path.name)
    else:
        root = next(parent for parent in path.parents if not glob.has_magic(str(parent)) or parent.is_dir())
        pattern = argument
        if glob.has_magic(str(root)):
            pattern = os.path.join(glob.escape(str(root)), path.relative_to(root))  # noqa: PTH118  (of a pattern)
        # Path.glob would find hidden files too.
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        if not matches:
            raise PlanError(f"{argument}: matches no file")
        yield from (Input(match, str(Path(match).relative_to(root))) for match in matches)


def _listed(path: str) -> Input:
    """Return a file from a list; its relative path is as written, without a root and without `..`."""
    pure = PurePath(path)
    return Input(path, str(PurePath(*(part for part in pure.parts if part not in (pure.anchor, os.pardir)))))


def _folder(folder: str, recursive: bool, below: PurePath, others: LeftOut) -> Iterator[Input]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted((entry for entry in listing if not entry.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        raise PlanError(f"{folder}: {why_unreadable(error)}") from error
    for entry in entries:
        if _is_folder(entry):
            if not recursive or entry.is_symlink():
                others.folder()
        elif not _may_be_file(entry):
            others.irregular()
        elif others.takes(entry.name):
            yield Input(entry.path, str(below / entry.name))
    if recursive:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _folder(entry.path, recursive, below / entry.name, others)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """Tell whether to read an entry: a regular file, a link to one, or a broken link, which will be reported."""
    if not entry.is_symlink():
        return entry.is_file(follow_symlinks=False)
    try:
        return S_ISREG(Path(entry.path).stat().st_mode)
    except OSError:
        return True
