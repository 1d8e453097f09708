"""The benchmark: its pictures, its bookkeeping, its tables.  That figures are right, never how good they are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from speed import command as speed_command
from speed import contenders, images, plot, report, roofline, scaling, stages, targets, timing

import siftcli
from siftcli.engine import pipeline

ROOT = Path(__file__).parents[2]

UInt8 = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def noise() -> dict[str, UInt8]:
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 256, shape, np.uint8) for name, shape in (("a", (64, 64)), ("b", (80, 200)))}


@pytest.fixture(scope="module")
def crop(pixels: Callable[[str], UInt8]) -> UInt8:
    return pixels("astronaut.jpg")[:160, 100:300]


# --- pictures


def test_a_mosaic_of_one_colour_is_of_that_colour() -> None:
    # Oracle: the weights of overlapping windows add up to 1.
    photos = {name: np.full((50, 70), 201, np.uint8) for name in "ab"}
    picture = images.mosaic(photos, 130, 170)
    assert picture.pixels.shape == (130, 170)
    assert (picture.pixels == 201).all()


def test_inside_its_windows_a_mosaic_is_the_photographs_turned(noise: dict[str, UInt8]) -> None:
    # Oracle: np.rot90 of the window that the tile names.
    blend = 8
    picture = images.mosaic(noise, 300, 400, blend=blend)
    side, checked = picture.side, set()
    assert side == 64
    for tile in picture.tiles:
        window = noise[tile.photograph][tile.row : tile.row + side, tile.column : tile.column + side]
        inner = np.rot90(window, tile.turns)[blend:-blend, blend:-blend]
        top, left = tile.top + blend, tile.left + blend
        shown = picture.pixels[top : top + len(inner), left : left + len(inner)]
        if shown.size:
            np.testing.assert_array_equal(shown, inner[: shown.shape[0], : shown.shape[1]])
            checked.add((tile.photograph, tile.column, tile.turns))
    assert {turns for _, _, turns in checked} == {0, 1, 2, 3}
    assert {column for name, column, _ in checked if name == "b"} == {0, 64, 128}


def test_seams_add_less_than_one_per_cent_of_keypoints() -> None:
    # Oracle: the keypoints of the photographs themselves.
    photos = images.photographs("samples")
    picture = images.mosaic(photos, 1152, 1536)
    found = len(siftcli.detect(picture.pixels, descriptors=False))
    assert found == pytest.approx(images.expected_keypoints(photos, picture), rel=0.01)


def test_keypoints_are_expected_where_the_windows_show_them() -> None:
    # Oracle: isolated blobs, three of them in each quarter of the photograph but none near a seam.
    y, x = np.mgrid[:256, :256]
    photo = np.full((256, 256), 60.0)
    for row, column in ((40, 60), (70, 180), (200, 90)):
        photo += 120 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 4.0**2))
    photos = {"blobs": photo.round().astype(np.uint8)}
    picture = images.mosaic(photos, 460, 460)
    assert len(picture.tiles) == 4
    each = images.expected_keypoints(photos, images.mosaic(photos, 220, 220))
    places = np.unique(siftcli.detect(picture.pixels, descriptors=False).xy.round(), axis=0)
    assert each >= 3
    assert len(places) == 12
    assert images.expected_keypoints(photos, picture) == 4 * each


@pytest.mark.parametrize(("size", "shape"), [("0.3", (480, 640)), ("1", (872, 1000)), ("3", (1536, 2048))])
def test_pictures_have_the_sizes_that_they_are_named_after(size: str, shape: tuple[int, int]) -> None:
    picture = images.picture("samples", size)
    assert picture.pixels.shape == shape
    assert picture.megapixels == pytest.approx(float(size), rel=0.15)


def test_crops_are_windows_of_photographs_and_differ() -> None:
    stack = images.crops("samples", 20)
    assert stack.shape == (20, 128, 64)
    rows = {row.tobytes() for photo in images.photographs("samples").values() for row in _all_rows(photo)}
    assert all(row.tobytes() in rows for one in stack for row in one)
    assert len({one.tobytes() for one in stack}) == 20


def _all_rows(photo: UInt8) -> Iterator[UInt8]:
    for _, column in images.windows(photo.shape, 128, 64):
        yield from photo[:, column : column + 64]


# --- timing


def test_contenders_take_turns_and_the_first_round_does_not_count() -> None:
    calls: list[str] = []
    answers = {"a": iter([9.0, 1.0, 4.0, 3.0]), "b": iter([8.0, 5.0, 7.0, 6.0])}

    def run(name: str) -> timing.Cost:
        calls.append(name)
        seconds = next(answers[name])
        return timing.Cost(seconds, 2 * seconds)

    times = timing.alternate({name: partial(run, name) for name in "ab"}, repeat=3)
    assert "".join(calls) == "abababab"
    assert times["a"].seconds == [1.0, 4.0, 3.0]
    assert (times["a"].median, times["b"].median) == (3.0, 6.0)
    assert times["a"].cpu == 6.0


def test_what_is_slow_runs_once() -> None:
    calls = {"fast": 0, "slow": 0}

    def run(name: str, seconds: float) -> timing.Cost:
        calls[name] += 1
        return timing.Cost(seconds, seconds)

    actions = {"fast": lambda: run("fast", 1.0), "slow": lambda: run("slow", 30.0)}
    times = timing.alternate(actions, repeat=3, slow=15)
    assert calls == {"fast": 4, "slow": 1}
    assert times["slow"].seconds == [30.0]


def test_goals_compare_the_figure_as_it_is_printed() -> None:
    assert targets.cell(0.904, targets.Goal(0.9)) == "0.90 (≤ 0.9 met)"
    assert targets.cell(0.906, targets.Goal(0.9)) == "0.91 (≤ 0.9 NOT met)"
    assert targets.cell(1.796, targets.Goal(1.8, least=True)) == "1.80 (≥ 1.8 met)"
    assert targets.cell(1.79, targets.Goal(1.8, least=True)) == "1.79 (≥ 1.8 NOT met)"
    assert targets.cell(351.2, None, "{:.0f}") == "351"


# --- contenders


def test_the_engine_contenders_do_what_the_library_does(crop: UInt8) -> None:
    # Oracle: the library itself.
    counts = {one.name: one.run(crop) for one in contenders.contenders(())}
    assert counts["engine"] == len(siftcli.detect(crop))
    assert counts["lowe"] == len(siftcli.detect(crop, "lowe"))
    if contenders.thread_argument():
        assert counts["engine2"] == counts["engine"]


@pytest.mark.parametrize(("peer", "package"), [("opencv", "cv2"), ("colmap", "pycolmap"), ("skimage", "skimage")])
def test_peers_find_about_as_many_keypoints(peer: str, package: str, crop: UInt8) -> None:
    # Oracle: equal parameters give about equal numbers; other thresholds or octaves give half or twice as many.
    pytest.importorskip(package)
    (one,) = (one for one in contenders.contenders((peer,)) if one.name == peer)
    assert one.run(crop) == pytest.approx(len(siftcli.detect(crop)), rel=0.2)
    assert one.run(np.zeros((64, 64), np.uint8)) == 0


# --- stages


def test_a_stage_inside_another_counts_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    # Oracle: a clock that is set by hand.
    clock = [0.0]
    monkeypatch.setattr("speed.stages.time.perf_counter", lambda: clock[0])
    profile = stages.Profile()

    def wait(seconds: float) -> list[int]:
        clock[0] += seconds
        return [1, 2]

    def outer() -> None:
        wait(1)
        profile.wrap(wait, "inner")(10)
        wait(2)

    profile.wrap(outer, "outer")()
    profile.wrap(wait, "inner")(5)

    def generate() -> Iterator[int]:
        for i in range(3):
            wait(100)
            yield i

    assert list(profile.wrap_generator(generate, "steps")()) == [0, 1, 2]
    assert profile.seconds == {"outer": 3.0, "inner": 15.0, "steps": 300.0}
    assert profile.items == {"inner": 4}


def test_profiling_sees_every_stage_and_changes_nothing(crop: UInt8) -> None:
    # Oracle: the same call without a profile.
    before = {(place, name): getattr(place, name) for place, name, _ in stages._CALLS}
    with stages.profiled() as profile:
        inside = siftcli.detect(crop)
    outside = siftcli.detect(crop)
    assert set(profile.seconds) == set(stages.STAGES)
    assert all(seconds > 0 for seconds in profile.seconds.values())
    np.testing.assert_array_equal(inside.xy, outside.xy)
    np.testing.assert_array_equal(inside.descriptors, outside.descriptors)
    assert all(getattr(place, name) is function for (place, name), function in before.items())


def test_profiling_leaves_nothing_behind_an_error() -> None:
    before = vars(pipeline)["find_extrema"]
    with pytest.raises(ZeroDivisionError), stages.profiled():
        raise ZeroDivisionError
    assert vars(pipeline)["find_extrema"] is before


# --- roofline and fit


def test_the_flops_of_the_blur_are_those_of_its_matrix_products(monkeypatch: pytest.MonkeyPatch) -> None:
    # Oracle: the shapes of the products that the engine asks for.  It computes whole blocks and the border's rows too.
    done = [0]
    matmul = np.matmul

    def counted(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
        done[0] += 2 * out.size * a.shape[-1]
        matmul(a, b, out=out)

    image = np.zeros((512, 512), np.uint8)
    monkeypatch.setattr("siftcli.engine.gaussian.np.matmul", counted)
    siftcli.detect(image)
    monkeypatch.undo()
    assert 1 <= done[0] / roofline.blur_flops(*image.shape) < 1.15


def test_work_counts_pixels_and_samples(crop: UInt8) -> None:
    # Oracle: 4 + 1 + 1/4 + ... pixels, but for halves rounded down; discs of three times 1.5 sigma of each place, to
    # which the engine's squares are close.
    asked = roofline.work(crop)
    features = siftcli.detect(crop)
    assert features.octaves is not None
    assert asked.pixels == pytest.approx(crop.size * 16 / 3, rel=0.02)
    assert asked.grid % len(features) == 0
    assert asked.grid // len(features) in range(200, 500)
    places = np.column_stack([features.xy, features.scales, features.octaves])
    _, _, sigma, octave = np.unique(places, axis=0).T
    assert asked.window == pytest.approx((np.pi * (4.5 * sigma / 2**octave) ** 2).sum(), rel=0.4)


def test_least_times_are_positive_for_the_stages_that_are_counted() -> None:
    asked = roofline.Work(pixels=10**6, flops=1e9, window=10**6, grid=10**6)
    names = ("add", "round", "extreme", "compare", "boolean", "window", "arctan2", "bincount", "take")
    rates = dict.fromkeys(names, 1.0)
    assert asked.least("blur", rates, 100) == pytest.approx(0.01)
    # Five differences, five extremes, fifteen comparisons and twelve operations on masks, a nanosecond each.
    assert asked.least("extrema", rates, 100) == pytest.approx(0.037)
    assert asked.least("refine", rates, 100) is None


def test_rates_are_measured_for_everything_that_is_counted() -> None:
    assert all(rate > 0 for rate in roofline.bandwidth((4096, 65536)).values())
    counted = {*roofline.EXTREMA, *roofline.ORIENTATION, *roofline.DESCRIPTOR}
    assert counted <= {name for name, rate in roofline.operations().items() if rate > 0}


def test_the_fit_finds_the_coefficients() -> None:
    # Oracle: the values are made from them.
    rows = [(0.3, 900.0), (0.3, 4600.0), (1.0, 2500.0), (3.1, 45000.0), (12.6, 40000.0)]
    coefficients, worst = scaling.fit(rows, [0.01 + 0.2 * m + 2e-5 * k for m, k in rows])
    np.testing.assert_allclose(coefficients, [0.01, 0.2, 2e-5], rtol=1e-6)
    assert worst < 1e-6
    _, worst = scaling.fit([(1.0, 0.0), (1.0, 0.0)], [1.0, 3.0])
    assert worst >= 0.5


# --- tables


def test_markdown_has_one_line_a_row_and_numbers_to_the_right() -> None:
    table = report.Table("t", "T", ["name", "s"], [["a", "1.5"], ["b", ""]], ["A note."])
    assert report.markdown(table) == "| name | s |\n| --- | ---: |\n| a | 1.5 |\n| b |  |\n\nA note.\n"


def test_updating_a_document_changes_its_own_tables_only(tmp_path: Path) -> None:
    document = tmp_path / "d.md"
    document.write_text(
        "# é\n<!-- table:a -->\nold\n<!-- end -->\n*\n<!-- table:b -->\nkept\n<!-- end -->\nlast", "utf-8"
    )
    tables = [report.Table(name, "", ["x"], [[r"\1"]]) for name in ("a", "c")]
    assert report.update(document, tables) == ["c"]
    first = document.read_text("utf-8")
    table = "\n| x |\n| --- |\n| \\1 |\n\n"
    assert first == f"# é\n<!-- table:a -->\n{table}<!-- end -->\n*\n<!-- table:b -->\nkept\n<!-- end -->\nlast"
    report.update(document, tables)
    assert document.read_text("utf-8") == first


def test_every_table_has_its_place_in_the_documentation() -> None:
    # Oracle: the names in the code.
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    code = "".join(path.read_text("utf-8") for path in (ROOT / "tests" / "benchmarks" / "speed").glob("*.py"))
    names = set(re.findall(r'[^\w.]Table\(\s*"([\w-]+)"', code)) - {"sections"}
    variants = {f"{name}-{label}" for name in ("detect", "ratios", "cpu") for label in ("alone", "haswell", "avx2")}
    assert {"machine", "roofline", "folder"} < names
    assert set(re.findall(r"<!-- table:([\w-]+) -->", text)) == names | variants
    assert text.count("<!-- end -->") == len(names | variants)


def test_a_plot_has_every_point_in_its_place() -> None:
    # Oracle: on logarithmic axes equal ratios are equal distances.
    text = plot.svg(
        {"P & Q": {"one": [(1, 1), (10, 10), (100, 100)], "two": [(10, 5)]}, "R": {"two": [(1, 5)]}}, "x", "y"
    )
    tree = ElementTree.fromstring(text)
    panels = tree.findall("{*}g")
    points = [[(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in panel.findall("{*}circle")] for panel in panels]
    assert [len(line) for line in points] == [4, 1]
    (x0, y0), (x1, y1), (x2, y2), other = points[0]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert y0 > other[1] > y1
    assert points[1][0][0] == pytest.approx(x0, abs=0.1)
    assert "P & Q" in {element.text for element in tree.iter()}


# --- the command


@pytest.fixture
def no_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what the command sets for the processes that it starts."""
    for name in speed_command.SINGLE:
        monkeypatch.setenv(name, "1")


