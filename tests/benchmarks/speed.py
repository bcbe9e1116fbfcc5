"""How fast the training is, against plain Keras, PyTorch, JAX and the cores' own limit. README.md here explains.

python tests/benchmarks/speed.py            all sides in turns, a few minutes on two cores
python tests/benchmarks/speed.py --rounds 9 more turns, for a noisy machine

Every side is a process of its own and waits while another one runs; the sides take turns, so that what else the
machine does hits all of them alike. The figures to compare are the ratios.
"""

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from pyimagesearch.cli import libraries
from pyimagesearch.data import loading as datasets
from pyimagesearch.data import preparation as preprocessing
from pyimagesearch.recipes import RECIPES

# Multiply-adds of one picture, layer by layer; 2 operations each; backward costs twice forward.
MULTIPLY_ADDS = 28 * 28 * 9 * (1 * 32 + 32 * 32) + 14 * 14 * 9 * (32 * 64 + 64 * 64) + 3136 * 512 + 512 * 10
TRAINING_FLOP = 3 * 2 * MULTIPLY_ADDS
TORCH_BATCHES = (64, 128, 256, 512)


def limit():
    """The best float32 matrix product; returns a function: count of products -> (floating-point operations, s)."""
    import tensorflow as tf

    side = 4096
    matrix = tf.random.normal((side, side))
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))

    def work(count):
        start = time.perf_counter()
        for _ in range(count):
            product().numpy()
        return count * 2 * side**3, time.perf_counter() - start

    return work


def timed_fit(model, *arguments, **options):
    """Train for an epoch and return the seconds that it took.

    From its first batch to its last: for data that tf.data makes, plain arrays too, taking its iterator down then
    waits for a timer, up to five seconds and, with the process kept to one core, up to twenty, after each epoch.
    """
    import keras

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self.start

    clock = Clock()
    model.fit(*arguments, epochs=1, verbose=0, callbacks=[clock], **options)
    return clock.seconds


