"""The class of all commands: grouped help with an example, and errors that are one line and an exit status."""

from __future__ import annotations

import os
import warnings
from inspect import cleandoc
from typing import Any

import click
from click.core import ParameterSource

from ..errors import RENAMED, ParameterError, PlanError, SiftError, SiftWarning, SuffixError
from ..io.output import reason_of
from .options import CONFIG, VARIABLE, flag_of
from .streams import say

__all__ = ["SiftCommand"]


class SiftCommand(click.Command):
    """A command whose help has an example and grouped options, and whose errors are one line.

    Parameters
    ----------
    example : str
        A working command line.
    """

    def __init__(self, *args: Any, example: str, **attrs: Any) -> None:
        # Set here as well as in the group, because Click keeps the help option of the first call.
        attrs["context_settings"] = {"help_option_names": ["-h", "--help"], **attrs.get("context_settings", {})}
        super().__init__(*args, **attrs)
        self.example = example

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        first, _, rest = cleandoc(self.help or "").partition("\n\n")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(f"{first}\n\n\b\nExample: {self.example}\n\n{rest}".rstrip())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                groups.setdefault(getattr(param, "group", "Other"), []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for old, new in RENAMED.items():
            variable = VARIABLE + old.upper()
            if variable in os.environ and any(param.name == new for param in self.params):
                raise click.UsageError(f"{variable} is no longer read. Use {VARIABLE}{new.upper()}.", ctx)
        try:
            return super().parse_args(ctx, args)
        except PlanError as error:  # from the configuration file
            raise _Refused(str(error)) from error
        except click.NoSuchOption as error:
            from .names import elsewhere

            ours = elsewhere(error.option_name)
            if ours is None:
                raise
            known = any(ours.split()[0] in param.opts for param in self.params)
            if known or not ours.startswith("-"):
                hint = f"Use {ours}."
            else:
                hint = f"Its counterpart is {ours}, which this command does not have."
            raise click.UsageError(f"No such option {error.option_name!r}. {hint}", ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.params.get("quiet") and ctx.params.get("verbose"):
            raise click.UsageError("--quiet and --verbose exclude each other.", ctx)
        if ctx.params.get("quiet"):
            warnings.simplefilter("ignore", SiftWarning)
        try:
            return super().invoke(ctx)
        except ParameterError as error:
            raise _Refused(f"{_origin(ctx, error.name)}: {error.reason}") from error
        except (PlanError, SuffixError) as error:
            raise _Refused(str(error)) from error
        except SiftError as error:
            raise _Failed(str(error)) from error
        except MemoryError as error:
            raise _Failed(reason_of(error) or "") from error
        except BrokenPipeError:  # Click ends quietly
            raise
        except (OSError, RuntimeError) as error:  # for example, the current folder was removed
            if (reason := reason_of(error)) is None:
                raise
            raise _Failed(reason) from error


class _Failed(click.ClickException):
    """An error of the work: one line on stderr, status 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        say(f"error: {self.message}")


class _Refused(_Failed):
    """An error of usage: one line on stderr, status 2."""

    exit_code = 2


def _origin(ctx: click.Context, name: str) -> str:
    """Return the option, environment variable or key of a file that set a value."""
    source = ctx.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return VARIABLE + name.upper()
    if source is ParameterSource.DEFAULT_MAP:
        return f"{ctx.meta.get(CONFIG)}: {name}"
    return flag_of(name)
