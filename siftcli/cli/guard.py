"""The files that a command line names: those that are read, and a check of those that are written against them."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Any

import click

__all__ = ["READ", "WRITTEN", "guard"]

_READ = "siftcli.read"
"""Where a context keeps the paths that the options of type `READ` have."""


class _Read(click.Path):
    """A path that is read; every value is remembered, wherever it comes from."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if ctx is not None:
            ctx.meta.setdefault(_READ, []).append(path)
        return path


class _Written(click.Path):
    """A path that is written."""


READ = _Read()
"""The type of options and arguments that name a file to read."""

WRITTEN = _Written()
"""The type of those that name a file to write; the command passes it to `guard`, or what it leads to."""


def guard(
    outputs: Iterable[str | PathLike[str] | None],
    inputs: Iterable[str | PathLike[str]] = (),
    *,
    extended: Iterable[str | PathLike[str]] = (),
) -> None:
    """Refuse outputs that are files which this run reads, or one another; to be called before any work.

    Parameters
    ----------
    outputs : iterable of path or None
        Every file that the command will write.
    inputs : iterable of path
        Files that it will read besides those of the command line.
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
