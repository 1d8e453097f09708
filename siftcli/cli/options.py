"""Options that commands share, and the class of all commands: grouped help, an example, errors that name the option."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from importlib import import_module
from inspect import cleandoc
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ..batch.inputs import PlanError
from ..batch.plan import DEFAULT_FORMAT
from ..errors import ParameterError, SiftError
from ..io.files import DEFAULT_MAX_PIXELS
from ..io.formats import FORMATS
from ..params import PRESETS, DescriptorParams, DetectorParams, Parameters, SelectionParams, all_parameters
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
    "option",
    "output_options",
    "parameter_options",
    "preset_option",
    "report_options",
    "selection_options",
    "start_option",
]

_F = TypeVar("_F", bound=Callable[..., Any])


_VARIABLE = "SIFT_"
"""How the environment variables of options begin."""
_SETTINGS = frozenset({"Detector", "Descriptor", "Selection", "Matching", "Image", "Settings"})
"""Groups of options that say how, not what: these may be set by variables and in files."""


class _Option(click.Option):
    """An option that belongs to a group in the help, and may be set by an environment variable too."""

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


def option(*names: str, group: str, **attrs: Any) -> Callable[[_F], _F]:
    """Declare an option, as `click.option` does.

    Parameters
    ----------
    *names : str
        As of `click.option`.
    group : str
        Where the help lists it.
    **attrs
        As of `click.option`; and `note`, unit, range and default as the help shows them, or a function that gives it
        when it is asked for; and `setting`, whether the option may be set in a configuration file and by an environment
        variable, by default as its group says.
    """
    return click.option(*names, cls=_Option, group=group, **attrs)


class SiftCommand(click.Command):
    """A command whose help has an example and grouped options, and whose errors are one line.

    Parameters
    ----------
    example : str
        A command line that runs.
    """

    def __init__(self, *args: Any, example: str, **attrs: Any) -> None:
        # Its own, not only the group's: Click keeps the help option of the first call, which may be without the group.
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

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ParameterError as error:
            raise _Refused(f"{_origin(ctx, error.name)}: {error.reason}") from error
        except PlanError as error:
            raise _Refused(str(error)) from error
        except SiftError as error:
            raise _Failed(str(error)) from error
        except BrokenPipeError:  # Click ends quietly
            raise
        except OSError as error:  # such as a current folder that is gone
            raise _Failed(f"{error.filename or 'the system says'}: {error.strerror or error}") from error


class _Failed(click.ClickException):
    """What was asked for could not be done: one line on stderr."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        say(f"error: {self.message}")


class _Refused(_Failed):
    """Wrong usage; of what the words mean, not of their syntax, so no reminder of that."""

    exit_code = 2


# --- parameters


def all_of(declarations: Iterable[Callable[[Any], Any]]) -> Callable[[_F], _F]:
    """Apply decorators so that the help lists their options in this order."""

    def declare(function: _F) -> _F:
        for declaration in reversed(list(declarations)):
            function = declaration(function)
        return function

    return declare


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _origin(ctx: click.Context, name: str) -> str:
    """Name what an option's value came from: the option, a variable, or a key of a file."""
    source = ctx.get_parameter_source(name)
    if source is ParameterSource.ENVIRONMENT:
        return _VARIABLE + name.upper()
    if source is ParameterSource.DEFAULT_MAP:
        return f"{ctx.meta.get(_CONFIG)}: {name}"
    return _flag(name)


def _numbers(value: Any) -> tuple[float, ...]:
    """Take several numbers with commas between, or a list of them."""
    try:
        return tuple(float(part) for part in (value.split(",") if isinstance(value, str) else value))
    except (TypeError, ValueError):
        raise click.BadParameter(f"{value!r} is not numbers with commas between, such as 10,20,300,200") from None


def _parameter_option(field: Field[Any], group: str) -> Callable[[_F], _F]:
    """Declare the option of a parameter; its default is None, so that a preset shows where it is not given."""
    meta, flag = field.metadata, _flag(field.name)
    attrs: dict[str, Any] = {"group": group, "help": meta["help"], "note": _note(field), "default": None}
    if isinstance(field.default, bool):
        return option(f"{flag}/--no-{flag[2:]}", **attrs)
    if meta["choices"]:
        return option(flag, type=click.Choice(meta["choices"]), **attrs)
    if meta["parts"]:
        return option(flag, type=_numbers, metavar=",".join(meta["parts"]).upper(), **attrs)
    return option(flag, type=int if meta["whole"] else float, **attrs)


