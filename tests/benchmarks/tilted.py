"""Measure presets and COLMAP on tilted views of planes: a table of docs/presets.md.

    python -m tests.benchmarks.tilted [--update] FOLDER...

The views are made from ``img1.*`` of each folder: a camera moves around the picture and looks at its centre from 30 to
60 degrees aside.  They are averages of 4 x 4 samples a pixel, with noise of 2 grey levels.  Figures are distinct
correct matches (within 3 px; see `match_tests.judged`) of mutual nearest neighbours, ratio 0.8.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates  # type: ignore[import-untyped]

import siftcli

from .accuracy import ROOT, pixels, table, write_tables
from .match_tests import judged
from .which_preset import PROGRAMS

__all__ = ["VIEWS", "tilted", "tilting"]

VIEWS = ((30, 0), (45, 90), (50, 45), (60, 0), (60, 120))
"""Angle between the line of sight and the plane's normal, and direction in the plane of the axis, in degrees."""
CHOSEN = ("default, RootSIFT", "accurate", "accurate-affine", "COLMAP", "COLMAP, pooled and affine")
_SIDE = 4

Float64 = npt.NDArray[np.float64]


def tilting(width: int, height: int, tilt: float, axis: float) -> Float64:
    """Return the homography from a picture to its view: the picture turned about an axis through its centre.

    The camera is 1.2 times the longer side away, and its focal length as long, so that the centre keeps its scale.

    Parameters
    ----------
    width, height : int
        Pixels.
    tilt, axis : float
        Degrees: angle of rotation, and direction of its axis in the picture, y down.
    """
    focal = 1.2 * max(width, height)
    across = np.array([np.cos(np.radians(axis)), np.sin(np.radians(axis)), 0.0])
    x, y, z = across
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(tilt)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    # A point (u, v) of the picture lies at turn (u, v, 0) + (0, 0, focal).
    plane = np.column_stack((turn[:, 0], turn[:, 1], [0, 0, focal]))
    to_centre = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]])
    camera = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    homography = camera @ plane @ to_centre
    return np.asarray(homography / homography[2, 2])


def tilted(picture: npt.NDArray[np.uint8], homography: Float64, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return the view of a picture through a homography, of the same size; black where there is nothing."""
    height, width = picture.shape
    back = np.linalg.inv(homography)
    total = np.zeros(picture.shape)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    for i in range(_SIDE * _SIDE):
        u, v = x + (i % _SIDE + 0.5) / _SIDE - 0.5, y + (i // _SIDE + 0.5) / _SIDE - 0.5
        place = np.tensordot(back, np.stack([u, v, np.ones_like(u)]), axes=1)
        total += map_coordinates(picture.astype(np.float32), [place[1] / place[2], place[0] / place[2]], order=1)
    noise = np.random.default_rng(seed).normal(0, 2, picture.shape)
    return np.clip(np.rint(total / _SIDE**2 + noise), 0, 255).astype(np.uint8)


def measured(folder: Path) -> list[list[int]]:
    """Return the distinct correct matches of each program with each view."""
    picture = pixels(next(folder.glob("img1.*")))
    height, width = picture.shape
    truths = [tilting(width, height, *view) for view in VIEWS]
    views = [tilted(picture, truth, seed) for seed, truth in enumerate(truths)]
    rows = []
    for name in CHOSEN:
        first = PROGRAMS[name](picture)
        others = [PROGRAMS[name](view) for view in views]
        rows.append([judged(siftcli.match(first, b), truth)[1] for b, truth in zip(others, truths, strict=True)])
    return rows


def main() -> None:
    """Print the table: all views of the first folder, and the means of all folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the table into docs/presets.md")
    parser.add_argument("folders", type=Path, nargs="+")
    given = parser.parse_args()
    results = [measured(folder) for folder in given.folders]
    rows = []
    for i, name in enumerate(CHOSEN):
        means = [f"{np.mean(result[i]):.0f}" for result in results]
        rows.append((f"`{name}`" if name.startswith("acc") else name, *results[0][i], *means))
    views = [f"{tilt}°" for tilt, _ in VIEWS]
    content = table(("", *views, *(f"{folder.name}, mean" for folder in given.folders)), rows, names=1)
    if given.update:
        write_tables(ROOT / "docs" / "presets.md", {"tilted": content})
    else:
        print(content)


if __name__ == "__main__":
    main()
