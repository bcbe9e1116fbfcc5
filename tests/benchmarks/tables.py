"""The tables of README.md, from the stored measurements results.jsonl and speed.jsonl.

python tests/benchmarks/tables.py            prints them
python tests/benchmarks/tables.py --write    puts them into README.md beside this file

A table stands between the lines "<!-- table: NAME -->" and "<!-- end of table -->". Nothing is measured here.
"""

import argparse
import functools
import json
import re
import statistics
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from scipy.stats import binomtest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE)]

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
    ("`best`, the most accurate recipe", "best", {}),
    ("`fast`, first convolution frozen, `--epochs 3 --no-flip`", "fast", FROZEN | {"epochs": 3, "flip": False}),
    ("`fast`, first convolution frozen", "fast", FROZEN | {"epochs": 8}),
    ("`best`, first convolution frozen", "best", FROZEN),
    ("the same with filters 32, 64, 128", "best", THREE_BLOCKS),
    ("the same with filters 48, 96, 192", "best", WIDE | {"epochs": 40}),
    ("the same with eight convolutions", "best", DEEP),
)
MORE_ROWS = (
    *ROWS,
    ("`fast`, first convolution frozen, `--epochs 4 --no-flip`", "fast", FROZEN | {"epochs": 4, "flip": False}),
    ("`fast`, first convolution frozen, `--epochs 4`", "fast", FROZEN | {"epochs": 4}),
    ("`best`, frozen, filters 32, 64, 128, 40 epochs", "best", THREE_BLOCKS | {"epochs": 40}),
    ("`best`, frozen, without CutMix", "best", FROZEN | {"cutmix": 0}),
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


def cell(values, unit="%", digits=2):
    """Return "94.23 ± 0.13% (5)", mean, deviation, n, for values such as 0.9423 or {seed: 0.9423}; "-" for none."""
    values = [*values.values()] if isinstance(values, dict) else values
    return f"{mean(values, 100 if unit == '%' else 1, digits)}{unit} ({len(values)})" if values else "-"


def of(results, key):
    """Return the figures of those results that have them, by seed. Of one figure per epoch the last one."""
    found = {result["seed"]: result[key] for result in results if key in result}
    return {seed: value[-1] if isinstance(value, list) else value for seed, value in found.items()}


def minus(ours, theirs):
    """Return the differences of two dicts of figures, seed by seed."""
    return {seed: ours[seed] - theirs[seed] for seed in ours if seed in theirs}


def trainings(results, recipe, change):
    """Return the trainings of this recipe and change, as the recipe is today, with the usual validation images.

    Precision may differ: see precision().
    """
    today = plain(asdict(RECIPES[recipe]) | change) | {"bfloat16": None}
    found = [result for result in results if result["recipe"] == recipe and result.get("held_out") is None]
    return [result for result in found if result["values"] | {"bfloat16": None} == today]


def precision(results):
    kinds = ["bfloat16" if result["values"]["bfloat16"] else "float32" for result in results]
    return ", ".join(kind if len(set(kinds)) == 1 else f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))


def parameters(values):
    from pyimagesearch.minivggnet import MiniVGGNet

    return MiniVGGNet.build(28, 28, 1, 10, **values["network"]).count_params()


def last_runs(speeds, *names):
    """Return the last line of speed.jsonl that has the rates of all `names`, for each processor."""
    return {line.get("processor"): line for line in speeds if set(names) <= line.get("rates", {}).keys()}.values()


def ratio(line, one, other):
    """Return the median over the rounds of the ratio of two rates."""
    return statistics.median(a / b for a, b in zip(line["rates"][one], line["rates"][other], strict=True))


def epochs_per_classic(speeds, recipe, change):
    """Return how many times faster a training is than 25 epochs of the classic recipe in plain Keras: "9.0x".

    speeds: the lines of speed.jsonl, of which the last one of each processor counts. Of several processors it is the
    slowest and the fastest: "9.0 to 13.3x". It is "-" for what was not measured.
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
    """The README's table."""
    rows = []
    for words, recipe, change in ROWS:
        cells = [*"-----"]
        if found := trainings(results, recipe, change):
            values, speed = found[0]["values"], epochs_per_classic(speeds, recipe, change)
            cells = [values["epochs"], f"{parameters(values):,}", cell(of(found, "test")), cell(of(found, "test_tta"))]
            cells.append(speed)
        rows.append([words, *cells])
    header = ["recipe", "epochs", "parameters", "test accuracy (runs)", "with `--tta` (runs)", "speed"]
    return markdown(header, rows)


