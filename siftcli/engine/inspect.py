"""The scale space and every intermediate set of keypoints of one image, to look at.

What is reported is what the engine does, not a second account of it: its own steps are run on its own sheets, with
and without their tests, and what a test makes the difference for was rejected by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..features import Features, Float32, Image
from ..params import DetectorParams
from . import pipeline
from .extrema import Extrema, dog_cubes, find_extrema
from .localize import MOVES, Points, refine
from .octaves import WHITE, Index
from .reduction import reduced
from .scale_space import ScaleSpace
from .sheets import Sheet

__all__ = ["STAGES", "OctaveView", "inspect"]

STAGES = {
    "extrema": "strictly above or below their 26 neighbours in the DoG",
    "contrast": "rejected: too little contrast, at the pixel or where the fit ends",
    "edge": "rejected: on an edge",
    "unstable": "rejected: the fit ends far from its pixel, or where another one has ended",
    "refined": "kept: at the place and scale where the fit ends",
    "oriented": "kept, once for each of their orientations",
}
"""Name of each set of keypoints, and what it is."""

_SEEN = tuple(name for name in STAGES if name != "oriented")
_ANY = 1e9
"""No pair of curvatures of one sign has such a ratio."""
_HALO = MOVES + 2
"""Rows that a fit may look at above and below an extremum."""


@dataclass(frozen=True, eq=False)
class OctaveView:
    """One octave.

    Attributes
    ----------
    index : int
        Octave pixels are ``2**index`` pixels apart.
    gaussians : (scales_per_octave + 3, H, W) float32
        Levels 0, 1, ...; DoG level s is level s + 1 minus level s.
    sigmas : (scales_per_octave + 3,) float64
        Their blur, in pixels of the image.
    stages : dict of str to Points
        Of `STAGES` all but "oriented".
    """

    index: int
    gaussians: Float32
    sigmas: npt.NDArray[np.float64]
    stages: dict[str, Points]


def inspect(image: Image, detector: DetectorParams, visit: Callable[[OctaveView], None]) -> dict[str, Features]:
    """Show the octaves of an image one by one, finest first, and return the keypoints of every stage.

    Parameters
    ----------
    image : (H, W) uint8, uint16 or float32
        Float32 in [0, 1].
    detector : DetectorParams
    visit : callable
        Called with each octave; only one large octave is in memory at a time.

    Returns
    -------
    dict of str to Features
        By the names of `STAGES`; before "oriented", orientations are 0.  "oriented" is in Lowe's order, the others go
        from fine to coarse.
    """
    images, reduction = reduced(image[None], detector.max_image_size)
    size = images.shape[2], images.shape[1]
    found: list[tuple[int, dict[str, Points]]] = []
    work: dict[int, _Octave] = {}
    for sheet in ScaleSpace(images, detector, _HALO).sheets():
        stages = _stages(sheet, detector)
        for region, index in enumerate(sheet.octave.tolist()):
            octave = work.setdefault(index, _Octave.of(sheet, region))
            octave.add(sheet, region, stages)
            if octave.rows == octave.levels.shape[1]:
                merged = octave.merged()
                found.append((index, merged))
                visit(OctaveView(index, octave.levels, _sigmas(detector) * 2.0**index, merged))
                del work[index]
    kept = {name: reduction.outward(_features([(i, s[name]) for i, s in found], size)) for name in _SEEN}
    return {**kept, "oriented": pipeline.detect(image[None], detector, None)[0]}


def _sigmas(detector: DetectorParams) -> npt.NDArray[np.float64]:
    """Blur of the levels, in octave pixels."""
    scales = detector.scales_per_octave
    return np.asarray(detector.sigma_base * 2.0 ** (np.arange(scales + 3) / scales))


# --- stages of a sheet


def _stages(sheet: Sheet, detector: DetectorParams) -> dict[str, Points]:
    """Run the engine's steps with and without their tests, and sort the extrema by what becomes of them."""
    with_edges = replace(detector, refinement="vlfeat")  # tests edges later
    every = find_extrema(sheet, replace(with_edges, contrast_threshold=0.0))
    strong = find_extrema(sheet, with_edges)
    passed = find_extrema(sheet, detector)
    refined = refine(sheet, passed, detector)
    faint_too = replace(detector, contrast_threshold=0.0)
    no_edges = {"refinement": "lowe"} if detector.refinement == "vlfeat" else {"edge_threshold": _ANY}
    fates = (
        (_keys(sheet, strong), "contrast"),
        (_keys(sheet, passed), "edge"),
        (_fitted(sheet, passed, refined, detector), "kept"),
        (_fitted(sheet, passed, refine(sheet, passed, faint_too), detector), "contrast"),
        (_fitted(sheet, passed, refine(sheet, passed, replace(faint_too, **no_edges)), detector), "edge"),
    )
    keys = _keys(sheet, every)
    fate = np.full(len(keys), "unstable")
    for allowed, name in fates[:1:-1]:
        fate[np.isin(keys, allowed)] = name
    for allowed, name in fates[1::-1]:
        fate[~np.isin(keys, allowed)] = name
    points = _unrefined(sheet, every, detector)
    rejected = {name: points.take(np.flatnonzero(fate == name)) for name in ("contrast", "edge", "unstable")}
    return {"extrema": points, **rejected, "refined": refined}


