"""OpenCV's ``cv::FileStorage``: a ``vector<KeyPoint>`` and a matrix of descriptors, as YAML or XML.

A keypoint is x, y, size, angle, response, octave and class: a sequence of its own (OpenCV 3 and later), a part of one
long sequence (before), or a row of a matrix, as Python scripts write it.  ``size`` is twice sigma; angles are degrees,
y down, -1 for none; a response that is not known is 0; the octave has the level in its second byte.  The centre of the
first pixel is (0, 0), the bins are Lowe's, descriptors are floats of norm 512, see :mod:`siftcli.conventions`.
[OpenCV 4.6 modules/core/src/persistence_types.cpp, modules/features2d/src/sift.dispatch.cpp]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..conventions import flip_bins, wrapped
from ..errors import FormatError, OutputError
from ..features import Features
from .files import Source, source_name
from .text.source import read_blocks
from .text.writer import EXACT, encode_records
from .units import recognised
from .values import as_bytes, finite_frames, require_finite

__all__ = ["decode", "encode"]

_NUMBERS = 7
"""Numbers in a keypoint."""
_NO_ANGLE = -1
_OCTAVES, _LEVELS = (-128, 127), (1, 255)
"""Values that fit into the bytes of an octave; level 0 is that of other detectors."""

_YAML_NODE = re.compile(rb"^([^\s#%.-][^\n]*?):(?=\s|$)", re.M)
_YAML_FIELD = re.compile(rb"^\s+(rows|cols|dt|data):", re.M)
_YAML_DASH = re.compile(rb"^ *-(?=\s)", re.M)
_YAML_MARKS = bytes.maketrans(b"[],\n", b"    ")
_TYPE = "opencv-matrix"

# Templates, in YAML and in XML.
_HEAD = (b"%YAML:1.0\n---\nkeypoints:\n", b'<?xml version="1.0"?>\n<opencv_storage>\n<keypoints>\n')
_KEYPOINT = (b"   - [ %s ]\n", b"  <_>%s</_>\n")
_KEYPOINTS_END = (b"", b"</keypoints>\n")
_NONE = (b"   []\n", b"</keypoints>\n")
_MATRIX = (
    b"descriptors: !!opencv-matrix\n   rows: %d\n   cols: 128\n   dt: f\n   data: [ %s ]\n",
    b'<descriptors type_id="opencv-matrix">\n  <rows>%d</rows>\n  <cols>128</cols>\n  <dt>f</dt>\n  <data>\n       %s'
    b"</data></descriptors>\n",
)
_END = (b"", b"</opencv_storage>\n")


class _Node(NamedTuple):
    """Numbers under a name, as text, and of a matrix, how many numbers it says it has."""

    text: bytes
    size: int | None = None


def encode(features: Features, *, name: str | PathLike[str] = "<opencv>", xml: bool = False) -> bytes:
    """Encode features as the nodes ``keypoints`` and ``descriptors`` of a file storage.

    Parameters
    ----------
    features : Features
        Descriptors become bytes, written as floats of norm 512, OpenCV's default type.
    name : path
        The file's name in messages.
    xml : bool
        XML instead of YAML.

    Raises
    ------
    OutputError
        If a number is not finite, a descriptor negative, or an octave or a level does not fit into a byte.
    """
    require_finite(features, name)
    n = len(features)
    angles = np.mod(np.rad2deg(features.orientations.astype(np.float64)), 360).astype(np.float32)
    angles[angles >= 360] = 0  # rounded up
    responses = np.zeros(n) if features.scores is None else features.scores
    numbers = [*features.xy.T, 2 * features.scales, angles, responses, _packed(features, name), np.full(n, -1)]
    descriptors = None
    if features.descriptors is not None:
        descriptors = flip_bins(as_bytes(features.descriptors, name))
    mark = " " if xml else ","
    keypoints = encode_records(mark.join([EXACT] * _NUMBERS), np.stack(numbers, axis=-1).astype(np.float64))
    lines = keypoints.splitlines()
    text = (
        _HEAD[xml] + b"".join(_KEYPOINT[xml] % line for line in lines) + (_KEYPOINTS_END[xml] if lines else _NONE[xml])
    )
    if descriptors is not None:
        data = encode_records("", np.empty((n, 0)), descriptors, separator=mark.encode())
        text += _MATRIX[xml] % (n, data.rstrip().replace(b"\n", mark.encode() + b"\n       "))
    return text + _END[xml]


def _packed(features: Features, name: str | PathLike[str]) -> npt.NDArray[Any]:
    """Return the octaves as OpenCV's SIFT packs them, 0 where they are not known."""
    if features.octaves is None or features.levels is None:
        return np.zeros(len(features))
    octaves, levels = features.octaves.astype(np.int32), features.levels.astype(np.int32)
    for values, (low, high), what in ((octaves, _OCTAVES, "octave"), (levels, _LEVELS, "level")):
        bad = (values < low) | (values > high)
        if bad.any():
            i = int(bad.argmax())
            raise OutputError(name, f"keypoint {i + 1} has the {what} {values[i]}, and OpenCV has {low} to {high}")
    return octaves & 255 | levels << 8


