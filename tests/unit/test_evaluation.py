"""Whole evaluations.  Oracles: the definitions written slowly, published tools' procedures, arrays, invariances."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import evaluation_tools as slow
import numpy as np
import pytest
from evaluation_tools import write_plane
from PIL import Image
from test_evaluation_measures import published_auc
from test_evaluation_sequences import camera, seen, strecha

import siftcli
from siftcli import Features, FormatError, OutputError, ParameterError
from siftcli.evaluation.methods import methods_of
from siftcli.evaluation.run import Evaluation, journal_for, measure_pairs, settings_of
from siftcli.evaluation.sequences import find_pairs

Detect = Callable[[Any], Features]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sequence of three images of a plane."""
    folder = tmp_path_factory.mktemp("sequences") / "plane"
    write_plane(folder, "oxford")
    return folder


def values(evaluation: Evaluation, number: int = 0) -> dict[str, Any]:
    """The measures of a record that do not depend on the machine."""
    return {k: v for k, v in evaluation.records[number].measures.items() if k not in ("seconds", "memory")}


def few(image: Any) -> Features:
    """So many that the slow script ends soon."""
    return siftcli.detect(image, max_keypoints=120)


def stretched(image: Any) -> Features:
    """Features with affine frames: circles stretched along x, and turned."""
    found = few(image)
    stretch = np.array([[1.5, 0.4], [-0.2, 0.8]])
    return replace(found, affine=(found.scales[:, None, None] * stretch).astype(np.float32))


@pytest.mark.parametrize("detect", [few, stretched])
def test_measures_are_those_of_the_definitions(plane: Path, detect: Detect) -> None:
    """A slow script computes every measure of the sequence from its definition; affine frames too."""
    evaluation = siftcli.evaluate(plane, {"it": detect})
    first = slow.read(plane / "img1.png")
    for number, k in enumerate((2, 3)):
        other = slow.read(plane / f"img{k}.png")
        expected = slow.measured(
            detect(first), detect(other), np.loadtxt(plane / f"H1to{k}p"), first.shape[::-1], other.shape[::-1]
        )
        found = values(evaluation, number)
        assert expected["correct"] > 20
        assert found.pop("corner_error") < 3
        assert found.pop("accuracy") == pytest.approx(expected.pop("accuracy"), abs=1e-12)
        assert found == pytest.approx(expected, abs=1e-12)


def test_identical_images_give_one(tmp_path: Path) -> None:
    write_plane(tmp_path / "same", "hpatches", 2)
    (tmp_path / "same" / "2.ppm").write_bytes((tmp_path / "same" / "1.ppm").read_bytes())
    np.savetxt(tmp_path / "same" / "H_1_2", np.eye(3))
    found = values(siftcli.evaluate(tmp_path / "same"))
    for name in ("repeatability", "repeatability_within", "matching_score", "precision"):
        assert found[name] == 1, name
    assert found["accuracy"] == [1] * 10
    assert found["corner_error"] < 1e-4
    assert found["matches"] == found["correct"] > 20


def shuffled(seed: int) -> Detect:
    def detect(image: Any) -> Features:
        found = siftcli.detect(image)
        return found.take(np.random.default_rng(seed).permutation(len(found)))

    return detect


def test_the_order_of_keypoints_changes_nothing(plane: Path) -> None:
    """But for the random samples of the estimation."""
    evaluation = siftcli.evaluate(plane, {"it": siftcli.detect, "one": shuffled(1), "two": shuffled(2)})
    for number in (0, 3):
        expected, *others = (values(evaluation, number + k) for k in range(3))
        error = expected.pop("corner_error")
        for found in others:
            assert found.pop("corner_error") == pytest.approx(error, abs=0.05)
            assert found == expected


def no_features(image: Any) -> Features:
    return siftcli.detect(image).take(np.zeros(0, np.intp))


def test_tests_of_matches_are_those_of_siftcli_match(plane: Path) -> None:
    """Matches and distinct ones by `siftcli.match` with the same tests, the guided round among them."""
    a, b = (siftcli.detect(slow.read(plane / f"img{k}.png")) for k in (1, 2))
    homography = np.loadtxt(plane / "H1to2p")
    for tests in ({"ratio": 0.6}, {"ratio_test": "fginn", "metric": "root"}, {"mutual": False}, {"guided": True}):
        found = values(siftcli.evaluate(plane, **tests))
        matches = siftcli.match(a, b, verify="homography", **{"min_inliers": 4, **tests})  # type: ignore[arg-type]
        i, j = matches.indices.T
        points = np.c_[a.xy[i], np.ones(len(i))] @ homography.T
        error = np.linalg.norm(points[:, :2] / points[:, 2:] - b.xy[j], axis=1)
        assert (found["matches"], found["correct"]) == (len(matches), int((error <= 3).sum()))


