"""minivggnet.py builds the network that pyimagesearch/README.md describes."""

import re

import keras
import numpy as np
import pytest

from conftest import ROOT
from pyimagesearch.minivggnet import MiniVGGNet, structure


def test_the_overview_tells_the_structure():
    row = r"^\| (.+?) +\| (.+?) +\| +([\d,]+|-) \| +([\d,]+|-) \| +(\d+) \|$"
    table = re.findall(row, (ROOT / "pyimagesearch/README.md").read_text(), re.M)
    rows = structure(MiniVGGNet.build(28, 28, 1, 10))
    told = [(*row[:2], *(int(n.replace(",", "").replace("-", "0")) for n in row[2:])) for row in table]
    assert told == rows
    assert f"{sum(row[2] for row in rows):,}" in (ROOT / "pyimagesearch/README.md").read_text()


def test_layers_are_conv_bn_relu_without_needless_bias():
    model = MiniVGGNet.build(28, 28, 1, 10)
    names = [type(layer).__name__ for layer in model.layers]
    for index, layer in enumerate(model.layers[:-1]):
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            assert names[index + 1 : index + 3] == ["BatchNormalization", "ReLU"]
            assert not layer.use_bias
    assert names.count("Conv2D") == 4
    assert not getattr(model, "compiled", False)


@pytest.mark.parametrize("width, height, depth, classes", [(28, 28, 1, 10), (4, 4, 1, 2), (33, 18, 3, 5)])
def test_any_size_gives_probabilities(width, height, depth, classes):
    model = MiniVGGNet.build(width, height, depth, classes)
    assert model.input_shape == (None, height, width, depth)
    output = np.asarray(model(np.random.default_rng(0).random((2, height, width, depth), np.float32)))
    assert output.shape == (2, classes)
    np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "arguments, name",
    [((3, 28, 1, 10), "width"), ((28, 0, 1, 10), "height"), ((28, 28, 0, 10), "depth"), ((28, 28, 1, 1), "classes"),
     ((28.0, 28, 1, 10), "width"), (("28", 28, 1, 10), "width"), ((28, 28, True, 10), "depth")],
)  # fmt: skip
def test_bad_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"^{name} must be a whole number"):
        MiniVGGNet.build(*arguments)


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"dropout": (0.1, 0.1)}, "dropout must be 3 rates"),
        ({"dropout": (0, 0, 1)}, "dropout must be 3 rates"),
        ({"dropout": (-0.1, 0, 0)}, "dropout must be 3 rates"),
        ({"filters": (8, 8, 8)}, "dropout must be 4 rates"),
        ({"filters": ()}, "filters must have a number for each block"),
        ({"filters": (8, 0)}, "filters must be a whole number of 1 or more"),
        ({"dense": 1.5}, "dense must be a whole number"),
        ({"width": 7, "filters": (8, 8, 8), "dropout": (0, 0, 0, 0)}, "width must be a whole number of 8 or more"),
    ],
)
def test_bad_choices_are_named(wrong, words):
    with pytest.raises(ValueError, match="^" + words):
        MiniVGGNet.build(**{"width": 28, "height": 28, "depth": 1, "classes": 10} | wrong)


def test_wider_and_deeper_networks_are_of_the_same_kind():
    model = MiniVGGNet.build(28, 28, 1, 10, (0, 0, 0, 0), filters=(8, 16, 24), dense=40)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [8, 8, 16, 16, 24, 24]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert model.layers[-1].input.shape == (None, 40)
    assert [row[1] for row in structure(model) if row[0] == "Flatten"] == [str(3 * 3 * 24)]


def test_dropout_rates_are_used():
    model = MiniVGGNet.build(28, 28, 1, 10, dropout=(0.1, 0.2, 0.3))
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.1, 0.2, 0.3]
