"""neighbors.py: neighbors are others, and duplicates are found once each."""

import numpy as np

from conftest import pictures
from pyimagesearch.evaluation import neighbors


def look(images, test_images):
    return neighbors.nearest_neighbors(*neighbors.project(images, test_images))


def test_duplicates_are_found_once_each_within_and_between():
    images, labels = pictures(300, seed=1)
    test_images, test_labels = pictures(100, seed=2)
    images[200] = images[10]
    images[201] = images[20]
    images[201, 14, 14] ^= 8  # one pixel by 8/255: nearly the same
    test_images[5] = images[33]
    near = look(images, test_images)
    assert neighbors.duplicates(images, images, near[0]) == ([(10, 200)], [(20, 201)])
    assert neighbors.duplicates(images, test_images, near[1]) == ([(33, 5)], [])


def test_no_image_is_its_own_neighbor():
    images, labels = pictures(120)
    images[1:15] = images[0]  # more copies than neighbors are asked for
    near = look(images, images[:10])
    indices, distances = near[0]
    assert indices.shape == distances.shape == (120, 10)
    assert (indices != np.arange(120)[:, None]).all()
    assert (np.diff(distances) >= 0).all()


def test_close_is_less_than_1_in_pixels_from_0_to_1():
    """By the distances of all 784 pixels, not by those of the projection."""
    images = np.zeros((4, 28, 28), np.uint8)
    images[1, 0, 0] = 254  # a distance of 254/255
    images[2, 0, :2] = 255, 1  # of a little over 1
    images[3] = 255
    neighbors_of_first = np.array([[1, 2, 3]]), np.array([[0.1, 0.1, 0.1]])
    assert neighbors.duplicates(images, images[:1], neighbors_of_first) == ([], [(1, 0)])
