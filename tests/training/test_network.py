"""network.py: what minivggnet.py says is trained, what of a recipe does not apply is said, mistakes are sentences."""

import dataclasses

import keras
import pytest
from keras import layers

from conftest import data
from pyimagesearch.errors import UserError
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.recipes import RECIPES, Recipe
from pyimagesearch.training import network
from pyimagesearch.training.train import train
from pyimagesearch.training.whitening import misfit


def image():
    return keras.Input((28, 28, 1))


def softmax(classes=10):
    return layers.Dense(classes, activation="softmax")


def replace_build(monkeypatch, make):
    """Let MiniVGGNet.build(width, height, depth, classes) return a Sequential of the layers that make() returns."""
    monkeypatch.setattr(MiniVGGNet, "build", lambda width, height, depth, classes: keras.Sequential(make()))


def test_the_recipe_says_where_it_differs_from_minivggnet(capsys):
    recipe = Recipe(1, network={"dropout": 0.25, "dense": 8, "bias": 1})
    assert network.adapt(recipe, 10, 0)[1].network == {"dropout": 0.25, "dense": 8}
    assert capsys.readouterr().out.splitlines() == [
        "  the recipe sets dense=8 (minivggnet.py: 512)",
        "  left out: the recipe's bias=1, which MiniVGGNet.build does not take",
    ]
    assert network.build(recipe, 10, 0).layers[-1].input.shape == (None, 8)


def test_what_applies_is_left_as_it_is(capsys):
    recipe = dataclasses.replace(RECIPES["best"], network={})
    assert network.adapt(recipe, 10, 0)[1] == recipe
    assert capsys.readouterr().out == ""


def test_any_argument_that_build_takes_is_given(monkeypatch):
    given = {}

    def build(width, height, depth, classes, **options):
        given.update(options)
        return keras.Sequential([image(), layers.Flatten(), softmax()])

    monkeypatch.setattr(MiniVGGNet, "build", build)
    network.adapt(RECIPES["fast"], 10, 0)
    assert given == {"dropout": 0, "dense_dropout": 0}


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: [keras.Input((784,)), softmax()], "takes 784 for an image, and the images are 28x28x1"),
        (lambda: [keras.Input((14, 28, 1)), layers.Flatten(), softmax()], "takes 14x28x1"),
        (lambda: [image(), layers.Flatten(), softmax(8)], "has the output 8 for an image, and the data has 10 classes"),
        (lambda: [image(), softmax()], "has the output 28x28x10"),
        (lambda: [image(), layers.Flatten(), layers.Dense(10)], "does not predict probabilities.*softmax"),
        (
            lambda: [image(), layers.Flatten(), layers.Conv2D(8, 3), softmax()],
            "cannot build the network of minivggnet.py: ",
        ),
    ],
)
def test_a_network_that_cannot_be_trained_is_a_sentence(monkeypatch, make, text):
    replace_build(monkeypatch, make)
    with pytest.raises(UserError, match=text) as failure:
        network.adapt(RECIPES["classic"], 10, 0)
    assert "\n" not in str(failure.value)


def test_a_build_without_return_is_a_sentence(monkeypatch):
    monkeypatch.setattr(MiniVGGNet, "build", lambda *sizes: None)
    with pytest.raises(UserError, match="returned NoneType, not a Keras model"):
        network.adapt(RECIPES["classic"], 10, 0)


def test_an_error_in_minivggnet_names_its_line():
    with pytest.raises(UserError, match=r"minivggnet.py, line \d+: images of 28x28x1 are too small for 6 blocks"):
        network.adapt(Recipe(1, network={"filters": (8,) * 6}), 10, 0)


def test_a_network_that_is_not_loaded_again_is_trained_with_a_warning(monkeypatch, capsys):
    replace_build(monkeypatch, lambda: [image(), layers.Lambda(lambda x: 1 - x), layers.Flatten(), softmax()])
    network.adapt(RECIPES["classic"], 10, 0)
    error = capsys.readouterr().err
    assert "will not load this network again" in error and "Lambda" in error


def convolution(*before, after=(), bias=False, **options):
    return [*before, layers.Conv2D(8, 3, use_bias=bias, **options), *(after or [layers.BatchNormalization()])]


@pytest.mark.parametrize(
    "make, why",
    [
        (lambda: convolution(), None),
        (lambda: convolution(padding="same", strides=2), None),
        (lambda: convolution(layers.Dropout(0.1)), "does not start with Conv2D"),
        (lambda: convolution(after=[layers.ReLU()]), "does not start with Conv2D and BatchNormalization"),
        (lambda: convolution(bias=True), "has a bias or an activation"),
        (lambda: convolution(activation="relu"), "has a bias or an activation"),
        (lambda: convolution(after=[layers.BatchNormalization(scale=False)]), "no scale or no center"),
        (lambda: convolution(after=[layers.BatchNormalization(center=False)]), "no scale or no center"),
        (lambda: convolution(dilation_rate=2), "is dilated"),
    ],
)
def test_whitening_is_left_out_where_it_does_not_fit(monkeypatch, capsys, make, why):
    replace_build(monkeypatch, lambda: [*make(), layers.Flatten(), softmax()])
    model, recipe = network.adapt(RECIPES["fast"], 10, 0)
    printed = capsys.readouterr().out
    assert recipe.whitening == (why is None)
    assert (f"no whitening: {misfit(model)}" in printed) == (why is not None)
    assert (why or "") in printed
    train(dataclasses.replace(recipe, epochs=1, batch_size=20), data(40), data(20, 1), 10, 0, model=model)


def test_no_whitening_of_a_functional_model():
    inputs = image()
    outputs = softmax()(layers.Flatten()(layers.BatchNormalization()(layers.Conv2D(8, 3, use_bias=False)(inputs))))
    assert misfit(keras.Model(inputs, outputs)) == "the network is not a keras.Sequential"


def test_a_network_without_an_input_is_built_for_the_images(monkeypatch):
    replace_build(monkeypatch, lambda: [layers.Flatten(), softmax()])
    assert network.adapt(RECIPES["classic"], 10, 0)[0].input_shape == (None, 28, 28, 1)


def test_another_network_has_another_fingerprint(monkeypatch):
    recipes = [Recipe(1, network=arguments) for arguments in ({}, {}, {"dropout": 0.3})]
    seen = {network.fingerprint(network.build(recipe, 10, 0)) for recipe in recipes}
    assert len(seen) == 2
    replace_build(monkeypatch, lambda: [image(), layers.Flatten(), softmax()])
    assert network.fingerprint(network.build(Recipe(1), 10, 0)) not in seen
