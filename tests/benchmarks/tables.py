"""Put the tables into README.md, from the stored measurements: results.jsonl, speed.jsonl, experiments.jsonl.

python tests/benchmarks/tables.py

A table stands between the lines "<!-- table: NAME -->" and "<!-- end of table -->". Nothing is measured here.
"""

import argparse
import functools
import importlib
import json
import re
import statistics
import sys
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from pyimagesearch.cli.run import run
from pyimagesearch.errors import UserError
from pyimagesearch.recipes import RECIPES

README = HERE / "README.md"
TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

PLAIN = "plain Keras, classic"  # the implementation to compare with
FROZEN = {"whitening": "frozen"}  # earlier versions did not train the first convolution
THREE_BLOCKS = FROZEN | {"network": {"filters": [32, 64, 128], "dropout": 0, "dense_dropout": 0}}
WIDE = FROZEN | {"network": {"filters": [48, 96, 192], "dropout": 0, "dense_dropout": 0}}
DEEP = FROZEN | {"network": {"filters": [[32] * 2, [96] * 3, [192] * 3], "dense": 0, "dropout": 0, "dense_dropout": 0}}
# The rows of the README's table: what it says, recipe, change.
ROWS = (
    ("`classic`, as the tutorials train", "classic", {}),
    ("`fast`, the default", "fast", {}),
    ("`fast`, first convolution frozen, `--epochs 3 --no-flip`", "fast", FROZEN | {"epochs": 3, "flip": False}),
    ("`fast`, first convolution frozen", "fast", FROZEN | {"epochs": 8}),
    ("`best`, the most accurate", "best", {}),
    ("`best`, first convolution frozen", "best", FROZEN),
    ("the same with filters 32, 64, 128", "best", THREE_BLOCKS),
    ("the same with filters 48, 96, 192", "best", WIDE | {"epochs": 40}),
    ("the same with eight convolutions", "best", DEEP),
    ("the same without CutMix", "best", FROZEN | {"cutmix": 0}),
)


def read(name):
    """Return the measurements that a file (a name in this folder, or a path) holds, a dict for each line."""
    path = HERE / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def plain(values):
    """Return a dict as it comes back from JSON."""
    return json.loads(json.dumps(values))


def markdown(header, rows, left=1):
    """Return a Markdown table whose first `left` columns are words and whose others are numbers; "" without rows."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]

    def line(cells):
        aligned = [cell.ljust(width) if k < left else cell.rjust(width) for k, (cell, width) in enumerate(cells)]
        return f"| {' | '.join(aligned)} |"

    rule = ["-" * width if k < left else "-" * (width - 1) + ":" for k, width in enumerate(widths)]
    lines = [line(zip(row, widths, strict=True)) for row in (header, rule, *rows)]
    return "\n".join(lines) + "\n" if rows else ""


def mean(values, scale=100, digits=2):
    """Return "94.23 ± 0.13", mean and sample standard deviation times `scale`; "94.23" for one value."""
    spread = f" ± {scale * statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{scale * statistics.mean(values):.{digits}f}{spread}"


def cell(values, unit="%"):
    """Return "94.23 ± 0.13% (5)", mean, deviation, n, for {seed: 0.9423}, with four digits without %; "-" for none."""
    form = (100, 2) if unit == "%" else (1, 4)
    return f"{mean([*values.values()], *form)}{unit} ({len(values)})" if values else "-"


def of(results, key):
    """Return the figures of those results that have them, by seed. Of one figure per epoch the last one."""
    found = {result["seed"]: result[key] for result in results if key in result}
    return {seed: value[-1] if isinstance(value, list) else value for seed, value in found.items()}


def minus(ours, theirs):
    """Return the differences of two dicts of figures, seed by seed."""
    return {seed: ours[seed] - theirs[seed] for seed in ours if seed in theirs}


def runs(results, name, values, kind="recipe"):
    """Return the published network's runs with these values, of any precision, on the usual validation images."""
    wanted = plain(values) | {"bfloat16": None}
    found = [one for one in results if one.get(kind) == name and not one.get("held_out") and not one.get("edited")]
    return [one for one in found if one["values"] | {"bfloat16": None} == wanted]


def last_runs(speeds, *names):
    """Return the last line of speed.jsonl that has the rates of all `names`, for each processor."""
    return {line.get("processor"): line for line in speeds if set(names) <= line.get("rates", {}).keys()}.values()


def ratio(line, one, other):
    """Return the median over the rounds of the ratio of two rates."""
    return statistics.median(a / b for a, b in zip(line["rates"][one], line["rates"][other], strict=True))


def epochs_per_classic(speeds, recipe, change):
    """Return how many times faster a training is than 25 epochs of the classic recipe in plain Keras.

    Of several processors it is the slowest and the fastest, "9.0 to 13.3x"; it is "-" for what was not measured.
    """
    if change.get("network", {}) not in ({}, RECIPES[recipe].network):
        return "-"
    epochs = change.get("epochs", RECIPES[recipe].epochs) / RECIPES["classic"].epochs
    if recipe != "classic":
        speeds = [line for line in speeds if line.get("first convolution") == change.get("whitening")]
    factors = sorted(ratio(line, recipe, PLAIN) / epochs for line in last_runs(speeds, PLAIN, recipe))
    words = [f"{factor:.{2 if factor < 2 else 1}f}" for factor in factors]
    return " to ".join(dict.fromkeys([words[0], words[-1]])) + "x" if words else "-"


def accuracy_table(results, speeds):
    """Accuracy over seeds, and speed."""
    from accuracy import MiniVGGNet  # late, because it starts Keras

    rows = []
    for words, recipe, change in ROWS:
        values = asdict(RECIPES[recipe]) | change
        parameters = MiniVGGNet.build(28, 28, 1, 10, **values["network"]).count_params()
        found = runs(results, recipe, values)
        cells = [cell(of(found, key)) for key in ("validation", "test", "test_tta")]
        rows.append([words, values["epochs"], f"{parameters:,}", *cells, epochs_per_classic(speeds, recipe, change)])
    header = ["recipe", "epochs", "parameters", "validation (n)", "test (n)", "test with `--tta` (n)", "speed"]
    return markdown(header, rows)


def changes_table(results, speeds, recipe="fast", unchanged=FROZEN | {"epochs": 8}, **base):
    """Changes of a recipe measured on 10,000 validation images, beside the unchanged one of the same precision.

    unchanged: how that one differs from the recipe of today. base: a change that all have, the unchanged one as well.
    """
    groups = {}
    for result in results:
        same = result["recipe"] == recipe and result.get("held_out") == 10_000 and not result.get("edited")
        if same and result["values"].items() >= base.items():
            groups.setdefault(json.dumps(result["values"], sort_keys=True), []).append(result)
    today, rows = plain(asdict(RECIPES[recipe]) | unchanged | base), []
    for found in groups.values():
        values = found[0]["values"]
        changed = [f"{key} {values[key]}" for key in values if key != "bfloat16" and values[key] != today.get(key)]
        same = groups.get(json.dumps(today | {"bfloat16": values["bfloat16"]}, sort_keys=True), [])
        row = [", ".join(changed) or "none", "bfloat16" if values["bfloat16"] else "float32"]
        for key, unit in (("validation", "%"), ("validation_cross_entropy", "")):
            ours, theirs = of(found, key), of(same, key)
            row += [cell(ours, unit), cell(minus(ours, theirs) if found != same else {}, unit)]
        rows.append(row)
    rows.sort(key=lambda row: (row[0] != "none", row[0], row[1]))
    difference = "minus unchanged, same seeds (n)"
    header = ["change", "precision", "validation accuracy (n)", difference, "cross-entropy (n)", difference]
    return markdown(header, rows, left=2)


def speed_table(results, speeds):
    """The last run of speed.py that measured all recipes, on each processor."""
    tables = []
    for line in last_runs(speeds, PLAIN, "classic", "fast", "best"):
        rows = []
        for name in (PLAIN, "classic", "fast", "best", "fast on JAX"):
            if values := line["rates"].get(name):
                rates = [f"{statistics.median(values):,.0f}", f"{min(values):,.0f} to {max(values):,.0f}"]
                rows.append([name, *rates, f"{ratio(line, name, PLAIN):.2f}", f"{line['memory'][name]:,.0f}"])
        names = [name for name in ("keras", "tensorflow", "jax") if name in line["versions"]]
        versions = ", ".join(f"{name} {line['versions'][name]}" for name in names)
        tables.append(f"{line['cores']} cores of {line['processor']}, {versions}, commit {line['commit']}:\n")
        header = ["implementation", "images/s, median", "lowest to highest", "times plain Keras", "memory, MB"]
        tables.append(markdown(header, rows))
    return "\n".join(tables)


TABLES = {
    "accuracy": accuracy_table,
    "ladder": lambda results, _: importlib.import_module("experiments").table(read("experiments.jsonl"), results),
    "changes": changes_table,
    "ingredients": functools.partial(changes_table, recipe="best", unchanged=FROZEN, epochs=15),
    "speed": speed_table,
}


def written(text, results, speeds):
    """Return a README's text with its tables as the measurements have them."""

    def table(match):
        start, name, end = match.groups()
        return f"{start}\n{TABLES[name](results, speeds)}\n{end}"

    return TABLE.sub(table, text)


def check_published(file):
    """Raise UserError if a recipe or the code was edited: the file is of those that were published."""
    from accuracy import published, settings

    edits = [f"the recipe {name}" for name in settings.published() if RECIPES.get(name) != published(name)]
    if edits := ", ".join([*edits, *settings.edited()]):
        raise UserError(f"{file} is left as it is: edited are {edits}; put the edits aside (git stash) first")


def main(arguments=()):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    check_published("README.md")
    README.write_text(written(README.read_text(), read("results.jsonl"), read("speed.jsonl")))


if __name__ == "__main__":
    run(main)
