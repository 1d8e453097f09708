"""The examples of the help run, and the options that pages name exist.  Oracle: the command itself."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from cli_tools import command_of
from doc_tools import PAGES, ROOT, Block, Reader

from siftcli.cli.main import COMMANDS, cli

GENERATED = {"cli.md", "api.md"}
ABOUT_THE_CODE = {"accuracy.md", "design.md", "performance.md"}
"""Pages that name options of other programs and names that stand for any."""

HERE = re.compile(r"`sift (?P<command>[a-z]+)[^`]*`")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
OTHERS = {
    "--read-frames",
    "--peak-thresh",
    "--edge-thresh",
    "--levels",
    "--magnif",
    "--orientations",
    "--frames",
    "--gss",
    "--scheduler-file",
}
"""Options of VLFeat's command, which docs/coming-from.md translates, and of Dask's."""


def examples(name: str) -> list[str]:
    """The example of a command's help, and the commands in its text, from their name to the end of the paragraph."""
    text = command_of(name).help or ""
    inside = re.findall(r": (sift [a-z]+ .+)$", text.replace("\n", " ").replace("  ", "\n"), re.M)
    return [command_of(name).example, *inside]


def prepare(reader: Reader) -> None:
    """Make files of the names that the help uses, from sample images."""
    samples, run = reader.folder / "sample_images", reader.run
    for name, source in (
        ("photo.jpg", "coffee.jpg"),
        ("left.jpg", "pair_astronaut_a.jpg"),
        ("right.jpg", "pair_astronaut_b.jpg"),
        ("query.jpg", "pair_astronaut_b.jpg"),
        ("photos/a.jpg", "pair_astronaut_a.jpg"),
        ("photos/b.jpg", "pair_astronaut_b.jpg"),
    ):
        target = reader.folder / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(samples / source, target)
    lines = (
        "python -c \"from PIL import Image; Image.open('photo.jpg').convert('L').save('in.pgm')\"",
        "sift detect photo.jpg",
        "sift detect photo.jpg -o photo.h5",
        "sift detect photos -o features.h5",
        "sift detect photos -o keys/",
        "for k in 1 2; do sift detect photos -o shard-$k.h5 --shard $k/2; done",
        "printf 'x,y,sigma\\n100,120,4\\n' > frames.csv",
        "sift detect photos/a.jpg -o a.db",
        "sift detect photos/b.jpg -o b.db",
        "sift detect photos -o scene.db",
        "sift match scene.db --exhaustive -o scene.db",
    )
    run(Block("sh", "\n".join(lines), 1, {}))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    found = Reader(tmp_path_factory.mktemp("help"))
    prepare(found)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_the_help_run(name: str, reader: Reader) -> None:
    for line in examples(name):
        assert shlex.split(line)[:2] == ["sift", name]
        again = "" if ">" in line or "--overwrite" not in flags(name) or "-o -" in line else " --overwrite"
        if "--verify" in line and Block("sh", "", 1, {"needs": "poselib"}).missing():
            continue
        reader.run(Block("sh", line + again, 1, {}))


def test_the_examples_of_the_help_are_found() -> None:
    assert "sift detect - < in.pgm > out.key" in examples("detect")
    assert examples("match")[1:] == [
        "sift match photos/ -o scene.db",
        "sift match features.h5 --exhaustive -o matches.h5",
        "sift match query.jpg features.h5 --rank",
    ]


def test_the_example_of_the_overview_runs(reader: Reader) -> None:
    (line,) = re.findall(r"Example: (sift detect .*)", cli.help or "")
    reader.run(Block("sh", f"{line} --overwrite", 1, {}))


def flags(name: str) -> set[str]:
    options = [param for param in command_of(name).params if isinstance(param, click.Option)]
    return {flag for option in options for flag in [*option.opts, *option.secondary_opts]} | {"--help"}


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name not in GENERATED | ABOUT_THE_CODE], ids=lambda page: page.name
)
def test_a_page_names_options_that_exist(page: Path) -> None:
    """An option in a line that begins with ``sift NAME`` is one of that command; in a code span, of any command."""
    text = page.read_text()
    anywhere = set().union(*(flags(name) for name in COMMANDS)) | OTHERS | {"--strict", "--check", "--version"}
    for line in re.findall(r"^sift [a-z]+ .*$", text, re.M):
        name = line.split()[1]
        assert name in COMMANDS, line
        assert set(FLAG.findall(line)) <= flags(name), line
    for span in re.findall(r"`(--[a-z][^`]*)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        assert set(FLAG.findall(span)) <= anywhere, span
    for found in HERE.finditer(text):
        assert found["command"] in COMMANDS, found[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_misspelt_option_is_recognised(name: str, reader: Reader) -> None:
    """Of each command, its longest option with two letters swapped: the right one is among those suggested."""
    flag = max(flags(name), key=lambda f: (len(f), f))
    typo = flag[:4] + flag[5] + flag[4] + flag[6:]
    if typo == flag:
        typo = flag[:-1]
    said = reader.run(Block("sh", f"sift {name} {typo} x", 1, {"status": "2"}))
    assert "Did you mean" in said
    assert flag in said


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_begins_with_a_line_and_an_example(name: str, reader: Reader) -> None:
    lines = [
        line.strip() for line in reader.run(Block("sh", f"sift {name} --help", 1, {})).splitlines() if line.strip()
    ]
    assert lines[1] == COMMANDS[name]
    assert lines[2].startswith(f"Example: sift {name} ")


def test_the_root_of_the_documentation_is_here() -> None:
    assert (ROOT / "docs" / "index.md") in PAGES
