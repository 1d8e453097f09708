"""``sift detect`` as a user sees it.

Oracles: the Python API (the command adds no arithmetic to it), the folder's listing, and the exit statuses that the
command's help promises.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Sift, blobs
from PIL import Image

import siftcli
from siftcli.batch.manifest import MANIFEST
from siftcli.presets import parameters


def key_of(image: Path, **options: object) -> bytes:
    """What the API makes of an image."""
    return siftcli.encode_key(siftcli.detect(siftcli.read_image(image).pixels, **options))  # type: ignore[arg-type]


def lines(stderr: bytes) -> list[str]:
    return stderr.decode().splitlines()


# --- one image


def test_the_key_file_is_beside_the_image(sift: Sift, photo: Path) -> None:
    result = sift("detect", "photo.png")
    assert (result.returncode, result.stdout) == (0, b"")
    assert re.fullmatch(r"sift: photo\.png: \d+ keypoints to photo\.key in \d+\.\d\d s\n", result.stderr.decode())
    assert sorted(p.name for p in photo.parent.iterdir()) == ["photo.key", "photo.png"]
    assert Path("photo.key").read_bytes() == key_of(photo)
    assert not Path("photo.key").read_bytes().startswith(b"0 ")


@pytest.mark.parametrize("args", [("-",), ("-", "-o", "-")])
def test_in_place_of_lowes_program(sift: Sift, photo: Path, args: tuple[str, ...]) -> None:
    Image.open(photo).save("in.pgm")
    result = sift("detect", *args, "-q", stdin=Path("in.pgm").read_bytes())
    assert (result.returncode, result.stdout, result.stderr) == (0, key_of(photo), b"")


def test_from_stdin_to_a_file(sift: Sift, photo: Path) -> None:
    assert sift("detect", "-", "-o", "out.key", stdin=photo.read_bytes()).returncode == 0
    assert Path("out.key").read_bytes() == key_of(photo)


def test_from_a_file_to_stdout(sift: Sift, photo: Path) -> None:
    assert sift("detect", "photo.png", "-o", "-").stdout == key_of(photo)
    assert [p.name for p in photo.parent.iterdir()] == ["photo.png"]


@pytest.mark.parametrize("args", [("-o", "out.key.gz"), ("-o", "other", "--format", "lowe-gz")])
def test_compressed(sift: Sift, photo: Path, args: tuple[str, ...]) -> None:
    assert sift("detect", "photo.png", *args).returncode == 0
    features = siftcli.read_key(args[1])
    assert siftcli.encode_key(features) == key_of(photo)
    assert Path(args[1]).read_bytes()[:2] == b"\x1f\x8b"


def test_keypoints_only(sift: Sift, photo: Path) -> None:
    result = sift("detect", "photo.png", "-o", "-", "--keypoints-only")
    assert result.stdout == key_of(photo, descriptors=False)
    count = int(key_of(photo).split()[0])
    assert lines(result.stdout)[0] == f"{count} 0"
    assert len(lines(result.stdout)) == 1 + count


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 300), (11, 11)])
def test_nothing_to_find_is_a_success(sift: Sift, width: int, height: int) -> None:
    Image.new("L", (width, height), 77).save("tiny.png")
    assert sift("detect", "tiny.png", "-o", "-").stdout == b"0 128\n"
    assert sift("detect", "tiny.png", "-o", "-", "--keypoints-only").stdout == b"0 0\n"


def test_parameters_and_preset(sift: Sift, photo: Path) -> None:
    result = sift("detect", "photo.png", "-o", "-", "--preset", "lowe", "--max-orientations", "1", "--clamp", "0.3")
    assert result.stdout == key_of(photo, preset="lowe", max_orientations=1, clamp=0.3)
    assert result.stdout != key_of(photo, preset="lowe")
    detector, descriptor = parameters("lowe")
    assert (detector.variant, descriptor.sampling) == ("lowe", "pixels")  # or the preset would show nothing here


# --- pixels


def test_keypoints_on_transparent_pixels_are_left_out(sift: Sift, tmp_path: Path) -> None:
    alpha = np.zeros((60, 90), np.uint8)
    alpha[:, 45:] = 1
    Image.merge("LA", (Image.fromarray(blobs()), Image.fromarray(alpha))).save(tmp_path / "cut.png")
    everything = siftcli.detect(blobs())
    expected = everything.xy[np.rint(everything.xy[:, 0]) >= 45]
    assert sift("detect", "cut.png").returncode == 0
    kept = siftcli.read_key(tmp_path / "cut.key")
    assert 0 < len(expected) < len(everything)
    np.testing.assert_allclose(kept.xy, expected, atol=0.005 + 1e-5)  # the file has two decimals


def test_exif_orientation(sift: Sift, photo: Path) -> None:
    turned = Image.open(photo).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[274] = 6  # the first row is to be seen at the right
    turned.save("turned.png", exif=exif)
    plain = sift("detect", "turned.png", "-o", "-")
    assert lines(plain.stderr)[0].startswith("sift: warning: turned.png: has EXIF orientation 6")
    assert plain.stdout == key_of(Path("turned.png"))
    upright = sift("detect", "turned.png", "-o", "-", "--exif-orientation")
    assert upright.stdout == key_of(photo)
    assert b"warning" not in upright.stderr
    assert sift("detect", "turned.png", "-o", "-", "-q").stderr == b""


def test_max_pixels(sift: Sift, photo: Path) -> None:
    result = sift("detect", "photo.png", "--max-pixels", "5399")
    assert result.returncode == 1
    assert "90 x 60" in lines(result.stderr)[0]
    assert sift("detect", "photo.png", "--max-pixels", "5400").returncode == 0


# --- several images


NAMES = ["with space.png", "überall 🗻.png", "new\nline.png", "-dash.png", "a[1].png", "tab\t'\".png"]


def test_names_of_all_kinds(sift: Sift, photo: Path) -> None:
    folder = Path("in")
    folder.mkdir()
    for name in NAMES:
        shutil.copy(photo, folder / name)
    shutil.copy(photo, os.fsdecode(b"in/not utf-8 \xff.png"))
    result = sift("detect", "in", "-o", "out", "--json", "-v")
    assert result.returncode == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert {Path(r["path"]) for r in records} == set(folder.iterdir())
    assert {Path(r["output"]).stem for r in records} == {p.stem for p in folder.iterdir()}
    assert all(Path(r["output"]).read_bytes() == key_of(photo) for r in records)
    assert len(lines(result.stderr)) == len(records) + 1  # no name breaks a line


def test_many_images_in_one_file(sift: Sift, photo: Path) -> None:
    for name in ("in/a.png", "in/deep/a.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, name)
    assert sift("detect", "in", "-r", "-o", "all.h5", "--preset", "lowe").returncode == 0
    expected = siftcli.detect(blobs(), "lowe")
    with siftcli.collection_reader("all.h5") as collection:
        assert sorted(collection.names) == ["a.png", "deep/a.png"]
        for _, features in collection:
            np.testing.assert_array_equal(features.xy, expected.xy)
            assert (features.parameters or {})["variant"] == "lowe"


@pytest.mark.parametrize("null", [False, True])
def test_a_list_of_files_from_stdin(sift: Sift, photo: Path, null: bool) -> None:
    names = [f"./{name}" for name in NAMES if null or "\n" not in name]
    for name in names:
        shutil.copy(photo, name)
    separator = "\0" if null else "\n"
    result = sift("detect", "--files-from", "-", *["-0"][: int(null)], stdin=separator.join(names).encode())
    assert result.returncode == 0
    assert {p.stem for p in Path().glob("*.key")} == {Path(name).stem for name in names}


def bad_files(folder: Path, photo: Path) -> dict[str, str]:
    """Make files that are no images; return them with a word of the reason."""
    good = folder / "zz.jpg"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (99, 99), np.uint8)).save(good)
    (folder / "text.jpg").write_text("hello\n")
    (folder / "empty.png").touch()
    (folder / "cut.jpg").write_bytes(good.read_bytes()[:3000])
    good.unlink()
    (folder / "dangling.png").symlink_to("nowhere.png")
    (folder / "loop.png").symlink_to("loop.png")
    return {
        "text.jpg": "not an image",
        "empty.png": "empty",
        "cut.jpg": "truncated",
        "dangling.png": "no such file",
        "loop.png": "loop",
    }


def test_bad_files_cost_nothing_but_themselves(sift: Sift, photo: Path) -> None:
    Path("in").mkdir()
    for name in ("a.png", "m.png", "z.png"):
        shutil.copy(photo, Path("in", name))
    bad = bad_files(Path("in"), photo)
    result = sift("detect", "in", "-o", "out", "--json")
    assert result.returncode == 1
    assert {p.name for p in Path("out").iterdir()} == {"a.key", "m.key", "z.key", MANIFEST}
    records = {Path(r["path"]).name: r for r in map(json.loads, result.stdout.splitlines())}
    assert {name for name, r in records.items() if r["status"] == "failed"} == set(bad)
    for name, word in bad.items():
        assert word in records[name]["error"]
        assert records[name]["keypoints"] is None
        assert [word in line for line in lines(result.stderr) if f"error: in/{name}: " in line] == [True]
    count = int(key_of(photo).split()[0])
    assert [records[name]["keypoints"] for name in ("a.png", "m.png", "z.png")] == [count] * 3
    assert lines(result.stderr)[-1].startswith(f"sift: 3 images done, 5 failed: {3 * count} keypoints in ")


def test_json(sift: Sift, photo: Path) -> None:
    result = sift("detect", "photo.png", "--json")
    (record,) = map(json.loads, result.stdout.splitlines())
    seconds = record.pop("seconds")
    assert seconds > 0
    assert record == {
        "path": "photo.png",
        "output": "photo.key",
        "keypoints": int(key_of(photo).split()[0]),
        "status": "done",
        "error": None,
        "warnings": [],
    }


def test_quiet_says_errors_only(sift: Sift, photo: Path) -> None:
    shutil.copy(photo, "b.png")
    assert sift("detect", "photo.png", "b.png", "-q").stderr == b""
    result = sift("detect", "photo.png", "none.png", "-q", "-o", "out")
    assert result.returncode == 1
    assert lines(result.stderr) == ["sift: error: none.png: no such file; check the path"]


def test_verbose_says_a_line_for_each(sift: Sift, photo: Path) -> None:
    count = int(key_of(photo).split()[0])
    result = sift("detect", "photo.png", "-v")
    assert lines(result.stderr)[0].startswith(f"sift: photo.png: {count} keypoints to photo.key in ")


def test_the_tree_of_a_folder_is_kept(sift: Sift, photo: Path) -> None:
    for name in ("in/a.png", "in/deep/er/a.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, name)
    assert sift("detect", "in", "--recursive", "-o", "new/out/").returncode == 0
    assert {str(p) for p in Path("new").rglob("*.key")} == {"new/out/a.key", "new/out/deep/er/a.key"}


# --- what is refused before any work


def test_an_output_that_exists_is_kept(sift: Sift, photo: Path) -> None:
    Path("photo.key").write_text("precious")
    shutil.copy(photo, "other.png")
    result = sift("detect", "other.png", "photo.png")
    assert result.returncode == 2
    assert "photo.key: exists already" in lines(result.stderr)[0]
    assert "--overwrite" in lines(result.stderr)[0]
    assert Path("photo.key").read_text() == "precious"
    assert not Path("other.key").exists()
    assert sift("detect", "other.png", "photo.png", "--overwrite").returncode == 0
    assert Path("photo.key").read_bytes() == key_of(photo)


def test_two_images_for_one_output(sift: Sift, photo: Path) -> None:
    Image.open(photo).save("photo.bmp")
    result = sift("detect", "photo.png", "photo.bmp")
    assert result.returncode == 2
    assert "photo.png and photo.bmp would both write photo.key" in lines(result.stderr)[0]
    assert not list(Path().glob("*.key"))


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("no match*.png",),
        ("photo.png", "--json", "-o", "-"),
        ("photo.png", "-", "-o", "-"),
        ("photo.png", "-0"),
        ("photo.png", "-q", "-v"),
        ("photo.png", "--format", "nonsense"),
        ("photo.png", "-o", "out.dat"),
        ("photo.png", "-o", "-", "--format", "hdf5"),
        ("photo.png", "-o", ""),
        ("photo.png", "-o", "photo.png/below/"),
        ("photo.png", "-o", "photo.png", "--format", "lowe", "--overwrite"),
        ("photo.png", "--edge-threshold", "0.5"),
        ("photo.png", "--edge-threshold", "ten"),
        ("photo.png", "--contrast-threshold", "nan"),
        ("photo.png", "--max-pixels", "0"),
        ("photo.png", "--preset", "sift"),
        ("photo.png", "--sampling", "all"),
        ("photo.png", "--no-such-option"),
        ("empty folder",),
        ("--files-from", "no such list"),
        ("--files-from", "photo.png"),
        ("--files-from", "-"),
        ("-", "--files-from", "-"),
        ("",),
    ],
)
def test_wrong_usage(sift: Sift, photo: Path, args: tuple[str, ...]) -> None:
    Path("empty folder").mkdir()
    before = photo.read_bytes()
    result = sift("detect", *args)
    assert (result.returncode, result.stdout) == (2, b"")
    assert "error: " in lines(result.stderr)[-1].lower()
    assert sorted(p.name for p in Path().iterdir()) == ["empty folder", "photo.png"]
    assert photo.read_bytes() == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--edge-threshold", "0.5"), "--edge-threshold: must be at least 1, not 0.5"),
        (("--octaves", "0"), "--octaves: must be at least 1, not 0"),
        (("--max-pixels", "-4"), "--max-pixels: must be at least 1, not -4"),
        (("--sigma-input", "9"), "--sigma-input: must not exceed the first level's blur, not 9.0"),
    ],
)
def test_a_wrong_value_is_one_line_with_the_option(
    sift: Sift, photo: Path, args: tuple[str, ...], message: str
) -> None:
    result = sift("detect", "photo.png", *args)
    assert (result.returncode, lines(result.stderr)) == (2, [f"sift: error: {message}"])


def test_a_missing_image_is_a_failure_not_wrong_usage(sift: Sift) -> None:
    result = sift("detect", "none.png")
    assert (result.returncode, lines(result.stderr)) == (1, ["sift: error: none.png: no such file; check the path"])
