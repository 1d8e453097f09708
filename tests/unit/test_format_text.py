"""Text formats: VLFeat, IPOL, COLMAP, OpenMVG's frames, CSV.

Oracles: files written out by hand as each program prints them; descriptors by each convention's own definition; an
obvious reader, one token at a time.
"""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from format_tools import make, of_unit_norm, same

from siftcli import conventions
from siftcli.errors import FormatError, OutputError
from siftcli.features import Features
from siftcli.io import csv_table, ipol, openmvg, vlfeat
from siftcli.io.colmap import text as colmap_text
from siftcli.io.registry import read_features, write_features

INTEGERS = " ".join(str(k) for k in range(128))


def one(**others: Any) -> Features:
    """A keypoint at column 12.5, row 3.25, of sigma 2 and orientation 0.5 rad; element k of its descriptor is k."""
    values: dict[str, Any] = {
        "xy": np.array([[12.5, 3.25]], np.float32),
        "scales": np.array([2], np.float32),
        "orientations": np.array([0.5], np.float32),
        "descriptors": np.arange(128, dtype=np.uint8)[None],
        **others,
    }
    return Features(**values)


def check_one(features: Features) -> None:
    """Assert that it is that keypoint."""
    np.testing.assert_allclose(features.xy, [[12.5, 3.25]], atol=1e-6)
    np.testing.assert_allclose(features.scales, [2])
    np.testing.assert_allclose(features.orientations, [0.5], atol=1e-6)
    assert features.descriptors is not None
    assert features.descriptors.tolist() == [list(range(128))]


# --- VLFeat


def test_vlfeat_writes_a_line_a_keypoint() -> None:
    assert vlfeat.encode(one()) == f"12.5 3.25 2 0.5 {INTEGERS}\n".encode()


def test_vlfeat_reads_what_its_program_prints() -> None:
    """Numbers with %g, a blank after every token."""
    check_one(vlfeat.decode(f"12.5 3.25 2 0.5 {INTEGERS} \n".encode()))


@pytest.mark.parametrize("described", [True, False])
def test_vlfeats_oriented_ellipses(described: bool) -> None:
    """The columns of A one below the other, as `vl_plotframe` documents them."""
    shape = np.array([[[1, -2], [3, 4]]], np.float32)
    features = one(affine=shape) if described else one(affine=shape, descriptors=None)
    text = "12.5 3.25 1 3 -2 4" + (f" {INTEGERS}" if described else "")
    assert vlfeat.encode(features) == f"{text}\n".encode()
    back = vlfeat.decode(f"{text} \n".encode())
    assert back.affine is not None
    assert back.affine.tolist() == shape.tolist()
    assert (back.descriptors is not None) == described
    np.testing.assert_allclose(back.scales, [np.sqrt(10)], rtol=1e-6)
    np.testing.assert_allclose(back.orientations, [np.arctan2(3, 1)], rtol=1e-6)


def test_vlfeats_circle_and_its_ellipse_are_one_frame() -> None:
    """Closed form, of `vl_frame2oell`: the ellipse of sigma and theta is (c, s, -s, c)."""
    c, s = 2 * math.cos(0.5), 2 * math.sin(0.5)
    ellipse = vlfeat.decode(f"12.5 3.25 {c} {s} {-s} {c}\n".encode())
    circle = vlfeat.decode(b"12.5 3.25 2 0.5\n")
    np.testing.assert_allclose(ellipse.scales, circle.scales, rtol=1e-6)
    np.testing.assert_allclose(ellipse.orientations, circle.orientations, rtol=1e-6)
    assert ellipse.affine is not None
    np.testing.assert_allclose(ellipse.affine, conventions.affine_of(circle.scales, circle.orientations), rtol=1e-6)


def test_vlfeats_pair(tmp_path: Path) -> None:
    write_features(tmp_path / "a.frame", one())
    assert (tmp_path / "a.frame").read_bytes() == b"12.5 3.25 2 0.5\n"
    assert (tmp_path / "a.descr").read_bytes() == f"{INTEGERS}\n".encode()
    check_one(vlfeat.read(tmp_path / "a.frame"))
    check_one(vlfeat.read(tmp_path / "a.descr"))
    (tmp_path / "a.descr").write_text(f"{INTEGERS}\n" * 2)
    with pytest.raises(FormatError, match="2 descriptors for 1 frames"):
        vlfeat.read(tmp_path / "a.frame")
    (tmp_path / "a.descr").unlink()
    assert vlfeat.read(tmp_path / "a.frame").descriptors is None
    with pytest.raises(FormatError, match="no such file"):
        vlfeat.read(tmp_path / "a.descr")


