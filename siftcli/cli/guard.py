"""Checking that the outputs of a command line are not among its inputs."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Any

import click

__all__ = ["READ", "WRITTEN", "guard"]

_READ = "siftcli.read"
"""Key of a context under which the values of options of type `READ` are kept."""


class _Read(click.Path):
    """A path that is read; the context keeps every value, from whatever source."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if ctx is not None:
            ctx.meta.setdefault(_READ, []).append(path)
        return path


class _Written(click.Path):
    """A path that is written."""


READ = _Read()
"""Type of options and arguments that name a file to read."""

WRITTEN = _Written()
"""Type of options and arguments that name a file to write; the command passes the files to `guard`."""


def guard(
    outputs: Iterable[str | PathLike[str] | None],
    inputs: Iterable[str | PathLike[str]] = (),
    *,
    extended: Iterable[str | PathLike[str]] = (),
) -> None:
    """Refuse outputs that are inputs of this run, or the same file as another output; called before any work.

    Parameters
    ----------
    outputs : iterable of path or None
        Every file that the command will write.
    inputs : iterable of path
        Files that the command will read besides those of the command line.
    extended : iterable of path
        Inputs that may be an output, see :func:`siftcli.batch.clashes.refuse_clashes`.

    Raises
    ------
    PlanError
        If there is such an output.
    """
    from ..batch.clashes import refuse_clashes

    named = click.get_current_context().meta.get(_READ, [])
    refuse_clashes((path for path in outputs if path is not None), [*named, *inputs], extended=extended)
