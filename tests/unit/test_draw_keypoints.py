"""Keypoint overlays, through the public function.

Oracles: closed forms of where a mark changes pixels and where it does not; the image itself where nothing is drawn;
counts; the errors that the docstrings promise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from draw_tools import Array, distance_to_circle, distance_to_segment, features, scattered
from PIL import Image

import siftcli
from siftcli.conventions import affine_of
from siftcli.draw.keypoints import keypoint_scene
from siftcli.draw.legend import Bar, Note
from siftcli.draw.picture import to_rgb
from siftcli.draw.style import KeypointStyle

Draw = dict[str, Any]
PLAIN: Draw = {"legend": False, "halo": False, "opacity": 1, "zoom": 1, "color": "#ffffff", "line_width": 2}
STYLES = ("circles", "points", "arrows", "frames", "descriptors")


def scene(found: siftcli.Features, size: tuple[int, int] = (200, 150), **options: Any) -> Any:
    return keypoint_scene(Image.new("RGB", size), found, KeypointStyle(**{"zoom": 1, **options}))


def drawn(found: siftcli.Features, size: tuple[int, int] = (100, 80), **options: Any) -> Array:
    return np.asarray(siftcli.draw_keypoints(np.zeros(size[::-1]), found, **{**PLAIN, **options}))[..., 0]


def notes(found: siftcli.Features, **options: Any) -> list[str]:
    return [entry.text for entry in scene(found, **options).legend if isinstance(entry, Note)]


# --- where marks are


@pytest.mark.parametrize(("radius", "factor"), [("sigma", 1), ("support", 6)])
def test_a_circle_is_where_its_keypoint_is(radius: str, factor: int) -> None:
    picture = drawn(features([[50.25, 40.5]], [5.0], [np.pi / 2]), radius=radius)
    on_rim = distance_to_circle((80, 100), 50.25, 40.5, 5 * factor) <= 0.45
    tick = distance_to_segment((80, 100), (50.25, 40.5, 50.25, 40.5 + 5 * factor))
    off = (distance_to_circle((80, 100), 50.25, 40.5, 5 * factor) >= 1.54) & (tick >= 1.54)
    assert on_rim.sum() > 20
    assert (picture[on_rim] == 255).all()
    assert (picture[tick <= 0.4] == 255).all()
    assert (picture[off] == 0).all()


def test_the_magnification_that_features_were_made_with_counts() -> None:
    found = features([[50, 40]], [3.0], parameters={"magnification": 4.0})
    picture = drawn(found, radius="support")
    assert (picture[distance_to_circle((80, 100), 50, 40, 24) <= 0.4] == 255).all()


def test_a_square_is_where_its_frame_is() -> None:
    picture = drawn(features([[50, 40]], [15.0], [np.pi / 4]), style="frames")
    for angle in np.pi / 4 * np.arange(0, 8, 2):
        x, y = 50 + 15 * np.sqrt(2) * np.cos(angle), 40 + 15 * np.sqrt(2) * np.sin(angle)
        assert picture[round(y), round(x)] > 128  # its corners lie right, below, left and above
    assert picture[40, 35] == 0
    assert picture[40, 80] == 0


def test_an_affine_frame_is_an_ellipse() -> None:
    maps = np.array([[[20.0, 0], [0, 8]]], np.float32)
    found = features([[50, 40]], [np.sqrt(160)], affine=maps)
    picture = drawn(found)
    rows, columns = np.mgrid[:80, :100]
    level = np.hypot((columns - 50) / 20, (rows - 40) / 8)
    assert (picture[(np.abs(level - 1) < 0.02) & (columns < 50)] > 200).all()
    assert (picture[(level > 1.3) | ((level < 0.7) & (columns < 48))] == 0).all()


def test_a_similarity_looks_the_same_as_its_affine_map() -> None:
    found = features([[50, 40]], [15.0], [0.7])
    both = [drawn(f) for f in (found, replace(found, affine=affine_of(found.scales, found.orientations)))]
    assert np.abs(both[0].astype(int) - both[1]).max() < 30  # a polygon of 48 sides misses the circle by 0.03 px


def test_points_are_dots() -> None:
    picture = drawn(features([[50, 40], [20, 20]], [30.0, 1.0]), style="points")
    for x, y in ((50, 40), (20, 20)):
        distance = distance_to_circle((80, 100), x, y, 0)
        assert (picture[distance <= 2.5] == 255).all()
    assert picture[40, 80] == 0


def test_a_region_is_the_same_picture_cut_out() -> None:
    found = scattered(40, 100, 80, seed=4, scores=None)
    whole, part = drawn(found, thin=False), drawn(found, thin=False, region=(20, 10, 50, 60))
    inside = features(found.xy, found.scales, found.orientations).take(
        ((found.xy >= [19.5, 9.5]) & (found.xy < [69.5, 69.5])).all(axis=1)
    )
    np.testing.assert_array_equal(part, drawn(inside, thin=False)[10:70, 20:70])
    assert part.any()
    assert whole.shape == (80, 100)


def test_zoom_puts_marks_where_the_pixels_go() -> None:
    picture = drawn(features([[50, 40]], [10.0]), zoom=3)
    assert picture.shape == (240, 300)
    rim = distance_to_circle((240, 300), 151, 121, 30)
    assert (picture[rim <= 0.4] == 255).all()
    left = np.arange(300) < 150  # the tick points to the right
    assert (picture[(rim >= 1.6) & left] == 0).all()


# --- the image


def test_colour_stays_where_nothing_is_drawn(sample_images: Path) -> None:
    with Image.open(sample_images / "chelsea.jpg") as image:
        before = np.asarray(image.convert("RGB"))
    picture = np.asarray(siftcli.draw_keypoints(before, features([[100, 100]], [20.0]), legend=False, zoom=1))
    far = distance_to_circle(before.shape[:2], 100, 100, 0) > 30
    np.testing.assert_array_equal(picture[far], before[far])
    assert (picture != before).any()


def test_the_image_is_not_changed() -> None:
    image, copy = np.full((50, 60, 3), 9, np.uint8), np.full((50, 60, 3), 9, np.uint8)
    given = Image.fromarray(image)
    siftcli.draw_keypoints(image, features([[20, 20]], [5.0]))
    siftcli.draw_keypoints(given, features([[20, 20]], [5.0]), zoom=1)
    np.testing.assert_array_equal(image, copy)
    np.testing.assert_array_equal(np.asarray(given), copy)


@pytest.mark.parametrize("ground", [0, 255])
@pytest.mark.parametrize("color", ["scale", "orientation", "octave", "response"])
def test_marks_are_visible_on_light_and_on_dark_ground(ground: int, color: str) -> None:
    found = scattered(8, 300, 200, seed=1)
    picture = np.asarray(
        siftcli.draw_keypoints(np.full((200, 300), ground, np.uint8), found, legend=False, color=color)
    )
    marked = (np.abs(picture.astype(int) - ground).max(axis=2) > 90).sum()
    assert marked > 8 * 10


def test_lines_grow_with_the_picture() -> None:
    widths = [scene(features([[50, 50]], [40.0]), size).marks[0].widths[0] for size in ((600, 400), (3600, 2400))]
    assert widths[0] == pytest.approx(1.2)
    assert widths[1] == pytest.approx(4)


# --- which keypoints, and what is said about them


def test_thousands_are_thinned_and_all_of_them_are_there() -> None:
    found = scattered(5000, 200, 150)
    dots, full = scene(found).marks
    assert len(dots) + len(full) == 5000
    assert 20 < len(full) < 500
    assert not dots.circles[:, 2].any()
    (text, _) = notes(found)
    assert text == f"5,000 keypoints, {len(full):,} drawn as circles, the others as dots"


def test_a_few_are_all_drawn_in_full() -> None:
    found = features([[20, 20], [100, 60], [150, 120]], [3.0, 5, 8])
    (marks,) = scene(found).marks
    assert len(marks) == 3
    assert notes(found) == ["3 keypoints", "radius = \N{GREEK SMALL LETTER SIGMA}"]


@pytest.mark.parametrize("options", [{"thin": False}, {"top": 5000}])
def test_thinning_can_be_switched_off(options: Draw) -> None:
    assert sum(map(len, scene(scattered(5000, 200, 150), **options).marks)) == 5000
    assert len(scene(scattered(5000, 200, 150), **options).marks) == 1


def test_top_takes_the_strongest() -> None:
    found = scattered(300, 200, 150)
    marks = scene(found, top=10).marks[0]
    strongest = np.argsort(-found.scores)[:10]  # type: ignore[operator]
    assert sorted(marks.circles[:, 2]) == pytest.approx(sorted(found.scales[strongest]))
    assert notes(found, top=10)[0] == "the 10 strongest of 300 keypoints"


def test_of_descriptors_that_overlap_top_draws_the_largest() -> None:
    descriptors = np.random.default_rng(0).integers(0, 200, (3, 128)).astype(np.uint8)
    found = features([[50, 50], [55, 50], [150, 100]], [2.0, 4, 3], descriptors=descriptors)
    marks = scene(found, style="descriptors", top=3).marks
    np.testing.assert_allclose(marks[0].circles, [[50, 50, 0]], atol=1e-6)
    assert len(marks[-1]) == 2
    assert notes(found, style="descriptors", top=3)[0] == "3 keypoints, 2 drawn as descriptors, the others as dots"


@pytest.mark.parametrize(("style", "factor"), [("arrows", 6), ("circles", 1), ("frames", 1)])
def test_arrows_are_as_long_as_the_support(style: str, factor: int) -> None:
    found = features([[50, 40]], [5.0])
    assert (
        scene(found, style=style).render()
        == scene(found, style=style, radius="support" if factor == 6 else "sigma").render()
    )


def test_halos_are_thinner_in_a_dense_picture() -> None:
    def widest(found: siftcli.Features) -> float:
        laid_out = scene(found, thin=False)
        return max(float(laid_out.halos(marks).max()) for marks in laid_out.marks)

    assert widest(scattered(3, 200, 150)) == pytest.approx(0.8)  # the least beside a line of 1.2 px
    assert widest(scattered(5000, 200, 150)) < 0.1


@pytest.mark.parametrize(("theme", "mode"), [("dark", "RGB"), ("light", "RGB"), ("none", "RGBA")])
def test_themes_change_the_legend_alone(theme: str, mode: str) -> None:
    found = scattered(20, 200, 150)
    picture, dark = scene(found, theme=theme).render(), scene(found).render()
    assert picture.mode == mode
    assert picture.size == dark.size
    np.testing.assert_array_equal(np.asarray(picture)[:150, :, :3], np.asarray(dark)[:150])
    corner = picture.getpixel((199, picture.height - 1))
    assert corner == {"dark": (22, 24, 29), "light": (255, 255, 255), "none": (128, 128, 128, 0)}[theme]
    if mode == "RGBA":
        alpha = np.asarray(picture)[..., 3]
        assert (alpha[:150] == 255).all()
        assert 0 < (alpha[150:] > 128).mean() < 0.5  # text


def test_without_responses_top_takes_the_largest() -> None:
    found = scattered(300, 200, 150, scores=None)
    marks = scene(found, top=10).marks[0]
    assert sorted(marks.circles[:, 2]) == pytest.approx(sorted(found.scales)[-10:])
    assert notes(found, top=10)[0] == "the 10 largest of 300 keypoints"


def test_small_ones_are_on_top() -> None:
    radius = scene(scattered(50, 200, 150), thin=False).marks[0].circles[:, 2]
    assert (np.diff(radius) <= 0).all()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one(style: str, count: int) -> None:
    found = scattered(1, 200, 150).take(np.arange(count))
    (first, *_) = notes(found, style=style)
    assert first.startswith("1 keypoint" if count else "0 keypoints")
    picture = siftcli.draw_keypoints(np.zeros((150, 200), np.uint8), found, style=style, zoom=1, legend=False)
    assert bool(np.asarray(picture).any()) == bool(count)


def test_descriptors_do_not_cover_each_other() -> None:
    found = scattered(400, 800, 600, seed=2)
    _, cells, _ = scene(found, (800, 600), style="descriptors").marks
    corners = cells.segments.reshape(len(cells), 10, 4)
    middle, side = corners.mean(axis=1)[:, :2], np.ptp(corners[..., 0], axis=1)
    middle = corners.reshape(len(cells), -1, 2).mean(axis=1)
    apart = np.hypot(*(middle[:, None] - middle[None]).T)[~np.eye(len(cells), dtype=bool)]
    assert len(cells) > 3
    assert apart.min() > side.min() / np.sqrt(2)


def test_the_legend_is_a_strip_below_that_says_what_colours_mean() -> None:
    found = scattered(50, 200, 150)
    picture = siftcli.draw_keypoints(np.zeros((150, 400)), found, zoom=1)
    bare = siftcli.draw_keypoints(np.zeros((150, 400)), found, zoom=1, legend=False)
    assert bare.size == (400, 150)
    assert picture.width == 400
    strip = np.asarray(picture)[150:]
    np.testing.assert_array_equal(np.asarray(picture)[:150], np.asarray(bare))
    assert len(strip) >= 20
    assert (strip.reshape(-1, 3).max(axis=1) > 200).sum() > 100  # writing
    colorful = np.ptp(strip.astype(int), axis=2) > 60
    assert colorful.any(axis=0).sum() > 60  # the bar
    assert [type(e) for e in scene(found).legend] == [Note, Note, Bar]


def test_a_legend_fits_into_a_narrow_picture() -> None:
    picture = siftcli.draw_keypoints(np.zeros((900, 170)), scattered(50, 170, 900), radius="support")
    strip = np.asarray(picture)[900:]
    assert picture.width == 170
    assert (strip[:, -2:] == strip[-1, -1]).all()  # nothing is cut off at the right


ODD: dict[str, Draw] = {
    "no size": {"xy": [[50, 40], [20, 20]], "scales": [0, 0]},
    "larger than all": {"xy": [[50, 40], [20, 20]], "scales": [1e5, 1e9]},
    "outside": {"xy": [[-1e5, 40], [20, 1e7]], "scales": [3, 3]},
    "nowhere": {"xy": [[np.nan, 40], [20, np.inf]], "scales": [3, 3]},
    "of no number": {"xy": [[50, 40], [20, 20]], "scales": [np.nan, np.inf]},
    "without direction": {"xy": [[50, 40]], "scales": [3], "orientations": [np.nan]},
    "flat": {"xy": [[50, 40]], "scales": [3], "affine": np.array([[[3, 0], [0, 0]]], np.float32)},
    "of no response": {"xy": [[50, 40]], "scales": [3], "scores": np.zeros(1, np.float32)},
}


@pytest.mark.parametrize("style", ["circles", "points", "arrows", "frames"])
@pytest.mark.parametrize("name", ODD)
def test_odd_frames_do_no_harm(name: str, style: str) -> None:
    found = features(**ODD[name])
    picture = siftcli.draw_keypoints(np.full((80, 100), 99, np.uint8), found, style=style, zoom=1)
    assert picture.width == 100
    sane = np.isfinite(found.xy).all() and np.isfinite(found.scales).all() and np.isfinite(found.orientations).all()
    if not sane:
        assert (np.asarray(picture)[:80] == 99).all()


# --- what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": "stars"}, "style: must be one of circles, points"),
        ({"color": "mud"}, "color: must be scale, response"),
        ({"top": -1}, "top: must be at least 0"),
        ({"top": 2.5}, "top: must be a whole number"),
        ({"opacity": 1.5}, "opacity: must be at most 1"),
        ({"line_width": 0}, "line_width: must be greater than 0"),
        ({"zoom": float("nan")}, "zoom: must be finite"),
        ({"region": (0, 0, 0, 5)}, "region: must have a width and height of at least 1"),
        ({"region": (300, 0, 5, 5)}, "region: lies outside the image"),
        ({"colour": "red"}, "colour: is not an option of keypoint pictures"),
        ({"style": "descriptors"}, "style: descriptors: these features have none"),
        ({"color": "response"}, "color: response: these features do not tell"),
    ],
)
def test_refused(options: Draw, message: str) -> None:
    with pytest.raises(siftcli.ParameterError, match=message):
        siftcli.draw_keypoints(np.zeros((150, 200)), features([[5, 5]], [2.0]), **options)


# --- photographs


@pytest.mark.parametrize("style", STYLES)
def test_every_style_draws_on_every_keypoint_of_a_photograph(
    style: str, pixels: Callable[[str], npt.NDArray[np.uint8]]
) -> None:
    grey = pixels("chelsea.jpg")
    found = siftcli.detect(grey)
    picture = np.asarray(siftcli.draw_keypoints(grey, found, style=style, legend=False, zoom=1)).astype(int)
    changed = np.abs(picture - np.asarray(to_rgb(grey))).max(axis=2) > 8
    reach = 3 + found.scales.max()
    x, y = np.rint(found.xy).astype(int).T
    padded = np.pad(changed, int(np.ceil(reach)))
    near = np.array(
        [
            padded[row : row + 2 * int(reach) + 1, column : column + 2 * int(reach) + 1].any()
            for row, column in zip(y, x, strict=True)
        ]
    )
    assert near.all()
    assert changed.mean() < 0.5  # the photograph is still to be seen
