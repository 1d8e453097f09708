"""What the tests of batches share: folders of images, whole and broken, and the outputs in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import numpy as np
from cli_tools import SIFT, blobs
from PIL import Image

__all__ = ["children", "fill", "make_bad", "make_odd", "outputs", "start"]


def fill(folder: Path, count: int, seed: int = 0, size: tuple[int, int] = (60, 90), first: int = 0) -> list[str]:
    """Make so many different images with keypoints, with names that are numbers from `first`; return the names."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    names = [f"{i:04}.png" for i in range(first, first + count)]
    for name in names:
        pixels = blobs(*size) + noise.normal(0, 12, size)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name, compress_level=1)
    return names


def make_odd(folder: Path) -> set[str]:
    """Make good images of unusual kinds and names; return their names."""
    grey = Image.fromarray(blobs())
    wide = (blobs().astype(np.uint16) * 257).view(np.uint16)
    Image.new("L", (1, 1), 9).save(folder / "dot.png")
    Image.new("L", (1, 5000), 9).save(folder / "line.png")
    Image.fromarray(wide).save(folder / "deep.png")
    Image.merge("CMYK", [grey] * 4).save(folder / "print.jpg")
    frames = [grey, grey.transpose(Image.Transpose.ROTATE_180)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    names = {"dot.png", "line.png", "deep.png", "print.jpg", "moving.gif"}
    for name in ("new\nline.png", "überall 🗻.png", " space .png", "-dash.png", os.fsdecode(b"not utf-8 \xff.png")):
        grey.save(folder / name)
        names.add(name)
    return names


def make_bad(folder: Path) -> dict[str, str]:
    """Make what cannot be read; return the names with a word of the reason."""
    whole = folder / "whole.jpg"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (99, 99), np.uint8)).save(whole)
    (folder / "cut.jpg").write_bytes(whole.read_bytes()[:3000])
    whole.unlink()
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("hello\n")
    (folder / "dangling.png").symlink_to("nowhere.png")
    (folder / "loop.png").symlink_to("loop.png")
    bad = {"cut.jpg": "truncated", "empty.png": "empty", "text.jpg": "not an image"}
    bad |= {"dangling.png": "no such file", "loop.png": "loop"}
    if os.geteuid():  # root may read anything
        Image.fromarray(blobs()).save(folder / "secret.png")
        (folder / "secret.png").chmod(0)
        bad["secret.png"] = "permission"
    return bad


def outputs(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder but hidden ones, with their contents."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def start(*args: str, stdout: int | None = None) -> subprocess.Popen[bytes]:
    """Start ``sift`` so that Ctrl-C reaches it, even where the tests themselves run in the background."""
    return subprocess.Popen(
        [*SIFT, *args],
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that live."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
