"""tables.py: the READMEs show what was measured; a mean names its n, and counts no other recipe's trainings."""

import json
import re
import statistics
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
        assert line == expected, "python tests/benchmarks/tables.py --write"


def test_validation_accuracy_is_higher_than_test_accuracy_by_what_the_readme_says():
    found = [line for line in tables.trainings(RESULTS, "fast", tables.FROZEN | {"epochs": 8}) if "test" in line]
    gap = statistics.mean(line["validation"][-1] - line["test"] for line in found)
    text = " ".join(tables.README.read_text().split())
    said = re.search(r"by ([0-9.]+) points in the mean over (\w+)", text)
    assert said, "the README's sentence has changed: adapt this test"
    numbers = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    assert said.groups() == (f"{100 * gap:.1f}", numbers[len(found)])


def test_a_mean_has_its_n_and_one_run_no_deviation():
    results = [
        training(0, test=0.94, test_tta=0.95, validation=[0.1, 0.96]),
        training(1, test=0.95, validation=[0.1, 0.95]),
        training(2, test=0.96, validation=[0.1, 0.97]),
    ]
    cells = row(tables.accuracy_table(results, []), "`fast`, the default")
    assert cells[3:] == ["95.00 ± 1.00% (3)", "95.00% (1)", "-"]
    cells = row(tables.seeds_table(results, []), "`fast`, the default")
    assert cells[1:5] == ["0, 1, 2", "96.00 ± 1.00% (3)", "95.00 ± 1.00% (3)", "1.00 ± 1.00% (3)"]
    assert row(tables.accuracy_table(results, []), "`classic`")[1:] == [*"-----"]


def test_trainings_by_other_values_on_other_images_or_without_test_images_do_not_count():
    other = training(1, test=0.1)
    other["values"]["weight_decay"] /= 2  # the recipe was another one then
    results = [
        training(0, test=0.94),
        other,
        training(2, test=0.1, held_out=10_000),
        training(3, change={"epochs": 5}, test=0.1),
        training(4, "classic", test=0.1),
        training(5, validation=[0.9]),
    ]
    assert row(tables.accuracy_table(results, []), "`fast`, the default")[3] == "94.00% (1)"


def test_a_change_is_compared_with_the_unchanged_recipe_on_the_same_seeds_and_in_the_same_precision():
    def held_out(seed, entropy, **change):
        return training(
            seed,
            change={"bfloat16": True, "epochs": 8} | tables.FROZEN | change,
            held_out=10_000,
            validation=[0.9],
            validation_cross_entropy=entropy,
        )

    results = [held_out(0, 0.20), held_out(1, 0.30), held_out(2, 0.40)]
    results += [held_out(1, 0.33, batch_size=64), held_out(2, 0.45, batch_size=64), held_out(3, 9.0, batch_size=64)]
    results += [held_out(0, 0.9, bfloat16=False)]
    table = tables.changes_table(results, [])
    assert row(table, "batch_size 64")[5] == "0.0400 ± 0.0141 (2)"
    assert row(table, "none")[2:] == ["90.00 ± 0.00% (3)", "-", "0.3000 ± 0.1000 (3)", "-"]


def test_ingredients_are_compared_with_best_in_as_few_epochs():
    def part(seed, accuracy, entropy, held_out=10_000, recipe="best", **change):
        figures = {"validation": [0.1, accuracy], "validation_cross_entropy": entropy, "held_out": held_out}
        return training(seed, recipe, tables.FROZEN | {"epochs": 15} | change, **figures)

    results = [part(0, 0.92, 0.22), part(1, 0.93, 0.21), part(2, 0.1, 9, held_out=5000), part(3, 0.1, 9, epochs=60)]
    results += [part(0, 0.1, 9, recipe="fast")]
    results += [part(1, 0.91, 0.25, cutmix=0), part(0, 0.91, 0.24, cutmix=0), part(2, 0.91, 9, cutmix=0)]
    table = tables.TABLES["ingredients"](results, [])
    assert row(table, "none")[2:] == ["92.50 ± 0.71% (2)", "-", "0.2150 ± 0.0071 (2)", "-"]
    cells = row(table, "cutmix 0")
    assert (cells[2], cells[3], cells[5]) == ("91.00 ± 0.00% (3)", "-1.50 ± 0.71% (2)", "0.0300 ± 0.0141 (2)")
    assert len(table.splitlines()) == 4  # nothing else


def test_speed_is_counted_in_epochs_of_classic():
    speeds = [{"rates": {"plain Keras, classic": [1, 1, 1], "fast": [9, 9, 9]}}]
    speeds += [{"rates": {"plain Keras, classic": [100, 200, 100], "fast": [200, 400, 500]}}, {"scaling": []}]
    short = tables.FROZEN | {"epochs": 3, "flip": False}
    results = [training(0, test=0.94), training(0, change=short, test=0.94)]
    table = tables.accuracy_table(results, speeds)
    assert row(table, "`fast`, the default")[5] == f"{2 * 25 / RECIPES['fast'].epochs:.1f}x"
    words = "`fast`, first convolution frozen, `--epochs 3 --no-flip`"
    assert row(table, words)[5] == "-"  # the speed is another one
    speeds = [line | {"first convolution": "frozen"} for line in speeds]
    assert row(tables.accuracy_table(results, speeds), words)[5] == "16.7x"
    # Of several processors, the last run of each counts.
    speeds += [
        {"processor": "A", "rates": {"plain Keras, classic": [10], "fast": [rate]}, "first convolution": "frozen"}
        for rate in (90, 30)
    ]
    assert row(tables.accuracy_table(results, speeds), words)[5] == "16.7 to 25.0x"


