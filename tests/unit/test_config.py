"""Configuration files and environment variables: their order, and what is said about what is wrong.

Oracles: the order that is promised, and the parameters themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from cli_tools import command_of
from click.testing import CliRunner

from siftcli.cli.config import config_values, is_setting
from siftcli.cli.main import COMMANDS, cli
from siftcli.cli.parameter_options import chosen_parameters
from siftcli.params import DescriptorParams, DetectorParams, SelectionParams


def commands() -> dict[str, click.Command]:
    """Every command."""
    return {name: command_of(name) for name in COMMANDS}


DETECT = commands()["detect"]


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """Write a configuration file, and return its path."""

    def write(text: str | bytes) -> str:
        path = tmp_path / "sift.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    return write


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what the environment of the tests has."""
    import os

    for name in [name for name in os.environ if name.startswith("SIFT_")]:
        monkeypatch.delenv(name)


def chosen(*args: str) -> dict[str, Any]:
    """What `sift detect` with these arguments makes of the parameters."""
    params = DETECT.make_context("detect", ["photo.jpg", *args], parent=click.Context(cli)).params
    names = {
        name for group in (DetectorParams, DescriptorParams, SelectionParams) for name in group.__dataclass_fields__
    }
    groups = chosen_parameters(params["preset"], {name: params[name] for name in names})
    return {name: getattr(group, name) for group in groups for name in group.__dataclass_fields__}


def told(*args: str) -> str:
    """What `sift` with these arguments says on stderr, one line, as wrong usage."""
    result = CliRunner().invoke(cli, args, prog_name="sift", catch_exceptions=False)
    assert result.exit_code == 2
    return result.stderr.strip()


