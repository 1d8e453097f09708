"""The page to look around in, in a real browser.

Oracles: the features that were put into it, counted and printed by Python; closed forms of where things are on the
canvas; the console, which stays empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from draw_tools import features, scattered
from PIL import Image

from siftcli.draw.page import Exhibit, page
from siftcli.features import Features
from siftcli.matches import Matches

Show = Callable[[str], Any]
SIZE = (600, 400)
GREY = (110, 120, 130)


def flat(found: Features, size: tuple[int, int] = SIZE, name: str = "photo.jpg") -> Exhibit:
    return Exhibit(name, Image.new("RGB", size, GREY), found)


def one(found: Features, **options: Any) -> str:
    return page([flat(found)], **options)


def matched(count: int = 60) -> tuple[str, Matches, Features, Features]:
    """A page of two images with 80 keypoints each, and matches between the first so many."""
    random = np.random.default_rng(5)
    a, b = scattered(80, 600, 400, seed=1), scattered(80, 500, 300, seed=2)
    pairs = np.stack([np.arange(count), random.permutation(80)[:count]], axis=1).astype(np.int32)
    ratios = random.uniform(0.2, 0.8, count)
    found = Matches(
        pairs, distances=ratios / 2, ratios=ratios, inliers=random.uniform(0, 1, count) < 0.7, model_kind="homography"
    )
    text = page([flat(a, name="a.jpg"), flat(b, (500, 300), "b.jpg")], found)
    return text, found, a, b


# --- what is shown


def test_nothing_is_complained_about(show: Show) -> None:
    for text in (one(scattered(500, *SIZE)), matched()[0], one(scattered(0, *SIZE)), one(scattered(1, *SIZE))):
        opened = show(text)
        opened.press("n", "n", "p", "c", "s", "r", "c", "s", "t", "?", "l", "+", "-", "1", "0")
        opened.find("view").send_keys("\ue007", "\ue00c")  # Enter, Escape
        opened.settle()
        assert opened.complaints() == []


def test_nothing_is_fetched(show: Show) -> None:
    opened = show(one(scattered(50, *SIZE)))
    fetched = opened.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert [name for name in fetched if not name.startswith("data:")] == []


def test_the_number_of_keypoints(show: Show) -> None:
    assert show(one(scattered(1234, *SIZE))).text("count") == "1,234 of 1,234 keypoints"


def test_sliders_change_what_is_shown(show: Show) -> None:
    found = scattered(1000, *SIZE)
    opened = show(one(found))
    low, high = float(found.scales.min()), float(found.scales.max())
    for name, kept in (("scale-from", np.greater_equal), ("scale-to", np.less_equal)):
        opened.slide(name, 400)
        limit = low * np.exp(0.4 * np.log(high / low))
        expected = int(kept(found.scales, limit).sum())
        assert 0 < expected < 1000
        assert opened.text("count") == f"{expected:,} of 1,000 keypoints"
        assert opened.text(f"{name}-value") == f"{limit:#.3g} px"
        assert opened.run("return app.sides[0].shown.reduce((a, b) => a + b)") == expected
        opened.slide(name, 0 if name == "scale-from" else 1000)
        assert opened.text("count") == "1,000 of 1,000 keypoints"
    scores = found.scores
    assert scores is not None
    opened.slide("response-from", 700)
    limit = float(scores.min()) * np.exp(0.7 * np.log(float(scores.max()) / float(scores.min())))
    assert opened.text("count") == f"{int((scores >= limit).sum()):,} of 1,000 keypoints"


def test_what_is_filtered_out_is_neither_drawn_nor_found(show: Show) -> None:
    found = features([[200, 200], [400, 200]], [10.0, 40.0])
    opened = show(one(found))
    x, y = opened.place(0, 0)
    opened.slide("scale-from", 500)
    assert opened.text("count") == "1 of 2 keypoints"
    assert opened.pixel(x, y) == list(GREY)
    opened.point(x, y)
    assert opened.run("return document.getElementById('tip').hidden")


def reddest(opened: Any, x: float, y: float) -> int:
    """By how much red exceeds green at or beside a place."""
    colors = opened.around(x, y)
    return int((colors[:, 0] - colors[:, 1]).max())


def test_a_circle_is_drawn_where_its_keypoint_is(show: Show) -> None:
    opened = show(one(features([[300, 200]], [80.0], [np.pi / 2]), look={"color": "#ff0000"}))
    zoom = opened.run("return app.view.camera.zoom")
    x, y = opened.place(0, 0)
    for angle in np.linspace(0.3, 6.0, 9):
        at = x + 80 * zoom * np.cos(angle), y + 80 * zoom * np.sin(angle)
        assert reddest(opened, *at) > 60
        inside = x + 70 * zoom * np.cos(angle), y + 70 * zoom * np.sin(angle)
        if abs(angle - np.pi / 2) > 0.3:  # the line along the orientation, downwards
            assert opened.pixel(*inside) == list(GREY)
    assert reddest(opened, x, y + 40 * zoom) > 60
    opened.choose("radius", "support")
    assert opened.pixel(x + 80 * zoom, y) == list(GREY)
    opened.choose("style", "points")
    assert reddest(opened, x, y) > 60
    assert opened.pixel(x, y + 40 * zoom) == list(GREY)


def test_the_first_pixel_has_its_centre_at_zero(show: Show) -> None:
    pixels = np.full((40, 60, 3), GREY, np.uint8)
    pixels[10, 20] = (255, 0, 0)
    opened = show(page([Exhibit("dot", Image.fromarray(pixels), features([[20, 10]], [0.01]))]))
    opened.run(
        "app.linesShown = false; app.sides[0].shown.fill(0); app.view.zoomAt(50 / app.view.camera.zoom, 300, 200)"
    )
    opened.run("app.centre({ side: app.sides[0], index: 0 }); app.view.changed()")
    opened.settle()
    x, y = opened.place(0, 0)
    for dx, dy in ((0, 0), (-23, 0), (23, 0), (0, -23), (0, 23)):
        assert opened.pixel(x + dx, y + dy)[0] > 240
    for dx, dy in ((-28, 0), (28, 0), (0, -28), (0, 28)):
        assert opened.pixel(x + dx, y + dy)[0] < 130


@pytest.mark.parametrize("color", ["scale", "response", "orientation", "octave", "none"])
def test_every_colouring_has_its_legend(show: Show, color: str) -> None:
    found = scattered(200, *SIZE)
    opened = show(one(found))
    opened.choose("color", color)
    assert opened.run("return document.getElementById('legend').hidden") == (color == "none")
    ticks = opened.run("return [...document.querySelectorAll('#ticks span')].map((s) => s.textContent)")
    assert found.octaves is not None
    octaves = [str(o) for o in range(int(found.octaves.min()), int(found.octaves.max()) + 1)]
    expected = {"orientation": ["-180°", "0°", "180°"], "octave": octaves, "none": []}
    assert ticks == expected.get(color, ticks)
    assert len(ticks) == len(expected.get(color, [0, 0, 0]))
    assert opened.run("return new Set(app.sides[0].bucket).size") > (1 if color != "none" else 0)


def test_what_features_do_not_tell_is_not_offered(show: Show) -> None:
    opened = show(one(features([[20, 20]], [3.0])))
    assert opened.run("return [...document.getElementById('color').options].map((o) => o.value)") == [
        "scale", "orientation", "none",
    ]  # fmt: skip
    assert opened.run("return document.getElementById('response-row').hidden")


# --- looking at a keypoint


def expected_numbers(found: Features, i: int) -> dict[str, str]:
    assert found.scores is not None
    assert found.octaves is not None
    assert found.levels is not None
    return {
        "x, y": f"{found.xy[i, 0]:.2f}, {found.xy[i, 1]:.2f}",
        "sigma": f"{found.scales[i]:.2f} px",
        "orientation": f"{np.rad2deg(float(found.orientations[i])):.1f}° clockwise",
        "octave": str(found.octaves[i]),
        "level": str(found.levels[i]),
    }


@pytest.mark.parametrize("index", [3, 17, 39])
def test_hovering_shows_the_right_numbers(show: Show, index: int) -> None:
    found = scattered(40, *SIZE, seed=3)
    opened = show(one(found))
    opened.point(*opened.place(0, index))
    nearest = np.hypot(*(found.xy - found.xy[index]).T)
    assert np.sort(nearest)[1] > 3  # or another one might be meant
    tip = opened.text("tip").splitlines()
    for term, value in expected_numbers(found, index).items():
        assert f"{term} {value}" in tip
    assert opened.run("return document.querySelector('.keypoint h2').textContent") == f"keypoint {index}"
    opened.point(2, 2)
    assert opened.run("return document.getElementById('tip').hidden")


def test_clicking_keeps_a_keypoint_and_the_address_leads_back(show: Show) -> None:
    found = scattered(40, *SIZE, seed=3)
    opened = show(one(found))
    opened.point(*opened.place(0, 17), click=True)
    opened.point(2, 2)
    rows = opened.run(
        "const terms = [...document.querySelector('.keypoint dl').querySelectorAll('dt')];"
        "return Object.fromEntries(terms.map((t) => [t.textContent, t.nextSibling.textContent]))"
    )
    assert {**rows, **expected_numbers(found, 17)} == rows
    assert found.scores is not None
    assert float(rows["response"]) == pytest.approx(float(found.scores[17]), rel=5e-3)
    assert opened.driver.current_url.endswith("#17")
    opened.driver.refresh()
    opened.until("return document.documentElement.dataset.ready === 'true'")
    assert opened.run("return app.selected.index") == 17
    opened.find("view").send_keys("\ue00c")
    assert opened.run("return app.selected") is None


def test_the_grid_finds_what_a_search_through_all_finds(show: Show) -> None:
    found = scattered(3000, *SIZE, seed=8)
    opened = show(one(found))
    places = np.random.default_rng(0).uniform(-20, 620, (200, 2))
    got = opened.run("return arguments[0].map(([x, y]) => app.sides[0].grid.nearest(x, y, 9))", places.tolist())
    distance = np.hypot(*(found.xy[None].astype(float) - places[:, None]).transpose(2, 0, 1))
    expected = np.where(distance.min(axis=1) <= 9, distance.argmin(axis=1), -1)
    assert (np.array(got) == expected).all()
    assert (expected >= 0).any()
    assert (expected < 0).any()


def canvas(opened: Any, number: int) -> np.ndarray:
    """The pixels of one of the small pictures, RGBA."""
    data = opened.run(
        "const c = document.querySelectorAll('#details canvas')[arguments[0]];"
        "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)",
        number,
    )
    return np.array(data, np.uint8).reshape(260, 260, 4)


def test_the_patch_is_turned_as_its_frame(show: Show) -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[:100, :100], pixels[:100, 100:] = (250, 20, 20), (20, 250, 20)
    pixels[100:, :100], pixels[100:, 100:] = (20, 20, 250), (250, 250, 20)
    found = features([[99.5, 99.5]], [8.0], [np.pi / 2], descriptors=np.zeros((1, 128), np.uint8))
    opened = show(page([Exhibit("quarters", Image.fromarray(pixels), found)]))
    opened.press("n")
    patch = canvas(opened, 0)[..., :3].astype(int)
    # The frame's x axis points down in the image, its y axis to the left: the upper left quarter of the patch is
    # right and above in the image.
    for (y, x), color in {
        (60, 60): (20, 250, 20), (60, 200): (250, 250, 20), (200, 60): (250, 20, 20), (200, 200): (20, 20, 250),
    }.items():  # fmt: skip
        assert np.abs(patch[y, x] - color).max() < 40


def test_the_descriptor_is_drawn_bin_by_bin(show: Show) -> None:
    descriptor = np.zeros((1, 4, 4, 8), np.uint8)
    descriptor[0, 2, 1, 6] = 200  # third row, second column, up
    found = features([[300, 200]], [8.0], descriptors=descriptor.reshape(1, 128))
    opened = show(one(found))
    opened.press("n")
    ink = canvas(opened, 1)[..., :3].astype(int)
    drawn = opened.run("return getComputedStyle(document.documentElement).getPropertyValue('--ink')").lstrip("#")
    color = [int(drawn[i : i + 2], 16) for i in (0, 2, 4)]
    rows, columns = np.nonzero((np.abs(ink - color).max(axis=2) < 60) & (canvas(opened, 1)[..., 3] > 200))
    unit = 260 / 5
    x, y = (0.5 + 1.5) * unit, (0.5 + 2.5) * unit
    assert columns.mean() == pytest.approx(x, abs=1)
    assert rows.min() == pytest.approx(y - 0.48 * unit, abs=3)
    assert rows.max() == pytest.approx(y, abs=3)


# --- moving about


def test_the_wheel_zooms_about_the_pointer(show: Show) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    opened = show(one(scattered(50, *SIZE)))
    view, before = opened.find("view"), opened.run("return app.view.camera.zoom")
    x, y = 200, 150
    under = opened.run("const p = app.view.plane(arguments[0], arguments[1]); return [p.x, p.y]", x, y)
    origin = ScrollOrigin.from_element(view, x - view.size["width"] // 2, y - view.size["height"] // 2)
    ActionChains(opened.driver).scroll_from_origin(origin, 0, -240).perform()
    opened.settle()
    assert opened.run("return app.view.camera.zoom") > 1.2 * before
    after = opened.run("const p = app.view.plane(arguments[0], arguments[1]); return [p.x, p.y]", x, y)
    np.testing.assert_allclose(after, under, atol=1.5)


def test_dragging_moves_the_image_with_the_pointer(show: Show) -> None:
    from selenium.webdriver import ActionChains

    opened = show(one(scattered(50, *SIZE)))
    x, y = opened.place(0, 7)
    ActionChains(opened.driver).move_to_element(opened.find("view")).click_and_hold().move_by_offset(
        60, -35
    ).release().perform()
    opened.settle()
    np.testing.assert_allclose(opened.place(0, 7), (x + 60, y - 35), atol=1.5)
    assert opened.run("return app.selected") is None  # a drag is no click


def test_keys(show: Show) -> None:
    found = scattered(30, *SIZE, seed=3)
    opened = show(one(found))
    assert found.scores is not None
    start = opened.run("return { ...app.view.camera }")
    opened.press("\ue014")  # right
    assert opened.run("return app.view.camera.x") > start["x"]
    opened.press("+", "+")
    assert opened.run("return app.view.camera.zoom") == pytest.approx(start["zoom"] * 1.3**2)
    opened.press("1")
    assert opened.run("return app.view.camera.zoom") == pytest.approx(1)
    opened.press("0")
    assert opened.run("return { ...app.view.camera }") == pytest.approx(start)
    order = np.argsort(-found.scores)
    for place in (0, 1, 2):
        opened.press("n")
        assert opened.run("return app.selected.index") == order[place]
    opened.press("p")
    assert opened.run("return app.selected.index") == order[1]
    opened.press("\ue007")  # Enter
    x, y = opened.place(0, int(order[1]))
    size = opened.find("view").size
    np.testing.assert_allclose((x, y), (size["width"] / 2, size["height"] / 2), atol=2)
    opened.press("c", "s", "r")
    chosen = opened.run("return ['color', 'style', 'radius'].map((id) => document.getElementById(id).value)")
    assert chosen == ["response", "frames", "support"]
    opened.press("?")
    assert opened.run("return document.getElementById('help').hidden") is False


def test_everything_can_be_reached_with_the_tabulator(show: Show) -> None:
    opened = show(matched()[0])
    opened.run("document.activeElement.blur()")
    body = opened.driver.find_element("tag name", "body")
    reached = set()
    body.send_keys("\ue004")
    for _ in range(30):
        active = opened.driver.switch_to.active_element
        reached.add(active.get_attribute("id"))
        active.send_keys("\ue004")
    wanted = {"fit", "theme", "view", "scale-from", "scale-to", "response-from", "ratio-to", "lines", "color", "style"}
    assert wanted <= reached


def test_keys_in_a_slider_move_the_slider(show: Show) -> None:
    opened = show(one(scattered(100, *SIZE)))
    start = opened.run("return app.view.camera.x")
    opened.find("scale-from").send_keys("\ue014")
    assert opened.run("return app.view.camera.x") == start
    assert opened.run("return Number(document.getElementById('scale-from').value)") == 1


# --- many keypoints


def test_twenty_thousand_keypoints_are_moved_without_being_drawn_again(
    show: Show, record_property: Callable[[str, object], None]
) -> None:
    opened = show(page([flat(scattered(20_000, 2000, 1500, seed=6), (2000, 1500))]))
    opened.press("+", "+", "+", "+", "+", "+")
    layer = opened.run("window.layer = app.view.front; return app.view.marksDrawn")
    assert layer > 500
    frames, milliseconds = opened.driver.execute_async_script(
        """
        const done = arguments[0], start = performance.now(), step = 12 / app.view.camera.zoom;
        let n = 0;
        (function next() {
          if (n === 60) { done([n, performance.now() - start]); return; }
          app.view.pan(n < 15 || n >= 45 ? step : -step, 0);
          n += 1;
          requestAnimationFrame(next);
        })();
        """
    )
    record_property("frames_per_second", round(1000 * frames / milliseconds, 1))
    assert frames == 60
    assert opened.run("return app.view.front === window.layer && app.view.job === null")


def test_all_twenty_thousand_are_drawn(show: Show) -> None:
    opened = show(page([flat(scattered(20_000, 2000, 1500, seed=6), (2000, 1500))]))
    assert opened.run("return app.view.marksDrawn") == 20_000
    assert opened.text("count") == "20,000 of 20,000 keypoints"


def test_drawing_is_done_in_slices(show: Show) -> None:
    opened = show(page([flat(scattered(20_000, 2000, 1500, seed=6), (2000, 1500))]))
    drawn, more = opened.run(
        "let time = 0; performance.now = () => (time += 1);"  # a look at the clock takes a millisecond
        "app.view.changed(); app.view.frame(); delete performance.now;"
        "return [app.view.marksDrawn, app.view.job !== null]"
    )
    assert 0 < drawn < 20_000
    assert more
    opened.settle()
    assert opened.run("return app.view.marksDrawn") == 20_000


# --- matches


def test_matches_are_counted_and_filtered(show: Show) -> None:
    text, found, _, _ = matched()
    opened = show(text)
    assert found.inliers is not None
    assert found.ratios is not None
    assert opened.text("count") == "120 of 160 keypoints, 60 of 60 matches"
    opened.find("matched-only").click()
    assert opened.text("count") == "160 of 160 keypoints, 60 of 60 matches"
    opened.find("matched-only").click()
    opened.find("outliers").click()
    inliers = int(found.inliers.sum())
    assert opened.text("verdicts").split() == f"{inliers} inliers of a homography {60 - inliers} outliers".split()
    assert opened.text("count") == f"{2 * inliers} of 160 keypoints, {inliers} of 60 matches"
    opened.find("outliers").click()
    opened.slide("ratio-to", 500)
    low, high = float(np.float32(found.ratios.min())), float(np.float32(found.ratios.max()))
    near = int((found.ratios.astype(np.float32) <= (low + high) / 2).sum())
    assert opened.text("count") == f"{2 * near} of 160 keypoints, {near} of 60 matches"


def test_a_keypoint_leads_to_its_partner(show: Show) -> None:
    text, found, _, b = matched()
    opened = show(text)
    assert found.ratios is not None
    assert found.inliers is not None
    for m in (0, 7, 23):
        i, j = found.indices[m].tolist()
        opened.run("app.select({ side: app.sides[0], index: arguments[0] })", i)
        heads = opened.run("return [...document.querySelectorAll('#details h2')].map((h) => h.textContent)")
        assert heads == [f"a.jpg: keypoint {i}", f"match {m}", f"b.jpg: keypoint {j}"]
        rows = opened.run("return document.querySelector('.match dl').textContent")
        assert f"ratio{found.ratios[m]:.3f}" in rows
        assert ("inlier" if found.inliers[m] else "outlier") in rows
        own = opened.run("return document.querySelectorAll('.keypoint dl')[1].textContent")
        assert f"{b.xy[j, 0]:.2f}, {b.xy[j, 1]:.2f}" in own
        opened.run("app.select({ side: app.sides[1], index: arguments[0] })", j)
        heads = opened.run("return [...document.querySelectorAll('#details h2')].map((h) => h.textContent)")
        assert heads == [f"b.jpg: keypoint {j}", f"match {m}", f"a.jpg: keypoint {i}"]
    opened.run("app.select({ side: app.sides[0], index: 70 })")
    assert "This keypoint has no match." in opened.text("details")


def test_a_line_goes_from_a_keypoint_to_its_partner(show: Show) -> None:
    a, b = features([[300, 100]], [3.0]), features([[250, 200]], [3.0])
    found = Matches(np.zeros((1, 2), np.int32), inliers=np.array([True]))
    opened = show(page([flat(a, name="a"), flat(b, name="b")], found))
    start, stop = np.array(opened.place(0, 0)), np.array(opened.place(1, 0))
    middle = start + 0.3 * (stop - start)
    colors = opened.around(*middle)
    assert (colors[:, 2] - colors[:, 0]).max() > 60
    opened.find("lines").click()
    opened.settle()
    assert opened.pixel(*middle) == list(GREY)


# --- looks


def luminance(color: str) -> float:
    share = np.array([int(color.strip().lstrip("#")[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_dark_and_light_follow_the_system_and_are_readable(show: Show, page: Any, scheme: str) -> None:
    page.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    opened = show(one(scattered(50, *SIZE)))
    colors = (
        "const style = getComputedStyle(document.documentElement);"
        "return ['--ground', '--panel', '--ink', '--faint'].map((name) => style.getPropertyValue(name))"
    )
    ground, panel, ink, faint = map(luminance, opened.run(colors))
    assert (ground > 0.5) == (scheme == "light")
    for under in (ground, panel):
        for text in (ink, faint):
            assert (max(under, text) + 0.05) / (min(under, text) + 0.05) >= 4.5  # WCAG 2.1
    opened.press("t")
    assert (luminance(opened.run(colors)[0]) > 0.5) != (scheme == "light")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("width", [500, 900, 1600])
def test_the_page_fits_into_its_window(show: Show, page: Any, width: int) -> None:
    page.driver.set_window_size(width, 800)
    opened = show(matched()[0])
    assert opened.run("return document.documentElement.scrollWidth <= window.innerWidth")
    size = opened.find("view").size
    assert min(size["width"], size["height"]) > 150
    opened.press("n")
    inside = opened.run(
        "const right = (e) => e.getBoundingClientRect().right, end = right(document.querySelector('aside'));"
        "return [...document.querySelectorAll('#details canvas')].every((c) => right(c) <= end)"
    )
    assert inside


# --- many


def test_lines_of_many_matches_do_not_run_together(show: Show) -> None:
    random = np.random.default_rng(0)
    count = 1300
    xy = random.uniform(20, 280, (count, 2))
    found = [features(xy + moved, np.full(count, 2.0)) for moved in ([0, 0], [30, 5])]
    pairs = np.repeat(np.arange(count)[:, None], 2, axis=1).astype(np.int32)
    matches = Matches(pairs, ratios=random.uniform(0.3, 0.8, count), inliers=np.ones(count, bool))
    opened = show(page([flat(found[0], name="a.jpg"), flat(found[1], name="b.jpg")], matches))
    opened.settle()
    drawn = np.array(opened.run("return app.view.front.lines"))
    # All are parallel, in the plane of both images: what counts is how far apart they are, seen along them.
    gap = opened.run("return app.sides[1].left")
    along = np.array([gap + 30, 5]) / np.hypot(gap + 30, 5)
    aside = np.sort(xy[drawn] @ [-along[1], along[0]]) * opened.run("return app.view.camera.zoom")
    assert 20 < len(drawn) < 200
    assert np.diff(aside).min() > 2
    assert opened.text("lines-value") == f"({len(drawn)} of 1,300; zoom in for more)"
    assert opened.complaints() == []


def test_twenty_thousand_keypoints(show: Show) -> None:
    opened = show(one(scattered(20_000, *SIZE)))
    opened.settle()
    assert opened.text("count") == "20,000 of 20,000 keypoints"
    assert opened.run("return app.view.marksDrawn") == 20_000
    assert opened.run("return app.view.front.rim") < 0.5
    opened.press("+", "+")
    opened.settle()
    assert opened.complaints() == []
