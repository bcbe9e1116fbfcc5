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

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from pyimagesearch import console, datasets, preprocessing  # noqa: E402
from pyimagesearch.recipes import RECIPES  # noqa: E402

with console.quiet_import():
    from pyimagesearch import evaluation
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
        probabilities = evaluation.predict(model, preprocessing.reshape(images))
        figures["test"] = evaluation.evaluate(probabilities, labels, datasets.CLASS_NAMES)["accuracy"]
    return figures


def summary(results):
    """Print a line for each recipe and change: mean, standard deviation, number of seeds."""
    groups = {}
    for result in results:
        groups.setdefault((result["recipe"], json.dumps(result["change"])), []).append(result)
    print(f"\n{'recipe':<9} {'change':<36} {'validation %':>15} {'test %':>15} {'seeds':>5} {'median s':>8}")
    for (name, change), group in groups.items():
        columns = []
        for values in ([r["validation"][-1] for r in group], [r["test"] for r in group if "test" in r]):
            spread = f" +- {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
            columns.append(f"{100 * statistics.mean(values):.2f}{spread}" if values else "-")
        seconds = statistics.median(r["seconds"] for r in group)
        print(f"{name:<9} {change:<36} {columns[0]:>15} {columns[1]:>15} {len(group):>5} {seconds:>8.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to this, less one")
    parser.add_argument("--change", type=json.loads, default={}, metavar="JSON", help="values instead of the recipe's")
    parser.add_argument("--test", action="store_true", help="read the test pictures even with --change")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--results", type=Path, default=HERE / "results.jsonl")
    args = parser.parse_args()

    results = [json.loads(line) for line in args.results.read_text().splitlines()] if args.results.exists() else []
    for name in args.recipes:
        recipe = dataclasses.replace(RECIPES[name], **args.change)
        for seed in range(args.seeds):
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
