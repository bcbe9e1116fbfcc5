"""convolution.py computes what Keras computes."""

import numpy as np
import pytest

from conftest import pictures
from pyimagesearch.evaluation import convolution


@pytest.mark.parametrize("kernel", [convolution.EDGES, np.random.default_rng(0).normal(size=(5, 5))])
def test_convolution_and_pooling_are_those_of_keras(kernel):
    import keras

    image = pictures(1)[0][0]
    conv = keras.layers.Conv2D(1, len(kernel), padding="same", use_bias=False)
    conv.build((None, 28, 28, 1))
    conv.set_weights([kernel[:, :, None, None]])
    expected = conv(image[None, ..., None].astype(np.float32))
    feature_map = convolution.convolve(image, kernel)
    np.testing.assert_allclose(feature_map, np.asarray(expected)[0, ..., 0], rtol=1e-4, atol=1e-2)
    pooled = np.asarray(keras.layers.MaxPooling2D(2)(expected))[0, ..., 0]
    np.testing.assert_allclose(convolution.max_pool(feature_map), pooled, rtol=1e-4, atol=1e-2)


def test_one_place_by_hand():
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert convolution.neighborhood(image, 1, 2).tolist() == [[1, 2, 3], [5, 6, 7], [9, 10, 11]]
    assert convolution.neighborhood(image, 0, 0).tolist() == [[0, 0, 0], [0, 0, 1], [0, 4, 5]]
    assert convolution.convolve(image, convolution.EDGES)[1, 2] == 6  # 3 + 7 + 11 - 1 - 5 - 9
    assert convolution.max_pool(image[:, :3]).tolist() == [[5], [13]]


def test_the_example_is_a_large_sum_that_pooling_keeps_with_light_in_each_row_and_column():
    image = np.zeros((28, 28), np.uint8)
    image[5, 5] = 255
    feature_map = convolution.convolve(image, convolution.EDGES)
    assert convolution.example_place(image, feature_map) == (4, 4)
    image[10:20, 10:15], image[10:20, 15:20] = 20, 90
    feature_map = convolution.convolve(image, convolution.EDGES)
    assert convolution.example_place(image, feature_map) == (11, 14)  # 3 * (90 - 20), not 3 * 90 at the border
    for seed in range(5):
        image = np.random.default_rng(seed).integers(-600, 256, (28, 28)).clip(0)  # most pixels are black
        feature_map = convolution.convolve(image, convolution.EDGES)
        row, column = convolution.example_place(image, feature_map)
        assert feature_map[row, column] == convolution.max_pool(feature_map)[row // 2, column // 2]
