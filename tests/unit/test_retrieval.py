"""Which images look alike.

Oracles: the definition of VLAD as loops, sorting of all similarities, and crops of photographs, which look most like
crops of the same photograph.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from match_tools import related

import siftcli
from siftcli.matching.retrieval import aggregate, learn_codebook, most_similar, sample

PHOTOGRAPHS = ("astronaut.jpg", "camera.png", "coffee.jpg", "chelsea.jpg", "hubble_deep_field.jpg")


def root(d: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    total = d.sum(axis=1, keepdims=True, dtype=float)
    return np.asarray(np.sqrt(d / np.where(total > 0, total, 1)))


@pytest.fixture(scope="module")
def crops() -> tuple[list[npt.NDArray[np.uint8]], list[int]]:
    """Descriptors of four overlapping crops of each photograph, and which photograph it is."""
    from pathlib import Path

    folder = Path(__file__).parents[2] / "sample_images"
    found, label = [], []
    for k, name in enumerate(PHOTOGRAPHS):
        pixels = siftcli.read_image(folder / name).pixels
        height, width = (side * 7 // 10 for side in pixels.shape)
        for row in (0, pixels.shape[0] - height):
            for column in (0, pixels.shape[1] - width):
                crop = pixels[row : row + height, column : column + width][:320, :320]
                descriptors = siftcli.detect(np.ascontiguousarray(crop)).descriptors
                assert descriptors is not None
                found.append(np.asarray(descriptors, np.uint8))
                label.append(k)
    return found, label


def test_a_vector_is_as_defined() -> None:
    descriptors, others = related(np.random.default_rng(0), 60, 40, 0)
    codebook = root(others)[:5].astype(np.float32)
    sums = np.zeros((5, 128))
    for row in root(descriptors):
        k = int(np.square(row - codebook).sum(axis=1).argmin())
        sums[k] += row - codebook[k]
    sums /= np.linalg.norm(sums, axis=1, keepdims=True)
    wanted = (sums / np.linalg.norm(sums)).ravel()
    np.testing.assert_allclose(aggregate(descriptors, codebook), wanted, atol=1e-5)


def test_an_image_without_descriptors_is_like_no_other() -> None:
    codebook = learn_codebook(root(related(np.random.default_rng(0), 80, 1, 0)[0]).astype(np.float32), 0)
    assert not aggregate(np.empty((0, 128), np.uint8), codebook).any()
    assert aggregate(np.empty((0, 128), np.uint8), codebook).shape == (codebook.size,)
    assert learn_codebook(np.empty((0, 128), np.float32), 0).shape == (0, 128)
    assert aggregate(np.ones((3, 128), np.uint8), np.empty((0, 128), np.float32)).shape == (0,)


def test_the_codebook_is_a_local_optimum_nearly() -> None:
    random = np.random.default_rng(1)
    heaps = random.uniform(0, 1, (6, 128))
    rows = (np.repeat(heaps, 50, axis=0) + random.normal(0, 0.01, (300, 128))).astype(np.float32)
    codebook = learn_codebook(rows, 3)
    distance = np.square(rows[:, None].astype(float) - codebook).sum(axis=2)
    label = distance.argmin(axis=1)
    for k in np.unique(label):  # a centre is the mean of what is nearest to it
        np.testing.assert_allclose(codebook[k], rows[label == k].mean(axis=0), atol=0.01)
    assert distance.min(axis=1).mean() < 128 * 0.01**2


def test_a_sample_takes_as_many_from_every_image_and_only_of_theirs() -> None:
    images = {str(i): related(np.random.default_rng(i), 30 + i, 1, 0)[0] for i in range(4)}
    taken = sample(list(images), images.__getitem__, 0)
    assert len(taken) == 30 + 31 + 32 + 33
    np.testing.assert_allclose(
        np.sort(taken, axis=0), np.sort(np.concatenate([root(d) for d in images.values()]), axis=0), atol=1e-6
    )
    np.testing.assert_array_equal(taken, sample(list(images), images.__getitem__, 0))


@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("exclude", [True, False])
def test_the_most_similar_are_those_that_sorting_gives(count: int, exclude: bool) -> None:
    vectors = np.random.default_rng(2).integers(-2, 3, (30, 8)).astype(np.float32)  # with ties
    index, similarity = most_similar(vectors, vectors, count, exclude)
    for i, scores in enumerate(vectors @ vectors.T):
        order = [j for j in sorted(range(30), key=lambda j: (-scores[j], j)) if not (exclude and j == i)][:count]
        assert index[i].tolist() == order
        assert similarity[i].tolist() == [scores[j] for j in order]


def test_images_without_descriptors_come_last() -> None:
    vectors = np.array([[1, 0], [0, 0], [-1, 0], [0.5, 0.5]], np.float32)
    index, _ = most_similar(vectors[:1], vectors, 4)
    assert index.tolist() == [[0, 3, 2, 1]]


def test_nothing_is_like_nothing() -> None:
    one = np.ones((1, 4), np.float32)
    assert most_similar(one, one, 3, exclude_self=True)[0].shape == (1, 0)
    assert most_similar(one[:0], one, 3)[0].shape == (0, 1)


def test_crops_look_most_like_crops_of_the_same_photograph(
    crops: tuple[list[npt.NDArray[np.uint8]], list[int]],
) -> None:
    descriptors, label = crops
    names = [str(i) for i in range(len(descriptors))]

    def read(name: str) -> npt.NDArray[np.uint8]:
        return descriptors[int(name)]

    vectors = vectors_of(names, read)
    index, _ = most_similar(vectors, vectors, 2, exclude_self=True)
    right = np.array(label)[index] == np.array(label)[:, None]
    assert right[:, 0].mean() >= 0.9
    np.testing.assert_array_equal(vectors, vectors_of(names, read))


def vectors_of(names: list[str], read: Callable[[str], npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
    codebook = learn_codebook(sample(names, read, 0), 0)
    return np.stack([aggregate(read(name), codebook) for name in names])


def test_zero_descriptors_change_no_vector() -> None:
    d = np.random.default_rng(8).integers(0, 200, (50, 128)).astype(np.uint8)
    codebook = learn_codebook(root(d).astype(np.float32), 0)
    with_zeros = np.concatenate([d[:20], np.zeros((9, 128), np.uint8), d[20:]])
    np.testing.assert_array_equal(aggregate(with_zeros, codebook), aggregate(d, codebook))
    assert sample(["a"], lambda name: np.zeros((3, 128), np.uint8), 0).shape == (0, 128)
