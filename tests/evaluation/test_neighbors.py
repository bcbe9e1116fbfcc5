"""neighbors.py, and what is made of the neighbors: baselines, duplicates, labels that look wrong."""

import csv

import numpy as np

from conftest import pictures
from pyimagesearch.evaluation import baselines, label_errors, neighbors

IMAGES, LABELS = pictures(600, seed=1)
OTHERS, OTHER_LABELS = pictures(200, seed=2)


def look(images, others=OTHERS):
    return neighbors.nearest_neighbors(*neighbors.project(images, others))


def test_no_image_is_its_own_neighbor_and_duplicates_are_found_once_each_within_and_between():
    images, others = IMAGES[:300].copy(), OTHERS.copy()
    images[200:215] = images[10]  # more copies than neighbors are asked for
    images[220] = images[20]
    images[220, 14, 14] ^= 8  # one pixel by 8/255: nearly the same
    others[5] = images[33]
    of_images, of_others = look(images, others)
    indices, distances = of_images
    assert indices.shape == distances.shape == (300, 10)
    assert (indices != np.arange(300)[:, None]).all() and (np.diff(distances) >= 0).all()
    exact, close = neighbors.duplicates(images, images, of_images)
    assert close == [(20, 220)]
    assert len(exact) == len(set(exact)) and {i for pair in exact for i in pair} == {10, *range(200, 215)}
    assert all(i < j for i, j in exact)
    assert neighbors.duplicates(images, others, of_others) == ([(33, 5)], [])


def test_close_is_less_than_1_in_pixels_from_0_to_1():
    images = np.zeros((3, 28, 28), np.uint8)
    images[1, 0, 0] = 254  # a distance of 254/255
    images[2, 0, :2] = 255, 1  # of a little over 1
    neighbors_of_first = np.array([[1, 2]]), np.array([[0.1, 0.1]])
    assert neighbors.duplicates(images, images[:1], neighbors_of_first) == ([], [(1, 0)])


def test_baselines_learn_what_is_easy_from_other_images_than_they_are_measured_on():
    """With random labels nothing can be learned; what is measured on its own training images has learned them."""
    order, chance = np.argsort(LABELS, kind="stable"), np.random.default_rng(0).integers(0, 10, 600)
    for images, labels, low, high in ((IMAGES[order], LABELS[order], 0.95, 1), (IMAGES, chance, 0, 0.3)):
        results = baselines.baselines(images, labels, look(images)[0])
        assert len(results) == 2
        for name, how, predicted, true in results:
            assert low <= (predicted == true).mean() <= high, name
            assert len(true) == (600 if "from the others" in how else 60) and set(true) == set(range(10))
    images, labels = pictures(12)
    images[:11] = 0  # one of them cannot be fitted
    assert [name for name, *_ in baselines.baselines(images, labels, look(images)[0])] == ["5 nearest neighbors"]


def test_wrong_labels_come_first(tmp_path):
    labels, test_labels = LABELS.copy(), OTHER_LABELS.copy()
    wrong, test_wrong = [17, 218, 419], [44, 145]
    labels[wrong] = (LABELS[wrong] + 3) % 10
    test_labels[test_wrong] = (OTHER_LABELS[test_wrong] + 3) % 10
    found = label_errors.suspects(labels, test_labels, look(IMAGES), 10, count=10)
    for part, places, known in (("train", wrong, LABELS), ("test", test_wrong, OTHER_LABELS)):
        first = [suspect for suspect in found if suspect.part == part][: len(places)]
        assert sorted(suspect.index for suspect in first) == places
        assert all(suspect.other == known[suspect.index] and suspect.score > 0 for suspect in first)
    label_errors.write_csv(found, [f"class {k}" for k in range(10)], tmp_path / "found.csv", count=3)
    with open(tmp_path / "found.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["part"] for row in rows] == ["train"] * 3 + ["test"] * 3
    assert sorted(int(row["index"]) for row in rows[:3]) == wrong
    first = int(rows[0]["index"])
    assert (rows[0]["label"], rows[0]["looks_like"]) == (f"class {labels[first]}", f"class {LABELS[first]}")


def test_a_network_that_has_learned_wrong_labels_still_helps_to_find_them():
    rng, truth = np.random.default_rng(0), np.arange(300) % 10
    labels, wrong = truth.copy(), [17, 118, 219]
    labels[wrong] = (truth[wrong] + 3) % 10
    features = 4 * np.eye(12)[truth] + 2 * np.eye(12)[labels] + rng.normal(size=(300, 12))
    probabilities = label_errors.network_probabilities(features, labels, 12)  # classes 10 and 11 have no images
    assert probabilities.shape == (300, 12) and not probabilities[:, 10:].any()
    scores, others = label_errors.margins(probabilities, labels)
    assert sorted(np.argsort(-scores)[:3]) == wrong
    assert (others[wrong] == truth[wrong]).all()


def test_labels_are_not_judged_by_a_model_that_was_fitted_to_them():
    """Random labels cannot be predicted, but can be learned by heart from as many features as images."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    probabilities = label_errors.network_probabilities(rng.normal(size=(60, 60)), labels, 2)
    assert (probabilities.argmax(axis=1) == labels).mean() < 0.7


def test_all_certain_suspects_are_kept_the_ones_with_the_closest_neighbors_first():
    labels = np.array([0, 0, 0, 0, 1, 1])
    distances = np.array([[3.0], [1.0], [2.0], [9.0], [9.0], [9.0]]).repeat(10, axis=1)
    indices = np.array([4, 4, 4, 1, 5, 4])[:, None].repeat(10, axis=1)  # the first three look like class 1
    near = (indices, distances), (indices[:1], distances[:1])
    found = label_errors.suspects(labels, labels[:1], near, 2, count=1)
    assert [(one.part, one.index) for one in found] == [("train", 1), ("train", 2), ("train", 0), ("test", 0)]
    assert {(one.other, one.score) for one in found} == {(1, 1.0)}
