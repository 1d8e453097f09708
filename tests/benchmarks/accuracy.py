"""Measure the tables of docs/accuracy.md: Lowe's files, matches on boat, other programs, ellipses, blobs.

    python -m tests.benchmarks.accuracy [--update] [DATA]

prints them, or with --update puts them into the document.  DATA holds ``lowe/{box,library,basmati}.{pgm,key}`` and
``boat/img1..6.pgm, H1to2p..H1to6p``; SIFTCLI_ORACLE_DATA names it when it is not given.  Needs the extra ``bench``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree  # type: ignore[import-untyped]

import siftcli
from siftcli import Agreement, Features, encode_key, read_key
from siftcli.evaluation.agreement import agreement

from . import peers
from .key_lines import lines

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "accuracy.md"
LOWE_IMAGES = ("box", "library", "basmati")
SAMPLES = ("astronaut.jpg", "camera.png", "chelsea.jpg", "coffee.jpg", "dandelion.jpg", "hubble_deep_field.jpg")

Pixels = npt.NDArray[np.uint8]
PROGRAMS: dict[str, Callable[[Pixels], Features]] = {
    "preset `lowe`": lambda image: siftcli.detect(image, "lowe"),
    "default": siftcli.detect,
    "COLMAP (VLFeat)": peers.colmap,
    "OpenCV": peers.opencv,
}
PRESETS: dict[str, Callable[[Pixels], Features]] = {
    "preset `accurate`": lambda image: siftcli.detect(image, "accurate"),
    "preset `accurate-affine`": lambda image: siftcli.detect(image, "accurate-affine"),
}
"""Those that are to find more matches, not the keypoints of Lowe's program."""


def pixels(path: Path) -> Pixels:
    """Read an image."""
    return np.asarray(siftcli.read_image(path).pixels, np.uint8)


