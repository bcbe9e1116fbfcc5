"""What one change does: train with it, store each training in experiments.jsonl, print the table of the README.

python tests/benchmarks/experiments.py --seeds 3
python tests/benchmarks/experiments.py --seeds 1 --only dense "dense, shuffled"
python tests/benchmarks/experiments.py --seeds 0    prints the table, trains nothing

Each training is that of the recipe `fast` in 3 epochs, with batches of 128 at a learning rate of 0.1 (and in bfloat16
where the processor is fast at it), on the genuine data, with the change that EXPERIMENTS names; then the test images
are read, once. A training that experiments.jsonl holds already is not repeated, and one that was stopped goes on with
the same command.
"""

import argparse
import dataclasses
import functools
import unittest.mock
from dataclasses import dataclass, field
from pathlib import Path

import accuracy
import numpy as np
from accuracy import HERE, RECIPES, devices, loading, predict, preparation, run, train
from tables import markdown, mean, plain, read

from pyimagesearch.minivggnet import MiniVGGNet

import keras  # isort: skip  # accuracy.py has started it quietly

layers = keras.layers


def dense(width, height, depth, classes):
    """Return a network with one hidden layer and as many parameters as MiniVGGNet, 1,678,204 against 1,678,378."""
    hidden = [layers.Flatten(), layers.Dense(2103, use_bias=False), layers.BatchNormalization(momentum=0.9)]
    output = layers.Dense(classes, activation="softmax", dtype="float32")
    return keras.Sequential([keras.Input((height, width, depth)), *hidden, layers.ReLU(), output])


def no_normalization(width, height, depth, classes):
    """Return MiniVGGNet without batch normalization: with biases, which it made needless."""
    model = keras.Sequential([keras.Input((height, width, depth))])
    for filters in (32, 64):
        for _ in range(2):
            model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dense(classes, activation="softmax", dtype="float32"))
    return model


@dataclass(frozen=True)
class Experiment:
    """What is changed.

    change    values instead of the recipe's
    build     instead of MiniVGGNet.build
    images    how many images to use, of which a twelfth is held out; the epochs are then as many as give equal steps
    by_heart  how many images to train on, ten times fewer of each class; no equal steps
    shuffled  whether the pixels of all images are put into another order, the same for all
    """

    change: dict = field(default_factory=dict)
    build: object = None
    images: int = 60_000
    by_heart: int = 0
    shuffled: bool = False


EPOCHS, STEPS = 3, 3 * (55_000 // 128)
PLAIN = {"flip": False, "shift": 0}  # no augmentation
EXPERIMENTS = {
    "none": Experiment(),
    "no shifts": Experiment({"shift": 0}),
    "shifts of up to 4": Experiment({"shift": 4}),
    "no augmentation": Experiment(PLAIN),
    "dense": Experiment(PLAIN | {"network": {}}, dense),
    "dense, shuffled": Experiment(PLAIN | {"network": {}}, dense, shuffled=True),
    "shuffled": Experiment(PLAIN, shuffled=True),
    "by heart": Experiment(PLAIN | {"epochs": 100, "batch_size": 20}, by_heart=100),
    "no batch normalization": Experiment({"network": {}}, no_normalization),
    "no batch normalization, rate 0.01": Experiment({"network": {}, "learning_rate": 0.01}, no_normalization),
    "rate 1": Experiment({"learning_rate": 1.0}),
    "rate 0.01": Experiment({"learning_rate": 0.01}),
    "6,000 images": Experiment(images=6_000),
    "1,000 images": Experiment(images=1_000),
}


def recipe_of(experiment):
    """Return the Recipe that an experiment trains by."""
    steps_per_epoch = experiment.images * 11 // 12 // 128
    base = {"epochs": round(STEPS / steps_per_epoch), "batch_size": 128, "learning_rate": 0.1}
    base["bfloat16"] = devices.fast_bfloat16()
    return dataclasses.replace(RECIPES["fast"], **base | experiment.change)


def shuffle(images, seed=0):
    """Put the pixels of all images (N, 28, 28, 1) into the same random order."""
    order = np.random.default_rng(seed).permutation(28 * 28)
    return images.reshape(len(images), -1)[:, order].reshape(images.shape)


def moved(images, pixels):
    """Move the images (N, 28, 28, 1) by this many pixels: left, right, up and down in turn; black comes in."""
    padded = np.pad(images, [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)])
    size = images.shape[1]
    result = np.empty_like(images)
    for number, (down, right) in enumerate([(0, -1), (0, 1), (-1, 0), (1, 0)]):
        top, left = pixels * (1 - down), pixels * (1 - right)
        result[number::4] = padded[number::4, top : top + size, left : left + size]
    return result


def turned(model):
    """Return a copy of a network that starts with a convolution whose filters are turned by a quarter."""
    copy = keras.models.clone_model(model)
    kernel, *others = model.get_weights()
    copy.set_weights([np.rot90(kernel), *others])
    return copy


