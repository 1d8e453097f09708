"""Declaring options that have a group in the help, a note of range and default, and an environment variable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import Field, fields
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ..settings import range_note

__all__ = ["CONFIG", "VARIABLE", "all_of", "field_options", "flag_of", "numbers", "option", "report_options"]

_F = TypeVar("_F", bound=Callable[..., Any])


VARIABLE = "SIFT_"
"""Prefix of the environment variables of options."""
CONFIG = "siftcli.config"
"""Key of a context under which the name of the configuration file is kept."""
_SETTINGS = frozenset({"Detector", "Descriptor", "Selection", "Matching", "Image", "Settings"})
"""Groups of options that may be set by environment variables and configuration files."""


class _Option(click.Option):
    """An option with a group in the help; environment variables and configuration files may set it."""

    def __init__(
        self, *args: Any, group: str, note: str | Callable[[], str] = "", setting: bool | None = None, **attrs: Any
    ) -> None:
        super().__init__(*args, **attrs)
        self.group = group
        self.note = note
        self.setting = group in _SETTINGS if setting is None else setting
        if self.setting and self.name is not None:
            self.envvar = VARIABLE + self.name.upper()

    def get_error_hint(self, ctx: click.Context | None) -> str:
        if ctx is not None and self.name and ctx.get_parameter_source(self.name) is ParameterSource.ENVIRONMENT:
            return f"'{self.envvar}'"
        return super().get_error_hint(ctx)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        note = self.note if isinstance(self.note, str) else self.note()
        return record and (record[0], f"{record[1]}  [{note}]" if note else record[1])


def option(
    *names: str, group: str, values: Callable[[], Iterable[str]] | None = None, **attrs: Any
) -> Callable[[_F], _F]:
    """Declare an option, as `click.option` does.

    Parameters
    ----------
    *names : str
        Names, as for `click.option`.
    group : str
        Section of the help.
    values : callable, optional
        Returns the values that a shell completes, for an option that takes a name.
    **attrs
        Arguments of `click.option`, and two more.  `note` is the unit, range and default that the help shows, or a
        function that returns it.  `setting` tells whether a configuration file and an environment variable may set the
        option; by default its group decides.
    """
    if values is not None:

        def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
            from click.shell_completion import CompletionItem

            return [CompletionItem(value) for value in values() if value.startswith(incomplete)]

        attrs["shell_complete"] = complete
    return click.option(*names, cls=_Option, group=group, **attrs)


def all_of(declarations: Iterable[Callable[[Any], Any]]) -> Callable[[_F], _F]:
    """Combine decorators; the help lists their options in this order."""

    def declare(function: _F) -> _F:
        for declaration in reversed(list(declarations)):
            function = declaration(function)
        return function

    return declare


def flag_of(name: str) -> str:
    """Return the option of a parameter."""
    return f"--{name.replace('_', '-')}"


def numbers(value: Any) -> tuple[float, ...]:
    """Parse numbers separated by commas, or accept a list of numbers."""
    try:
        return tuple(float(part) for part in (value.split(",") if isinstance(value, str) else value))
    except (TypeError, ValueError, OverflowError):
        raise click.BadParameter(f"{value!r} must be numbers separated by commas, such as 10,20,300,200") from None


def _parameter_option(field: Field[Any], group: str) -> Callable[[_F], _F]:
    """Declare the option of a parameter; its default is None, so that the preset applies."""
    meta, flag = field.metadata, flag_of(field.name)
    attrs: dict[str, Any] = {"group": group, "help": meta["help"], "note": range_note(field), "default": None}
    if isinstance(field.default, bool):
        return option(f"{flag}/--no-{flag[2:]}", **attrs)
    if meta["choices"]:
        return option(flag, type=click.Choice(meta["choices"]), **attrs)
    if meta["parts"]:
        return option(flag, type=numbers, metavar=",".join(meta["parts"]).upper(), **attrs)
    if meta["words"]:
        attrs["values"] = lambda: meta["words"]
    return option(flag, type=meta["kind"], **attrs)


def field_options(kind: type, group: str, without: Iterable[str] = ()) -> Callable[[_F], _F]:
    """Declare an option for every field of a class of parameters.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are made by :func:`siftcli.settings.setting`.
    group : str
        Section of the help.
    without : iterable of str
        Fields that get no option.
    """
    return all_of([_parameter_option(field, group) for field in fields(kind) if field.name not in without])


def report_options(group: str, json: str, verbose: str) -> Callable[[_F], _F]:
    """Declare ``--json``, ``--quiet`` and ``--verbose``, with the help texts of ``--json`` and ``--verbose``."""
    return all_of(
        [
            option("--json", "as_json", group=group, is_flag=True, help=json),
            option("-q", "--quiet", group=group, is_flag=True, help="Print errors only."),
            option("-v", "--verbose", group=group, is_flag=True, help=verbose),
        ]
    )