def decode(source: Source, *, name: str | None = None) -> Features:
    """Read a file storage of one image.

    Parameters
    ----------
    source : path, bytes or binary file
        YAML or XML, plain or compressed with gzip.  Of its nodes, the one with "keypoints" in its name is read, and the
        one with "descriptor", if there is one.
    name : str, optional
        The file's name in messages.

    Raises
    ------
    FormatError
        If it cannot be read, has no keypoints or those of several images, or its numbers are damaged.
    """
    name = source_name(source, name)
    with read_blocks(source, name) as blocks:
        text = b"".join(blocks)
    nodes = (_xml_nodes if text.lstrip().startswith(b"<") else _yaml_nodes)(text, name)
    keypoints = _table(nodes, "keypoint", _NUMBERS, name)
    if keypoints is None:
        raise FormatError(name, "has no node 'keypoints'; this is not a file of OpenCV's keypoints")
    descriptors: Any = _table(nodes, "descriptor", 128, name)
    if descriptors is not None and len(descriptors) != len(keypoints):
        if len(descriptors):
            counts = f"{len(keypoints)} and {len(descriptors)}"
            raise FormatError(name, f"the numbers of keypoints and descriptors differ ({counts}); write it again")
        descriptors = None
    if descriptors is not None:
        whole = bool(((descriptors == np.rint(descriptors)) & (np.abs(descriptors) < 1 << 16)).all())
        descriptors = flip_bins(recognised(descriptors.astype(np.int32) if whole else descriptors, name, usual=512))
    with np.errstate(over="ignore"):
        frames = keypoints[:, :4].astype(np.float32)
        scores = keypoints[:, 4].astype(np.float32)
    finite_frames(frames, name)
    angles = np.where(frames[:, 3] == _NO_ANGLE, 0, keypoints[:, 3])
    octaves, levels = _unpacked(keypoints[:, 5])
    return Features(
        xy=frames[:, :2].copy(),
        scales=frames[:, 2] / np.float32(2),
        orientations=wrapped(np.deg2rad(angles)),
        scores=scores if scores.any() else None,
        octaves=octaves,
        levels=levels,
        descriptors=descriptors,
    )


def _unpacked(packed: npt.NDArray[np.float64]) -> tuple[Any, Any]:
    """Return octaves and levels; None for both where not all are SIFT's."""
    if not (np.abs(packed) < 2**31).all():
        return None, None
    bits = packed.astype(np.int64)
    octaves, levels = (bits & 255).astype(np.int8).astype(np.int16), (bits >> 8 & 255).astype(np.int16)
    return (octaves, levels) if (levels >= _LEVELS[0]).all() and len(levels) else (None, None)


def _table(nodes: dict[str, _Node], word: str, columns: int, name: str) -> npt.NDArray[np.float64] | None:
    """Return the numbers of the node with a word in its name as a table, None without such a node."""
    found = [key for key in nodes if word in re.sub("[^a-z]", "", key.lower())]
    if not found:
        return None
    if len(found) > 1:
        raise FormatError(name, f"holds {word}s of several images ({', '.join(found)[:80]}); write a file for each")
    text, size = nodes[found[0]]
    try:
        values = np.loadtxt([text.decode("ascii")], comments=None, ndmin=1) if text.strip() else np.empty(0)
    except ValueError:
        raise FormatError(name, f"{found[0]} holds something else than numbers; write it with FileStorage") from None
    if values.size % columns or size not in (None, values.size):
        raise FormatError(name, f"{found[0]} has {values.size} numbers, not {columns} for each keypoint; get it again")
    return values.reshape(-1, columns)


def _yaml_nodes(text: bytes, name: str) -> dict[str, _Node]:
    """Split YAML as OpenCV writes it: names at the beginnings of lines, below them sequences and matrices."""
    _, *parts = _YAML_NODE.split(text.replace(b"\r\n", b"\n"))
    nodes = {}
    for key, body in zip(parts[::2], parts[1::2], strict=True):
        size = None
        if body.lstrip().startswith(b"!!" + _TYPE.encode()):
            fields = _YAML_FIELD.split(body)[1:]
            values = dict(zip(fields[::2], fields[1::2], strict=True))
            size = _size(values.get(b"rows"), values.get(b"cols"), values.get(b"dt"), name)
            body = values.get(b"data", b"")
        if body.count(b"[") != body.count(b"]"):
            raise FormatError(name, "is truncated; get the whole file")
        nodes[_key(key)] = _Node(_YAML_DASH.sub(b"", body).translate(_YAML_MARKS), size)
    return nodes


def _xml_nodes(text: bytes, name: str) -> dict[str, _Node]:
    """Parse XML as OpenCV writes it."""
    from xml.etree import ElementTree

    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:  # which may expand to any size
        raise FormatError(name, "defines entities, which OpenCV does not write; this is not its file")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise FormatError(name, f"is no complete XML ({error}); get the file again") from error
    nodes = {}
    for child in root:
        fields: dict[str, Any] = {part.tag: part.text or "" for part in child}
        if child.get("type_id") == _TYPE:
            size = _size(fields.get("rows"), fields.get("cols"), fields.get("dt"), name)
            nodes[child.tag] = _Node(_line([fields.get("data", "")]), size)
        elif set(fields) <= {"_"}:
            nodes[child.tag] = _Node(_line(child.itertext()))
        else:
            nodes[child.tag] = _Node(b"-")  # named values
    return nodes


def _line(parts: Iterable[str]) -> bytes:
    return " ".join(parts).encode().translate(_YAML_MARKS)


def _key(key: bytes) -> str:
    return key.strip(b" \"'").decode(errors="replace")


def _size(rows: Any, columns: Any, kind: Any, name: str) -> int:
    """Return how many numbers a matrix has."""
    try:
        height, width = int(rows), int(columns)
        channels = re.fullmatch(r"(\d{0,4})[ucwsifd]", (kind.decode() if isinstance(kind, bytes) else kind).strip())
        return height * width * int(channels[1] or 1) if channels else -1
    except (TypeError, ValueError, AttributeError):
        raise FormatError(name, "has a matrix without rows, columns or type; get the file again") from None
