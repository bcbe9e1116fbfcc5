"""analysis.py: what it says of the data is so."""

import csv
import dataclasses

import numpy as np
import pytest

from conftest import pictures
from pyimagesearch.errors import UserError
from pyimagesearch.evaluation import analysis
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files import saving
from pyimagesearch.recipes import RECIPES
from pyimagesearch.training.train import train

CLASSES = [f"class {number}" for number in range(10)]


def look(images, labels, test_images, test_labels):
    return analysis.neighbours(*analysis.project(images, test_images))


def test_duplicates_are_found_once_each_within_and_between():
    images, labels = pictures(300, seed=1)
    test_images, test_labels = pictures(100, seed=2)
    images[200] = images[10]
    images[201] = images[20]
    images[201, 14, 14] ^= 8  # one pixel by 8/255: nearly the same
    test_images[5] = images[33]
    near = look(images, labels, test_images, test_labels)
    assert analysis.duplicates(images, images, near.train) == ([(10, 200)], [(20, 201)])
    assert analysis.duplicates(images, test_images, near.test) == ([(33, 5)], [])


def test_no_picture_is_its_own_neighbour():
    images, labels = pictures(120)
    images[1:15] = images[0]  # more copies than neighbours are asked for
    near = look(images, labels, images[:10], labels[:10])
    indices, distances = near.train
    assert indices.shape == distances.shape == (120, 10)
    assert (indices != np.arange(120)[:, None]).all()
    assert (np.diff(distances) >= 0).all()


def test_wrong_labels_come_first(tmp_path):
    images, truth = pictures(600, seed=1)
    test_images, test_truth = pictures(200, seed=2)
    labels, test_labels = truth.copy(), test_truth.copy()
    wrong, test_wrong = [17, 218, 419], [44, 145]
    labels[wrong] = (truth[wrong] + 3) % 10
    test_labels[test_wrong] = (test_truth[test_wrong] + 3) % 10
    near = look(images, labels, test_images, test_labels)
    doubts = analysis.suspicious(labels, test_labels, near, count=10)
    for part, places, known in (("train", wrong, truth), ("test", test_wrong, test_truth)):
        first = [doubt for doubt in doubts if doubt.part == part][: len(places)]
        assert sorted(doubt.index for doubt in first) == places
        assert all(doubt.other == known[doubt.index] and doubt.score > 0 for doubt in first)
    analysis.write_csv(doubts, CLASSES, tmp_path / "doubts.csv", count=3)
    with open(tmp_path / "doubts.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["part"] for row in rows] == ["train"] * 3 + ["test"] * 3
    assert sorted(int(row["index"]) for row in rows[:3]) == wrong
    assert rows[0]["looks_like"] == CLASSES[truth[int(rows[0]["index"])]]


def test_a_network_that_has_learned_wrong_labels_still_helps_to_find_them(tmp_path):
    images, truth = pictures(600, seed=1)
    test_images, test_labels = pictures(100, seed=2)
    labels, wrong = truth.copy(), [17, 218, 419]
    labels[wrong] = (truth[wrong] + 3) % 10
    recipe = dataclasses.replace(RECIPES["fast"], epochs=4, batch_size=16, learning_rate=0.02)
    model, _ = train(recipe, (images[..., None], labels), (test_images[..., None], test_labels), 10, seed=0)
    record = {"recipe": "fast", "epochs": 4, "seed": 0, "training_images": 600, "versions": {}}
    saving.save(model, tmp_path / "model.h5", record | {"input_range": saving.INPUT_RANGE})
    analysis.check(tmp_path / "model.h5")
    named, test_named = analysis.ask(tmp_path / "model.h5", images, labels, test_images)
    assert named.shape == (600, 10)
    assert (test_named.argmax(axis=1) == test_labels).mean() > 0.9
    near = look(images, labels, test_images, test_labels)
    doubts = analysis.suspicious(labels, test_labels, near, (named, test_named), count=10)
    first = [doubt for doubt in doubts if doubt.part == "train"][:3]
    assert sorted(doubt.index for doubt in first) == wrong
    assert all(doubt.other == truth[doubt.index] for doubt in first)


def test_a_network_from_elsewhere_is_not_asked(tmp_path):
    saving.save(MiniVGGNet.build(28, 28, 1, 10), tmp_path / "model.h5", {})
    with pytest.raises(UserError, match="was not made by"):
        analysis.check(tmp_path / "model.h5")


def test_suspicion_is_the_margin_to_the_best_other_class():
    scores, others = analysis.suspicion(np.array([[0.7, 0.2, 0.1], [0.1, 0.9, 0.0]]), np.array([0, 0]))
    np.testing.assert_allclose(scores, [-0.5, 0.8])
    assert others.tolist() == [1, 1]


def test_baselines_learn_what_is_easy_and_name_what_they_confuse():
    images, labels = pictures(600, seed=1)
    near = look(images, labels, images[:10], labels[:10])
    results = list(analysis.baselines(images, labels, near))
    assert len(results) == 3
    assert all(accuracy > 0.95 for _, accuracy, *_ in results)
    assert analysis.confused(np.array([1, 1, 0, 2]), np.array([0, 0, 1, 2]), 1) == [(3, 0, 1)]


def test_class_pictures():
    images, labels = pictures(100)
    means, typical, deviations = analysis.class_pictures(images, labels)
    for number in range(10):
        own = images[labels == number]
        np.testing.assert_allclose(means[number], own.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(deviations[number], own.std(axis=0), atol=1e-3)
        assert any((typical[number] == picture).all() for picture in own)
