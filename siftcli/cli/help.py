"""``sift help``: what ``--help`` shows."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from .command import SiftCommand

__all__ = ["command"]


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    group = ctx.find_root().command
    names = group.list_commands(ctx) if isinstance(group, click.Group) else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


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
    assert isinstance(group, click.Group)
    _, found, _ = group.resolve_command(root, [name])
    assert found is not None  # an unknown name is an error of usage
    with found.make_context(name, ["--help"], parent=root, resilient_parsing=True) as inner:
        click.echo(inner.get_help())
