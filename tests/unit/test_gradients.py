"""Angles of vectors: against the arc tangent in double precision."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import tolerances

from siftcli.engine import gradients


@pytest.mark.parametrize(("vectorised", "exact"), [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize("scale", [1.0, 36 / (2 * np.pi)])
def test_norms_and_angles(vectorised: bool, exact: bool, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: numpy.hypot and arctan2 in double precision, in all directions, axes included, and of all lengths."""
    monkeypatch.setattr(gradients, "_has_fast_arctan2", lambda: vectorised)
    turn = np.linspace(-np.pi, np.pi, 4 * 257)
    length = np.geomspace(1e-6, 1e5, 7)[:, None]
    length = np.append(length, [[0.0]], axis=0)
    y, x = ((length * f(turn)).astype(np.float32) for f in (np.sin, np.cos))
    expected = np.arctan2(y.astype(float), x.astype(float)) * scale
    lengths = np.hypot(x.astype(float), y.astype(float))
    norm, found = gradients.magnitude_angle(x, y, scale, exact=exact)
    np.testing.assert_allclose(norm, lengths, rtol=tolerances.FLOAT32)
    assert found.dtype == np.float32
    error = np.abs(found - expected) / scale
    assert np.minimum(error, 2 * np.pi - error).max() < (
        tolerances.FLOAT32 if vectorised or exact else tolerances.POLYNOMIAL_ANGLE
    )


def test_the_polynomial_is_used_where_numpy_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: the definition; older versions of NumPy have no such report."""
    monkeypatch.setitem(sys.modules, "numpy.lib.introspect", None)
    gradients._has_fast_arctan2.cache_clear()
    assert not gradients._has_fast_arctan2()
    gradients._has_fast_arctan2.cache_clear()
