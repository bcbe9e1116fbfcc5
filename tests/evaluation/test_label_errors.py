"""label_errors.py: planted wrong labels come first."""

import csv

import numpy as np

from conftest import pictures
from pyimagesearch.evaluation import label_errors, neighbors

CLASSES = [f"class {number}" for number in range(10)]


def test_wrong_labels_come_first(tmp_path):
    images, truth = pictures(600, seed=1)
    test_images, test_truth = pictures(200, seed=2)
    labels, test_labels = truth.copy(), test_truth.copy()
    wrong, test_wrong = [17, 218, 419], [44, 145]
    labels[wrong] = (truth[wrong] + 3) % 10
    test_labels[test_wrong] = (test_truth[test_wrong] + 3) % 10
    near = neighbors.nearest_neighbors(*neighbors.project(images, test_images))
    found = label_errors.suspects(labels, test_labels, near, 10, count=10)
    for part, places, known in (("train", wrong, truth), ("test", test_wrong, test_truth)):
        first = [suspect for suspect in found if suspect.part == part][: len(places)]
        assert sorted(suspect.index for suspect in first) == places
        assert all(suspect.other == known[suspect.index] and suspect.score > 0 for suspect in first)
    label_errors.write_csv(found, CLASSES, tmp_path / "found.csv", count=3)
    with open(tmp_path / "found.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["part"] for row in rows] == ["train"] * 3 + ["test"] * 3
    assert sorted(int(row["index"]) for row in rows[:3]) == wrong
    assert rows[0]["looks_like"] == CLASSES[truth[int(rows[0]["index"])]]


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
    assert [(suspect.part, suspect.index, suspect.other, suspect.score) for suspect in found] == [
        ("train", 1, 1, 1.0),
        ("train", 2, 1, 1.0),
        ("train", 0, 1, 1.0),
        ("test", 0, 1, 1.0),
    ]