@pytest.mark.usefixtures("no_traces")
def test_the_command_measures_writes_and_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document, figures, picture = tmp_path / "d.md", tmp_path / "f.json", tmp_path / "p.svg"
    document.write_text("<!-- table:ratios -->\n<!-- end -->\n<!-- table:ratios-x -->\n<!-- end -->\n", "utf-8")
    monkeypatch.setattr(speed_command, "DOCUMENT", document)
    monkeypatch.setattr(images, "picture", _small)
    arguments = ["--quick", "--only", "detect", "--sizes", "0.3", "--sources", "samples", "--peers", "none"]
    done = CliRunner().invoke(
        speed_command.command, [*arguments, "--json", str(figures), "--plot", str(picture), "--update-docs"]
    )
    assert done.exit_code == 0, done.output
    result = json.loads(figures.read_text("utf-8"))
    (row,) = result["data"]["detect"]
    assert row["keypoints"]["engine"] == len(siftcli.detect(_small("samples", "0.3").pixels))
    assert [len(seconds) for seconds in row["seconds"].values()] == [1] * len(row["seconds"])
    assert "preset lowe / default" in document.read_text("utf-8")
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")

    again = CliRunner().invoke(
        speed_command.command, ["--from-json", str(figures), "--label", "x", "--update-docs", "--markdown"]
    )
    assert again.exit_code == 0, again.output
    first, second = document.read_text("utf-8").split("<!-- table:ratios-x -->")
    assert second.strip() == first.partition("-->")[2].strip()
    assert "| siftcli, 1 thread |" in again.output


def _small(source: str, size: str) -> images.Picture:
    return images.Picture(f"{source} {size}", images.photographs(source)["astronaut.jpg"][:160, 100:300], "a window")


@pytest.mark.parametrize("arguments", [["--only", "detct"], ["--peers", "openCV"], ["--sources", "boats"]])
@pytest.mark.usefixtures("no_traces")
def test_unknown_names_are_refused(arguments: list[str]) -> None:
    done = CliRunner().invoke(speed_command.command, [*arguments, "--quick"])
    assert done.exit_code == 2
    assert repr(arguments[1]) in done.output