def _note(field: Field[Any]) -> str:
    """Unit, range and default of a parameter."""
    low, above, high = (field.metadata[key] for key in ("low", "above", "high"))
    start = f"at least {low}" if low is not None else f"above {above}" if above is not None else ""
    if low is not None and high is not None:
        limits = f"{low} to {high:g}"
    else:
        limits = ", ".join(part for part in (start, "" if high is None else f"at most {high:g}") if part)
    default = {True: "on", False: "off"}[field.default] if isinstance(field.default, bool) else field.default
    parts = (field.metadata["unit"], limits, "" if default is None else f"default: {default}")
    return "; ".join(part for part in parts if part)


def field_options(kind: type, group: str) -> Callable[[_F], _F]:
    """Declare an option for every field of a class of parameters.

    Parameters
    ----------
    kind : type
        A dataclass of :mod:`siftcli.params`.
    group : str
        Where the help lists them.
    """
    return all_of([_parameter_option(field, group) for field in fields(kind)])


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


start_option = preset_option(
    "Detector", "Start from these parameters; single ones may be changed by the options below."
)
"""``--preset``, where options of single parameters follow."""


def report_options(group: str, json: str, verbose: str) -> Callable[[_F], _F]:
    """Declare ``--json``, ``--quiet`` and ``--verbose``, with the help of the two that differ between commands."""
    return all_of(
        [
            option("--json", "as_json", group=group, is_flag=True, help=json),
            option("-q", "--quiet", group=group, is_flag=True, help="Say nothing but errors."),
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
            type=click.Path(),
            metavar="MASK",
            setting=False,
            help="Keep keypoints where this image is not zero; of a folder, 'photo.jpg.png' or 'photo.png' is the mask "
            "of 'photo.jpg'.",
        ),
        option(
            "--alpha",
            group="Selection",
            type=click.Choice(["mask", "ignore"]),
            default="mask",
            help="mask: leave out keypoints on fully transparent pixels; ignore: keep them.",
            note="default: mask",
        ),
        field_options(SelectionParams, "Selection"),
    ]
)
"""``--mask``, and an option for all that selects keypoints."""


def chosen_parameters(preset: str, given: Mapping[str, Any]) -> Parameters:
    """Return the parameters of a command line.

    Parameters
    ----------
    preset : str
        Value of ``--preset``.
    given : mapping
        Name of a parameter to value of its option, None where it was not given.

    Raises
    ------
    ParameterError
        For a value outside its range.
    """
    return all_parameters(preset, **{name: value for name, value in given.items() if value is not None})


# --- the other options


_FORMATS = ", ".join(f"{f.name} ({f.suffix})" for f in FORMATS.values())

output_options = all_of(
    [
        option(
            "-o",
            "--output",
            group="Output",
            metavar="OUT",
            type=click.Path(),
            help="A file; a folder, made if need be (end it with '/' where that is not clear); or '-' for stdout. "
            "The tree of a searched folder is kept below it.",
            note="default: beside each image; for stdin, stdout",
        ),
        option(
            "--format",
            "format",
            group="Output",
            metavar="NAME",
            help="Format of the output, whatever its suffix.",
            note=f"{_FORMATS}; default: by the suffix of OUT, else {DEFAULT_FORMAT}",
        ),
        option("--overwrite", group="Output", is_flag=True, help="Replace outputs that exist."),
    ]
)
"""``-o``, ``--format``, ``--overwrite``."""

image_options = all_of(
    [
        option(
            "--exif-orientation",
            group="Image",
            is_flag=True,
            help="Turn images upright as their EXIF orientation says; without it, keypoints are on the stored pixels.",
        ),
        option(
            "--max-pixels",
            group="Image",
            type=int,
            help="Refuse larger images.",
            note=f"at least 1; default: {DEFAULT_MAX_PIXELS}",
        ),
    ]
)
"""How images are read."""

depth_option = option(
    "--depth",
    group="Image",
    type=click.Choice(["full", "8"]),
    default="full",
    help="full: images of more than 8 bits keep their precision; 8: they are rounded to 8, as many programs do.",
    note="default: full",
)
"""``--depth``."""

_CONFIG = "siftcli.config"
"""Where a context keeps the name of its configuration file."""


def _configure(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Take the values of a configuration file as defaults."""
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
    type=click.Path(),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_configure,
    help="Take options from a TOML file: edge_threshold = 8. Options given here, and variables such as "
    "SIFT_EDGE_THRESHOLD, come before it; the preset comes after it.",
)
"""``--config``."""

batch_options = all_of(
    [
        option("-r", "--recursive", group="Batch", is_flag=True, help="Search the subfolders of folders too."),
        option(
            "--files-from",
            group="Batch",
            metavar="LIST",
            type=click.Path(),
            help="Read more inputs from a file, one a line; '-' is stdin.",
        ),
        option("-0", "--null", group="Batch", is_flag=True, help="Names in LIST are separated by NUL, not newline."),
        report_options("Batch", "Print a JSON object for each image on stdout.", "Say a line for each image."),
    ]
)
"""Which images, and what is told about them."""
