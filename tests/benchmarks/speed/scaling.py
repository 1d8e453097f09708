"""How time and memory grow with the picture: mosaics of one density, a fit, and the largest that fits."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

import siftcli

from . import images, targets
from .contenders import contenders
from .images import Picture
from .options import Options
from .process import flag, memory_cell, run_command, save, sift
from .report import Section, Table
from .timing import clock

__all__ = ["fit", "gigapixel", "scaling"]

Float64: TypeAlias = npt.NDArray[np.float64]

SHAPES = {"1": (896, 1152), **images.LARGE}


def fit(rows: Sequence[tuple[float, float]], values: Sequence[float]) -> tuple[Float64, float]:
    """Fit ``c0 + c1 megapixels + c2 keypoints`` to positive values so that relative errors are small.

    Parameters
    ----------
    rows : sequence of (megapixels, keypoints)
    values : sequence of float
        Seconds or bytes.

    Returns
    -------
    coefficients : (3,) float64
        None is negative.
    worst : float
        Largest relative error.
    """
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    y = np.asarray(values, np.float64)
    matrix = np.column_stack([np.ones(len(rows)), np.asarray(rows, np.float64)])
    coefficients, _ = nnls(matrix / y[:, None], np.ones(len(y)))
    return coefficients, float(np.abs(matrix @ coefficients / y - 1).max())


def scaling(options: Options) -> Section:
    """Time the engine with one thread on mosaics of the samples; take the command's memory; fit both."""
    photos = images.photographs("samples")
    names = list(SHAPES)[: 2 if options.quick else None]
    table = Table("scaling", "One thread, mosaics of the samples", ["MP", "keypoints", "s", "s/MP", "from the mean"])
    table.columns += ["µs a keypoint", "peak MB of sift detect"]
    run, data = contenders(())[0].run, []
    for name in names:
        picture = images.mosaic(photos, *SHAPES[name], name=f"samples {name} MP")
        options.progress(picture.name)
        seconds, keypoints = _seconds(picture, options.rounds(1 if picture.megapixels > 20 else 5))
        memory = _memory(picture)
        data.append(_row(picture, keypoints, seconds) | {"memory": memory, "size": name})
    mean = statistics.mean(row["seconds"] / row["megapixels"] for row in data)
    for row in data:
        each = row["seconds"] / row["megapixels"]
        within = "met" if abs(each / mean - 1) <= targets.SCALING else "NOT met"
        table.rows.append(
            [
                f"{row['megapixels']:.1f}",
                f"{row['keypoints']:,}",
                f"{row['seconds']:.2f}",
                f"{each:.3f}",
                f"{(each / mean - 1) * 100:+.0f} % (±{targets.SCALING:.0%} {within})",
                f"{row['seconds'] / row['keypoints'] * 1e6:.0f}",
                memory_cell(row["memory"], targets.MEMORY.get(row["size"])),
            ]
        )
    # For the fit, pictures of other densities too: each photograph by itself, and the other set.
    for picture in _various(options):
        options.progress(picture.name)
        pixels = picture.pixels
        seconds, keypoints = _seconds(picture, options.rounds(5))
        data.append(_row(picture, keypoints, seconds) | {"memory": _memory(picture)})
        assert run(pixels) == keypoints
    return Section([table, _model(data)], data)


def _various(options: Options) -> list[Picture]:
    singles = {**images.photographs("samples")}
    retina = images.ROOT / "sample_images" / "retina.jpg"
    singles[retina.name] = np.asarray(siftcli.read_image(retina).pixels, np.uint8)
    found = [Picture(name, pixels, name) for name, pixels in singles.items() if pixels.size > 200_000]
    sizes = ("0.3",) if options.quick else ("0.3", "1", "3")
    return found + [images.picture(source, size) for source in options.chosen_sources() for size in sizes]


def _seconds(picture: Picture, repeat: int) -> tuple[float, int]:
    run, found = contenders(())[0].run, []
    action = clock(lambda: found.append(run(picture.pixels)))
    if picture.megapixels < 20:
        action()
    return statistics.median(action().seconds for _ in range(repeat)), found[0]


def _memory(picture: Picture) -> int:
    """Return the peak memory of the command with one worker, in bytes."""
    threads = flag("--threads", "--jobs")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture.jpg")
        save(picture.pixels, path)
        command = sift(path, Path(folder, "out.key"), *((threads, "1") if threads else ()))
        return int(run_command(command)["largest"])


def _row(picture: Picture, keypoints: int, seconds: float) -> dict[str, Any]:
    return {
        "picture": picture.name,
        "megapixels": picture.megapixels,
        "keypoints": keypoints,
        "seconds": seconds,
    }


def _model(data: list[dict[str, Any]]) -> Table:
    table = Table(
        "model",
        "Fit: constant + MP + keypoints",
        ["what", "constant", "per MP", "per 1,000 keypoints", "largest error"],
    )
    rows = [(row["megapixels"], row["keypoints"]) for row in data]
    (c0, c1, c2), worst = fit(rows, [row["seconds"] for row in data])
    table.rows.append(
        ["time, 1 thread", f"{c0 * 1e3:.0f} ms", f"{c1 * 1e3:.0f} ms", f"{c2 * 1e6:.1f} ms", f"{worst:.0%}"]
    )
    (c0, c1, c2), worst = fit(rows, [row["memory"] for row in data])
    table.rows.append(
        ["peak memory of sift detect", f"{c0 / 1e6:.0f} MB", f"{c1 / 1e6:.1f} MB", f"{c2 / 1e3:.2f} MB", f"{worst:.0%}"]
    )
    return table


def gigapixel(options: Options) -> Section:
    """Run the command on one very large mosaic."""
    side = round((options.gigapixel * 1e6) ** 0.5 / 64) * 64
    photos = images.photographs("samples")
    table = Table("gigapixel", "The largest", ["GP", "keypoints", "s", "s/MP", "peak MB", "bytes a pixel"])
    threads = flag("--threads", "--jobs")
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder, "picture.pgm"), Path(folder, "out.key")
        picture = images.mosaic(photos, side, side)
        save(picture.pixels, path)
        size = picture.pixels.size
        del picture
        options.progress(f"{side} x {side}")
        more = ["--max-pixels", str(size), *((threads, "1") if threads else ())]
        found = run_command(sift(path, output, *more))
        with output.open("rb") as file:
            keypoints = int(file.readline().split()[0])
    table.rows.append(
        [
            f"{size / 1e9:.2f}",
            f"{keypoints:,}",
            f"{found['seconds']:.0f}",
            f"{found['seconds'] / size * 1e6:.3f}",
            f"{found['largest'] / 1e6:,.0f}",
            f"{found['largest'] / size:.1f}",
        ]
    )
    return Section([table], [{"pixels": size, "keypoints": keypoints, **found}])
