"""input_search.py: what a network from elsewhere expects is found out, and a network that does not know the data."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.preprocessing import StandardScaler
from test_explain import network

import fashion_mnist_loaded
from conftest import RECORD, chain, pictures, write_data
from pyimagesearch.data.loading import CLASS_NAMES
from pyimagesearch.errors import UserError
from pyimagesearch.evaluation import input_search, predict
from pyimagesearch.figures import style
from pyimagesearch.model_files import saving
from pyimagesearch.model_files.input_format import COLOR_SCALES, RANGES, InputFormat, formats

IMAGES, LABELS = pictures(400)
IMAGES[:, :4] += LABELS[:, None, None] * np.uint8(20)  # or a constant added to all pixels would hardly matter
NUMBERS = np.arange(400)
NOISY = np.where(NUMBERS % 8, LABELS, (LABELS + 1 + NUMBERS // 8 % 9) % 10)  # the best network has an accuracy of 7/8,
CONFIDENT = np.log(7 * 9)  # and predicts the ten classes with this logit and nine of 0: probability 7/8 for the first


def by_hand(images, wanted):
    """Return uint8 images (N, 28, 28) in a pixel range, float32, as a user would write it."""
    pixels = images.astype(np.float32)
    pixels = 255 - pixels if wanted.endswith("-inverted") else pixels
    return {
        "0..1": lambda: pixels / 255,
        "0..255": lambda: pixels,
        "minus1..1": lambda: pixels / 127.5 - 1,
        "minus0.5..0.5": lambda: pixels / 255 - 0.5,
        "standardized": lambda: (pixels / 255 - 0.2860) / 0.3530,
        "divided-twice": lambda: pixels / 255 / 255,
        "unit-norm": lambda: pixels / np.linalg.norm(pixels.reshape(-1, 784), axis=1)[:, None, None],
        "standardized-per-image": lambda: np.stack([(one - one.mean()) / one.std() for one in pixels]),
        "mean-image-subtracted": lambda: (pixels - IMAGES.mean(axis=0)) / 255,
        "standardized-per-pixel": lambda: (pixels - IMAGES.mean(axis=0)) / IMAGES.std(axis=0),
        "unit-rows": lambda: pixels / np.linalg.norm(pixels, axis=2, keepdims=True),
        "unit-columns": lambda: pixels / np.linalg.norm(pixels, axis=1, keepdims=True),
        "caffe": lambda: pixels[..., None] - [103.939, 116.779, 123.68],
        "torch": lambda: (pixels[..., None] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    }[wanted.removesuffix("-inverted")]()


def fitted(inputs, outputs=10, first=0, activation="softmax", scale=CONFIDENT, labels=LABELS):
    """Return a network with one dense layer that a least-squares fit has trained; `first`: the output of class 0."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    targets = scale * np.eye(outputs)[labels + first]
    solution = np.linalg.lstsq(np.hstack([flat, np.ones((len(flat), 1))]), targets, rcond=None)[0]
    last = layers.Dense(outputs, activation=activation)
    model = chain(layers.Flatten(), last, shape=inputs.shape[1:])
    last.set_weights([solution[:-1].astype(np.float32), solution[-1].astype(np.float32)])
    return model


def find(model, labels=NOISY, images=IMAGES):
    return input_search.find_input_format(model, images[..., None], labels, CLASS_NAMES)


def padded(images):
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))


def resized(images, size):
    return np.asarray(keras.ops.image.resize(images[..., None].astype(np.float32), (size, size)))[..., 0]


CASES = [(name, (28, 28, 3) if name in COLOR_SCALES else (28, 28), "unchanged") for name in RANGES]
CASES += [("minus1..1-inverted", (1, 28, 28), "unchanged"), ("standardized", (784,), "unchanged")]
CASES += [("0..1", (28, 28, 3), "unchanged"), ("0..1", (784, 1), "unchanged")]
CASES += [("0..1", shape, "padded") for shape in [(32, 32, 1), (1024,), (3, 32, 32)]]
CASES += [("0..1", (32, 32), "resized"), ("0..1", (20, 20, 1), "resized")]


