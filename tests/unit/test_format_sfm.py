"""The files of OpenMVG, AliceVision and OpenSfM.  Oracle: readers that follow the source text of these programs."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_tools import make

from siftcli.errors import FormatError, OutputError
from siftcli.io.formats import FORMATS, format_for
from siftcli.io.registry import encode_features, read_features, write_features

MADE_BY_OPENMVG = {
    "image_describer": {
        "polymorphic_id": 2147483649,
        "polymorphic_name": "SIFT_Image_describer",
        "ptr_wrapper": {
            "valid": 1,
            "data": {
                "params": {
                    "first_octave": 0,
                    "num_octaves": 6,
                    "num_scales": 3,
                    "edge_threshold": 10.0,
                    "peak_threshold": 0.03999999910593033,
                    "root_sift": True,
                },
                "bOrientation": True,
            },
        },
    },
    "regions_type": {
        "polymorphic_id": 2147483650,
        "polymorphic_name": "SIFT_Regions",
        "ptr_wrapper": {"valid": 1, "data": {"value0": [], "value1": []}},
    },
}
"""A file of OpenMVG's main_ComputeFeatures."""


def regions(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read regions as loadFeatsFromFile and loadDescsFromBinFile do: words of four, then a count and bytes."""
    words = np.array(path.read_text().split(), float).reshape(-1, 4)
    data = path.with_suffix(".desc").read_bytes()
    (count,) = struct.unpack_from("<Q", data)
    return words, np.frombuffer(data, np.uint8, offset=8).reshape(count, 128)


@pytest.mark.parametrize("file", ["photo.feat", "8145.sift.feat"])
def test_regions(tmp_path: Path, file: str) -> None:
    features = make(30)
    write_features(tmp_path / file, features)
    words, descriptors = regions(tmp_path / file)
    frames = np.column_stack((features.xy, features.scales, features.orientations))
    np.testing.assert_array_equal(words.astype(np.float32), frames)
    np.testing.assert_array_equal(descriptors, features.descriptors)


def test_openmvg_finds_the_type_of_regions(tmp_path: Path) -> None:
    """Also as numbers of single precision; a second image leaves the file alone."""
    write_features(tmp_path / "a.feat", make(3))
    written = json.loads((tmp_path / "image_describer.json").read_text())
    params = written["image_describer"]["ptr_wrapper"]["data"]["params"]
    params["peak_threshold"] = float(np.float32(params["peak_threshold"]))
    assert written == MADE_BY_OPENMVG
    (tmp_path / "image_describer.json").write_text("of another program")
    write_features(tmp_path / "b.feat", make(3))
    assert (tmp_path / "image_describer.json").read_text() == "of another program"


def test_alicevision_needs_no_description(tmp_path: Path) -> None:
    """Its files are told by the suffix, and named by the number of the view."""
    write_features(tmp_path / "8145.sift.feat", make(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["8145.sift.desc", "8145.sift.feat"]
    assert format_for(tmp_path / "8145.sift.feat", reading=True).name == "alicevision"
    assert FORMATS["alicevision"].output_name(Path("8145.jpg")) == Path("8145.sift.feat")


def opensfm(path: Path) -> dict[str, Any]:
    """Read features as FeaturesData._from_file_v3 does, and denormalized_image_coordinates for 640 x 480 pixels."""
    data = np.load(path, allow_pickle=False)
    assert data["OPENSFM_FEATURES_VERSION"] == 3
    assert len(data["segmentations"]) == len(data["instances"]) == 0
    points = data["points"]
    x = points[:, 0] * 640 - 0.5 + 640 / 2
    y = points[:, 1] * 640 - 0.5 + 480 / 2
    return {
        "xy": np.column_stack((x, y)),
        "size": points[:, 2] * 640,
        "angle": points[:, 3],
        "descriptors": data["descriptors"],
        "colors": data["colors"].astype(float),
    }


def test_opensfm(tmp_path: Path) -> None:
    features = make(40)
    write_features(tmp_path / "photo.jpg.features.npz", features)
    read = opensfm(tmp_path / "photo.jpg.features.npz")
    order = np.argsort(features.scales)
    np.testing.assert_allclose(read["xy"], features.xy[order], atol=1e-4)
    np.testing.assert_allclose(read["size"], 2 * features.scales[order], rtol=1e-6)  # OpenCV's size is a diameter
    assert (np.diff(read["size"]) >= 0).all()
    turn = np.radians(read["angle"]) - features.orientations[order]
    np.testing.assert_allclose(np.cos(turn), 1, atol=1e-9)
    assert ((read["angle"] >= 0) & (read["angle"] <= 360)).all()
    assert read["descriptors"].dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(read["descriptors"], axis=1), 1, atol=1e-5)
    assert features.descriptors is not None
    bins = features.descriptors[order].reshape(-1, 16, 8)
    ours = read["descriptors"].reshape(-1, 16, 8)
    np.testing.assert_array_equal(ours[:, :, 0].argmax(axis=1), bins[:, :, 0].argmax(axis=1))
    np.testing.assert_array_equal(ours[:, :, 1].argmax(axis=1), bins[:, :, 7].argmax(axis=1))  # Lowe's bins turn round
    assert read["colors"].shape == (40, 3)


def test_what_opensfm_needs() -> None:
    """Closed form: descriptors, and the size of the image."""
    with pytest.raises(OutputError, match="no descriptors, which OpenSfM needs"):
        encode_features(make(2, descriptors=None), "opensfm")
    with pytest.raises(OutputError, match="no image size, which OpenSfM needs"):
        encode_features(replace(make(2), image_size=None), "opensfm")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("points", "descriptors", "colors", "OPENSFM_FEATURES_VERSION"), "coordinates relative to the size"),
        (("keypoints", "scales", "orientations", "image_size"), "is no file of OpenSfM's features"),
    ],
)
def test_archives_that_are_not_read(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    """Closed form: those of OpenSfM itself do not tell the size of the image."""
    path = tmp_path / "a.features.npz"
    np.savez_compressed(path, **dict.fromkeys(names, np.zeros(1)))
    with pytest.raises(FormatError, match=words):
        read_features(path)
