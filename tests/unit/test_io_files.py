"""Outputs are complete or absent.  Oracle: the folder's listing before and after."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from siftcli.errors import OutputError
from siftcli.io import output
from siftcli.io.output import atomic_file, atomic_path, atomic_write


def write_and_raise(path: Path, error: BaseException, overwrite: bool = False) -> None:
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(b"half")
        raise error


def write_while_somebody_else_does(path: Path) -> None:
    with atomic_file(path) as file:
        file.write(b"mine")
        path.write_bytes(b"theirs")


def test_the_whole_file_appears_and_nothing_else(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a b.key", b"data")
    assert [p.name for p in tmp_path.iterdir()] == ["a b.key"]
    assert (tmp_path / "a b.key").read_bytes() == b"data"


def test_the_final_name_is_free_until_the_end(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "x") as file:
        file.write(b"1")
        file.flush()
        assert not (tmp_path / "x").exists()
        assert len(list(tmp_path.iterdir())) == 1
    assert (tmp_path / "x").read_bytes() == b"1"


def test_a_writer_that_needs_a_path(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "x.h5") as temporary:
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"h5")
    assert [p.name for p in tmp_path.iterdir()] == ["x.h5"]
    assert (tmp_path / "x.h5").read_bytes() == b"h5"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_failure_leaves_no_trace(tmp_path: Path, error: type[BaseException], overwrite: bool) -> None:
    if overwrite:
        (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(error):
        write_and_raise(tmp_path / "x", error(), overwrite)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == ([("x", b"old")] if overwrite else [])


def test_an_existing_file_is_kept_unless_told(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="--overwrite") as caught:
        atomic_write(target, b"new")
    assert str(caught.value).startswith(f"{target}: ")
    assert target.read_bytes() == b"old"
    atomic_write(target, b"new", overwrite=True)
    assert target.read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 1


def test_nothing_is_computed_for_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    ran = False
    with pytest.raises(OutputError), atomic_file(tmp_path / "x"):
        ran = True
    assert not ran


@pytest.mark.parametrize("links", [True, False])
def test_a_file_made_in_the_meantime_is_kept(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not links:

        def no_link(*_: object) -> None:
            raise PermissionError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(output.os, "link", no_link)
    with pytest.raises(OutputError, match="--overwrite"):
        write_while_somebody_else_does(tmp_path / "x")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", b"theirs")]


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(output.os, "link", no_link)
    atomic_write(tmp_path / "x", b"1")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x", b"1")]


def test_permissions_are_those_of_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    atomic_write(tmp_path / "x", b"")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "x")
    atomic_write(tmp_path / "link", b"new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "x").read_bytes() == b"new"
    assert len(list((tmp_path / "real").iterdir())) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_device_or_a_pipe_is_written_to_not_replaced(tmp_path: Path) -> None:
    atomic_write(os.devnull, b"gone")
    assert not Path(os.devnull).is_file()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        atomic_write(pipe, b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/x", "folder does not exist"),
        ("file/x", "not a folder"),
        (".", "is a folder"),
        ("x" * 300, "too long"),
    ],
)
def test_where_nothing_can_be_written(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=words) as caught:
        atomic_write(tmp_path / name, b"")
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_failures_while_writing(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(OutputError, match=words):
        write_and_raise(tmp_path / "x", OSError(number, os.strerror(number)))
    assert list(tmp_path.iterdir()) == []