def keras_plain(images, labels):
    """The classic recipe as people write it: float32 arrays, one-hot labels, CONV => RELU => BN, plain model.fit."""
    import keras
    from keras import layers

    from pyimagesearch.training.train import learning_rates

    recipe = RECIPES["classic"]
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters, rate in ((32, recipe.dropout[0]), (64, recipe.dropout[1])):
        for _ in range(2):
            model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
            model.add(layers.BatchNormalization())
        model.add(layers.MaxPooling2D(2))
        model.add(layers.Dropout(rate))
    model.add(layers.Flatten())
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.BatchNormalization())
    model.add(layers.Dropout(recipe.dropout[2]))
    model.add(layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.SGD(learning_rates(recipe, 1), recipe.momentum)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    floats = images.astype("float32") / 255.0
    one_hot = keras.utils.to_categorical(labels, 10)

    def work(count):
        return count, timed_fit(model, floats[:count], one_hot[:count], batch_size=recipe.batch_size)

    return work


def batches_of(recipe, images, labels):
    """The pictures as the recipe's training gets them."""
    from pyimagesearch.data.batches import Batches

    augmentation = recipe.flip, recipe.shift, recipe.stretch, recipe.erase, recipe.cutmix
    return Batches(images, labels, 10, recipe.batch_size, 0, *augmentation)


def ours(images, labels, name):
    """A recipe as fashion_mnist.py trains it, input included, under the Keras backend of this process."""
    from pyimagesearch.training import devices
    from pyimagesearch.training import train as training

    recipe = RECIPES[name]
    recipe = dataclasses.replace(recipe, bfloat16=recipe.bfloat16 and devices.fast_bfloat16())
    model = training.new_model(recipe, images, 10, seed=0, steps=10_000)

    def work(count):
        batches = batches_of(recipe, images[:count], labels[:count])
        return count, timed_fit(model, batches, shuffle=False)

    return work


def input_only(images, labels):
    """What the input of the fast recipe costs: shuffle, gather, flip, shift, scale, one-hot; no network."""
    recipe = RECIPES["fast"]

    def work(count):
        start = time.perf_counter()
        batches = batches_of(recipe, images[:count], labels[:count])
        for index in range(len(batches)):
            batches[index]
        return count, time.perf_counter() - start

    return work


def predictions(images, labels, bare):
    """The evaluation's way through 10,000 pictures or, if `bare`, nothing but the network's forward pass."""
    import keras
    import tensorflow as tf

    from pyimagesearch.evaluation import metrics as evaluation
    from pyimagesearch.minivggnet import MiniVGGNet

    model = MiniVGGNet.build(28, 28, 1, 10)
    floats = [preprocessing.scale(images[first : first + 500]) for first in range(0, 10_000, 500)] if bare else []
    floats = [keras.ops.convert_to_tensor(part) for part in floats]
    forward = tf.function(lambda part: model(part, training=False))

    def work(count):
        start = time.perf_counter()
        if bare:
            for part in floats:
                forward(part).numpy()
        else:
            evaluation.predict(model, images[:10_000])
        return 10_000, time.perf_counter() - start

    return work


def torch_eager(images, labels, batch_size):
    """The same network and the fast recipe's choices in PyTorch, eager, channels last: what people would write."""
    import torch
    from torch import nn

    recipe = RECIPES["fast"]
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    stack, channels = [], 1
    for filters in (32, 64):
        for _ in range(2):
            stack += [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
            channels = filters
        stack.append(nn.MaxPool2d(2))
    stack += [nn.Flatten(), nn.Linear(3136, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 10)]
    model = nn.Sequential(*stack).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    pixels = torch.from_numpy(images.copy()).permute(0, 3, 1, 2)
    targets = torch.from_numpy(labels.astype(np.int64))

    def work(count):
        start = time.perf_counter()
        order = torch.randperm(count)
        for first in range(0, count, batch_size):
            chosen = order[first : first + batch_size]
            batch = pixels[chosen].float().div_(255).contiguous(memory_format=torch.channels_last)
            batch = torch.where(torch.rand(len(chosen), 1, 1, 1) < 0.5, batch.flip(3), batch)
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(batch), targets[chosen])
            loss.backward()
            optimizer.step()
        return count, time.perf_counter() - start

    return work


# name: (backend, maker, pictures or products a turn, whether it needs the data)
SIDES = {
    "limit": ("tensorflow", limit, 4, False),
    "plain Keras, classic": ("tensorflow", keras_plain, 2560, True),
    "ours, classic": ("tensorflow", lambda *data: ours(*data, "classic"), 2560, True),
    "ours, fast": ("tensorflow", lambda *data: ours(*data, "fast"), 5120, True),
    "ours, best": ("tensorflow", lambda *data: ours(*data, "best"), 5120, True),
    "input of fast alone": ("tensorflow", input_only, 5120, True),
    "evaluation": ("tensorflow", lambda *data: predictions(*data, bare=False), 10_000, True),
    "bare forward pass": ("tensorflow", lambda *data: predictions(*data, bare=True), 10_000, True),
}
NOT_TRAINING = ("limit", "input of fast alone", "evaluation", "bare forward pass")
if importlib.util.find_spec("torch"):
    for size in TORCH_BATCHES:
        SIDES[f"PyTorch eager, {size}"] = ("tensorflow", lambda *data, size=size: torch_eager(*data, size), 5120, True)
if importlib.util.find_spec("jax"):
    SIDES["ours, fast, on JAX"] = ("jax", lambda *data: ours(*data, "fast"), 1024, True)


def serve(name, data_dir, pipe):
    """A side's process: make it ready, then answer each request with (amount, seconds)."""
    backend, maker, amount, needs_data = SIDES[name]
    os.environ["KERAS_BACKEND"] = backend
    if name.startswith("plain Keras"):  # as people write it: no word of oneDNN, which leaves it to TensorFlow
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = ""
    with libraries.quiet():
        data = ()
        if needs_data:
            with contextlib.redirect_stdout(None):
                images, labels = datasets.load_part("train", data_dir)
            data = preprocessing.reshape(images), labels
        work = maker(*data)
        start = time.perf_counter()
        if "ours" in name:
            work(1)  # a single step: trace, compile, allocate
        pipe.send(time.perf_counter() - start)
        work(amount)
        pipe.send("ready")
    while pipe.recv():
        work(max(1, amount // 10))  # what a waiting process's memory and caches have lost comes back
        pipe.send(work(amount))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(rounds, data_dir):
    """Return {side: [rates, a round each]} and {side: peak memory in MB}; the sides take turns."""
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for name in SIDES:
        pipes[name], theirs = context.Pipe()
        context.Process(target=serve, args=(name, data_dir, theirs), daemon=True).start()
        first_step = pipes[name].recv()
        pipes[name].recv()
        print(f"  ready: {name}" + (f", first step after {first_step:.1f} s" if "ours" in name else ""), flush=True)
    rates = {name: [] for name in SIDES}
    for _ in range(rounds):
        for name, pipe in pipes.items():
            pipe.send(True)
            amount, seconds = pipe.recv()
            rates[name].append(amount / seconds)
    memory = {}
    for name, pipe in pipes.items():
        pipe.send(False)
        memory[name] = pipe.recv()
    return rates, memory


def one_epoch(count, data_dir, pipe):
    """A process of its own: one epoch of the fast recipe on `count` pictures, the set again and again."""
    with libraries.quiet(), contextlib.redirect_stdout(None):
        images, labels = datasets.load_part("train", data_dir)
        images, labels = np.resize(images, (count, 28, 28, 1)), np.resize(labels, count)
        work = ours(images, labels, "fast")
        work(1)
    _, seconds = work(count)
    pipe.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def scaling(data_dir):
    """Print the time and the peak memory of an epoch, picture for picture, for more and more pictures."""
    context = multiprocessing.get_context("spawn")
    print(f"{'pictures':>9} {'seconds':>8} {'images/s':>9} {'memory MB':>10} {'of it pictures':>15}")
    for count in (10_000, 30_000, 60_000, 240_000):
        pipe, theirs = context.Pipe()
        process = context.Process(target=one_epoch, args=(count, data_dir, theirs))
        process.start()
        seconds, memory = pipe.recv()
        process.join()
        print(f"{count:>9,} {seconds:>8.1f} {count / seconds:>9,.0f} {memory:>10,.0f} {count * 785 / 1e6:>15,.0f}")


def answer_times():
    """Print how fast the script answers --help and a user's mistake, the best of five each."""
    for words, flags in (("--help", ["--help"]), ("a missing folder", ["--data-dir", "/no/such/folder"])):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, str(ROOT / "fashion_mnist.py"), *flags], capture_output=True, cwd="/tmp")
            times.append(time.perf_counter() - start)
        print(f"fashion_mnist.py answers {words} in {min(times):.2f} s")


def against_classic(rates):
    """Print what accuracy.py has found (results.jsonl), in units of the classic recipe's time as measured here.

    Of the fast recipe also what it reaches when all of it, the schedule too, takes fewer epochs.
    """
    path = Path(__file__).with_name("results.jsonl")
    results = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    runs = {}
    for run in results:
        if run["change"].keys() <= {"epochs"} and "test" in run:
            recipe = dataclasses.replace(RECIPES[run["recipe"]], **run["change"])
            if run["values"] == json.loads(json.dumps(dataclasses.asdict(recipe))):
                runs.setdefault((run["recipe"], recipe.epochs), []).append(run)
    print(f"\n{'recipe':<8} {'epochs':>6} {'validation %':>12} {'test %':>15} {'seeds':>5}   time: 1/x of classic's")
    for (name, epochs), group in sorted(runs.items()):
        tests = [100 * run["test"] for run in group]
        spread = f" +- {statistics.stdev(tests):.2f}" if len(tests) > 1 else ""
        validation = 100 * statistics.mean(run["validation"][-1] for run in group)
        times = []
        for side in ("plain Keras, classic", "ours, classic"):
            faster = statistics.median(a / b for a, b in zip(rates[f"ours, {name}"], rates[side], strict=True))
            times.append(f"{RECIPES['classic'].epochs / epochs * faster:.1f} ({side.split(',')[0]})")
        tested = f"{statistics.mean(tests):.2f}{spread}"
        print(f"{name:<8} {epochs:>6} {validation:>12.2f} {tested:>15} {len(group):>5}   {', '.join(times)}")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scaling", action="store_true", help="time and memory of an epoch of 10,000 to 240,000")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rates to FILE")
    args = parser.parse_args(arguments)

    if args.scaling:
        scaling(args.data_dir)
        return
    answer_times()
    rates, memory = measure(args.rounds, args.data_dir)
    best = max(rates["limit"])
    middle = {name: statistics.median(values) for name, values in rates.items()}
    print(f"\nlimit: {best / 1e9:.0f} GFLOP/s, the best float32 matrix product (median {middle['limit'] / 1e9:.0f})")
    print(f"training one picture: {TRAINING_FLOP / 1e9:.4f} GFLOP\n")
    print(f"{'side':<24} {'images/s':>9} {'spread':>15} {'GFLOP/s':>8} {'of limit':>9} {'memory MB':>10}")
    for name, values in rates.items():
        if name in NOT_TRAINING:
            continue
        gflops = middle[name] * TRAINING_FLOP / 1e9
        share = statistics.median(rate * TRAINING_FLOP / top for rate, top in zip(values, rates["limit"], strict=True))
        spread = f"{min(values):,.0f}-{max(values):,.0f}"
        print(f"{name:<24} {middle[name]:>9,.0f} {spread:>15} {gflops:>8.0f} {share:>9.0%} {memory[name]:>10,.0f}")

    def ratio(one, other):
        return statistics.median(a / b for a, b in zip(rates[one], rates[other], strict=True))

    print(f"\nfast / plain Keras with the classic recipe: {ratio('ours, fast', 'plain Keras, classic'):.2f}")
    torch_sides = [name for name in rates if name.startswith("PyTorch")]
    if torch_sides:
        top = max(torch_sides, key=middle.get)
        print(f"fast / the best of PyTorch ({top}): {ratio('ours, fast', top):.2f}")
    share = statistics.median(rates["ours, fast"]) / statistics.median(rates["input of fast alone"])
    print(f"input (shuffle, flip, scale), share of a step: {share:.1%}")
    print(f"evaluation of 10,000 pictures / bare forward pass: {ratio('bare forward pass', 'evaluation'):.2f} times")
    against_classic(rates)
    if args.json:
        args.json.write_text(json.dumps({"rates": rates, "memory": memory}, indent=1) + "\n")


if __name__ == "__main__":
    main()