def test_no_keypoints_give_zeros(plane: Path) -> None:
    """In both images, and in one of the two."""

    def half(image: Any) -> Features:
        return siftcli.detect(image) if image.shape == (120, 160) else no_features(image)

    evaluation = siftcli.evaluate(plane, {"none": no_features, "half": half})
    assert all(record.error is None for record in evaluation.records)
    for number in range(4):
        found = values(evaluation, number)
        assert found.pop("accuracy") == [0] * 10
        assert found.pop("corner_error") == np.inf
        assert found.pop("keypoints_a") == (
            0 if number % 2 == 0 else len(siftcli.detect(slow.read(plane / "img1.png")))
        )
        assert set(found.values()) == {0}
    json.loads(json.dumps(evaluation.plain(), allow_nan=False))


def test_keypoints_without_descriptors_have_the_measures_of_detectors(plane: Path) -> None:
    whole = values(siftcli.evaluate(plane))
    frames = values(siftcli.evaluate(plane, {"frames": lambda image: siftcli.detect(image, descriptors=False)}))
    names = {"keypoints_a", "keypoints_b", "repeatability", "repeatability_within"}
    assert frames == {name: whole[name] for name in names}


def test_a_budget_keeps_the_strongest(plane: Path) -> None:
    """The parameter of the detection."""
    within = siftcli.evaluate(plane, budget=50)
    detected = siftcli.evaluate(plane, {"it": lambda image: siftcli.detect(image, max_keypoints=50)})
    assert values(within) == values(detected)
    assert values(within)["keypoints_a"] == 50


# --- other programs


def colmap(image: Any) -> Features:
    from tests.benchmarks import peers

    return peers.colmap(image)


def opencv(image: Any) -> Features:
    from tests.benchmarks import peers

    return peers.opencv(image)


def scikit(image: Any) -> Features:
    feature = pytest.importorskip("skimage.feature")
    extractor = feature.SIFT()
    extractor.detect_and_extract(image)
    order = extractor.positions[:, ::-1].astype(np.float32)
    return Features(
        order,
        extractor.sigmas.astype(np.float32),
        np.zeros(len(order), np.float32),
        descriptors=extractor.descriptors.astype(np.uint8),
    )


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("program", [opencv, colmap, scikit])
def test_files_give_what_the_arrays_give(plane: Path, tmp_path: Path, program: Detect, suffix: str) -> None:
    """Features of other programs, by file and by array."""
    names = ("img1.png", "img2.png", "img3.png")
    features = {name: program(slow.read(plane / name)) for name in names}
    if suffix == ".h5":
        path = tmp_path / "features.h5"
        with siftcli.collection_writer(path) as writer:
            for name, found in features.items():
                writer.add(name, found)
    else:
        path = tmp_path
        for name, found in features.items():
            siftcli.write_features(path / f"{Path(name).stem}.npz", found)
    evaluation = siftcli.evaluate(plane, {"files": path, "arrays": program})
    for number in (0, 2):
        assert values(evaluation, number) == values(evaluation, number + 1)
        assert values(evaluation, number)["matches"] > 20
    assert evaluation.records[0].measures["seconds"] is None
    assert evaluation.records[1].measures["seconds"] is not None


def test_accuracy_and_homography_of_opencv_as_published_tools_compute_them(plane: Path) -> None:
    """D2-Net's script on HPatches: mutual nearest neighbours, share within each distance.

    SuperPoint's and LightGlue's: corners by a robust homography, area under the curve.
    """
    cv2 = pytest.importorskip("cv2")
    evaluation = siftcli.evaluate(plane, {"OpenCV": opencv}, ratio=1)
    sift = cv2.SIFT_create(enable_precise_upscale=True)
    first = cv2.imread(str(plane / "img1.png"), cv2.IMREAD_GRAYSCALE)
    curves, corners = [], []
    for k in (2, 3):
        homography = np.loadtxt(plane / f"H1to{k}p")
        other = cv2.imread(str(plane / f"img{k}.png"), cv2.IMREAD_GRAYSCALE)
        (points, a), (to, b) = (sift.detectAndCompute(image, None) for image in (first, other))
        found = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True).match(a, b)
        source = np.array([points[m.queryIdx].pt for m in found])
        target = np.array([to[m.trainIdx].pt for m in found])
        errors = np.linalg.norm(cv2.perspectiveTransform(source[None], homography)[0] - target, axis=1)
        curves.append([(errors <= t).mean() for t in range(1, 11)])
        estimate, _ = cv2.findHomography(source, target, cv2.USAC_MAGSAC, 3.0, maxIters=10000)
        box = np.array([[[0, 0], [159, 0], [159, 119], [0, 119.0]]])
        gap = cv2.perspectiveTransform(box, estimate) - cv2.perspectiveTransform(box, homography)
        corners.append(float(np.linalg.norm(gap[0], axis=1).mean()))
    summary = evaluation.summary["OpenCV"]
    for t, share in enumerate(np.mean(curves, axis=0), 1):
        assert summary[f"mma_{t}"].value == pytest.approx(share, abs=1e-12)
    ours = [float(record.measures["corner_error"]) for record in evaluation.records]  # type: ignore[arg-type]
    for t in (1, 3, 5):
        assert summary[f"homography_auc_{t}"].value == pytest.approx(published_auc(ours, t), abs=1e-12)
        # Another robust estimator of the same matches: another error, by some tenths of a pixel.
        assert summary[f"homography_auc_{t}"].value == pytest.approx(published_auc(corners, t), abs=0.5 / t)


