"""experiments.py: what is done to the images, and that a stored result is not measured again."""

import experiments
import numpy as np
from accuracy import measure_once, summary
from tables import plain, read


def test_shuffled_images_have_the_same_pixels_in_the_same_other_order():
    images = np.arange(2 * 784, dtype=np.int32).reshape(2, 28, 28, 1)
    shuffled = experiments.shuffle(images)
    np.testing.assert_array_equal(shuffled[1] - shuffled[0], 784)
    np.testing.assert_array_equal(np.sort(shuffled[0].ravel()), np.arange(784))
    assert (shuffled[0] != images[0]).mean() > 0.9
    np.testing.assert_array_equal(experiments.shuffle(images), shuffled)


def test_the_networks_of_the_ladder_are_of_the_same_size():
    sizes = {name: build(28, 28, 1, 10).count_params() for name, (_, build, _) in experiments.RUNGS.items()}
    assert sizes == {
        "logistic regression": 7_850,
        "one hidden layer": 1_678_255,
        "convolutions": 1_676_266,
        "batch normalization": 1_678_378,
        "momentum and schedule": 1_678_378,
        "augmentation": 1_678_378,
    }


def test_a_result_is_stored_at_once_and_not_measured_again(tmp_path, capsys):
    path, measured = tmp_path / "results.jsonl", []

    def measure(kept):
        measured.append(kept.resume)
        return {"test": 0.5}

    for seed in (0, 1, 0):
        results = read(path)
        measure_once(path, results, {"experiment": "x", "seed": seed}, measure, optional=["held_out"])
        assert results == read(path)
    assert measured == [True, True]
    assert [result["seed"] for result in results] == [0, 1]
    assert {"versions", "cores", "processor", "commit", "command"} <= results[0].keys()
    assert list(tmp_path.iterdir()) == [path]  # no checkpoints are left


def test_the_ladder_has_means_and_counts():
    def results(kind, name, recipe, tests):
        values = plain(vars(recipe))
        return [{kind: name, "values": values, "seed": seed, "test": test} for seed, test in enumerate(tests)]

    rungs = results("experiment", "augmentation", experiments.recipe_of("augmentation"), (0.9, 0.92))
    rungs += results("experiment", "one hidden layer", experiments.RECIPES["fast"], (0.5,))  # of an older form
    recipes = results("recipe", "fast", experiments.RECIPES["fast"], (0.94,))
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in experiments.table(rungs, recipes).splitlines()]
    assert [(row[0], row[2]) for row in rows[2:]] == [
        ("augmentation", "91.00 ± 1.41 (2)"),
        ("the recipe `fast`", "94.00 (1)"),
    ]


def test_the_summary_has_a_line_for_each_recipe_and_change(capsys):
    results = [
        {"recipe": "fast", "change": {}, "values": {}, "seed": seed, "test": 0.9 + seed / 100} for seed in (0, 1)
    ]
    summary([*results, {"recipe": "fast", "change": {"epochs": 4}, "values": {}, "seed": 0, "validation": [0.1, 0.95]}])
    lines = capsys.readouterr().out.splitlines()
    assert sum("90.50 ± 0.71% (2)" in line for line in lines) == 1
    assert any("95.00% (1)" in line and '{"epochs": 4}' in line for line in lines)
