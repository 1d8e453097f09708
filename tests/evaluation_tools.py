"""What the tests of evaluations share: the measures written slowly from their definitions, and sequences to measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import siftcli
from siftcli import Features
from siftcli.doctor.speed import texture
from siftcli.draw.warp import warped

TURN = np.array([[0.93, -0.2, 30.0], [0.17, 0.9, -6.0], [1.5e-4, -1e-4, 1.0]])
"""A homography: a turn, a scale and a mild perspective."""

Floats = npt.NDArray[np.float64]


# --- definitions, pair by pair


def mapped(homography: Any, x: float, y: float) -> tuple[float, float]:
    """Where a homography takes a point."""
    u, v, w = np.asarray(homography) @ (x, y, 1)
    return u / w, v / w


def derivative(homography: Any, x: float, y: float, step: float = 1e-4) -> Floats:
    """The derivative there, by differences."""
    columns = []
    for dx, dy in ((step, 0.0), (0.0, step)):
        ahead, behind = mapped(homography, x + dx, y + dy), mapped(homography, x - dx, y - dy)
        columns.append([(p - q) / (2 * step) for p, q in zip(ahead, behind, strict=True)])
    return np.array(columns).T


def chords(centre: Floats, form: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Where vertical lines cut an ellipse ``(p - c)^T Q (p - c) = 1``; the two ends are one where they do not."""
    dx = x - centre[0]
    a, b, c = form[1, 1], form[0, 1] * dx, form[0, 0] * dx * dx - 1
    root = np.sqrt(np.maximum(b * b - a * c, 0))
    return centre[1] + (-b - root) / a, centre[1] + (-b + root) / a


def overlap_error(xy_a: Any, shape_a: Any, xy_b: Any, shape_b: Any, strips: int = 1000) -> float:
    """One minus intersection over union of two ellipses, both scaled so that a has the area of radius 30, by strips."""
    xy_a, xy_b = np.asarray(xy_a, float), np.asarray(xy_b, float)
    shape_a, shape_b = np.asarray(shape_a, float), np.asarray(shape_b, float)
    factor = 30 / math.sqrt(abs(np.linalg.det(shape_a)))
    a, b = (np.linalg.inv(factor * shape @ (factor * shape).T) for shape in (shape_a, shape_b))
    half = math.sqrt(np.linalg.inv(a)[0, 0])
    t = math.pi * (np.arange(strips) + 0.5) / strips  # x = cos(t) takes the root off the ends
    x = xy_a[0] + half * np.cos(t)
    (low, high), (other_low, other_high) = chords(xy_a, a, x), chords(xy_b, b, x)
    inside_both = np.maximum(np.minimum(high, other_high) - np.maximum(low, other_low), 0)
    common = float((inside_both * np.sin(t)).sum()) * half * math.pi / strips
    areas = [math.pi / math.sqrt(np.linalg.det(form)) for form in (a, b)]
    return 1 - common / (sum(areas) - common)


def shape(features: Features, k: int) -> Floats:
    """The k-th frame as a map of the unit circle."""
    if features.affine is not None:
        return features.affine[k].astype(float)
    return float(features.scales[k]) * np.eye(2)


def inside(point: Sequence[float], size: tuple[int, int]) -> bool:
    return all(-0.5 <= value < side - 0.5 for value, side in zip(point, size, strict=True))


def common(features: Features, homography: Any, size: tuple[int, int]) -> list[int]:
    """Keypoints in the common part."""
    return [k for k, (x, y) in enumerate(features.xy.tolist()) if inside(mapped(homography, x, y), size)]


def places(features: Features, index: list[int]) -> list[int]:
    """One keypoint of each place and scale."""
    seen: dict[tuple[float, ...], int] = {}
    for k in index:
        seen.setdefault((*features.xy[k].tolist(), float(features.scales[k])), k)
    return list(seen.values())


def repeatability(a: Features, b: Features, homography: Any, size_a: Any, size_b: Any) -> float:
    """Mikolajczyk et al. 2005, one to one, greedily by overlap."""
    back = np.linalg.inv(homography)
    in_a, in_b = places(a, common(a, homography, size_b)), places(b, common(b, back, size_a))
    found = []
    for j in in_b:
        x, y = b.xy[j].tolist()
        centre, ellipse = mapped(back, x, y), derivative(back, x, y) @ shape(b, j)
        for i in in_a:
            ratio = abs(np.linalg.det(ellipse) / np.linalg.det(shape(a, i)))
            if 0.6 < ratio < 1 / 0.6 and math.dist(centre, a.xy[i].tolist()) < 40:
                error = overlap_error(a.xy[i], shape(a, i), centre, ellipse)
                if error < 0.4:
                    found.append((error, i, j))
    used_a: set[int] = set()
    used_b: set[int] = set()
    for _, i, j in sorted(found):
        if i not in used_a and j not in used_b:
            used_a.add(i)
            used_b.add(j)
    return len(used_a) / min(len(in_a), len(in_b))