# --- cameras


@pytest.fixture
def cameras(tmp_path: Path) -> Path:
    """Three cameras, and keypoints of points that they see, with descriptors of their own; a tenth of b's are wrong."""
    random = np.random.default_rng(11)
    points = random.normal((0, 0, 8), 1, (200, 3))
    descriptors = random.integers(0, 90, (200, 128)).astype(np.uint8)
    for k in range(3):
        turn = np.eye(3) + 0.1 * k * np.array([[0, -1, 0.5], [1, 0, 0], [-0.5, 0, 0]])
        rotation = np.linalg.qr(turn)[0]
        rotation = rotation * np.sign(np.diag(rotation))
        view = replace(camera(0), rotation=rotation, translation=np.array([1.0 * k, 0.2 * k, 0]))
        name = f"{k}.png"
        Image.new("L", (640, 480)).save(tmp_path / name)
        (tmp_path / f"{name}.camera").write_text(strecha(view))
        xy = seen(view, points)
        if k == 1:
            xy[:20] += (40, 90)
        order = random.permutation(200)
        one = np.ones(200, np.float32)
        found = Features(xy[order].astype(np.float32), 2 * one, 0 * one, descriptors=descriptors[order])
        siftcli.write_features(tmp_path / f"{k}.npz", found)
    return tmp_path


def test_cameras(cameras: Path) -> None:
    """The true poses are found, the wrong matches are counted, and the rest is exact but for float32."""
    evaluation = siftcli.evaluate(cameras, [cameras])
    assert [(record.a, record.b) for record in evaluation.records] == [
        ("0.png", "1.png"),
        ("0.png", "2.png"),
        ("1.png", "2.png"),
    ]
    for number, correct in enumerate((180, 200, 180)):
        found = values(evaluation, number)
        assert found["matches"] == 200
        assert correct <= found["correct"] <= correct + 4  # some of the wrong ones lie on their lines
        assert found["precision"] == found["correct"] / 200
        assert found["epipolar_error"] < 1e-3
        assert found["pose_error"] == max(found["rotation_error"], found["translation_error"]) < 0.01
    assert evaluation.summary[cameras.name]["pose_auc_5"].value == pytest.approx(1, abs=0.002)
    assert "repeatability" not in evaluation.summary[cameras.name]


# --- methods that cannot be, failures, resuming


def test_what_is_no_method(plane: Path, tmp_path: Path) -> None:
    for given, reason in (
        ([], "there is none"),
        (["default", "default"], "two are named default"),
        (["nothing"], "no such file or folder, nor a preset"),
    ):
        with pytest.raises(ParameterError, match=reason):
            siftcli.evaluate(plane, given)
    siftcli.write_features(tmp_path / "one.key", siftcli.detect(slow.read(plane / "img1.png")))
    with pytest.raises(FormatError, match="give the folder"):
        siftcli.evaluate(plane, [tmp_path / "one.key"])
    with pytest.raises(FormatError, match="is no sequence"):
        siftcli.evaluate(tmp_path)
    for name in ("verify", "focal", "nonsense"):
        with pytest.raises(ParameterError, match="is not a test of an evaluation"):
            siftcli.evaluate(plane, **{name: 1})
    with pytest.raises(ParameterError, match="budget"):
        siftcli.evaluate(plane, budget=0)


def test_a_pair_that_fails_leaves_the_others(plane: Path, tmp_path: Path) -> None:
    """No features of an image, two files of it, a damaged file: its pair is left out of the summary of all methods."""
    for name in ("img1", "img2"):
        siftcli.write_features(tmp_path / f"{name}.key", siftcli.detect(slow.read(plane / f"{name}.png")))
    evaluation = siftcli.evaluate(plane, {"default": "default", "files": tmp_path})
    assert [record.error is None for record in evaluation.records] == [True, True, True, False]
    assert "holds no features of img3.png" in str(evaluation.records[3].error)
    assert "1 of 2 pairs failed" in evaluation.notes[0]
    means = {record.measures["precision"] for record in evaluation.records[:1]}
    assert {evaluation.summary["default"]["precision"].value} == means
    (tmp_path / "img3.key").write_text("3 128\n1 2")
    siftcli.write_features(tmp_path / "img2.npz", siftcli.detect(slow.read(plane / "img2.png")))
    first, second = (str(record.error) for record in siftcli.evaluate(plane, [tmp_path]).records)
    assert "several files: img2.key, img2.npz" in first
    assert "img3.key" in second


