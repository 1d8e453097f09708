"""What the tests of feature formats share: features, and the bytes of every format."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from siftcli.conventions import quantise_512
from siftcli.features import Features
from siftcli.io.formats import FORMATS, Format
from siftcli.io.registry import collection_writer, write_features

PARAMETERS: dict[str, Any] = {
    "contrast_threshold": 0.03,
    "octaves": None,
    "upright": True,
    "variant": "lowe",
    "levels": 4,
}

SINGLE = [f.name for f in FORMATS.values() if not f.many]
"""Formats of one image a file."""


def make(n: int, seed: int = 0, *, floats: bool = False, affine: bool = False, **others: Any) -> Features:
    """Plausible features of an image of 640 x 480."""
    rng = np.random.default_rng(seed)
    descriptors = np.minimum(rng.gamma(0.7, 60, (n, 128)), 255).astype(np.uint8)
    shapes = None
    scales = rng.gamma(2, 3, n).astype(np.float32) + np.float32(0.5)
    orientations = rng.uniform(-3.14, 3.14, n).astype(np.float32)
    if affine:
        shapes = rng.normal(0, 3, (n, 2, 2)).astype(np.float32) + 3 * np.eye(2, dtype=np.float32)
        scales = np.sqrt(np.abs(np.linalg.det(shapes.astype(np.float64)))).astype(np.float32)
        orientations = np.arctan2(shapes[:, 1, 0], shapes[:, 0, 0])
    values: dict[str, Any] = {
        "xy": (rng.uniform(0, 1, (n, 2)) * [639, 479]).astype(np.float32),
        "scales": scales,
        "orientations": orientations,
        "scores": rng.uniform(0.01, 0.2, n).astype(np.float32),
        "octaves": rng.integers(-1, 5, n).astype(np.int16),
        "levels": rng.integers(1, 4, n).astype(np.int16),
        "descriptors": of_unit_norm(descriptors) if floats else descriptors,
        "image_size": (640, 480),
        "affine": shapes,
        "diverged": (np.arange(n) % 3 == 1).astype(np.uint8) if affine else None,
        "parameters": PARAMETERS,
        **others,
    }
    return Features(**values)


def of_unit_norm(values: np.ndarray) -> np.ndarray:
    """Descriptors of norm 1, or 0 where there is next to nothing."""
    norms = np.linalg.norm(values.astype(np.float64), axis=1, keepdims=True)
    return np.where(norms > 1e-6, values / np.maximum(norms, 1e-6), 0).astype(np.float32)


def write(path: Path, features: Features, format: str) -> Path:
    """Write features as an image ``a/b.jpg``, replacing what is there."""
    if FORMATS[format].database:  # which would be added to
        path.unlink(missing_ok=True)
    write_features(path, features, format, image="a/b.jpg", overwrite=True)
    return path


def write_three(path: Path, format: str, n: int = 20) -> dict[str, Features]:
    """Write a file of three images."""
    images = {name: make(n, seed) for seed, name in enumerate(("a/1 é.jpg", "a/2.jpg", "b.jpg"))}
    with collection_writer(path, format, parameters=PARAMETERS, overwrite=True) as writer:
        for name, features in images.items():
            writer.add(name, features)
    return images


def parts_of(path: Path, format: str) -> list[Path]:
    """The files that belong to a file of a format."""
    if FORMATS[format].kind != "pair":
        return [path]
    return [path.with_suffix("." + suffix.rpartition(".")[2]) for suffix in FORMATS[format].suffixes]


def same(a: Features, b: Features, names: tuple[str, ...] = ()) -> None:
    """Assert that features are the same to the bit, in these attributes or in all."""
    for name in names or tuple(f.name for f in fields(Features)):
        left, right = getattr(a, name), getattr(b, name)
        if left is None or right is None or not isinstance(left, np.ndarray):
            assert left == right, name
        else:
            assert left.dtype == right.dtype, name
            assert left.tobytes() == right.tobytes(), name


def held(format: Format, features: Features) -> tuple[str, ...]:
    """The attributes of features that a format holds."""
    return tuple(
        name
        for name in (
            "descriptors",
            "scores",
            "octaves",
            "levels",
            "sources",
            "affine",
            "diverged",
            "image_size",
            "parameters",
        )
        if name in format.holds and getattr(features, name) is not None
    )


ROUNDED = {"colmap", "colmap-db", "visualsfm"}
"""Formats whose descriptors have norm 512."""


def as_written(name: str, features: Features) -> Features:
    """Features with what a format changes by rule: descriptors of norm 512, the order of rows."""
    if name in ROUNDED and features.descriptors is not None:
        features = replace(features, descriptors=quantise_512(features.descriptors))
    if name == "opensfm":
        features = features.take(np.argsort(features.scales, kind="stable"))
    if name == "visualsfm":
        features = features.take(np.array(sorted(range(len(features)), key=lambda i: -features.scales[i]), int))
    return features


coordinates = st.floats(-100, 20000, width=32)
scales = st.floats(0.01171875, 5000, width=32)
PI = float(np.float32(math.pi))
angles = st.floats(-PI, PI, width=32, exclude_max=True)
unit = st.floats(0, 1, width=32)


@st.composite
def any_features(draw: st.DrawFn, *, floats: bool = True, frames: bool = True, whole: bool = False) -> Features:
    """Features with whatever they may have.

    Parameters
    ----------
    draw : callable
        Of Hypothesis.
    floats : bool
        Descriptors may be floats.
    frames : bool
        There may be no descriptors.
    whole : bool
        Everything that may be missing is there.
    """
    n = draw(st.integers(0, 5))
    kind = draw(st.sampled_from(["bytes", *(["floats"] if floats else []), *(["none"] if frames else [])]))
    descriptors: Any = None
    if kind == "bytes":
        descriptors = draw(hnp.arrays(np.uint8, (n, 128)))
    elif kind == "floats":
        descriptors = of_unit_norm(draw(hnp.arrays(np.float32, (n, 128), elements=unit)))

    def maybe(strategy: st.SearchStrategy[Any]) -> Any:
        return draw(strategy if whole else st.none() | strategy)

    return Features(
        xy=draw(hnp.arrays(np.float32, (n, 2), elements=coordinates)),
        scales=draw(hnp.arrays(np.float32, n, elements=scales)),
        orientations=draw(hnp.arrays(np.float32, n, elements=angles)),
        scores=maybe(hnp.arrays(np.float32, n, elements=unit)),
        octaves=maybe(hnp.arrays(np.int16, n)),
        levels=maybe(hnp.arrays(np.int16, n)),
        sources=maybe(hnp.arrays(np.int32, n)),
        descriptors=descriptors,
        image_size=maybe(st.tuples(st.integers(1, 100_000), st.integers(1, 100_000))),
        parameters=maybe(st.dictionaries(st.sampled_from(sorted(PARAMETERS)), parameter_values, min_size=1)),
    )


parameter_values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
)
