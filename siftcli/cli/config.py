"""Configuration files: values of options, in TOML.

A key at the top is an option of any command, by its name (``edge_threshold`` or ``edge-threshold``); a table named
after a command has options of that command only.  Options of the command line and ``SIFT_...`` environment variables
override the file, and the file overrides the preset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import click

from ..errors import RENAMED, PlanError
from ..io.files import open_source, why_unreadable
from ..io.limits import MAX_CONFIG, read_limited

__all__ = ["config_values", "is_setting"]

_SHOWN = 80
"""Most characters of a value or of a reason in a message."""


def config_values(
    path: str, command: click.Command, all_commands: Callable[[], Mapping[str, click.Command]]
) -> dict[str, Any]:
    """Read the values that a configuration file has for the options of a command.

    Parameters
    ----------
    path : str
        The file.
    command : click.Command
        The command.
    all_commands : callable
        Returns every command by its name; called if a key is not an option of this command.

    Returns
    -------
    dict
        Values by the names of the options' parameters, of the types that the options take.

    Raises
    ------
    PlanError
        If the file cannot be read or is not TOML, or a key is not an option or has a value of another type.
    """
    settings = _settings(command)
    values: dict[str, Any] = {}
    tables: dict[str, Mapping[str, Any]] = {}
    for key, value in _parsed(path).items():
        name = key.replace("-", "_")
        if isinstance(value, dict):
            tables[key] = value
        elif name in settings:
            values[name] = _checked(path, key, settings[name], value)
        elif not any(name in _settings(other) for other in all_commands().values()):
            known = {*settings, *(name for other in all_commands().values() for name in _settings(other))}
            raise PlanError(f"{path}: {_named(key)} is no option of any command{_hint(name, known)}")
    for key in tables:
        if key not in all_commands():
            raise PlanError(f"{path}: [{_named(key)}] is no command{_hint(key, all_commands())}")
    for key, value in tables.get(command.name or "", {}).items():
        name = key.replace("-", "_")
        if name not in settings:
            raise PlanError(f"{path}: [{command.name}] {_named(key)} is no option of it{_hint(name, settings)}")
        values[name] = _checked(path, key, settings[name], value)
    return values


def is_setting(option: click.Parameter) -> bool:
    """Tell whether an option may be set in a configuration file and by an environment variable."""
    return isinstance(option, click.Option) and bool(getattr(option, "setting", False))


def _settings(command: click.Command) -> dict[str, click.Option]:
    return {p.name: p for p in command.params if isinstance(p, click.Option) and is_setting(p) and p.name is not None}


def _named(key: str) -> str:
    """Shorten a key for a message."""
    return key if len(key) <= _SHOWN else f"{key[:_SHOWN]}..."


def _hint(name: str, known: Any) -> str:
    if len(name) > _SHOWN:
        return ""
    if RENAMED.get(name) in known:
        return f"; use {RENAMED[name]}"
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _parsed(path: str) -> dict[str, Any]:
    """Parse a TOML file, with or without a byte-order mark."""
    import tomllib  # not needed by most runs

    try:
        with open_source(path) as file:
            text = read_limited(file, MAX_CONFIG, "a configuration file").decode("utf-8-sig")
        return dict(tomllib.loads(text))
    except OSError as error:
        raise PlanError(f"{path}: {why_unreadable(error)}") from error
    except RecursionError as error:
        raise PlanError(f"{path}: is nested too deeply; options are single values and lists of numbers") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise PlanError(f"{path}: is not TOML: {str(error)[:_SHOWN]}") from error


def _checked(path: str, key: str, option: click.Option, value: Any) -> Any:
    """Return a value if it has the type that an option takes, else raise PlanError."""
    wanted = "a text"
    good = isinstance(value, str)
    if option.is_flag:
        wanted, good = "true or false", isinstance(value, bool)
    elif isinstance(option.type, (type(click.INT), click.IntRange)):
        wanted, good = "a whole number", isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(option.type, type(click.FLOAT)):
        wanted, good = "a number", isinstance(value, (int, float)) and not isinstance(value, bool)
    elif isinstance(option.type, click.Choice):
        choices = [str(choice) for choice in option.type.choices]
        wanted, good = f"one of {', '.join(choices)}", value in choices
    elif isinstance(value, list):
        wanted = "a list of numbers"
        good = all(isinstance(part, (int, float)) and _fits(part) for part in value)
    if not good:
        raise PlanError(f"{path}: {key} must be {wanted}, not {_shown(value)}")
    if not _fits(value):
        raise PlanError(f"{path}: {key} is a number of more than 64 bits")
    return value


def _fits(value: Any) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _shown(value: Any) -> str:
    """Shorten a value for a message."""
    if isinstance(value, list | dict) or not _fits(value):
        return "a number of more than 64 bits" if isinstance(value, int) else f"a {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
