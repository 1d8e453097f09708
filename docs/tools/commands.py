"""What the command line says of itself, taken from Click: for the reference and the manual pages."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc

import click

from siftcli.cli.main import COMMANDS, cli

__all__ = ["Command", "Option", "commands", "introduction"]


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes
    ----------
    usage : str
        Its names, and what is given to it.
    help : str
        What it does.
    note : str
        Unit, range and default.
    """

    usage: str
    help: str
    note: str


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes
    ----------
    name : str
        Without ``sift``.
    usage : str
        The line of its use.
    summary : str
        Its help in one line.
    example : str
        A command line that runs.
    paragraphs : tuple of str
        The rest of its help, each a line.
    groups : dict of str to list of Option
        Its options as the help groups them.
    """

    name: str
    usage: str
    summary: str
    example: str
    paragraphs: tuple[str, ...]
    groups: dict[str, list[Option]]


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in cleandoc(text).replace("\b\n", "").split("\n\n") if part.strip()]


def introduction() -> list[str]:
    """Return the paragraphs of ``sift --help``."""
    return _paragraphs(cli.help or "")


def _command(name: str) -> Command:
    command = import_module(f"siftcli.cli.{name}").command
    overview = click.Context(cli, info_name="sift", **cli.context_settings)
    context = click.Context(command, info_name=name, parent=overview)
    groups: dict[str, list[Option]] = {}
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if not isinstance(param, click.Option) or record is None:
            continue
        words = " ".join((param.help or "").split())
        told = " ".join(record[1].split()).removeprefix(words).strip()  # "[a]  [b]": what Click adds, and our note
        option = Option(record[0], words, told.strip("[]").replace("] [", "; "))
        groups.setdefault(getattr(param, "group", "Other"), []).append(option)
    summary, *rest = _paragraphs(command.help or "")
    usage = command.get_usage(context).removeprefix("Usage: ")
    return Command(name, " ".join(usage.split()), summary, command.example, tuple(rest), groups)


def commands() -> list[Command]:
    """Return all commands, in the order of ``sift --help``."""
    return [_command(name) for name in COMMANDS]
