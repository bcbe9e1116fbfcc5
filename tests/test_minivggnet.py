"""minivggnet.py: layers, shapes, arguments."""

import keras
import numpy as np
import pytest

from pyimagesearch.minivggnet import MiniVGGNet


@pytest.mark.parametrize("width, height, depth, classes", [(4, 4, 1, 2), (33, 18, 3, 5)])
def test_any_size_gives_probabilities(width, height, depth, classes):
    model = MiniVGGNet.build(width, height, depth, classes)
    assert model.input_shape == (None, height, width, depth)
    output = np.asarray(model(np.random.default_rng(0).random((2, height, width, depth), np.float32)))
    assert output.shape == (2, classes)
    np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-5)


def test_wider_and_deeper_networks_are_of_the_same_kind():
    model = MiniVGGNet.build(28, 28, 1, 10, filters=(8, (16, 24, 16), [8]), dense=40, dropout=0.1, dense_dropout=0.3)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    maps = [(28, 28, 8), (28, 28, 8), (14, 14, 16), (14, 14, 24), (14, 14, 16), (7, 7, 8)]
    assert [layer.output.shape[1:] for layer in convolutions] == maps
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.1] * 3 + [0.3]
    assert model.layers[-1].input.shape == (None, 40)
    assert [layer.output.shape for layer in model.layers if layer.name.startswith("flatten")] == [(None, 3 * 3 * 8)]


def test_without_a_dense_layer_the_classifier_sees_the_mean_of_each_feature_map():
    model = MiniVGGNet.build(28, 28, 1, 10, filters=(8, 16, 24), dense=0)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Dense") == 1 and "Flatten" not in kinds
    images = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
    maps, features = keras.Model(model.inputs, [model.layers[-3].output, model.layers[-1].input])(images)
    assert maps.shape == (2, 3, 3, 24)
    np.testing.assert_allclose(features, np.mean(maps, axis=(1, 2)), rtol=1e-5)
