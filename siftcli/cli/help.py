"""``sift help``: what ``--help`` shows."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from .options import SiftCommand

__all__ = ["command"]


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from .main import COMMANDS

    return [CompletionItem(name) for name in COMMANDS if name.startswith(incomplete)]


@click.command("help", cls=SiftCommand, example="sift help detect")
@click.argument("name", required=False, metavar="[COMMAND]", shell_complete=_names)
@click.pass_context
def command(ctx: click.Context, /, name: str | None) -> None:
    """Show the help of a command, or of sift.

    It is the same as of sift COMMAND --help.
    """
    root = ctx.find_root()
    group = root.command
    if name is None:
        click.echo(root.get_help())
        return
    found = group.get_command(root, name) if isinstance(group, click.Group) else None
    if found is None:
        from .main import hint

        raise click.UsageError(f"No such command {name!r}.{hint(name)}", root)
    with found.make_context(name, ["--help"], parent=root, resilient_parsing=True) as inner:
        click.echo(inner.get_help())
