"""How fast the training is, against plain Keras, PyTorch at equal work, JAX, and the fastest matrix product.

python tests/benchmarks/speed.py              all implementations, interleaved; about ten minutes on two cores
python tests/benchmarks/speed.py --quick      a trial of one short round: it says that all run, not how fast
python tests/benchmarks/speed.py --scaling    time and memory of an epoch of 10,000 to 240,000 images
python tests/benchmarks/speed.py --until 94   time until 94% validation accuracy, with PyTorch beside
python tests/benchmarks/speed.py --profile    where the time of a step of fast goes, by kind of operation

Each implementation is a process of its own that waits while another one runs. Runs of a few seconds are interleaved, so
that other load on the machine affects all alike: the figures to compare are the ratios. Each call but a quick one adds
a line to speed.jsonl, from which tables.py makes the tables. PyTorch and JAX are measured where they are installed.
"""

import argparse
import contextlib
import dataclasses
import functools
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tables

from pyimagesearch.cli import libraries
from pyimagesearch.data import loading, preparation
from pyimagesearch.recipes import RECIPES

SIDE = 4096  # of the matrices

# What follows makes the implementations ready. Each function returns one that does an amount of work, and returns the
# seconds that it took.


def timed(work):
    def measured(count):
        start = time.perf_counter()
        work(count)
        return time.perf_counter() - start

    return measured


def matrix_product(dtype, images, labels):
    """The largest matrix products that the machine does well, by TensorFlow."""
    import tensorflow as tf

    matrix = tf.cast(tf.random.normal((SIDE, SIDE)), dtype)
    product = tf.function(lambda: tf.reduce_max(tf.matmul(matrix, matrix)))
    return timed(lambda count: [product().numpy() for _ in range(count)])


def timed_fit(model, *arguments, **options):
    """Train for an epoch and return its seconds, from the first batch to the last.

    (For data that tf.data serves, plain arrays too, taking the iterator down after an epoch waits for a timer: up to
    five seconds and, in a process that has one core, up to twenty.)
    """
    import keras

    times = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: times.append(time.perf_counter()),
        on_epoch_end=lambda *_: times.append(time.perf_counter()),
    )
    model.fit(*arguments, epochs=1, verbose=0, callbacks=[clock], **options)
    return times[1] - times[0]


def keras_plain(images, labels):
    """The classic recipe as people write it: float32 arrays, one-hot labels, CONV => RELU => BN, plain model.fit."""
    import keras
    from keras import layers

    from pyimagesearch.training.train import learning_rates

    recipe = RECIPES["classic"]
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters in (32, 64):
        for _ in range(2):
            model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
            model.add(layers.BatchNormalization())
        model.add(layers.MaxPooling2D(2))
        model.add(layers.Dropout(0.25))
    model.add(layers.Flatten())
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.BatchNormalization())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.SGD(learning_rates(recipe, 1), recipe.momentum)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    floats, one_hot = images.astype("float32") / 255.0, keras.utils.to_categorical(labels, 10)
    return lambda count: timed_fit(model, floats[:count], one_hot[:count], batch_size=recipe.batch_size)


def ours(name, images, labels):
    """A recipe as fashion_mnist.py trains it, input pipeline included, on the Keras backend of the process."""
    from pyimagesearch.data.batches import Batches
    from pyimagesearch.training.network import build
    from pyimagesearch.training.train import compiled

    recipe = as_here(RECIPES[name])
    model = build(recipe, 10, 0, "mixed_bfloat16" if recipe.bfloat16 else "float32")
    model = compiled(recipe, model, images, seed=0, steps=10_000)

    def work(count):
        batches = Batches(images[:count], labels[:count], 10, recipe.batch_size, 0, recipe)
        return timed_fit(model, batches, shuffle=False)

    return work


def as_here(recipe):
    """Return a recipe in the precision in which this machine trains it."""
    from pyimagesearch.training import devices

    return dataclasses.replace(recipe, bfloat16=recipe.bfloat16 and devices.fast_bfloat16())


def pytorch(batch_size, compile, images, labels):
    """The fast recipe in PyTorch; see pytorch.py."""
    from pytorch import Training

    return timed(Training(images, labels, batch_size, compile).epoch)


def input_pipeline(images, labels):
    """The batches of the fast recipe and nothing else: shuffle, gather, flip, shift, scale, one-hot."""
    from pyimagesearch.data.batches import Batches

    def work(count):
        batches = Batches(images[:count], labels[:count], 10, RECIPES["fast"].batch_size, 0, RECIPES["fast"])
        for index in range(len(batches)):
            batches[index]

    return timed(work)


