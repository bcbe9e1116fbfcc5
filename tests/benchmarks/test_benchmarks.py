"""The benchmarks' programs: what they compare, what they show, and what counts as correct."""

import dataclasses
import json
import re

import accuracy
import experiments
import keras
import numpy as np
import photos
import pytest
import tables
from PIL import Image
from tables import read
from test_explain import save_network

from conftest import pictures

RESULTS, SPEEDS = read("results.jsonl"), read("speed.jsonl")


@pytest.fixture
def program(tmp_path, monkeypatch, capsys):
    """Run accuracy.py on two seeds, without training. Returns the trained (recipe, seed, test), and the table's rows.

    A recipe has an accuracy of 90% plus its shift in points, plus the seed in points.
    """
    trained = []

    def one_training(recipe, seed, args, test, kept):
        trained.append((recipe, seed, test))
        figures = {"validation": [0.1, 0.9 + (recipe.shift + seed) / 100]}
        return figures | ({"test": 0.5} if test else {})

    monkeypatch.setattr(accuracy, "one_training", one_training)

    def run(*arguments, edited=None):
        trained.clear()
        monkeypatch.setattr(accuracy.settings, "edited", lambda: edited or {})
        monkeypatch.chdir(tmp_path)
        accuracy.main(["--seeds", "2", "--results", "results.jsonl", *arguments])
        printed = capsys.readouterr().out
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in re.findall(r"^\|.*", printed, re.M)]
        return [*trained], {row[0]: row[1:] for row in rows[2:]}, printed

    run.results = tmp_path / "results.jsonl"
    return run


PUBLISHED = ["91.50 ± 0.71% (2)", "-", "-", "50.00 ± 0.00% (2)", "-"]


def test_a_change_is_compared_with_the_published_recipe_on_the_same_seeds(program):
    change = ["--change", '{"shift": 3}']
    trained, rows, _ = program(*change)
    runs = [(recipe.shift, seed, test) for recipe, seed, test in trained]
    assert runs == [(1, 0, True), (1, 1, True), (3, 0, False), (3, 1, False)]  # no choice is made on test images
    assert rows == {
        "as published": PUBLISHED,
        "shift 3 px": ["93.50 ± 0.71% (2)", *"----"],
        "difference": ["2.00 ± 0.00% (2)", *"----"],
    }
    assert program(*change)[0] == []  # all is stored
    assert {"versions", "cores", "processor", "commit", "command"} <= read(program.results)[0].keys()
    assert list(program.results.parent.iterdir()) == [program.results]  # no checkpoints are left
    assert [test for _, _, test in program(*change, "--test")[0]] == [True, True]
    assert program(*change)[1]["shift 3 px"][3] == "50.00 ± 0.00% (2)"


def test_an_edited_recipe_is_compared_with_the_published_one(program, monkeypatch):
    monkeypatch.setitem(accuracy.RECIPES, "fast", dataclasses.replace(accuracy.RECIPES["fast"], shift=2))
    trained, rows, _ = program()
    assert [recipe.shift for recipe, _, _ in trained] == [1, 1, 2, 2]
    assert rows["shift 2 px"][0] == "92.50 ± 0.71% (2)" and rows["difference"][0] == "1.00 ± 0.00% (2)"
    assert program("--change", '{"shift": 2}')[0] == []  # the same recipe, in another way
    trained, rows, printed = program("--change", '{"shift": 1}')
    assert (trained, [*rows]) == ([], ["as published"]) and "Nothing was compared" in printed


def test_a_row_names_the_settings_that_the_training_had(program, monkeypatch):
    assert [*program("--change", '{"network": {"dense": 256}}')[1]] == ["as published", "dense 256", "difference"]
    monkeypatch.setattr(accuracy.settings.train, "optimizer", lambda *_: keras.optimizers.Adam(1e-3))
    rows = program("--change", '{"learning_rate": 0.05}', edited={"training/train.py": "mine"})[1]
    assert [*rows][1].startswith("learning rate 0.001, ")


def test_an_edited_network_has_no_published_figures(program, monkeypatch):
    trained, rows, printed = program(edited={"minivggnet.py": "mine"})
    assert len(trained) == 2
    assert rows["as published"] == rows["difference"] == [*"-----"]
    assert rows["edited minivggnet.py"] == ["91.50 ± 0.71% (2)", *"----"]
    assert "git stash" in printed
    monkeypatch.setattr(accuracy, "one_training", lambda *_: {"validation": [0.88], "test": 0.5})
    assert program()[1] == {"as published": ["88.00 ± 0.00% (2)", *PUBLISHED[1:]]}
    _, rows, printed = program(edited={"minivggnet.py": "mine"})
    assert rows["difference"][0] == "3.50 ± 0.71% (2)"
    assert "git stash" not in printed
    assert program(edited={"minivggnet.py": "another"})[1]["difference"][0] == "0.00 ± 0.00% (2)"
    assert [one.get("edited") for one in read(program.results)] == ["mine"] * 2 + [None] * 2 + ["another"] * 2
    change = ["--change", '{"network": {"filters": [32, 64]}}']  # not what the edit may have as its default
    assert program(*change, edited={"minivggnet.py": "mine"})[1]["edited minivggnet.py"][0] == "88.00 ± 0.00% (2)"
    assert program(edited={"minivggnet.py": "mine"})[1]["edited minivggnet.py"][0] == "91.50 ± 0.71% (2)"


