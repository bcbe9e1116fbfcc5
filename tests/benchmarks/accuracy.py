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
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss
from tables import mcnemar, read, shirts

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from pyimagesearch.cli import libraries
from pyimagesearch.cli.run import run
from pyimagesearch.data import loading, preparation
from pyimagesearch.errors import Terminated
from pyimagesearch.recipes import RECIPES

with libraries.quiet():
    from pyimagesearch.evaluation import calibration
    from pyimagesearch.evaluation.predict import predict
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
        # index of the image: [true class, predicted class], to compare trainings image by image
        figures["mistakes"] = {str(k): [int(labels[k]), int(predicted[k])] for k in np.flatnonzero(predicted != labels)}
    return figures


def with_flips(model, images):
    """Return the probabilities (N, classes), and their mean with those of the images mirrored left to right."""
    probabilities = predict(model, images)
    return probabilities, (probabilities + predict(model, images[:, :, ::-1])) / 2


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
    command = " ".join(["python", f"tests/benchmarks/{Path(sys.argv[0]).name}", *map(_quoted, sys.argv[1:])])
    return saving.environment() | {"processor": processor, "commit": git.stdout.strip(), "command": command}


def _quoted(argument):
    return f"'{argument}'" if set(argument) & set(' "{}[]') else argument


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


def mean_and_deviation(values, unit=100):
    """Return "94.23 ± 0.13" for fractions such as 0.9423, "0.142 ± 0.003" with unit 1, "-" for none."""
    if not values:
        return "-"
    digits = 2 if unit == 100 else 3
    spread = f" ± {unit * statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{unit * statistics.mean(values):.{digits}f}{spread}"


COLUMNS = {
    "validation": "validation %",
    "validation_tta": "with flips",
    "validation_cross_entropy": "cross-entropy",
    "test": "test %",
    "test_tta": "with flips",
}


def summary(results):
    """Print a line for each recipe and change, each mean with its n, then McNemar's test against `classic`."""
    groups = {}
    for result in results:
        name = (result["recipe"], json.dumps(result["change"]), result.get("held_out"))
        groups.setdefault(name, []).append(result)
    print(f"\n{'recipe':<8} {' '.join(f'{title}, n'.rjust(18) for title in COLUMNS.values())} {'shirts':>6}  change")
    for (name, change, held_out), group in groups.items():
        columns = []
        for key in COLUMNS:
            values = [np.ravel(result[key])[-1] for result in group if key in result]  # validation: one per epoch
            cell = f"{mean_and_deviation(values, 1 if key.endswith('entropy') else 100)}, {len(values)}"
            columns.append(f"{cell if values else '-':>18}")
        fractions = [shirts(result["mistakes"]) for result in group if "mistakes" in result]
        fraction = f"{statistics.mean(fractions):.0%}" if fractions else "-"
        note = f" ({held_out:,} validation images)" if held_out else ""
        print(f"{name:<8} {' '.join(columns)} {fraction:>6}  {change}{note}")
    for classic in groups.get(("classic", "{}", None), []):
        for (name, change, _), group in groups.items():
            for result in group:
                if name != "classic" and result["seed"] == classic["seed"] and {"mistakes"} <= result.keys() & classic:
                    only, only_classic, p = mcnemar(result["mistakes"], classic["mistakes"])
                    print(
                        f"seed {result['seed']}, {name} {change}: {only} test images that only it gets wrong, "
                        f"{only_classic} that only classic does, McNemar's p = {p:.2g}"
                    )


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
            key = {"recipe": name, "change": args.change, "values": json.loads(json.dumps(dataclasses.asdict(recipe)))}
            key |= {"seed": seed} | ({"held_out": args.validation} if args.validation else {})
            work = functools.partial(one_training, recipe, seed, args, args.test or not args.change)
            measure_once(args.results, results, key, work, optional=["held_out"])
    summary(results)


if __name__ == "__main__":
    run(main)
