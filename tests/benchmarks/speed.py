"""How fast the training is, against plain Keras, PyTorch at equal work, JAX, and the fastest matrix product.

python tests/benchmarks/speed.py              all implementations, interleaved; about ten minutes on two cores
python tests/benchmarks/speed.py --rounds 9   more rounds, for a noisy machine
python tests/benchmarks/speed.py --scaling    time and memory of an epoch of 10,000 to 240,000 images
python tests/benchmarks/speed.py --until 94   time until 94% validation accuracy, with PyTorch beside

Each implementation is a process of its own that waits while another one runs. Runs of a few seconds are interleaved, so
that other load on the machine affects all alike: the figures to compare are the ratios. Each call adds a line to
speed.jsonl.
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

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from pyimagesearch.cli import libraries
from pyimagesearch.data import loading, preparation
from pyimagesearch.recipes import RECIPES

# Multiply-adds of one image in each layer with weights.
MULTIPLY_ADDS = (28**2 * 9 * 32, 28**2 * 9 * 32 * 32, 14**2 * 9 * 32 * 64, 14**2 * 9 * 64 * 64, 3136 * 512, 5120)
TORCH_BATCHES = (128, 256, 512)


def training_flop(recipe):
    """Return the floating-point operations that a training step executes per image, in the matrix products alone.

    Each layer takes its multiply-adds once forward, once for the gradient of its weights and once for that of its
    inputs. The first layer needs no gradient of its inputs; if whitening freezes it, it needs none at all, and the
    second layer needs none of its inputs.
    """
    times = [2, 3, 3, 3, 3, 3]
    if recipe.whitening:
        times[:2] = 1, 2
    return 2 * sum(count * number for count, number in zip(times, MULTIPLY_ADDS, strict=True))


def matrix_product():
    """The largest float32 matrix products that the machine does well, by TensorFlow.

    Like all makers here, it returns a function: amount of work -> (work done, seconds).
    """
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
    """Train for an epoch and return its seconds, from the first batch to the last.

    (For data that tf.data serves, plain arrays too, taking the iterator down after an epoch waits for a timer: up to
    five seconds and, in a process that has one core, up to twenty.)
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


def ours(images, labels, name):
    """A recipe as fashion_mnist.py trains it, input pipeline included, on the Keras backend of this process."""
    from pyimagesearch.data.batches import Batches
    from pyimagesearch.training import devices
    from pyimagesearch.training.fused import fused_batch_normalization
    from pyimagesearch.training.train import compiled

    recipe = RECIPES[name]
    recipe = dataclasses.replace(recipe, bfloat16=recipe.bfloat16 and devices.fast_bfloat16())
    model = compiled(recipe, images, 10, seed=0, steps=10_000)

    def work(count):
        batches = Batches(images[:count], labels[:count], 10, recipe.batch_size, 0, recipe)
        with fused_batch_normalization():
            return count, timed_fit(model, batches, shuffle=False)

    return work


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


def predictions(images, labels, forward_only):
    """The evaluation of 10,000 images or, if `forward_only`, the network's forward pass alone."""
    import keras
    import tensorflow as tf

    from pyimagesearch.data.batches import scale
    from pyimagesearch.evaluation.predict import predict
    from pyimagesearch.minivggnet import MiniVGGNet

    model = MiniVGGNet.build(28, 28, 1, 10)
    parts = [scale(images[first : first + 500]) for first in range(0, 10_000, 500)] if forward_only else []
    parts = [keras.ops.convert_to_tensor(part) for part in parts]
    forward = tf.function(lambda part: model(part, training=False))

    def work(count):
        start = time.perf_counter()
        if forward_only:
            for part in parts:
                forward(part).numpy()
        else:
            predict(model, images[:10_000])
        return 10_000, time.perf_counter() - start

    return work


