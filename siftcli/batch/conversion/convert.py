"""Converting features from one format to another, and naming what is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

from ...errors import OutputError, SiftError
from ...features import Features
from ...io.collection import CollectionWriter
from ...io.exif import read_camera
from ...io.files import STDIN, STDOUT
from ...io.formats import Format
from ...io.output import is_fatal, make_folder, output_error
from ...io.registry import collection_reader, collection_writer, encode_features, read_features, write_features
from ..manifest import inherited
from ..report import Result
from .plan import Conversion, Item

__all__ = ["convert", "differences"]


def differences(source: Format, target: Format) -> str:
    """Describe in one line how coordinates, angles and bins are converted; empty if they are the same."""
    a, b = source.conventions, target.conventions
    parts = []
    if a.axes != b.axes:
        parts.append(f"coordinates {a.axes} to {b.axes}")
    if a.origin != b.origin:
        parts.append(f"first pixel's centre ({a.origin:g}, {a.origin:g}) to ({b.origin:g}, {b.origin:g})")
    if a.angles != b.angles:
        parts.append(f"angles {a.angles} to {b.angles}")
    if a.bins != b.bins:
        parts.append(f"descriptor bins {a.bins} to {b.bins}")
    return "; ".join(parts)


def _lost(features: Features, source: Format, target: Format) -> list[str]:
    """Name the fields that the target format cannot hold."""
    lost = target.losses(features)
    precision = target.conventions.precision
    if precision not in ("exact", source.conventions.precision):
        lost.append(f"precision beyond {precision}")
    return lost


def convert(conversion: Conversion, on_result: Callable[[Result], None], *, stdin: bytes = b"") -> dict[str, int]:
    """Carry out a conversion.

    Parameters
    ----------
    conversion : Conversion
    on_result : callable
        Called with the result of each image, as soon as it is known.
    stdin : bytes
        Contents of standard input, if that is the input.

    Returns
    -------
    dict
        Names of fields that the target cannot hold, with the number of images that have them.

    Raises
    ------
    OutputError
        If the output of all images cannot be written.  An error of one image is in its result.
    """
    lost: Counter[str] = Counter()
    done: list[Item] = []
    writer = _writer(conversion) if conversion.target.many else None
    try:
        for path, items in groupby(conversion.items, key=lambda item: item.path):
            for item, read in _opened(path, list(items), stdin):
                result = _one(item, read, writer, conversion, lost)
                if result.status == "done":
                    done.append(item)
                on_result(result)
        if writer is not None and (done or not conversion.items):
            with inherited(_unchanged(done, conversion), conversion.output):
                writer.close()
    finally:
        if writer is not None:
            writer.abort(keep=False)
    return dict(lost)


def _writer(conversion: Conversion) -> CollectionWriter:
    """Open the output of all images."""
    make_folder(Path(conversion.output).parent)
    return collection_writer(
        conversion.output,
        conversion.target.name,
        parameters=conversion.parameters,
        overwrite=conversion.overwrite,
        database=conversion.database,
    )


def _unchanged(items: list[Item], conversion: Conversion) -> list[tuple[str, str]]:
    """Return file and image of the items that are copied unchanged, whose records hold for the output too."""
    if conversion.parameters is None:
        return []
    return [(i.path, i.image) for i in items if i.format is conversion.target and i.name == i.image]


def _opened(path: str, items: list[Item], stdin: bytes) -> Iterator[tuple[Item, Callable[[], Features]]]:
    """Yield each item of one file with a function that reads it while the file is open."""
    format = items[0].format
    if path == STDIN:
        yield items[0], lambda: format.function(format.decoder)(stdin, name="<stdin>")
    elif not format.many:
        yield items[0], lambda: read_features(path, format.name)
    else:
        with collection_reader(path, format.name) as collection:
            for item in items:
                yield item, partial(collection.read, item.image)


def _one(
    item: Item,
    read: Callable[[], Features],
    writer: CollectionWriter | None,
    conversion: Conversion,
    lost: Counter[str],
) -> Result:
    start = time.perf_counter()
    keypoints = error = data = None
    try:
        if item.fault is not None:
            raise OutputError(item.label, item.fault)
        features = _sized(read(), item, conversion)
        if writer is not None:
            writer.add(item.name, features)
        elif item.output == STDOUT:
            data = encode_features(features, conversion.target.name, name="<stdout>")
        else:
            make_folder(Path(item.output).parent)
            write_features(item.output, features, conversion.target.name, overwrite=conversion.overwrite)
        keypoints = len(features)
        lost.update(_lost(features, item.format, conversion.target))
    except SiftError as reason:
        if writer is not None and is_fatal(reason):  # all images would fail
            raise
        error = str(reason)
    except OSError as reason:
        error = str(output_error(item.output, reason))
    return Result(
        path=item.label,
        output=item.output,
        status="failed" if error else "done",
        keypoints=keypoints,
        seconds=time.perf_counter() - start,
        error=error,
        data=data,
    )


def _sized(features: Features, item: Item, conversion: Conversion) -> Features:
    """Add the size and the camera of the image, if they are missing, the target holds them and the image is found."""
    missing = {n for n in ("image_size", "camera") if n in conversion.target.holds and getattr(features, n) is None}
    if conversion.finder is None or not missing or conversion.finder.find(item.name) is None:
        return features
    if "image_size" in missing:
        features = replace(features, image_size=conversion.finder.size(item.name))
    if "camera" in missing:
        features = replace(features, camera=read_camera(conversion.finder.path(item.name)))
    return features