def test_order(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: the command line comes before the environment, that before the file, that before the preset."""
    path = file("contrast_threshold = 0.3\nmax_keypoints = 30\nsigma_base = 1.3\noctaves = 3\n")
    monkeypatch.setenv("SIFT_CONTRAST_THRESHOLD", "0.2")
    monkeypatch.setenv("SIFT_MAX_KEYPOINTS", "20")
    values = chosen("--preset", "colmap", "--config", path, "--contrast-threshold", "0.1")
    assert values["contrast_threshold"] == 0.1  # command line
    assert values["max_keypoints"] == 20  # environment
    assert (values["sigma_base"], values["octaves"]) == (1.3, 3)  # file
    assert (values["keep"], values["max_image_size"]) == ("levels", 3200)  # preset
    assert values["peak_ratio"] == 0.8  # default


@pytest.mark.parametrize("place", ["command line", "environment", "file"])
def test_the_preset_and_the_file_may_come_from_anywhere(place: str, file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: a preset is an option as others, and so is the file."""
    path = file('preset = "opencv"\n' if place == "file" else "octaves = 2\n")
    args: list[str] = []
    if place == "environment":
        monkeypatch.setenv("SIFT_PRESET", "opencv")
        monkeypatch.setenv("SIFT_CONFIG", path)
    else:
        args = ["--config", path, *(["--preset", "opencv"] if place == "command line" else [])]
    values = chosen(*args)
    assert values["orientation_smoothings"] == 1
    assert values["octaves"] == (None if place == "file" else 2)


def test_all_kinds_of_values(file: Any) -> None:
    """Closed form: whole numbers, others, truth values, choices, several numbers; either way to write a name."""
    values = chosen(
        "--config",
        file('max-orientations = 2\npeak_ratio = 1\nroot_sift = true\nkeep = "spread"\nregion = [1, 2.5, 3, 4]\n'),
    )
    assert (values["max_orientations"], values["peak_ratio"], values["root_sift"]) == (2, 1.0, True)
    assert (values["keep"], values["region"]) == ("spread", (1.0, 2.5, 3.0, 4.0))
    assert chosen("--config", file('region = "1,2.5,3,4"\n'))["region"] == (1.0, 2.5, 3.0, 4.0)
    assert chosen("--config", file("root_sift = true\n"), "--no-root-sift")["root_sift"] is False


def test_variables_of_all_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: as on the command line; truth values as 1, 0, true, false, yes, no; empty is not set."""
    for name, text in {"UPRIGHT": "1", "OCTAVES": "2", "KEEP": "spread", "REGION": "1,2,3,4", "CLAMP": ""}.items():
        monkeypatch.setenv(f"SIFT_{name}", text)
    values = chosen()
    assert (values["upright"], values["octaves"], values["keep"]) == (True, 2, "spread")
    assert (values["region"], values["clamp"]) == ((1.0, 2.0, 3.0, 4.0), 0.2)
    monkeypatch.setenv("SIFT_UPRIGHT", "no")
    assert chosen()["upright"] is False
    assert chosen("--upright")["upright"] is True


def test_tables_are_for_their_commands(file: Any) -> None:
    """Closed form: [detect] is for detect, and before what is for all; what other commands have is passed over."""
    path = file("octaves = 3\nratio = 0.7\n[detect]\noctaves = 2\n[match]\nratio = 0.9\n")
    assert chosen("--config", path)["octaves"] == 2
    assert config_values(path, DETECT, commands) == {"octaves": 2}
    assert config_values(path, commands()["match"], commands) == {"octaves": 3, "ratio": 0.9}
    assert config_values(path, commands()["describe"], commands) == {"octaves": 3}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("edge_treshold = 3\n", "edge_treshold is no option of any command; did you mean edge_threshold?"),
        ("[detct]\n", "[detct] is no command; did you mean detect?"),
        ("[detect]\nratio = 0.8\n", "[detect] ratio is no option of it"),
        ('octaves = "3"\n', "octaves must be a whole number, not '3'"),
        ("octaves = 2.5\n", "octaves must be a whole number, not 2.5"),
        ("octaves = true\n", "octaves must be a whole number, not True"),
        ("edge_threshold = true\n", "edge_threshold must be a number, not True"),
        ("upright = 1\n", "upright must be true or false, not 1"),
        ('keep = "best"\n', "keep must be one of strongest, largest, spread, levels, not 'best'"),
        ("overwrite = true\n", "overwrite is no option of any command"),
        ("octaves = \n", "is not TOML: "),
        ("octaves = 3\noctaves = 4\n", "is not TOML: "),
        (b"\xff\xfe", "is not TOML: "),
    ],
)
def test_what_is_wrong_in_a_file(file: Any, text: str | bytes, why: str) -> None:
    """Closed form: refused with the file's name and the key, in one line."""
    path = file(text)
    line = told("detect", "photo.jpg", "--config", path)
    assert line.startswith(f"sift: error: {path}: {why}")
    assert "\n" not in line


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Closed form: missing, or a folder."""
    assert (
        told("detect", "photo.jpg", "--config", "none.toml") == "sift: error: none.toml: no such file; check the path"
    )
    assert "is a folder" in told("detect", "photo.jpg", "--config", str(tmp_path))


def test_values_out_of_range_name_where_they_come_from(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: the option, the variable, or the file and the key."""
    path = file("edge_threshold = 0.5\n")
    reason = "must be at least 1, not 0.5"
    assert told("detect", "photo.jpg", "--config", path) == f"sift: error: {path}: edge_threshold: {reason}"
    monkeypatch.setenv("SIFT_EDGE_THRESHOLD", "0.5")
    assert told("detect", "photo.jpg", "--config", path) == f"sift: error: SIFT_EDGE_THRESHOLD: {reason}"
    args = ("detect", "photo.jpg", "--config", path, "--edge-threshold", "0.5")
    assert told(*args) == f"sift: error: --edge-threshold: {reason}"


@pytest.mark.parametrize(
    ("name", "text"), [("OCTAVES", "two"), ("KEEP", "best"), ("UPRIGHT", "perhaps"), ("REGION", "a,b")]
)
def test_variables_that_cannot_be(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """Closed form: the variable is named, not the option."""
    monkeypatch.setenv(f"SIFT_{name}", text)
    assert f"Invalid value for 'SIFT_{name}': " in told("detect", "photo.jpg").splitlines()[-1]


def test_every_parameter_is_a_setting_and_no_output_is() -> None:
    """Invariance: what decides on the features may be set, what and where may not."""
    settings = {p.name for p in DETECT.params if is_setting(p)}
    for group in (DetectorParams, DescriptorParams, SelectionParams):
        assert settings >= set(group.__dataclass_fields__)
    assert settings >= {
        "preset",
        "config",
        "jobs",
        "workers",
        "memory",
        "depth",
        "alpha",
        "exif_orientation",
        "max_pixels",
    }
    assert not settings & {
        "output",
        "overwrite",
        "format",
        "mask",
        "files_from",
        "as_json",
        "resume",
        "dry_run",
        "help",
    }
