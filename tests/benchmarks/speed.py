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
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE)]

from pyimagesearch.cli import libraries
from pyimagesearch.data import loading, preparation
from pyimagesearch.recipes import RECIPES

# Multiply-adds of one image in each layer with weights.
MULTIPLY_ADDS = (28**2 * 9 * 32, 28**2 * 9 * 32 * 32, 14**2 * 9 * 32 * 64, 14**2 * 9 * 64 * 64, 3136 * 512, 5120)


def training_flop(frozen=False):
    """Return the floating-point operations that a training step executes per image, in the matrix products alone.

    Each layer takes its multiply-adds once forward, once for the gradient of its weights and once for that of its
    inputs, which the first layer does not need. frozen: the first convolution is not trained, as in earlier versions.
    """
    times = [1, 2, 3, 3, 3, 3] if frozen else [2, 3, 3, 3, 3, 3]
    return 2 * sum(count * number for count, number in zip(times, MULTIPLY_ADDS, strict=True))


# What follows makes the implementations ready. Each function returns one that does an amount of work, and returns what
# it did (images, or operations) and the seconds that it took.


def matrix_product(dtype):
    """The largest matrix products that the machine does well, by TensorFlow."""

    def make(images, labels):
        import tensorflow as tf

        side = 4096
        matrix = tf.cast(tf.random.normal((side, side)), dtype)
        product = tf.function(lambda: tf.reduce_max(tf.matmul(matrix, matrix)))

        def work(count):
            start = time.perf_counter()
            for _ in range(count):
                product().numpy()
            return count * 2 * side**3, time.perf_counter() - start

        return work

    return make


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
    floats = images.astype("float32") / 255.0
    one_hot = keras.utils.to_categorical(labels, 10)

    def work(count):
        return count, timed_fit(model, floats[:count], one_hot[:count], batch_size=recipe.batch_size)

    return work


def ours(name):
    """A recipe as fashion_mnist.py trains it, input pipeline included, on the Keras backend of the process."""

    def make(images, labels):
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
            return count, timed_fit(model, batches, shuffle=False)

        return work

    return make


def pytorch(batch_size, compile):
    """The fast recipe in PyTorch; see pytorch.py."""

    def make(images, labels):
        from pytorch import Training

        return Training(images, labels, batch_size, compile).work

    return make


def input_pipeline(images, labels):
    """The batches of the fast recipe and nothing else: shuffle, gather, flip, shift, scale, one-hot."""
    from pyimagesearch.data.batches import Batches

    recipe = RECIPES["fast"]

    def work(count):
        start = time.perf_counter()
        batches = Batches(images[:count], labels[:count], 10, recipe.batch_size, 0, recipe)
        for index in range(len(batches)):
            batches[index]
        return count, time.perf_counter() - start

    return work


def evaluation(images, labels):
    """Predicting images as fashion_mnist_loaded.py does."""
    from pyimagesearch.evaluation.predict import predict
    from pyimagesearch.minivggnet import MiniVGGNet

    model = MiniVGGNet.build(28, 28, 1, 10)

    def work(count):
        start = time.perf_counter()
        predict(model, images[:count])
        return count, time.perf_counter() - start

    return work


