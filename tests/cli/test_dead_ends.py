"""Mistakes that a new user makes, with every command.  Oracle: the exit status of wrong usage, and that a message names
the file or the option and what to do.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest
from cli_tools import Sift, blobs
from click.testing import CliRunner
from PIL import Image

import siftcli
from siftcli.cli.main import COMMANDS, cli

WRITERS = {
    "detect": ("detect", "a.png"),
    "describe": ("describe", "a.png", "--keypoints", "a.key"),
    "match": ("match", "a.key", "b.key"),
    "draw": ("draw", "a.png"),
    "convert": ("convert", "a.key"),
}
"""Commands that write a file of which the suffix says the format, without the output."""


@pytest.fixture
def files(sift: Sift, tmp_path: Path) -> Path:
    """Images, feature files, one without descriptors, and a match file."""
    for name in ("a", "b"):
        Image.fromarray(blobs()).save(tmp_path / f"{name}.png")
        siftcli.write_features(tmp_path / f"{name}.key", siftcli.detect(blobs()))
    siftcli.write_features(tmp_path / "bare.csv", siftcli.detect(blobs(), descriptors=False))
    return tmp_path


def invoke(*args: str) -> tuple[int, str]:
    """Exit status and stderr of a command line that is refused before there is work."""
    result = CliRunner().invoke(cli, args, prog_name="sift")
    return result.exit_code, result.stderr


def output(command: str, name: str) -> tuple[str, ...]:
    return (name,) if command == "convert" else ("-o", name)


@pytest.mark.parametrize("command", WRITERS)
def test_a_wrong_suffix_is_wrong_usage(sift: Sift, files: Path, command: str) -> None:
    result = sift(*WRITERS[command], *output(command, "out.nonsense"))
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.decode().splitlines()
    assert "out.nonsense" in line
    assert "suffix" in line
    assert "png" in line or "csv" in line  # what there is


@pytest.mark.parametrize("command", WRITERS)
def test_the_folder_of_an_output_is_made(sift: Sift, files: Path, command: str) -> None:
    name = {"draw": "x.png", "match": "x.csv"}.get(command, "x.key")
    result = sift(*WRITERS[command], *output(command, f"no/such/{name}"))
    assert result.returncode == 0, result.stderr
    assert (files / "no" / "such" / name).is_file()


@pytest.mark.parametrize("name", [*COMMANDS, None])
def test_help_is_what_the_option_shows(name: str | None) -> None:
    words = [] if name is None else [name]
    asked, option = (CliRunner().invoke(cli, args, prog_name="sift") for args in (["help", *words], [*words, "--help"]))
    assert asked.exit_code == 0
    assert asked.output == option.output


def test_help_on_what_is_no_command() -> None:
    status, text = invoke("help", "mach")
    assert status == 2
    assert "No such command 'mach'. Did you mean 'match'?" in text


def test_the_version_has_a_short_option() -> None:
    assert CliRunner().invoke(cli, ["-V"], prog_name="sift").output == f"sift {siftcli.__version__}\n"


ELSEWHERE = {
    "--nfeatures": "--max-keypoints",
    "--contrastThreshold": "--contrast-threshold",
    "--edgeThreshold": "--edge-threshold",
    "--nOctaveLayers": "--scales-per-octave",
    "--SiftExtraction.max_num_features": "--max-keypoints",
    "--SiftExtraction.peak_threshold": "--contrast-threshold",
    "--SiftMatching.max_ratio": "--ratio",
    "--peak-thresh": "--contrast-threshold",
    "--threads": "--workers",
}


@pytest.mark.parametrize("theirs", ELSEWHERE)
@pytest.mark.parametrize("command", COMMANDS)
def test_options_of_other_programs_are_translated(command: str, theirs: str) -> None:
    status, text = invoke(command, theirs, "1")
    assert status == 2
    assert f"No such option {theirs!r}." in text
    assert ELSEWHERE[theirs] in text
    context = click.Context(cli)
    found = cli.get_command(context, command)  # type: ignore[attr-defined]
    known = any(ELSEWHERE[theirs] in param.opts for param in found.params)
    assert ("which this command does not have" in text) != known


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_that_nobody_has_is_refused_as_before(command: str) -> None:
    status, text = invoke(command, "--frobnicate")
    assert status == 2
    assert "No such option '--frobnicate'" in text
    assert "Use " not in text
    assert "counterpart" not in text


@pytest.mark.parametrize("order", [("a.key", "bare.csv"), ("bare.csv", "a.key")])
def test_keypoints_without_descriptors_are_named(sift: Sift, files: Path, order: tuple[str, str]) -> None:
    result = sift("match", *order)
    assert result.returncode == 1
    assert result.stderr.decode().startswith("sift: error: bare.csv: has no descriptors; sift describe")


def test_a_single_image_of_the_plural(sift: Sift, tmp_path: Path) -> None:
    y, x = np.mgrid[:64, :64]
    blob = 128 + 100 * np.exp(-((x - 30.25) ** 2 + (y - 33.75) ** 2) / (2 * 4.0**2))
    Image.fromarray(blob.astype(np.uint8)).save("one.png")
    assert len(siftcli.detect(siftcli.read_image("one.png").pixels, max_orientations=1)) == 1
    result = sift("detect", "one.png", "--max-orientations", "1")
    assert b"one.png: 1 keypoint to one.key in " in result.stderr
    assert b"1 image, 1 keypoint\n" in sift("info", "one.key").stdout


@pytest.mark.parametrize(
    "args",
    [
        ("detect", "a.key", "-o", "x.key"),
        ("describe", "a.key", "--keypoints", "b.key", "-o", "x.key"),
        ("scalespace", "a.key", "-o", "x"),
    ],
    ids=lambda args: args[0],
)
def test_a_feature_file_is_no_image(sift: Sift, files: Path, args: tuple[str, ...]) -> None:
    result = sift(*args)
    assert result.returncode == 1
    assert result.stderr.decode() == (
        "sift: error: a.key: is not an image; its suffix is that of a feature file (Lowe's key file)\n"
    )


def test_a_folder_has_no_scale_space(sift: Sift, files: Path) -> None:
    (files / "photos").mkdir()
    result = sift("scalespace", "photos", "-o", "x")
    assert (result.returncode, result.stderr) == (2, b"sift: error: photos: is a folder; name one of its images\n")


def test_no_matches_need_no_explanation(sift: Sift, files: Path) -> None:
    Image.new("L", (1, 1)).save("one.png")
    result = sift("match", "one.png", "a.png", "-o", "m.csv")
    assert result.returncode == 0
    assert result.stderr.decode().startswith("sift: one.png (0) and a.png (")
    assert "): 0 matches; written to m.csv in " in result.stderr.decode()


READERS = {
    "detect": ("detect", "{}", "-o", "x.key"),
    "describe": ("describe", "{}", "--keypoints", "none.csv", "-o", "x.key"),
    "match": ("match", "b.key", "{}", "-o", "x.csv"),
    "draw": ("draw", "{}", "-o", "x.png"),
    "draw two": ("draw", "a.png", "{}", "-o", "x.png"),
    "scalespace": ("scalespace", "{}", "-o", "x"),
}
"""Commands that read an image."""


def ran(sift: Sift, name: str, image: str) -> tuple[int, str]:
    """Exit status and stderr of a command that reads an image, which writes nothing if it fails."""
    siftcli.write_features("none.csv", siftcli.detect(blobs(), descriptors=False).take(np.arange(0)))
    before = sorted(Path().iterdir())
    result = sift(*(word.format(image) for word in READERS[name]))
    if result.returncode:
        assert sorted(Path().iterdir()) == before
    return result.returncode, result.stderr.decode()


@pytest.mark.parametrize("name", READERS)
def test_an_image_that_is_not_there(sift: Sift, files: Path, name: str) -> None:
    assert ran(sift, name, "no such.png") == (1, "sift: error: no such.png: no such file; check the path\n")


@pytest.mark.parametrize("name", READERS)
def test_an_image_that_was_cut_short(sift: Sift, files: Path, name: str) -> None:
    Path("my half.png").write_bytes(Path("a.png").read_bytes()[:-99])
    status, text = ran(sift, name, "my half.png")
    assert status == 1
    assert text.startswith("sift: error: my half.png: is truncated; get the whole file")
    assert text.count("\n") == 1


@pytest.mark.parametrize("name", READERS)
def test_an_image_of_one_pixel(sift: Sift, files: Path, name: str) -> None:
    Image.new("L", (1, 1)).save("my pixel.png")
    status, text = ran(sift, name, "my pixel.png")
    assert status == 0
    assert "my pixel.png" in text
