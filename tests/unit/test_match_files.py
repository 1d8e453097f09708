"""Match files of every format.

Oracles: round trips; hloc's way of reading, written anew from its documented layout; pycolmap, which reads the
database; the layouts in the modules' docstrings, parsed by hand; and a list of what is wrong with damaged files.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pycolmap
import pytest
from format_tools import make
from match_tools import features, related

import siftcli
from siftcli import FormatError, Matches, OutputError
from siftcli.io import match_csv, match_list, match_npz
from siftcli.io.matches import MATCH_FORMATS, match_format_for, read_matches, write_matches
from siftcli.matches import Model, Origin, digest_of

HOMOGRAPHY = np.array([[1, 0.1, 3], [0, 1, -2], [1e-5, 0, 1]])


@pytest.fixture
def matches() -> Matches:
    """Five matches, of which three are inliers."""
    return Matches(
        indices=np.array([[0, 3], [2, 0], [3, 7], [5, 1], [9, 2]], np.int32),
        distances=np.array([0.25, 0.5, 0.125, 0.0, 0.75]),
        ratios=np.array([0.5, 0.75, 0.25, 0.0, 0.79]),
        xy_a=np.array([[0, 1], [2.5, 3], [4, 5], [1 / 3, 1e-3], [8, 9]], np.float32),
        xy_b=np.array([[9, 8], [7, 6.25], [5, 4], [3, 2], [1000.123, 0]], np.float32),
        inliers=np.array([True, False, True, True, False]),
        model=Model("homography", HOMOGRAPHY, 3.0),
        sizes=(10, 8),
    )


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, Model):
        return isinstance(b, Model) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(Model))
    return bool(a == b)


def equal(a: Matches, b: Matches, *names: str) -> bool:
    return all(same(getattr(a, name), getattr(b, name)) for name in names)


ALL = tuple(f.name for f in fields(Matches))
NOTHING = Matches(np.empty((0, 2), np.int32), np.empty(0), np.empty(0), sizes=(4, 0))


# --- one pair


def test_csv_is_as_described(matches: Matches) -> None:
    rows = list(csv.reader(match_csv.encode(matches).decode().splitlines()))
    assert rows[0] == ["index_a", "index_b", "x_a", "y_a", "x_b", "y_b", "distance", "ratio", "inlier", "model"]
    assert rows[2] == ["2", "0", "2.5", "3.0", "7.0", "6.25", "0.500000", "0.750000", "0", "homography"]
    assert len(rows) == 6


def test_csv_gives_back_what_it_got(matches: Matches) -> None:
    back = match_csv.decode(match_csv.encode(matches))
    assert equal(back, matches, "indices", "distances", "ratios", "xy_a", "xy_b", "inliers")


@pytest.mark.parametrize("images", [False, True])
def test_csv_names_the_model(matches: Matches, images: bool) -> None:
    named = matches.named("a.png", "b.png") if images else matches
    verified = replace(named, model=Model("fundamental", np.eye(3), 3.0))
    rows = csv.DictReader(match_csv.encode(verified).decode().splitlines())
    assert [row["model"] for row in rows] == ["fundamental"] * len(matches)
    back = match_csv.decode(match_csv.encode(verified))
    assert (back.kind, back.model) == ("fundamental", None)
    assert match_csv.encode(back) == match_csv.encode(verified)
    assert back.swapped().only_inliers().kind == "fundamental"


def test_csv_leaves_empty_what_is_not_known(matches: Matches) -> None:
    bare = Matches(matches.indices)
    assert match_csv.encode(bare).splitlines()[1] == b"0,3,,,,,,,"
    assert equal(match_csv.decode(match_csv.encode(bare)), bare, *ALL)


def test_npz_gives_back_everything(matches: Matches) -> None:
    assert equal(match_npz.decode(match_npz.encode(matches)), matches, *ALL)
    essential = Model("essential", np.eye(3), 2.0, 700.0, np.ones((3, 4)))
    verified = replace(matches, model=essential)
    assert equal(match_npz.decode(match_npz.encode(verified)), verified, *ALL)
    bare = Matches(matches.indices)
    assert equal(match_npz.decode(match_npz.encode(bare)), bare, *ALL)


def test_npz_opens_in_numpy_with_the_names(matches: Matches, tmp_path: Path) -> None:
    (tmp_path / "m.npz").write_bytes(match_npz.encode(matches, ("a b.jpg", "c.jpg")))
    with np.load(tmp_path / "m.npz") as archive:
        assert archive["names"].tolist() == ["a b.jpg", "c.jpg"]
        np.testing.assert_array_equal(archive["indices"], matches.indices)


@pytest.mark.parametrize("name", ["m.csv", "m.npz", "m.h5", "m.txt"])
def test_no_matches_are_a_whole_file(name: str, tmp_path: Path) -> None:
    write_matches(tmp_path / name, [("a", "b", NOTHING)])
    back = read_matches(tmp_path / name)
    assert back.indices.shape == (0, 2)
    assert back.indices.dtype == np.int32


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", 1, "begins with index_a"),
        (b"a,b\n", 1, "begins with index_a"),
        (b"HEAD\n1,2,3\n", 2, "3 values"),
        (b"HEAD\n1,x,0,0,0,0,0,0,1\n", 2, "index_b is 'x'"),
        (b"HEAD\n1,2,0,0,0,0,0,0,1\n-1,2,0,0,0,0,0,0,1\n", 3, "index_a is '-1'"),
        (b"HEAD\n1.5,2,0,0,0,0,0,0,1\n", 2, "index_a is '1.5'"),
        (b"HEAD\n1,2,nan,0,0,0,0,0,1\n", 2, "not finite"),
        (b"HEAD\n1,2,0,0,0,0,0,0,2\n", None, "neither 0 nor 1"),
        (b"HEAD\n1,2,0,0,0,0,0,0,\n2,2,0,0,0,0,0,0,1\n", None, "has no inlier"),
        (b"HEAD,model\n1,2,0,0,0,0,0,0,1,plane\n", 2, "names a model 'plane', which is none of homography"),
        (b"HEAD,model\n1,2,,,,,,,1,homography\n3,4,,,,,,,1,essential\n", 3, "several pairs of images or models"),
        (b"\xff\xfe\x00", None, "is in UTF-16"),
    ],
)
def test_a_damaged_csv_names_the_line(data: bytes, line: int | None, words: str) -> None:
    head = b"index_a,index_b,x_a,y_a,x_b,y_b,distance,ratio,inlier"
    with pytest.raises(FormatError, match=words) as error:
        match_csv.decode(data.replace(b"HEAD", head), name="m.csv")
    assert error.value.line == line
    assert str(error.value).startswith("m.csv")


def test_every_cut_of_an_npz_is_an_error(matches: Matches) -> None:
    data = match_npz.encode(matches)
    for cut in range(0, len(data), 37):
        with pytest.raises(FormatError):
            match_npz.decode(data[:cut], name="m.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"indices": None}, "has no array 'indices'"),
        ({"indices": np.zeros(5)}, "indices is"),
        ({"indices": np.full((5, 2), -1)}, "no whole number from 0"),
        ({"distances": np.zeros(4)}, "distances is"),
        ({"inliers": np.array(["a"] * 5)}, "inliers is"),
        ({"model_matrix": np.zeros(8)}, "model"),
        ({"model_kind": None}, "model"),
        ({"sizes": np.zeros(3, int)}, "sizes"),
    ],
)
def test_an_npz_of_something_else_is_refused(
    change: dict[str, Any], words: str, matches: Matches, tmp_path: Path
) -> None:
    (tmp_path / "m.npz").write_bytes(match_npz.encode(matches))
    with np.load(tmp_path / "m.npz") as archive:
        arrays = {key: archive[key] for key in archive.files} | change
    np.savez(tmp_path / "m.npz", **{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(FormatError, match=words):
        read_matches(tmp_path / "m.npz")


# --- COLMAP's match list, and lists of pairs


def test_a_match_list_is_as_colmap_documents_it(matches: Matches, tmp_path: Path) -> None:
    plain = replace(matches, inliers=None, model=None)
    write_matches(tmp_path / "m.txt", [("a.jpg", "b.jpg", plain), ("a.jpg", "c/d.jpg", NOTHING)])
    assert (tmp_path / "m.txt").read_text() == "a.jpg b.jpg\n0 3\n2 0\n3 7\n5 1\n9 2\n\na.jpg c/d.jpg\n\n"


def test_a_match_list_holds_the_inliers_of_verified_pairs(matches: Matches, tmp_path: Path) -> None:
    write_matches(tmp_path / "m.txt", [("a", "b", matches)])
    assert read_matches(tmp_path / "m.txt").indices.tolist() == [[0, 3], [3, 7], [5, 1]]


def test_a_match_list_of_many_pairs(matches: Matches, tmp_path: Path) -> None:
    write_matches(tmp_path / "m.txt", [("a", "b", matches), ("b", "c", NOTHING)])
    assert len(read_matches(tmp_path / "m.txt", names=("b", "c"))) == 0
    with pytest.raises(FormatError, match="holds 2 pairs"):
        read_matches(tmp_path / "m.txt")
    with pytest.raises(FormatError, match="no pair 'c', 'b'"):
        read_matches(tmp_path / "m.txt", names=("c", "b"))


@pytest.mark.parametrize("name", ["a b.jpg", "", "a\tb", " a", "a\nb"])
def test_a_match_list_refuses_names_that_colmap_would_split(name: str, matches: Matches, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"use \.h5"):
        write_matches(tmp_path / "m.txt", [(name, "b", matches)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "line"), [("a b\n0 1 2\n", 2), ("a b\n0 x\n", 2), ("a b\n0 1\nc d\n", 3), ("a\n", 1)])
def test_a_damaged_match_list_names_the_line(text: str, line: int) -> None:
    with pytest.raises(FormatError) as error:
        list(match_list.read(text.encode(), name="m.txt"))
    assert error.value.line == line


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a.jpg b.jpg\nc.jpg d.jpg\n", [("a.jpg", "b.jpg"), ("c.jpg", "d.jpg")]),
        ('"my cat.jpg" b.jpg\r\n\r\n# no\na "b c"', [("my cat.jpg", "b.jpg"), ("a", "b c")]),
        ("my cat.jpg\tyour dog.jpg\n", [("my cat.jpg", "your dog.jpg")]),
        ('"my cat.jpg"\t"b"\n', [("my cat.jpg", "b")]),
        ("\ufeffä.jpg   ö.jpg", [("ä.jpg", "ö.jpg")]),
    ],
)
def test_lists_of_pairs(text: str, pairs: list[tuple[str, str]]) -> None:
    assert match_list.read_pairs(text.encode()) == pairs


@pytest.mark.parametrize("line", ["my cat.jpg b.jpg", "a", 'a ""', "a\tb\tc", "a\t"])
def test_a_line_that_is_no_pair_is_named(line: str) -> None:
    with pytest.raises(FormatError, match="must have two names, not") as error:
        match_list.read_pairs(f"a b\n{line}\n".encode(), name="pairs.txt")
    assert error.value.line == 2


# --- HDF5


def hloc_matches(path: Path, a: str, b: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a pair as hloc documents its layout: the group of both names, `matches0`, -1 for none."""
    with h5py.File(path, "r") as file:
        group = file[f"{a.replace('/', '-')}/{b.replace('/', '-')}"]
        partner, score = group["matches0"][()], group["matching_scores0"][()]
    index = np.where(partner != -1)[0]
    return np.stack([index, partner[index]], axis=-1), score[index]