class Torch:
    """The fast recipe in PyTorch, at equal work: the same network and whitening, batches, loss, optimizer, precision.

    The batches are ours: the same augmentation, by the same code. Channels last.
    """

    def __init__(self, images, labels, batch_size, compiled, steps=10_000):
        import torch
        from torch import nn

        from pyimagesearch.training.train import build
        from pyimagesearch.training.whitening import whiten

        self.torch, self.recipe = torch, dataclasses.replace(RECIPES["fast"], batch_size=batch_size)
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        torch.manual_seed(0)
        stack, channels = [], 1
        for filters in (32, 64):
            for _ in range(2):
                stack += [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
                channels = filters
            stack.append(nn.MaxPool2d(2))
        stack += [nn.Flatten(), nn.Linear(3136, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 10)]
        self.model = nn.Sequential(*stack).to(memory_format=torch.channels_last)
        with contextlib.redirect_stdout(None):
            network = build(self.recipe, 10)
            whiten(network, images, 0)
        kernel, _, _, mean, variance = network.get_weights()[:5]
        with torch.no_grad():
            stack[0].weight.copy_(torch.from_numpy(kernel.transpose(3, 2, 0, 1)))
            stack[1].running_mean.copy_(torch.from_numpy(mean))
            stack[1].running_var.copy_(torch.from_numpy(variance))
        for parameter in (*stack[0].parameters(), *stack[1].parameters()):
            parameter.requires_grad = False
        self.frozen = stack[1]
        self.decayed = [layer.weight for layer in stack if isinstance(layer, nn.Conv2d | nn.Linear)][1:]
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.SGD(trained, 0.1, self.recipe.momentum, nesterov=True)
        self.loss = nn.CrossEntropyLoss(label_smoothing=self.recipe.label_smoothing)
        self.forward = torch.compile(self.model) if compiled else self.model
        self.images, self.labels, self.steps, self.done = images, labels, steps, 0

    def batches(self, count, epoch=0):
        from pyimagesearch.data.batches import Batches

        batches = Batches(self.images[:count], self.labels[:count], 10, self.recipe.batch_size, 0, self.recipe)
        batches.start_epoch(epoch)
        return batches

    def tensor(self, images):
        tensor = self.torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        return tensor.contiguous(memory_format=self.torch.channels_last)

    def rate(self):
        """The learning rate of the recipe's schedule at this step."""
        warmup, peak = self.steps // 5, self.recipe.learning_rate
        if self.done < warmup:
            return peak * self.done / warmup
        return peak * (1 + np.cos(np.pi * (self.done - warmup) / (self.steps - warmup))) / 2

    def epoch(self, count, epoch=0):
        batches = self.batches(count, epoch)
        self.model.train()
        self.frozen.eval()
        for index in range(len(batches)):
            images, targets = batches[index]
            rate = self.optimizer.param_groups[0]["lr"] = float(self.rate())
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self.forward(self.tensor(images)), self.torch.from_numpy(targets))
            loss.backward()
            with self.torch.no_grad():
                self.torch._foreach_mul_(self.decayed, 1 - rate * self.recipe.weight_decay)
            self.optimizer.step()
            self.done += 1

    def accuracy(self, images, labels):
        from pyimagesearch.data.batches import scale

        self.model.eval()
        with self.torch.inference_mode():
            parts = [self.model(self.tensor(scale(images[k : k + 500]))) for k in range(0, len(images), 500)]
        return float((self.torch.cat(parts).argmax(1).numpy() == labels).mean())

    def work(self, count):
        start = time.perf_counter()
        self.epoch(count)
        return count, time.perf_counter() - start


