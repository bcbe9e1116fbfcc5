"""Is a change better? Train a recipe with and without it over seeds, and print both rows and their difference.

python tests/benchmarks/accuracy.py --seeds 3                                 an edit of recipes.py or minivggnet.py
python tests/benchmarks/accuracy.py --seeds 3 --change '{"flip": false}'      a change of the recipe, without an edit
python tests/benchmarks/accuracy.py --seeds 3 --recipes fast classic best     the recipes as they are

Each training run is a line in own.jsonl, which git ignores; the published ones are in results.jsonl. One that is there
already is not repeated, and one that was stopped goes on with the same command; its checkpoint lies in a hidden folder
beside that file.

The published recipes read the test images once, after the training. Others do not, because a choice is made on
validation images; --test reads them all the same, for a result that is reported and not chosen by.
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
from tables import HERE, cell, markdown, minus, of, plain, read

from pyimagesearch.cli import libraries
from pyimagesearch.cli.run import run
from pyimagesearch.data import loading, preparation
from pyimagesearch.errors import Terminated
from pyimagesearch.recipes import RECIPES, Recipe

with libraries.quiet():
    from pyimagesearch.evaluation import calibration
    from pyimagesearch.evaluation.predict import predict, test_time_augmentation
    from pyimagesearch.model_files import saving
    from pyimagesearch.training import checkpoints, devices, network, settings
    from pyimagesearch.training.train import train


def one_training(recipe, seed, args, test, kept):
    """Train with this recipe and seed, or resume what `kept` holds. Returns a dict of figures."""
    images, labels = loading.load_part("train")
    held_out = args.validation or preparation.VALIDATION_FRACTION
    training, validation = preparation.split(preparation.reshape(images), labels, seed, held_out)
    classes = len(loading.CLASS_NAMES)
    model, recipe = network.adapt(recipe, classes, seed)
    model, history = train(recipe, training, validation, classes, seed, kept, model)
    probabilities, flipped = with_flips(model, validation[0])
    figures = {
        "seconds": round(sum(history["seconds"]), 1),
        "validation": history["val_accuracy"],
        "validation_tta": accuracy(flipped, validation[1]),
        "validation_cross_entropy": cross_entropy(probabilities, validation[1]),
    }
    if test:
        images, labels = loading.load_part("test")
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
    words = [f"{name} {value}" for name, value in key.items() if name != "values" and value not in (None, {})]
    print("\n" + ", ".join(words))
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
    with checkpoints.locked(path.with_name(digest)) as checkpoint:
        kept = checkpoints.Checkpoints(checkpoint, key | saving.environment(), resume=True)
        try:
            figures = measure(kept)
        except (KeyboardInterrupt, Terminated) as stop:
            raise type(stop)("stopped; the same command goes on where it was") from None
        results.append(key | figures | circumstances())
        with path.open("a") as file:
            file.write(json.dumps(results[-1]) + "\n")
        kept.remove()


OWN = HERE / "own.jsonl"  # git ignores it, so that `git stash` leaves it


def all_results(path):
    """Return the results in the file at `path`, and with those in OWN the published ones."""
    return (read("results.jsonl") if path == OWN else []) + read(path)


def published(name):
    """Return a recipe as it was published, whatever recipes.py says today; your own, which was not, as it stands."""
    if name not in settings.published():
        return RECIPES[name]
    values = {**settings.published()[name]}
    del values["optimizer"]
    defaults = settings.published()["classic"]["network"]
    values["network"] = {key: value for key, value in values["network"].items() if value != defaults[key]}
    return Recipe(**values)


def complete(values):
    """Return the values of a recipe with the defaults of today's fields and of the network, without the precision."""
    network = settings.published()["classic"]["network"] | values["network"]
    return plain(vars(Recipe(1)) | values | {"network": network, "bfloat16": None})


