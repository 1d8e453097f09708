"""Masks, selection and pixel policies of ``sift detect``, as files and exit statuses.

Oracles: the features without a mask, and the mask itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from cli_tools import SIFT, Sift, blobs
from PIL import Image

import siftcli
from siftcli import Features


def lines(stderr: bytes) -> list[str]:
    """The lines of stderr."""
    return stderr.decode().splitlines()


def left_half() -> npt.NDArray[np.uint8]:
    """A mask of the left half of the picture."""
    mask = np.zeros((60, 90), np.uint8)
    mask[:, :45] = 1
    return mask


@pytest.fixture
def everything(photo: Path) -> Features:
    """All keypoints of the picture; some on either side."""
    found = siftcli.detect(siftcli.read_image(photo).pixels)
    assert 0 < (found.xy[:, 0] < 44.5).sum() < len(found)
    return found


def only(found: Features, left: bool = True) -> Features:
    """Those on one side."""
    return found.take((np.rint(found.xy[:, 0]) < 45) == left)


def same(path: str, expected: Features) -> bool:
    """Whether a file holds just these."""
    found = siftcli.read_features(path)
    return np.array_equal(found.xy, expected.xy) and np.array_equal(found.scales, expected.scales)


@pytest.mark.parametrize("kind", ["grey", "one", "palette", "colour", "16 bits", "transparent"])
def test_a_mask_of_any_kind(sift: Sift, photo: Path, everything: Features, kind: str) -> None:
    """Closed form: what is not zero is kept, whatever its value or colour."""
    mask = left_half()
    pictures = {
        "grey": Image.fromarray(mask * 255),
        "one": Image.fromarray(mask),
        "palette": Image.fromarray(mask),
        "colour": Image.fromarray(np.stack([0 * mask, 0 * mask, 200 * mask], axis=-1)),
        "16 bits": Image.fromarray(mask.astype(np.uint16)),
        "transparent": Image.fromarray(np.stack([255 + 0 * mask] * 3 + [255 * mask], axis=-1).astype(np.uint8)),
    }
    picture = pictures[kind]
    if kind == "palette":
        picture = picture.convert("P")
        picture.putpalette([0, 0, 0, 128, 0, 0])
    picture.save("mask.png")
    result = sift("detect", "photo.png", "-q", "-o", "out.npz", "--mask", "mask.png")
    assert (result.returncode, result.stderr) == (0, b"")
    assert same("out.npz", only(everything))


@pytest.mark.parametrize("name", ["photo.png.png", "photo.png"])
def test_a_folder_of_masks(sift: Sift, photo: Path, everything: Features, name: str) -> None:
    """Closed form: by either name, in the tree of the inputs; the longer name comes first."""
    for folder in ("in/deep", "masks/deep"):
        Path(folder).mkdir(parents=True)
    shutil.copy(photo, "in/deep/photo.png")
    Image.fromarray(left_half()).save(f"masks/deep/{name}")
    assert sift("detect", "in", "-r", "-o", "a/", "--format", "npz", "--mask", "masks").returncode == 0
    assert same("a/deep/photo.npz", only(everything))
    Image.fromarray(1 - left_half()).save("masks/deep/photo.png.png")
    assert sift("detect", "in", "-r", "-o", "b/", "--format", "npz", "--mask", "masks").returncode == 0
    assert same("b/deep/photo.npz", only(everything, left=False))


def test_what_is_wrong_with_a_mask_costs_its_image_only(sift: Sift, photo: Path) -> None:
    """Closed form: missing, of another size, no image; each is named, the others are done."""
    for folder in ("in", "masks"):
        Path(folder).mkdir()
    for name in ("good", "missing", "small", "text"):
        shutil.copy(photo, f"in/{name}.png")
    Image.fromarray(left_half()).save("masks/good.png")
    Image.fromarray(left_half()[:30]).save("masks/small.png")
    Path("masks/text.png").write_text("no mask")
    result = sift("detect", "in", "-o", "out/", "--mask", "masks", "--json")
    assert result.returncode == 1
    errors = {Path(r["path"]).stem: r["error"] for r in map(json.loads, result.stdout.splitlines())}
    assert errors["good"] is None
    assert errors["missing"] == (
        "in/missing.png: has no mask: there is neither masks/missing.png.png nor masks/missing.png"
    )
    assert errors["small"] == (
        "masks/small.png: is a mask of 90 x 30 pixels for an image of 90 x 60; make it of the image's size"
    )
    assert errors["text"].startswith("masks/text.png: is not an image")
    assert [p.name for p in Path("out").glob("*.key")] == ["good.key"]


def test_no_mask_at_all(sift: Sift, photo: Path) -> None:
    """Closed form: refused before any work; a folder needs names."""
    result = sift("detect", "photo.png", "--mask", "none")
    assert (result.returncode, lines(result.stderr)) == (
        2,
        ["sift: error: --mask none: no such file or folder; check the path"],
    )
    Path("masks").mkdir()
    result = sift("detect", "-", "--mask", "masks", stdin=photo.read_bytes())
    assert result.returncode == 2
    assert "standard input has no name" in lines(result.stderr)[0]


def test_a_mask_for_stdin(sift: Sift, photo: Path, everything: Features) -> None:
    """Invariance: as for a file."""
    Image.fromarray(left_half()).save("mask.png")
    result = sift("detect", "-", "--format", "csv", "--mask", "mask.png", stdin=photo.read_bytes())
    Path("out.csv").write_bytes(result.stdout)
    assert same("out.csv", only(everything))


def transparent() -> None:
    """Write the picture with its left half alone visible."""
    grey = blobs()
    Image.fromarray(np.stack([grey, grey, grey, 200 * left_half()], axis=-1)).save("clear.png")


def test_alpha(sift: Sift, everything: Features) -> None:
    """Closed form: transparent pixels are masked, unless they are not to be; and together with a mask."""
    transparent()
    assert sift("detect", "clear.png", "-o", "a.npz").returncode == 0
    assert same("a.npz", only(everything))
    assert sift("detect", "clear.png", "-o", "b.npz", "--alpha", "ignore").returncode == 0
    assert same("b.npz", everything)
    Image.fromarray(1 - left_half()).save("mask.png")
    assert sift("detect", "clear.png", "-o", "c.npz", "--mask", "mask.png").returncode == 0
    assert len(siftcli.read_features("c.npz")) == 0
    assert sift("detect", "clear.png", "-o", "d.npz", "--mask", "mask.png", "--alpha", "ignore").returncode == 0
    assert same("d.npz", only(everything, left=False))


def test_a_mask_and_exif_orientation(sift: Sift, photo: Path) -> None:
    """Closed form: the mask lies on the image as it is processed: stored, or upright."""
    image = Image.open(photo)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save("turned.png", exif=exif)
    Image.fromarray(left_half()).save("mask.png")
    assert sift("detect", "turned.png", "-o", "a.npz", "--mask", "mask.png").returncode == 0
    result = sift("detect", "turned.png", "-o", "b.npz", "--mask", "mask.png", "--exif-orientation")
    assert result.returncode == 1
    assert "90 x 60 pixels for an image of 60 x 90" in lines(result.stderr)[0]


def test_depth(sift: Sift) -> None:
    """Closed form: 16 bits are kept, or rounded to 8."""
    fine = (blobs().astype(np.uint16) << 8) + np.arange(90, dtype=np.uint16)[None] * 2
    Image.fromarray(fine).save("fine.png")
    for depth, image in (("full", fine), ("8", np.rint(fine / 65535 * 255).astype(np.uint8))):
        assert sift("detect", "fine.png", "-o", f"{depth}.npz", "--depth", depth).returncode == 0
        assert same(f"{depth}.npz", siftcli.detect(image))


def test_selection(sift: Sift, photo: Path, everything: Features) -> None:
    """Invariance: the same as in the library; after the mask."""
    Image.fromarray(left_half()).save("mask.png")
    args = ("--mask", "mask.png", "--max-keypoints", "2", "--keep", "largest", "--min-scale", "1.5")
    assert sift("detect", "photo.png", "-o", "out.h5", *args).returncode == 0
    expected = siftcli.detect(
        siftcli.read_image(photo).pixels, mask=left_half(), max_keypoints=2, keep="largest", min_scale=1.5
    )
    assert len(expected) == 2
    assert same("out.h5", expected)
    assert not same("out.h5", siftcli.detect(siftcli.read_image(photo).pixels, max_keypoints=2, keep="largest"))


def test_all_that_decides_is_in_the_file(sift: Sift, photo: Path) -> None:
    """Closed form: the attributes of HDF5 name what the command line gave."""
    Image.fromarray(left_half()).save("mask.png")
    args = ("--mask", "mask.png", "--region", "0,0,40,50", "--max-keypoints", "9", "--depth", "8", "--alpha", "ignore")
    assert sift("detect", "photo.png", "-o", "out.h5", *args).returncode == 0
    parameters = siftcli.read_features("out.h5").parameters
    assert parameters is not None
    given = {
        "mask": True,
        "region": "0,0,40,50",
        "max_keypoints": 9,
        "depth": "8",
        "alpha": "ignore",
        "min_scale": None,
    }
    assert given.items() <= dict(parameters).items()


def test_another_mask_is_another_input(sift: Sift, photo: Path) -> None:
    """Invariance: --resume does an image again if its mask has changed, and only then."""
    for folder in ("in", "masks"):
        Path(folder).mkdir()
    for name in ("a", "b"):
        shutil.copy(photo, f"in/{name}.png")
        Image.fromarray(left_half()).save(f"masks/{name}.png")
    args = ("detect", "in", "-o", "out/", "--mask", "masks", "--resume", "--json")
    assert sift(*args).returncode == 0

    def states() -> dict[str, str]:
        result = sift(*args)
        assert result.returncode == 0
        return {Path(r["path"]).stem: r["status"] for r in map(json.loads, result.stdout.splitlines())}

    assert states() == {"a": "skipped", "b": "skipped"}
    Image.fromarray(1 - left_half()).save("masks/b.png")
    assert states() == {"a": "skipped", "b": "done"}


def test_max_image_size(sift: Sift, photo: Path) -> None:
    """Invariance: as in the library, in pixels of the whole image."""
    assert sift("detect", "photo.png", "-o", "out.npz", "--max-image-size", "60").returncode == 0
    expected = siftcli.detect(siftcli.read_image(photo).pixels, max_image_size=60)
    assert len(expected) > 0
    assert same("out.npz", expected)
    assert siftcli.read_features("out.npz").image_size == (90, 60)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="NO PIPES: this system has no named pipes")
@pytest.mark.parametrize("name", ["photo.png", "photo.png.png"])
def test_a_pipe_that_has_the_name_of_a_mask_is_refused(photo: Path, name: str) -> None:
    """Opening it would wait for a writer."""
    folder = photo.parent
    (folder / "masks").mkdir()
    os.mkfifo(folder / "masks" / name)
    command = [*SIFT, "detect", "photo.png", "-o", "out.key", "--mask", "masks"]
    result = subprocess.run(command, capture_output=True, timeout=60, cwd=folder)
    assert result.returncode == 2
    assert result.stderr.decode() == (
        f"sift: error: --mask: {Path('masks', name)} is a pipe or a device, not a file; replace it, or move it away\n"
    )
    assert not (folder / "out.key").exists()