def test_hloc_reads_what_we_write(matches: Matches, tmp_path: Path) -> None:
    plain = replace(matches, inliers=None, model=None)
    write_matches(tmp_path / "m.h5", [("db/a b.jpg", "q/c.jpg", plain)])
    index, score = hloc_matches(tmp_path / "m.h5", "db/a b.jpg", "q/c.jpg")
    np.testing.assert_array_equal(index, matches.indices)
    # Of unit vectors at distance d the cosine is 1 - d²/2; hloc's score is (1 + cosine) / 2.
    assert matches.distances is not None
    np.testing.assert_allclose(score, (1 + (1 - matches.distances**2 / 2)) / 2, rtol=1e-6)
    with h5py.File(tmp_path / "m.h5") as file:
        partner = file["db-a b.jpg/q-c.jpg/matches0"]
        assert partner.dtype == np.int32
        assert partner.shape == (10,)


def test_hdf5_gives_back_names_inliers_and_model(matches: Matches, tmp_path: Path) -> None:
    write_matches(tmp_path / "m.h5", [("x/a", "b", matches), ("b", "x/a", NOTHING)])
    back = read_matches(tmp_path / "m.h5", names=("x/a", "b"))
    kept = matches.only_inliers()
    assert equal(back, kept, "indices", "inliers", "model")
    np.testing.assert_allclose(back.distances, kept.distances, atol=1e-6)
    with h5py.File(tmp_path / "m.h5") as file:
        assert file["x-a/b"].attrs["matches"] == 5