def report(results, name, recipe, edited, held_out, seeds):
    """Print a Markdown table: the recipe as published, as it was measured, and the difference, seed by seed.

    Your own recipe, which was not published, is compared with itself under a change or an edit.

    Each figure is mean ± standard deviation over the seeds, and their number. Results that were computed in the
    precision of `recipe` come before others.
    """
    results = [one for one in results if one.get("recipe") == name and one.get("held_out") == held_out]
    results = [one for one in results if one["seed"] in seeds]
    results.sort(key=lambda one: one["values"]["bfloat16"] == recipe.bfloat16)  # of two, of() takes the later one

    used = []

    def figures(recipe, edited):
        wanted = complete(dataclasses.asdict(recipe))
        same = [one for one in results if complete(one["values"]) == wanted and one.get("edited") == edited]
        used.extend({one["seed"]: one for one in same}.values())
        names = "validation", "validation_tta", "validation_cross_entropy", "test", "test_tta"
        return [of(same, name) for name in names]

    own = name not in settings.published()
    changes = settings.changes(name, complete(dataclasses.asdict(recipe)))
    without = figures(published(name), None)
    rows = [["as in recipes.py" if own else "as published", *without]]
    if changes:
        ours = figures(recipe, edited)
        rows += [[changes, *ours], ["difference", *map(minus, ours, without)]]
    units = [("%", 2), ("%", 2), ("", 4), ("%", 2), ("%", 2)]
    rows = [[words, *(cell(values, *unit) for values, unit in zip(row, units, strict=True))] for words, *row in rows]
    header = [f"`{name}`, seeds {', '.join(map(str, seeds))}", "validation (n)", "with flips (n)", "cross-entropy (n)"]
    print("\n" + markdown([*header, "test (n)", "with flips (n)"], rows))
    if len({one["values"]["bfloat16"] for one in used}) > 1:
        print("Some of these were computed in bfloat16 and some in float32, which may differ by a tenth of a point.")
    if len(without[0]) < len(seeds) and not own:
        print("The published network was not measured with all of these seeds. Put the edit aside (git stash), run")
        print("the same command, bring the edit back (git stash pop), and run it once more.")


def main(arguments=()):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=["fast"], help="(default: fast)")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds (default: 3)")
    parser.add_argument("--change", type=json.loads, default={}, metavar="JSON", help="values instead of the recipe's")
    parser.add_argument("--validation", type=int, metavar="N", help="validation images (default: a twelfth)")
    parser.add_argument("--test", action="store_true", help="read the test images of a changed recipe, too")
    parser.add_argument("--results", type=lambda path: Path(path).resolve(), default=OWN, help="(default: own.jsonl)")
    args = parser.parse_args(arguments)

    edited = ", ".join(settings.edited().values()) or None  # an edit is another experiment
    seeds = range(args.seeds)
    for name in args.recipes:
        try:
            recipe = settings.choose(name, args.change, images=10**9)  # so many that it is not adapted to them
            settings.settings(recipe)  # raises UserError if the schedule is not known
        except TypeError as error:
            parser.error(f"argument --change: {error}")
        work = []
        if not edited:  # otherwise the published network is not here any more
            work.append((published(name), {}, name in settings.published() and not args.validation))
        if edited or complete(dataclasses.asdict(recipe)) != complete(dataclasses.asdict(published(name))):
            work.append((recipe, args.change, args.test))
        for recipe, change, test in work:
            recipe = dataclasses.replace(recipe, bfloat16=recipe.bfloat16 and devices.fast_bfloat16())
            for seed in seeds:
                # The values are part of the key: a recipe that was changed since is another recipe.
                key = {"recipe": name, "change": change, "values": plain(dataclasses.asdict(recipe)), "seed": seed}
                key |= {"held_out": args.validation} if args.validation else {}
                key |= {"edited": edited} if edited else {}
                measure = functools.partial(one_training, recipe, seed, args, test)
                stored = [one for one in all_results(args.results) if "test" in one or not test]
                stored = [one | {"values": plain(vars(Recipe(1)) | one["values"])} for one in stored]
                measure_once(args.results, stored, key, measure, optional=["held_out", "edited"])
        report(all_results(args.results), name, recipe, edited, args.validation, seeds)


if __name__ == "__main__":
    run(main)
