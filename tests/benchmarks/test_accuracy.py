"""accuracy.py: with and without a change, over the same seeds; an edit is never taken for what was published."""

import dataclasses
import json
import re

import accuracy
import pytest
from tables import read


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
        accuracy.main(["--seeds", "2", "--results", str(tmp_path / "results.jsonl"), *arguments])
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
    assert program("--first-seed", "1")[1]["as published"][0] == "92.50 ± 0.71% (2)"


def test_an_edited_recipe_is_compared_with_the_published_one(program, monkeypatch):
    monkeypatch.setitem(accuracy.RECIPES, "fast", dataclasses.replace(accuracy.RECIPES["fast"], shift=2))
    trained, rows, _ = program()
    assert [recipe.shift for recipe, _, _ in trained] == [1, 1, 2, 2]
    assert rows["shift 2 px"][0] == "92.50 ± 0.71% (2)" and rows["difference"][0] == "1.00 ± 0.00% (2)"


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


def test_a_recipe_of_ones_own_is_measured_on_validation_images(program, monkeypatch):
    monkeypatch.setitem(accuracy.RECIPES, "mine", dataclasses.replace(accuracy.RECIPES["fast"], shift=4))
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


def test_a_wrong_change_is_a_usage_error(program, capsys):
    with pytest.raises(SystemExit) as stop:
        program("--change", '{"flips": false}')
    assert stop.value.code == 2 and "flips" in capsys.readouterr().err