# name: (Keras's backend, maker, images or products per run, whether it needs the data)
IMPLEMENTATIONS = {
    "matrix product": ("tensorflow", matrix_product, 4, False),
    "plain Keras, classic": ("tensorflow", keras_plain, 2560, True),
    "classic": ("tensorflow", lambda *data: ours(*data, "classic"), 2560, True),
    "fast": ("tensorflow", lambda *data: ours(*data, "fast"), 5120, True),
    "best": ("tensorflow", lambda *data: ours(*data, "best"), 5120, True),
    "input pipeline of fast": ("tensorflow", input_pipeline, 5120, True),
    "evaluation": ("tensorflow", lambda *data: predictions(*data, forward_only=False), 10_000, True),
    "forward pass only": ("tensorflow", lambda *data: predictions(*data, forward_only=True), 10_000, True),
}
NOT_TRAINING = ("matrix product", "input pipeline of fast", "evaluation", "forward pass only")
if importlib.util.find_spec("torch"):
    for size in TORCH_BATCHES:
        for how in ("eager", "compile"):
            maker = lambda *data, size=size, how=how: Torch(*data, size, how == "compile").work  # noqa: E731
            IMPLEMENTATIONS[f"PyTorch, {how}, {size}"] = ("tensorflow", maker, 5120, True)
if importlib.util.find_spec("jax"):
    IMPLEMENTATIONS["fast on JAX"] = ("jax", lambda *data: ours(*data, "fast"), 1024, True)


def start(name, backend):
    """Prepare a process for an implementation's backend."""
    os.environ["KERAS_BACKEND"] = backend
    if name.startswith("plain Keras"):  # as people write it: whether to use oneDNN is left to TensorFlow
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = ""


def data_of(data_dir):
    with contextlib.redirect_stdout(None):
        images, labels = loading.load_part("train", data_dir)
    return preparation.reshape(images), labels


