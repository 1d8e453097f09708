"""Completion in the shells.  Oracle: the shells themselves, asked what they would offer after the documented line."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from cli_tools import SIFT, command_of
from doc_tools import ROOT

from siftcli.cli.main import COMMANDS
from siftcli.draw.style import KeypointStyle, MatchStyle

PAGE = (ROOT / "docs" / "index.md").read_text()

ASK = {
    "bash": """\
{line}
COMP_WORDS=(sift {words}); COMP_CWORD={last}
"$(complete -p sift | sed 's/.*-F \\([^ ]*\\) .*/\\1/')" sift
printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "zsh": """\
autoload -Uz compinit && compinit -u -d .zcompdump
{line}
whence -f _sift_completion > /dev/null || exit 9
COMP_WORDS="sift {words}" COMP_CWORD={last} _SIFT_COMPLETE=zsh_complete sift
""",
    "fish": """\
{line}
complete -C 'sift {words}'
""",
}
"""For each shell, how it is asked about the words so far. Zsh completes in its line editor only: what is asked there is
the program that its function asks."""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the command ``sift``."""
    path = tmp_path / "bin" / "sift"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {" ".join(SIFT)} "$@"\n')
    path.chmod(0o755)
    return path.parent


def documented(shell: str) -> str:
    """The line of the documentation."""
    lines = [line.strip() for line in PAGE.splitlines() if f"_SIFT_COMPLETE={shell}_source" in line]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("words", "offered", "not_offered"),
    [
        (("de",), "detect", "match"),
        (("detect", "--edge"), "--edge-threshold", "--octaves"),
        (("detect", "--preset", "lo"), "lowe", "vlfeat"),
        (("detect", "--format", "lo"), "lowe-gz", "hdf5"),
        (("match", "--format", "col"), "colmap-db", "npz"),
    ],
)
def test_what_is_offered(
    shell: str, words: tuple[str, ...], offered: str, not_offered: str, programs: Path, tmp_path: Path
) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} here")
    script = ASK[shell].format(line=documented(shell), words=" ".join(words), last=len(words))
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    result = subprocess.run(
        [program, *(["-f"] if shell == "zsh" else []), "-c", script],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, **home, "PATH": f"{programs}:{os.environ['PATH']}"},
    )
    assert result.returncode == 0, result.stderr
    found = result.stdout.decode().split()
    assert offered in found
    assert not_offered not in found


@pytest.mark.parametrize("name", COMMANDS)
def test_what_takes_a_file_completes_files(name: str) -> None:
    """Click offers files where the type is a path: of an option that is one by its name."""
    command = command_of(name)
    for param in command.params:
        if param.metavar in {"OUT", "DIR", "FILE", "LIST", "FRAMES", "MASK"}:
            assert isinstance(param.type, click.Path), param.opts


@pytest.mark.parametrize("name", COMMANDS)
def test_what_takes_a_name_completes_names(name: str) -> None:
    command = command_of(name)
    for param in command.params:
        if param.metavar == "NAME":
            offered = [item.value for item in param.shell_complete(click.Context(command), "")]
            assert {"html", "lowe", "npz"} & set(offered), param.opts


@pytest.mark.parametrize("option", ["color", "line_color", "outlier_color"])
def test_colours_complete(option: str) -> None:
    command = command_of("draw")
    (param,) = (param for param in command.params if param.name == option)
    offered = [item.value for item in param.shell_complete(click.Context(command), "")]
    assert {"red", "yellow"} < set(offered)
    for value in offered:
        (KeypointStyle if option == "color" else MatchStyle)(**{option: value})  # does not refuse it
    assert [item.value for item in param.shell_complete(click.Context(command), "yel")] == ["yellow"]


def test_starting_a_completion_does_not_import_numpy(programs: Path) -> None:
    environment = {**os.environ, "_SIFT_COMPLETE": "bash_complete", "COMP_WORDS": "sift de", "COMP_CWORD": "1"}
    code = (
        "import sys\nfrom siftcli.__main__ import main\n"
        "try: main()\nexcept SystemExit: print('numpy' in sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([SIFT[0], "-c", code], capture_output=True, env=environment)
    assert result.stdout.split() == [b"plain,detect", b"plain,describe"]
    assert result.stderr.split() == [b"False"]
