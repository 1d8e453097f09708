"""Generated pages are as the package says, and complete.

Oracles: the generators, Click's own list of options, and the formatters of manual pages.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import click
import numpy as np
import pytest
from cli_tools import command_of
from doc_tools import ROOT

import siftcli
from docs.tools import conventions_figure, generate
from siftcli.cli.main import COMMANDS
from siftcli.conventions import flip_bins, ipol_bins


def test_nothing_is_out_of_date() -> None:
    assert not generate.differing(), "write them again: python -m docs.tools.generate"


def test_what_is_out_of_date_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs" / "man").mkdir(parents=True)
    (tmp_path / "docs" / "man" / "sift-gone.1").touch()
    for name, text in generate.generated().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "docs" / "cli.md").write_text("changed")
    (tmp_path / "docs" / "man" / "sift.1").unlink()
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.differing() == ["docs/cli.md", "docs/man/sift-gone.1", "docs/man/sift.1"]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("page", ["docs/cli.md", "docs/man/sift-{name}.1"])
def test_every_option_is_in_the_reference_and_the_manual(name: str, page: str) -> None:
    text = (ROOT / page.format(name=name)).read_text()
    text = re.sub(r"\\f[BR]", "", text.replace("\\-", "-"))
    section = text if page.startswith("docs/man") else text.split(f"## sift {name}\n")[1].split("\n## ")[0]
    for param in command_of(name).params:
        if isinstance(param, click.Option):
            for flag in [*param.opts, *param.secondary_opts]:
                assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", section), flag


def test_every_public_name_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    assert set(re.findall(r"^### (\w+)$", text, re.M)) == set(siftcli.__all__)


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "man").glob("*.1")), ids=lambda page: page.name)
def test_the_manual_can_be_shown(page: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("there is no man here")
    environment = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
    result = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, env=environment)
    assert (result.returncode, result.stderr) == (0, b"")
    shown = re.sub(r".\x08", "", result.stdout.decode())
    words = " ".join(re.sub("\u2010\n *", "", shown).split())  # without hyphenation
    name = page.stem.removeprefix("sift-")
    assert (COMMANDS.get(name) or "SIFT features (Lowe 2004) from images.") in words


def test_the_figure_shows_the_layout_of_lowe_and_ipol() -> None:
    """Where the figure says that an element stands, the conversion puts it."""
    layouts = {program.title: conventions_figure.layout(program) for program in conventions_figure.PROGRAMS}
    for title, convert in (("Lowe .key, Bundler", flip_bins), ("IPOL", ipol_bins)):
        cells, bins = layouts[title]
        for y, x, k in ((0, 0, 1), (1, 3, 6), (3, 2, 7)):
            descriptor = np.zeros((1, 4, 4, 8))
            descriptor[0, y, x, k] = 1
            assert convert(descriptor.reshape(1, 128))[0, 8 * cells[y, x] + bins[k]] == 1
