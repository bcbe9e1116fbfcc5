"""experiments.py: what is done to the images, which networks are compared, and the ladder."""

import experiments
import numpy as np


def test_shuffled_images_have_the_same_pixels_in_the_same_other_order():
    images = np.arange(2 * 784, dtype=np.int32).reshape(2, 28, 28, 1)
    shuffled = experiments.shuffle(images)
    np.testing.assert_array_equal(shuffled[1] - shuffled[0], 784)
    np.testing.assert_array_equal(np.sort(shuffled[0].ravel()), np.arange(784))
    assert (shuffled[0] != images[0]).mean() > 0.9
    np.testing.assert_array_equal(experiments.shuffle(images), shuffled)


def test_the_networks_of_the_ladder_are_of_the_same_size():
    sizes = [build(28, 28, 1, 10).count_params() for _, build, _ in experiments.RUNGS.values()]
    assert sizes == [7_850, 1_678_255, 1_676_266, *[1_678_378] * 3]