def table(head: Iterable[str], rows: Iterable[Iterable[object]], names: int = 2) -> str:
    """Return a Markdown table; columns after the first ones, the names, are aligned to the right."""
    head = list(head)
    lines = [head, ["---" if i < names else "---:" for i in range(len(head))], *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def write_tables(document: Path, tables: Mapping[str, str]) -> None:
    """Replace the tables between ``<!-- NAME -->`` and ``<!-- end -->`` in a document."""
    text = document.read_text(encoding="utf-8")
    for name, content in tables.items():
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise SystemExit(f"{document.name} has no place for the table {name}")
        text = "".join((before, mark, content, end, after))
    document.write_text(text, encoding="utf-8")


def lowe_table(data: Path) -> str:
    """Agreement with the files by Lowe's program; frames rounded as in a file, but for the distance."""
    rows = []
    for name, detect in PROGRAMS.items():
        found = []
        for image in LOWE_IMAGES:
            ours, theirs = detect(pixels(data / f"{image}.pgm")), read_key(data / f"{image}.key")
            found.append(values(agreement(read_key(encode_key(ours)), theirs), agreement(ours, theirs).position))
        means = [mean(column) for column in zip(*found, strict=True)]
        rows += [
            (name, image, *(f"{value:.4f}" for value in line))
            for image, line in zip((*LOWE_IMAGES, "**mean**"), (*found, means), strict=True)
        ]
    columns = ("recall", "precision", "number", "distance, px", "cosine, median", "10th percentile")
    return table(("program", "image", *columns), rows)


def values(a: Agreement, position: float) -> list[float]:
    """Return the columns of a table of agreement, with a distance of its own."""
    return [a.recall, a.precision, a.count, position, a.cosine, a.cosine_p10]


def lines_table(data: Path) -> str:
    """How much of Lowe's files the preset lowe writes, as text."""
    rows: list[tuple[str, ...]] = []
    for image in LOWE_IMAGES:
        theirs = (data / f"{image}.key").read_bytes()
        same = lines(encode_key(siftcli.detect(pixels(data / f"{image}.pgm"), "lowe")), theirs)
        count = theirs.split(None, 1)[0].decode()
        if same is None:
            rows.append((image, count, "another number of keypoints", "", ""))
        else:
            rows.append((image, count, f"{same.frames:.2%}", f"{same.values:.3%}", str(same.largest)))
    return table(("image", "keypoints", "frame lines equal", "values equal", "largest difference"), rows)


def boat_table(boat: Path) -> str:
    """Correct matches, and their share of all matches, from the first image to each of the others."""
    programs = {**PROGRAMS, **PRESETS}
    records = siftcli.evaluate(boat, programs).records
    rows = []
    for name in programs:
        found: list[dict[str, Any]] = [dict(record.measures) for record in records if record.method == name]
        pairs = (f"{m['correct']} ({m['precision']:.0%})" for m in found)
        rows.append((name, found[0]["keypoints_a"], *pairs, f"{mean(m['correct'] for m in found):.0f}"))
    return table(("program", "keypoints in 1", *(f"1 to {k}" for k in range(2, 7)), "mean"), rows)


def peers_table(folder: Path) -> str:
    """Agreement of the default with other programs."""
    rows: list[tuple[object, ...]] = []
    for name in SAMPLES:
        image = pixels(folder / name)
        ours = siftcli.detect(image)
        for program, theirs in (("COLMAP (VLFeat)", peers.colmap(image)), ("OpenCV", peers.opencv(image))):
            a, located = agreement(ours, theirs), agreement(ours, theirs, angle=np.inf)
            shares = (located.recall, located.precision, a.recall, a.precision)
            numbers = (f"{a.position:.4f}", f"{a.cosine:.4f}", f"{a.cosine_p10:.4f}")
            rows.append((program, name, len(theirs), len(ours), *(f"{share:.3f}" for share in shares), *numbers))
    columns = ("places, theirs", "places, ours", "keypoints, theirs", "keypoints, ours", "distance, px")
    return table(("program", "image", "theirs", "ours", *columns, "cosine, median", "10th percentile"), rows)


def ellipses_table(folder: Path) -> str:
    """Affine shapes compared with COLMAP's at common points, by quantile."""
    options = {**peers.LOWES, "max_num_orientations": 1, "estimate_affine_shape": True}
    both: list[npt.NDArray[np.float64]] = []
    for name in SAMPLES:
        image = pixels(folder / name)
        ours = siftcli.detect(image, affine_shape=True, affine_blur="level", max_orientations=1)
        theirs = peers.colmap(image, options)
        assert ours.affine is not None
        assert theirs.affine is not None
        distance, j = KDTree(theirs.xy).query(ours.xy)
        near = distance < 0.05
        both.append(np.stack([ours.affine[near], theirs.affine[j[near]]]).astype(np.float64))
    axes, lengths, _ = np.linalg.svd(np.concatenate(both, axis=1))
    ratio = lengths[..., 0] / lengths[..., 1]
    angle = np.rad2deg(np.arctan2(axes[..., 1, 0], axes[..., 0, 0]))
    turned = np.abs((angle[0] - angle[1] + 90) % 180 - 90)[ratio.min(axis=0) > 1.2]
    quantiles = {
        "ratio of the half axes, ours over theirs": ratio[0] / ratio[1],
        "longer half axis, ours over theirs": lengths[0, :, 0] / lengths[1, :, 0],
        "shorter half axis, ours over theirs": lengths[0, :, 1] / lengths[1, :, 1],
        "angle between the longer half axes, degrees": turned,
    }
    percent = (5, 25, 50, 75, 95)
    rows = [
        (name, f"{len(values):,}", *(f"{value:.3f}" for value in np.percentile(values, percent)))
        for name, values in quantiles.items()
    ]
    return table(("", "points", *(f"{p} %" for p in percent)), rows, names=1)


def blob_table() -> str:
    """Errors on Gaussian blobs at random places; the closed form is derived in tests/properties/test_blobs.py."""
    random, rows = np.random.default_rng(0), []
    for size in (1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0):
        sigma = np.sqrt((size**2 + 1 / 8 - 0.25) / 2 ** (1 / 3))
        errors, ratios, octaves = [], [], []
        for centre in int(8 * size) + 20 + random.uniform(0, 4, (40, 2)):
            y, x = np.mgrid[: int(16 * size) + 44, : int(16 * size) + 44]
            blob = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * size**2))
            found = siftcli.detect(blob, upright=True, descriptors=False)
            distance = np.linalg.norm(found.xy - centre, axis=1)
            errors.append(distance.min())
            ratios.append(found.scales[distance.argmin()] / sigma - 1)
            octaves.append(-1 if found.octaves is None else int(found.octaves[distance.argmin()]))
        where = " and ".join(str(octave) for octave in sorted(set(octaves)))
        values = (f"{np.median(errors):.4f}", f"{max(errors):.4f}", f"{min(ratios):+.2%}", f"{max(ratios):+.2%}")
        rows.append((f"{size} px", where, *values))
    return table(("blob", "octave", "distance, median", "largest", "sigma, lowest", "highest"), rows)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, metavar="DATA")
    parser.add_argument("--update", action="store_true", help=f"write the tables into {DOCUMENT.name}")
    given = parser.parse_args()
    data = given.data or Path(os.environ.get("SIFTCLI_ORACLE_DATA", "no folder"))
    if not (data / "lowe").is_dir():
        parser.error("DATA must be a folder with lowe/*.key; give it, or set SIFTCLI_ORACLE_DATA")
    tables = {
        "lowe": lowe_table(data / "lowe"),
        "lines": lines_table(data / "lowe"),
        "boat": boat_table(data / "boat"),
        "peers": peers_table(ROOT / "sample_images"),
        "ellipses": ellipses_table(ROOT / "sample_images"),
        "blobs": blob_table(),
    }
    if given.update:
        write_tables(DOCUMENT, tables)
    else:
        print("\n".join(tables.values()))


if __name__ == "__main__":
    main()
