"""The files that David Lowe's own program wrote, and matches across the boat sequence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tolerances

import siftcli
from siftcli import Agreement, Features, encode_key, read_key
from siftcli.evaluation.agreement import agreement
from siftcli.evaluation.truth import Homography
from tests.benchmarks.key_lines import lines

Detected = Callable[[Path, str], Features]
IMAGES = ("box", "library", "basmati")


@pytest.mark.parametrize("name", IMAGES)
def test_lowe_preset_writes_his_file(oracle_data: Path, detected: Detected, name: str) -> None:
    """Lowe's program: all keypoints and no others, in order; frame lines as text, descriptor values in number."""
    ours = encode_key(detected(oracle_data / "lowe" / f"{name}.pgm", "lowe"))
    same = lines(ours, (oracle_data / "lowe" / f"{name}.key").read_bytes())
    assert same is not None, "another number of keypoints"
    assert same.frames >= tolerances.LOWE_LINES
    assert same.values >= tolerances.LOWE_VALUES
    assert same.largest <= tolerances.LOWE_LARGEST


@pytest.fixture(scope="module")
def agreements(oracle_data: Path, detected: Detected) -> list[Agreement]:
    """How well the default agrees with each of Lowe's files; frames rounded as in a file, as his are."""
    out = []
    for name in IMAGES:
        theirs = read_key(oracle_data / "lowe" / f"{name}.key")
        ours = read_key(encode_key(detected(oracle_data / "lowe" / f"{name}.pgm", "default")))
        out.append(agreement(ours, theirs))
    return out


def test_default_finds_his_keypoints(agreements: list[Agreement]) -> None:
    """Lowe's program: mean recall, and the number of keypoints."""
    assert np.mean([a.recall for a in agreements]) >= tolerances.DEFAULT_RECALL
    for a in agreements:
        assert a.count == pytest.approx(1, abs=tolerances.DEFAULT_COUNT)


def test_default_positions(oracle_data: Path, detected: Detected) -> None:
    """Lowe's program: median distance, of which his rounding to 0.01 px alone makes 0.004."""
    for name in IMAGES:
        theirs = read_key(oracle_data / "lowe" / f"{name}.key")
        ours = detected(oracle_data / "lowe" / f"{name}.pgm", "default")
        assert agreement(ours, theirs).position <= tolerances.DEFAULT_POSITION


def test_default_descriptors(agreements: list[Agreement]) -> None:
    """Lowe's program: cosine between descriptors, mean over the files of median and 10th percentile."""
    assert np.mean([a.cosine for a in agreements]) >= tolerances.DEFAULT_COSINE[1]
    assert np.mean([a.cosine_p10 for a in agreements]) >= tolerances.DEFAULT_COSINE[0]


def test_default_matches_as_well_as_lowe(oracle_data: Path, detected: Detected) -> None:
    """Homographies of the boat sequence: correct matches of the default, and of the lowe preset, mean of five pairs."""
    boat = oracle_data / "boat"
    mean = {}
    for preset in ("lowe", "default"):
        first = detected(boat / "img1.pgm", preset)
        correct = []
        for k in range(2, 7):
            matches = siftcli.match(first, detected(boat / f"img{k}.pgm", preset))
            assert matches.xy_a is not None
            assert matches.xy_b is not None
            errors = Homography(np.loadtxt(boat / f"H1to{k}p")).errors(matches.xy_a, matches.xy_b)
            correct.append(int((errors <= 3).sum()))
        mean[preset] = np.mean(correct)
    assert mean["default"] >= mean["lowe"] >= tolerances.LOWE_BOAT