@pytest.mark.parametrize(("module", "suffix"), [(vlfeat, ".descr"), (openmvg, ".desc")])
def test_a_pair_is_written_whole_or_not_at_all(tmp_path: Path, module: Any, suffix: str) -> None:
    path = tmp_path / ("a.frame" if module is vlfeat else "a.feat")
    path.with_suffix(suffix).write_bytes(b"old")
    with pytest.raises(OutputError, match="--overwrite"):
        module.write(path, one())
    with pytest.raises(OutputError, match="--overwrite"):
        module.write(path, one(descriptors=None))
    assert [p.name for p in tmp_path.iterdir()] == [path.with_suffix(suffix).name]
    module.write(path, one(descriptors=None), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # the old descriptors did not belong to these frames
    assert module.read(path).descriptors is None


# --- IPOL


def test_ipol_has_the_row_first_and_angles_from_it() -> None:
    """Orientation 0.5 from the column axis, clockwise, is pi/2 - 0.5 from the row axis, counter-clockwise."""
    text = ipol.encode(one()).decode().split()
    assert [float(t) for t in text[:4]] == pytest.approx([3.25, 12.5, 2, math.pi / 2 - 0.5])
    expected = [(3 - j) * 32 + i * 8 + (8 - k) % 8 for i in range(4) for j in range(4) for k in range(8)]
    assert [int(t) for t in text[4:]] == expected


@pytest.mark.parametrize("histogram", [False, True])
def test_ipol_reads_what_its_program_prints(histogram: bool) -> None:
    """Six decimals, a blank after every token; with -verb_keys, 36 bins follow."""
    numbers = " ".join(ipol.encode(one()).decode().split()[4:])
    line = f"3.250000 12.500000 2.000000 {math.pi / 2 - 0.5:.6f} {numbers} "
    if histogram:
        line += "0.125000 " * 36
    check_one(ipol.decode(f"{line}\n".encode()))


Sample = tuple[float, float, float, float]
"""Column and row of a gradient from the keypoint; its column and row components."""


def by_vlfeats_page(samples: list[Sample], sigma: float, theta: float) -> npt.NDArray[np.uint8]:
    """Frame m sigma R(theta), y down; [y][x][t] of the angle from theta on. [VLFeat, "Standard SIFT descriptor"]"""
    out = np.zeros(128, np.uint8)
    for x, y, gx, gy in samples:
        u = (math.cos(theta) * x + math.sin(theta) * y) / (3 * sigma)
        v = (-math.sin(theta) * x + math.cos(theta) * y) / (3 * sigma)
        i, j, t = (round(u + 1.5), round(v + 1.5), round((math.atan2(gy, gx) - theta) * 4 / math.pi) % 8)
        out[j * 32 + i * 8 + t] += 1
    return out


def by_ipols_paper(samples: list[Sample], sigma: float, theta: float) -> npt.NDArray[np.uint8]:
    """The row comes first; alpha and beta along and across theta, from the row to the column. [IPOL14 §4.2]"""
    out = np.zeros(128, np.uint8)
    for column, row, g_column, g_row in samples:
        along = (math.cos(theta) * row + math.sin(theta) * column) / (3 * sigma)
        across = (-math.sin(theta) * row + math.cos(theta) * column) / (3 * sigma)
        k = round((math.atan2(g_column, g_row) - theta) * 4 / math.pi) % 8
        out[round(along + 1.5) * 32 + round(across + 1.5) * 8 + k] += 1
    return out


@pytest.mark.parametrize("theta", [0.0, 0.3, math.pi / 2, -2.5, 3.0])
def test_ipols_descriptor_by_its_definition(theta: float) -> None:
    """The same gradients, binned by either definition, give descriptors that the conversion turns into each other."""
    rng = np.random.default_rng(3)
    sigma = 2.0
    radius, angle = rng.uniform(0, 1.9 * 3 * sigma, 200), rng.uniform(-math.pi, math.pi, 200)
    steep = rng.uniform(-math.pi, math.pi, 200)
    samples = [
        (r * math.cos(a), r * math.sin(a), math.cos(s), math.sin(s))
        for r, a, s in zip(radius, angle, steep, strict=True)
    ]
    ours = by_vlfeats_page(samples, sigma, theta)
    theirs = by_ipols_paper(samples, sigma, float(conventions.ipol_angles(np.array([theta]))[0]))
    assert conventions.ipol_bins(ours[None]).tolist() == [theirs.tolist()]
    assert len(set(ours.tolist())) > 3


# --- COLMAP


def imported(text: str) -> list[tuple[list[float], list[int]]]:
    """Read as COLMAP's importer does: by lines, and tokens with one blank between."""
    header, *lines = text.removesuffix("\n").split("\n")
    count, length = map(int, header.split(" "))
    assert (len(lines), length) == (count, 128)
    found = []
    for line in lines:
        tokens = line.split(" ")
        assert len(tokens) == 132
        found.append(([float(t) for t in tokens[:4]], [int(t) for t in tokens[4:]]))
    return found


def test_colmap_text_is_importable() -> None:
    """The first pixel's centre is at (0.5, 0.5), angles are y down, bin k of a cell is Lowe's: (8 - k) mod 8."""
    ((frame, values),) = imported(colmap_text.encode(one()).decode())
    assert frame == [13.0, 3.75, 2.0, 0.5]
    assert values == [8 * cell + (8 - k) % 8 for cell in range(16) for k in range(8)]
    features = make(300)
    for (frame, values), xy, scale, angle in zip(
        imported(colmap_text.encode(features).decode()),
        features.xy,
        features.scales,
        features.orientations,
        strict=True,
    ):
        assert frame == pytest.approx([float(xy[0]) + 0.5, float(xy[1]) + 0.5, scale, angle], rel=1e-8)
        assert all(0 <= value <= 255 for value in values)


def test_colmap_text_needs_descriptors() -> None:
    with pytest.raises(OutputError, match="no descriptors, which COLMAP needs"):
        colmap_text.encode(one(descriptors=None), name="a.txt")
    assert colmap_text.encode(make(0)) == b"0 128\n"
    assert len(colmap_text.decode(b"0 128\n")) == 0


# --- CSV


def test_csv_names_its_columns() -> None:
    text = csv_table.encode(
        one(scores=np.array([0.125], np.float32), octaves=np.array([-1], np.int16), levels=np.array([2], np.int16))
    ).decode()
    head, line, end = text.split("\n")
    names = ["x", "y", "sigma", "orientation", "score", "octave", "level", *(f"d{k}" for k in range(128))]
    assert head.split(",") == names
    assert line.split(",") == ["12.5", "3.25", "2", "0.5", "0.125", "-1", "2", *map(str, range(128))]
    assert end == ""


def test_csv_of_affine_frames_and_floats() -> None:
    shape = np.array([[[2, -1], [0.5, 3]]], np.float32)
    values = of_unit_norm(np.linspace(0, 1, 128)[None])
    scale, angle = conventions.similarity_of(shape)
    features = one(affine=shape, scales=scale, orientations=angle, descriptors=values)
    text = csv_table.encode(features)
    assert text.startswith(b"x,y,a11,a12,a21,a22,f0,f1,")
    assert b"\n12.5,3.25,2,-1,0.5,3,0," in text
    same(csv_table.decode(text), features)


@pytest.mark.parametrize(
    ("text", "sigma", "orientation"),
    [
        ("x,y,sigma\n12.5,3.25,2\n", 2, 0),
        ("12.5,3.25,2\n", 2, 0),
        ("12.5;3.25;2;0.5", 2, 0.5),
        ("12.5\t3.25\t2\t0.5\r\n", 2, 0.5),
        ('\ufeff"x","y","sigma","orientation"\n12.5,3.25,2,0.5\n', 2, 0.5),
        ("Sigma, Y, X\n2, 3.25, 12.5\n", 2, 0),
        (",x,y,sigma,orientation\n7,12.5,3.25,2,0.5\n", 2, 0.5),
        ('"","x","y","sigma"\n"7","12.5","3.25","2"\r\n', 2, 0),
        ("X,Y,sigma,orientation\n12.5,3.25,2.0,0.5\n", 2, 0.5),  # GDAL 3.12, GEOMETRY=AS_XY
        ("Unnamed: 0,x,y,sigma\n0,12.5,3.25,2\n", 2, 0),
        ('"12.5","3.25","2"\n', 2, 0),
        ("x;y;sigma\n12.5;3.25;2\n", 2, 0),
        ("x,y,level,octave,sigma\n12.5,3.25,1,-1,2", 2, 0),
        ("x,y,a11,a12,a21,a22\n12.5,3.25,0,-2,2,0\n", 2, math.pi / 2),
        ("12.5,3.25,0,-2,2,0\n", 2, math.pi / 2),
    ],
)
def test_csv_of_other_columns(text: str, sigma: float, orientation: float) -> None:
    features = csv_table.decode(text.encode())
    assert features.xy.tolist() == [[12.5, 3.25]]
    assert features.scales.tolist() == pytest.approx([sigma])
    assert features.orientations.tolist() == pytest.approx([orientation])
    assert features.descriptors is None


def test_csv_without_a_line() -> None:
    assert len(csv_table.decode(b"x,y,sigma\n")) == 0
    assert csv_table.decode(csv_table.encode(make(0))).descriptors is not None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "has no column 'x'"),
        ("x,y\n1,2\n", 1, "has no column 'sigma'"),
        ("x,sigma\n1,2\n", 1, "has no column 'y'"),
        ("a,b,c\n1,2,3\n", 1, "column 'a' is none of"),
        ("x,y,sigma,x\n1,2,3,4\n", 1, "column 'x' is there twice"),
        ("1,2\n", 1, "begins with 2 numbers"),
        ("x,y,sigma\n1,2,3\n1,2\n", 3, "2 values on a line where 3 belong"),
        ("x,y,sigma\n1,2,3,4\n", 2, "4 values on a line where 3 belong"),
        ("x,y,sigma\n1,,3\n", 2, "2 values on a line"),
        ("x;y;sigma\n12,5;3,25;2\n", 2, "'12,5' has a decimal comma"),
        ("12,5;3,25;2\n", 1, "decimal comma"),
        ("x\ty\tsigma\n12,5\t3\t2\n", 2, "'12,5' has a decimal comma"),
        (",x,y\n1,2,3\n", 1, "has no column 'sigma'"),
        ("x,y,sigma\n1,2,nan\n", 2, "'nan' is not a number, as the sigma"),
        ("x,y,sigma\n1,2,-3\n", 2, "below zero, as the sigma"),
        ("x,y,sigma,octave\n1,2,3,0.5\n", None, "keypoint 1 has the octave 0.5"),
        ("\x89PNG\r\n\x1a\n", 1, "is none of"),
    ],
)
def test_csv_errors_name_the_line(text: str, line: int | None, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        csv_table.decode(text.encode("latin-1"), name="a b.csv")
    if line is not None:
        assert caught.value.line == line
    assert str(caught.value).isprintable()


# --- all of them


def lines(*others: str) -> str:
    """Two good lines of numbers with one between."""
    good = f"1 2 3 0.5 {INTEGERS}"
    return "\n".join([good, *others, good]) + "\n"


BAD = [
    (f"1 2 3 {INTEGERS}", "131 values on a line where 132 belong"),
    (f"1 2 3 0.5 0 {INTEGERS}", "133 values on a line where 132 belong"),
    ("1 2 3 0.5", "4 values on a line where 132 belong"),
    (f"1 x 3 0.5 {INTEGERS}", "'x' is not a number"),
    (f"1 2 -3 0.5 {INTEGERS}", "'-3' is below zero"),
    (f"1 inf 3 0.5 {INTEGERS}", "'inf' is not a number"),
    (f"1 1e39 3 0.5 {INTEGERS}", "'1e39' is too large"),
    (f"1 2 3 0.5 256 {INTEGERS[2:]}", "'256' is not a whole number from 0 to 255"),
    (f"1 2 3 0.5 1.5 {INTEGERS[2:]}", "'1.5' is not a whole number"),
]


@pytest.mark.parametrize(("line", "words"), BAD)
@pytest.mark.parametrize(("module", "header"), [(vlfeat, ""), (ipol, ""), (colmap_text, "3 128\n")])
def test_a_bad_line_is_named(module: Any, header: str, line: str, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        module.decode((header + lines(line)).encode(), name="a b.txt")
    assert caught.value.line == 2 + bool(header)
    assert str(caught.value).startswith(f"a b.txt:{2 + bool(header)}: ")


def test_a_bad_line_is_named_far_into_a_file() -> None:
    """Several blocks of 1 MiB; every other line is blank."""
    text = vlfeat.encode(make(6000)).replace(b"\n", b"\n\n").split(b"\n")
    text[9000] += b" 7"
    with pytest.raises(FormatError, match="133 values") as caught:
        vlfeat.decode(b"\n".join(text))
    assert caught.value.line == 9001


@pytest.mark.parametrize("n", [0, 1, 4097, 9000])  # blocks of 4096 rows, and of 1 MiB
@pytest.mark.parametrize("module", [vlfeat, ipol, colmap_text, csv_table])
def test_many_keypoints_token_by_token(module: Any, n: int) -> None:
    features = make(n)
    text = module.encode(features).decode()
    rows = [line.replace(",", " ").split() for line in text.splitlines()]
    rows = rows[1:] if module in (colmap_text, csv_table) else rows
    assert len(rows) == n
    back = module.decode(text.encode())
    assert back.descriptors is not None
    for row, xy, values in zip(rows, back.xy, back.descriptors, strict=True):
        x, y = (row[1], row[0]) if module is ipol else (row[0], row[1])
        shift = 0.5 if module is colmap_text else 0
        assert xy.tolist() == np.array([float(x) - shift, float(y) - shift]).astype(np.float32).tolist()
        flipped = {colmap_text: conventions.flip_bins, ipol: conventions.ipol_bins}.get(module, np.array)
        assert flipped(values[None])[0].tolist() == [int(t) for t in row[-128:]]


@pytest.mark.parametrize("module", [vlfeat, ipol, colmap_text, csv_table])
def test_compressed_text_is_read(module: Any) -> None:
    text = module.encode(make(50))
    same(module.decode(gzip.compress(text)), module.decode(text))


@pytest.mark.parametrize("module", [vlfeat, ipol])
def test_frames_alone(module: Any) -> None:
    text = module.encode(one(descriptors=None))
    assert len(text.split()) == 4
    features = module.decode(text)
    assert features.descriptors is None
    assert features.xy.tolist() == [[12.5, 3.25]]


@pytest.mark.parametrize("module", [vlfeat, ipol])
def test_what_is_no_such_file(module: Any) -> None:
    with pytest.raises(FormatError, match=r"begins with a line of 2 values .* this is not"):
        module.decode(b"hello world\n")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["a.sift", "a.frame", "a.txt", "a.feat", "a.csv", "a.npz"])
def test_what_is_not_finite_is_not_written(tmp_path: Path, name: str, bad: float) -> None:
    features = make(4)
    features.xy[2, 1] = bad
    with pytest.raises(OutputError, match="keypoint 3 has a coordinate"):
        write_features(tmp_path / name, features)
    assert list(tmp_path.iterdir()) == []


# --- OpenMVG


def test_openmvg_by_hand(tmp_path: Path) -> None:
    """A line a keypoint; a count of eight bytes and 128 bytes for each."""
    write_features(tmp_path / "a.feat", one())
    assert (tmp_path / "a.feat").read_bytes() == b"12.5 3.25 2 0.5\n"
    assert (tmp_path / "a.desc").read_bytes() == b"\1\0\0\0\0\0\0\0" + bytes(range(128))
    check_one(openmvg.read(tmp_path / "a.feat"))
    check_one(read_features(tmp_path / "a.desc"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "has 0 descriptors for 1 frames"),
        (b"\2\0\0\0\0\0\0\0" + bytes(256), "has 2 descriptors for 1 frames"),
        (b"\xff" * 8 + bytes(128), "has 18446744073709551615 descriptors for 1 frames"),
        (b"\1\0\0\0\0\0\0\0" + bytes(127), "does not hold the 1 descriptors"),
        (b"\1\0\0\0\0\0\0\0" + bytes(129), "does not hold the 1 descriptors"),
    ],
)
def test_openmvgs_descriptors_must_fit(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "a.feat").write_text("1 2 3 4\n")
    (tmp_path / "a.desc").write_bytes(data)
    with pytest.raises(FormatError, match=words):
        openmvg.read(tmp_path / "a.feat")
