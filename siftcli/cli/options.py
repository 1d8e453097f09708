"""Options that commands share, and the class of all commands: grouped help, an example, errors that name the option."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from importlib import import_module
from inspect import cleandoc
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ..batch.plan import DEFAULT_FORMAT
from ..errors import RENAMED, ParameterError, PlanError, SiftError, SiftWarning, SuffixError
from ..io.formats import FORMATS
from ..io.image_kinds import DEFAULT_MAX_PIXELS, ImageReading
from ..io.output import reason_of
from ..params import DescriptorParams, DetectorParams, Parameters, SelectionParams
from ..presets import PRESETS, all_parameters
from ..settings import range_note
from .guard import READ, WRITTEN
from .streams import say

__all__ = [
    "SiftCommand",
    "all_of",
    "batch_options",
    "chosen_parameters",
    "config_option",
    "depth_option",
    "field_options",
    "image_options",
    "numbers",
    "option",
    "output_options",
    "parameter_options",
    "preset_option",
    "report_options",
    "selection_options",
    "start_option",
    "taken_reading",
]

_F = TypeVar("_F", bound=Callable[..., Any])


_VARIABLE = "SIFT_"
"""Prefix of the environment variables of options."""
_SETTINGS = frozenset({"Detector", "Descriptor", "Selection", "Matching", "Image", "Settings"})
"""Groups of options that environment variables and configuration files may set."""


class _Option(click.Option):
    """An option of a group of the help that an environment variable may set."""

    def __init__(
        self, *args: Any, group: str, note: str | Callable[[], str] = "", setting: bool | None = None, **attrs: Any
    ) -> None:
        super().__init__(*args, **attrs)
        self.group = group
        self.note = note
        self.setting = group in _SETTINGS if setting is None else setting
        if self.setting and self.name is not None:
            self.envvar = _VARIABLE + self.name.upper()

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
        Gives the values that a shell may complete, of an option that takes a name.
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
            variable = _VARIABLE + old.upper()
            if variable in os.environ and any(param.name == new for param in self.params):
                raise click.UsageError(f"{variable} is no longer read. Use {_VARIABLE}{new.upper()}.", ctx)
        try:
            return super().parse_args(ctx, args)
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


# --- parameters


def all_of(declarations: Iterable[Callable[[Any], Any]]) -> Callable[[_F], _F]:
    """Combine decorators; the help lists their options in this order."""

    def declare(function: _F) -> _F:
        for declaration in reversed(list(declarations)):
            function = declaration(function)
        return function

    return declare


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _origin(ctx: click.Context, name: str) -> str:
    """Return the option, environment variable or key of a file that set a value."""
    source = ctx.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return _VARIABLE + name.upper()
    if source is ParameterSource.DEFAULT_MAP:
        return f"{ctx.meta.get(_CONFIG)}: {name}"
    return _flag(name)


def numbers(value: Any) -> tuple[float, ...]:
    """Parse numbers separated by commas, or accept a list of numbers."""
    try:
        return tuple(float(part) for part in (value.split(",") if isinstance(value, str) else value))
    except (TypeError, ValueError, OverflowError):
        raise click.BadParameter(f"{value!r} must be numbers separated by commas, such as 10,20,300,200") from None


def _parameter_option(field: Field[Any], group: str) -> Callable[[_F], _F]:
    """Declare the option of a parameter; its default is None, so that the preset applies."""
    meta, flag = field.metadata, _flag(field.name)
    attrs: dict[str, Any] = {"group": group, "help": meta["help"], "note": range_note(field), "default": None}
    if isinstance(field.default, bool):
        return option(f"{flag}/--no-{flag[2:]}", **attrs)
    if meta["choices"]:
        return option(flag, type=click.Choice(meta["choices"]), **attrs)
    if meta["parts"]:
        return option(flag, type=numbers, metavar=",".join(meta["parts"]).upper(), **attrs)
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


def preset_option(group: str, help: str) -> Callable[[_F], _F]:
    """Declare ``--preset``."""
    return option(
        "--preset",
        group=group,
        type=click.Choice(list(PRESETS)),
        default="default",
        help=help,
        note="default: default",
    )


start_option = preset_option("Detector", "Start from a preset; the options below override single parameters.")
"""``--preset``, for commands with options of single parameters."""


def report_options(group: str, json: str, verbose: str) -> Callable[[_F], _F]:
    """Declare ``--json``, ``--quiet`` and ``--verbose``, with the help of the first and the last."""
    return all_of(
        [
            option("--json", "as_json", group=group, is_flag=True, help=json),
            option("-q", "--quiet", group=group, is_flag=True, help="Print errors only."),
            option("-v", "--verbose", group=group, is_flag=True, help=verbose),
        ]
    )


parameter_options = all_of(
    [
        start_option,
        field_options(DetectorParams, "Detector"),
        field_options(DescriptorParams, "Descriptor"),
    ]
)
"""``--preset``, and an option for every parameter of the detector and the descriptor."""

selection_options = all_of(
    [
        option(
            "--mask",
            group="Selection",
            type=READ,
            metavar="MASK",
            setting=False,
            help="Keep keypoints where this image is not zero. In a folder of masks, 'photo.jpg.png' or 'photo.png' is "
            "the mask of 'photo.jpg'.",
        ),
        option(
            "--alpha",
            group="Selection",
            type=click.Choice(["mask", "ignore"]),
            default="mask",
            help="mask: remove keypoints on fully transparent pixels; ignore: keep them.",
            note="default: mask",
        ),
        field_options(SelectionParams, "Selection"),
    ]
)
"""``--mask``, ``--alpha``, and an option for every parameter that selects keypoints."""


def chosen_parameters(preset: str, given: Mapping[str, Any]) -> Parameters:
    """Return the parameters of a command line.

    Parameters
    ----------
    preset : str
        Value of ``--preset``.
    given : mapping
        Values of the options by name of the parameter; None if an option was not given.

    Raises
    ------
    ParameterError
        For a value outside its range.
    """
    return all_parameters(preset, **{name: value for name, value in given.items() if value is not None})


# --- options without a parameter


_FORMATS = ", ".join(f"{f.name} ({f.suffix})" for f in FORMATS.values())

output_options = all_of(
    [
        option(
            "-o",
            "--output",
            group="Output",
            metavar="OUT",
            type=WRITTEN,
            help="Output file, folder (created if needed; end a new one with '/'), or '-' for stdout. "
            "The subfolders of a searched folder are kept.",
            note="default: beside each image; for stdin, stdout",
        ),
        option(
            "--format",
            "format",
            group="Output",
            metavar="NAME",
            values=lambda: FORMATS,
            help="Output format, regardless of the suffix.",
            note=f"{_FORMATS}; default: by the suffix of OUT, else {DEFAULT_FORMAT}",
        ),
        option("--overwrite", group="Output", is_flag=True, help="Replace existing outputs."),
    ]
)
"""``-o``, ``--format``, ``--overwrite``."""

image_options = all_of(
    [
        option(
            "--exif-orientation",
            group="Image",
            is_flag=True,
            help="Rotate images according to their EXIF orientation; by default keypoints refer to the stored pixels.",
        ),
        option(
            "--max-pixels",
            group="Image",
            type=int,
            help="Refuse images with more pixels.",
            note=f"at least 1; default: {DEFAULT_MAX_PIXELS}",
        ),
        option(
            "--levels",
            group="Image",
            default="auto",
            metavar="LEVELS",
            help="Pixel values that are black and white. auto: as the file states, else the range of its type, else a "
            "guess with a warning; full: the whole range of its type, [0, 1] for floats; MIN,MAX: these two.",
            note="default: auto",
        ),
        option(
            "--strict",
            group="Image",
            is_flag=True,
            help="Refuse damaged images that can be decoded; by default they give a warning.",
        ),
    ]
)
"""``--exif-orientation``, ``--max-pixels``, ``--levels``, ``--strict``: see `taken_reading`."""


def taken_reading(given: dict[str, Any]) -> ImageReading:
    """Take the values of `image_options` out of the options of a command.

    Raises
    ------
    ParameterError
        If the limit is below 1, or the levels are no range.
    """
    values = {name: given.pop(name) for name in ImageReading._fields}
    if values["max_pixels"] is None:
        values["max_pixels"] = DEFAULT_MAX_PIXELS
    if values["max_pixels"] < 1:
        raise ParameterError("max_pixels", f"must be at least 1, not {values['max_pixels']}")
    if values["levels"] not in ("auto", "full"):
        from ..io.levels import check_levels  # imports NumPy

        values["levels"] = check_levels(values["levels"])
    return ImageReading(**values)


depth_option = option(
    "--depth",
    group="Image",
    type=click.Choice(["full", "8"]),
    default="full",
    help="full: keep the precision of images of more than 8 bits; 8: round them to 8 bits, as many programs do.",
    note="default: full",
)
"""``--depth``."""

_CONFIG = "siftcli.config"
"""Key of a context's name of the configuration file."""


