"""convolution.py computes what Keras computes."""

import numpy as np

from conftest import pictures
from pyimagesearch.evaluation import convolution


def test_convolution_and_pooling_are_those_of_keras():
    import keras

    image, kernel = pictures(1)[0][0], np.arange(9).reshape(3, 3)
    conv = keras.layers.Conv2D(1, 3, padding="same", use_bias=False)
    conv.build((None, 28, 28, 1))
    conv.set_weights([kernel[:, :, None, None]])
    expected = conv(image[None, ..., None].astype(np.float32))
    feature_map = convolution.convolve(image, kernel)
    np.testing.assert_allclose(feature_map, np.asarray(expected)[0, ..., 0])
    pooled = np.asarray(keras.layers.MaxPooling2D(2)(expected))[0, ..., 0]
    np.testing.assert_allclose(convolution.max_pool(feature_map), pooled)
    assert convolution.max_pool(np.arange(12).reshape(4, 3)).tolist() == [[4], [10]]  # a column that fills no block


def test_the_example_is_a_large_sum_that_pooling_keeps_with_light_in_each_row_and_column():
    image = np.zeros((28, 28), np.uint8)
    image[5, 5] = 255
    feature_map = convolution.convolve(image, convolution.EDGES)
    assert convolution.example_place(image, feature_map) == (4, 4)
    image[10:20, 10:15], image[10:20, 15:20] = 20, 90
    feature_map = convolution.convolve(image, convolution.EDGES)
    assert convolution.example_place(image, feature_map) == (11, 14)  # 3 * (90 - 20), not 3 * 90 at the border
