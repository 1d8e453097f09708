"""Damaged and hostile files of all kinds are read or refused by name, see `fuzz_tools`.

Oracle: the kind of what is raised.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest
from format_tools import make, parts_of
from fuzz_tools import NEEDS_LIMITS, check_damaged, good_file, outcomes

from siftcli.batch.fingerprint import Fingerprint
from siftcli.batch.manifest import record
from siftcli.batch.plan import Job
from siftcli.io.formats import FORMATS
from siftcli.io.hdf5.features import collection_writer
from siftcli.io.matches import write_matches
from siftcli.matches import Matches, Model

pytestmark = NEEDS_LIMITS

MUTATIONS = 1000
MIB = 1 << 20


# --- files as they should be


def match_file(path: Path) -> Path:
    matches = Matches(
        indices=np.array([[0, 3], [2, 0], [3, 7]], np.int32),
        distances=np.array([0.25, 0.5, 0.125]),
        ratios=np.array([0.5, 0.75, 0.25]),
        xy_a=np.array([[0, 1], [2.5, 3], [4, 5]], np.float32),
        xy_b=np.array([[9, 8], [7, 6], [5, 4]], np.float32),
        inliers=np.array([True, False, True]),
        model=Model("homography", np.eye(3), 3.0),
        sizes=(10, 8),
    )
    many = path.suffix in (".h5", ".txt")
    write_matches(path, [("a.jpg", "b.jpg", matches), *([("a.jpg", "c.jpg", matches)] if many else [])], overwrite=True)
    return path


def text_file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def manifest(path: Path) -> Path:
    for i in range(5):
        job = Job(f"{i}.jpg", str(path.with_name(f"{i}.key")), "lowe", f"{i}.jpg")
        record(job, Fingerprint(10 + i, 10**18 + i, "ab" * 16), "signature", 100)
    path.with_name(".sift-manifest.jsonl").replace(path)
    return path


def journal(path: Path) -> Path:
    writer = collection_writer(path.with_suffix("").with_suffix(""), parameters={})
    for i in range(3):
        writer.add(f"{i}.jpg", make(3, i, parameters=None))
    writer.abort()
    return path


CONFIG = """octaves = 3
edge_threshold = 12.5
upright = true
region = [1, 2.5, 3, 4]
keep = "spread"
[detect]
max_keypoints = 0x10
[other]
"""

GOOD = {
    "csv": ("matches", lambda folder: match_file(folder / "good.csv")),
    "npz": ("matches", lambda folder: match_file(folder / "good.npz")),
    "h5": ("matches", lambda folder: match_file(folder / "good.h5")),
    "txt": ("matches", lambda folder: match_file(folder / "good.txt")),
    "pairs": ("pairs", lambda folder: text_file(folder / "good.txt", 'a.jpg b.jpg\n"a b" c\n# no\nx\ty z\n')),
    "list": ("list", lambda folder: text_file(folder / "good.txt", "a.jpg\nb c.jpg\r\n\nd/e.png\n")),
    "list -0": ("list -0", lambda folder: text_file(folder / "good.txt", "a.jpg\0b\nc.jpg\0d")),
    "config": ("config", lambda folder: text_file(folder / "good.toml", CONFIG)),
    "manifest": ("manifest", lambda folder: manifest(folder / "good.jsonl")),
    "journal": ("journal", lambda folder: journal(folder / "good.h5.sift.journal")),
}


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_feature_files(tmp_path: Path, name: str) -> None:
    good = good_file(tmp_path, name)
    check_damaged(tmp_path / "files", name, good, parts_of(good, name), MUTATIONS // 2)


@pytest.mark.parametrize("kind", GOOD)
def test_damaged_files_of_other_kinds(tmp_path: Path, kind: str) -> None:
    reader, write = GOOD[kind]
    good = write(tmp_path)
    whatever = reader in ("manifest", "journal")  # of which the whole records are kept, whatever else is there
    check_damaged(tmp_path / "files", reader, good, [good], MUTATIONS, refused=0 if whatever else 20)


# --- files that were made to exhaust a reader


def array(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def archive(members: dict[str, bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members.items():
            out.writestr(f"{name}.npy", data)
    return file.getvalue()


def hostile_archives() -> Iterator[bytes]:
    head = "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}"
    yield archive({"indices": array(head.format("<i4", (10_000_000, 2)), bytes(80_000_000))})
    yield archive({"indices": array(head.format("<i4", (2**40, 2)))})
    yield archive({"indices": array(head.format("<U2000000000", (2**20,)))})
    yield archive({"indices": array(head.format("<i4", "(" * 60))})
    yield archive({"indices": array(head.format("<i4", (int("9" * 60), 2)))})
    part = array(head.format("<f8", (1_900_000,)), bytes(15_200_000))
    yield archive(dict.fromkeys(("indices", "distances", "ratios", "xy_a", "xy_b", "inliers", "sizes"), part))
    entry = archive({"a": b""})
    start, size, end = entry.index(b"PK\1\2"), entry.index(b"PK\5\6") - entry.index(b"PK\1\2"), entry.index(b"PK\5\6")
    count = 60_000  # a directory of so many members
    yield entry[:end] + entry[start:end] * count + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, count * size, end, 0)


def hostile_hdf5(folder: Path) -> Iterator[bytes]:
    def made(fill: object) -> bytes:
        path = folder / "made.h5"
        with h5py.File(path, "w") as file:
            fill(file)  # type: ignore[operator]
        return path.read_bytes()

    def bomb(file: h5py.File) -> None:
        big = {"shape": (50_000_000,), "dtype": "i4", "chunks": (1_000_000,), "compression": 9}
        file.create_group("a/b").create_dataset("matches0", **big)[:] = 1

    def links(file: h5py.File) -> None:
        group = file.create_group("first/pair")
        group["matches0"] = np.zeros(3, "i4")
        for i in range(3000):
            file[f"{i}"] = file["first"]

    def cycle(file: h5py.File) -> None:
        file.create_group("a")["b"] = file

    def outside(file: h5py.File) -> None:
        file.create_group("a/b")["matches0"] = h5py.ExternalLink("/etc/passwd", "/x")

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout(shape=(4,), dtype="i4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4,))
        file.create_group("a/b").create_virtual_dataset("matches0", layout)

    def text(file: h5py.File) -> None:
        file.create_group("a/b")["matches0"] = "text"

    def numbers(file: h5py.File) -> None:
        file.create_group("a/b")["matches0"] = np.array([5, -7])

    def model(file: h5py.File) -> None:
        group = file.create_group("a/b")
        group["matches0"] = np.zeros(3, "i4")
        group.attrs.update({"model": np.bytes_(b"homography"), "matrix": np.full((3, 3), np.nan), "threshold": 1.0})

    yield from map(made, (bomb, links, cycle, outside, virtual, text, numbers, model))


def hostile_journals(folder: Path) -> Iterator[bytes]:
    """Records with the right checksum, and what no run writes in them."""
    head = journal(folder / "made.h5.sift.journal").read_bytes()
    head = head[: 8 + 16 + struct.unpack_from("<Q", head, 8)[0]]
    for key, data in (
        (b"\xff\xfe", b""),
        (b"../../evil", b""),
        (b"", b""),
        (b"a", b"PK"),
        (b"a\0b", b""),
        (b"/x", b""),
    ):
        yield head + struct.pack("<QII", len(key + data), len(key), zlib.crc32(key + data)) + key + data
    yield head + struct.pack("<QII", 2**63, 1, 0) + b"a"


TEXTS = [b"9" * 5000, b"[" * 100_000, b"\0" * MIB, b"\n" * MIB, b"a " * MIB, b"1" * (2 * MIB), b"x\n" * (3 * MIB)]


@pytest.mark.parametrize("kind", GOOD)
def test_files_that_were_made_to_exhaust_a_reader(tmp_path: Path, kind: str) -> None:
    (tmp_path / "files").mkdir()
    reader, write = GOOD[kind]
    good = write(tmp_path)
    suffixes = "".join(good.suffixes)
    head = b"index_a,index_b,x_a,y_a,x_b,y_b,distance,ratio,inlier\n"
    hostile = {
        "npz": hostile_archives,
        "h5": lambda: hostile_hdf5(tmp_path),
        "journal": lambda: hostile_journals(tmp_path),
        "csv": lambda: (head + line for line in (b'"' * 99_999, b"1," * 99_999, b"1" * 5000 + b",2,,,,,,,\n")),
        "txt": lambda: (b"a b\n" + line for line in (b"9" * 5000 + b" 1\n", "٣ ٣\n".encode(), b"1 2 3\n")),
        "config": lambda: [
            b"octaves = 0x" + b"f" * 400,
            b"octaves = " + b"9" * 400,
            b"a = " + b"[" * 9000,
            b"#" * 2 * MIB,
        ],
        "manifest": lambda: [
            b'{"output": "a", "input": ' + b"[" * 60_000,
            b'{"output": "a", "bytes": ' + b"9" * 5000 + b"}",
        ],
    }.get(kind, list)
    files = [*hostile(), *TEXTS]
    for i, data in enumerate(files):
        (tmp_path / "files" / f"{i}{suffixes}").write_bytes(data)
    with (tmp_path / "files" / f"sparse{suffixes}").open("wb") as file:
        file.truncate(20 << 30)
    found = outcomes(tmp_path / "files", reader, good)
    assert not {file: outcome for file, outcome in found.items() if outcome not in ("read", "refused")}
    if kind not in ("manifest", "journal", "list", "list -0"):
        own = {
            file: found[file] for file in list(found) if file[0].isdigit() and int(file.split(".")[0]) < len(files) - 7
        }
        assert set(own.values()) <= {"refused"}


@pytest.mark.parametrize("kind", ["csv", "npz", "h5", "txt", "pairs", "list", "list -0", "config", "manifest"])
def test_devices_that_never_end(tmp_path: Path, kind: str) -> None:
    (tmp_path / "files").mkdir()
    reader, write = GOOD[kind]
    good = write(tmp_path)
    suffixes = "".join(good.suffixes)
    for device in ("zero", "urandom"):
        (tmp_path / "files" / f"{device}{suffixes}").symlink_to(f"/dev/{device}")
    found = outcomes(tmp_path / "files", reader, good)
    assert set(found.values()) == {"read" if kind == "manifest" else "refused"}
