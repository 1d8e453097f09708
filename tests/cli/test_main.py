"""The frame of the command line: the table of commands, help, suggestions, options.

Oracles: the table itself, the fields of :mod:`siftcli.params`, and what users of Unix commands expect.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import click
import pytest
from cli_tools import command_of
from click.testing import CliRunner, Result

import siftcli.cli
from siftcli.cli.detect import command as detect
from siftcli.cli.main import COMMANDS, cli
from siftcli.cli.parameter_options import chosen_parameters
from siftcli.cli.streams import one_line
from siftcli.params import DescriptorParams, DetectorParams, SelectionParams
from siftcli.presets import PRESETS

FIELDS = [f for group in (DetectorParams, DescriptorParams, SelectionParams) for f in dataclasses.fields(group)]


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, args, prog_name="sift", catch_exceptions=False)


def help_of(name: str) -> str:
    return " ".join(run(name, "--help").output.split())  # as if it were one line


# --- commands


def test_every_command_has_its_file_and_its_line() -> None:
    modules = {path.stem: path.read_text() for path in Path(siftcli.cli.__path__[0]).glob("*.py")}
    assert {name for name, text in modules.items() if re.search(r"^def command\(", text, re.M)} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_what_the_table_says(name: str) -> None:
    command = command_of(name)
    assert command.name == name
    assert (command.help or "").splitlines()[0] == COMMANDS[name]
    assert command.example.startswith(f"sift {name} ")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_the_commands(flag: str) -> None:
    result = run(flag)
    assert result.exit_code == 0
    for name, line in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", result.output, re.M)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_its_example_and_all_its_options(name: str) -> None:
    command = command_of(name)
    text = help_of(name)
    assert f"{COMMANDS[name]} Example: {command.example} " in text
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help
            assert f"{param.opts[-1]} " in text
            assert not param.hidden


@pytest.mark.parametrize(("typo", "meant"), [("detct", "detect"), ("Detect", "detect")])
def test_a_command_that_is_misspelt(typo: str, meant: str) -> None:
    result = run(typo, "photo.jpg")
    assert result.exit_code == 2
    assert f"Did you mean {meant!r}?" in result.stderr


def test_a_file_in_place_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.touch()
    result = run(str(path))
    assert result.exit_code == 2
    assert f"sift detect {path}" in result.stderr


def test_an_option_that_is_misspelt() -> None:
    result = run("detect", "--edge-treshold", "10", "photo.jpg")
    assert result.exit_code == 2
    assert "--edge-threshold" in result.stderr


# --- options of parameters


def flag_of(field: dataclasses.Field[Any]) -> str:
    return "--" + field.name.replace("_", "-")


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_parameter_is_an_option_with_its_help_and_default(field: dataclasses.Field[Any]) -> None:
    start = help_of("detect").split(f"{flag_of(field)} ", 1)[1]
    assert field.metadata["help"] in start
    note = start.split(field.metadata["help"], 1)[1].split("]")[0]
    assert field.metadata["unit"] in note
    if isinstance(field.default, bool):
        assert note.endswith(f"default: {'on' if field.default else 'off'}")
    elif field.default is not None:
        default = field.default
        shown = ",".join(f"{part:g}" for part in default) if isinstance(default, tuple) else default
        assert note.endswith(f"default: {shown}")


def given(*args: str) -> dict[str, Any]:
    """What a command line gives for every parameter."""
    params = detect.make_context("detect", ["photo.jpg", *args]).params
    return {field.name: params[field.name] for field in FIELDS}


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_not_given_comes_from_the_preset(preset: str) -> None:
    assert set(given().values()) == {None}
    assert chosen_parameters(preset, given()) == PRESETS[preset]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_what_is_given_reaches_the_parameter(field: dataclasses.Field[Any]) -> None:
    value: Any
    if isinstance(field.default, bool):
        value, args = not field.default, [flag_of(field)]
    elif field.metadata["choices"]:
        value = next(choice for choice in field.metadata["choices"] if choice != field.default)
        args = [flag_of(field), value]
    elif field.name == "domain_sizes":
        value, args = (1.0, 1.5), [flag_of(field), "1,1.5"]
    elif field.metadata["parts"]:
        value, args = (1.0, 2.5, 30.0, 40.0), [flag_of(field), "1,2.5,30,40"]
    else:
        old: Any = field.default
        whole = field.metadata["kind"] is int
        value = (old or field.metadata["low"]) + 1 if whole else (old or 1.0) * 0.75 + 0.1
        args = [flag_of(field), str(value)]
    chosen = chosen_parameters("default", given(*args))
    values = {k: v for params in chosen for k, v in dataclasses.asdict(params).items()}
    defaults = {k: v for params in PRESETS["default"] for k, v in dataclasses.asdict(params).items()}
    assert values == {**defaults, field.name: value}


def test_a_flag_can_be_switched_off() -> None:
    assert given("--no-upright")["upright"] is False
    assert given("--no-root-sift")["root_sift"] is False


# --- messages


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain ü 🗻", "plain ü 🗻"), ("a\nb\t\x1b[1m", r"a\nb\t\x1b[1m"), ("\udcff\u2028", r"\udcff\u2028")],
)
def test_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown
