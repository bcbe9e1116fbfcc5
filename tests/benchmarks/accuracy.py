"""Is a change better? Train a recipe with and without it over seeds, and print both rows and their difference.

python tests/benchmarks/accuracy.py --seeds 3                                 an edit of recipes.py or minivggnet.py
python tests/benchmarks/accuracy.py --seeds 3 --change '{"flip": false}'      a change of the recipe, without an edit
python tests/benchmarks/accuracy.py --seeds 3 --recipes fast classic best     the recipes as they are

Each training run is a line in own.jsonl, which git ignores; the published ones are in results.jsonl. One that is there
already is not repeated, and one that was stopped goes on with the same command. A choice is made on validation images:
of changed recipes, --test alone reads the test images, for a result that is reported and not chosen by.
"""

import argparse
import dataclasses
import functools
import hashlib
import inspect
import json
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss
from tables import HERE, cell, markdown, minus, of, plain, read

from pyimagesearch import files
from pyimagesearch.cli import libraries
from pyimagesearch.cli.arguments import number
from pyimagesearch.cli.run import run
from pyimagesearch.data import loading, preparation
from pyimagesearch.errors import Terminated
from pyimagesearch.recipes import RECIPES, Recipe

with libraries.quiet():
    from pyimagesearch.evaluation import calibration
    from pyimagesearch.evaluation.predict import predict, test_time_augmentation
    from pyimagesearch.minivggnet import MiniVGGNet
    from pyimagesearch.model_files import saving
    from pyimagesearch.training import checkpoints, network, settings
    from pyimagesearch.training.train import train


def one_training(recipe, seed, args, test, kept):
    """Train with this recipe and seed, or resume what `kept` holds. Returns a dict of figures."""
    images, labels = loading.load_part("train")
    held_out = args.validation or preparation.VALIDATION_FRACTION
    training, validation = preparation.split(preparation.reshape(images), labels, seed, held_out)
    classes = len(loading.CLASS_NAMES)
    model, recipe = network.adapt(recipe, classes, seed)
    model, history = train(recipe, training, validation, classes, seed, kept, model)
    probabilities = predict(model, validation[0])
    flipped = test_time_augmentation(model, validation[0], probabilities)
    # Without temperature scaling, the cross-entropy would mostly measure smoothed labels.
    scaled = calibration.apply_temperature(probabilities, calibration.fit_temperature(probabilities, validation[1]))
    figures = {
        "seconds": round(sum(history["seconds"]), 1),
        "validation": history["val_accuracy"],
        "validation_tta": accuracy(flipped, validation[1]),
        "validation_cross_entropy": float(log_loss(validation[1], scaled, labels=range(classes))),
    }
    if test:
        images, labels = loading.load_part("test")
        images = preparation.reshape(images)
        probabilities = predict(model, images)
        flipped = test_time_augmentation(model, images, probabilities)
        figures |= {"test": accuracy(probabilities, labels), "test_tta": accuracy(flipped, labels)}
        predicted = probabilities.argmax(axis=1)
        # index of the image: [true class, predicted class], to compare training runs image by image
        figures["mistakes"] = {str(k): [int(labels[k]), int(predicted[k])] for k in np.flatnonzero(predicted != labels)}
    return figures


def accuracy(probabilities, labels):
    return float((probabilities.argmax(axis=1) == labels).mean())


