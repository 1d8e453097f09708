"""Running the blocks of a Markdown page as a reader would: in order, in one folder that has the sample images.

A fenced block of the language ``sh`` or ``python`` is run. HTML comments before it, which readers do not see, say more:

=============================  =========================================================================================
``<!-- setup: commands -->``   Shell commands that are run before, such as to make a file that the page uses.
``<!-- needs: a b -->``        Modules, programs, or commands (``sift:name``), without which the block is left out.
``<!-- not run: reason -->``   The block is never run here.
``<!-- status: 1 -->``         The exit status that is right; 0 without it.
``<!-- output -->``            Before a ``text`` block: it is what the block before has printed. Numbers may differ by
                               2 %, whole ones by 3, times at will: processors round differently.
``<!-- run -->``               In the README: the line that `tests/cli/test_readme.py` follows.
``<!-- test -->``              In the README: the line that `.ci/run` follows.
``<!-- gallery -->``           The command of a picture that `tests/unit/test_draw_gallery.py` makes.
=============================  =========================================================================================
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli_tools import SIFT

from siftcli.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = {"sh", "python", "pycon"}
SHOWN = {"", "text", "json", "csv", "yaml", "toml", "bibtex", "c", "matlab"}
"""Languages of blocks that are run, and of those that are only shown."""

_MARKS = ("setup", "needs", "not run", "status", "output", "run", "test", "gallery")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
_TIME = re.compile(r"\d[\d.,]* (s|ms|images/s)\b")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes
    ----------
    language, code : str
        What it is.
    line : int
        Where it begins.
    marks : dict of str to str
        The comments before it.
    """

    language: str
    code: str
    line: int
    marks: dict[str, str]

    def missing(self) -> list[str]:
        """What it needs and is not here."""
        names = self.marks.get("needs", "").split()
        return [name for name in names if not _is_here(name)]


def _is_here(name: str) -> bool:
    if name.startswith("sift:"):
        return name.removeprefix("sift:") in COMMANDS
    return importlib.util.find_spec(name) is not None or shutil.which(name) is not None


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    found: list[Block] = []
    marks: dict[str, str] = {}
    position = 0
    lines = text.split("\n")
    while position < len(lines):
        line = lines[position]
        if line.startswith("<!--"):
            end = next(i for i in range(position, len(lines)) if lines[i].rstrip().endswith("-->"))
            comment = "\n".join(lines[position : end + 1]).strip()[4:-3].strip()
            name, _, value = comment.partition(":")
            if name.strip() in _MARKS:
                marks[name.strip()] = value.strip()
            position = end
        elif opened := re.match(r"( *)```+(\w*)", line):
            close = next(i for i in range(position + 1, len(lines)) if lines[i].strip() == "```")
            body = [part[len(opened[1]) :] for part in lines[position + 1 : close]]
            found.append(Block(opened[2], "\n".join(body) + "\n", position + 1, marks))
            marks, position = {}, close
        elif line.strip():
            marks = {}
        position += 1
    return found


class Reader:
    """Somebody who follows a page in a folder of their own.

    Parameters
    ----------
    folder : path
        Empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        shutil.copytree(ROOT / "sample_images", self.folder / "sample_images")
        programs = folder / "bin"
        programs.mkdir()
        for name, command in (("sift", " ".join(SIFT)), ("python", SIFT[0]), ("python3", SIFT[0])):
            path = programs / name
            path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            path.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "100"}
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def run(self, block: Block) -> str:
        """Run a block; return what it printed."""
        if "setup" in block.marks:
            self._shell(block.marks["setup"], 0)
        if block.language == "sh":
            return self._shell(block.code, int(block.marks.get("status", "0")))
        with _current(self.folder):
            return self._doctest(block) if block.language == "pycon" else self._python(block.code)

    def _shell(self, code: str, status: int) -> str:
        result = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", code],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
        )
        printed = result.stdout.decode(errors="replace")
        assert result.returncode == status, f"{code}\nended with {result.returncode}, not {status}:\n{printed}"
        assert "Traceback" not in printed, printed
        return printed

    def _python(self, code: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "<block>", "exec"), self.names)
        return printed.getvalue()

    def _doctest(self, block: Block) -> str:
        test = doctest.DocTestParser().get_doctest(block.code, dict(self.names), "block", None, block.line)
        report = io.StringIO()
        failed = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=report.write).failed
        assert not failed, report.getvalue()
        return ""


@contextlib.contextmanager
def _current(folder: Path) -> Iterator[None]:
    """Make a folder the current one (contextlib has this from Python 3.11 on)."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def same_output(printed: str, shown: str) -> bool:
    """Whether a page shows what was printed, but for times, and numbers 2 % or a little away."""
    printed, shown = (_TIME.sub(r"TIME \1", text).strip() for text in (printed, shown))
    words = [" ".join(_NUMBER.sub("#", text).split()) for text in (printed, shown)]
    if words[0] != words[1]:
        return False
    ours, theirs = (_NUMBER.findall(text) for text in (printed, shown))
    return all(_near(a, b) for a, b in zip(ours, theirs, strict=True))


def _near(a: str, b: str) -> bool:
    x, y = (float(text.replace(",", "")) for text in (a, b))
    if "e" in b:
        smallest = 0.0
    elif "." in b:
        smallest = 1.01 * 10.0 ** -len(b.partition(".")[2])
    else:
        smallest = 3.0
    return abs(x - y) <= max(0.02 * abs(y), smallest)