def evaluation(images, labels):
    """Predicting images as fashion_mnist_loaded.py does."""
    from pyimagesearch.evaluation.predict import predict
    from pyimagesearch.minivggnet import MiniVGGNet

    model = MiniVGGNet.build(28, 28, 1, 10)
    return timed(lambda count: predict(model, images[:count]))


def forward_pass(images, labels):
    """The network's forward pass alone, on batches of 500 that are ready."""
    import keras
    import tensorflow as tf

    from pyimagesearch.data.batches import scale
    from pyimagesearch.minivggnet import MiniVGGNet

    model = MiniVGGNet.build(28, 28, 1, 10)
    parts = [keras.ops.convert_to_tensor(scale(images[k : k + 500])) for k in range(0, 10_000, 500)]
    forward = tf.function(lambda part: model(part, training=False))
    return timed(lambda count: [forward(part).numpy() for part in parts[: count // 500]])


# name: (maker, amount of work per run, that of the first step); of matrix products an amount is one of them
IMPLEMENTATIONS = {
    "matrix product": (functools.partial(matrix_product, "float32"), 4, 1),
    "matrix product, bfloat16": (functools.partial(matrix_product, "bfloat16"), 4, 1),  # where recipes compute in it
    "plain Keras, classic": (keras_plain, 2560, 32),
    "classic": (functools.partial(ours, "classic"), 2560, 32),
    "fast": (functools.partial(ours, "fast"), 5120, 256),
    "best": (functools.partial(ours, "best"), 5120, 128),
    "input pipeline of fast": (input_pipeline, 5120, 256),
    "evaluation": (evaluation, 10_000, 500),
    "forward pass only": (forward_pass, 10_000, 500),
}
if importlib.util.find_spec("torch"):
    for size in (128, 256, 512):
        for how in ("eager", "compile"):
            maker = functools.partial(pytorch, size, how == "compile")
            IMPLEMENTATIONS[f"PyTorch, {how}, {size}"] = maker, 5120, size
if importlib.util.find_spec("jax"):
    IMPLEMENTATIONS["fast on JAX"] = (functools.partial(ours, "fast"), 1280, 256)


def training_images(data_dir):
    with contextlib.redirect_stdout(None):
        images, labels = loading.load_part("train", data_dir)
    return preparation.reshape(images), labels


def peak_memory():
    """Return the peak of this process's memory so far, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1024)


def serve(pipe, name, divide, data_dir):
    """An implementation's process: make it ready, then answer each request with the rate of a run."""
    os.environ["KERAS_BACKEND"] = "jax" if name.endswith("JAX") else "tensorflow"
    if name == tables.PLAIN:  # as people write it: whether to use oneDNN is left to TensorFlow
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = ""
    maker, amount, step = IMPLEMENTATIONS[name]
    amount = max(step, amount // divide)
    with libraries.quiet(), contextlib.redirect_stdout(None):
        work = maker(*training_images(data_dir))
        first_step = timed(work)(step)  # trace, compile, allocate
        work(amount)
    pipe.send(first_step)
    while pipe.recv():
        work(max(step, amount // 10))  # refill caches after the wait
        pipe.send(amount * (2 * SIDE**3 if name.startswith("matrix") else 1) / work(amount))
    pipe.send(peak_memory())


def started(target, *arguments):
    """Start a process that runs target(pipe, *arguments); return the other end of its pipe."""
    pipe, theirs = multiprocessing.get_context("spawn").Pipe()
    multiprocessing.get_context("spawn").Process(target=target, args=(theirs, *arguments), daemon=True).start()
    theirs.close()
    return pipe


def measure(names, rounds, divide, data_dir):
    """Return {"first_step": {name: seconds}, "rates": {name: [per second, in each round]}, "memory": {name: MB}}."""
    pipes, first_step = {}, {}
    for name in names:
        pipe = started(serve, name, divide, data_dir)
        try:
            first_step[name], pipes[name] = pipe.recv(), pipe
            print(f"  ready: {name}, first step after {first_step[name]:.1f} s", flush=True)
        except EOFError:  # its traceback has been printed
            print(f"  left out, it failed: {name}", flush=True)
    rates = {name: [] for name in pipes}
    for _ in range(rounds):
        for name, pipe in pipes.items():
            pipe.send(True)
            rates[name].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    return {"first_step": first_step, "rates": rates, "memory": {name: pipe.recv() for name, pipe in pipes.items()}}


def one_epoch(pipe, count, data_dir):
    """A process of its own: one epoch of the fast recipe on `count` images, the data set repeated."""
    with libraries.quiet():
        images, labels = training_images(data_dir)
        work = ours("fast", np.resize(images, (count, 28, 28, 1)), np.resize(labels, count))
        work(RECIPES["fast"].batch_size)
    pipe.send((count, work(count), peak_memory()))


def until(percent, seed, data_dir):
    """Return {training: [(seconds, validation accuracy) after each epoch]}, up to the last one.

    One after the other, not interleaved: for a quiet machine.
    """
    with libraries.quiet():
        from pyimagesearch.training.train import train
    images, labels = training_images(data_dir)
    training, validation = preparation.split(images, labels, seed)
    recipe = as_here(RECIPES["fast"])
    _, history = train(recipe, training, validation, 10, seed)
    epochs = {"fast": list(zip(np.cumsum(history["seconds"]).tolist(), history["val_accuracy"], strict=True))}
    if importlib.util.find_spec("torch"):
        from pytorch import Training

        steps = recipe.epochs * (len(training[1]) // recipe.batch_size)
        network, begin = Training(*training, steps=steps, seed=seed), time.perf_counter()
        rows = epochs[f"PyTorch, eager, {recipe.batch_size}"] = []
        for epoch in range(recipe.epochs):
            network.epoch(number=epoch)
            reached = network.accuracy(*validation)
            rows.append((time.perf_counter() - begin, reached))
    return epochs


# Kind of operation: what the names of TensorFlow's operations of this kind contain. The first that fits counts.
KINDS = {
    "convolution: gradient of the weights": "Conv2DBackpropFilter",
    "convolution: gradient of the inputs": "Conv2DBackpropInput",
    "convolution: forward": "Conv2D",
    "dense layers, forward and backward": "MatMul",
    "batch normalization": "BatchNorm",
    "ReLU": "Relu",
    "max pooling": "MaxPool",
    "optimizer": "sgd/",
}


def profile(data_dir):
    """Return {kind: fraction of the time in TensorFlow's operations} of a step of the fast recipe."""
    with libraries.quiet():
        import tensorflow as tf
        from tensorflow.tsl.profiler.protobuf import xplane_pb2
    work = ours("fast", *training_images(data_dir))
    work(5120)
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            work(25_600)
        space = xplane_pb2.XSpace.FromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
    times = dict.fromkeys([*KINDS, "everything else"], 0.0)
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            if name.startswith("StatefulPartitionedCall/"):  # "/minivggnet/conv2d/convolution:_MklNativeConv2D"
                kind = next((kind for kind, part in KINDS.items() if part in name), "everything else")
                times[kind] += event.duration_ps
    return {kind: value / sum(times.values()) for kind, value in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each implementation (default: 5)")
    parser.add_argument("--only", nargs="+", choices=IMPLEMENTATIONS, help="these implementations, without a table")
    parser.add_argument("--quick", action="store_true", help="one round of a tenth; stores nothing")
    parser.add_argument("--scaling", action="store_true", help="time and memory of an epoch of 10,000 to 240,000")
    parser.add_argument("--until", type=float, metavar="PERCENT", help="time until this validation accuracy")
    parser.add_argument("--seed", type=int, default=0, help="of --until")
    parser.add_argument("--profile", action="store_true", help="the time of a step by kind of operation")
    parser.add_argument("--data-dir", type=Path)
    args = parser.parse_args()

    if args.scaling:
        counts = (10_000, 30_000, 60_000, 240_000)
        table, result = "scaling", {"scaling": [started(one_epoch, count, args.data_dir).recv() for count in counts]}
    elif args.profile:
        table, result = "profile", {"profile": profile(args.data_dir)}
    elif args.until:
        epochs = until(args.until, args.seed, args.data_dir)
        table, result = "until", {"until": args.until, "seed": args.seed, "epochs": epochs}
    else:
        rounds, divide = (1, 10) if args.quick else (args.rounds, 1)
        with libraries.quiet():
            from pyimagesearch.training import devices
        without = () if devices.fast_bfloat16() else ("matrix product, bfloat16",)
        names = args.only or [name for name in IMPLEMENTATIONS if name not in without]
        table, result = "speed", measure(names, rounds, divide, args.data_dir)
    from accuracy import circumstances

    result |= circumstances()
    for package in ("torch", "jax"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            result["versions"][package] = importlib.metadata.version(package)
    if not args.quick:
        with open(tables.HERE / "speed.jsonl", "a") as file:
            file.write(json.dumps(result) + "\n")
    if args.only:
        print({name: round(statistics.median(values)) for name, values in result["rates"].items()})
    else:
        print("\n" + tables.TABLES[table]([], [result]))


if __name__ == "__main__":
    main()