def _keys(sheet: Sheet, extrema: Extrema) -> Index:
    """One number for each extremum."""
    return sheet.flat(extrema.region, extrema.level, extrema.row, extrema.column)


def _fitted(sheet: Sheet, extrema: Extrema, points: Points, detector: DetectorParams) -> Index:
    """Return the keys of the extrema that gave these points."""
    row, column = points.scan.T
    if detector.refinement != "converged":
        return sheet.flat(points.region, points.level, row, column)
    # Fits move in scale too, and points do not tell from where.
    anywhere = sheet.flat(extrema.region, 0, extrema.row, extrema.column)
    return _keys(sheet, extrema)[np.isin(anywhere, sheet.flat(points.region, 0, row, column))]


def _unrefined(sheet: Sheet, extrema: Extrema, detector: DetectorParams) -> Points:
    """Return extrema as points at their pixels."""
    cubes = dog_cubes(sheet, _keys(sheet, extrema))
    return Points(
        region=extrema.region,
        level=extrema.level,
        row=extrema.row,
        column=extrema.column,
        y=extrema.row.astype(np.float32),
        x=extrema.column.astype(np.float32),
        sigma=_sigmas(detector)[extrema.level].astype(np.float32),
        score=np.abs(cubes[1, 1, 1]),
        scan=np.stack([extrema.row, extrema.column], axis=1),
    )


# --- octaves, from the sheets that they pass through


@dataclass
class _Octave:
    """An octave whose rows are being collected."""

    levels: Float32
    parts: list[dict[str, Points]]
    rows: int = 0

    @classmethod
    def of(cls, sheet: Sheet, region: int) -> _Octave:
        shape = len(sheet.levels), int(sheet.height[region]), int(sheet.width[region])
        return cls(np.empty(shape, np.float32), [])

    def add(self, sheet: Sheet, region: int, stages: dict[str, Points]) -> None:
        """Take over the rows of a region that a sheet is responsible for, and the points in them."""
        top = int(sheet.top[region])
        start, stop = max(sheet.first - top, 0), min(sheet.last - top, self.levels.shape[1])
        columns = slice(sheet.left[region], sheet.left[region] + self.levels.shape[2])
        np.divide(sheet.levels[:, top + start : top + stop, columns], WHITE, out=self.levels[:, start:stop])
        self.rows += stop - start
        self.parts.append({name: p.take(np.flatnonzero(p.region == region)) for name, p in stages.items()})

    def merged(self) -> dict[str, Points]:
        """Return the points of all sheets; where two ended at one pixel, the first in order counts, as everywhere."""
        stages = {name: _joined([part[name] for part in self.parts]) for name in _SEEN}
        refined = stages["refined"]
        order = np.lexsort((refined.scan[:, 1], refined.scan[:, 0], refined.level))
        refined = refined.take(order)
        _, first = np.unique(np.stack([refined.row, refined.column]), axis=1, return_index=True)
        return {**stages, "refined": refined.take(np.sort(first))}


def _joined(parts: list[Points]) -> Points:
    names = Points.__dataclass_fields__
    return Points(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _features(found: list[tuple[int, Points]], size: tuple[int, int]) -> Features:
    """Return points of octaves as features without orientation, in pixels of the image."""
    parts = [(np.float32(2.0**index), index, points) for index, points in found]
    rows = [np.stack([p.x * unit, p.y * unit, p.sigma * unit, p.score], axis=1) for unit, _, p in parts]
    x, y, sigma, score = np.concatenate([np.empty((0, 4), np.float32), *rows]).T
    whole = [np.stack([np.full(len(p), index), p.level]) for _, index, p in parts]
    octaves, levels = np.concatenate([np.empty((2, 0), np.intp), *whole], axis=1).astype(np.int16)
    return Features(
        xy=np.stack([x, y], axis=1),
        scales=sigma.copy(),
        orientations=np.zeros(len(x), np.float32),
        scores=score.copy(),
        octaves=octaves,
        levels=levels,
        image_size=size,
    )
