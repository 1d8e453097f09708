"""Settings as fields of dataclasses: default, range, unit and help of each in one place.

The classes of :mod:`siftcli.params` and of the styles of pictures are made of these fields.  The command line builds
its options from them, and the documentation its tables.
"""

from __future__ import annotations

import math
from dataclasses import Field, field, fields
from typing import Any

from .errors import ParameterError

__all__ = ["check", "range_note", "setting"]


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
    kind: type | None = None,
    parts: tuple[str, ...] = (),
) -> Any:
    """Return a dataclass field with its range, unit and help.

    Parameters
    ----------
    default : bool, int, float, str or None
        None means that the setting is not used.
    help : str
        One or two sentences, as the command line shows them.
    unit : str
        Unit of a number, such as "px".
    low, high, above : float, optional
        Range of a number: `low` and `high` inclusive, `above` exclusive.
    choices : tuple of str
        The values that a word may have.
    words : tuple of str
        Values that a shell completes, of a setting that takes other words too.
    kind : type, optional
        bool, int, float or str; by default the type of `default`.
    parts : tuple of str
        Names of the numbers, if the setting is several numbers, such as ("x", "y", "w", "h"); behind "...", as many as
        are given.
    """
    metadata = {"help": help, "unit": unit, "low": low, "high": high, "above": above, "choices": choices}
    return field(default=default, metadata={**metadata, "words": words, "kind": kind or type(default), "parts": parts})


def check(settings: Any) -> None:
    """Raise ParameterError for the first field of a dataclass instance that is outside its range."""
    for f in fields(settings):
        value, parts, kind = getattr(settings, f.name), f.metadata["parts"], f.metadata["kind"]
        if value is None and f.default is None:
            continue
        if f.metadata["choices"]:
            if value not in f.metadata["choices"]:
                raise ParameterError(f.name, f"must be one of {', '.join(f.metadata['choices'])}, not {value!r}")
        elif kind is bool:
            if not isinstance(value, bool):
                raise ParameterError(f.name, f"must be true or false, not {value!r}")
        elif parts:
            any_number = parts[-1] == "..."
            if not isinstance(value, (tuple, list)) or (not value if any_number else len(value) != len(parts)):
                count = "one number or more" if any_number else f"{len(parts)} numbers"
                given = ",".join(map(str, value)) if isinstance(value, (tuple, list)) else repr(value)
                raise ParameterError(f.name, f"must be {count}, {','.join(parts)}, not {given or 'none'}")
            for part in value:
                _check_number(f, part)
        elif kind in (int, float):
            _check_number(f, value)


def _check_number(f: Field[Any], value: Any) -> None:
    """Raise ParameterError for a value that is not a finite number within the range of a field."""
    whole = f.metadata["kind"] is int
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ParameterError(f.name, f"must be a {'whole ' if whole else ''}number, not {value!r}")
    if isinstance(value, int) and abs(value) >= 2**63:  # which no float may be able to hold
        raise ParameterError(f.name, "must be a number of at most 64 bits")
    if not math.isfinite(value):
        raise ParameterError(f.name, f"must be finite, not {value}")
    low, high, above = (f.metadata[key] for key in ("low", "high", "above"))
    if low is not None and value < low:
        raise ParameterError(f.name, f"must be at least {low}, not {value}")
    if above is not None and value <= above:
        raise ParameterError(f.name, f"must be greater than {above}, not {value}")
    if high is not None and value > high:
        raise ParameterError(f.name, f"must be at most {high}, not {value}")


def range_note(f: Field[Any]) -> str:
    """Return unit, range and default of a field as the help shows them, such as "px; at least 0; default: 1.6"."""
    low, above, high = (f.metadata[key] for key in ("low", "above", "high"))
    start = f"at least {low}" if low is not None else f"above {above}" if above is not None else ""
    if low is not None and high is not None:
        limits = f"{low} to {high:g}"
    else:
        limits = ", ".join(part for part in (start, "" if high is None else f"at most {high:g}") if part)
    default = {True: "on", False: "off"}[f.default] if isinstance(f.default, bool) else f.default
    if isinstance(default, tuple):
        default = ",".join(f"{part:g}" for part in default)
    parts = (f.metadata["unit"], limits, "" if default is None else f"default: {default}")
    return "; ".join(part for part in parts if part)
