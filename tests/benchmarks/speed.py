"""How fast the training is, against the classic recipe in plain Keras; on JAX, too, where it is installed.

python tests/benchmarks/speed.py              all implementations, interleaved; about five minutes on two cores
python tests/benchmarks/speed.py --quick      a trial of one short round: it says that all run, not how fast

Each implementation is a process of its own that waits while another one runs. Runs of a few seconds are interleaved, so
that other load on the machine affects all alike: the figures to compare are the ratios. Each call but a quick one adds
a line to speed.jsonl, from which tables.py makes the table, unless the code is edited.
"""

import argparse
import contextlib
import dataclasses
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import sys
import time

import tables

from pyimagesearch.cli import libraries
from pyimagesearch.data import loading, preparation
from pyimagesearch.recipes import RECIPES


def timed_fit(model, *arguments, **options):
    """Train for an epoch and return its seconds, from the first batch to the last.

    (After it, taking the iterator of tf.data down waits for a timer, up to twenty seconds.)
    """
    import keras

    times = []

    def note(*_):
        times.append(time.perf_counter())

    clock = keras.callbacks.LambdaCallback(on_epoch_begin=note, on_epoch_end=note)
    model.fit(*arguments, epochs=1, verbose=0, callbacks=[clock], **options)
    return times[1] - times[0]


def plain_keras(images, labels):
    """The classic recipe as people write it: float32 arrays, one-hot labels, CONV => RELU => BN, plain model.fit.

    Like ours(), returns a function that trains on a number of images and returns the seconds that it took.
    """
    import keras
    from keras import layers

    from pyimagesearch.training.train import learning_rates

    recipe = RECIPES["classic"]
    hidden = []
    for filters in (32, 64):
        for _ in range(2):
            hidden += layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.BatchNormalization()
        hidden += layers.MaxPooling2D(2), layers.Dropout(0.25)
    hidden += layers.Flatten(), layers.Dense(512, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5)
    model = keras.Sequential([keras.Input((28, 28, 1)), *hidden, layers.Dense(10, activation="softmax")])
    optimizer = keras.optimizers.SGD(learning_rates(recipe, 1), recipe.momentum)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    floats, one_hot = images.astype("float32") / 255.0, keras.utils.to_categorical(labels, 10)
    return lambda count: timed_fit(model, floats[:count], one_hot[:count], batch_size=recipe.batch_size)


def ours(name, images, labels):
    """A recipe as fashion_mnist.py trains it, input pipeline included, on the Keras backend of the process."""
    from pyimagesearch.data.batches import Batches
    from pyimagesearch.training import devices
    from pyimagesearch.training.network import build
    from pyimagesearch.training.train import compiled

    recipe = RECIPES[name]
    recipe = dataclasses.replace(recipe, bfloat16=recipe.bfloat16 and devices.fast_bfloat16())
    model = build(recipe, 10, 0, "mixed_bfloat16" if recipe.bfloat16 else "float32")
    model = compiled(recipe, model, images, seed=0, steps=10_000)

    def work(count):
        batches = Batches(images[:count], labels[:count], 10, recipe.batch_size, 0, recipe)
        return timed_fit(model, batches, shuffle=False)

    return work


NAMES = [tables.PLAIN, *RECIPES, *(["fast on JAX"] if importlib.util.find_spec("jax") else [])]
IMAGES = {tables.PLAIN: 2560, "classic": 2560, "fast on JAX": 1280}  # per run; 5120 of the others


def serve(pipe, name, divide):
    """An implementation's process: make it ready, then answer each request with the rate of a run.

    Its last answer is the peak of its memory, in MB.
    """
    import resource

    os.environ["KERAS_BACKEND"] = "jax" if name.endswith("JAX") else "tensorflow"
    if name == tables.PLAIN:  # as people write it: whether to use oneDNN is left to TensorFlow
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = ""
    recipe = "classic" if name == tables.PLAIN else name.removesuffix(" on JAX")
    step = RECIPES[recipe].batch_size
    count = max(step, IMAGES.get(name, 5120) // divide)
    with libraries.quiet(), contextlib.redirect_stdout(None):
        images, labels = loading.load_part("train")
        images = preparation.reshape(images)
        work = plain_keras(images, labels) if name == tables.PLAIN else ours(recipe, images, labels)
        work(step)  # trace, compile, allocate
        work(count)
    pipe.send("ready")
    while pipe.recv():
        work(max(step, count // 10))  # refill caches after the wait
        pipe.send(count / work(count))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1024))


def measure(rounds, divide):
    """Return {"rates": {name: [images/s in each round]}, "memory": {name: MB}}."""
    processes = multiprocessing.get_context("spawn")
    pipes = {}
    for name in NAMES:
        pipe, theirs = processes.Pipe()
        processes.Process(target=serve, args=(theirs, name, divide), daemon=True).start()
        theirs.close()
        print(f"  {pipe.recv()}: {name}", flush=True)
        pipes[name] = pipe
    rates = {name: [] for name in pipes}
    for _ in range(rounds):
        for name, pipe in pipes.items():
            pipe.send(True)
            rates[name].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    return {"rates": rates, "memory": {name: pipe.recv() for name, pipe in pipes.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of a tenth; stores nothing")
    args = parser.parse_args()
    result = measure(*((1, 10) if args.quick else (5, 1)))
    from accuracy import circumstances, settings

    result |= circumstances()
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        result["versions"]["jax"] = importlib.metadata.version("jax")
    if not args.quick and not settings.edited():  # what is stored is of the published code
        with open(tables.HERE / "speed.jsonl", "a") as file:
            file.write(json.dumps(result) + "\n")
    print("\n" + tables.speed_table([], [result]))


if __name__ == "__main__":
    main()
