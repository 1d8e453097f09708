"""Which images a command line names.  Oracle: the files that the test has made."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from siftcli.batch.conversion.image_names import ImageFinder
from siftcli.batch.inputs import Input, Inputs, find_inputs, read_list
from siftcli.errors import PlanError


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of empty files, and the current folder at its top."""
    for name in (
        "b.jpg", "a.PNG", "notes.txt", ".hidden.png", "photo.key",
        "in/2.jpg", "in/10.jpg", "in/text.md", "in/.cache/x.jpg",
        "in/deep/3.tif", "in/deep/er/4.webp", "in/folder.jpg/5.jpg",
        "none/readme", "odd [1].jpg",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(inputs: Inputs) -> list[str]:
    return [os.fspath(Path(i.path)) for i in inputs.images]


def test_files_as_they_are_named() -> None:
    found = find_inputs(["notes.txt", "in/2.jpg", "no such.jpg"])
    assert found.images == (
        Input("notes.txt", "notes.txt"),
        Input("in/2.jpg", "2.jpg"),
        Input("no such.jpg", "no such.jpg"),
    )
    assert not found.single


def test_a_folder_is_its_images_by_name() -> None:
    assert paths(find_inputs(["."])) == ["a.PNG", "b.jpg", "odd [1].jpg"]
    assert paths(find_inputs(["in"])) == ["in/10.jpg", "in/2.jpg"]


def test_recursive_keeps_the_tree() -> None:
    found = find_inputs(["in"], recursive=True)
    assert [i.relative for i in found.images] == ["10.jpg", "2.jpg", "deep/3.tif", "deep/er/4.webp", "folder.jpg/5.jpg"]
    assert paths(found) == [f"in/{i.relative}" for i in found.images]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="NO PIPES: this system has no pipes with names")
def test_folders_give_regular_files_only(files: Path) -> None:
    os.mkfifo(files / "none" / "pipe.jpg")
    (files / "none" / "behind.jpg").symlink_to(files / "none" / "pipe.jpg")
    (files / "none" / "zero.png").symlink_to("/dev/zero")
    (files / "none" / "link.png").symlink_to(files / "b.jpg")
    (files / "none" / "broken.png").symlink_to(files / "nothing")
    assert paths(find_inputs(["none"])) == ["none/broken.png", "none/link.png"]
    assert ImageFinder("none").find("pipe") is None


@pytest.mark.parametrize(
    ("pattern", "relative"),
    [
        ("trip [2024]/*.jpg", "a.jpg"),
        ("trip [2024]/[ab].jpg", "a.jpg"),
        ("trip [2024]/**/*.png", "day [1]/b.png"),
        ("trip [2024]/day [1]/*", "b.png"),
    ],
)
def test_a_folder_that_exists_as_written_is_no_pattern(files: Path, pattern: str, relative: str) -> None:
    (files / "trip [2024]" / "day [1]").mkdir(parents=True)
    (files / "trip [2024]" / "a.jpg").touch()
    (files / "trip [2024]" / "day [1]" / "b.png").touch()
    assert [image.relative for image in find_inputs([pattern]).images] == [relative]


@pytest.mark.parametrize(
    ("pattern", "expected", "relative"),
    [
        ("*.jpg", ["b.jpg", "odd [1].jpg"], ["b.jpg", "odd [1].jpg"]),
        ("in/*.jpg", ["in/10.jpg", "in/2.jpg", "in/folder.jpg/5.jpg"], ["10.jpg", "2.jpg", "folder.jpg/5.jpg"]),
        ("in/**/*.tif", ["in/deep/3.tif"], ["deep/3.tif"]),
        ("i?/deep/*", ["in/deep/3.tif", "in/deep/er/4.webp"], ["in/deep/3.tif", "in/deep/er/4.webp"]),
        ("in/text.*", ["in/text.md"], ["text.md"]),
        ("odd [1].jpg", ["odd [1].jpg"], ["odd [1].jpg"]),
    ],
)
def test_patterns(pattern: str, expected: list[str], relative: list[str]) -> None:
    found = find_inputs([pattern])
    assert paths(found) == expected
    assert [i.relative for i in found.images] == relative


def test_a_pattern_with_a_full_path(files: Path) -> None:
    assert find_inputs([f"{files}/in/d*/3.tif"]).images == (Input(f"{files}/in/deep/3.tif", "deep/3.tif"),)


def test_a_file_counts_once(files: Path) -> None:
    assert paths(find_inputs(["b.jpg", ".", "./b.jpg", str(files / "b.jpg"), "*.jpg"])) == [
        "b.jpg",
        "a.PNG",
        "odd [1].jpg",
    ]


