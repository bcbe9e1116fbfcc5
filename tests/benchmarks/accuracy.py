"""How accurate the recipes are: train them over seeds, one line a training into results.jsonl, print the table.

python tests/benchmarks/accuracy.py --recipes fast classic --seeds 5
python tests/benchmarks/accuracy.py --recipes fast --seeds 3 --change '{"flip": false}'
python tests/benchmarks/accuracy.py --recipes fast --seeds 3 --change '{"epochs": 4}' --test

The test pictures are read once a training, after its end. With --change (an ablation: one change at a time) they are
not read at all: choices are made on validation pictures. --test reads them all the same, for a result that is reported
and not chosen by. What results.jsonl holds already is not trained again.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from pyimagesearch import console, datasets, preprocessing  # noqa: E402
from pyimagesearch.recipes import RECIPES  # noqa: E402

with console.quiet_import():
    from pyimagesearch import devices, evaluation
    from pyimagesearch.training import train


def one_training(recipe, seed, data_dir, test):
    """Train by the recipe with this seed. Returns a dict of figures; the test accuracy is among them if `test`."""
    images, labels = datasets.load_part("train", data_dir)
    training, validation = preprocessing.split(preprocessing.reshape(images), labels, seed)
    start = time.perf_counter()
    model, history = train(recipe, training, validation, len(datasets.CLASS_NAMES), seed)
    figures = {"seconds": round(time.perf_counter() - start, 1), "validation": history["val_accuracy"]}
    if test:
        images, labels = datasets.load_part("test", data_dir)
        images = preprocessing.reshape(images)
        probabilities = evaluation.predict(model, images)
        answers = probabilities.argmax(axis=1)
        figures["test"] = float((answers == labels).mean())
        mirrored = evaluation.average_mirrored(model, images, probabilities).argmax(axis=1)
        figures["test_tta"] = float((mirrored == labels).mean())
        # picture: [true class, predicted class], to compare trainings picture by picture
        figures["mistakes"] = {str(k): [int(labels[k]), int(answers[k])] for k in np.flatnonzero(answers != labels)}
    return figures


def mean_and_deviation(values):
    """Return "94.23 +- 0.13" for shares such as 0.9423, "-" for none."""
    if not values:
        return "-"
    spread = f" +- {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{spread}"


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
    print(
        f"\n{'recipe':<8} {'change':<34} {'validation %':>15} {'test %':>15} {'mirrored too':>15} {'shirts':>6} "
        f"{'seeds':>5} {'median s':>8}"
    )
    for (name, change), group in groups.items():
        validation = mean_and_deviation([result["validation"][-1] for result in group])
        tests = [mean_and_deviation([result[key] for result in group if key in result]) for key in ("test", "test_tta")]
        shares = [shirts(result) for result in group if "mistakes" in result]
        share = f"{statistics.mean(shares):.0%}" if shares else "-"
        seconds = statistics.median(result["seconds"] for result in group)
        print(
            f"{name:<8} {change:<34} {validation:>15} {tests[0]:>15} {tests[1]:>15} {share:>6} {len(group):>5} "
            f"{seconds:>8.0f}"
        )
    for classic in groups.get(("classic", "{}"), []):
        for (name, change), group in groups.items():
            for result in group:
                if name != "classic" and result["seed"] == classic["seed"] and {"mistakes"} <= result.keys() & classic:
                    only, only_classic, p = mcnemar(result, classic)
                    print(
                        f"seed {result['seed']}, {name} {change}: wrong where classic is right {only}, "
                        f"right where it is wrong {only_classic}, McNemar p = {p:.2g}"
                    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first-seed", type=int, default=0, help="and from which one on")
    parser.add_argument("--change", type=json.loads, default={}, metavar="JSON", help="values instead of the recipe's")
    parser.add_argument("--test", action="store_true", help="read the test pictures even with --change")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--results", type=Path, default=HERE / "results.jsonl")
    args = parser.parse_args()

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
            results.append(key | one_training(recipe, seed, args.data_dir, test=args.test or not args.change))
            with args.results.open("a") as file:
                file.write(json.dumps(results[-1]) + "\n")
    summary(results)


if __name__ == "__main__":
    main()
