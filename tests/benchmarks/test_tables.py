"""tables.py: the READMEs show what was measured; a mean names its n, and counts no runs of another recipe."""

import json
import re
from dataclasses import asdict

import pytest
import tables

from pyimagesearch.recipes import RECIPES

RESULTS, SPEEDS = tables.read("results.jsonl"), tables.read("speed.jsonl")


def training(seed, recipe="fast", change=None, **figures):
    values = json.loads(json.dumps(asdict(RECIPES[recipe]) | (change or {})))
    return {"recipe": recipe, "change": change or {}, "values": values, "seed": seed} | figures


def row(table, words):
    """Return the cells of the row that starts with these words."""
    line = next(line for line in table.splitlines() if line.startswith(f"| {words}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_tables_of_the_readme_are_those_of_the_stored_measurements():
    text = tables.README.read_text()
    assert tables.TABLE.search(text)
    made = tables.written(text, RESULTS, SPEEDS)
    for line, expected in zip(text.splitlines(), made.splitlines(), strict=True):
        assert line == expected, "python tests/benchmarks/tables.py"


def test_the_ladder_of_the_lesson_has_the_stored_means():
    lesson = (tables.ROOT / "README.md").read_text().split("## What each idea is worth")[1]
    shown = re.findall(r"\| +([\d.]+)% \|\n", lesson)
    stored = re.findall(r"\| +(\d\d\.\d\d)\b", tables.README.read_text().split("<!-- table: ladder -->")[1])
    means = [float(mean) for mean in stored]
    assert [float(accuracy) for accuracy in shown] == pytest.approx(means[: len(shown)], abs=0.06) and len(shown) == 7


def test_a_mean_has_its_n_and_other_training_runs_do_not_count():
    other = training(1, test=0.1)
    other["values"]["weight_decay"] /= 2  # the recipe was another one then
    results = [
        training(0, test=0.94, test_tta=0.95, validation=[0.1, 0.96]),
        training(2, test=0.96, validation=[0.1, 0.98]),
        other,
        training(3, test=0.1, held_out=10_000),
        training(4, test=0.1, edited="a network of my own"),
        training(5, change={"epochs": 5}, test=0.1),
        training(6, "classic", test=0.1),
    ]
    cells = row(tables.accuracy_table(results, []), "`fast`, the default")
    assert cells[1:] == ["7", "1,678,378", "97.00 ± 1.41% (2)", "95.00 ± 1.41% (2)", "95.00% (1)", "-"]
    assert row(tables.accuracy_table(results, []), "`best`")[1:] == [*"------"]


def test_a_change_is_compared_with_the_unchanged_recipe_on_the_same_seeds_and_in_the_same_precision():
    def held_out(seed, accuracy, entropy, held_out=10_000, recipe="best", edited=None, **change):
        figures = {"validation": [0.1, accuracy], "validation_cross_entropy": entropy, "held_out": held_out}
        change = {"bfloat16": True, "epochs": 15} | tables.FROZEN | change
        return training(seed, recipe, change, edited=edited, **figures)

    results = [held_out(0, 0.92, 0.20), held_out(1, 0.93, 0.30), held_out(2, 0.94, 0.40)]
    results += [held_out(1, 0.91, 0.33, cutmix=0), held_out(2, 0.94, 0.45, cutmix=0), held_out(3, 0.1, 9, cutmix=0)]
    results += [held_out(0, 0.1, 9, bfloat16=False)]
    compared = tables.TABLES["ingredients"](results, [])
    assert row(compared, "none")[2:] == ["93.00 ± 1.00% (3)", "-", "0.3000 ± 0.1000 (3)", "-"]
    assert row(compared, "cutmix 0")[3::2] == ["-1.00 ± 1.41% (2)", "0.0400 ± 0.0141 (2)"]
    others = [held_out(0, 0.1, 9, held_out=None), held_out(0, 0.1, 9, edited="x"), held_out(0, 0.1, 9, epochs=60)]
    others += [held_out(0, 0.1, 9, recipe="fast")]
    assert tables.TABLES["ingredients"](results + others, []) == compared


def test_speed_is_counted_in_epochs_of_classic():
    speeds = [{"rates": {"plain Keras, classic": [1, 1, 1], "fast": [9, 9, 9]}}]
    speeds += [{"rates": {"plain Keras, classic": [100, 200, 100], "fast": [200, 400, 500]}}, {"scaling": []}]
    short = tables.FROZEN | {"epochs": 3, "flip": False}
    results = [training(0, test=0.94), training(0, change=short, test=0.94)]
    table = tables.accuracy_table(results, speeds)
    assert row(table, "`fast`, the default")[6] == f"{2 * 25 / RECIPES['fast'].epochs:.1f}x"
    words = "`fast`, first convolution frozen, `--epochs 3 --no-flip`"
    assert row(table, words)[6] == "-"  # the speed is another one
    speeds = [line | {"first convolution": "frozen"} for line in speeds]
    assert row(tables.accuracy_table(results, speeds), words)[6] == "16.7x"
    # Of several processors, the last run of each counts.
    speeds += [
        {"processor": "A", "rates": {"plain Keras, classic": [10], "fast": [rate]}, "first convolution": "frozen"}
        for rate in (90, 30)
    ]
    assert row(tables.accuracy_table(results, speeds), words)[6] == "16.7 to 25.0x"


def test_the_last_run_on_each_processor():
    rates = {"plain Keras, classic": [100, 50, 10], "classic": [150] * 3, "fast": [200, 100, 300], "best": [120] * 3}
    about = {"memory": dict.fromkeys(rates, 1000.0), "cores": 2, "versions": {"keras": "3"}, "commit": "0"}
    half = {name: [value / 2 for value in values] for name, values in rates.items()}
    runs = [{"rates": one, "processor": kind} | about for one, kind in ((half, "A"), (rates, "A"), (half, "B"))]
    table = tables.speed_table([], [*runs, {"rates": {"fast": [1]}, "processor": "A"}])
    assert row(table, "fast")[1:] == ["200", "100 to 300", "2.00", "1,000"]  # the first of the two tables
    assert table.count("cores of A") == table.count("cores of B") == 1
