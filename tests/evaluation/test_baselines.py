"""baselines.py: they learn what is easy, and are measured on images that they were not fitted to."""

import numpy as np

from conftest import pictures
from pyimagesearch.evaluation import baselines, neighbors


def measure(images, labels):
    near = neighbors.nearest_neighbors(*neighbors.project(images, images[:10]))
    return baselines.baselines(images, labels, near[0])


def test_baselines_learn_what_is_easy_and_are_measured_on_all_classes_of_sorted_data():
    images, labels = pictures(600, seed=1)
    order = np.argsort(labels, kind="stable")
    results = measure(images[order], labels[order])
    assert len(results) == 2
    for name, how, predicted, true in results:
        assert (predicted == true).mean() > 0.95, name
        assert len(true) == (600 if "from the others" in how else 60) and set(true) == set(range(10))


def test_baselines_are_measured_on_images_that_they_were_not_fitted_to():
    """With random labels nothing can be learned; what is measured on its own training images has learned them."""
    labels = np.random.default_rng(0).integers(0, 10, 600)
    for name, how, predicted, true in measure(pictures(600, seed=1)[0], labels):
        assert (predicted == true).mean() < 0.3, name
        np.testing.assert_array_equal(true, labels if "from the others" in how else labels[540:])


def test_what_cannot_be_fitted_is_left_out():
    images, labels = pictures(12)
    images[:11] = 0
    assert [name for name, *_ in measure(images, labels)] == ["5 nearest neighbors"]
