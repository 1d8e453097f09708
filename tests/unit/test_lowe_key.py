"""Lowe's key files.

Oracles: the files that Lowe's program wrote; the format written out by hand; and an obvious reader and writer, one
token at a time, for the fast ones.
"""

from __future__ import annotations

import gzip
import io
import math
import random
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from siftcli.errors import FormatError, OutputError
from siftcli.features import Features
from siftcli.io.lowe_key import encode_key, read_key

LOWE = ["box", "library", "basmati"]


def slow_write(features: Features) -> bytes:
    """The format, literally."""
    out = [f"{len(features)} {0 if features.descriptors is None else 128}\n"]
    for i in range(len(features)):
        (x, y), sigma, angle = features.xy[i], features.scales[i], -float(features.orientations[i])
        out.append(f"{y:.2f} {x:.2f} {sigma:.2f} {angle if angle else 0.0:.3f}\n")
        if features.descriptors is None:
            continue
        values = []
        for cell in range(16):
            for k in range(8):
                value = features.descriptors[i, 8 * cell + (8 - k) % 8]
                values.append(int(value) if features.descriptors.dtype == np.uint8 else min(255, int(512.0 * value)))
        for line in (values[:20], values[20:40], values[40:60], values[60:80], values[80:100], values[100:120]):
            out.append("".join(f" {v}" for v in line) + "\n")
        out.append("".join(f" {v}" for v in values[120:]) + "\n")
    return "".join(out).encode()


def check_read(features: Features, text: bytes) -> None:
    """Compare features with the file's tokens, one by one."""
    tokens = text.split()
    n, length = int(tokens[0]), int(tokens[1])
    assert len(features) == n
    records = np.array([float(token) for token in tokens[2:]]).reshape(n, 4 + length)
    np.testing.assert_array_equal(features.xy[:, 1], records[:, 0].astype(np.float32))
    np.testing.assert_array_equal(features.xy[:, 0], records[:, 1].astype(np.float32))
    np.testing.assert_array_equal(features.scales, records[:, 2].astype(np.float32))
    np.testing.assert_allclose(features.orientations, -records[:, 3].astype(np.float32), rtol=0, atol=1e-37)
    assert (features.descriptors is None) == (length == 0)
    if features.descriptors is not None:
        for cell in range(16):
            for k in range(8):
                ours, lowes = features.descriptors[:, 8 * cell + (8 - k) % 8], records[:, 4 + 8 * cell + k]
                np.testing.assert_array_equal(ours, lowes)


def attempt(text: bytes) -> Features | FormatError:
    try:
        return read_key(text)
    except FormatError as error:
        return error


def make(n: int, seed: int = 0, descriptors: bool = True) -> Features:
    rng = np.random.default_rng(seed)
    return Features(
        xy=rng.uniform(0, 5000, (n, 2)).astype(np.float32),
        scales=rng.gamma(2, 3, n).astype(np.float32),
        orientations=rng.uniform(-math.pi, math.pi, n).astype(np.float32),
        descriptors=np.minimum(rng.gamma(0.7, 60, (n, 128)), 255).astype(np.uint8) if descriptors else None,
    )


SMALL = encode_key(make(3))
"""Header on line 1; frames on lines 2, 10 and 18."""


# --- Lowe's own files


@pytest.mark.parametrize("name", LOWE)
def test_lowes_files_round_trip_byte_for_byte(oracle_data: Path, name: str) -> None:
    path = oracle_data / "lowe" / f"{name}.key"
    assert encode_key(read_key(path)) == path.read_bytes()


@pytest.mark.parametrize("name", LOWE)
def test_lowes_files_are_read_as_they_are_written(oracle_data: Path, name: str) -> None:
    path = oracle_data / "lowe" / f"{name}.key"
    check_read(read_key(path), path.read_bytes())