@pytest.mark.parametrize(
    ("arguments", "single"),
    [(["b.jpg"], True), (["-"], True), (["no such.jpg"], True), (["none/../b.jpg"], True), (["in/deep"], False),
     (["b.jp?"], False), (["b.jpg", "b.jpg"], False)],
)  # fmt: skip
def test_single(arguments: list[str], single: bool) -> None:
    assert find_inputs(arguments).single is single


def test_a_list_is_never_single_and_has_no_patterns() -> None:
    found = find_inputs([], ["*.jpg"])
    assert found.images == (Input("*.jpg", "*.jpg"),)
    assert not found.single
    assert not find_inputs(["b.jpg"], ["b.jpg"]).single


@pytest.mark.parametrize(
    ("listed", "relative"),
    [
        ("in/2.jpg", "in/2.jpg"),
        ("./in/2.jpg", "in/2.jpg"),
        ("/data/set/2.jpg", "data/set/2.jpg"),
        ("../set/2.jpg", "set/2.jpg"),
        ("in/../../2.jpg", "in/2.jpg"),
    ],
)
def test_the_place_of_a_listed_file_is_below_the_output_folder(listed: str, relative: str) -> None:
    assert find_inputs([], [listed]).images == (Input(listed, relative),)


def test_a_listed_folder() -> None:
    assert find_inputs([], ["in/deep"]).images == (Input("in/deep/3.tif", "in/deep/3.tif"),)


def test_links(files: Path) -> None:
    (files / "in" / "link.jpg").symlink_to("2.jpg")
    (files / "in" / "dangling.jpg").symlink_to("nowhere.jpg")
    (files / "in" / "loop.jpg").symlink_to("loop.jpg")
    (files / "in" / "up").symlink_to("..")
    (files / "in" / "up.jpg").symlink_to("..")
    (files / "linked").symlink_to("in")
    names = {Path(path).name for path in paths(find_inputs(["linked"], recursive=True))}
    assert names == {"2.jpg", "10.jpg", "3.tif", "4.webp", "5.jpg", "link.jpg", "dangling.jpg", "loop.jpg"}


def test_a_pipe_in_a_folder_is_left_out(files: Path) -> None:
    os.mkfifo(files / "in" / "pipe.jpg")
    assert "in/pipe.jpg" not in paths(find_inputs(["in"]))


def test_an_empty_folder_among_others_is_told() -> None:
    found = find_inputs(["none", "b.jpg"])
    assert paths(found) == ["b.jpg"]
    assert found.notes == ("none: no images in it; left out: 1 file (no suffix 1) of other kinds",)


@pytest.mark.parametrize(
    ("arguments", "listed", "message"),
    [
        ([], None, "no input: name at least one image, folder or pattern"),
        (["none"], None, r"none: no images in it; left out: 1 file \(no suffix 1\) of other kinds"),
        (["*.gif", "b.jpg"], None, r"\*.gif: matches no file"),
        (["-", "b.jpg"], None, "'-' .* must be the only input"),
        (["-"], ["b.jpg"], "'-' .* must be the only input"),
        ([""], None, "empty name"),
    ],
)
def test_refused(arguments: list[str], listed: Iterable[str] | None, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        find_inputs(arguments, listed)


def test_an_unreadable_folder(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: str) -> None:
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refuse)  # the tests may run as root, who may read everything
    with pytest.raises(PlanError, match="in: cannot be read: permission denied"):
        find_inputs(["in"])


# --- lists


@pytest.mark.parametrize(
    ("data", "null", "names"),
    [
        (b"a.jpg\nb c.jpg\n", False, ["a.jpg", "b c.jpg"]),
        (b"a.jpg\n\n b.jpg", False, ["a.jpg", " b.jpg"]),
        (b"a.jpg\r\nb.jpg\r\n", False, ["a.jpg", "b.jpg"]),
        (b"a\n.jpg\0b.jpg\r\0", True, ["a\n.jpg", "b.jpg\r"]),
        ("ü.jpg\n".encode() + b"\xff.jpg", False, ["ü.jpg", os.fsdecode(b"\xff.jpg")]),
    ],
)
def test_lists(data: bytes, null: bool, names: list[str]) -> None:
    assert read_list(data, null=null) == names


@pytest.mark.parametrize("data", [b"", b"\n\n", b"a\0b\0"])
def test_lists_that_are_refused(data: bytes) -> None:
    with pytest.raises(PlanError, match=r"LIST(:1)?: (names no files|has NUL bytes; .*use -0)"):
        read_list(data, name="LIST")


def test_a_list_that_is_not_there() -> None:
    with pytest.raises(PlanError, match=r"list\.txt: no such file"):
        read_list("list.txt")
