"""Progress without a terminal.  Oracle: rates and times worked out by hand."""

from __future__ import annotations

import pytest

from siftcli.batch.match_run import PairResult
from siftcli.batch.pair_report import PairReport
from siftcli.batch.report import Report, Result
from siftcli.batch.tally import Tally
from siftcli.cli import progress
from siftcli.cli.messages import Messages
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
    display = Display(Report(3 + left), "sift", Messages(**options))
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


@pytest.mark.parametrize("verified", [True, False])
def test_image_pairs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verified: bool) -> None:
    """Counted by hand: of 20 pairs 4 are of an earlier run, one is matched in each 3 s, the second fails."""
    now = 1000.0
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now)
    report = PairReport(20, skipped=4, verified=verified)
    inliers = 1 if verified else None
    with Display(report, "pairs", Messages(verbose=True)) as display:
        now += 3.0
        display.show(PairResult(0, ("a", "b"), "done", 1, inliers, 3.0))
        now += 3.0
        display.show(PairResult(1, ("a", "c"), "failed", error="c: is empty"))
    assert report.exit_status == 1
    assert capsys.readouterr().err.splitlines() == [
        f"sift: a, b: 1 match{', 1 inlier' if verified else ''} in 3.00 s",
        "sift: error: c: is empty",
        "sift: 6 of 20 pairs, 1 failed, 0.3 pairs/s, about 42 s to go",
        "sift: 5 pairs done (4 of them earlier), 1 failed, 14 not reached: 1 match"
        f"{', 1 of them inliers' if verified else ''} in 6.0 s",
    ]


def test_steps_without_results(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now)
    with Display(Tally(4, "read"), "reads", Messages(), summary=False) as display:
        now += 10.0
        display.step()
    assert capsys.readouterr().err == "sift: 1 of 4 reads, 0.1 reads/s, about 30 s to go\n"
