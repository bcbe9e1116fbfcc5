"""A look inside: layers.py (any network, and the overview in pyimagesearch/README.md), convolution.py, occlusion.py."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from conftest import ROOT, chain, pictures
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.evaluation import convolution, occlusion
from pyimagesearch.evaluation.layers import activations, first_filters, layer_table
from pyimagesearch.minivggnet import MiniVGGNet


def test_the_overview_shows_the_network():
    """Its rows join a layer with those behind it that keep the shape and are neither convolutional nor dense."""
    text, rows = (ROOT / "pyimagesearch/README.md").read_text(), []
    for name, shape, parameters, _ in layer_table(MiniVGGNet.build(28, 28, 1, 10)):
        if name in ("BatchNormalization", "ReLU", "Dropout"):
            before, same_shape, before_parameters = rows.pop()
            assert shape == same_shape
            name, parameters = f"{before}; {name}", before_parameters + parameters
        rows.append((name, shape, parameters))
    shown = re.findall(r"^\| (.+?) +\| (.+?) +\| +([\d,]+|-) \|$", text, re.M)
    assert [(name, shape, int(n.replace(",", "").replace("-", "0"))) for name, shape, n in shown] == rows
    assert f"{sum(row[2] for row in rows):,}" in text


def residual():
    inputs = keras.Input((28, 28, 1))
    first = layers.Conv2D(8, 5, padding="same", activation="relu")(inputs / 255)
    normalize = layers.BatchNormalization()  # called twice, with parameters that count once
    second = normalize(layers.Conv2D(8, 3, padding="same")(first))
    joined = layers.ReLU()(normalize(layers.Add()([first, second])))
    pooled = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(16, 3, strides=2)(joined))
    return keras.Model(inputs, layers.Dense(10)(pooled))


def nested():
    second = chain(layers.Conv2D(4, 3), shape=(26, 26, 4))
    return chain(chain(layers.Conv2D(4, 3), layers.ReLU()), chain(second, shape=(26, 26, 4)))


NESTED = [("ReLU", "26 x 26 x 4", 0, [1]), ("Conv2D 3x3, 4 filters", "24 x 24 x 4", 148, [2])]
# Each row names those that it takes.
RESIDUAL = [("Conv2D 5x5, 8 filters, relu", "28 x 28 x 8", 208, [1]), ("Add", "28 x 28 x 8", 0, [2, 4])]


@pytest.mark.parametrize(
    ("model", "rows", "shapes"),
    [
        (residual, RESIDUAL, [(28, 28, 8), (28, 28, 8), (13, 13, 16)]),
        (lambda: chain(layers.Dense(5, "relu"), shape=(None, 4)), [("Dense 5, relu", "any x 5", 25, [0])], []),
        (nested, NESTED, [(26, 26, 4), (24, 24, 4)]),
    ],
)
def test_any_network_is_described_layer_by_layer(model, rows, shapes):
    model = model()
    table = layer_table(model)
    assert [row for row in table if row in rows] == rows
    assert sum(row[2] for row in table) == model.count_params()
    maps = activations(model, np.zeros([size or 28 for size in model.input_shape[1:]], np.float32))
    assert [array.shape for _, array in maps] == shapes
    assert not shapes or first_filters(model).shape[-1] == shapes[0][-1]
    for number, (title, array) in enumerate(maps, 1):
        assert title == f"convolution {number}: {' x '.join(map(str, array.shape))}"


def test_activations_are_those_after_normalization_and_relu_and_not_of_a_random_copy():
    following = layers.Conv2D(2, 3), layers.BatchNormalization(), layers.ReLU()
    model = chain(layers.RandomTranslation(0.5, 0.5), *following)
    image = np.random.default_rng(0).random((28, 28, 1), np.float32)
    expected = keras.ops.convert_to_numpy(keras.Sequential(following)(image[None]))[0]
    np.testing.assert_allclose(activations(model, image)[0][1], expected, atol=1e-5)
    assert expected.min() == 0


def test_convolution_and_pooling_are_those_of_keras():
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


WHITE = np.full((28, 28, 1), 255, np.uint8)


def looks_at(row, column):
    """Return a network of two classes that is certain of class 0 if this pixel is white, of class 1 if it is black."""
    return lambda images: np.stack([images[:, row, column, 0] / 255, 1 - images[:, row, column, 0] / 255], axis=1)


@pytest.mark.parametrize("place, rows, columns", [((10, 20), (7, 14), (17, 24)), ((0, 27), (0, 4), (24, 28))])
def test_the_map_of_a_network_that_looks_at_one_pixel(place, rows, columns):
    image = WHITE.copy()
    one = occlusion.explain(looks_at(*place), "corner", image)
    expected = np.zeros((28, 28))
    expected[slice(*rows), slice(*columns)] = 1
    np.testing.assert_array_equal(one.falls, expected)
    assert (one.predicted, one.truth, one.probabilities.tolist()) == (0, None, [1, 0])
    assert (image == 255).all()
    # Of the other class, the probability rises.
    np.testing.assert_array_equal(occlusion.explain(looks_at(*place), "", image, predicted=1).falls, -expected)


def test_what_is_printed():
    one = occlusion.explain(looks_at(10, 20), "test image 3", WHITE, truth=1)
    line = "test image 3: T-shirt/top 100% (label: Trouser); 100 percentage points less without the pixels around row 7"
    assert one.describe(CLASS_NAMES).startswith(line)
    dark = occlusion.explain(looks_at(10, 20), "a.png", WHITE * 0)
    assert dark.describe(CLASS_NAMES) == "a.png: Trouser 100%; no place matters alone"
