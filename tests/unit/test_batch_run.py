"""Carrying out jobs, choosing features, counting results.

Oracles: the Python API, masks whose effect is plain, and counts made by hand.
"""

from __future__ import annotations

import os
import pickle
import re
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from cli_tools import blobs
from PIL import Image

import siftcli
from siftcli.batch.execute import Batch, execute
from siftcli.batch.plan import Job
from siftcli.batch.report import Report, Result
from siftcli.batch.run import make_folders, run_job
from siftcli.batch.settings import Settings
from siftcli.engine.selection import inside
from siftcli.errors import WorkerError
from siftcli.features import Features
from siftcli.presets import parameters

SETTINGS = Settings(*parameters())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    Image.fromarray(blobs()).save(tmp_path / "photo.png")
    return Job(str(tmp_path / "photo.png"), str(tmp_path / "photo.key"), "lowe", "photo.png")


# --- jobs


def test_a_job_writes_what_the_api_finds(job: Job) -> None:
    expected = siftcli.detect(blobs())
    result = run_job(job, SETTINGS)
    assert (result.path, result.output, result.status) == (job.path, job.output, "done")
    assert (result.keypoints, result.pixels) == (len(expected), 60 * 90)
    assert Path(job.output).read_bytes() == siftcli.encode_key(expected)


def test_a_job_for_stdout_returns_its_data(job: Job) -> None:
    result = run_job(job._replace(output="-"), SETTINGS)
    assert result.data == siftcli.encode_key(siftcli.detect(blobs()))
    assert not Path(job.output).exists()


