"""The benchmarks of speed and of tilted views.

Oracles: closed forms for the pictures, the views and the order of turns; the documentation itself for the places of the
tables.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

pytest.importorskip("pycolmap")
from tests.benchmarks import pictures, timing
from tests.benchmarks.__main__ import markdown, update
from tests.benchmarks.questions import QUESTIONS, Table
from tests.benchmarks.tilted import tilted, tilting

ROOT = Path(__file__).parents[2]


def test_a_mosaic_of_one_grey_has_no_seams() -> None:
    grey = [np.full((50, 70), 90, np.uint8), np.full((60, 50), 90, np.uint8)]
    assert np.unique(pictures.mosaic(grey, 130, 170)).tolist() == [90]


def test_inside_its_windows_a_mosaic_shows_the_photographs() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    whole = pictures.mosaic([photo], 48, 200)
    assert np.array_equal(whole[:32, :32], photo[16:48, 16:48])
    assert np.array_equal(whole[:32, 48:80], np.rot90(photo)[16:48, 16:48])


@pytest.mark.parametrize("size", ["0.3", "1", "3"])
def test_pictures_have_the_sizes_of_their_names(size: str) -> None:
    picture = pictures.picture("samples", size)
    assert picture.shape == pictures.SIZES[size]
    assert picture.size / 1e6 == pytest.approx(float(size), rel=0.15)


def test_programs_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def program(name: str, seconds: float) -> Callable[[], float]:
        def run() -> float:
            order.append(name)
            return seconds + len(order)

        return run

    times = timing.alternate({"a": program("a", 0), "b": program("b", 0), "slow": program("slow", 100)}, 2)
    assert order == ["a", "b", "slow", "a", "b", "a", "b"]
    assert {name: one.seconds for name, one in times.items()} == {"a": [4, 6], "b": [5, 7], "slow": [103]}


def test_the_memory_of_a_command_is_that_of_its_own_process() -> None:
    """Closed form: a process that fills 200 MB takes that more than one that fills nothing."""
    fill = "import sys; b = bytearray(int(sys.argv[1]) * 10**6)"
    empty, full = (timing.peak_memory([sys.executable, "-c", fill, size]) for size in ("0", "200"))
    assert 195 < full - empty < 215


def test_a_measured_command_finds_the_byte_code_of_its_warm_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariance: whether the benchmark itself may write byte code does not matter."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "imported.py").write_text("")
    timing.run_command([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import imported"])()
    assert list((tmp_path / "__pycache__").glob("imported.*.pyc"))


def test_updating_a_document_changes_its_own_table_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- table:one -->\nold\n<!-- end -->\nb\n<!-- table:two -->\nkept\n<!-- end -->\n")
    table = Table("one", ["x", "y"], [["1", "2"]])
    update(page, table)
    update(page, table)
    expected = f"a\n<!-- table:one -->\n\n{markdown(table)}\n<!-- end -->\nb\n<!-- table:two -->\nkept\n<!-- end -->\n"
    assert page.read_text() == expected
    with pytest.raises(SystemExit, match="no place for the table three"):
        update(page, Table("three", ["x"]))


def test_every_table_has_its_place_in_the_documentation() -> None:
    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    assert all(f"<!-- table:{name} -->" in text for name in (*QUESTIONS, "machine"))


def test_the_command_measures() -> None:
    """The real thing, on small inputs: every figure of the table is a positive number."""
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "photograph", "crops"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in ("photograph", "crops"):
        rows = result.stdout.split(f"\n{name}\n\n")[1].split("\n\n")[0].splitlines()[2:]
        assert len(rows) == len(pictures.sources())
        for row in rows:
            cells = [float(cell.replace(",", "")) for cell in row.strip("| ").split(" | ")[1:]]
            assert min(cells) > 0


@pytest.mark.parametrize(("tilt", "axis"), [(0, 0), (30, 0), (60, 90), (45, 30)])
def test_tilted_views_are_shortened_across_the_axis(tilt: float, axis: float) -> None:
    """Closed form: at the centre, lengths along the axis are kept, and those across it shrink by the cosine."""
    view = tilting(400, 300, tilt, axis)
    centre = np.array([199.5, 149.5])

    def seen(point: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y, w = view @ [*point, 1]
        return np.array([x, y]) / w

    np.testing.assert_allclose(seen(centre), centre, atol=1e-9)
    angle = np.radians(axis)
    for direction, factor in (((np.cos(angle), np.sin(angle)), 1.0), ((-np.sin(angle), np.cos(angle)), None)):
        step = 1e-4 * np.array(direction)
        expected = step * (np.cos(np.radians(tilt)) if factor is None else factor)
        np.testing.assert_allclose(seen(centre + step) - seen(centre - step), 2 * expected, atol=1e-9)


def test_an_untilted_view_is_the_picture_with_noise() -> None:
    picture = np.random.default_rng(3).integers(60, 200, (40, 50)).astype(np.uint8)
    smooth = np.asarray(gaussian_filter(picture.astype(float), 2), np.uint8)
    difference = tilted(smooth, np.eye(3)).astype(float) - smooth
    assert abs(difference[2:-2, 2:-2].mean()) < 0.2
    assert 1.5 < difference[2:-2, 2:-2].std() < 2.5
