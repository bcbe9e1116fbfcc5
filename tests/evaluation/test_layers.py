"""layers.py: the overview in pyimagesearch/README.md, and the layers and feature maps of any network."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from conftest import ROOT
from pyimagesearch.evaluation.layers import activations, layer_table
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
    second = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(first))
    joined = layers.ReLU()(layers.Add()([first, second]))
    pooled = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(16, 3, strides=2)(joined))
    return keras.Model(inputs, layers.Dense(10)(pooled))


def chain(shape, *members):
    return keras.Sequential([keras.Input(shape), *members])


@pytest.mark.parametrize(
    ("model", "rows", "shapes"),
    [
        (residual, [("Conv2D 5x5, 8 filters, relu", "28 x 28 x 8", 208)], [(28, 28, 8), (28, 28, 8), (13, 13, 16)]),
        (lambda: chain((None, 4), layers.Dense(5, "relu"), layers.Dense(10)), [("Dense 5, relu", "any x 5", 25)], []),
        (lambda: chain((28, 28, 1), chain((28, 28, 1), layers.Conv2D(4, 3))), [("Sequential", "26 x 26 x 4", 40)], []),
    ],
)
def test_any_network_is_described_layer_by_layer(model, rows, shapes):
    model = model()
    table = layer_table(model)
    assert [row[:3] for row in table if row[:3] in rows] == rows
    assert sum(row[2] for row in table) == model.count_params()
    maps = activations(model, np.zeros([size or 28 for size in model.input_shape[1:]], np.float32))
    assert [array.shape for _, array in maps] == shapes
    for number, (title, array) in enumerate(maps, 1):
        assert title == f"convolution {number}: {' x '.join(map(str, array.shape))}"


def test_each_row_names_those_that_it_takes():
    table = layer_table(residual())
    inputs = {name.partition(" ")[0]: places for name, *_, places in table}
    rows = [name.partition(" ")[0] for name, *_ in table]
    assert inputs["Input"] == [] and inputs["Add"] == [2, 4]
    assert rows[2:5] == ["Conv2D", "Conv2D", "BatchNormalization"]
    assert inputs["SeparableConv2D"] == [rows.index("ReLU")]


def test_activations_are_those_after_normalization_and_relu():
    model = MiniVGGNet.build(28, 28, 1, 10)
    image = np.random.default_rng(0).random((28, 28, 1), np.float32)
    first = keras.ops.convert_to_numpy(keras.Sequential(model.layers[:3])(image[None]))[0]
    np.testing.assert_allclose(activations(model, image)[0][1], first, atol=1e-6)
    assert first.min() == 0


def test_activations_are_those_of_the_image_not_of_a_random_copy():
    model = chain((28, 28, 1), layers.RandomTranslation(0.5, 0.5), layers.Conv2D(2, 3))
    image = np.random.default_rng(0).random((28, 28, 1), np.float32)
    expected = model.layers[1](image[None])[0]
    np.testing.assert_allclose(activations(model, image)[0][1], expected, atol=1e-5)
