"""Match pictures.

Oracles: closed forms of where lines begin and end, homographies that are known, Pillow's own affine transform, counts.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from draw_tools import Array, distance_to_segment, features
from PIL import Image

import siftcli
from siftcli.draw.blink import blink_scenes
from siftcli.draw.legend import Bar, Key, Note
from siftcli.draw.match_grounds import beside
from siftcli.draw.match_marks import in_full
from siftcli.draw.matches import match_scene, matched_images
from siftcli.draw.palette import INLIER, OUTLIER, THEMES
from siftcli.draw.style import MatchStyle
from siftcli.draw.warp import fit_homography, homography_of, mapped, union, warped
from siftcli.matches import Matches, Model

TURN = np.array([[0.9, -0.3, 20], [0.25, 1.0, -7], [2e-4, -1e-4, 1]])


def matches(count: int = 40, seed: int = 0, **more: Any) -> Matches:
    """Matches at random places of images of 200 x 150 and 120 x 160 pixels."""
    random = np.random.default_rng(seed)
    given: dict[str, Any] = {
        "ratios": random.uniform(0.2, 0.8, count),
        "xy_a": (random.uniform(0, 1, (count, 2)) * (199, 149)).astype(np.float32),
        "xy_b": (random.uniform(0, 1, (count, 2)) * (119, 159)).astype(np.float32),
    }
    return Matches(np.repeat(np.arange(count)[:, None], 2, axis=1).astype(np.int32), **{**given, **more})


def verified(count: int = 40, outliers: int = 8, **more: Any) -> Matches:
    """Matches that a homography made, and some that it did not."""
    random = np.random.default_rng(1)
    xy_a = (random.uniform(0.2, 0.8, (count, 2)) * (199, 149)).astype(np.float32)
    xy_b = mapped(TURN, xy_a)
    xy_b[:outliers] += random.uniform(20, 40, (outliers, 2))
    return matches(count, xy_a=xy_a, xy_b=xy_b.astype(np.float32), inliers=np.arange(count) >= outliers, **more)


def images(found: Matches, **more: Any) -> Any:
    return matched_images(Image.new("RGB", (200, 150), (90, 90, 90)), Image.new("RGB", (120, 160)), found, **more)


def scene(found: Matches, **options: Any) -> Any:
    return match_scene(images(found), MatchStyle(**{"zoom": 1, **options}))


# --- grounds


@pytest.mark.parametrize(
    ("layout", "size"), [("side", (200 + 5 + 120, 160)), ("stacked", (200, 150 + 5 + 160)), ("auto", (325, 160))]
)
def test_two_images_in_one_picture(layout: str, size: tuple[int, int]) -> None:
    ground = beside(images(matches()), layout, 1)
    assert ground.image.size == size


def test_the_images_are_where_their_points_are() -> None:
    rng = np.random.default_rng(0)
    a, b = (Image.fromarray(rng.integers(0, 256, (h, w, 3)).astype(np.uint8)) for h, w in ((150, 200), (160, 120)))
    for layout in ("side", "stacked"):
        ground = beside(matched_images(a, b, matches()), layout, 1)
        whole = np.asarray(ground.image)
        for image, place in ((a, ground.place_a), (b, ground.place_b)):
            (left, top), (right, bottom) = place(np.array([[0, 0], [image.width - 1, image.height - 1]])).astype(int)
            np.testing.assert_array_equal(whole[top : bottom + 1, left : right + 1], np.asarray(image))


def test_what_neither_image_covers_is_ground() -> None:
    assert np.asarray(beside(images(matches()), "side", 1).image)[0, 0].tolist() == list(THEMES["dark"].ground or ())
    corner = np.asarray(beside(images(matches()), "side", 1, THEMES["none"]).image)
    assert corner[0, 0, 3] == 0
    assert (corner[5:155, :200, 3] == 255).all()


@pytest.mark.parametrize(
    ("size", "stacked"), [((400, 300), False), ((160, 90), False), ((300, 400), False), ((900, 300), True)]
)
def test_ordinary_pairs_are_side_by_side_and_panoramas_stacked(size: tuple[int, int], stacked: bool) -> None:
    pair = matched_images(Image.new("RGB", size), Image.new("RGB", size), matches(0))
    width, height = beside(pair, "auto", 1).image.size
    assert (width == size[0], height == size[1]) == (stacked, not stacked)


def test_a_much_smaller_image_is_enlarged() -> None:
    small, large = Image.new("RGB", (60, 40)), Image.new("RGB", (600, 400))
    ground = beside(matched_images(small, large, matches()), "side", 1)
    assert ground.image.size[1] == 400
    np.testing.assert_allclose(ground.place_a(np.array([[-0.5, -0.5], [59.5, 39.5]])), [[-0.5, -0.5], [599.5, 399.5]])


# --- lines


def test_a_line_connects_its_keypoints() -> None:
    found = matches(1, xy_a=np.array([[50, 40]], np.float32), xy_b=np.array([[60, 100]], np.float32))
    picture = np.asarray(
        scene(found, layout="side", halo=False, legend=False, line_width=2, opacity=1).render()
    ).astype(int)
    ends = (50, 40 + 5, 200 + 5 + 60, 100)  # a is the lower image, so it is moved down
    distance = distance_to_segment(picture.shape[:2], ends)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    rings = np.minimum(np.hypot(columns - 50, rows - 45), np.hypot(columns - 265, rows - 100))
    line = (distance < 0.4) & (rings > 7)
    assert line.sum() > 100
    assert (picture[line] == picture[line][0]).all()
    assert (picture[np.abs(rings - 5) < 0.4] == picture[line][0]).all()
    grey = (distance > 2) & (rings > 7) & (columns < 200) & (rows >= 5) & (rows < 155)
    assert (picture[grey] == 90).all()


def test_inliers_and_outliers_differ_in_colour_and_in_form() -> None:
    found = scene(verified(), layout="side", thin=False)
    outliers, inliers = found.marks  # the inliers are on top
    assert (len(outliers), len(inliers)) == (8, 32)
    assert (inliers.colors == INLIER).all()
    assert (outliers.colors == OUTLIER).all()
    assert (np.bincount(inliers.segment_of) == 1).all()
    assert (np.bincount(outliers.segment_of) > 3).all()
    assert outliers.opacity < 0.5 < inliers.opacity
    assert [e.text for e in found.legend] == ["40 matches", "32 inliers", "8 outliers"]
    assert [e.kind for e in found.legend if isinstance(e, Key)] == ["line", "dashes"]


def test_dashes_are_on_the_line_and_cover_half_of_it() -> None:
    found = verified(outliers=40, count=40)
    (lines,) = scene(found, layout="side", thin=False).marks
    ground = beside(images(found), "side", 1)
    ends = np.hstack(ground.places(found))
    for i in range(5):
        own = lines.segments[lines.segment_of == np.flatnonzero(np.isclose(lines.circles[::2, 0], ends[i, 0]))[0]]
        along = (ends[i, 2:] - ends[i, :2]) / np.hypot(*(ends[i, 2:] - ends[i, :2]))
        away = own.reshape(-1, 2) - ends[i, :2]
        np.testing.assert_allclose(away @ [-along[1], along[0]], 0, atol=1e-9)
        share = np.hypot(*(own[:, 2:] - own[:, :2]).T).sum() / np.hypot(*(ends[i, 2:] - ends[i, :2]))
        assert 0.4 < share < 0.65


@pytest.mark.parametrize(("show", "count"), [("all", 40), ("inliers", 32), ("outliers", 8)])
def test_which_are_shown(show: str, count: int) -> None:
    assert sum(map(len, scene(verified(), show=show, layout="side", thin=False).marks)) == count


def test_top_takes_the_lowest_ratios_and_keeps_the_share_of_outliers() -> None:
    found = verified()
    outliers, inliers = scene(found, top=10, layout="side").marks
    assert (len(outliers), len(inliers)) == (2, 8)
    circles = np.concatenate([outliers.circles, inliers.circles])
    assert found.ratios is not None
    best = [np.flatnonzero(found.inliers)[np.argsort(found.ratios[8:])[:8]], np.argsort(found.ratios[:8])[:2]]
    expected = beside(images(found), "side", 1).places(found)[0][np.concatenate(best)]
    assert {tuple(p) for p in np.round(circles[::2, :2], 6)} == {tuple(p) for p in np.round(expected, 6)}


def test_many_matches_are_thinned() -> None:
    found = scene(matches(3000), layout="side")
    dots, lines = found.marks
    assert len(dots) == 2 * (3000 - len(lines))
    assert 5 < len(lines) < 300
    assert found.legend[0].text == f"3,000 matches, {len(lines)} drawn as lines, the others as dots"


@pytest.mark.parametrize(
    ("other", "drawn"),
    [
        ((2, 1, 402, 1), False),  # beside the first, all along
        ((100, 3, 300, 3), False),  # along a part of it
        ((402, 2, 2, 2), False),  # in the other direction
        ((0, 60, 400, 60), True),  # far away
        ((200, -200, 200, 200), True),  # across
        ((380, 0, 900, 0), True),  # together for a short way only
    ],
)
def test_lines_that_run_together_are_one(other: tuple[float, ...], drawn: bool) -> None:
    ends = np.array([(0, 0, 400, 0), other]) + np.array([50, 250, 50, 250])
    full = in_full(ends[:, :2], ends[:, 2:], 1.5, (1000, 500))
    assert full.tolist() == [True, drawn]


def test_lines_that_are_drawn_leave_most_of_the_picture() -> None:
    random = np.random.default_rng(0)
    ends = random.uniform(0, 500, (4000, 4))
    full = in_full(ends[:, :2], ends[:, 2:], 2.0, (500, 500))
    length = np.hypot(*(ends[full, 2:] - ends[full, :2]).T)
    assert full[0]
    assert (length * 2.0).sum() < 0.3 * 500 * 500


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({}, ["40 matches", "32 inliers of a homography", "8 outliers"]),
        ({"show": "inliers"}, ["32 matches", "32 inliers of a homography", "8 outliers not shown"]),
        ({"show": "outliers"}, ["8 matches", "32 inliers of a homography not shown", "8 outliers"]),
        (
            {"top": 10},
            ["the 10 best of 40 matches", "8 of 32 inliers of a homography", "2 of 8 outliers"],
        ),
    ],
)
def test_the_legend_says_what_is_drawn_and_what_is_not(options: dict[str, Any], texts: list[str]) -> None:
    found = verified(model=Model("homography", TURN, 3.0))
    assert [e.text for e in scene(found, layout="side", thin=False, **options).legend] == texts


def test_colours_of_lines_can_be_chosen() -> None:
    outliers, inliers = scene(verified(), thin=False, line_color="#010203", outlier_color="white").marks
    assert (outliers.colors == 255).all()
    assert (inliers.colors == (1, 2, 3)).all()
    (lines,) = scene(matches(), thin=False, line_color="#010203").marks
    assert (lines.colors == (1, 2, 3)).all()


def test_without_a_verdict_colour_is_the_ratio() -> None:
    bar = scene(matches()).legend[1]
    assert isinstance(bar, Bar)
    assert len(np.unique(scene(matches(), thin=False).marks[0].colors, axis=0)) > 20
    assert [type(e) for e in scene(matches(ratios=None)).legend] == [Note]


@pytest.mark.parametrize("layout", ["side", "stacked", "overlay"])
def test_no_match_at_all(layout: str) -> None:
    none = matches(0, inliers=np.empty(0, bool), model=Model("homography", np.eye(3), 3.0))
    found = scene(none, layout=layout)
    assert found.marks == []
    assert found.legend[0].text == "0 matches"
    assert found.render().width >= 120


# --- where they are


def test_places_come_from_the_features_where_the_matches_do_not_tell() -> None:
    bare = matches(3, xy_a=None, xy_b=None)
    a, b = features([[1, 2], [3, 4], [5, 6]], [1] * 3), features([[9, 8], [7, 6], [5, 4]], [1] * 3)
    found = images(bare, features_a=a, features_b=b).matches
    np.testing.assert_array_equal(found.xy_a, a.xy)
    np.testing.assert_array_equal(found.xy_b, b.xy)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (matches(3, xy_a=None), "matches: do not tell where they are; give the features of image a too"),
        (matches(3, xy_b=None), "matches: do not tell where they are; give the features of image b too"),
    ],
)
def test_places_that_nobody_tells(found: Matches, message: str) -> None:
    with pytest.raises(siftcli.ParameterError, match=message):
        siftcli.draw_matches(np.zeros((9, 9)), np.zeros((9, 9)), found)


def test_features_that_were_not_the_ones_matched() -> None:
    with pytest.raises(siftcli.ParameterError, match="keypoint 2 of image a, and there are 1 features"):
        images(matches(3, xy_a=None), features_a=features([[0, 0]], [1]))


# --- warps


def test_a_homography_is_fitted_exactly_to_exact_points() -> None:
    xy = np.random.default_rng(0).uniform(0, 4000, (30, 2))
    np.testing.assert_allclose(fit_homography(xy, mapped(TURN, xy)), TURN, rtol=1e-8, atol=1e-9)


def test_points_beyond_the_horizon_are_nowhere() -> None:
    steep = np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]])
    np.testing.assert_array_equal(np.isnan(mapped(steep, np.array([[50.0, 0], [150, 0]]))).all(axis=1), [False, True])


def test_the_homography_of_matches_is_their_models_or_fits_their_inliers() -> None:
    found = verified()
    np.testing.assert_allclose(homography_of(found), TURN, rtol=1e-3, atol=1e-3)
    model = Model("homography", np.diag([2.0, 2, 1]), 3.0)
    assert homography_of(replace(found, model=model)) is model.matrix


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (matches(), "layout: needs matches verified by a homography"),
        (verified(10, 7), "layout: needs 4 inliers of a homography, and there are 3"),
        (verified(model=Model("fundamental", np.eye(3), 3.0)), "layout: needs matches verified by a homography"),
    ],
)
@pytest.mark.parametrize("layout", ["overlay", "blink"])
def test_without_a_homography_nothing_is_warped(found: Matches, message: str, layout: str) -> None:
    lay_out = blink_scenes if layout == "blink" else match_scene
    with pytest.raises(siftcli.ParameterError, match=message):
        lay_out(images(found), MatchStyle(layout=layout))


def test_warping_moves_a_blob_to_where_the_homography_takes_it() -> None:
    y, x = np.mgrid[:150, :200]
    blob = np.exp(-((x - 90.3) ** 2 + (y - 70.6) ** 2) / (2 * 4.0**2)) * 255
    image = Image.fromarray(blob.astype(np.uint8)).convert("RGB")
    shown, cover = warped(image, TURN, (220, 180))
    weight = np.asarray(shown, float)[..., 0]
    rows, columns = np.mgrid[:180, :220]
    centre = [(weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()]
    np.testing.assert_allclose(centre, mapped(TURN, np.array([[90.3, 70.6]]))[0], atol=0.1)
    back = mapped(np.linalg.inv(TURN), np.stack([columns.ravel(), rows.ravel()], axis=1))
    inside = ((back > 0) & (back < (199, 149))).all(axis=1).reshape(180, 220)
    assert cover[inside].mean() > 0.999


def test_a_whole_shift_copies_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    shown, cover = warped(Image.fromarray(pixels), np.array([[1, 0, 5], [0, 1, 3], [0, 0, 1.0]]), (40, 30))
    np.testing.assert_array_equal(np.asarray(shown)[3:, 5:], pixels[:-3, :-5])
    assert cover[3:, 5:].all()
    assert not cover[:3].any()


def test_a_steep_perspective_does_not_grow_without_end() -> None:
    steep = np.array([[1, 0, 0], [0, 1, 0], [-0.02, 0, 1]])
    left, top, width, height = union(steep, (200, 150), (120, 160))
    assert width <= 3 * 120
    assert height <= 3 * 160
    assert left <= 0
    assert top <= 0


# --- overlays


def pair(sample_images: Path) -> tuple[Array, Array, Array]:
    a, b = (np.asarray(Image.open(sample_images / f"pair_astronaut_{s}.jpg").convert("RGB")) for s in "ab")
    return a, b, np.loadtxt(sample_images / "pair_astronaut_H.txt")


def test_an_overlay_of_what_agrees_is_grey(sample_images: Path) -> None:
    a, b, truth = pair(sample_images)
    found = verified(model=Model("homography", truth, 3.0))

    def tint(homography: Array) -> float:
        moved = replace(found, model=Model("homography", homography, 3.0))
        style = MatchStyle(layout="overlay", legend=False, top=0, zoom=1)
        picture = np.asarray(match_scene(matched_images(a, b, moved), style).render()).astype(int)
        return float(np.abs(picture[..., 0] - picture[..., 1]).mean())

    off = np.array([[1, 0, 6], [0, 1, 6], [0, 0, 1]]) @ truth
    assert tint(truth) < 0.5 * tint(off)


def test_an_overlay_draws_residuals() -> None:
    marks = scene(verified(model=Model("homography", TURN, 3.0)), layout="overlay").marks
    assert [len(each) for each in marks] == [8, 32, 8, 32]  # lines and dots, the outliers first

    def lengths(lines: Any) -> Array:
        along = lines.segments[:, 2:] - lines.segments[:, :2]
        return np.bincount(lines.segment_of, np.hypot(*along.T))

    assert lengths(marks[0]).min() > 10
    assert lengths(marks[1]).max() < 0.01


def test_blinking_shows_the_same_place_twice(sample_images: Path) -> None:
    a, b, truth = pair(sample_images)
    found = verified(model=Model("homography", truth, 3.0))
    first, second = (
        np.asarray(s.render()).astype(float)[..., 1]
        for s in blink_scenes(matched_images(a, b, found), MatchStyle(layout="blink", legend=False, zoom=1))
    )
    np.testing.assert_array_equal(second, b[..., 1])
    middle = np.s_[60:-60, 60:-60]
    assert np.corrcoef(first[middle].ravel(), second[middle].ravel())[0, 1] > 0.97
    assert np.corrcoef(a[: b.shape[0], : b.shape[1], 1][middle].ravel(), second[middle].ravel())[0, 1] < 0.8


# --- the public function


def test_the_public_function() -> None:
    picture = siftcli.draw_matches(np.zeros((150, 200)), np.zeros((160, 120)), matches(), layout="side", zoom=1)
    assert picture.mode == "RGB"
    assert picture.width == 325


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "blink"}, "layout: blink is two pictures"),
        ({"layout": "round"}, "layout: must be one of auto"),
        ({"style": "circles"}, "style: is not an option of match pictures"),
        ({"show": "inliers"}, "show: inliers: these matches were not verified"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(siftcli.ParameterError, match=message):
        siftcli.draw_matches(np.zeros((150, 200)), np.zeros((160, 120)), matches(), **options)
