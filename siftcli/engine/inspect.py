"""The scale space of one image, and its keypoints after every step.

The steps of the engine run on its own tiles, with and without their tests: a test rejected the keypoints for which it
makes the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..features import Features, Float32, Float64, Image, Index
from ..params import DetectorParams
from . import pipeline
from .extrema import Extrema, dog_cubes, find_candidates, verify_extrema
from .keypoints import MAX_MOVES, Keypoints, refine
from .octaves import INTENSITY_SCALE
from .pyramid import Pyramid
from .resize import limit_size
from .tiles import Tile

__all__ = ["STAGES", "OctaveView", "inspect"]

STAGES = {
    "extrema": "strictly above or below their 26 neighbours in the DoG",
    "contrast": "rejected: too little contrast, at the pixel or where the fit ends",
    "edge": "rejected: on an edge",
    "unstable": "rejected: the fit ends far from its pixel, or where another one has ended",
    "refined": "kept: at the place and scale where the fit ends",
    "oriented": "kept, once for each of their orientations",
}
"""Name and meaning of each set of keypoints."""

_SEEN = tuple(name for name in STAGES if name != "oriented")
_NO_EDGE_TEST = 1e9
"""An edge threshold that no ratio of curvatures exceeds."""
_HALO = MAX_MOVES + 2
"""Rows above and below an extremum that a fit may read."""


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
    stages : dict of str to Keypoints
        All sets of `STAGES` but "oriented".
    """

    index: int
    gaussians: Float32
    sigmas: Float64
    stages: dict[str, Keypoints]


def inspect(image: Image, detector: DetectorParams, visit: Callable[[OctaveView], None]) -> dict[str, Features]:
    """Compute the octaves of an image, finest first, and return the keypoints after every step.

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
        By the names of `STAGES`.  "oriented" is in Lowe's order; the others have orientation 0 and go from fine to
        coarse.
    """
    images, resize = limit_size(image[None], detector.max_image_size)
    size = images.shape[2], images.shape[1]
    found: list[tuple[int, dict[str, Keypoints]]] = []
    work: dict[int, _Octave] = {}
    for tile in Pyramid.of(images, detector, _HALO).tiles():
        stages = _stages(tile, detector)
        for region, index in enumerate(tile.regions.octave.tolist()):
            octave = work.setdefault(index, _Octave.of(tile, region))
            octave.add(tile, region, stages)
            if octave.rows == octave.levels.shape[1]:
                merged = octave.merged()
                found.append((index, merged))
                visit(OctaveView(index, octave.levels, _sigmas(detector) * 2.0**index, merged))
                del work[index]
    kept = {name: resize.to_original(_features([(i, s[name]) for i, s in found], size)) for name in _SEEN}
    return {**kept, "oriented": pipeline.detect(image[None], detector, None)[0]}


def _sigmas(detector: DetectorParams) -> Float64:
    """Return the blur of the levels, in octave pixels."""
    scales = detector.scales_per_octave
    return np.asarray(detector.sigma_base * 2.0 ** (np.arange(scales + 3) / scales))


# --- steps, tile by tile


def _extrema(tile: Tile, detector: DetectorParams) -> Extrema:
    return verify_extrema(tile, [find_candidates(tile, rows, detector) for rows in tile.strips()], detector)


def _stages(tile: Tile, detector: DetectorParams) -> dict[str, Keypoints]:
    """Run the engine's steps with and without their tests, and classify the extrema by their fate."""
    with_edges = replace(detector, refinement="vlfeat")  # its edge test comes later
    every = _extrema(tile, replace(with_edges, contrast_threshold=0.0))
    strong = _extrema(tile, with_edges)
    passed = _extrema(tile, detector)
    refined = refine(tile, passed, detector)
    faint_too = replace(detector, contrast_threshold=0.0)
    no_edges = {"refinement": "lowe"} if detector.refinement == "vlfeat" else {"edge_threshold": _NO_EDGE_TEST}
    fates = (
        (_keys(tile, strong), "contrast"),
        (_keys(tile, passed), "edge"),
        (_fitted(tile, passed, refined, detector), "kept"),
        (_fitted(tile, passed, refine(tile, passed, faint_too), detector), "contrast"),
        (_fitted(tile, passed, refine(tile, passed, replace(faint_too, **no_edges)), detector), "edge"),
    )
    keys = _keys(tile, every)
    fate = np.full(len(keys), "unstable")
    for allowed, name in fates[:1:-1]:
        fate[np.isin(keys, allowed)] = name
    for allowed, name in fates[1::-1]:
        fate[~np.isin(keys, allowed)] = name
    keypoints = _unrefined(tile, every, detector)
    rejected = {name: keypoints.take(np.flatnonzero(fate == name)) for name in ("contrast", "edge", "unstable")}
    return {"extrema": keypoints, **rejected, "refined": refined}


