"""Colours.

Oracles: OKLab's definition inverted (closed form), the luminance of sRGB, and how red- and green-blind readers see
(Vienot, Brettel and Mollon 1999).
"""

from __future__ import annotations

import numpy as np
import pytest
from draw_tools import Array, features

from siftcli.draw.color import cyclic, oklab_to_srgb, sequential
from siftcli.draw.coloring import colored, even_bar
from siftcli.draw.legend import Bar
from siftcli.draw.palette import COLORINGS, INLIER, OUTLIER, parse_color
from siftcli.errors import ParameterError

_TO_LMS = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
_BLIND = {
    "red": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "green": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
}


def linear(colors: Array) -> Array:
    share = np.asarray(colors, float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def seen(colors: Array, kind: str) -> Array:
    """What a red- or green-blind reader sees, in linear sRGB."""
    return linear(colors) @ _TO_LMS.T @ _BLIND[kind].T @ np.linalg.inv(_TO_LMS).T


def luminance(colors: Array) -> Array:
    return linear(colors) @ [0.2126, 0.7152, 0.0722]


def lab(colors: Array) -> Array:
    """OKLab of sRGB, by its definition. [Ottosson 2020]"""
    m1 = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    m2 = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.asarray(np.cbrt(linear(colors) @ m1.T) @ m2.T)


def test_oklab_is_inverted() -> None:
    cube = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).reshape(-1, 3)
    np.testing.assert_array_equal(oklab_to_srgb(lab(cube)), cube)


def test_what_srgb_cannot_show_is_clipped() -> None:
    np.testing.assert_array_equal(oklab_to_srgb(np.array([[2.0, 0, 0], [-1.0, 0, 0]])), [[255] * 3, [0] * 3])


def test_the_sequential_map_is_monotonic_for_every_reader() -> None:
    colors = sequential(np.linspace(0, 1, 33))
    assert (np.diff(luminance(colors)) > 0).all()
    assert (np.diff(lab(colors)[:, 2]) > 0).all()  # from blue to yellow
    for kind in _BLIND:
        steps = np.linalg.norm(np.diff(seen(colors, kind), axis=0), axis=1)
        assert steps.min() > 0.25 * steps.mean()


def test_values_outside_take_the_ends() -> None:
    np.testing.assert_array_equal(sequential(np.array([-3, 7.0])), sequential(np.array([0, 1.0])))


def test_the_cyclic_map_is_closed_and_tells_directions_apart() -> None:
    around = cyclic(np.linspace(-np.pi, np.pi, 361))
    np.testing.assert_array_equal(around[0], around[-1])
    assert np.abs(np.diff(around.astype(int), axis=0)).max() <= 6
    four = cyclic(np.array([0, np.pi / 2, np.pi, -np.pi / 2]))
    for kind in _BLIND:
        colors = seen(four, kind)
        apart = np.linalg.norm(colors[:, None] - colors[None], axis=-1)[~np.eye(4, dtype=bool)]
        assert apart.min() > 0.2


def test_inliers_and_outliers_differ_for_every_reader() -> None:
    for kind in _BLIND:
        a, b = seen(np.array([INLIER, OUTLIER]), kind)
        assert np.linalg.norm(a - b) > 0.4


def test_all_colours_are_light_enough_for_a_dark_halo() -> None:
    shades = np.concatenate([sequential(np.linspace(0, 1, 50)), cyclic(np.linspace(-3, 3, 50)), [INLIER], [OUTLIER]])
    contrast = (luminance(shades) + 0.05) / 0.05
    assert contrast.min() > 3  # WCAG 2.1 on graphics


@pytest.mark.parametrize(
    ("text", "color"), [("#fff", (255, 255, 255)), ("#0A141e", (10, 20, 30)), ("Black", (0, 0, 0))]
)
def test_names_of_colours(text: str, color: tuple[int, int, int]) -> None:
    assert parse_color(text) == color


@pytest.mark.parametrize("text", ["", "puce", "#12345", "ffffff", "#ggg", "#-12345"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="color: must be scale, response"):
        parse_color(text, others=COLORINGS)


# --- what colours stand for


def test_scales_are_coloured_by_rank_and_octave() -> None:
    found = features([[0, 0]] * 4, [1, 2, 4, 16])
    colors, (bar,) = colored(found, "scale")
    # Half by rank, in thirds, and half by octave, in quarters.
    places = (np.array([0, 1, 2, 3]) / 3 + np.array([0, 1, 2, 4]) / 4) / 2
    np.testing.assert_array_equal(colors, sequential(places))
    assert isinstance(bar, Bar)
    assert {text: place for place, text in bar.ticks} == pytest.approx(
        {"1": 0, "2": places[1], "4": places[2], "8": (places[2] + places[3]) / 2, "16": 1}
    )


def test_colours_use_the_whole_range_for_values_that_crowd_at_one_end() -> None:
    values = np.append(np.random.default_rng(0).uniform(1, 1.5, 999), 64.0)
    colors, _ = even_bar(values, "")
    upper = (colors == sequential(np.linspace(0.25, 1, 2000))[:, None]).all(axis=2).any(axis=0)
    assert upper.mean() > 0.4  # by the logarithm alone, all but one are below a tenth


def test_ticks_leave_room_for_their_labels() -> None:
    values = np.append(np.random.default_rng(0).uniform(1, 1.5, 999), 64.0)
    _, (bar,) = even_bar(values, "", tuple(2.0**k for k in range(8)))
    assert isinstance(bar, Bar)
    places = [place for place, _ in bar.ticks]
    assert bar.ticks[0][1], bar.ticks[-1][1] == ("1", "64")
    assert min(np.diff(places)) > 0.15


def test_a_narrow_range_has_ticks_at_its_ends() -> None:
    _, (bar,) = even_bar(np.array([3.1, 3.3]), "")
    assert isinstance(bar, Bar)
    assert [text for _, text in bar.ticks] == ["3.1", "3.3"]


@pytest.mark.parametrize("values", [[], [5.0], [5.0, 5.0], [0.0, 1.0]])
def test_ranges_of_no_extent(values: list[float]) -> None:
    colors, entries = even_bar(np.array(values), "")
    assert colors.shape == (len(values), 3)
    assert len(entries) == (1 if values else 0)


def test_octaves_are_coloured_in_steps() -> None:
    found = features([[0, 0]] * 3, [1, 1, 1], octaves=np.array([-1, 2, -1], np.int16))
    colors, (bar,) = colored(found, "octave")
    np.testing.assert_array_equal(colors, sequential(np.array([0.125, 0.875, 0.125])))
    assert isinstance(bar, Bar)
    assert bar.ticks == ((0.125, "-1"), (0.375, "0"), (0.625, "1"), (0.875, "2"))


@pytest.mark.parametrize("by", ["response", "octave"])
def test_what_features_do_not_tell_cannot_be_a_colour(by: str) -> None:
    with pytest.raises(ParameterError, match=f"color: {by}: these features do not tell"):
        colored(features([[0, 0]], [1]), by)