@pytest.mark.parametrize("name", LOWE)
def test_lowes_files_compressed(oracle_data: Path, tmp_path: Path, name: str) -> None:
    text = (oracle_data / "lowe" / f"{name}.key").read_bytes()
    (tmp_path / "x.key.gz").write_bytes(gzip.compress(text))
    features = read_key(tmp_path / "x.key.gz")
    assert encode_key(features) == text
    assert gzip.decompress(encode_key(features, compress=True)) == text
    assert encode_key(features, compress=True) == encode_key(features, compress=True)


def test_lowes_file_cut_short_at_every_percent(oracle_data: Path) -> None:
    text = (oracle_data / "lowe" / "box.key").read_bytes()
    for percent in range(100):
        part = text[: len(text) * percent // 100]
        with pytest.raises(FormatError) as caught:
            read_key(part, name="box.key")
        assert caught.value.line == max(1, len(part.rstrip().splitlines()))
        assert str(caught.value).startswith(f"box.key:{caught.value.line}: ")
        if percent:
            found = (len(part.split()) - 2) // 132
            assert f"after {found} of the 638" in str(caught.value)


def test_a_compressed_file_cut_short_at_every_percent(oracle_data: Path) -> None:
    data = gzip.compress((oracle_data / "lowe" / "box.key").read_bytes())
    for percent in range(100):
        with pytest.raises(FormatError):
            read_key(data[: len(data) * percent // 100])


def test_flipped_bits_are_read_as_they_are_or_named(oracle_data: Path) -> None:
    lines = (oracle_data / "lowe" / "box.key").read_bytes().splitlines(keepends=True)
    text = b"20 128\n" + b"".join(lines[1:161])
    rng = random.Random(1)
    outcomes = set()
    for _ in range(600):
        damaged = bytearray(text)
        damaged[rng.randrange(len(text))] ^= 1 << rng.randrange(8)
        result = attempt(bytes(damaged))
        outcomes.add(type(result))
        if isinstance(result, FormatError):
            assert result.line is not None
            assert 1 <= result.line <= 162
        else:
            check_read(result, bytes(damaged))
    assert outcomes == {FormatError, Features}


# --- the layout


def test_one_keypoint_by_hand() -> None:
    values = np.arange(128, dtype=np.uint8)
    features = Features(
        xy=np.array([[135.884, 133.916]], np.float32),
        scales=np.array([14.375], np.float32),  # a tie: to even
        orientations=np.array([2.7322], np.float32),
        descriptors=values[None],
    )
    assert encode_key(features) == (
        b"1 128\n133.92 135.88 14.38 -2.732\n"
        b" 0 7 6 5 4 3 2 1 8 15 14 13 12 11 10 9 16 23 22 21\n"
        b" 20 19 18 17 24 31 30 29 28 27 26 25 32 39 38 37 36 35 34 33\n"
        b" 40 47 46 45 44 43 42 41 48 55 54 53 52 51 50 49 56 63 62 61\n"
        b" 60 59 58 57 64 71 70 69 68 67 66 65 72 79 78 77 76 75 74 73\n"
        b" 80 87 86 85 84 83 82 81 88 95 94 93 92 91 90 89 96 103 102 101\n"
        b" 100 99 98 97 104 111 110 109 108 107 106 105 112 119 118 117 116 115 114 113\n"
        b" 120 127 126 125 124 123 122 121\n"
    )


def test_no_keypoints() -> None:
    empty = make(0)
    assert encode_key(empty) == b"0 128\n"
    back = read_key(b"0 128\n")
    assert back.xy.shape == (0, 2)
    assert back.descriptors is not None
    assert back.descriptors.shape == (0, 128)
    assert back.descriptors.dtype == np.uint8


def test_frames_alone() -> None:
    frames = make(3, descriptors=False)
    text = encode_key(frames)
    assert text == slow_write(frames)
    assert text.startswith(b"3 0\n")
    assert text.count(b"\n") == 4
    check_read(read_key(text), text)
    assert read_key(b"0 0\n").descriptors is None


@pytest.mark.parametrize("n", [1, 2, 1999, 5000])  # 5000: several blocks of reading and of writing
def test_many_keypoints_against_the_slow_writer(n: int) -> None:
    features = make(n, seed=n)
    text = encode_key(features)
    assert text == slow_write(features)
    back = read_key(text)
    check_read(back, text)
    assert encode_key(back) == text


finite = st.floats(-1e6, 1e6, width=32) | st.floats(allow_nan=False, allow_infinity=False, width=32)


@st.composite
def any_features(draw: st.DrawFn) -> Features:
    n = draw(st.integers(0, 5))
    kind = draw(st.sampled_from(["uint8", "float", "none"]))
    descriptors = None
    if kind == "uint8":
        descriptors = draw(hnp.arrays(np.uint8, (n, 128)))
    elif kind == "float":
        descriptors = draw(hnp.arrays(np.float32, (n, 128), elements=st.floats(0, 1, width=32)))
    return Features(
        xy=draw(hnp.arrays(np.float32, (n, 2), elements=finite)),
        scales=draw(hnp.arrays(np.float32, n, elements=st.floats(0, 1e6, width=32))),
        orientations=draw(hnp.arrays(np.float32, n, elements=st.floats(-3.125, 3.125, width=32))),
        descriptors=descriptors,
    )


@given(any_features())
def test_any_features_against_the_slow_writer(features: Features) -> None:
    text = encode_key(features)
    assert text == slow_write(features)
    back = read_key(text)
    check_read(back, text)
    if (np.abs(features.xy) < 1e5).all():  # beyond, float32 has fewer than two decimals
        assert encode_key(back) == text


@given(st.data())
def test_any_wrapping_reads_the_same(data: st.DataObject) -> None:
    tokens = SMALL.split()
    gaps = data.draw(
        st.lists(st.sampled_from([b" ", b"\n", b"\t", b"\r\n", b"  \n "]), min_size=len(tokens), max_size=len(tokens))
    )
    back = read_key(b"".join(gap + token for gap, token in zip(gaps, tokens, strict=True)))
    assert encode_key(back) == SMALL


# --- numbers


@pytest.mark.parametrize("angle", [b"3.142", b"-3.142", b"0.000", b"-0.000", b"3.141", b"-1.000"])
def test_angles_are_not_wrapped_and_keep_their_sign(angle: bytes) -> None:
    text = b"1 0\n1.00 -0.00 3.00 " + angle + b"\n"
    features = read_key(text)
    assert encode_key(features) == text
    assert features.orientations[0] == pytest.approx(-float(angle), abs=1e-30)


def test_an_angle_of_zero_has_no_sign() -> None:
    for zero in (0.0, -0.0):
        features = Features(np.zeros((1, 2), np.float32), np.ones(1, np.float32), np.array([zero], np.float32))
        assert encode_key(features) == b"1 0\n0.00 0.00 1.00 0.000\n"


def test_float_descriptors_are_quantised_and_never_wrap() -> None:
    values = np.zeros((1, 128), np.float32)
    values[0, [0, 8, 16, 24]] = [0.2, 0.498, 0.6, 1.0]  # first bins of their cells: unmoved
    features = make(1, descriptors=False)
    text = encode_key(Features(features.xy, features.scales, features.orientations, descriptors=values))
    numbers = [int(t) for t in text.split()[6:]]
    assert [numbers[i] for i in (0, 8, 16, 24)] == [102, 254, 255, 255]
    assert sum(numbers) == 102 + 254 + 255 + 255


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["xy", "scales", "orientations"])
def test_what_is_not_finite_is_not_written(field: str, bad: float) -> None:
    features = make(4)
    getattr(features, field)[2] = bad
    with pytest.raises(OutputError, match=r"out\.key: keypoint 3 "):
        encode_key(features, name="out.key")


@pytest.mark.parametrize("bad", [np.nan, -0.1])
def test_what_is_no_descriptor_is_not_written(bad: float) -> None:
    features = make(4)
    values = np.zeros((4, 128), np.float32)
    values[1, 7] = bad
    with pytest.raises(OutputError, match="keypoint 2 "):
        encode_key(Features(features.xy, features.scales, features.orientations, descriptors=values))


def test_leading_zeros_and_other_ways_to_write_a_number() -> None:
    text = b"+1 128\n1e2 .5 1. +0.25\n" + b" 007 0000012" * 64 + b"\n"
    features = read_key(text)
    check_read(features, text)
    assert features.xy.tolist() == [[0.5, 100.0]]


# --- errors


def with_line(number: int, line: bytes) -> bytes:
    """The small file with one line replaced."""
    lines = SMALL.split(b"\n")
    lines[number - 1] = line
    return b"\n".join(lines)


ZEROS = b" 0" * 20


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (b"", 1, "nothing"),
        (b"\n \n", 1, "nothing"),
        (b"5", 1, "'5'"),
        (b"x 128\n", 1, "'x 128'"),
        (b"3.0 128\n", 1, "'3.0 128'"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 1, "not a Lowe key file"),
        (b"\xef\xbb\xbf0 128\n", 1, "not a Lowe key file"),
        (b"-1 128\n", 1, "-1 keypoints"),
        (b"1 64\n", 1, "length 64"),
        (b"1 -128\n", 1, "length -128"),
        (with_line(1, b"2 128"), 18, "goes on after the 2 keypoints"),
        (with_line(1, b"0 128"), 2, "goes on after the 0 keypoints"),
        (with_line(1, b"4 128"), 25, "after 3 of the 4 keypoints"),
        (with_line(1, b"100000000000000000 128"), 25, "after 3 of the 100000000000000000 keypoints"),
        (SMALL + b"7", 26, "goes on"),
        (SMALL + b"\n\n \0", 28, "goes on"),
        (with_line(10, b"1.00 nan 3.00 0.100"), 10, "'nan' is not a number, as the column"),
        (with_line(10, b"inf 1.00 3.00 0.100"), 10, "'inf' is not a number, as the row"),
        (with_line(10, b"1.00 1.00 3.00 1_0"), 10, "'1_0' is not a number, as the orientation"),
        (with_line(10, b"1.00 1.00 0x3 0.100"), 10, "'0x3' is not a number, as the sigma"),
        (with_line(10, b"1.00 1,5 3.00 0.100"), 10, "'1,5' has a decimal comma"),
        (with_line(10, b"1.00 1.5.2 3.00 0.100"), 10, "'1.5.2' is not a number"),
        (with_line(10, b"1.00 1e39 3.00 0.100"), 10, "'1e39' is too large"),
        (with_line(10, b"1.00 1e999 3.00 0.100"), 10, "'1e999' is too large"),
        (with_line(10, b"1.00 1.00 -3.00 0.100"), 10, "'-3.00' is below zero, as the sigma"),
        (with_line(10, b"1.00 \xff 3.00 0.100"), 10, r"'\\xff' is not a number"),
        (with_line(13, ZEROS[2:] + b" 256"), 13, "'256' is not a whole number from 0 to 255"),
        (with_line(13, ZEROS[2:] + b" 1000"), 13, "'1000' is not"),
        (with_line(13, ZEROS[2:] + b" -1"), 13, "'-1' is not"),
        (with_line(13, ZEROS[2:] + b" +1"), 13, r"'\+1' is not"),
        (with_line(13, ZEROS[2:] + b" 1.5"), 13, "'1.5' is not"),
        (with_line(13, ZEROS[2:] + b" 1e2"), 13, "'1e2' is not"),
        (with_line(13, ZEROS[2:] + b" nan"), 13, "'nan' is not"),
        (with_line(13, ZEROS[2:] + b" \xb2"), 13, r"'\\xb2' is not"),
        (with_line(13, ZEROS[2:] + b" " + b"9" * 50), 13, r"'9{24}\.\.\.' is not"),
        (with_line(13, ZEROS + b" 0"), 18, "'-?[0-9.]+' is not a whole number"),  # one too many: the next frame's last
        (with_line(13, ZEROS[2:]), 18, "'[0-9.]+' is not a whole number"),  # one too few: the next frame's first
    ],
)
def test_errors_name_the_line(text: bytes, line: int, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        read_key(text, name="a b.key")
    assert caught.value.path == "a b.key"
    assert "\n" not in str(caught.value)
    assert caught.value.line == line


def test_lines_are_counted_across_blocks() -> None:
    text = encode_key(make(6000))  # more than two blocks of 1 MiB
    lines = text.split(b"\n")
    lines[44_003] = lines[44_003].replace(b" ", b" x", 1)
    with pytest.raises(FormatError, match="is not a whole number") as caught:
        read_key(b"\n".join(lines))
    assert caught.value.line == 44_004


@pytest.mark.parametrize("text", [b"100000000000000000 128\n1 2 3 4", b"100000000000000000 0\n1 2 3 4\n"])
def test_memory_follows_the_file_not_its_header(text: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="of the 100000000000000000 keypoints"):
            read_key(text)
        assert tracemalloc.get_traced_memory()[1] < 16e6
    finally:
        tracemalloc.stop()


def bomb(head: bytes, filling: bytes, megabytes: int) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [squeeze.compress(head)]
    parts += [squeeze.compress(filling * ((1 << 20) // len(filling))) for _ in range(megabytes)]
    return b"".join([*parts, squeeze.flush()])


@pytest.mark.parametrize(
    ("filling", "words"), [(b"0 ", "expands more than"), (b" ", "no whole keypoint"), (b"1", "no whole keypoint")]
)
def test_a_gzip_bomb_is_refused(filling: bytes, words: str) -> None:
    data = bomb(b"100000000 128\n", filling, 32)
    assert len(data) < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=words):
            read_key(data)
        assert tracemalloc.get_traced_memory()[1] < 50e6  # 16 MB of text is 8 MB of numbers
    finally:
        tracemalloc.stop()


def test_damaged_gzip() -> None:
    data = gzip.compress(SMALL)
    with pytest.raises(FormatError, match="gzip data is damaged"):
        read_key(data[:20] + bytes([data[20] ^ 255]) + data[21:])
    with pytest.raises(FormatError, match="gzip data is damaged"):
        read_key(data[:-8] + b"\0\0\0\0" + data[-4:])  # the checksum
    with pytest.raises(FormatError, match="gzip data is damaged"):
        read_key(data + b"rubbish")


def test_gzip_members_and_padding_are_one_text() -> None:
    half = len(SMALL) // 2
    data = gzip.compress(SMALL[:half]) + gzip.compress(SMALL[half:]) + b"\0" * (3 << 20)
    assert encode_key(read_key(data)) == SMALL


# --- sources


def test_path_bytes_and_file_read_the_same(tmp_path: Path) -> None:
    (tmp_path / "x y.key").write_bytes(SMALL)
    assert encode_key(read_key(tmp_path / "x y.key")) == SMALL
    assert encode_key(read_key(str(tmp_path / "x y.key"))) == SMALL
    file = io.BytesIO(SMALL)
    assert encode_key(read_key(file)) == SMALL
    assert not file.closed


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file") as caught:
        read_key(tmp_path / "missing.key")
    assert str(caught.value).startswith(f"{tmp_path / 'missing.key'}: ")
    with pytest.raises(FormatError, match="is a folder"):
        read_key(tmp_path)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda b: b"1 0\n" + b))
def test_any_bytes_are_read_or_named(data: bytes) -> None:
    result = attempt(data)
    if isinstance(result, FormatError):
        assert str(result).isprintable()
    else:
        check_read(result, data)