def _configure(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Use the values of a configuration file as defaults."""
    if path is None:
        return
    from .config import config_values
    from .main import COMMANDS

    def all_commands() -> dict[str, click.Command]:
        return {name: import_module(f".{name}", __package__).command for name in COMMANDS}

    ctx.meta[_CONFIG] = path
    try:
        ctx.default_map = config_values(path, ctx.command, all_commands)
    except PlanError as error:
        raise _Refused(str(error)) from error


config_option = option(
    "--config",
    group="Settings",
    type=READ,
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_configure,
    help="Read options from a TOML file, such as edge_threshold = 8. Command-line options and environment variables "
    "such as SIFT_EDGE_THRESHOLD override the file, and the file overrides the preset.",
)
"""``--config``."""

batch_options = all_of(
    [
        option("-r", "--recursive", group="Batch", is_flag=True, help="Search subfolders too."),
        option(
            "--files-from",
            group="Batch",
            metavar="LIST",
            type=READ,
            help="Read further inputs from a file, one per line; '-' is stdin.",
        ),
        option("-0", "--null", group="Batch", is_flag=True, help="Names in LIST are separated by NUL, not newline."),
        report_options("Batch", "Print one JSON object per image on stdout.", "Print one line per image."),
    ]
)
"""Inputs of a batch, and its reports."""
