"""baselines.py: they learn what is easy; statistics of classes that may be missing."""

import numpy as np

from conftest import pictures
from pyimagesearch.evaluation import baselines, neighbors


def test_baselines_learn_what_is_easy():
    images, labels = pictures(600, seed=1)
    near = neighbors.nearest_neighbors(*neighbors.project(images, images[:10]))
    results = list(baselines.baselines(images, labels, near[0]))
    assert len(results) == 3
    assert all(accuracy > 0.95 for _, _, accuracy, *_ in results)


def test_baselines_are_measured_on_images_that_they_were_not_fitted_to():
    """With random labels nothing can be learned; what is measured on its own training images has learned them."""
    images, _ = pictures(600, seed=1)
    labels = np.random.default_rng(0).integers(0, 10, 600)
    near = neighbors.nearest_neighbors(*neighbors.project(images, images[:10]))
    for name, how, accuracy, predicted, true in baselines.baselines(images, labels, near[0]):
        assert accuracy < 0.3, name
        assert accuracy == (predicted == true).mean()
        np.testing.assert_array_equal(true, labels if "leave-one-out" in how else labels[540:])


def test_data_that_is_sorted_by_class_is_measured_on_all_classes():
    images, labels = pictures(600, seed=1)
    order = np.argsort(labels, kind="stable")
    near = neighbors.nearest_neighbors(*neighbors.project(images[order], images[:10]))
    for name, how, accuracy, _, true in baselines.baselines(images[order], labels[order], near[0]):
        assert accuracy > 0.95, name
        assert len(true) == (600 if "leave-one-out" in how else 60) and set(true) == set(range(10))


def test_what_cannot_be_fitted_is_left_out():
    images, labels = pictures(12)
    images[:11] = 0
    near = neighbors.nearest_neighbors(*neighbors.project(images, images))
    assert [name for name, *_ in baselines.baselines(images, labels, near[0])] == ["5 nearest neighbors"]


def test_class_statistics():
    images, labels = pictures(100)
    images, labels = images[labels != 4], labels[labels != 4]
    means, typical, deviations = baselines.class_statistics(images, labels, 11)
    for number in set(range(10)) - {4}:
        own = images[labels == number]
        np.testing.assert_allclose(means[number], own.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(deviations[number], own.std(axis=0), atol=1e-3)
        distances = [((image - own.mean(axis=0)) ** 2).sum() for image in own]
        np.testing.assert_array_equal(typical[number], own[np.argmin(distances)])
    assert not means[[4, 10]].any()