def _keys(tile: Tile, extrema: Extrema) -> Index:
    """Return a number that names each extremum."""
    return tile.flat(extrema.region, extrema.level, extrema.row, extrema.column)


def _fitted(tile: Tile, extrema: Extrema, keypoints: Keypoints, detector: DetectorParams) -> Index:
    """Return the keys of the extrema that became these keypoints."""
    row, column = keypoints.detected_at.T
    if detector.refinement != "converged":
        return tile.flat(keypoints.region, keypoints.level, row, column)
    # Fits also move in scale, and keypoints do not say from which level.
    anywhere = tile.flat(extrema.region, 0, extrema.row, extrema.column)
    return _keys(tile, extrema)[np.isin(anywhere, tile.flat(keypoints.region, 0, row, column))]


def _unrefined(tile: Tile, extrema: Extrema, detector: DetectorParams) -> Keypoints:
    """Return extrema as keypoints at their pixels."""
    cubes = dog_cubes(tile, _keys(tile, extrema))
    return Keypoints(
        region=extrema.region,
        level=extrema.level,
        row=extrema.row,
        column=extrema.column,
        y=extrema.row.astype(np.float32),
        x=extrema.column.astype(np.float32),
        sigma=_sigmas(detector)[extrema.level].astype(np.float32),
        response=np.abs(cubes[1, 1, 1]),
        detected_at=np.stack([extrema.row, extrema.column], axis=1),
    )


# --- octaves, collected from their tiles


@dataclass
class _Octave:
    """An octave, as far as its tiles have been computed."""

    levels: Float32
    parts: list[dict[str, Keypoints]]
    rows: int = 0

    @classmethod
    def of(cls, tile: Tile, region: int) -> _Octave:
        """Return the octave of a region, without rows."""
        shape = len(tile.levels), int(tile.regions.height[region]), int(tile.regions.width[region])
        return cls(np.empty(shape, np.float32), [])

    def add(self, tile: Tile, region: int, stages: dict[str, Keypoints]) -> None:
        """Add the core rows of a region, and the keypoints in them."""
        top, left = int(tile.regions.top[region]), int(tile.regions.left[region])
        start, stop = max(tile.core_start - top, 0), min(tile.core_stop - top, self.levels.shape[1])
        columns = slice(left, left + self.levels.shape[2])
        np.divide(tile.levels[:, top + start : top + stop, columns], INTENSITY_SCALE, out=self.levels[:, start:stop])
        self.rows += stop - start
        self.parts.append({name: k.take(np.flatnonzero(k.region == region)) for name, k in stages.items()})

    def merged(self) -> dict[str, Keypoints]:
        """Return the keypoints of all tiles; where fits of two tiles ended at one pixel, only the first in order."""
        stages = {name: _joined([part[name] for part in self.parts]) for name in _SEEN}
        refined = stages["refined"]
        order = np.lexsort((refined.detected_at[:, 1], refined.detected_at[:, 0], refined.level))
        refined = refined.take(order)
        _, first = np.unique(np.stack([refined.row, refined.column]), axis=1, return_index=True)
        return {**stages, "refined": refined.take(np.sort(first))}


def _joined(parts: list[Keypoints]) -> Keypoints:
    names = Keypoints.__dataclass_fields__
    return Keypoints(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _features(found: list[tuple[int, Keypoints]], size: tuple[int, int]) -> Features:
    """Return keypoints of octaves as features without orientation, in pixels of the image."""
    parts = [(np.float32(2.0**index), index, keypoints) for index, keypoints in found]
    rows = [np.stack([p.x * unit, p.y * unit, p.sigma * unit, p.response], axis=1) for unit, _, p in parts]
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
