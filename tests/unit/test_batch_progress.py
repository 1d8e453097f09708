"""Progress without a terminal.  Oracle: rates and times worked out by hand."""

from __future__ import annotations

import pytest

from siftcli.batch.report import Report, Result
from siftcli.cli import progress
from siftcli.cli.progress import Display


def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, left: int, **options: bool) -> list[str]:
    """What is told of three images, one every two seconds, of many more."""
    now = 1000.0
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now)
    results = (
        Result("a", "a.key", "done", 1500, 2.0, pixels=6_000_000),
        Result("b", "b.key", "skipped", None, 0.0),
        Result("c", "c.key", "failed", None, 2.0, error="c: is empty"),
    )
    display = Display(Report(3 + left), "sift", **options)
    for result in results:
        now += 2.0
        display.show(result)
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("left", "rest"),
    [(1, ", about 3 s to go"), (40, ", about 2 min 0 s to go"), (10**5, ", about 3 d 11 h to go")],
)
def test_a_line_every_five_seconds(
    left: int, rest: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error, line = told(capsys, monkeypatch, left)
    assert error == "sift: error: c: is empty"
    start = f"sift: 3 of {3 + left:,} images, 1,500 keypoints, 1.0 MP/s, 1 skipped, 1 failed, 0.3 images/s"
    assert line == start + rest


def test_after_the_last_image_there_is_no_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(capsys, monkeypatch, 0) == ["sift: error: c: is empty"]


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(capsys, monkeypatch, 5, quiet=True) == ["sift: error: c: is empty"]
