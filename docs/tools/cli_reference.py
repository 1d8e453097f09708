"""The reference of the command line, docs/cli.md."""

from __future__ import annotations

import re

from .commands import Command, Option, commands, introduction

__all__ = ["page"]

_HEAD = """\
# Command line

<!-- Generated from the help of the commands by `python -m docs.tools.generate`; a test compares the two. -->

{introduction}

These rules hold for every command:

- Data goes to standard output or to files; messages go to standard error. `-` is standard input or output.
- An output that exists is kept unless `--overwrite` is given, and a file that is there is whole.
- Exit status: 0 all done; 1 an input failed, the others are done and each failure is reported; 2 wrong usage; 130 after
  Ctrl-C.
- `NO_COLOR` is obeyed. `--` ends the options, for names that begin with a dash.

| command | does |
| --- | --- |
{table}
"""


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, in a cell of a table too."""
    return re.sub(r"[\\|<*`]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _row(option: Option) -> str:
    return f"| {_code(option.usage)} | {_escaped(option.help)} | {_escaped(option.note)} |"


def _section(command: Command) -> str:
    parts = [
        f"## sift {command.name}",
        _escaped(command.summary),
        f"```text\n{command.usage}\n```",
        f"Example: `{command.example}`",
        *(_escaped(paragraph) for paragraph in command.paragraphs),
    ]
    for group, options in command.groups.items():
        head = f"**{group}**\n\n| option | meaning | unit, range, default |\n| --- | --- | --- |\n"
        parts.append(head + "\n".join(map(_row, options)))
    return "\n\n".join(parts)


def page() -> str:
    """Return the page."""
    found = commands()
    table = "\n".join(f"| [`sift {c.name}`](#sift-{c.name}) | {_escaped(c.summary)} |" for c in found)
    head = _HEAD.format(introduction="\n\n".join(map(_escaped, introduction())), table=table)
    return "\n".join([head, *(_section(c) + "\n" for c in found)])