def test_a_recipe_of_ones_own_is_measured_on_validation_images(program, monkeypatch):
    monkeypatch.setitem(accuracy.RECIPES, "mine", dataclasses.replace(accuracy.RECIPES["fast"], shift=4))
    _, rows, printed = program("--recipes", "mine", edited={"minivggnet.py": "mine"})
    assert "edited minivggnet.py" in rows and "git stash push pyimagesearch/minivggnet.py" in printed
    trained, rows, _ = program("--recipes", "mine")
    assert [(recipe.shift, test) for recipe, _, test in trained] == [(4, False)] * 2
    assert rows == {"as in recipes.py": ["94.50 ± 0.71% (2)", *"----"]}
    _, rows, _ = program("--recipes", "mine", "--change", '{"shift": 5}')
    assert rows["difference"][0] == "1.00 ± 0.00% (2)"
    assert "git stash" not in program("--recipes", "mine", edited={"minivggnet.py": "mine"})[2]


def test_a_result_of_before_a_new_field_counts_and_one_in_another_precision_is_told(program):
    program("--seeds", "1")
    (result,) = read(program.results)
    assert result["values"].pop("cutmix") == 0
    program.results.write_text(json.dumps(result) + "\n")
    assert program("--seeds", "1")[0] == []
    result["values"]["bfloat16"] = not result["values"]["bfloat16"]
    program.results.write_text(json.dumps(result) + "\n")
    _, rows, printed = program("--seeds", "1", edited={"minivggnet.py": "mine"})
    assert rows["difference"][0] == "0.00% (1)" and "in bfloat16 and some in float32" in printed


def test_a_wrong_argument_is_an_error_before_the_training(program, capsys):
    changes = '{"flips": false}', '{"network": {"flips": 1}}', "[1]", "shift=2", '{"network": [1]}'
    numbers = "--validation=-5", "--validation=59999", "--seeds=-3"
    for argument in [*("--change=" + change for change in changes), *numbers]:
        with pytest.raises(SystemExit):
            program(argument)
    printed = capsys.readouterr().err
    assert [printed.count(words) for words in ("no flips", '{"shift": 2}', "whole number")] == [2, 3, 3]
    changes = '{"flip": "no"}', '{"shift": 1.5}', '{"schedule": "one-cycle"}'
    for argument in [*("--change=" + change for change in changes), "--results=missing/results.jsonl"]:
        with pytest.raises(accuracy.settings.UserError, match=r"it must be|unknown schedule|does not exist"):
            program(argument)


def test_the_tables_of_the_readme_are_those_of_the_stored_measurements(monkeypatch):
    text = tables.README.read_text()
    assert tables.TABLE.search(text)
    others = [one | other | {"seed": 99} for one in RESULTS for other in ({"edited": "x"}, {"held_out": 7})]
    others += [one | {"values": one["values"] | {"epochs": 99}} for one in RESULTS if one["recipe"] == "best"]
    made = tables.written(text, RESULTS + others, SPEEDS)
    for line, expected in zip(text.splitlines(), made.splitlines(), strict=True):
        assert line == expected, "python tests/benchmarks/tables.py"
    monkeypatch.setattr(tables, "README", None)  # no edited recipe is put there
    monkeypatch.setitem(tables.RECIPES, "fast", dataclasses.replace(tables.RECIPES["fast"], shift=2))
    for main, arguments in (tables.main, []), (experiments.main, ["--seeds", "1"]):
        with pytest.raises(accuracy.settings.UserError, match="the recipe fast"):
            main(arguments)


def test_the_ladder_of_the_lesson_has_the_stored_means():
    lesson = (tables.ROOT / "README.md").read_text().split("## What each idea is worth")[1]
    shown = re.findall(r"\| ([\d.]+) ± ([\d.]+)% \|\n", lesson)
    stored = re.findall(r"\| (\d+\.\d+) ± (\d+\.\d+) \(", tables.README.read_text().split("<!-- table: ladder -->")[1])
    assert len(shown) == 7
    for one, other in zip(shown, stored, strict=False):
        assert [float(number) for number in one] == pytest.approx([float(number) for number in other], abs=0.06)


def test_the_ladder_has_networks_of_the_same_size_and_images_with_the_same_pixels_in_the_same_other_order():
    images = np.arange(2 * 784, dtype=np.int32).reshape(2, 28, 28, 1)
    shuffled = experiments.shuffle(images)
    np.testing.assert_array_equal(shuffled[1] - shuffled[0], 784)
    np.testing.assert_array_equal(np.sort(shuffled[0].ravel()), np.arange(784))
    assert (shuffled[0] != images[0]).mean() > 0.9
    np.testing.assert_array_equal(experiments.shuffle(images), shuffled)
    sizes = [build(28, 28, 1, 10).count_params() for _, build, _ in experiments.RUNGS.values()]
    assert sizes == [7_850, 1_678_255, 1_676_266, *[1_678_378] * 3]


def test_halves_and_classes_are_counted_apart_and_any_of_the_right_classes_is_correct(tmp_path, capsys):
    images, _ = pictures(3)
    for name in ("Dress", "Shoes", "Hats"):  # Hats are no class
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / name / f"{number}.png")
    save_network(tmp_path / "model.h5")
    arguments = [str(tmp_path), "--model", str(tmp_path / "model.h5")]

    photos.main(arguments)
    halves = capsys.readouterr().out.split("second half, n = 4")
    rows = [{line.split()[0]: line.split()[1:] for line in half.splitlines() if line} for half in halves]
    assert [row["n"] for row in rows] == [["1", "1", "2"], ["2", "2", "4"]]
    assert all(len(row["photos/"]) == 3 for row in rows)
    photos.main([*arguments, "--first-half"])
    assert "second half" not in capsys.readouterr().out
    probabilities = np.array([0.1, 0.5, 0.15, 0.25])  # any of the right classes is correct
    assert [photos.rank(probabilities, right) for right in ({1}, {2}, {0, 3}, {0})] == [0, 2, 1, 3]
