"""network.py, minivggnet.py: what is built is trained; what does not apply is said; mistakes are sentences."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

from conftest import data
from pyimagesearch.errors import UserError
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.recipes import RECIPES, Recipe
from pyimagesearch.training import network
from pyimagesearch.training.train import compiled


def image():
    return keras.Input((28, 28, 1))


def softmax(classes=10):
    return layers.Dense(classes, activation="softmax")


def replace_build(monkeypatch, make):
    """Let MiniVGGNet.build() return what make() returns: a model, or a list of the layers of a Sequential."""

    def build(width, height, depth, classes):
        made = make()
        return keras.Sequential(made) if isinstance(made, list) else made

    monkeypatch.setattr(MiniVGGNet, "build", build)


def test_a_choice_of_the_recipe_that_makes_no_difference_is_left_out(capsys, monkeypatch):
    recipe = dataclasses.replace(RECIPES["best"], network={})
    assert network.adapt(recipe, 10, 0)[1] == recipe
    assert capsys.readouterr().out == ""

    def ignores(width, height, depth, classes, dense=512, units=4):
        model = keras.Sequential([image(), layers.Flatten(), layers.Dense(units), softmax()])
        model.compile("adam", "mse")
        return model

    monkeypatch.setattr(MiniVGGNet, "build", ignores)
    assert network.adapt(Recipe(1, network={"dense": 8, "units": 5}), 10, 0)[1].network == {"units": 5}
    printed = capsys.readouterr().out
    assert "left out: the recipe's dense=8, which makes no difference" in printed and "recipe sets units=5" in printed
    assert "left out: what minivggnet.py gives to compile()" in printed


class NoConfig(layers.Identity):
    def __init__(self, function):
        super().__init__()


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: [keras.Input((784,)), softmax()], r"takes \(784,\) for an image, and the images are \(28, 28, 1\)"),
        (lambda: [image(), layers.Flatten(), softmax(8)], r"10 probabilities .* its output is \(8,\); .*softmax"),
        (lambda: [image(), layers.Flatten(), layers.Dense(10)], "does not predict 10 probabilities.*softmax"),
        (lambda: [image(), NoConfig(print), layers.Flatten(), softmax()], "cannot be saved.*get_config"),
        (lambda: [image(), layers.Flatten(), layers.Conv2D(8, 3), softmax()], "cannot build the network of mini"),
        (lambda: None, "MiniVGGNet.build returned NoneType; let it return a keras.Sequential"),
        (type("Subclass", (keras.Model,), {}), "returned Subclass"),
    ],
)
def test_a_network_that_cannot_be_trained_is_a_sentence(monkeypatch, make, text):
    replace_build(monkeypatch, make)
    with pytest.raises(UserError, match=text) as failure:
        network.adapt(RECIPES["classic"], 10, 0)
    assert "\n" not in str(failure.value)


def test_pixels_that_are_divided_twice_are_told(monkeypatch, capsys):
    inputs = image()
    divided = keras.Model(inputs, layers.Flatten()(inputs / 255.0))
    nested = keras.Sequential([layers.Rescaling(1 / 127.5, -1), layers.Flatten()])
    for first, told in (divided, True), (nested, True), (layers.Rescaling(2, -1), False):
        replace_build(monkeypatch, lambda first=first: [image(), first, layers.Flatten(), softmax()])
        network.adapt(RECIPES["classic"], 10, 0)
        printed = capsys.readouterr().err
        assert ("divided by 255 already" in printed, "from .keras files" in printed) == (told, first is divided)


def convolution(*before, after=(), bias=False, **options):
    return [*before, layers.Conv2D(8, 3, use_bias=bias, **options), *(after or [layers.BatchNormalization()])]


@pytest.mark.parametrize(
    "make, fits",
    [
        (lambda: convolution(), True),
        (lambda: convolution(layers.Dropout(0.1)), False),
        (lambda: convolution(after=[layers.ReLU()]), False),
        (lambda: convolution(bias=True), False),
        (lambda: convolution(activation="relu"), False),
        (lambda: convolution(after=[layers.BatchNormalization(scale=False)]), False),
        (lambda: convolution(dilation_rate=2), False),
        (list, False),  # without an input, too: it is built for the images
    ],
)
def test_whitening_is_left_out_where_it_does_not_fit(monkeypatch, capsys, make, fits):
    replace_build(monkeypatch, lambda: [*make(), layers.Flatten(), softmax()])
    model, recipe = network.adapt(RECIPES["fast"], 10, 0)
    assert model.input_shape == (None, 28, 28, 1)
    assert recipe.whitening == fits
    assert ("no whitening" in capsys.readouterr().out) != fits
    compiled(recipe, model, data(40)[0], 0, 10)


def test_another_network_has_another_fingerprint_and_another_seed_other_weights(monkeypatch):
    recipes = [Recipe(1, network={"filters": (8,), "dropout": dropout}) for dropout in (0.2, 0.2, 0.3)]
    one, other, *more = (network.build(recipe, 10, seed) for seed, recipe in enumerate(recipes))
    assert (one.get_weights()[0] != other.get_weights()[0]).any()
    seen = {network.fingerprint(model) for model in (one, other, *more)}
    assert len(seen) == 2
    replace_build(monkeypatch, lambda: [image(), layers.Flatten(), softmax()])
    assert network.fingerprint(network.build(Recipe(1), 10, 0)) not in seen
    replace_build(monkeypatch, lambda: [image(), keras.Sequential(convolution()), layers.Flatten(), softmax()])
    assert len({network.fingerprint(network.build(Recipe(1), 10, 0)) for _ in range(2)}) == 1


@pytest.mark.parametrize("width, height, depth, classes", [(4, 4, 1, 2), (33, 18, 3, 5)])
def test_any_size_gives_probabilities(width, height, depth, classes):
    model = MiniVGGNet.build(width, height, depth, classes)
    assert model.input_shape == (None, height, width, depth)
    output = np.asarray(model(np.random.default_rng(0).random((2, height, width, depth), np.float32)))
    assert output.shape == (2, classes)
    np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-5)


def test_wider_and_deeper_networks_are_of_the_same_kind_until_the_image_is_too_small():
    model = MiniVGGNet.build(28, 28, 1, 10, filters=(8, (16, 24, 16), [8]), dense=40, dropout=0.1, dense_dropout=0.3)
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    maps = [(28, 28, 8), (28, 28, 8), (14, 14, 16), (14, 14, 24), (14, 14, 16), (7, 7, 8)]
    assert [layer.output.shape[1:] for layer in convolutions] == maps
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)] == [0.1] * 3 + [0.3]
    assert model.layers[-1].input.shape == (None, 40)
    assert [layer.output.shape for layer in model.layers if layer.name.startswith("flatten")] == [(None, 3 * 3 * 8)]
    with pytest.raises(UserError, match=r"minivggnet.py, line \d+: images of 28x28x1 are too small for 6 blocks"):
        network.adapt(Recipe(1, network={"filters": (8,) * 6}), 10, 0)


def test_without_a_dense_layer_the_classifier_sees_the_mean_of_each_feature_map():
    model = MiniVGGNet.build(28, 28, 1, 10, filters=(8, 16, 24), dense=0)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Dense") == 1 and "Flatten" not in kinds
    images = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
    maps, features = keras.Model(model.inputs, [model.layers[-3].output, model.layers[-1].input])(images)
    assert maps.shape == (2, 3, 3, 24)
    np.testing.assert_allclose(features, np.mean(maps, axis=(1, 2)), rtol=1e-5)