@pytest.mark.parametrize(("wanted", "shape", "fit"), CASES)
def test_shape_and_pixel_range_are_found(monkeypatch, wanted, shape, fit):
    monkeypatch.setattr(input_search, "RARE", 1)  # all pixels of these images have about the same mean and deviation
    images = padded(IMAGES) if fit == "padded" else resized(IMAGES, shape[0]) if fit == "resized" else IMAGES
    scaled = by_hand(images, wanted)
    if 3 in shape and scaled.ndim == 3:
        scaled = np.stack([scaled] * 3, axis=1 if shape[0] == 3 else -1)
    scaled = scaled.reshape(-1, *shape)
    logits = shape == (784,)
    model, trial = find(fitted(scaled, activation=None if logits else "softmax"))
    assert trial.format == InputFormat(shape, wanted, fit, "logits" if logits else "probabilities")
    assert trial.accuracy == 7 / 8
    assert (predict.predict(model, IMAGES[..., None], trial.format).argmax(axis=1) == LABELS).all()
    np.testing.assert_allclose(trial.format.inputs(IMAGES[:5, ..., None]), scaled[:5], rtol=1e-4, atol=2e-3)


def test_pixels_are_standardized_as_scikit_learn_does_also_where_they_never_change():
    pixels = padded(IMAGES).reshape(-1, 1024)
    (one,) = (one for one in formats((1024,), IMAGES[..., None], ["standardized-per-pixel"]) if one.fit == "padded")
    np.testing.assert_allclose(one.inputs(IMAGES[..., None]), StandardScaler().fit_transform(pixels), atol=1e-4)


@pytest.mark.parametrize("shape, size", [((None, None, 1), 28), ((None, None, 1), 64), ((None, 28), 28)])
def test_sizes_that_are_not_fixed(shape, size):
    rows = by_hand(resized(IMAGES, size), "0..1").mean(axis=2)  # tell these classes apart
    start = keras.Input(shape)
    means = keras.ops.mean(start, axis=2)
    model = keras.Model(start, fitted(rows)(layers.Reshape((size,))(means)))
    assert find(model)[1].format.shape == (size, size, *shape[2:])


@pytest.mark.parametrize(
    ("options", "outputs", "classes"),
    [
        ({}, "probabilities", ()),
        ({"activation": None}, "logits", ()),
        ({"activation": "log_softmax"}, "logits", ()),
        ({"activation": "sigmoid", "scale": 30}, "sigmoid logits", ()),
        ({"activation": "tanh", "scale": 30}, "logits", ()),
        ({"outputs": 11}, "probabilities", tuple(range(10))),
        ({"outputs": 11, "first": 1}, "probabilities", tuple(range(1, 11))),
        ({"outputs": 100, "activation": None}, "logits", tuple(range(10))),
    ],
)
def test_outputs_are_understood(options, outputs, classes):
    """Also where float32 has no order left: many of the sigmoids and hyperbolic tangents are 1.0."""
    model = fitted(IMAGES / 255, **options)
    if options.get("scale") == 30:
        model.layers[-1].bias.assign_add(np.full(10, 25, np.float32))
        assert (np.asarray(model(IMAGES[:1] / 255)) == 1).sum() > 1
    model, trial = find(model)
    assert (trial.format.outputs, trial.format.classes) == (outputs, classes)
    assert trial.accuracy == 7 / 8
    probabilities = predict.predict(model, IMAGES[..., None], trial.format)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (probabilities.argmax(axis=1) == LABELS).all()


def test_data_that_is_sorted_by_class_and_lacks_one():
    order = np.argsort(NOISY, kind="stable")
    order = order[NOISY[order] != 4]
    _, trial = find(fitted(IMAGES / 255), NOISY[order], images=IMAGES[order])
    assert trial.accuracy > 0.8 and trial.format.range == "0..1"
    guess = chain(layers.Flatten(), layers.Dense(10))
    guess.set_weights([np.zeros((784, 10)), np.eye(10)[0]])  # right for the first 1,200 of these images
    order = np.argsort(LABELS, kind="stable").repeat(30)
    with pytest.raises(UserError, match="does not know this data"):
        find(guess, LABELS[order], images=IMAGES[order])


