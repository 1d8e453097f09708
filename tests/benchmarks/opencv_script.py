"""What someone writes who has OpenCV: images to Lowe's key files, with nothing but OpenCV and NumPy.

Usage: ``python opencv_script.py [--processes N] INPUT OUTPUT``, an image and a file or a folder and a folder.

The peer of ``sift detect``.  It is written to be fast: keypoints and descriptors are turned into text as whole arrays,
and a folder is shared between processes with one thread each.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

THREADS = 2
"""Of OpenCV, for a single image."""

ROWS = 4096
"""Keypoints turned into text at a time, to stay in the cache."""

LINES = (20, 20, 20, 20, 20, 20, 8)
CELLS = np.array([b" %d" % value for value in range(256)], "S4").view(np.uint32)
NEWLINE = np.array([b"\n"], "S4").view(np.uint32)[0]


def key_text(keypoints: tuple[cv2.KeyPoint, ...], descriptors: Array) -> bytes:
    """Return Lowe's text of keypoints: row, column, sigma, angle (y up), and descriptors on seven lines."""
    frames = np.array([(k.pt[1], k.pt[0], k.size / 2, -k.angle) for k in keypoints]).reshape(-1, 4)
    frames[:, 3] = (np.radians(frames[:, 3]) + np.pi) % (2 * np.pi) - np.pi
    parts = [b"%d 128\n" % len(frames)]
    for start in range(0, len(frames), ROWS):
        parts.append(records(frames[start : start + ROWS], descriptors[start : start + ROWS].astype(np.uint8)))
    return b"".join(parts)


def records(frames: Array, descriptors: Array) -> bytes:
    """Return the text of some keypoints.

    One row of 32-bit cells a keypoint, each cell the text of a number, padded with NUL; these are dropped in the end.
    """
    text = ("%.2f %.2f %.2f %.3f\n" * len(frames)) % tuple(frames.ravel().tolist())
    heads = np.array(text.encode().splitlines())
    heads = heads.astype(f"S{-(-heads.itemsize // 4) * 4}")
    width = heads.itemsize // 4
    rows = np.empty((len(frames), width + 128 + len(LINES) + 1), np.uint32)
    rows[:, :width] = heads.view(np.uint32).reshape(len(frames), width)
    numbers = CELLS[descriptors]
    column, done = width, 0
    for length in LINES:
        rows[:, column] = NEWLINE
        rows[:, column + 1 : column + 1 + length] = numbers[:, done : done + length]
        column += 1 + length
        done += length
    rows[:, column] = NEWLINE
    return rows.tobytes().translate(None, b"\0")


def convert(output: Path, image: Path) -> None:
    """Read an image, detect and describe, write its key file."""
    pixels = cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        sys.exit(f"{image}: OpenCV cannot read it")
    keypoints, descriptors = cv2.SIFT_create().detectAndCompute(pixels, None)  # type: ignore[attr-defined]
    if output.is_dir():
        output = output / f"{image.stem}.key"
    output.write_bytes(key_text(keypoints, descriptors))


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    if not given.input.is_dir():
        cv2.setNumThreads(THREADS)
        convert(given.output, given.input)
        return
    images = sorted(given.input.iterdir())
    if given.processes == 1:
        cv2.setNumThreads(THREADS)
        for image in images:
            convert(given.output, image)
    else:
        with multiprocessing.Pool(given.processes, cv2.setNumThreads, (1,)) as pool:
            list(pool.imap_unordered(partial(convert, given.output), images, chunksize=4))


if __name__ == "__main__":
    main()
