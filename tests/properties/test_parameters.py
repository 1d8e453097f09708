"""What holds for every value of every parameter: sound features, in order, inside the image, described again alike."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from engine_tools import field
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import siftcli
from siftcli import Features, ParameterError
from siftcli.params import DescriptorParams, DetectorParams, Parameters, SelectionParams
from siftcli.presets import PRESETS, all_parameters

UNBOUNDED = {
    "octaves": 12,
    "contrast_threshold": 0.5,
    "edge_threshold": 1e6,
    "clamp": 2.0,
    "norm_threshold": 0.5,
    "min_scale": 20.0,
    "max_scale": 20.0,
    "max_keypoints": 60,
    "max_image_size": 90,
}
"""Where a range has no upper end, the largest value to try."""

COSTLY = {"first_octave": 3, "scales_per_octave": 6, "sigma_base": 4.0, "magnification": 8.0, "border": 40}
"""Less than the range allows, or an example would take long."""


def values(parameter: Field[Any]) -> st.SearchStrategy[Any]:
    """All values of a parameter, its ends among them."""
    meta = parameter.metadata
    if isinstance(parameter.default, bool):
        return st.booleans()
    if meta["choices"]:
        return st.sampled_from(meta["choices"])
    if "..." in meta["parts"]:
        return st.lists(st.floats(0.5, 3.0), min_size=1, max_size=3).map(tuple)
    if meta["parts"]:
        return st.tuples(st.floats(-20, 90), st.floats(-20, 90), st.floats(0.5, 90), st.floats(0.5, 90))
    high = COSTLY.get(parameter.name, UNBOUNDED.get(parameter.name, meta["high"]))
    if meta["kind"] is int:
        return st.integers(meta["low"], int(high))
    if meta["low"] is not None:
        return st.floats(meta["low"], high)
    return st.floats(meta["above"], high, exclude_min=True).filter(lambda value: value > 1e-3)


ALL = [f for group in (DetectorParams, DescriptorParams, SelectionParams) for f in fields(group)]
some_values = st.sets(
    st.sampled_from(ALL),
    min_size=1,
    max_size=5,
).flatmap(lambda chosen: st.fixed_dictionaries({f.name: values(f) for f in sorted(chosen, key=lambda f: f.name)}))


def together(preset: str, changed: dict[str, Any]) -> Parameters | None:
    """The parameters, or None if two do not go together."""
    try:
        return all_parameters(preset, **changed)
    except ParameterError:
        return None


def picture() -> npt.NDArray[np.uint8]:
    """A picture of 100 x 72 pixels with blobs, edges, noise and a flat part."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:72, :100]
    grey = np.full((72, 100), 100.0)
    for _ in range(25):
        row, column, sigma = rng.uniform(0, 72), rng.uniform(0, 70), rng.uniform(1, 6)
        grey += rng.normal(0, 90) * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * sigma**2))
    grey[:, 45:70] += 60 * ((x + 2 * y)[:, 45:70] % 40 > 20) + rng.normal(0, 8, (72, 25))
    return grey.clip(0, 255).astype(np.uint8)


PICTURE = picture()


def places_of(found: Features) -> Any:
    """Place, scale and octave of every keypoint: the same for its orientations."""
    return np.column_stack([found.xy, found.scales, field(found, "octaves")])


def check(found: Features, detector: DetectorParams, descriptor: DescriptorParams, selection: SelectionParams) -> None:
    """Check all that holds for any features of the picture."""
    height, width = PICTURE.shape
    n = len(found)
    for name in ("xy", "scales", "orientations", "scores", "descriptors"):
        assert np.isfinite(field(found, name)).all(), name
    assert (found.xy >= -0.5).all()
    assert (found.xy <= np.array([width, height]) - 0.5).all()
    assert (found.scales > 0).all()
    assert ((found.orientations >= -np.pi) & (found.orientations < np.pi)).all()
    assert (field(found, "scores") >= np.float32(detector.dog_threshold) * np.float32(1 - 1e-6)).all()
    octaves, levels = field(found, "octaves").astype(int), field(found, "levels").astype(int)
    assert ((levels >= 1) & (levels <= detector.scales_per_octave)).all()
    assert (np.diff(octaves * 100 + levels) <= 0).all()  # Lowe's order: coarse first
    described = field(found, "descriptors")
    if descriptor.float_descriptors:
        assert (described >= 0).all()
        norms = np.linalg.norm(described, axis=1)
        assert (np.isclose(norms, 1, atol=1e-3) | (norms == 0)).all()
    places, counts = np.unique(places_of(found), axis=0, return_counts=True)
    assert len(places) == 0 or counts.max() <= detector.max_orientations
    if selection.max_keypoints is not None:
        coarser = octaves * 100 + levels > min(octaves * 100 + levels, default=0)  # all but the last of whole levels
        counted = len(np.unique(places_of(found)[coarser], axis=0)) if selection.keep == "levels" else n
        assert counted <= selection.max_keypoints
    if selection.min_scale is not None:
        assert (found.scales >= np.float32(selection.min_scale)).all()
    if selection.max_scale is not None:
        assert (found.scales <= np.float32(selection.max_scale)).all()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(PRESETS)), some_values)
@example("accurate", {"affine_shape": True, "first_octave": 0, "octaves": 1})
def test_any_parameters(preset: str, changed: dict[str, Any]) -> None:
    """Invariance: whatever goes together gives sound features, and describe on them what detect gave."""
    chosen = together(preset, changed)
    assume(chosen is not None)
    assert chosen is not None
    detector, descriptor, selection = chosen
    found = siftcli.detect(PICTURE, preset, **changed)
    check(found, detector, descriptor, selection)
    own = {name: value for name, value in changed.items() if not hasattr(selection, name)}
    again = siftcli.describe(PICTURE, found, preset, bad_frames="zero", **own)
    gap = np.abs(field(again, "descriptors").astype(float) - field(found, "descriptors"))
    if detector.max_image_size is None or detector.max_image_size >= max(PICTURE.shape):
        # The order of the points differs, and with some kernels of OpenBLAS a row is rounded by its place in a product.
        assert gap.max(initial=0) <= (1e-3 if descriptor.float_descriptors else 1)
    turned = siftcli.describe(PICTURE, found, preset, assign_orientations=True, bad_frames="zero", **own)
    assert set(field(turned, "sources").tolist()) == set(range(len(found)))
    assert np.isfinite(turned.orientations).all()


def test_two_octaves_before_the_image() -> None:
    """Invariance: with the image four times as large from the start, keypoints below half a pixel are found too."""
    usual, finer = (siftcli.detect(PICTURE, first_octave=octave, contrast_threshold=0.01) for octave in (-1, -2))
    assert (field(finer, "octaves") == -2).any()
    assert finer.scales.min() < usual.scales.min()


@pytest.mark.parametrize("octave", [0, 1])
def test_later_first_octaves(octave: int) -> None:
    """Invariance: starting at an octave gives about what comes from there on when starting before it."""
    everything = siftcli.detect(PICTURE, contrast_threshold=0.01, descriptors=False)
    later = siftcli.detect(PICTURE, contrast_threshold=0.01, descriptors=False, first_octave=octave)
    expected = everything.take(field(everything, "octaves") >= octave)
    assert (field(later, "octaves") >= octave).all()
    near = np.linalg.norm(later.xy[:, None] - expected.xy, axis=2).min(axis=1, initial=99) < 0.5 * later.scales
    assert len(later) > 0
    assert near.mean() > 0.8
