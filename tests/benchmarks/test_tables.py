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
