"""The command ``sift``: finds its subcommand, and imports that one only."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..io.output import output_error
from . import INTERRUPTED
from .streams import say

__all__ = ["COMMANDS", "cli"]

COMMANDS = {
    "detect": "Detect keypoints in images and describe them.",
    "describe": "Describe given frames of images.",
    "match": "Match the keypoints of two images, or of a collection.",
    "draw": "Draw keypoints over their image, or the matches of two images.",
    "scalespace": "Write the Gaussian and DoG scale space of an image as pictures.",
    "convert": "Convert features from one format to another.",
    "info": "Show what feature and match files contain.",
    "evaluate": "Evaluate features on images with known geometry.",
    "doctor": "Check this installation.",
    "help": "Show the help of a command, or of sift.",
}
"""Names of the commands, and their help in one line.

The command ``name`` is the object `command` of ``siftcli/cli/name.py``; a new command needs that file and a line here.
"""


class _Commands(click.Group):
    """The commands of the table; each is imported when it is run or its help is shown."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}.{_hint(name)}")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().main(*args, **extra)
        except OSError as error:  # raised while Click prints help or the version
            say(f"error: {output_error('<stdout>', error)}")
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted")
            ctx.exit(INTERRUPTED)


def _hint(name: str) -> str:
    """Suggest a command in place of an unknown one."""
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    if near:
        return f" Did you mean {near[0]!r}?"
    if Path(name).exists():
        return f" To find the keypoints of that file: sift detect {name}"
    return ""


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
def cli() -> None:
    """SIFT features (Lowe 2004) from images.

    Example: sift detect photo.jpg

    Each command tells more: sift detect --help
    """