def seeds_table(results, speeds):
    """How much the trainings of one recipe differ by seed, on 5,000 validation images and on the test images."""
    rows = []
    for words, recipe, change in MORE_ROWS:
        found = trainings(results, recipe, change)
        validation, test = of(found, "validation"), of(found, "test")
        if test:
            alike = [shirts(result["mistakes"]) for result in found if "mistakes" in result]
            seeds, gaps = ", ".join(map(str, sorted(validation))), cell(minus(validation, test))
            rows.append([words, seeds, cell(validation), cell(test), gaps, cell(alike, digits=0), precision(found)])
    header = ["recipe", "seeds", "validation (n)", "test (n)", "validation minus test (n)", "shirts (n)", "precision"]
    return markdown(header, rows, left=2)


def shirts(mistakes):
    """Return the fraction of the mistakes between shirt and T-shirt, pullover or coat.

    mistakes: {number of the image: [true class, predicted class]}.
    """
    shirt, alike = 6, {0, 2, 4, 6}
    return statistics.mean(shirt in pair and set(pair) <= alike for pair in mistakes.values())


def mcnemar(mistakes, others):
    """Return how many images only `mistakes` has, how many only `others`, and the exact p-value (McNemar, 1947)."""
    only, only_other = len(mistakes.keys() - others.keys()), len(others.keys() - mistakes.keys())
    return only, only_other, binomtest(only, only + only_other).pvalue


def mistakes_table(results, speeds):
    """Test images that a recipe gets wrong and another one does not, and the reverse: McNemar's test, seed by seed.

    All are compared with `classic`, and other networks trained by `best` with `best`.
    """
    rows = []
    for other in ("classic", "best"):
        theirs = of(trainings(results, other, {}), "mistakes")
        for words, recipe, change in MORE_ROWS:
            if (recipe, change) == (other, {}) or (other == "best" and recipe != "best"):
                continue
            for seed, mistakes in sorted(of(trainings(results, recipe, change), "mistakes").items()):
                if seed in theirs:
                    only, only_other, p = mcnemar(mistakes, theirs[seed])
                    rows.append([words, f"`{other}`", seed, only, only_other, f"{p:.0e}"])
    header = ["recipe (n = 1)", "other", "seed", "only it is wrong", "only the other is wrong", "McNemar's p"]
    return markdown(header, rows, left=2)


def votes_table(results, speeds):
    """The accuracy of a vote of all trainings of a recipe on the test images, and how many all of them get wrong.

    Of `best` and its changes, those with at least three trainings.
    """
    rows, groups = [], {}
    for words, recipe, change in MORE_ROWS:
        found = [result["mistakes"] for result in trainings(results, recipe, change) if "mistakes" in result]
        if recipe == "best" and len(found) > 2:
            groups[words] = found
    groups["all of these"] = [mistakes for found in groups.values() for mistakes in found]
    for words, found in groups.items():
        wrong, missed = Counter(number for mistakes in found for number in mistakes), 0
        for number in wrong:
            pairs = [mistakes[number] for mistakes in found if number in mistakes]
            votes = Counter(predicted for _, predicted in pairs)
            votes[pairs[0][0]] = len(found) - len(pairs)
            missed += max(sorted(votes), key=votes.get) != pairs[0][0]  # a tie goes to the class of lower number
        everyone = sum(count == len(found) for count in wrong.values())
        rows += [[words, len(found), f"{1 - missed / 10_000:.2%}", everyone, len(wrong)]] if found else []
    header = ["networks", "n", "accuracy of the vote", "images all get wrong", "images any gets wrong"]
    return markdown(header, rows)


def changes_table(results, speeds, recipe="fast", unchanged=FROZEN | {"epochs": 8}, **base):
    """Changes of a recipe measured on 10,000 validation images, beside the unchanged one of the same precision.

    unchanged: how that one differs from the recipe of today. base: a change that all have, the unchanged one as well.
    """
    groups = {}
    for result in results:
        if result["recipe"] == recipe and result.get("held_out") == 10_000 and result["values"].items() >= base.items():
            groups.setdefault(json.dumps(result["values"], sort_keys=True), []).append(result)
    today, rows = plain(asdict(RECIPES[recipe]) | unchanged | base), []
    for found in groups.values():
        values = found[0]["values"]
        changed = [f"{key} {values[key]}" for key in values if key != "bfloat16" and values[key] != today.get(key)]
        same = groups.get(json.dumps(today | {"bfloat16": values["bfloat16"]}, sort_keys=True), [])
        row = [", ".join(changed) or "none", precision(found)]
        for key, form in (("validation", ()), ("validation_cross_entropy", ("", 4))):
            ours, theirs = of(found, key), of(same, key)
            row += [cell(ours, *form), cell(minus(ours, theirs) if found != same else [], *form)]
        rows.append(row)
    rows.sort(key=lambda row: (row[0] != "none", row[0], row[1]))
    difference = "minus unchanged, same seeds (n)"
    header = ["change", "precision", "validation accuracy (n)", difference, "cross-entropy (n)", difference]
    return markdown(header, rows, left=2)


