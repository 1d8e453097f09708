"""The reference of the Python interface, from the docstrings (Numpydoc)."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import siftcli

__all__ = ["page"]

_GROUPS = {
    "Features": ("detect", "describe", "match"),
    "Evaluation": ("evaluate", "agreement", "Evaluation", "Agreement"),
    "Images": ("read_image",),
    "Files": (
        "read_features",
        "write_features",
        "collection_reader",
        "collection_writer",
        "read_key",
        "encode_key",
        "read_matches",
        "write_matches",
    ),
    "Data": ("Features", "Matches"),
    "Parameters": ("DetectorParams", "DescriptorParams", "MatchParams"),
    "Errors": ("SiftError", "ParameterError", "ImageError", "FormatError", "OutputError"),
}
"""The order of the page; public names that are not listed come last."""

_HEAD = """\
# Python

<!-- Generated from the docstrings by `python -m docs.tools.generate`; a test compares the two. -->

`import siftcli` gives the names below and imports nothing heavy: each name is imported when it is first used. Arrays
follow the [conventions](conventions.md); parameters are those of the [command line](cli.md), with underscores.
"""

_LISTS = ("Parameters", "Returns", "Raises", "Attributes", "Yields")
"""Sections of a docstring that are lists of terms."""


def _plain(text: str) -> str:
    """Escape what Markdown or HTML would take for something else; words between asterisks stay emphasised."""
    return re.sub(r"(\*\w[^*]*\*)|[|<*]|(?<!\w)_|_(?!\w)", lambda found: found[1] or "\\" + found[0], text)


def _inline(text: str) -> str:
    """Turn the reStructuredText of a docstring's line into Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    # Outside of code, what Markdown or HTML would take for something else.
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(p if p.startswith("`") else _plain(p) for p in parts)


def _joined(lines: list[str]) -> str:
    """Paragraphs of a text, each one line."""
    text = "\n".join(lines).strip()
    return "\n\n".join(_inline(" ".join(part.split())) for part in re.split(r"\n\s*\n", text) if part.strip())


def _sections(doc: str) -> dict[str, list[str]]:
    """The sections of a docstring by title; what comes first has the empty one."""
    found: dict[str, list[str]] = {"": []}
    title = ""
    lines = doc.splitlines()
    for i, line in enumerate(lines):
        below = lines[i + 1] if i + 1 < len(lines) else ""
        if line and re.fullmatch(r"-{3,}", below) and len(below) == len(line):
            title = line
            found[title] = []
        elif not re.fullmatch(r"-{3,}", line):
            found[title].append(line)
    return found


def _terms(lines: list[str]) -> str:
    """A list of terms and their meaning as a Markdown list."""
    items: list[tuple[str, list[str]]] = []
    rest: list[str] = []
    for line in lines:
        if line and not line.startswith(" "):
            after = items and items[-1][1] and not items[-1][1][-1]
            if after and " : " not in line and " " in line and line.endswith("."):
                rest.append(line)  # a closing remark
            else:
                items.append((line, []))
        elif rest:
            rest.append(line)
        elif items:
            items[-1][1].append(line)
    rows = []
    for term, meaning in items:
        name, colon, kind = term.partition(" : ")
        told = _joined(meaning).replace("\n\n", " ")
        head = f"`{name}`" + (f" : {_inline(kind)}" if colon else "")
        rows.append(f"- {head}" + (f" – {told}" if told else ""))
    return "\n".join(rows) + ("\n\n" + _joined(rest) if rest else "")


def _documentation(doc: str) -> list[str]:
    parts = []
    for title, lines in _sections(doc).items():
        if not title:
            parts.append(_joined(lines))
        elif title == "Examples":
            parts.append("**Examples**\n\n```pycon\n" + "\n".join(lines).strip() + "\n```")
        elif title in _LISTS:
            parts.append(f"**{title}**\n\n{_terms(lines)}")
        else:
            parts.append(f"**{title}**\n\n{_joined(lines)}")
    return [part for part in parts if part]


def _default(value: Any) -> str:
    return "" if value is dataclasses.MISSING else "none" if value is None else str(value)


def _fields(kind: Any) -> str:
    """The table of a class of parameters."""
    rows = ["| name | default | unit | meaning |", "| --- | --- | --- | --- |"]
    for f in dataclasses.fields(kind):
        rows.append(f"| `{f.name}` | {_default(f.default)} | {f.metadata['unit']} | {_plain(f.metadata['help'])} |")
    return "\n".join(rows)


def _signature(name: str, value: Any, module: str = "siftcli") -> str:
    """The call, without types: those are told below it."""
    kinds = inspect.Parameter
    parts, star = [], False
    for parameter in inspect.signature(value).parameters.values():
        if parameter.kind is kinds.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        parts.append(str(parameter.replace(annotation=kinds.empty)))
    line = f"{module}.{name}({', '.join(parts)})"
    return line if len(line) <= 100 else f"{module}.{name}(\n" + "".join(f"    {part},\n" for part in parts) + ")"


def _methods(value: Any) -> list[str]:
    """Public methods and properties that the class itself defines."""
    parts = []
    for name, member in vars(value).items():
        function = member.fget if isinstance(member, property) else member
        if name.startswith("_") or not inspect.isfunction(function) or not function.__doc__:
            continue
        call = "" if isinstance(member, property) else "()"
        told = _documentation(inspect.cleandoc(function.__doc__))
        parts.append("\n\n".join([f"**`{value.__name__}.{name}{call}`**", *told]))
    return parts


def _entry(name: str) -> str:
    value = getattr(siftcli, name)
    doc = inspect.cleandoc(value.__doc__ or "")
    parts = [f"### {name}"]
    is_class = inspect.isclass(value)
    has_fields = dataclasses.is_dataclass(value) and all("help" in f.metadata for f in dataclasses.fields(value))
    if not is_class or (dataclasses.is_dataclass(value) and not has_fields):
        parts.append(f"```text\n{_signature(name, value)}\n```")
    elif issubclass(value, Exception):
        bases = ", ".join(f"`{base.__name__}`" for base in value.__bases__ if not base.__name__.startswith("_"))
        parts.append(f"An exception; also a {bases}." if bases and name != "SiftError" else "An exception.")
    parts += _documentation(doc)
    if has_fields:
        parts.append(_fields(value))
    if is_class and not issubclass(value, Exception):
        parts += _methods(value)
    return "\n\n".join(parts)


def page() -> str:
    """Return the page."""
    listed = {name for names in _GROUPS.values() for name in names}
    rest = tuple(name for name in siftcli.__all__ if name not in listed)
    groups = {**_GROUPS, **({"More": rest} if rest else {})}
    parts = [_HEAD]
    for title, names in groups.items():
        parts.append(f"## {title}\n")
        parts += [_entry(name) + "\n" for name in names if name in siftcli.__all__]
    return "\n".join(parts)