def test_a_job_with_data_reads_no_file(job: Job) -> None:
    data = Path(job.path).read_bytes()
    Path(job.path).unlink()
    assert run_job(job._replace(data=data), SETTINGS).status == "done"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "needs more memory than there is; .+"),
        (WorkerError("a worker process was killed twice"), "a worker process was killed twice"),
        (ValueError("odd"), r"internal error, please report it: ValueError at test_batch_run.py:\d+: odd"),
    ],
)
def test_whatever_happens_is_a_result(
    job: Job, error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("siftcli.engine.pipeline.detect", fail)
    result = run_job(job, SETTINGS)
    assert (result.status, result.keypoints) == ("failed", None)
    assert result.error is not None
    assert re.fullmatch(re.escape(f"{job.path}: ") + message, result.error)
    assert not Path(job.output).exists()


def test_an_interrupt_is_not_a_result(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("siftcli.engine.pipeline.detect", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_job(job, SETTINGS)


def test_an_output_made_in_the_meantime_is_kept(job: Job) -> None:
    Path(job.output).write_text("theirs")
    result = run_job(job, SETTINGS)
    assert result.status == "failed"
    assert result.error == f"{job.output}: exists already; use --overwrite to replace it, or another output name"
    assert Path(job.output).read_text() == "theirs"
    assert run_job(job, replace(SETTINGS, overwrite=True)).status == "done"


def test_results_come_one_by_one_in_order(job: Job) -> None:
    jobs = [job._replace(output="-"), job._replace(path="none.png"), job._replace(output="-")]
    seen: list[Result] = []
    execute(jobs, SETTINGS, seen.append)
    assert [(r.path, r.status) for r in seen] == [(job.path, "done"), ("none.png", "failed"), (job.path, "done")]


def test_many_images_in_one_file(job: Job) -> None:
    output = str(Path(job.path).with_name("all.h5"))
    job = job._replace(output=output, format="hdf5", shared=True)
    jobs = [job._replace(name="b/2.png"), job._replace(path="none.png", name="c.png"), job._replace(name="a.png")]
    seen: list[Result] = []
    execute(jobs, SETTINGS, seen.append)
    assert [(r.status, r.output, r.features) for r in seen] == [
        ("done", output, None),
        ("failed", output, None),
        ("done", output, None),
    ]
    expected = siftcli.detect(blobs())
    with siftcli.collection_reader(output) as collection:
        assert sorted(collection.names) == ["a.png", "b/2.png"]
        features = collection.read("b/2.png")
    np.testing.assert_array_equal(features.xy, expected.xy)
    np.testing.assert_array_equal(features.descriptors, expected.descriptors)
    assert features.parameters == SETTINGS.parameters
    assert sorted(p.name for p in Path(output).parent.iterdir()) == ["all.h5", "photo.png"]


def test_a_name_that_the_file_cannot_hold_costs_its_image_only(job: Job) -> None:
    output = str(Path(job.path).with_name("all.h5"))
    job = job._replace(output=output, format="hdf5", shared=True)
    seen: list[Result] = []
    execute([job._replace(name="\udcff.png"), job], SETTINGS, seen.append)
    assert [(r.status, r.keypoints is None) for r in seen] == [("failed", True), ("done", False)]
    with siftcli.collection_reader(output) as collection:
        assert collection.names == ("photo.png",)


def test_where_nothing_was_found_to_write_there_is_no_file(job: Job) -> None:
    folder = Path(job.path).parent
    job = job._replace(path="none.png", output=str(folder / "all.h5"), format="hdf5", shared=True)
    execute([job], SETTINGS, lambda result: None)
    assert [p.name for p in folder.iterdir()] == ["photo.png"]


def test_settings_and_results_can_be_sent_to_another_process(job: Job) -> None:
    assert pickle.loads(pickle.dumps(SETTINGS)) == SETTINGS
    result = run_job(job, SETTINGS)
    assert pickle.loads(pickle.dumps(result)) == result


def test_folders_are_made_once_and_again(tmp_path: Path) -> None:
    jobs = [Job("a", str(tmp_path / name), "lowe", "a") for name in ("x/y/a.key", "x/b.key")]
    make_folders(jobs)
    make_folders([*jobs, Job("-", "-", "lowe", "-")])
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["x", "x/y"]
    (tmp_path / "file").touch()
    with pytest.raises(siftcli.OutputError, match="file/z: cannot be written"):
        make_folders([Job("a", str(tmp_path / "file/z/a.key"), "lowe", "a")])


# --- selection


def features(n: int = 5) -> Features:
    """Features of which every array tells the index."""
    index = np.arange(n)
    return Features(
        xy=np.stack([index, 10 + index], axis=1).astype(np.float32),
        scales=index.astype(np.float32),
        orientations=index.astype(np.float32),
        scores=index.astype(np.float32),
        octaves=index.astype(np.int16),
        levels=index.astype(np.int16),
        descriptors=np.repeat(index.astype(np.uint8)[:, None], 128, axis=1),
        image_size=(640, 480),
    )


def test_take_takes_from_every_array() -> None:
    whole, part = features(), features().take(np.array([3, 1]))
    assert len(part) == 2
    for field in fields(Features):
        before, after = getattr(whole, field.name), getattr(part, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before[[3, 1]])
        else:
            assert after == before
    assert len(whole.take(np.zeros(5, bool))) == 0


def test_the_pixel_under_the_rounded_centre_decides() -> None:
    mask = np.zeros((3, 4), bool)
    mask[1, 2] = True  # row 1, column 2
    centres = [(2, 1), (1.51, 0.51), (2.49, 1.49), (1.49, 1), (2, 1.51), (1, 2), (-9, -9), (2, 99)]
    frames = replace(features(len(centres)), xy=np.array(centres, np.float32))
    np.testing.assert_array_equal(inside(frames, mask).scales, [0, 1, 2])
    np.testing.assert_array_equal(inside(frames, ~mask).scales, [3, 4, 5, 6, 7])


# --- report


def test_a_report_counts() -> None:
    report = Report(4)
    assert (report.exit_status, report.summary(0)) == (0, "0 images done, 4 not reached: 0 keypoints in 0.0 s")
    report.add(Result("a", "a.key", "done", 1200, 0.5))
    assert (report.exit_status, report.summary(1)) == (0, "1 image done, 3 not reached: 1,200 keypoints in 1.0 s")
    report.add(Result("b", "b.key", "failed", None, 0.1, "b: no such file"))
    report.add(Result("c", "c.key", "done", 0, 0.5))
    report.add(Result("d", "d.key", "done", 34, 0.5))
    assert (report.done, report.failed, report.keypoints, report.exit_status) == (3, 1, 1234, 1)
    assert report.summary(12.34) == "3 images done, 1 failed: 1,234 keypoints in 12.3 s"


# --- resuming


def test_a_resumed_run_reads_an_image_once(job: Job) -> None:
    """Closed form: an image with another time is read once, to compare its digest, and skipped."""
    settings, results = SETTINGS.signed("lowe", "1"), list[Result]()
    assert execute([job], settings, results.append) is None
    os.utime(job.path, (1, 1))
    reads: list[str] = []

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            reads.append(str(arguments[0]))

    sys.addaudithook(note)  # it cannot be removed
    assert execute([job], settings, results.append, Batch(resume=True)) is None
    seen = tuple(reads)
    assert [result.status for result in results] == ["done", "skipped"]
    assert seen.count(job.path) == 1