# Published results on the data of after 2017-08-31, when the authors replaced the images: network, source, parameters,
# epochs, test accuracy.
OTHERS = (
    ("WRN-40-4 with RandAugment and more, best epoch", "Liang-yc/fn_playground", "about 9M", "881", "96.69%"),
    ("VGG8B, twice as wide, local losses, cutout", "arXiv:1901.06656", "28.2M", "200", "95.86%"),
    ("WRN-28-10, random erasing, best epoch", "zhunzhong07/Random-Erasing, issue 9", "36.5M", "300", "95.8%"),
    ("ResNet-20, random erasing", "zhunzhong07/Random-Erasing, issue 10", "0.27M", "300", "95.55 ± 0.04%"),
    ("VGG8B, a plain network", "arXiv:1901.06656", "7.3M", "200", "95.47%"),
    ("ResNet-20", "zhunzhong07/Random-Erasing, issue 10", "0.27M", "300", "95.18 ± 0.04%"),
    ("Four convolutions, one dense layer", "the dataset's repository, issue 151", "not stated", "not stated", "94.32%"),
    ("Three convolutions, two dense layers", "the dataset's repository, issue 148", "about 1M", "not stated", "94.03%"),
    ("DenseNet-BC", "the dataset's repository, issue 153", "0.17M", "not stated", "93.9%"),
    ("People (1,000 images, majority of three)", "the dataset's repository", "-", "-", "83.5%"),
)


def others_table(results, speeds):
    """Published results, and ours, the most accurate first."""
    rows = [list(row) for row in OTHERS]
    for words, recipe, change in ROWS:
        found = trainings(results, recipe, change)
        if accuracies := of(found, "test"):
            values = found[0]["values"]
            rows.append([words, "here", f"{parameters(values) / 1e6:.2f}M", values["epochs"], cell(accuracies)])
    rows.sort(key=lambda row: -float(re.match("[0-9.]+", row[-1]).group()))
    return markdown(["network", "source", "parameters", "epochs", "test accuracy (runs)"], rows, left=2)


def training_flop(frozen=False):
    """Return the floating-point operations that a training step executes per image, in the matrix products alone.

    Each layer takes its multiply-adds once forward, once for the gradient of its weights and once for that of its
    inputs, which the first layer does not need. frozen: the first convolution is not trained, as in earlier versions.
    """
    layers = (28**2 * 9 * 32, 28**2 * 9 * 32 * 32, 14**2 * 9 * 32 * 64, 14**2 * 9 * 64 * 64, 3136 * 512, 5120)
    times = (1, 2, 3, 3, 3, 3) if frozen else (2, 3, 3, 3, 3, 3)
    return 2 * sum(count * number for count, number in zip(times, layers, strict=True))


def of_the_limit(name, line):
    """Return the FLOP per second of a training in a line of speed.jsonl, and its fraction of the limit.

    The limit is the fastest matrix product of the run in the same precision: other load has slowed it down least. JAX
    and `classic` compute in float32.
    """
    half, rates = "matrix product, bfloat16", line["rates"]
    product = half if half in rates and "classic" not in name and "JAX" not in name else "matrix product"
    frozen = line.get("first convolution") == "frozen" and "classic" not in name
    flop = statistics.median(rates[name]) * training_flop(frozen)
    return flop, flop / max(rates[product])


def ratios(line):
    """Return {what: ratio} of a line of speed.jsonl."""
    found = {"fast / plain Keras, classic": ratio(line, "fast", PLAIN)}
    if torch := [name for name in line["rates"] if name.startswith("PyTorch")]:
        best = max(torch, key=lambda name: statistics.median(line["rates"][name]))
        found[f"fast / the fastest PyTorch ({best.split(', ', 1)[1]})"] = ratio(line, "fast", best)
        # At equal work: what is left of the lead over plain Keras is the recipe's and the input pipeline's.
        found["the fastest PyTorch / plain Keras, classic"] = ratio(line, best, PLAIN)
    found["time for batches / time of a step, fast"] = ratio(line, "fast", "input pipeline of fast")
    found["time of an evaluation / of its forward passes"] = ratio(line, "forward pass only", "evaluation")
    return found


def speed_table(results, speeds):
    """The last run of speed.py that measured all implementations, on each processor."""
    tables = []
    for line in last_runs(speeds, "matrix product", "fast", "evaluation", "forward pass only"):
        rows, rates = [], line["rates"]
        for name, values in rates.items():
            if name.split(",")[0] in ("plain Keras", "classic", "fast", "fast on JAX", "best", "PyTorch"):
                flop, fraction = of_the_limit(name, line)
                row = [name, f"{statistics.median(values):,.0f}", f"{min(values):,.0f} to {max(values):,.0f}"]
                row += [f"{flop / 1e9:.0f}", f"{fraction:.0%}", f"{line['memory'][name]:,.0f}"]
                rows.append([*row, f"{line['first_step'][name]:.1f}"])
        products = {name: max(values) for name, values in rates.items() if name.startswith("matrix product")}
        words = " and ".join(f"{most / 1e9:.0f} GFLOP/s ({name})" for name, most in products.items())
        rounds = len(rates["matrix product"])
        limit = f"The limit: {words}, the fastest of {rounds} rounds, in the precision of the training.\n"
        header = ["implementation", "images/s", "lowest to highest", "GFLOP/s", "of the limit", "memory, MB"]
        pairs = [[what, f"{value:.3f}" if value < 0.1 else f"{value:.2f}"] for what, value in ratios(line).items()]
        tables += [described(line), markdown([*header, "first step, s"], rows), limit]
        tables.append(markdown(["ratio", f"median (n = {rounds})"], pairs))
    return "\n".join(tables)


def until_table(results, speeds):
    """Time until a validation accuracy: of each training and seed the last run of speed.py --until."""
    rows = {}
    for line in speeds:
        for name, epochs in line.get("epochs", {}).items():
            passed = [f"{seconds:.0f} s" for seconds, reached in epochs if reached >= line["until"] / 100] or ["never"]
            row = [name, line["seed"], f"{line['until']:g}%", passed[0], len(epochs), f"{epochs[-1][1]:.2%}"]
            rows[tuple(row[:3])] = row
    header = ["training (n = 1)", "seed", "validation accuracy", "reached after", "epochs", "at the end"]
    return markdown(header, rows.values())


def scaling_table(results, speeds):
    """Time and memory of an epoch of more and more images: the last run of speed.py --scaling."""
    header = ["images", "seconds (n = 1)", "images/s", "memory, MB", "of it images, MB"]
    for line in [line for line in speeds if "scaling" in line][-1:]:
        rows = [
            [f"{count:,}", f"{seconds:.1f}", f"{count / seconds:,.0f}", f"{memory:,.0f}", f"{count * 785 / 1e6:,.0f}"]
            for count, seconds, memory in line["scaling"]
        ]
        return described(line) + "\n" + markdown(header, rows, left=0)
    return ""


def profile_table(results, speeds):
    """Where the time of a step goes: the last run of speed.py --profile."""
    for line in [line for line in speeds if "profile" in line][-1:]:
        rows = [[kind, f"{fraction:.0%}"] for kind, fraction in line["profile"].items()]
        return described(line) + "\n" + markdown(["operations of a step of `fast`", "of their time (n = 1)"], rows)
    return ""


def described(line):
    """Return a sentence on what a line of speed.jsonl was measured with."""
    versions = ", ".join(f"{name} {line['versions'][name]}" for name in ("keras", "tensorflow", "torch", "jax")
                         if name in line["versions"])  # fmt: skip
    return f"`{line['command']}`, {line['cores']} cores of {line['processor']}, {versions}, commit {line['commit']}.\n"


TABLES = {
    "accuracy": accuracy_table,
    "seeds": seeds_table,
    "mistakes": mistakes_table,
    "votes": votes_table,
    "changes": changes_table,
    "ingredients": functools.partial(changes_table, recipe="best", unchanged=FROZEN, epochs=15),
    "others": others_table,
    "speed": speed_table,
    "until": until_table,
    "scaling": scaling_table,
    "profile": profile_table,
}


def written(text, results, speeds):
    """Return a README's text with its tables as the measurements have them."""

    def table(match):
        start, name, end = match.groups()
        made = TABLES[name](results, speeds)
        return f"{start}\n{made}\n{end}" if made else start + end

    return TABLE.sub(table, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into the READMEs")
    args = parser.parse_args()
    results, speeds = read("results.jsonl"), read("speed.jsonl")
    if not args.write:
        for name, table in TABLES.items():
            print(f"{name}\n\n{table(results, speeds)}")
    if args.write:
        README.write_text(written(README.read_text(), results, speeds))


if __name__ == "__main__":
    from pyimagesearch.cli import libraries

    with libraries.quiet():
        import keras  # noqa: F401
    main()
