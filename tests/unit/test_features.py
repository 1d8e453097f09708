"""Features: shapes are checked, and taking descriptors away leaves the frames."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from siftcli import Features


def features(n: int = 3, others: dict[str, Any] | None = None) -> Features:
    """Features of n keypoints."""
    values: dict[str, Any] = {
        "xy": np.zeros((n, 2), np.float32),
        "scales": np.ones(n, np.float32),
        "orientations": np.zeros(n, np.float32),
    }
    return Features(**values | (others or {}))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_length_is_the_number_of_keypoints(n: int) -> None:
    """Closed form: none, one and several."""
    assert len(features(n)) == n


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("xy", (3, 3)),
        ("xy", (3,)),
        ("scales", (2,)),
        ("orientations", (3, 1)),
        ("scores", (4,)),
        ("octaves", (0,)),
        ("levels", (3, 3)),
        ("descriptors", (3, 64)),
        ("descriptors", (2, 128)),
    ],
)
def test_shapes_must_agree(name: str, shape: tuple[int, ...]) -> None:
    """Closed form: the message says what it should be."""
    with pytest.raises(ValueError, match="must be") as caught:
        features(others={name: np.zeros(shape, np.float32)})
    assert str(caught.value).startswith(name)
    assert str(shape) in str(caught.value)


def test_descriptors_can_be_left_out() -> None:
    """Invariance: the frames stay, and the features that had descriptors keep them."""
    whole = features(2, {"descriptors": np.ones((2, 128), np.uint8), "image_size": (7, 5)})
    frames = whole.without_descriptors()
    assert frames.descriptors is None
    assert whole.descriptors is not None
    assert frames.image_size == (7, 5)
    assert np.array_equal(frames.xy, whole.xy)


def test_fields_cannot_be_set() -> None:
    """Invariance: arrays that were checked together stay together."""
    with pytest.raises(FrozenInstanceError):
        features().xy = np.zeros((1, 2), np.float32)  # type: ignore[misc]