def circumstances():
    """Return what a figure may depend on: versions, cores, processor, commit, command."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    processor = next(names, platform.processor())
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    command = shlex.join(["python", f"tests/benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    return saving.environment() | {"processor": processor, "commit": git.stdout.strip(), "command": command}


def measure_once(path, results, key, measure):
    """Add key | measure(kept) | circumstances() to the list of results and to the file; nothing if it is there.

    key: a dict of what identifies a measurement; None stands for what a stored result lacks.
    measure: takes the checkpoints.Checkpoints of its training, which one that was stopped is resumed from.
    """
    if any(all(result.get(name) == value for name, value in key.items()) for result in results):
        return
    words = [f"{name} {value}" for name, value in key.items() if name != "values" and value not in (None, {})]
    print("\n" + ", ".join(words))
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
    with checkpoints.locked(path.with_name(digest)) as checkpoint:
        kept = checkpoints.Checkpoints(checkpoint, key | saving.environment(), resume=checkpoint.exists())
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


def complete(values, edited):
    """Return a recipe's values with the defaults of today's fields and of the published network, without precision."""
    defaults = {} if edited else settings.published()["classic"]["network"]
    return plain(vars(Recipe(1)) | values | {"network": defaults | values["network"], "bfloat16": None})


def report(results, name, recipe, changes, edited, held_out, seeds):
    """Print a Markdown table: the recipe as published, as it was measured, and the difference, seed by seed.

    Your own recipe, which was not published, is compared with itself under a change or an edit. changes: in words.
    Results that were computed in the precision of `recipe` come before others.
    """
    results = [one for one in results if one.get("recipe") == name and one.get("held_out") == held_out]
    results = [one for one in results if one["seed"] in seeds]
    results.sort(key=lambda one: one["values"]["bfloat16"] == recipe.bfloat16)  # of two, of() takes the later one

    used = []

    def figures(recipe, edited):
        wanted = complete(dataclasses.asdict(recipe), edited)
        same = [one for one in results if one.get("edited") == edited and complete(one["values"], edited) == wanted]
        used.extend({one["seed"]: one for one in same}.values())
        names = "validation", "validation_tta", "validation_cross_entropy", "test", "test_tta"
        return [of(same, name) for name in names]

    known = "as published" if name in settings.published() else "as in recipes.py"
    without = figures(published(name), None)
    rows = [[known, *without]]
    if changes:
        ours = figures(recipe, edited)
        rows += [[changes, *ours], ["difference", *map(minus, ours, without)]]
    rows = [[words, *map(cell, row, ("%", "%", "", "%", "%"))] for words, *row in rows]
    header = [f"`{name}`, seeds {', '.join(map(str, seeds))}", "validation (n)", "with flips (n)", "cross-entropy (n)"]
    print("\n" + markdown([*header, "test (n)", "with flips (n)"], rows))
    if not changes:
        print(f"Nothing was compared: all settings but bfloat16 are {known}, and no file that README.md here names was")
        print("edited. A recipe of your own is compared with itself, under --change or an edit of the code.")
    if len({one["values"]["bfloat16"] for one in used}) > 1:
        print("Some of these were computed in bfloat16 and some in float32, which may differ by a tenth of a point.")
    if len(without[0]) < len(seeds):
        paths = " ".join(f"pyimagesearch/{file}" for file in settings.edited())
        print("The published network was not measured with all these seeds. Put the edit aside, run the same command,")
        print(f"bring the edit back (git stash pop), and run it once more. To put it aside: git stash push {paths}")


def change_of(text):
    """An argparse type: a dict of values of a recipe, from JSON. All of its names are known."""
    fields, parameters = vars(Recipe(1)), inspect.signature(MiniVGGNet.build).parameters.values()
    options = {one.name: one.default for one in parameters if one.default is not one.empty}
    try:
        values = json.loads(text)
        unknown = sorted(values.keys() - fields.keys() | values.get("network", {}).keys() - options.keys())
    except (ValueError, AttributeError) as error:
        example = """'{"shift": 2}' or '{"network": {"dense": 256}}'"""
        raise argparse.ArgumentTypeError(f"{text!r} does not name values in JSON; write it as in {example}") from error
    if unknown:
        known = f"a recipe has {', '.join(fields)}, and its network {', '.join(options)}"
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; {known}")
    return values


def main(arguments=()):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=["fast"], help="(default: fast)")
    parser.add_argument("--seeds", type=number(int, 1, 1000), default=3, help="number of seeds (default: 3)")
    parser.add_argument("--change", type=change_of, default={}, metavar="JSON", help="override values of the recipe")
    parser.add_argument("--validation", type=number(int, 10, 50_000), metavar="N", help="images (default: a twelfth)")
    parser.add_argument("--test", action="store_true", help="read the test images of a changed recipe, too")
    parser.add_argument("--results", type=lambda path: Path(path).resolve(), default=OWN, help="(default: own.jsonl)")
    args = parser.parse_args(arguments)
    files.check_target(args.results)

    edited = ", ".join(settings.edited().values()) or None  # an edit is another experiment
    seeds = range(args.seeds)
    for name in args.recipes:
        values = args.change | {"network": RECIPES[name].network | args.change.get("network", {})}
        recipe = settings.choose(name, values, images=10**9)  # so many that it is not adapted to them
        _, applied = network.adapt(recipe, len(loading.CLASS_NAMES), seed=0)
        changes = settings.changes(name, settings.settings(applied))
        work = []
        if not edited:  # otherwise the published network is not here any more
            theirs = settings.choose(name, vars(published(name)), images=10**9)
            work.append((theirs, {}, name in settings.published() and not args.validation))
        if changes:
            work.append((recipe, args.change, args.test))
        for trained, change, test in work:
            stored = [one for one in all_results(args.results) if "test" in one or not test]
            # The values are part of the key: a recipe that was changed since is another recipe. How it was is not.
            stored = [one | {"values": plain(vars(Recipe(1)) | one["values"]), "change": change} for one in stored]
            for seed in seeds:
                key = {"recipe": name, "change": change, "values": plain(dataclasses.asdict(trained)), "seed": seed}
                key |= {"held_out": args.validation, "edited": edited}
                measure_once(args.results, stored, key, functools.partial(one_training, trained, seed, args, test))
        report(all_results(args.results), name, recipe, changes, edited, args.validation, seeds)


if __name__ == "__main__":
    run(main)
