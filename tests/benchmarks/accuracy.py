"""How accurate the recipes are: train them over seeds, store each training in results.jsonl, print the table.

python tests/benchmarks/accuracy.py --recipes fast classic --seeds 5
python tests/benchmarks/accuracy.py --recipes fast --seeds 3 --change '{"flip": false}' --validation 10000
python tests/benchmarks/accuracy.py --recipes fast --seeds 3 --change '{"epochs": 4}' --test
python tests/benchmarks/accuracy.py --seeds 0    prints the table, trains nothing

A recipe as it is reads the test images once, after its training. With --change they are not read: choices are made on
validation images. --test reads them all the same, for a result that is reported and not chosen by. A training that
results.jsonl holds already is not repeated, and one that was stopped goes on with the same command; its checkpoints lie
in a hidden folder beside that file.
"""

import argparse
import dataclasses
import functools
import hashlib
import json
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss
from tables import HERE, cell, markdown, mistakes_table, of, plain, read, shirts

from pyimagesearch.cli import libraries
from pyimagesearch.cli.run import run
from pyimagesearch.data import loading, preparation
from pyimagesearch.errors import Terminated
from pyimagesearch.recipes import RECIPES

with libraries.quiet():
    from pyimagesearch.evaluation import calibration
    from pyimagesearch.evaluation.predict import predict, test_time_augmentation
    from pyimagesearch.model_files import saving
    from pyimagesearch.training import checkpoints, devices
    from pyimagesearch.training.train import train


def one_training(recipe, seed, args, test, kept):
    """Train with this recipe and seed, or resume what `kept` holds. Returns a dict of figures."""
    images, labels = loading.load_part("train", args.data_dir)
    held_out = args.validation or preparation.VALIDATION_FRACTION
    training, validation = preparation.split(preparation.reshape(images), labels, seed, held_out)
    model, history = train(recipe, training, validation, len(loading.CLASS_NAMES), seed, kept)
    probabilities, flipped = with_flips(model, validation[0])
    figures = {
        "seconds": round(sum(history["seconds"]), 1),
        "validation": history["val_accuracy"],
        "validation_tta": accuracy(flipped, validation[1]),
        "validation_cross_entropy": cross_entropy(probabilities, validation[1]),
    }
    if test:
        images, labels = loading.load_part("test", args.data_dir)
        probabilities, flipped = with_flips(model, preparation.reshape(images))
        figures["test"], figures["test_tta"] = accuracy(probabilities, labels), accuracy(flipped, labels)
        predicted = probabilities.argmax(axis=1)
        # index of the image: [true class, predicted class], to compare training runs image by image
        figures["mistakes"] = {str(k): [int(labels[k]), int(predicted[k])] for k in np.flatnonzero(predicted != labels)}
    return figures


def with_flips(model, images):
    """Return the probabilities (N, classes), and those with test-time augmentation."""
    probabilities = predict(model, images)
    return probabilities, test_time_augmentation(model, images, probabilities)


def accuracy(probabilities, labels):
    return float((probabilities.argmax(axis=1) == labels).mean())


def cross_entropy(probabilities, labels):
    """Return the cross-entropy after temperature scaling: it shows differences that are too small for the accuracy.

    Without temperature scaling it would mostly measure how much the labels were smoothed and mixed in training.
    """
    scaled = calibration.apply_temperature(probabilities, calibration.fit_temperature(probabilities, labels))
    return float(log_loss(labels, scaled, labels=range(scaled.shape[1])))


def circumstances():
    """Return what a figure may depend on: versions, cores, processor, commit, command."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor()
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    command = shlex.join(["python", f"tests/benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    return saving.environment() | {"processor": processor, "commit": git.stdout.strip(), "command": command}


def measure_once(path, results, key, measure, optional=()):
    """Add key | measure(kept) | circumstances() to the list of results and to the file; nothing if it is there.

    key: a dict of what identifies a measurement; a stored result without one of the `optional` entries has None there.
    measure: takes the checkpoints.Checkpoints of its training, which one that was stopped is resumed from.
    """
    wanted = dict.fromkeys(optional) | key
    if any(all(result.get(name) == value for name, value in wanted.items()) for result in results):
        return
    print("\n" + ", ".join(f"{name} {value}" for name, value in key.items() if name != "values" and value))
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
    with checkpoints.locked(path.with_name(digest)) as folder:
        kept = checkpoints.Checkpoints(folder, key | saving.environment(), resume=True)
        try:
            figures = measure(kept)
        except (KeyboardInterrupt, Terminated) as stop:
            raise type(stop)("stopped; the same command goes on where it was") from None
        results.append(key | figures | circumstances())
        with path.open("a") as file:
            file.write(json.dumps(results[-1]) + "\n")
        kept.remove()


def summary(results):
    """Print a line for each recipe and change, each mean with its n, then McNemar's test."""
    groups, rows = {}, []
    for result in results:
        name = (result["recipe"], json.dumps(result["change"]), result.get("held_out", ""))
        groups.setdefault(name, []).append(result)
    for (name, change, held_out), group in groups.items():
        entropy = cell(of(group, "validation_cross_entropy"), "", 3)
        cells = [cell(of(group, key)) for key in ("validation", "validation_tta", "test", "test_tta")]
        alike = cell([shirts(result["mistakes"]) for result in group if "mistakes" in result], digits=0)
        rows.append([name, change, held_out, *cells[:2], entropy, *cells[2:], alike])
    header = ["recipe", "change", "held out", "validation (n)", "with flips", "cross-entropy", "test", "with flips"]
    print("\n" + markdown([*header, "shirts"], rows, left=2))
    print(mistakes_table(results, []))


def main(arguments=()):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--change", type=json.loads, default={}, metavar="JSON", help="values instead of the recipe's")
    parser.add_argument("--validation", type=int, metavar="N", help="validation images (default: a twelfth)")
    parser.add_argument("--test", action="store_true", help="read the test images even with --change")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--results", type=Path, default=HERE / "results.jsonl")
    args = parser.parse_args(arguments)

    results = read(args.results)
    for name in args.recipes:
        recipe = dataclasses.replace(RECIPES[name], **args.change)
        recipe = dataclasses.replace(recipe, bfloat16=recipe.bfloat16 and devices.fast_bfloat16())
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            # The values are part of the key: a recipe that was changed since is another recipe.
            key = {"recipe": name, "change": args.change, "values": plain(dataclasses.asdict(recipe))}
            key |= {"seed": seed} | ({"held_out": args.validation} if args.validation else {})
            work = functools.partial(one_training, recipe, seed, args, args.test or not args.change)
            measure_once(args.results, results, key, work, optional=["held_out"])
    summary(results)


if __name__ == "__main__":
    run(main)