def test_a_vote_and_the_images_that_all_get_wrong():
    mistakes = [{"7": [1, 0], "8": [1, 2], "9": [1, 2]}, {"7": [1, 0], "8": [1, 2]}, {"7": [1, 0]}]
    results = [training(seed, "best", mistakes=found) for seed, found in enumerate(mistakes)]
    results += [training(seed, "best", tables.THREE_BLOCKS, mistakes=mistakes[0]) for seed in (0, 1)]  # too few
    table = tables.votes_table(results, [])
    assert row(table, "`best`")[1:] == row(table, "all of these")[1:] == ["3", "99.98%", "1", "3"]
    assert len(table.splitlines()) == 4
    results = [training(0, "best", mistakes=mistakes[0]), training(0, "classic", mistakes={"7": [1, 0], "1": [6, 0]})]
    results += [training(0, "best", tables.THREE_BLOCKS, mistakes={"7": [1, 0]}), training(0, mistakes=mistakes[0])]
    table = tables.mistakes_table(results, [])
    assert row(table, "`best`, the")[1:] == ["`classic`", "0", "2", "1", "1e+00"]
    compared = [line.split("|")[2:6] for line in table.splitlines() if "filters 32, 64, 128 " in line]
    cells = [[cell.strip() for cell in line] for line in compared]
    assert cells == [["`classic`", "0", "0", "1"], ["`best`", "0", "0", "2"]]
    assert table.count("`fast`") == 1  # beside `classic` alone
    assert tables.shirts({"1": [6, 0], "2": [4, 6], "3": [6, 9], "4": [2, 4]}) == 0.5


def test_operations_of_a_training_step():
    """By hand: 28x28 pixels, 3x3 weights; the first convolution needs no gradient of its inputs."""
    forward = 2 * 9 * (784 * 32 + 784 * 32 * 32 + 196 * 32 * 64 + 196 * 64 * 64) + 2 * (3136 * 512 + 512 * 10)
    first = 2 * 9 * 784 * 32
    assert tables.training_flop() == 3 * forward - first
    assert tables.training_flop(frozen=True) == 3 * forward - 2 * first - 2 * 9 * 784 * 32 * 32


def test_the_limit_is_the_fastest_product_of_the_run_and_ratios_are_those_of_each_round():
    rates = {"matrix product": [1e12, 4e12, 2e12], "plain Keras, classic": [100, 50, 10], "fast": [200, 200, 200]}
    rates |= {"PyTorch, eager, 128": [150, 150, 150], "PyTorch, eager, 256": [100, 160, 160]}
    rates |= {"input pipeline of fast": [2e4] * 3, "evaluation": [50] * 3, "forward pass only": [100] * 3}
    line = {"rates": rates, "memory": dict.fromkeys(rates, 1000.0), "first_step": dict.fromkeys(rates, 0.5)}
    assert tables.of_the_limit("fast", line)[1] == pytest.approx(200 * tables.training_flop() / 4e12)
    assert tables.ratios(line) == {
        "fast / plain Keras, classic": 4,
        "fast / the fastest PyTorch (eager, 256)": 1.25,
        "the fastest PyTorch / plain Keras, classic": 3.2,
        "time for batches / time of a step, fast": 0.01,
        "time of an evaluation / of its forward passes": 2,
    }
    line |= {"command": "c", "cores": 2, "processor": "p", "versions": {}, "commit": "0"}
    table = tables.speed_table([], [line])
    assert row(table, "fast")[1:3] == ["200", "200 to 200"] and row(table, "fast")[5:] == ["1,000", "0.5"]
    assert "matrix product  " not in table and "4000 GFLOP/s (matrix product), the fastest of 3 rounds" in table
    slow = tables.of_the_limit("plain Keras, classic", line)
    rates["matrix product, bfloat16"] = [8e12, 1e12, 1e12]
    assert tables.of_the_limit("fast", line)[1] == pytest.approx(200 * tables.training_flop() / 8e12)
    assert tables.of_the_limit("plain Keras, classic", line) == slow  # in the same precision


def test_time_until_an_accuracy_scaling_and_profile():
    about = {"command": "c", "cores": 2, "processor": "p", "versions": {"keras": "3"}, "commit": "0"}
    runs = [{"until": 94.0, "seed": 0, "epochs": {"fast": [[10, 0.93], [20, 0.94]], "other": [[5, 0.1]]}}]
    table = tables.until_table([], runs)
    assert row(table, "fast")[1:] == ["0", "94%", "20 s", "2", "94.00%"] and row(table, "other")[3] == "never"
    table = tables.scaling_table([], [about | {"scaling": [[10_000, 2.0, 1100.4]]}])
    assert row(table, "10,000") == ["10,000", "2.0", "5,000", "1,100", "8"]
    assert row(tables.profile_table([], [about | {"profile": {"ReLU": 0.051}}]), "ReLU")[1] == "5%"
