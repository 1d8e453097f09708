"""Binary formats of one image: VisualSFM's .sift, NumPy's .npz.

Oracles: VisualSFM's layout written out with `struct`; `np.load` and `np.savez`.
"""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest
from format_tools import PARAMETERS, make, same

from siftcli.errors import FormatError, OutputError
from siftcli.features import Features
from siftcli.io import npz, visualsfm

# --- VisualSFM


def visualsfm_file(
    n: int = 2,
    version: bytes = b"V4.0",
    numbers: int = 5,
    length: int = 128,
    end: bytes = b"\xffEOF",
    name: bytes = b"SIFT",
) -> bytes:
    """A file of keypoints at (10 i + 0.5, 20 i + 0.5), colour 7, sigma i + 1, angle 0.25 i; bytes (i + k) mod 256."""
    data = name + version + struct.pack("<iii", n, numbers, length)
    for i in range(n):
        location = [10 * i + 0.5, 20 * i + 0.5, *([7.0] if numbers == 5 else []), i + 1.0, 0.25 * i]
        data += struct.pack(f"<{len(location)}f", *location)
    for i in range(n):
        data += bytes((i + k) % 256 for k in range(length))
    return data + end


@pytest.mark.parametrize(
    "data",
    [
        visualsfm_file(),
        visualsfm_file(version=b"V5.0"),
        visualsfm_file(numbers=4),
        visualsfm_file(end=b""),  # as Theia writes it
    ],
)
def test_visualsfm_by_hand(data: bytes) -> None:
    features = visualsfm.decode(data)
    assert features.xy.tolist() == [[0, 0], [10, 20]]
    assert features.scales.tolist() == [1, 2]
    assert features.orientations.tolist() == [0, 0.25]
    assert features.descriptors is not None
    for cell, k in ((0, 0), (3, 1), (15, 7)):
        assert features.descriptors[:, 8 * cell + k].tolist() == [8 * cell + (8 - k) % 8, 8 * cell + (8 - k) % 8 + 1]