ALPHABETICAL = np.argsort(np.argsort(CLASS_NAMES))


def overflowing(activation):
    model = fitted(IMAGES / 255, activation=activation)
    kernel = model.layers[-1].kernel
    kernel.assign(np.where(np.asarray(kernel) < 0, np.float32(-3e38), np.float32(3e38)))
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: chain(layers.Flatten(), layers.Dense(10)), "does not know this"),
        (lambda: fitted(IMAGES / 255, labels=(LABELS + 3) % 10), "another order.*are Sneaker, Bag, Ankle boot, T-shi"),
        (lambda: fitted(IMAGES / 255, labels=ALPHABETICAL[LABELS]), r"another order.*are Ankle boot, .*\(alphabetical"),
        (lambda: overflowing(None), "outputs of the network are not finite"),
        (lambda: overflowing("sigmoid"), "outputs of the network are not finite"),
        (lambda: chain(layers.Dense(1), shape=(784,)), "1 output, and the data has 10 classes"),
    ],
)
def test_a_network_that_does_not_know_the_data_is_told(make, words):
    keras.utils.set_random_seed(0)
    with pytest.raises(UserError, match=words):
        find(make())


def test_the_formats_of_a_network_for_large_images_are_tried_on_few():
    _, trial = find(fitted(by_hand(resized(IMAGES, 72), "minus1..1")[..., None]))
    assert (trial.format.range, trial.count) == ("minus1..1", 100)


def test_cross_entropy_decides_between_accuracies_that_are_close():
    def best(*figures):
        formats = (InputFormat(range=name) for name in ("0..1", "0..255", "unit-norm"))
        trials = (input_search.Trial(one, 1000, *two, 0, 0, ()) for one, two in zip(formats, figures, strict=False))
        return input_search._best(list(trials)).format.range

    assert best((0.9, 0.5), (0.85, 0.3)) == "0..1"
    assert best((0.9, 0.5), (0.89, 0.4)) == "0..255"
    for unit_norm in (0.91, 0.45), (0.89, 0.1):  # which must be better by both
        assert best((0.9, 0.5), (0.8, 0.4), unit_norm) == "0..1"
    assert best((0.9, 0.5), (0.8, 0.4), (0.91, 0.3)) == "unit-norm"


def test_two_classes_in_each_other_s_place_are_noticed():
    _, trial = find(fitted(IMAGES / 255, labels=np.choose(LABELS, [0, 1, 4, 3, 2, 5, 6, 7, 8, 9])))
    assert trial.best_skill > trial.skill + 0.1
    assert trial.describe_order(CLASS_NAMES, 10).startswith("T-shirt/top, Trouser, Coat, Dress, Pullover, Sandal")


def test_the_script_evaluates_a_network_from_elsewhere_only_if_it_knows_the_data(tmp_path, monkeypatch, capsys):
    write_data(tmp_path / "data", 100, 50)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(style, "save", lambda folder, **figures: [])
    flags = ["--model", "theirs.h5", "--data-dir", "data", "--any-data"]
    network(scale=-0.2).save("theirs.h5")  # it sees a class where the image is dark
    fashion_mnist_loaded.main(flags)
    printed = " ".join(capsys.readouterr().out.split())
    assert re.search(r"input format: 28x28 images as 28x28x1, pixels \S+-inverted; output: probabilities", printed)
    assert "accuracy 100.00% on 50 test images" in printed

    saving.save(network(scale=0), Path("theirs.h5"), RECORD)  # with a record, it need not be tried out
    with pytest.raises(UserError, match="cannot evaluate theirs.h5: it does not know this data"):
        fashion_mnist_loaded.main([*flags, "--json", "result.json"])
    assert "precision" not in capsys.readouterr().out and not (tmp_path / "result.json").exists()
    fashion_mnist_loaded.main([*flags, "--input-range", "minus1..1"])
    printed = capsys.readouterr().out
    assert "pixels minus1..1;" in printed and "precision" in printed
    with pytest.raises(UserError, match="caffe is for images with three channels"):
        fashion_mnist_loaded.main([*flags, "--input-range", "caffe"])