def one_training(experiment, recipe, seed, kept):
    """Train with the change, and evaluate on the test images. Returns a dict of figures."""
    images, labels = loading.load_part("train")
    images, labels = preparation.reshape(images)[: experiment.images], labels[: experiment.images]
    test_images, test_labels = loading.load_part("test")
    test_images = preparation.reshape(test_images)
    if experiment.shuffled:
        images, test_images = shuffle(images), shuffle(test_images)
    training, validation = preparation.split(images, labels, seed)
    if experiment.by_heart:
        training = preparation.split(*training, seed, experiment.by_heart)[1]
    if recipe.epochs > EPOCHS:  # a few images: all of them after every short epoch would take most of the time
        validation = tuple(array[:250] for array in validation)
    with unittest.mock.patch.object(MiniVGGNet, "build", experiment.build or MiniVGGNet.build):
        model, history = train(recipe, training, validation, len(loading.CLASS_NAMES), seed, kept)

    def test(network, images=test_images):
        return accuracy.accuracy(predict(network, images), test_labels)

    measure = {
        "test": lambda: test(model),
        "training": lambda: accuracy.accuracy(predict(model, training[0]), training[1]),
        **{f"moved_{k}": functools.partial(lambda k: test(model, moved(test_images, k)), k) for k in (1, 2, 4)},
        "turned": lambda: test(turned(model)),
    }
    wanted = [figures.split(": ") for _, _, figures, _ in ROWS]
    shown = {
        key
        for names, keys in wanted
        for name in names.split(" + ")
        for key in keys.split()
        if EXPERIMENTS[name] == experiment
    }
    return {
        "training_images": len(training[1]),
        "parameters": model.count_params(),
        "seconds": round(sum(history["seconds"]), 1),
        "training_average": history["accuracy"][-1],  # over the last epoch, of augmented images
        "validation": history["val_accuracy"][-1],
        **{figure: measure[figure]() for figure in measure if figure in shown},
    }


# change, how, experiments: figures, what it shows
# fmt: off
ROWS = (
    ("none", "`fast` in 3 epochs of batches of 128, rate 0.1", "none: test", "the network to compare with"),
    ("test images moved by 1, 2, 4 pixels", "trained with shifts of up to 1, as `fast` is",
     "none: moved_1 moved_2 moved_4", "it tolerates the pixel it was trained on, not four"),
    ("the same", "trained without shifts: `shift=0` in `recipes.py`",
     "no shifts: moved_1 moved_2 moved_4", "what it was not trained on, it does not know"),
    ("the same", "trained with shifts of up to 4: `shift=4`",
     "shifts of up to 4: moved_1 moved_2 moved_4", "augmentation teaches it; centered images cost 1.4 points"),
    ("no shifts", "`shift=0`", "no shifts: test", "3 epochs are too few to overfit: shifts help in 8"),
    ("no augmentation", "`flip=False, shift=0`", "no augmentation: test", "the same"),
    ("one hidden layer of 2,103 units, as many parameters", "no augmentation",
     "dense: test", "convolutions are worth 5 points at equal parameters"),
    ("pixels in a random order, the same for all images", "one hidden layer, no augmentation",
     "dense, shuffled: test", "a dense network knows no neighbors: nothing changes"),
    ("the same", "MiniVGGNet, no augmentation",
     "shuffled: test", "a convolution lives on neighbors: most of its lead is gone"),
    ("100 images learned by heart: training, test", "100 epochs in batches of 20, no augmentation",
     "by heart: training test", "no mistake on the 100 says little about others"),
    ("filters turned by a quarter", "those of the first convolution, after training",
     "none: turned", "the layers after it are made for these filters"),
    ("learning rate ten times larger", "`--learning-rate 1`",
     "rate 1: test", "0.2 points lower: no more than two seeds differ by"),
    ("learning rate ten times smaller", "`--learning-rate 0.01`",
     "rate 0.01: test", "the steps are too short to arrive in 3 epochs"),
    ("1,000, 6,000, 60,000 images", "`--limit`; as many epochs as give equal steps",
     "1,000 images + 6,000 images + none: test", "more images are worth more than more epochs"),
    ("no batch normalization", "biases instead, nothing whitened",
     "no batch normalization: test", "it learns more slowly"),
    ("the same", "learning rate 0.01 as well",
     "no batch normalization, rate 0.01: test", "batch normalization makes short steps go further"),
)
# fmt: on


def table(results):
    """Return the stored results as a table in Markdown: accuracies in %, mean ± standard deviation, and n.

    Rows that lack a result are left out.
    """
    rows, results = [], [result for result in results if current(result)]
    for change, how, figures, shows in ROWS:
        names, keys = figures.split(": ")
        pairs = [(name, key) for name in names.split(" + ") for key in keys.split()]
        values = [[one[key] for one in results if one["experiment"] == name and key in one] for name, key in pairs]
        if all(values):
            counts = [len(group) for group in values]
            once = len(set(counts)) == 1
            cells = [mean(group) + ("" if once else f" ({count})") for group, count in zip(values, counts, strict=True)]
            rows.append([change, how, ", ".join(cells) + (f" ({counts[0]})" if once else ""), shows])
    return markdown(["change", "how", "accuracy, % (n)", "what it shows"], rows, left=4)


def current(result):
    """Return whether a stored result is of today's experiment of that name, but for bfloat16."""
    values = plain(dataclasses.asdict(recipe_of(EXPERIMENTS[result["experiment"]])))
    return result["values"] | {"bfloat16": None} == values | {"bfloat16": None}


def main(arguments=()):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default: 3)")
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS), metavar="NAME")
    parser.add_argument("--results", type=Path, default=HERE / "experiments.jsonl")
    args = parser.parse_args(arguments)
    results = read(args.results)
    for seed in range(args.seeds):
        for name in args.only:
            recipe = recipe_of(EXPERIMENTS[name])
            # The values are part of the key: a recipe that was changed since is another recipe.
            key = {"experiment": name, "values": plain(dataclasses.asdict(recipe)), "seed": seed}
            work = functools.partial(one_training, EXPERIMENTS[name], recipe, seed)
            accuracy.measure_once(args.results, results, key, work)
    print("\n" + table(results))


if __name__ == "__main__":
    run(main)
