"""How accurate the recipes are: train them over seeds, one line a training into results.jsonl, print the table.

python tests/benchmarks/accuracy.py --recipes fast classic --seeds 5
python tests/benchmarks/accuracy.py --recipes fast --seeds 3 --change '{"flip": false}'
python tests/benchmarks/accuracy.py --recipes fast --seeds 3 --change '{"epochs": 4}' --test

The test pictures are read once a training, after its end. With --change (an ablation: one change at a time) they are
not read at all: choices are made on validation pictures. --test reads them all the same, for a result that is reported
and not chosen by. What results.jsonl holds already is not trained again, and a training that was stopped goes on where
it was: its checkpoints lie in a hidden folder beside that file.
"""

import argparse
import dataclasses
import hashlib
import json
import statistics
import sys
from pathlib import Path

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import log_loss

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from pyimagesearch import errors
from pyimagesearch.cli import libraries
from pyimagesearch.cli.run import run
from pyimagesearch.data import loading as datasets
from pyimagesearch.data import preparation as preprocessing
from pyimagesearch.recipes import RECIPES
from pyimagesearch.training import checkpoints

with libraries.quiet():
    from pyimagesearch.evaluation import metrics as evaluation
    from pyimagesearch.model_files import saving
    from pyimagesearch.training import devices
    from pyimagesearch.training.train import train


def one_training(recipe, seed, data_dir, test, folder, facts, resume):
    """Train by the recipe with this seed or, if `resume`, go on with the training that the folder holds.

    Returns a dict of figures; the test accuracy is among them if `test`.
    """
    images, labels = datasets.load_part("train", data_dir)
    training, validation = preprocessing.split(preprocessing.reshape(images), labels, seed)
    try:
        model, history = train(recipe, training, validation, len(datasets.CLASS_NAMES), seed, folder, facts, resume)
    except (KeyboardInterrupt, errors.Terminated) as stop:
        raise type(stop)("stopped; the same command goes on where it was") from None
    probabilities, mirrored = both(model, validation[0])
    figures = {
        "seconds": round(sum(history["seconds"]), 1),
        "validation": history["val_accuracy"],
        "validation_tta": accuracy(mirrored, validation[1]),
        "validation_cross_entropy": cross_entropy(probabilities, validation[1]),
    }
    if test:
        images, labels = datasets.load_part("test", data_dir)
        probabilities, mirrored = both(model, preprocessing.reshape(images))
        figures["test"], figures["test_tta"] = accuracy(probabilities, labels), accuracy(mirrored, labels)
        answers = probabilities.argmax(axis=1)
        # picture: [true class, predicted class], to compare trainings picture by picture
        figures["mistakes"] = {str(k): [int(labels[k]), int(answers[k])] for k in np.flatnonzero(answers != labels)}
    return figures


def both(model, images):
    """Return the probabilities (N, classes) of the pictures, and the same with their mirror images averaged in."""
    probabilities = evaluation.predict(model, images)
    return probabilities, evaluation.average_mirrored(model, images, probabilities)


def accuracy(probabilities, labels):
    return float((probabilities.argmax(axis=1) == labels).mean())


def cross_entropy(probabilities, labels):
    """Return the cross-entropy at the best temperature: it tells differences that are too small for the accuracy.

    Without the temperature it would mostly say how much the labels were smoothed and mixed in training.
    """
    cooled = evaluation.cool(probabilities, evaluation.fit_temperature(probabilities, labels))
    return float(log_loss(labels, cooled, labels=range(cooled.shape[1])))


def mean_and_deviation(values, unit=100):
    """Return "94.23 +- 0.13" for shares such as 0.9423, "0.142 +- 0.003" with unit 1, "-" for none."""
    if not values:
        return "-"
    digits = 2 if unit == 100 else 3
    spread = f" +- {unit * statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{unit * statistics.mean(values):.{digits}f}{spread}"