def repeatability_within(a: Features, b: Features, homography: Any, size_a: Any, size_b: Any, limit: float) -> float:
    """SuperPoint's: keypoints of both images with one of the other within a distance."""
    back = np.linalg.inv(homography)
    in_a = {tuple(a.xy[k].tolist()) for k in common(a, homography, size_b)}
    in_b = {tuple(b.xy[k].tolist()) for k in common(b, back, size_a)}
    count = sum(min(math.dist(mapped(homography, *p), q) for q in in_b) <= limit for p in in_a)
    count += sum(min(math.dist(mapped(back, *q), p) for p in in_a) <= limit for q in in_b)
    return count / (len(in_a) + len(in_b))


def nearest(a: Features, b: Features) -> tuple[list[tuple[int, int]], dict[int, float]]:
    """Mutual nearest neighbours, and the ratio of the distances to the two nearest for those of a."""
    assert a.descriptors is not None
    assert b.descriptors is not None
    first, second = a.descriptors.astype(float), b.descriptors.astype(float)
    distances = np.array([np.linalg.norm(second - row, axis=1) for row in first])
    pairs, ratios = [], {}
    for i, row in enumerate(distances):
        j = int(row.argmin())
        if int(distances[:, j].argmin()) == i:
            pairs.append((i, j))
            ratios[i] = row[j] / np.sort(row)[1]
    return pairs, ratios


def measured(
    a: Features, b: Features, homography: Any, size_a: tuple[int, int], size_b: tuple[int, int]
) -> dict[str, Any]:
    """Every measure of a pair of images of a plane that needs no estimation."""
    back = np.linalg.inv(homography)
    pairs, ratios = nearest(a, b)
    errors = {i: math.dist(mapped(homography, *a.xy[i].tolist()), b.xy[j].tolist()) for i, j in pairs}
    overlapping = 0
    in_a, in_b = set(common(a, homography, size_b)), set(common(b, back, size_a))
    for i, j in pairs:
        x, y = b.xy[j].tolist()
        centre, ellipse = mapped(back, x, y), derivative(back, x, y) @ shape(b, j)
        if i in in_a and j in in_b and math.dist(centre, a.xy[i].tolist()) < 200:
            overlapping += int(overlap_error(a.xy[i], shape(a, i), centre, ellipse) < 0.4)
    matches = [(i, j) for i, j in pairs if ratios[i] < 0.8]
    correct = [(i, j) for i, j in matches if errors[i] <= 3]
    fewest = min(len(in_a), len(in_b))
    return {
        "keypoints_a": len(a),
        "keypoints_b": len(b),
        "repeatability": repeatability(a, b, homography, size_a, size_b),
        "repeatability_within": repeatability_within(a, b, homography, size_a, size_b, 3),
        "matching_score": overlapping / fewest,
        "matches": len(matches),
        "correct": len(correct),
        "distinct": len({(*a.xy[i].tolist(), *b.xy[j].tolist()) for i, j in correct}),
        "precision": len(correct) / len(matches),
        "accuracy": [sum(e <= t for e in errors.values()) / len(errors) for t in range(1, 11)],
    }


# --- sequences


def write_plane(folder: Path, layout: str, count: int = 3) -> list[Floats]:
    """Write a sequence of a plane in a layout, ``oxford`` or ``hpatches``; return its homographies."""
    folder.mkdir(parents=True)
    first = Image.fromarray((texture(160, 120, 3) * 255).astype(np.uint8)).convert("RGB")
    name, matrix = {"oxford": ("img{}.png", "H1to{}p"), "hpatches": ("{}.ppm", "H_1_{}")}[layout]
    first.save(folder / name.format(1))
    homographies = []
    for k in range(2, count + 1):
        homography = np.linalg.matrix_power(TURN, k - 1)
        homography /= homography[2, 2]
        warped(first, homography, (150, 130))[0].save(folder / name.format(k))
        np.savetxt(folder / matrix.format(k), homography)
        homographies.append(homography)
    return homographies


def read(path: Path) -> Any:
    """The pixels of an image."""
    return siftcli.read_image(path).pixels