def test_visualsfm_is_written_by_decreasing_scale() -> None:
    """The rows of the file by hand, in the other order; writing what was written changes nothing."""
    written = visualsfm.encode(visualsfm.decode(visualsfm_file()))
    first, second = (visualsfm_file()[20 + 20 * i :][:20] for i in (0, 1))
    no_colour = [row[:8] + bytes(4) + row[12:] for row in (second, first)]
    assert written[:60] == visualsfm_file()[:20] + b"".join(no_colour)
    assert visualsfm.encode(visualsfm.decode(written)) == written


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "does not begin with 'SIFT'"),
        (b"1 2 3 4\n", "does not begin with 'SIFT'"),
        (b"SIFTV4.0", "does not begin with 'SIFT' and a header"),
        (visualsfm_file(version=b"V9.9"), "is of version 'V9.9'"),
        (visualsfm_file(version=b"\0\xff\n\0"), "is of version"),
        (visualsfm_file(numbers=4)[:12] + struct.pack("<i", 6) + visualsfm_file()[16:], "6 numbers"),
        (visualsfm_file(length=64), "64 bytes each"),
        (visualsfm_file()[:8] + struct.pack("<i", -1) + visualsfm_file()[12:], "-1 keypoints"),
        (visualsfm_file()[:8] + struct.pack("<i", 2**31 - 1) + visualsfm_file()[12:], "bytes after its header instead"),
        (visualsfm_file()[:8] + struct.pack("<i", 1) + visualsfm_file()[12:], "bytes after its header instead"),
        (visualsfm_file(end=b"\xffEO"), "bytes after its header instead"),
        (visualsfm_file(end=b"\xffEOF "), "bytes after its header instead"),
        (visualsfm_file().replace(struct.pack("<f", 2.0), struct.pack("<f", -2.0)), "keypoint 2 has a frame"),
        (visualsfm_file().replace(struct.pack("<f", 10.5), struct.pack("<f", np.nan)), "keypoint 2 has a frame"),
    ],
)
def test_what_is_not_visualsfms(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        visualsfm.decode(data, name="a.sift")
    assert str(caught.value).startswith("a.sift: ")
    assert str(caught.value).isprintable()


def test_visualsfm_needs_descriptors() -> None:
    with pytest.raises(OutputError, match="no descriptors"):
        visualsfm.encode(make(2, descriptors=None))


# --- NPZ


@pytest.mark.parametrize(
    "features",
    [
        make(5),
        make(0),
        make(5, floats=True),
        make(3, affine=True),
        make(2, scores=None, descriptors=None, parameters=None),
    ],
)
def test_numpy_reads_what_is_written(features: Features) -> None:
    with np.load(io.BytesIO(npz.encode(features)), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["keypoints"], features.xy)
        np.testing.assert_array_equal(arrays["image_size"], [640, 480])
        for name in ("scales", "orientations", "scores", "octaves", "levels", "descriptors", "affine"):
            value = getattr(features, name)
            assert (name in arrays) == (value is not None)
            if value is not None:
                np.testing.assert_array_equal(arrays[name], value)
                assert arrays[name].dtype == value.dtype
    same(npz.decode(npz.encode(features)), features)


def test_equal_features_give_equal_bytes() -> None:
    assert npz.encode(make(5)) == npz.encode(make(5))


def saved(compressed: bool = False, **arrays: Any) -> bytes:
    """What NumPy writes of a keypoint, with some arrays replaced, or left out where None."""
    whole = {"keypoints": [[1.0, 2.0]], "scales": [3.0], "orientations": [0.5], **arrays}
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **{k: v for k, v in whole.items() if v is not None})
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_what_numpy_writes_is_read(compressed: bool) -> None:
    """Doubles, integers of another size, columns first, arrays of other names."""
    data = saved(
        compressed,
        keypoints=np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]),
        scales=np.array([3, 4]),
        orientations=np.array([0.5, 1], ">f8"),
        octaves=np.array([-1, 0], np.int64),
        descriptors=np.full((2, 128), 128**-0.5, np.float16),
        image_size=np.array([640.0, 480.0]),
        other=np.arange(3),
    )
    features = npz.decode(data)
    assert features.xy.tolist() == [[1, 2], [3, 4]]
    assert features.orientations.tolist() == [0.5, 1]
    assert features.octaves is not None
    assert features.octaves.dtype == np.int16
    assert features.descriptors is not None
    assert features.descriptors.dtype == np.float32
    assert features.image_size == (640, 480)
    assert features.parameters is None


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"keypoints": None}, "has no keypoints"),
        ({"scales": None}, "has no scales"),
        ({"keypoints": 1.0}, "keypoints has shape"),
        ({"keypoints": [1.0, 2.0]}, r"keypoints has shape \(2,\) instead of \(2, 2\)"),
        ({"keypoints": np.zeros((1, 3))}, r"keypoints has shape \(1, 3\)"),
        ({"scales": [1.0, 2.0]}, r"scales has shape \(2,\) instead of \(1,\)"),
        ({"scales": ["big"]}, "scales holds <U3 instead of numbers"),
        ({"scales": [1j]}, "scales holds complex128"),
        ({"scales": [-1.0]}, "keypoint 1 has a scale below zero"),
        ({"orientations": [np.nan]}, "keypoint 1 has a frame that is not finite"),
        ({"keypoints": [[1e300, 1]]}, "keypoint 1 has a frame that is not finite"),
        ({"octaves": [0.5]}, "octaves holds float64 instead of whole numbers"),
        ({"octaves": [70000]}, "octaves holds int64 instead of whole numbers -32768 to 32767"),
        ({"descriptors": np.zeros((1, 64))}, r"descriptors has shape \(1, 64\)"),
        ({"descriptors": np.full((1, 128), 256)}, "descriptors holds int64"),
        ({"image_size": [640]}, "image_size has shape"),
        ({"image_size": [640, -1]}, "image_size 640 x -1 cannot be"),
        ({"image_size": [640.5, 1]}, "not in whole pixels"),
        ({"parameters": np.array(3)}, "parameters is not JSON"),
        ({"parameters": np.array("[1]")}, "parameters is not a JSON object"),
        ({"parameters": np.array("{")}, "is not JSON"),
    ],
)
def test_what_are_no_features(arrays: dict[str, Any], words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        npz.decode(saved(**arrays), name="a.npz")
    assert str(caught.value).startswith("a.npz: ")


def test_nothing_is_unpickled() -> None:
    file = io.BytesIO()
    np.savez(file, keypoints=np.array([print], dtype=object), scales=[1.0], orientations=[1.0], allow_pickle=True)
    with pytest.raises(FormatError, match="Python objects"):
        npz.decode(file.getvalue())


def member(header: str, data: bytes, *, compressed: bool = False) -> bytes:
    """An archive whose keypoints have a header of our own."""
    text = header.encode().ljust(117) + b"\n"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        archive.writestr("keypoints.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no whole .npz archive"),
        (b"PK\3\4 and nothing more", "no whole .npz archive"),
        (member("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 2)}", bytes(8)), "promises"),
        (member("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}", bytes(8)), "no shape"),
        (member("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", bytes(8)), "promises 16 bytes and has 8"),
        (member("{'descr': '|O', 'fortran_order': False, 'shape': (1, 2)}", bytes(8)), "Python objects"),
        (member("__import__('os')", b""), "damaged"),
        (member("(" * 100, b""), "damaged"),
        (
            member(
                "{'descr': '<f4', 'fortran_order': False, 'shape': (10000000, 2)}", bytes(80_000_000), compressed=True
            ),
            "expands more than",
        ),
    ],
)
def test_archives_that_promise_more_than_they_hold(data: bytes, words: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=words):
            npz.decode(data)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_parameters_come_back() -> None:
    assert npz.decode(npz.encode(make(1))).parameters == PARAMETERS
