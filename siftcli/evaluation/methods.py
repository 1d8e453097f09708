"""Methods that features are evaluated by: a preset, a function, or files."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from ..api import detect
from ..engine.selection import select
from ..errors import FormatError, ParameterError
from ..features import Features, Image, ParameterValue
from ..io.formats import FORMATS, feature_files, recognise
from ..io.image import LoadedImage, read_image
from ..io.image_kinds import ImageReading
from ..io.registry import collection_reader, read_features
from ..params import SelectionParams, plain_values
from ..presets import PRESETS, all_parameters
from .sequences import SequenceImage

__all__ = ["Extracted", "Given", "Method", "budgeted", "methods_of"]

Given: TypeAlias = "str | PathLike[str] | Callable[[Image], Features]"
"""A preset's name, a folder or file of features, or a function of a grey image."""

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class Extracted(NamedTuple):
    """The features of one image.

    Attributes
    ----------
    features : Features
    seconds : float or None
        Time of the extraction; None if the features were read from a file.
    memory : float or None
        Peak memory of this process meanwhile, in MB; None if the system does not report it.
    warnings : tuple of str
        About the image, with its name.
    """

    features: Features
    seconds: float | None = None
    memory: float | None = None
    warnings: tuple[str, ...] = ()


class Method(Protocol):
    """A source of features; must be something that can be pickled for more than one process."""

    @property
    def name(self) -> str:
        """Name of the method, in tables."""

    def extract(self, image: SequenceImage, reading: ImageReading) -> Extracted:
        """Return the features of an image that is read in this way."""

    def files(self, images: Iterable[SequenceImage]) -> list[Path]:
        """Return the feature files of these images that are there."""

    def about(self, images: Iterable[SequenceImage]) -> dict[str, ParameterValue]:
        """Return what the features of these images depend on, by name."""


@dataclass(frozen=True)
class Preset:
    """Features by this engine."""

    name: str
    preset: str
    workers: int = 1

    def extract(self, image: SequenceImage, reading: ImageReading) -> Extracted:
        """Extract the features of an image."""
        loaded = read_image(image.path, **reading._asdict())
        return _measured(lambda pixels: detect(pixels, self.preset, mask=loaded.mask, workers=self.workers), loaded)

    def files(self, images: Iterable[SequenceImage]) -> list[Path]:
        """Return nothing: no file is read."""
        return []

    def about(self, images: Iterable[SequenceImage]) -> dict[str, ParameterValue]:
        """Return the parameters."""
        return {"preset": self.preset, **plain_values(*all_parameters(self.preset))}


@dataclass(frozen=True, eq=False)
class Function:
    """Features by a function of the pixels, such as another program's."""

    name: str
    function: Callable[[Image], Features]

    def extract(self, image: SequenceImage, reading: ImageReading) -> Extracted:
        """Call the function with the pixels of an image."""
        return _measured(self.function, read_image(image.path, **reading._asdict()))

    def files(self, images: Iterable[SequenceImage]) -> list[Path]:
        """Return nothing: no file is read."""
        return []

    def about(self, images: Iterable[SequenceImage]) -> dict[str, ParameterValue]:
        """Return the function's name."""
        return {"function": getattr(self.function, "__qualname__", type(self.function).__qualname__)}