def test_without_poselib_the_rest_is_measured(plane: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = values(siftcli.evaluate(plane))
    monkeypatch.setitem(sys.modules, "poselib", None)
    evaluation = siftcli.evaluate(plane)
    assert "siftcli[geometry]" in evaluation.notes[0]
    expected.pop("corner_error")
    assert values(evaluation) == expected


class Counting:
    """A detection that is counted, and fails after so many."""

    def __init__(self, most: int) -> None:
        self.count, self.most = 0, most

    def __call__(self, image: Any) -> Features:
        self.count += 1
        if self.count > self.most:
            raise KeyboardInterrupt
        return siftcli.detect(image)


def test_a_run_is_resumed(plane: Path, tmp_path: Path) -> None:
    """What an interrupted run has measured is not measured again; the outcome is that of one run."""
    pairs, settings = find_pairs(plane), settings_of({}, None)
    output = str(tmp_path / "report.html")

    def run(most: int, **given: Any) -> tuple[Evaluation, int]:
        chosen = settings_of({}, given.pop("budget", None))
        counting = Counting(most)
        methods = methods_of({"it": counting})
        with journal_for(output, methods, pairs, chosen, **given) as journal:
            return measure_pairs(methods, pairs, chosen, journal=journal), counting.count

    whole = measure_pairs(methods_of({"it": siftcli.detect}), pairs, settings)
    with pytest.raises(KeyboardInterrupt):
        run(2)
    with pytest.raises(OutputError, match="unfinished run"):
        run(9)
    with pytest.raises(OutputError, match="other parameters"):
        run(9, resume=True, budget=7)
    found, count = run(9, resume=True)
    assert count == 2  # the images of the second pair
    for number in range(2):
        assert values(found, number) == values(whole, number)


def test_processes_change_nothing(plane: Path) -> None:
    pairs, settings = find_pairs(plane), settings_of({}, None)
    one, two = (measure_pairs(methods_of(["default", "lowe"]), pairs, settings, jobs=jobs) for jobs in (1, 2))
    for number in range(4):
        assert values(one, number) == values(two, number)


# --- agreement


def test_agreement_of_features_with_themselves_and_with_moved_ones(plane: Path) -> None:
    features = siftcli.detect(slow.read(plane / "img1.png"))
    same = siftcli.agreement(features, features)
    assert (same.recall, same.precision, same.count) == (1, 1, 1)
    assert same.quantiles["position"] == same.quantiles["sigma"] == same.quantiles["orientation"] == (0,) * 5
    assert same.quantiles["descriptor"] == pytest.approx((1,) * 5)
    moved = replace(features, xy=features.xy + np.float32(0.1), scales=features.scales * np.float32(1.02))
    found = siftcli.agreement(moved, features)
    assert found.recall > 0.98
    assert found.quantiles["position"] == pytest.approx((0.1 * np.sqrt(2),) * 5, abs=1e-4)
    assert found.quantiles["sigma"] == pytest.approx((np.log(1.02),) * 5, abs=1e-5)
    far = replace(features, xy=features.xy + np.float32(1000))
    assert siftcli.agreement(far, features) == siftcli.Agreement((len(features), len(features)), 0, 0)
    none = siftcli.agreement(features.take(np.zeros(0, np.intp)), features)
    assert (none.recall, none.precision, none.quantiles) == (0, 0, {})


def test_agreement_is_that_of_its_definition(plane: Path) -> None:
    """Every keypoint with every other: the nearest of those that are the same."""
    image = slow.read(plane / "img1.png")
    ours, theirs = siftcli.detect(image), siftcli.detect(image, "opencv")
    from siftcli.evaluation.agreement import common

    expected = []
    for j in range(len(theirs)):
        distance = np.linalg.norm(ours.xy.astype(float) - theirs.xy[j], axis=1)
        turn = np.abs((ours.orientations - theirs.orientations[j] + np.pi) % (2 * np.pi) - np.pi)
        same = (distance <= max(0.25, 0.1 * theirs.scales[j])) & (turn < 0.1)
        same &= np.abs(np.log(ours.scales / theirs.scales[j])) < 0.05
        if same.any():
            expected.append((int(np.where(same, distance, np.inf).argmin()), j))
    i, j = common(ours, theirs)
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == expected
    assert 0 < len(expected) < len(theirs)
