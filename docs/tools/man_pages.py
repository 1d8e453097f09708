"""Manual pages in the macros of man(7): ``sift.1``, and ``sift-NAME.1`` for each command."""

from __future__ import annotations

from siftcli import __version__

from .commands import Command, Option, commands, introduction

__all__ = ["pages"]

_STATUS = [
    ("0", "All done."),
    ("1", "An input failed; the others are done."),
    ("2", "Wrong usage."),
    ("130", "Interrupted by Ctrl-C."),
]


def _roff(text: str) -> str:
    """Text as troff takes it: nothing in it is a request, and a dash is a dash."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in text.split("\n"))


def _head(name: str, summary: str) -> list[str]:
    title = f'.TH "{name.upper()}" "1" "" "siftcli {__version__}" "User commands"'
    return [title, ".SH NAME", f"{_roff(name)} \\- {_roff(summary.rstrip('.'))}"]


def _texts(paragraphs: list[str]) -> list[str]:
    return [line for text in paragraphs for line in (".PP", _roff(text))][1:]  # none after a heading


def _option(option: Option) -> list[str]:
    note = f" [{option.note}]" if option.note else ""
    return [".TP", f"\\fB{_roff(option.usage)}\\fR", _roff(f"{option.help}{note}")]


def _example(line: str) -> list[str]:
    return [".SH EXAMPLE", ".nf", _roff(line), ".fi"]


def _page(command: Command) -> str:
    lines = [
        *_head(f"sift-{command.name}", command.summary),
        ".SH SYNOPSIS",
        f"\\fB{_roff(command.usage)}\\fR",
        ".SH DESCRIPTION",
        *_texts([command.summary, *command.paragraphs]),
        ".SH OPTIONS",
    ]
    for group, options in command.groups.items():
        lines += [f'.SS "{group}"', *(line for option in options for line in _option(option))]
    lines += [*_example(command.example), ".SH SEE ALSO", "\\fBsift\\fR(1)"]
    return "\n".join(lines) + "\n"


def _overview(found: list[Command]) -> str:
    summary, *rest = introduction()
    lines = [
        *_head("sift", summary),
        ".SH SYNOPSIS",
        "\\fBsift\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] \\fIINPUT\\fR...",
        ".SH DESCRIPTION",
        *_texts([summary, *rest]),
        ".SH COMMANDS",
    ]
    for command in found:
        lines += [".TP", f"\\fBsift\\-{command.name}\\fR(1)", _roff(command.summary)]
    lines.append(".SH EXIT STATUS")
    for status, meaning in _STATUS:
        lines += [".TP", f"\\fB{status}\\fR", _roff(meaning)]
    lines += [".SH SEE ALSO", ", ".join(f"\\fBsift\\-{command.name}\\fR(1)" for command in found)]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Return the manual pages: the name of the file, and its text."""
    found = commands()
    return {"sift.1": _overview(found), **{f"sift-{c.name}.1": _page(c) for c in found}}