def serve(name, data_dir, pipe):
    """An implementation's process: make it ready, then answer each request with (amount, seconds)."""
    backend, maker, amount, needs_data = IMPLEMENTATIONS[name]
    start(name, backend)
    with libraries.quiet():
        work = maker(*data_of(data_dir) if needs_data else ())
        begin = time.perf_counter()
        work(1)  # a single step: trace, compile, allocate
        pipe.send(time.perf_counter() - begin)
        work(amount)
        pipe.send("ready")
    while pipe.recv():
        work(max(1, amount // 10))  # refill caches after the wait
        pipe.send(work(amount))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(rounds, data_dir, chosen):
    """Return {implementation: [rate per round]} and {implementation: peak memory in MB}."""
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for name in chosen:
        pipes[name], theirs = context.Pipe()
        context.Process(target=serve, args=(name, data_dir, theirs), daemon=True).start()
        first_step = pipes[name].recv()
        pipes[name].recv()
        print(f"  ready: {name}, first step after {first_step:.1f} s", flush=True)
    rates = {name: [] for name in chosen}
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


def ratio(rates, one, other):
    """Return the median over the rounds of how many times as fast `one` is as `other`."""
    return statistics.median(a / b for a, b in zip(rates[one], rates[other], strict=True))


def report(rates, memory):
    """Print rates, ratios, and the fraction of the fastest matrix product that each training reaches."""
    limit = max(rates["matrix product"])
    print(f"\nlimit: {limit / 1e9:.0f} GFLOP/s, the fastest float32 matrix product of {len(rates['matrix product'])}")
    print(f"{'':<24} {'images/s':>9} {'min to max':>15} {'GFLOP/s':>8} {'of limit':>9} {'memory MB':>10}")
    for name, values in rates.items():
        if name in NOT_TRAINING:
            continue
        recipe = RECIPES["classic" if "classic" in name else "fast"]
        middle, spread = statistics.median(values), f"{min(values):,.0f}-{max(values):,.0f}"
        flops = middle * training_flop(recipe)
        print(
            f"{name:<24} {middle:>9,.0f} {spread:>15} {flops / 1e9:>8.0f} {flops / limit:>9.0%} {memory[name]:>10,.0f}"
        )
    figures = {"fast / plain Keras, classic": ratio(rates, "fast", "plain Keras, classic")}
    torch = [name for name in rates if name.startswith("PyTorch")]
    if torch:
        best = max(torch, key=lambda name: statistics.median(rates[name]))
        figures[f"fast / the fastest of PyTorch ({best})"] = ratio(rates, "fast", best)
    figures["input pipeline / step of fast"] = ratio(rates, "fast", "input pipeline of fast")
    figures["evaluation / forward pass only, in time"] = ratio(rates, "forward pass only", "evaluation")
    print()
    for words, value in figures.items():
        print(f"{words}: {value:.3f}")
    return figures


def one_epoch(count, data_dir, pipe):
    """A process of its own: one epoch of the fast recipe on `count` images, the data set repeated."""
    with libraries.quiet():
        images, labels = data_of(data_dir)
        images, labels = np.resize(images, (count, 28, 28, 1)), np.resize(labels, count)
        work = ours(images, labels, "fast")
        work(1)
    _, seconds = work(count)
    pipe.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


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


def until(percent, data_dir):
    """Print after how many seconds of training and validation each passes `percent` validation accuracy first."""
    from pyimagesearch.evaluation.predict import predict  # noqa: F401  (imported before the clock starts)
    from pyimagesearch.training.train import train

    images, labels = data_of(data_dir)
    training, validation = preparation.split(images, labels, 0)
    recipe = RECIPES["fast"]
    figures = {}
    _, history = train(recipe, training, validation, 10, 0)
    passed = [k for k, value in enumerate(history["val_accuracy"]) if value >= percent / 100]
    figures["fast"] = sum(history["seconds"][: passed[0] + 1]) if passed else None
    if importlib.util.find_spec("torch"):
        network = Torch(*training, recipe.batch_size, False, recipe.epochs * (len(training[1]) // recipe.batch_size))
        begin, figures["PyTorch"] = time.perf_counter(), None
        for epoch in range(recipe.epochs):
            network.epoch(len(training[1]), epoch)
            reached = network.accuracy(*validation)
            print(f"PyTorch, epoch {epoch + 1}/{recipe.epochs}: validation accuracy {reached:.2%}")
            if reached >= percent / 100 and not figures["PyTorch"]:
                figures["PyTorch"] = time.perf_counter() - begin
    for name, seconds in figures.items():
        print(f"{name}: {f'{seconds:.0f} s' if seconds else 'not reached'} until {percent}% (n = 1, seed 0)")
    return figures


def start_times():
    """Print how fast the script answers --help and a user's mistake, the best of five each."""
    times = {}
    for words, flags in (("--help", ["--help"]), ("a missing folder", ["--data-dir", "/no/such/folder"])):
        seconds = []
        for _ in range(5):
            begin = time.perf_counter()
            subprocess.run([sys.executable, str(ROOT / "fashion_mnist.py"), *flags], capture_output=True, cwd="/tmp")
            seconds.append(time.perf_counter() - begin)
        times[words] = min(seconds)
        print(f"fashion_mnist.py answers {words} in {times[words]:.2f} s")
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=IMPLEMENTATIONS, help="these implementations")
    parser.add_argument("--scaling", action="store_true", help="time and memory of an epoch of 10,000 to 240,000")
    parser.add_argument("--until", type=float, metavar="PERCENT", help="time until this validation accuracy")
    parser.add_argument("--data-dir", type=Path)
    args = parser.parse_args()

    if args.scaling:
        result = {"scaling": scaling(args.data_dir)}
    elif args.until:
        with libraries.quiet():
            import keras  # noqa: F401
        result = {"until": args.until, "seconds": until(args.until, args.data_dir)}
    else:
        result = {"start": start_times()}
        rates, memory = measure(args.rounds, args.data_dir, args.only or IMPLEMENTATIONS)
        result |= {"rates": rates, "memory": memory}
        if not args.only:
            result["figures"] = report(rates, memory)
        else:
            print({name: round(statistics.median(values)) for name, values in rates.items()})
    with libraries.quiet():
        from accuracy import circumstances
    command = " ".join(["python tests/benchmarks/speed.py", *sys.argv[1:]])
    with open(HERE / "speed.jsonl", "a") as file:
        file.write(json.dumps(result | circumstances() | {"command": command}) + "\n")


if __name__ == "__main__":
    main()