def shirts(result):
    """Return the share of the mistakes that are a shirt taken for a T-shirt, pullover or coat, or the reverse."""
    shirt, alike = 6, {0, 2, 4, 6}
    pairs = [set(pair) for pair in result["mistakes"].values()]
    return sum(shirt in pair and pair <= alike for pair in pairs) / len(pairs)


def mcnemar(result, other):
    """Return how many pictures only `result` gets wrong, only `other`, and the exact p-value (McNemar, 1947)."""
    only, only_other = (len(set(a["mistakes"]) - set(b["mistakes"])) for a, b in ((result, other), (other, result)))
    return only, only_other, binomtest(only, only + only_other).pvalue


def summary(results):
    """Print a line for each recipe and change, then compare the recipes with `classic`, seed by seed."""
    groups = {}
    for result in results:
        groups.setdefault((result["recipe"], json.dumps(result["change"])), []).append(result)
    titles = ("validation %", "mirrored too", "cross-entropy", "test %", "mirrored too")
    keys = ("validation", "validation_tta", "validation_cross_entropy", "test", "test_tta")
    print(f"\n{'recipe':<8} {' '.join(f'{title:>15}' for title in titles)} {'shirts':>6} {'seeds':>5} {'median s':>8}")
    for (name, change), group in groups.items():
        columns = []
        for key in keys:
            values = [np.ravel(result[key])[-1] for result in group if key in result]  # validation: one an epoch
            columns.append(f"{mean_and_deviation(values, 1 if key.endswith('entropy') else 100):>15}")
        shares = [shirts(result) for result in group if "mistakes" in result]
        share = f"{statistics.mean(shares):.0%}" if shares else "-"
        seconds = statistics.median(result["seconds"] for result in group)
        print(f"{name:<8} {' '.join(columns)} {share:>6} {len(group):>5} {seconds:>8.0f}  {change}")
    for classic in groups.get(("classic", "{}"), []):
        for (name, change), group in groups.items():
            for result in group:
                if name != "classic" and result["seed"] == classic["seed"] and {"mistakes"} <= result.keys() & classic:
                    only, only_classic, p = mcnemar(result, classic)
                    print(
                        f"seed {result['seed']}, {name} {change}: wrong where classic is right {only}, "
                        f"right where it is wrong {only_classic}, McNemar p = {p:.2g}"
                    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first-seed", type=int, default=0, help="and from which one on")
    parser.add_argument("--change", type=json.loads, default={}, metavar="JSON", help="values instead of the recipe's")
    parser.add_argument("--test", action="store_true", help="read the test pictures even with --change")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--results", type=Path, default=HERE / "results.jsonl")
    args = parser.parse_args(arguments)

    results = [json.loads(line) for line in args.results.read_text().splitlines()] if args.results.exists() else []
    for name in args.recipes:
        recipe = dataclasses.replace(RECIPES[name], **args.change)
        recipe = dataclasses.replace(recipe, bfloat16=recipe.bfloat16 and devices.fast_bfloat16())
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            # The values are part of the key: a recipe that was changed since is another recipe.
            key = {"recipe": name, "change": args.change, "values": json.loads(json.dumps(dataclasses.asdict(recipe)))}
            key["seed"] = seed
            if any(all(result.get(k) == v for k, v in key.items()) for result in results):
                continue
            print(f"\n{name}, {args.change or 'as it is'}, seed {seed}")
            facts = key | saving.environment()
            digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
            folder = args.results.with_name(f".{digest}.training")
            test = args.test or not args.change
            with checkpoints.locked(folder):
                resume = checkpoints.unfinished(folder) > 0
                checkpoints.announce(folder, resume)
                results.append(key | one_training(recipe, seed, args.data_dir, test, folder, facts, resume))
                with args.results.open("a") as file:
                    file.write(json.dumps(results[-1]) + "\n")
                checkpoints.remove(folder)
    summary(results)


if __name__ == "__main__":
    run(main)
