"""network.py: what minivggnet.py says is trained, what of a recipe does not apply is said, mistakes are sentences."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

import fashion_mnist
from conftest import RECORD, data
from pyimagesearch.errors import UserError
from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.model_files import reading, saving
from pyimagesearch.recipes import RECIPES, Recipe
from pyimagesearch.training import network
from pyimagesearch.training.train import compiled


def image():
    return keras.Input((28, 28, 1))


def softmax(classes=10):
    return layers.Dense(classes, activation="softmax")


def replace_build(monkeypatch, make):
    """Let MiniVGGNet.build(width, height, depth, classes) return a Sequential of the layers that make() returns."""
    monkeypatch.setattr(MiniVGGNet, "build", lambda width, height, depth, classes: keras.Sequential(make()))


def test_the_recipe_says_where_it_differs_from_minivggnet(capsys, monkeypatch):
    recipe = Recipe(1, network={"dropout": 0.25, "dense": 8, "bias": 1})
    model, recipe = network.adapt(recipe, 10, 0)
    assert recipe.network == {"dropout": 0.25, "dense": 8}
    assert capsys.readouterr().out.splitlines() == [
        "  left out: the recipe's bias=1, which MiniVGGNet.build does not take",
        "  in place of what minivggnet.py says, the recipe sets dense=8",
    ]
    assert model.layers[-1].input.shape == (None, 8)

    def ignores(width, height, depth, classes, dense=512):
        return keras.Sequential([image(), layers.Flatten(), softmax()])

    monkeypatch.setattr(MiniVGGNet, "build", ignores)
    assert network.adapt(recipe, 10, 0)[1].network == {}
    assert "left out: the recipe's dense=8, which makes no difference" in capsys.readouterr().out
    monkeypatch.undo()
    recipe = dataclasses.replace(RECIPES["best"], network={})
    assert network.adapt(recipe, 10, 0)[1] == recipe
    assert capsys.readouterr().out == ""


class Subclass(keras.Model):
    pass


class NoConfig(layers.Layer):
    def __init__(self, function):
        super().__init__()

    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: [keras.Input((784,)), softmax()], r"takes \(784,\) for an image, and the images are \(28, 28, 1\)"),
        (lambda: [image(), layers.Flatten(), softmax(8)], r"10 probabilities .* its output is \(8,\); .*softmax"),
        (lambda: [image(), layers.Flatten(), layers.Dense(10)], "does not predict 10 probabilities.*softmax"),
        (lambda: [image(), NoConfig(print), layers.Flatten(), softmax()], "cannot be saved.*get_config"),
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


def test_what_is_not_a_network_is_named_and_an_error_with_its_line(monkeypatch):
    with pytest.raises(UserError, match=r"minivggnet.py, line \d+: images of 28x28x1 are too small for 6 blocks"):
        network.adapt(Recipe(1, network={"filters": (8,) * 6}), 10, 0)
    for model, name in (None, "NoneType"), (Subclass(), "Subclass"):
        monkeypatch.setattr(MiniVGGNet, "build", lambda *sizes, model=model: model)
        with pytest.raises(UserError, match=name):
            network.adapt(RECIPES["classic"], 10, 0)


def test_pixels_that_are_divided_twice_are_told(monkeypatch, capsys):
    def divided():
        inputs = image()
        return keras.Model(inputs, layers.Flatten()(inputs / 255.0))

    def nested():
        return keras.Sequential([layers.Rescaling(1 / 127.5, -1), layers.Flatten(), layers.Dense(8)])

    for first, told in (divided, True), (nested, True), (lambda: layers.Rescaling(2, -1), False):
        replace_build(monkeypatch, lambda first=first: [image(), first(), layers.Flatten(), softmax()])
        network.adapt(RECIPES["classic"], 10, 0)
        assert ("divided by 255 already" in capsys.readouterr().err) == told


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


def test_another_network_has_another_fingerprint(monkeypatch):
    recipes = [Recipe(1, network=arguments) for arguments in ({}, {}, {"dropout": 0.3})]
    seen = {network.fingerprint(network.build(recipe, 10, 0)) for recipe in recipes}
    assert len(seen) == 2
    replace_build(monkeypatch, lambda: [image(), layers.Flatten(), softmax()])
    assert network.fingerprint(network.build(Recipe(1), 10, 0)) not in seen


def test_training_starts_from_another_network_except_its_last_layer(small_data, tmp_path, capsys):
    other = MiniVGGNet.build(28, 28, 1, 7)
    rng = np.random.default_rng(0)
    other.set_weights([rng.uniform(0.5, 1, weight.shape).astype(np.float32) for weight in other.get_weights()])
    made = RECORD | {"input_range": saving.INPUT_RANGE}
    saving.save(other, tmp_path / "other.h5", made)
    flags = ["--data-dir", small_data, "--any-data", "--images", tmp_path, "--model", tmp_path / "model.h5"]
    flags += ["--limit", 240, "--epochs", 1, "--learning-rate", 1e-9, "--start-from", tmp_path / "other.h5"]
    model, _ = fashion_mnist.main(flags)
    assert "no whitening" in " ".join(capsys.readouterr().out.split())
    for mine, theirs in zip(model.layers[:-1], other.layers[:-1], strict=True):
        for weight, variable in zip(mine.get_weights(), theirs.weights, strict=True):
            if "moving" not in variable.name:  # running averages go on
                np.testing.assert_allclose(weight, variable, rtol=1e-4)
    assert model.layers[-1].get_weights()[0].shape == (512, 10)
    assert reading.read(tmp_path / "model.h5").record["start_from"] == str(tmp_path / "other.h5")
    for filters, record in ((32, 32), made), ((32, 64), made | {"input_range": [0.0, 255.0]}):
        saving.save(MiniVGGNet.build(28, 28, 1, 10, filters=filters), tmp_path / "other.h5", record)
        with pytest.raises(UserError, match="cannot start from .*other.h5: its layers before the last are not those"):
            fashion_mnist.main(flags)
