"""Sequences: folders of images with ground truth, in the layouts of the public benchmarks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..batch.pairs import exhaustive, from_list
from ..errors import FormatError, PlanError
from ..io.files import Source, why_unreadable
from ..io.image_kinds import ALL_SUFFIXES
from .cameras import read_colmap_model, read_strecha, read_text
from .truth import Camera, Cameras, Homography, Truth

__all__ = ["LAYOUTS", "ImagePair", "SequenceImage", "find_pairs", "pair_of_points", "read_homography"]

LAYOUTS = (
    "H1to2p (Oxford), H_1_2 (HPatches), H.txt or name_H.txt beside two images, image.camera (Strecha), or a COLMAP "
    "model (cameras and images, .bin or .txt)"
)
"""Description of a sequence for messages."""

_OXFORD = re.compile(r"H(\d+)to(\d+)p")
_HPATCHES = re.compile(r"H_(\d+)_(\d+)")
_MODEL_FOLDERS = ("", "sparse", "sparse/0", "dense/sparse", "model")
_IMAGE_FOLDERS = ("", "images", "dense/images", "../images", "../../images")


class SequenceImage(NamedTuple):
    """An image of a sequence.

    Attributes
    ----------
    sequence, name : str
        Name of the sequence, and of the image in it.
    path : Path
    """

    sequence: str
    name: str
    path: Path


@dataclass(frozen=True, eq=False)
class ImagePair:
    """Two images and how they are related.

    Attributes
    ----------
    a, b : SequenceImage
    truth : Homography or Cameras
    """

    a: SequenceImage
    b: SequenceImage
    truth: Truth

    @property
    def sequence(self) -> str:
        """Name of the sequence."""
        return self.a.sequence


def find_pairs(path: str | PathLike[str], listed: Source | None = None) -> list[ImagePair]:
    """Find the pairs of a sequence, or of a folder of sequences; none, if a folder is neither.

    Parameters
    ----------
    path : path
        A folder, or a file ``name_H.txt`` beside the two images of that name.
    listed : path, optional
        A list of pairs, to which sequences with cameras are restricted; by default all pairs of their images.

    Raises
    ------
    FormatError
        If it is neither, lacks an image, or holds a damaged file.
    """
    path = Path(path)
    if path.is_file() and path.name.endswith("H.txt"):
        return [_beside(path)]
    if not path.is_dir():
        raise FormatError(
            path,
            f"is no sequence: a folder with {LAYOUTS}" if path.exists() else "no such file or folder; check the path",
        )
    try:
        pairs = list(_pairs_of(path, listed))
        if not pairs:
            for folder in sorted(entry for entry in path.iterdir() if entry.is_dir()):
                pairs.extend(_pairs_of(folder, listed))
    except OSError as error:
        raise FormatError(path, why_unreadable(error)) from error
    return pairs


def _pairs_of(folder: Path, listed: Source | None) -> Iterator[ImagePair]:
    names = sorted(entry.name for entry in folder.iterdir())
    for pattern, image in ((_OXFORD, "img{}"), (_HPATCHES, "{}")):
        found = [(int(m[1]), int(m[2]), m[0]) for m in map(pattern.fullmatch, names) if m]
        for a, b, name in sorted(found):
            first, second = (_image(folder, image.format(k), name) for k in (a, b))
            yield _pair(_name(folder), first, second, read_homography(folder / name))
        if found:
            return
    matrices = [name for name in names if name.endswith("H.txt")]
    for name in matrices:
        yield _beside(folder / name)
    if not matrices:
        yield from _camera_pairs(folder, listed)


def _pair(sequence: str, a: Path, b: Path, truth: Truth) -> ImagePair:
    return ImagePair(SequenceImage(sequence, a.name, a), SequenceImage(sequence, b.name, b), truth)


def _name(folder: Path) -> str:
    return folder.resolve().name


def _image(folder: Path, stem: str, wanted_by: str) -> Path:
    """Find the image of a stem in a folder."""
    found = [p for p in sorted(folder.glob(f"{stem}.*")) if p.stem == stem and p.suffix.lower() in ALL_SUFFIXES]
    if len(found) != 1:
        what = "several images" if found else "no image"
        raise FormatError(folder / wanted_by, f"needs one image {stem}.* beside it, and there is {what} of that name")
    return found[0]


def _beside(path: Path) -> ImagePair:
    """Return the pair of a file ``H.txt`` or ``name_H.txt``: the two images beside it whose names begin alike."""
    prefix = path.name.removesuffix("H.txt")
    images = [
        entry
        for entry in sorted(path.parent.iterdir())
        if entry.name.startswith(prefix) and entry.suffix.lower() in ALL_SUFFIXES
    ]
    if len(images) != 2:
        what = f"two images named {prefix}*" if prefix else "two images"
        raise FormatError(path, f"needs {what} beside it, and there are {len(images)}")
    name = _name(path.parent) if not prefix.strip("_-.") else prefix.strip("_-.")
    return _pair(name, images[0], images[1], read_homography(path))


def _camera_pairs(folder: Path, listed: Source | None) -> Iterator[ImagePair]:
    cameras = _strecha(folder) or _colmap(folder)
    names = sorted(cameras)
    if not names:
        return
    pairs = exhaustive(names) if listed is None else from_list(names, listed)
    known = [pair for pair in pairs.index.tolist() if max(pair) < len(names)]
    if not known:
        raise PlanError(f"{folder}: has no pair of images; a list of --pairs names them as {names[0]!r}")
    for i, j in known:
        (path_a, a), (path_b, b) = cameras[names[i]], cameras[names[j]]
        first, second = SequenceImage(_name(folder), names[i], path_a), SequenceImage(_name(folder), names[j], path_b)
        yield ImagePair(first, second, Cameras(a, b))


_Posed = dict[str, tuple[Path, Camera]]
"""Name of an image to its file and camera."""


def _strecha(folder: Path) -> _Posed:
    """Read cameras that are beside their images or in a folder of their own beside that of the images."""
    found = {}
    for path in sorted(folder.glob("*.camera")) + sorted(folder.glob("*/*.camera")):
        name = path.name.removesuffix(".camera")
        places = [p for p in (path.with_name(name), folder / name, *sorted(folder.glob(f"*/{name}"))) if p.is_file()]
        if not places:
            raise FormatError(path, f"needs its image {name} in the same folder, or in another folder beside it")
        found[name] = places[0], read_strecha(path)
    return found


def _colmap(folder: Path) -> _Posed:
    for model in (folder / name for name in _MODEL_FOLDERS):
        if any((model / f"images.{kind}").is_file() for kind in ("bin", "txt")):
            break
    else:
        return {}
    cameras = read_colmap_model(model)
    for images in (folder / name for name in _IMAGE_FOLDERS):
        found = {name: (images / name, camera) for name, camera in cameras.items() if (images / name).is_file()}
        if found:
            return found
    raise FormatError(model, f"none of its {len(cameras)} images is in {folder} or in {folder / 'images'}")


# --- homographies


def read_homography(path: Path) -> Homography:
    """Read a 3 x 3 matrix as text; lines that begin with # are comments.

    Raises
    ------
    FormatError
        If it cannot be read, or is not nine numbers, or has no inverse.
    """
    values = _numbers(path, read_text(path, "a homography"))
    if values.size != 9:
        raise FormatError(path, f"holds {values.size} numbers; a homography has 9, in three lines")
    matrix = values.reshape(3, 3)
    if not np.linalg.cond(matrix) < 1e15:
        raise FormatError(path, "is no homography: the matrix has no inverse")
    return Homography(matrix)


def pair_of_points(a: str | PathLike[str], b: str | PathLike[str], points: str | PathLike[str]) -> ImagePair:
    """Return a pair whose homography is that of corresponding points.

    Parameters
    ----------
    a, b : path
        The images.
    points : path
        Text: a line ``x_a y_a x_b y_b`` for each of four points or more, in pixels, no three of them on a line.

    Raises
    ------
    FormatError
        If the points cannot be read, or determine no homography.
    """
    path = Path(points)
    values = _numbers(path, read_text(path, "a list of points"))
    if values.size < 16 or values.size % 4:
        raise FormatError(
            path, f"holds {values.size} numbers; lines of x_a y_a x_b y_b for four points at least are needed"
        )
    from ..draw.warp import fit_homography  # imports Pillow

    rows = values.reshape(-1, 4)
    matrix = fit_homography(rows[:, :2], rows[:, 2:])
    if not np.linalg.cond(matrix) < 1e15:
        raise FormatError(path, "determines no homography; no three of the points may be on a line")
    first, second = Path(a), Path(b)
    return _pair(f"{first.stem} {second.stem}", first, second, Homography(matrix))


def _numbers(path: Path, text: str) -> npt.NDArray[np.float64]:
    tokens = " ".join(line.partition("#")[0] for line in text.splitlines()).replace(",", " ").split()
    try:
        values = np.array([float(token) for token in tokens])
    except ValueError as error:
        raise FormatError(path, f"holds something that is no number: {error}") from error
    if not np.isfinite(values).all():
        raise FormatError(path, "holds a number that is not finite")
    return values