def forward_pass(images, labels):
    """The network's forward pass alone, on batches of 500 that are ready."""
    import keras
    import tensorflow as tf

    from pyimagesearch.data.batches import scale
    from pyimagesearch.minivggnet import MiniVGGNet

    model = MiniVGGNet.build(28, 28, 1, 10)
    parts = [keras.ops.convert_to_tensor(scale(images[k : k + 500])) for k in range(0, 10_000, 500)]
    forward = tf.function(lambda part: model(part, training=False))

    def work(count):
        start = time.perf_counter()
        done = [len(forward(part).numpy()) for part in parts[: -(-count // 500)]]
        return sum(done), time.perf_counter() - start

    return work


# name: (maker, amount of work per run, that of the first step)
IMPLEMENTATIONS = {
    "matrix product": (matrix_product("float32"), 4, 1),
    "matrix product, bfloat16": (matrix_product("bfloat16"), 4, 1),  # where recipes compute in it
    "plain Keras, classic": (keras_plain, 2560, 32),
    "classic": (ours("classic"), 2560, 32),
    "fast": (ours("fast"), 5120, 256),
    "best": (ours("best"), 5120, 128),
    "input pipeline of fast": (input_pipeline, 5120, 256),
    "evaluation": (evaluation, 10_000, 500),
    "forward pass only": (forward_pass, 10_000, 500),
}
if importlib.util.find_spec("torch"):
    for size in (128, 256, 512):
        for how in ("eager", "compile"):
            IMPLEMENTATIONS[f"PyTorch, {how}, {size}"] = (pytorch(size, how == "compile"), 5120, size)
if importlib.util.find_spec("jax"):
    IMPLEMENTATIONS["fast on JAX"] = (ours("fast"), 1280, 256)


def training_images(data_dir):
    with contextlib.redirect_stdout(None):
        images, labels = loading.load_part("train", data_dir)
    return preparation.reshape(images), labels


def peak_memory():
    """Return the peak of this process's memory so far, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1024)


def serve(name, divide, data_dir, pipe):
    """An implementation's process: make it ready, then answer each request with (amount, seconds)."""
    os.environ["KERAS_BACKEND"] = "jax" if name.endswith("JAX") else "tensorflow"
    if name.startswith("plain Keras"):  # as people write it: whether to use oneDNN is left to TensorFlow
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = ""
    maker, amount, step = IMPLEMENTATIONS[name]
    amount = max(step, amount // divide)
    with libraries.quiet(), contextlib.redirect_stdout(None):
        work = maker(*training_images(data_dir))
        begin = time.perf_counter()
        work(step)  # trace, compile, allocate
        first_step = time.perf_counter() - begin
        work(amount)
    pipe.send(first_step)
    while pipe.recv():
        work(max(step, amount // 10))  # refill caches after the wait
        pipe.send(work(amount))
    pipe.send(peak_memory())


def measure(names, rounds, divide, data_dir):
    """Return {"first_step": {name: seconds}, "rates": {name: [per second, in each round]}, "memory": {name: MB}}."""
    context = multiprocessing.get_context("spawn")
    pipes, first_step = {}, {}
    for name in names:
        pipe, theirs = context.Pipe()
        context.Process(target=serve, args=(name, divide, data_dir, theirs), daemon=True).start()
        theirs.close()
        try:
            first_step[name] = pipe.recv()
        except EOFError:  # its traceback has been printed
            print(f"  left out, it failed: {name}", flush=True)
            continue
        pipes[name] = pipe
        print(f"  ready: {name}, first step after {first_step[name]:.1f} s", flush=True)
    rates = {name: [] for name in pipes}
    for _ in range(rounds):
        for name, pipe in pipes.items():
            pipe.send(True)
            amount, seconds = pipe.recv()
            rates[name].append(amount / seconds)
    for pipe in pipes.values():
        pipe.send(False)
    return {"first_step": first_step, "rates": rates, "memory": {name: pipe.recv() for name, pipe in pipes.items()}}


def trainings(result):
    """Return rows of the trainings in a result of measure(): name, median rate, lowest, highest, FLOP per second,
    fraction of the limit, memory in MB.

    The limit is the fastest matrix product of the run in the same precision: other load has slowed it down least.
    """
    rows = []
    for name, rates in result["rates"].items():
        if name.split(",")[0] not in ("plain Keras", "classic", "fast", "fast on JAX", "best", "PyTorch"):
            continue
        frozen = result.get("first convolution") == "frozen" and "classic" not in name
        flop = statistics.median(rates) * training_flop(frozen)
        fraction = flop / max(result["rates"][limit_of(name, result)])
        rows.append((name, statistics.median(rates), min(rates), max(rates), flop, fraction, result["memory"][name]))
    return rows


def limit_of(name, result):
    """Return the matrix product in the precision of an implementation. JAX and `classic` compute in float32."""
    product = "matrix product, bfloat16"
    return product if product in result["rates"] and "classic" not in name and "JAX" not in name else "matrix product"


def limits(result):
    """Return a sentence on the matrix products of the run."""
    rates = {name: values for name, values in result["rates"].items() if name.startswith("matrix product")}
    words = " and ".join(f"{max(values) / 1e9:.0f} GFLOP/s ({name})" for name, values in rates.items())
    return (
        f"The limit: {words}, the fastest of {len(rates['matrix product'])} rounds, in the precision of the training."
    )


def ratios(result):
    """Return {what: ratio}, each the median over the rounds of a result of measure()."""
    rates = result["rates"]

    def ratio(one, other):
        return statistics.median(a / b for a, b in zip(rates[one], rates[other], strict=True))

    found = {"fast / plain Keras, classic": ratio("fast", "plain Keras, classic")}
    if torch := [name for name in rates if name.startswith("PyTorch")]:
        best = max(torch, key=lambda name: statistics.median(rates[name]))
        found[f"fast / the fastest PyTorch ({best.split(', ', 1)[1]})"] = ratio("fast", best)
        # At equal work: what is left of the lead over plain Keras is the recipe's and the input pipeline's.
        found["the fastest PyTorch / plain Keras, classic"] = ratio(best, "plain Keras, classic")
    found["time for batches / time of a step, fast"] = ratio("fast", "input pipeline of fast")
    found["time of an evaluation / of its forward passes"] = ratio("forward pass only", "evaluation")
    return found


def report(result):
    print(f"\n{'':<24} {'images/s':>9} {'min to max':>15} {'GFLOP/s':>8} {'of limit':>9} {'memory MB':>10}")
    for name, middle, low, high, flop, fraction, memory in trainings(result):
        spread, share = f"{low:,.0f}-{high:,.0f}", f"{fraction:.0%}" if fraction else "-"
        print(f"{name:<24} {middle:>9,.0f} {spread:>15} {flop / 1e9:>8.0f} {share:>9} {memory:>10,.0f}")
    print(f"{limits(result)}\n")
    for words, value in ratios(result).items():
        print(f"{words}: {value:.3f}")


def one_epoch(count, data_dir, pipe):
    """A process of its own: one epoch of the fast recipe on `count` images, the data set repeated."""
    with libraries.quiet():
        images, labels = training_images(data_dir)
        images, labels = np.resize(images, (count, 28, 28, 1)), np.resize(labels, count)
        work = ours("fast")(images, labels)
        work(RECIPES["fast"].batch_size)
    pipe.send((work(count)[1], peak_memory()))


def scaling(data_dir):
    """Print the time and the peak memory of an epoch for more and more images."""
    context = multiprocessing.get_context("spawn")
    print(f"{'images':>9} {'seconds':>8} {'images/s':>9} {'memory MB':>10} {'of it images':>13}")
    rows = []
    for count in (10_000, 30_000, 60_000, 240_000):
        pipe, theirs = context.Pipe()
        process = context.Process(target=one_epoch, args=(count, data_dir, theirs))
        process.start()
        seconds, memory = pipe.recv()
        process.join()
        rows.append([count, seconds, memory])
        print(f"{count:>9,} {seconds:>8.1f} {count / seconds:>9,.0f} {memory:>10,.0f} {count * 785 / 1e6:>13,.0f}")
    return rows


def until(percent, seed, data_dir):
    """Print after how many seconds of training and validation each passes `percent` validation accuracy first.

    One after the other, not interleaved: for a quiet machine.
    """
    with libraries.quiet():
        from pyimagesearch.training import devices
        from pyimagesearch.training.train import train
    images, labels = training_images(data_dir)
    training, validation = preparation.split(images, labels, seed)
    recipe = RECIPES["fast"]
    recipe = dataclasses.replace(recipe, bfloat16=recipe.bfloat16 and devices.fast_bfloat16())
    _, history = train(recipe, training, validation, 10, seed)
    epochs = {"fast": list(zip(np.cumsum(history["seconds"]).tolist(), history["val_accuracy"], strict=True))}
    if importlib.util.find_spec("torch"):
        from pytorch import Training

        steps = recipe.epochs * (len(training[1]) // recipe.batch_size)
        network, begin = Training(*training, steps=steps, seed=seed), time.perf_counter()
        name = f"PyTorch, eager, {recipe.batch_size}"
        epochs[name] = []
        for epoch in range(recipe.epochs):
            network.epoch(number=epoch)
            reached = network.accuracy(*validation)
            epochs[name].append((time.perf_counter() - begin, reached))
            print(f"PyTorch, epoch {epoch + 1}/{recipe.epochs}: validation accuracy {reached:.2%}")
    for name, values in epochs.items():
        passed = [f"after {seconds:.0f} s" for seconds, reached in values if reached >= percent / 100] or ["never"]
        print(f"{name}: {percent}% {passed[0]}; {values[-1][1]:.2%} at the end (seed {seed})")
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
    """Print which fraction of the time in TensorFlow's operations each kind takes in a step of the fast recipe."""
    import tempfile

    with libraries.quiet():
        import tensorflow as tf
        from tensorflow.tsl.profiler.protobuf import xplane_pb2
    images, labels = training_images(data_dir)
    work = ours("fast")(images, labels)
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
    fractions = {kind: value / sum(times.values()) for kind, value in times.items()}
    for kind, fraction in fractions.items():
        print(f"{kind:<37} {fraction:.0%}")
    return fractions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each implementation (default: 5)")
    parser.add_argument("--only", nargs="+", choices=IMPLEMENTATIONS, help="these implementations, without a report")
    parser.add_argument("--quick", action="store_true", help="one round of a tenth; stores nothing")
    parser.add_argument("--scaling", action="store_true", help="time and memory of an epoch of 10,000 to 240,000")
    parser.add_argument("--until", type=float, metavar="PERCENT", help="time until this validation accuracy")
    parser.add_argument("--seed", type=int, default=0, help="of --until")
    parser.add_argument("--profile", action="store_true", help="the time of a step by kind of operation")
    parser.add_argument("--data-dir", type=Path)
    args = parser.parse_args()

    if args.scaling:
        result = {"scaling": scaling(args.data_dir)}
    elif args.profile:
        result = {"profile": profile(args.data_dir)}
    elif args.until:
        result = {"until": args.until, "seed": args.seed, "epochs": until(args.until, args.seed, args.data_dir)}
    else:
        rounds, divide = (1, 10) if args.quick else (args.rounds, 1)
        with libraries.quiet():
            from pyimagesearch.training import devices
        without = () if devices.fast_bfloat16() else ("matrix product, bfloat16",)
        names = args.only or [name for name in IMPLEMENTATIONS if name not in without]
        result = measure(names, rounds, divide, args.data_dir)
        if args.only:
            print({name: round(statistics.median(values)) for name, values in result["rates"].items()})
        else:
            report(result)
    if not args.quick:
        from accuracy import circumstances

        measured = circumstances()
        for package in ("torch", "jax"):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                measured["versions"][package] = importlib.metadata.version(package)
        with open(HERE / "speed.jsonl", "a") as file:
            file.write(json.dumps(result | measured) + "\n")


if __name__ == "__main__":
    main()