def test_equal_matches_give_equal_bytes(matches: Matches, tmp_path: Path) -> None:
    for name in ("1.h5", "2.h5"):
        write_matches(tmp_path / name, [("a", "b", matches)])
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()


def test_hloc_files_of_others_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        group = file.create_group("a.jpg/b.jpg")
        group["matches0"] = np.array([-1, 4, -1, 0], np.int16)
        group["matching_scores0"] = np.array([0, 1, 0, 0.5], np.float16)
    back = read_matches(tmp_path / "m.h5")
    assert back.indices.tolist() == [[1, 4], [3, 0]]
    assert back.inliers is None
    np.testing.assert_allclose(back.distances, [0, np.sqrt(2)])


def test_a_pair_that_is_there_twice_is_refused(matches: Matches, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="already"):
        write_matches(tmp_path / "m.h5", [("a", "b", matches), ("a", "b", matches)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["/a", "a//b", "../a", "", "a\0"])
def test_names_that_are_no_place_in_hdf5_are_refused(name: str, matches: Matches, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot hold an image named"):
        write_matches(tmp_path / "m.h5", [(name, "b", matches)])


def _external(file: h5py.File) -> None:
    file["a"] = h5py.ExternalLink("other.h5", "/a")


def _soft(file: h5py.File) -> None:
    file.create_group("a")["b"] = h5py.SoftLink("/nowhere")


def _features(file: h5py.File) -> None:
    file.create_group("a.jpg")["keypoints"] = np.zeros((3, 2))


def _floats(file: h5py.File) -> None:
    file.create_group("a/b")["matches0"] = np.zeros(3)


def _below(file: h5py.File) -> None:
    file.create_group("a/b")["matches0"] = np.array([-2, 1])


def _scores(file: h5py.File) -> None:
    file.create_group("a/b")["matches0"] = np.array([0, 1])
    file["a/b/matching_scores0"] = np.zeros(3, np.float32)


def _huge(file: h5py.File) -> None:
    file.create_group("a/b").create_dataset("matches0", (2**40,), np.int32, chunks=(1024,))


@pytest.mark.parametrize("build", [_external, _soft, _features, _floats, _below, _scores, _huge])
def test_hdf5_of_something_else_is_refused(build: Callable[[h5py.File], None], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        build(file)
    with pytest.raises(FormatError) as error:
        read_matches(tmp_path / "m.h5")
    assert "\n" not in str(error.value)


def test_every_cut_of_an_hdf5_file_is_an_error_or_the_whole(matches: Matches, tmp_path: Path) -> None:
    write_matches(tmp_path / "m.h5", [("a", "b", matches)])
    data = (tmp_path / "m.h5").read_bytes()
    for cut in range(0, len(data), len(data) // 100):
        (tmp_path / "cut.h5").write_bytes(data[:cut])
        with pytest.raises(FormatError):
            read_matches(tmp_path / "cut.h5")


# --- COLMAP's database


@pytest.fixture
def sides() -> dict[str, siftcli.Features]:
    """Two images with descriptors and sizes."""
    a, b = related(np.random.default_rng(0), 10, 8, 6)
    return {
        name: features(d, np.random.default_rng(1).uniform(0, 90, (len(d), 2)), image_size=(100, 80))
        for name, d in (("x/a.jpg", a), ("b.jpg", b))
    }


def test_pycolmap_reads_matches_and_geometry(
    sides: dict[str, siftcli.Features], matches: Matches, tmp_path: Path
) -> None:
    write_matches(tmp_path / "c.db", [("x/a.jpg", "b.jpg", matches)], features=sides.__getitem__)
    with pycolmap.Database.open(tmp_path / "c.db") as database:
        a, b = (database.read_image_with_name(name).image_id for name in sides)
        np.testing.assert_array_equal(database.read_matches(a, b), matches.indices)
        geometry = database.read_two_view_geometry(a, b)
        np.testing.assert_array_equal(geometry.inlier_matches, matches.only_inliers().indices)
        assert geometry.config == pycolmap.TwoViewGeometryConfiguration.PLANAR_OR_PANORAMIC
        # The same point, in COLMAP's pixels, goes to the same point there.
        x = np.array([12.5, 40, 1])
        y = HOMOGRAPHY @ x
        shifted = geometry.H @ (x + np.array([0.5, 0.5, 0]))
        np.testing.assert_allclose(shifted[:2] / shifted[2], y[:2] / y[2] + 0.5)


@pytest.mark.parametrize("kind", ["fundamental", "essential"])
def test_epipolar_models_hold_in_colmaps_pixels(
    kind: str, sides: dict[str, siftcli.Features], matches: Matches, tmp_path: Path
) -> None:
    matrix = np.random.default_rng(2).normal(size=(3, 3))
    model = Model(kind, matrix, 3.0, 100.0 if kind == "essential" else None)
    write_matches(tmp_path / "c.db", [("x/a.jpg", "b.jpg", replace(matches, model=model))], features=sides.__getitem__)
    with pycolmap.Database.open(tmp_path / "c.db") as database:
        geometry = database.read_two_view_geometry(1, 2)
    if kind == "essential":
        np.testing.assert_array_equal(geometry.E, matrix)
        assert geometry.config == pycolmap.TwoViewGeometryConfiguration.CALIBRATED
    else:
        a, b, half = np.array([3.0, 4, 1]), np.array([7.0, -2, 1]), np.array([0.5, 0.5, 0])
        assert (b + half) @ geometry.F @ (a + half) == pytest.approx(b @ matrix @ a)
        assert geometry.config == pycolmap.TwoViewGeometryConfiguration.UNCALIBRATED


def test_a_pair_without_a_model_is_degenerate(
    sides: dict[str, siftcli.Features], matches: Matches, tmp_path: Path
) -> None:
    failed = replace(matches, model=None, inliers=np.zeros(5, bool))
    write_matches(tmp_path / "c.db", [("x/a.jpg", "b.jpg", failed)], features=sides.__getitem__)
    with pycolmap.Database.open(tmp_path / "c.db") as database:
        geometry = database.read_two_view_geometry(1, 2)
        assert geometry.config == pycolmap.TwoViewGeometryConfiguration.DEGENERATE
        assert len(geometry.inlier_matches) == 0
        assert len(database.read_matches(1, 2)) == 5


def test_writing_again_replaces_the_pair_and_keeps_the_rest(
    sides: dict[str, siftcli.Features], matches: Matches, tmp_path: Path
) -> None:
    path = tmp_path / "c.db"
    write_matches(path, [("x/a.jpg", "b.jpg", matches)], features=sides.__getitem__)
    fewer = replace(matches.only_inliers(), inliers=None, model=None)
    write_matches(path, [("x/a.jpg", "b.jpg", fewer)], features=sides.__getitem__, overwrite=True)
    with pycolmap.Database.open(path) as database:
        assert database.num_images() == 2
        np.testing.assert_array_equal(database.read_matches(1, 2), fewer.indices)
        assert not database.exists_two_view_geometry(1, 2)
    # The other way round it is the same pair, its columns exchanged.
    back = Matches(fewer.indices[:, ::-1].copy(), sizes=(8, 10))
    write_matches(path, [("b.jpg", "x/a.jpg", back)], overwrite=True)
    with pycolmap.Database.open(path) as database:
        np.testing.assert_array_equal(database.read_matches(1, 2), fewer.indices)


def test_a_database_of_other_features_is_refused(
    sides: dict[str, siftcli.Features], matches: Matches, tmp_path: Path
) -> None:
    path = tmp_path / "c.db"
    write_matches(path, [("x/a.jpg", "b.jpg", matches)], features=sides.__getitem__)
    with pytest.raises(OutputError, match="exists already"):
        write_matches(path, [("x/a.jpg", "b.jpg", matches)])
    with pytest.raises(OutputError, match=r"no image named 'c\.jpg'"):
        write_matches(path, [("x/a.jpg", "c.jpg", matches)], overwrite=True)
    with pytest.raises(OutputError, match="10 keypoints there, and 11 were matched"):
        write_matches(path, [("x/a.jpg", "b.jpg", replace(matches, sizes=(11, 8)))], overwrite=True)
    with pycolmap.Database.open(path) as database:
        assert database.num_images() == 2
        np.testing.assert_array_equal(database.read_matches(1, 2), matches.indices)


# --- the table of formats


@pytest.mark.parametrize("format", MATCH_FORMATS.values(), ids=lambda f: f.name)
def test_every_suffix_and_name_finds_its_format(format: Any) -> None:
    for suffix in format.suffixes:
        assert match_format_for(f"a.b/M{suffix.upper()}") is format
    assert match_format_for("matches.dat", format.name) is format
    assert callable(format.function("write" if format.many else "encode"))


@pytest.mark.parametrize(("path", "format"), [("m.dat", None), ("m", None), ("m.csv", "json")])
def test_a_format_that_is_none_is_refused(path: str, format: str | None) -> None:
    with pytest.raises(OutputError, match=r"\.csv"):
        match_format_for(path, format)


def test_many_pairs_need_a_format_for_them() -> None:
    with pytest.raises(OutputError, match="one pair"):
        match_format_for("m.csv", many=True)


def test_existing_files_are_kept(matches: Matches, tmp_path: Path) -> None:
    (tmp_path / "m.h5").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        write_matches(tmp_path / "m.h5", [("a", "b", matches)])
    assert (tmp_path / "m.h5").read_text() == "mine"
    write_matches(tmp_path / "m.h5", [("a", "b", matches)], overwrite=True)
    assert len(read_matches(tmp_path / "m.h5")) == 3


@pytest.mark.parametrize("name", ["m.csv", "m.npz", "m.h5", "m.txt"])
def test_a_file_that_is_not_there_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        read_matches(tmp_path / name)


# --- which images


def of_images(count: int = 6) -> Matches:
    """Matches that tell the images they are of."""
    random = np.random.default_rng(3)
    indices = np.stack([np.sort(random.permutation(9)[:count]), random.permutation(9)[:count]], axis=1)
    origins = Origin("a, b/1 é.jpg", (640, 480), "0" * 16), Origin('b "2".jpg', (320, 200), "f" * 16)
    xy = random.uniform(0, 100, (2, count, 2)).astype(np.float32)
    model = Model("homography", np.array([[2.0, 0.1, 5], [0, 1.5, -3], [1e-4, 0, 1]]), 3.0)
    distances = random.uniform(0.1, 0.5, count)
    return Matches(
        indices.astype(np.int32), distances, distances, xy[0], xy[1], np.ones(count, bool), model, (9, 9), origins
    )


@pytest.mark.parametrize(
    ("suffix", "kept"),
    [(".csv", ("name", "size")), (".npz", ("name", "size", "digest")), (".h5", ("name", "size", "digest"))],
)
def test_files_tell_the_images(suffix: str, kept: tuple[str, ...], tmp_path: Path) -> None:
    matches = of_images()
    assert matches.origins is not None
    names = [origin.name or "" for origin in matches.origins]
    write_matches(tmp_path / f"m{suffix}", [(names[0], names[1], matches)])
    back = read_matches(tmp_path / f"m{suffix}")
    assert back.origins is not None
    for origin, wanted in zip(back.origins, matches.origins, strict=True):
        assert [getattr(origin, key) for key in kept] == [getattr(wanted, key) for key in kept]


def test_a_csv_of_two_pairs_is_refused() -> None:
    a, b = (match_csv.encode(of_images().named(*names)).decode() for names in (("a", "b"), ("a", "c")))
    with pytest.raises(FormatError, match="has matches of several pairs of images or models; keep those of one"):
        match_csv.decode((a + b.split("\n", 1)[1]).encode())


@pytest.mark.parametrize("size", ["640", "0x3", "640x480x3", "axb", "-1x2"])
def test_a_size_that_is_none(size: str) -> None:
    text = match_csv.encode(of_images()).decode().replace("640x480", size)
    with pytest.raises(FormatError, match="instead of one such as 640x480"):
        match_csv.decode(text.encode())


def test_matches_can_be_turned_round() -> None:
    matches = of_images()
    turned = matches.swapped()
    assert {tuple(pair) for pair in turned.indices.tolist()} == {(b, a) for a, b in matches.indices.tolist()}
    assert (np.diff(turned.indices[:, 0]) > 0).all()
    assert turned.xy_a is not None
    assert turned.model is not None
    assert matches.model is not None
    # The homography takes the points of the new a back, as the old one took those of b.
    point = np.array([30.0, 40, 1])
    there = matches.model.matrix @ point
    back = turned.model.matrix @ (there / there[2])
    np.testing.assert_allclose(back / back[2], point)
    again = turned.swapped()
    for name in ("indices", "distances", "xy_a", "xy_b"):
        np.testing.assert_array_equal(getattr(again, name), getattr(matches, name))
    assert again.origins == matches.origins


def test_an_epipolar_relation_turned_round_still_holds() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(3, 3))
    a, b = np.append(random.normal(size=(2, 2)), [[1], [1]], axis=1)
    for kind in ("fundamental", "essential"):
        turned = Model(kind, matrix, 1.0).inverted()
        assert a @ turned.matrix @ b == pytest.approx(b @ matrix @ a)
    turn = np.linalg.qr(matrix)[0] * np.sign(np.linalg.det(np.linalg.qr(matrix)[0]))
    pose = Model("essential", matrix, 1.0, 1.0, np.column_stack([turn, [1, 2, 3]])).inverted().pose
    assert pose is not None
    x = random.normal(size=3)
    np.testing.assert_allclose(pose[:, :3] @ (turn @ x + [1, 2, 3]) + pose[:, 3], x)


def test_the_digest_is_of_the_frames_in_their_order() -> None:
    found = make(20)
    assert digest_of(found) == digest_of(found.take(np.arange(20)))
    assert digest_of(found) != digest_of(found.take(np.arange(20)[::-1]))
    assert digest_of(found) != digest_of(found.take(np.arange(19)))
