"""Which image goes to which file.  Oracle: a table of command lines and what they mean."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from siftcli.batch.inputs import find_inputs
from siftcli.batch.plan import Job, make_jobs
from siftcli.errors import ParameterError, PlanError


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two images, a folder of two, and an empty folder; the current folder is above them."""
    for name in ("a.jpg", "b.tar.png", "in/1.jpg", "in/sub/1.jpg", "out/keep", "raw"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outputs(*arguments: str, output: str | None = None, format: str | None = None, **options: bool) -> dict[str, str]:
    jobs = make_jobs(find_inputs(arguments, recursive=True), output, format=format, **options)
    return {job.path: job.output for job in jobs}


@pytest.mark.parametrize(
    ("arguments", "output", "expected"),
    [
        (["a.jpg"], None, {"a.jpg": "a.key"}),
        (["b.tar.png"], None, {"b.tar.png": "b.tar.key"}),
        (["raw"], None, {"raw": "raw.key"}),
        (["-"], None, {"-": "-"}),
        (["-"], "x.key", {"-": "x.key"}),
        (["a.jpg"], "-", {"a.jpg": "-"}),
        (["a.jpg"], "x.key", {"a.jpg": "x.key"}),
        (["a.jpg"], "out", {"a.jpg": "out/a.key"}),
        (["a.jpg"], "new/", {"a.jpg": "new/a.key"}),
        (["in/sub/1.jpg"], "new/er/", {"in/sub/1.jpg": "new/er/1.key"}),
        (["in"], None, {"in/1.jpg": "in/1.key", "in/sub/1.jpg": "in/sub/1.key"}),
        (["in"], "new", {"in/1.jpg": "new/1.key", "in/sub/1.jpg": "new/sub/1.key"}),
        (["a.jpg", "b.tar.png"], "new", {"a.jpg": "new/a.key", "b.tar.png": "new/b.tar.key"}),
        (["in/sub"], "x.key", {"in/sub/1.jpg": "x.key"}),
        (["a.j*"], "x.key.gz", {"a.jpg": "x.key.gz"}),
        (["in"], "all.h5", {"in/1.jpg": "all.h5", "in/sub/1.jpg": "all.h5"}),
        (["a.jpg"], "x.h5", {"a.jpg": "x.h5"}),
    ],
)
def test_outputs(arguments: list[str], output: str | None, expected: dict[str, str]) -> None:
    assert outputs(*arguments, output=output) == expected


@pytest.mark.parametrize(
    ("output", "format", "expected"),
    [
        (None, None, ("a.key", "lowe")),
        (None, "lowe-gz", ("a.key.gz", "lowe-gz")),
        (None, "colmap", ("a.jpg.txt", "colmap")),
        (None, "hdf5", ("a.h5", "hdf5")),
        ("out", "lowe-gz", ("out/a.key.gz", "lowe-gz")),
        ("x.KEY.GZ", None, ("x.KEY.GZ", "lowe-gz")),
        ("x.key.gz", "lowe", ("x.key.gz", "lowe")),
        ("x.dat", "lowe", ("x.dat", "lowe")),
        ("x.h5", "hloc", ("x.h5", "hloc")),
        ("-", "lowe-gz", ("-", "lowe-gz")),
        ("/dev/null", "lowe", ("/dev/null", "lowe")),
    ],
)
def test_formats(output: str | None, format: str | None, expected: tuple[str, str]) -> None:
    (job,) = make_jobs(find_inputs(["a.jpg"]), output, format=format)
    assert (job.output, job.format) == expected


def test_images_that_share_an_output_have_names_of_their_own(files: Path) -> None:
    jobs = make_jobs(find_inputs(["a.jpg", "in"], recursive=True), "all.h5")
    assert [(job.name, job.shared) for job in jobs] == [("a.jpg", True), ("1.jpg", True), ("sub/1.jpg", True)]
    (job,) = make_jobs(find_inputs(["-"]), "all.h5")
    assert job == Job("-", "all.h5", "hdf5", "stdin", shared=True)
    (files / "1.jpg").touch()
    with pytest.raises(PlanError, match=r"1\.jpg and in/1\.jpg would both write 1\.jpg of all\.h5"):
        make_jobs(find_inputs(["1.jpg", "in"]), "all.h5")


@pytest.mark.parametrize(
    ("arguments", "output", "format", "message"),
    [
        (["in"], "x.key", None, "x.key: 2 images cannot share it"),
        (["in"], "-", None, "standard output: 2 images cannot share it"),
        (["a.jpg"], "x.dat", None, "x.dat: its suffix does not say which format"),
        (["a.jpg"], "x", None, "x: its suffix does not say which format"),
        (["in"], None, "hdf5", "--format hdf5: holds all images in one file; give its name: -o NAME.h5"),
        (["in"], "out", "hloc", "--format hloc: holds all images in one file"),
        (["a.jpg"], "-", "hdf5", "--format hdf5: cannot go to standard output"),
        (["-"], None, "openmvg", "--format openmvg: cannot go to standard output"),
        (["a.jpg"], "", None, "-o: the name is empty"),
        (["a.jpg"], "raw/", None, "raw: is a file"),
        (["in"], "raw", None, "raw: is a file"),
        (["in"], "raw/below", None, "raw: is a file"),
        (["-"], "out", None, "out: is a folder, and standard input has no name"),
        (["a.jpg"], "a.jpg", "lowe", "a.jpg: is an input"),
    ],
)
def test_refused(arguments: list[str], output: str | None, format: str | None, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        outputs(*arguments, output=output, format=format, overwrite=True)


def test_an_input_is_never_an_output(files: Path) -> None:
    (files / "a.key").touch()
    with pytest.raises(PlanError, match=r"a\.key: is an input"):
        outputs("a.jpg", str(files / "a.key"), overwrite=True)


@pytest.mark.parametrize(
    ("other", "arguments", "hint"),
    [("a.png", ["a.jpg", "a.png"], "once for each"), ("in/a.jpg", ["a.jpg", "in/a.jpg"], "--recursive")],
)
def test_collisions(files: Path, other: str, arguments: list[str], hint: str) -> None:
    (files / other).touch()
    with pytest.raises(PlanError, match=f"a.jpg and {other} would both write out/a.key; .*{hint}"):
        outputs(*arguments, output="out")


def test_outputs_that_exist(files: Path) -> None:
    (files / "in/1.key").touch()
    with pytest.raises(PlanError, match=r"^in/1\.key: exists already; use --overwrite"):
        outputs("in")
    (files / "in/sub/1.key").touch()
    with pytest.raises(PlanError, match=r"^in/1.key: exists already \(as do 1 more of 2 outputs\)"):
        outputs("in")
    assert outputs("in", overwrite=True) == {"in/1.jpg": "in/1.key", "in/sub/1.jpg": "in/sub/1.key"}


def test_an_unknown_format() -> None:
    with pytest.raises(ParameterError, match=r"format: must be one of lowe, .*, not 'keys'"):
        outputs("a.jpg", format="keys")


def test_a_job_can_be_sent_to_another_process() -> None:
    job = Job("a.jpg", "a.key", "lowe", "a.jpg", data=b"data")
    assert pickle.loads(pickle.dumps(job)) == job
