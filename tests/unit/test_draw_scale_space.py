"""Pictures of a scale space.

Oracles: closed forms of grey levels, places and counts.
"""

from __future__ import annotations

import numpy as np
import pytest
from draw_tools import Array, distance_to_circle
from PIL import Image

from siftcli.draw.legend import Key
from siftcli.draw.scale_space import FATES, ContactSheet, dog_picture, extrema_scene, gaussian_picture

NONE: dict[str, tuple[Array, Array]] = {name: (np.empty(0, int), np.empty((0, 2))) for name in FATES}


def test_gaussians_are_grey_from_0_to_1() -> None:
    picture = gaussian_picture(np.array([[-0.5, 0, 0.5, 1, 2]], np.float32))
    assert np.asarray(picture).tolist() == [[0, 0, 128, 255, 255]]


def test_dogs_have_zero_in_the_middle() -> None:
    picture = np.asarray(dog_picture(np.array([[-1, -0.1, -0.05, 0, 0.05, 0.1, 1]], np.float32), 0.1)).astype(int)
    np.testing.assert_allclose(picture, [[0, 0, 64, 128, 191, 255, 255]], atol=1)


def test_dots_are_where_the_extrema_are_and_those_kept_are_on_top_and_stand_out() -> None:
    places = {name: np.array([[20.0, 10 + 15 * i]]) for i, name in enumerate(FATES)}
    places["edge"] = np.concatenate([places["edge"], places["refined"]])
    picture = np.asarray(extrema_scene(Image.new("L", (40, 80)), places, 6).render())[:80]
    for name, (color, _) in FATES.items():
        x, y = places[name][0]
        core = picture[distance_to_circle((80, 40), x, y, 0) <= 1]
        if name == "refined":
            assert (core == color).all()
        else:  # faded and smaller
            assert (core.max(axis=0) < color).all()
            np.testing.assert_allclose(core / core.max(), np.broadcast_to(color, core.shape) / max(color), atol=0.02)
            assert not picture[distance_to_circle((80, 40), x, y, 0) > 2.9][:, 0].all()
    far = np.min([distance_to_circle((80, 40), *xy, 0) for xy in np.concatenate(list(places.values()))], axis=0) > 4
    assert (picture[far] == 0).all()


def test_the_legend_counts_every_fate() -> None:
    places = {name: np.zeros((3 + i, 2)) for i, name in enumerate(FATES)}
    legend = extrema_scene(Image.new("L", (400, 80)), places, 6).legend
    assert [e.text for e in legend if isinstance(e, Key)] == [
        "6 kept", "5 unstable fit", "4 on an edge", "3 too little contrast",
    ]  # fmt: skip


def sheet_of(octaves: int, tile: int = 64) -> ContactSheet:
    sheet = ContactSheet(tile, 0.1)
    for o in range(octaves):
        levels = np.stack([np.full((48 >> o, 64 >> o), s / 10, np.float32) for s in range(6)])
        sheet.add(o, levels, 1.6 * 2 ** (o + np.arange(6) / 3), NONE)
    return sheet


def test_a_sheet_has_a_tile_for_every_level_of_every_octave() -> None:
    pixels = np.asarray(sheet_of(3, 192).render().convert("L")).astype(int)
    # Each Gaussian level has a grey of its own, s / 10: found as often as there are octaves.
    for s in range(2, 6):
        mask = pixels == round(s / 10 * 255)
        assert mask.sum() == pytest.approx(3 * 192 * 144, rel=0.03)  # some of the writing has that grey too
    # DoG levels are 0.1 everywhere: white at this reach, five tiles in each row.
    assert (pixels == 255).sum() == pytest.approx(3 * 5 * 192 * 144, rel=0.02)


def test_rows_are_octaves_and_columns_are_levels() -> None:
    pixels = np.asarray(sheet_of(3).render().convert("L")).astype(int)
    lefts = [np.flatnonzero((pixels == round(s / 10 * 255)).sum(axis=0) > 100)[0] for s in range(2, 6)]
    assert (np.diff(lefts) == np.diff(lefts)[0]).all()
    assert np.diff(lefts)[0] > 64
    rows = (pixels == round(0.5 * 255)).sum(axis=1) >= 64
    starts = np.flatnonzero(rows[1:] & ~rows[:-1])
    assert len(starts) == 3


def test_extrema_are_marked_on_their_own_level_only() -> None:
    sheet = ContactSheet(320, 0.1)
    levels = np.full((6, 48, 64), 0.5, np.float32)
    places = {**NONE, "refined": (np.array([2]), np.array([[31.0, 23.0]]))}
    sheet.add(0, levels, 1.6 * 2 ** (np.arange(6) / 3), places)
    picture = np.asarray(sheet.render()).astype(int)
    blue = (np.abs(picture - FATES["refined"][0]).max(axis=2) < 40)[: picture.shape[0] - 40]
    grey = np.abs(picture - 128).max(axis=2) <= 1  # of DoG levels, here 0 everywhere, and of Gaussians
    y, x = np.nonzero(blue)
    assert 30 < len(x) < 100
    left = np.flatnonzero(grey.sum(axis=0) > 200)
    start = [left[0], *left[1:][np.diff(left) > 1]]  # of eleven tiles, the six Gaussians first
    assert len(start) == 11
    assert x.mean() - start[6 + 2] == pytest.approx(31.5 * 5 - 0.5, abs=0.6)
    assert y.mean() - np.flatnonzero(grey.sum(axis=1) > 1000)[0] == pytest.approx(23.5 * 5 - 0.5, abs=0.6)


def test_a_sheet_without_octaves() -> None:
    assert ContactSheet(64, 0.1).render().width > 100
