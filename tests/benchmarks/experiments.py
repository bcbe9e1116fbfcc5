"""What each idea is worth: add one after another, train over seeds, store each result, print the ladder of the README.

python tests/benchmarks/experiments.py --seeds 3
python tests/benchmarks/experiments.py --seeds 0    prints the ladder, trains nothing

Each training run has as many epochs as the recipe `fast` and its batch size, on the genuine data; then the test images
are read, once. The last rungs are the recipes themselves, whose results accuracy.py has stored. A run that
experiments.jsonl holds already is not repeated, and one that was stopped goes on with the same command.
"""

import argparse
import dataclasses
import functools
import unittest.mock

import accuracy
import numpy as np
from accuracy import HERE, RECIPES, loading, predict, preparation, run, train
from tables import check_published, markdown, mean, plain, read, runs

from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.training import devices

import keras  # isort: skip  # accuracy.py has started it quietly

layers = keras.layers


def network(*hidden):
    """Return a network of these layers between an image and the probabilities of ten classes."""
    output = layers.Dense(10, activation="softmax", dtype="float32")
    return keras.Sequential([keras.Input((28, 28, 1)), *hidden, layers.Flatten(), output])


def dense(*shape):
    """Return a network with one hidden layer and as many parameters as MiniVGGNet, 1,678,255 against 1,678,378."""
    return network(layers.Flatten(), layers.Dense(2111, activation="relu"))


def convolutions(*shape):
    """Return MiniVGGNet with biases in place of batch normalization."""
    convolution = functools.partial(layers.Conv2D, kernel_size=3, padding="same", activation="relu")
    hidden = convolution(32), convolution(32), layers.MaxPooling2D(2)
    hidden += convolution(64), convolution(64), layers.MaxPooling2D(2)
    return network(*hidden, layers.Flatten(), layers.Dense(512, activation="relu"))


STEPS = {"learning_rate": 0.1, "schedule": "constant", "momentum": 0.0, "nesterov": False}
NOTHING = {"weight_decay": 0.0, "label_smoothing": 0.0, "whitening": False, "flip": False, "shift": 0, "network": {}}
FAST_NETWORK = {"network": RECIPES["fast"].network}
# name: (what differs from the recipe `fast`, what builds the network, what the README says of it)
RUNGS = {
    "logistic regression": (NOTHING | STEPS, lambda *shape: network(), "one weight for each pixel and class"),
    "one hidden layer": (NOTHING | STEPS, dense, "2,111 units, as many parameters as the rows below"),
    "convolutions": (NOTHING | STEPS, convolutions, "and pooling, then a smaller hidden layer"),
    "batch normalization": (NOTHING | STEPS | FAST_NETWORK, MiniVGGNet.build, ""),
    "momentum and schedule": (NOTHING | FAST_NETWORK, MiniVGGNet.build, "rate 0.2 of one cycle"),
    "augmentation": (NOTHING | FAST_NETWORK | {"flip": True, "shift": 1}, MiniVGGNet.build, "mirrored and shifted"),
}
SHUFFLED = ", shuffled pixels"  # all in another order, the same in all images
NAMES = [*RUNGS, "one hidden layer" + SHUFFLED, "momentum and schedule" + SHUFFLED]


def recipe_of(name):
    """Return the Recipe that a rung trains by."""
    change = RUNGS[name.removesuffix(SHUFFLED)][0] | {"bfloat16": devices.fast_bfloat16()}
    return dataclasses.replace(RECIPES["fast"], **change)


def shuffle(images, seed=0):
    """Put the pixels of all images (N, 28, 28, 1) into the same random order."""
    order = np.random.default_rng(seed).permutation(28 * 28)
    return images.reshape(len(images), -1)[:, order].reshape(images.shape)


def one_training(name, recipe, seed, kept):
    """Train a rung, and evaluate it on the test images. Returns a dict of figures."""
    images, labels = loading.load_part("train")
    test_images, test_labels = loading.load_part("test")
    images, test_images = preparation.reshape(images), preparation.reshape(test_images)
    if name.endswith(SHUFFLED):
        images, test_images = shuffle(images), shuffle(test_images)
    training, validation = preparation.split(images, labels, seed)
    build = RUNGS[name.removesuffix(SHUFFLED)][1]
    with unittest.mock.patch.object(MiniVGGNet, "build", build):
        model, history = train(recipe, training, validation, len(loading.CLASS_NAMES), seed, kept)
    return {
        "parameters": model.count_params(),
        "seconds": round(sum(history["seconds"]), 1),
        "validation": history["val_accuracy"][-1],
        "test": accuracy.accuracy(predict(model, test_images), test_labels),
    }


def table(results, recipes):
    """Return the ladder in Markdown: accuracy on the test images in %, mean ± standard deviation over n seeds.

    results: those of this program. recipes: those of accuracy.py. A rung without a result is left out.
    """
    rows = []
    for name in NAMES:
        found = runs(results, name, dataclasses.asdict(recipe_of(name)), "experiment")
        rows.append([name, RUNGS[name][2] if name in RUNGS else "", found])
    fast, best = (runs(recipes, name, dataclasses.asdict(RECIPES[name])) for name in ("fast", "best"))
    about = "label smoothing, weight decay and whitened filters as well"
    rows[len(RUNGS) : len(RUNGS)] = [["the recipe `fast`", about, fast], ["the recipe `best`", "60 epochs", best]]
    rows = [[name, about, [one["test"] for one in found if "test" in one]] for name, about, found in rows]
    filled = [[name, about, f"{mean(tests)} ({len(tests)})"] for name, about, tests in rows if tests]
    return markdown(["idea", "what it is", "accuracy, % (n)"], filled, left=2)


def main(arguments=()):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=accuracy.number(int, 0, 1000), default=3, help="number of seeds (default: 3)")
    args = parser.parse_args(arguments)
    check_published("experiments.jsonl")
    path = HERE / "experiments.jsonl"
    results = read(path)
    for seed in range(args.seeds):
        for name in NAMES:
            recipe = recipe_of(name)
            # The values are part of the key: a recipe that was changed since is another recipe.
            key = {"experiment": name, "values": plain(dataclasses.asdict(recipe)), "seed": seed}
            accuracy.measure_once(path, results, key, functools.partial(one_training, name, recipe, seed))
    print("\n" + table(results, read(HERE / "results.jsonl")))


if __name__ == "__main__":
    run(main)