@dataclass(frozen=True)
class Files:
    """Features from files: a folder with a file for each image, or a file of many images."""

    name: str
    path: Path

    def extract(self, image: SequenceImage, reading: ImageReading) -> Extracted:
        """Read the features of an image.

        Raises
        ------
        FormatError
            If there are none, or they cannot be read.
        """
        if self.path.is_dir():
            return Extracted(read_features(self._file(image)))
        with collection_reader(self.path) as collection:
            stem = Path(image.name).with_suffix("").as_posix()
            for name in (f"{image.sequence}/{image.name}", image.name, f"{image.sequence}/{stem}", stem):
                if name in collection.names:
                    return Extracted(collection.read(name))
        raise FormatError(self.path, f"holds no image {image.name!r}; sift info lists what it holds")

    def _file(self, image: SequenceImage) -> Path:
        suffixes = dict.fromkeys(suffix for f in FORMATS.values() if not f.many for suffix in f.suffixes)
        stem = Path(image.name).with_suffix("").as_posix()
        for folder in (self.path / image.sequence, self.path):
            for base in (image.name, stem):
                found = [path for path in (folder / f"{base}{suffix}" for suffix in suffixes) if path.is_file()]
                kinds = {f.name: path for path in found if (f := recognise(path)) is not None}
                if len(kinds) > 1:
                    names = ", ".join(path.name for path in kinds.values())
                    raise FormatError(folder, f"holds features of {image.name} in several files: {names}; keep one")
                if kinds:
                    return next(iter(kinds.values()))
        raise FormatError(self.path, f"holds no features of {image.name}, such as {stem}.key")

    def files(self, images: Iterable[SequenceImage]) -> list[Path]:
        """Return the feature files of these images that are there."""
        if self.path.is_file():
            return [self.path]
        found = set()
        for image in images:
            with suppress(FormatError):  # reported when the pair is measured
                found.update(feature_files(self._file(image)))
        return sorted(found)

    def about(self, images: Iterable[SequenceImage]) -> dict[str, ParameterValue]:
        """Return the files, with their sizes and times."""
        told: dict[str, ParameterValue] = {"path": str(self.path)}
        for path in self.files(images):
            status = path.stat()
            told[str(path)] = f"{status.st_size} bytes, {status.st_mtime_ns}"
        return told


def methods_of(given: Iterable[Given] | Mapping[str, Given], workers: int = 1) -> list[Method]:
    """Make methods of what was given, named by the keys of a mapping.

    Raises
    ------
    ParameterError
        If there are none, or two of one name, or one is neither a preset nor features.
    """
    items = list(given.items()) if isinstance(given, Mapping) else [(None, value) for value in given]
    methods = [_method(name, value, workers) for name, value in items]
    names = [method.name for method in methods]
    if not names:
        raise ParameterError("methods", "there is none; give a preset, or features")
    for name in names:
        if names.count(name) > 1:
            raise ParameterError("methods", f"two are named {name}; rename one of the folders")
    return methods


def _method(name: str | None, value: Given, workers: int) -> Method:
    if isinstance(value, str) and value in PRESETS:
        return Preset(name or value, value, workers)
    if isinstance(value, (str, PathLike)):
        path = Path(value)
        if not path.exists():
            known = ", ".join(PRESETS)
            raise ParameterError("methods", f"{path}: no such file or folder, nor a preset ({known})")
        if path.is_file() and not getattr(recognise(path), "many", False):
            raise FormatError(path, "is no file of the features of many images; give the folder of the feature files")
        return Files(name or path.resolve().name, path)
    return Function(name or str(getattr(value, "__name__", "function")), value)


def budgeted(features: Features, budget: int | None) -> Features:
    """Keep at most so many keypoints: those of highest response, or the largest if responses are unknown."""
    strongest = SelectionParams(max_keypoints=budget)
    return select(features, strongest if features.scores is not None else replace(strongest, keep="largest"))


def _measured(work: Callable[[Image], Features], image: LoadedImage) -> Extracted:
    """Call a function and measure its time and, on Linux, the peak memory of this process."""
    try:
        _CLEAR.write_text("5")  # resets the peak
        resettable = True
    except OSError:
        resettable = False
    start = time.perf_counter()
    features = work(image.pixels)
    seconds = time.perf_counter() - start
    warnings = tuple(f"{image.name}: {words}" for words in image.warnings)
    return Extracted(features, seconds, _peak() if resettable else None, warnings)


def _peak() -> float | None:
    if not sys.platform.startswith("linux"):
        return None
    line = next((line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:")), None)
    return None if line is None else int(line.split()[1]) / 1024
