"""accuracy.py: with and without a change, over the same seeds; an edit is never taken for what was published."""

import dataclasses
import re

import accuracy
import pytest
from tables import read

from pyimagesearch.minivggnet import MiniVGGNet
from pyimagesearch.training import train


def other_filters(monkeypatch):
    monkeypatch.setattr(MiniVGGNet.build, "__defaults__", ((16, 64), 512, 0.25, 0.5))


def other_pooling(monkeypatch):
    layers = accuracy.network.keras.layers
    monkeypatch.setattr(layers, "GlobalAveragePooling2D", layers.GlobalMaxPooling2D)  # only for dense=0


def other_optimizer(monkeypatch):
    monkeypatch.setattr(train, "fused_optimizer", lambda chosen: train.keras.optimizers.Adam(0.01))


def nesterov_off(monkeypatch):
    monkeypatch.setattr(train, "fused_optimizer", lambda chosen: setattr(chosen, "nesterov", False) or chosen)


@pytest.mark.parametrize("edit", [other_filters, other_pooling, other_optimizer, nesterov_off])
def test_an_edit_of_the_network_or_the_optimizer_is_noticed(monkeypatch, edit):
    assert accuracy.edited_code() is None, "PUBLISHED_CODE is to be what edited_code() computes"
    edit(monkeypatch)
    edited = accuracy.edited_code()
    assert edited is not None and accuracy.edited_code() == edited


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
        monkeypatch.setattr(accuracy, "edited_code", lambda: edited)
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
    assert [(recipe.shift, seed, test) for recipe, seed, test in trained] == [
        (1, 0, True),
        (1, 1, True),
        (3, 0, False),  # no choice is made on test images
        (3, 1, False),
    ]
    assert rows == {
        "as published": PUBLISHED,
        "shift 3 px": ["93.50 ± 0.71% (2)", *"----"],
        "difference": ["2.00 ± 0.00% (2)", *"----"],
    }
    assert program(*change)[0] == []  # all is stored
    assert [test for _, _, test in program(*change, "--test")[0]] == [True, True]
    assert program(*change)[1]["shift 3 px"][3] == "50.00 ± 0.00% (2)"
    assert program("--first-seed", "1")[1]["as published"][0] == "92.50 ± 0.71% (2)"


def test_an_edited_recipe_is_compared_with_the_published_one(program, monkeypatch):
    monkeypatch.setitem(accuracy.RECIPES, "fast", dataclasses.replace(accuracy.RECIPES["fast"], shift=2))
    trained, rows, _ = program()
    assert [recipe.shift for recipe, _, _ in trained] == [1, 1, 2, 2]
    assert rows["shift 2 px"][0] == "92.50 ± 0.71% (2)" and rows["difference"][0] == "1.00 ± 0.00% (2)"


def test_an_edited_network_has_no_published_figures(program, monkeypatch):
    trained, rows, printed = program(edited="mine")
    assert len(trained) == 2
    assert rows["as published"] == rows["difference"] == [*"-----"]
    assert rows["edited network or optimizer"] == ["91.50 ± 0.71% (2)", *"----"]
    assert "git stash" in printed
    monkeypatch.setattr(accuracy, "one_training", lambda *_: {"validation": [0.88], "test": 0.5})
    assert program()[1] == {"as published": ["88.00 ± 0.00% (2)", *PUBLISHED[1:]]}
    _, rows, printed = program(edited="mine")
    assert rows["difference"][0] == "3.50 ± 0.71% (2)"
    assert "git stash" not in printed
    assert program(edited="another")[1]["difference"][0] == "0.00 ± 0.00% (2)"
    assert [one.get("edited") for one in read(program.results)] == ["mine"] * 2 + [None] * 2 + ["another"] * 2


def test_a_wrong_change_is_a_usage_error(program, capsys):
    with pytest.raises(SystemExit) as stop:
        program("--change", '{"flips": false}')
    assert stop.value.code == 2 and "flips" in capsys.readouterr().err


def test_a_result_is_stored_at_once_and_not_measured_again(tmp_path):
    path, measured = tmp_path / "results.jsonl", []

    def measure(kept):
        measured.append(kept.resume)
        return {"test": 0.5}

    for seed in (0, 1, 0):
        results = read(path)
        accuracy.measure_once(path, results, {"experiment": "x", "seed": seed}, measure, optional=["held_out"])
        assert results == read(path)
    assert measured == [True, True]
    assert [result["seed"] for result in results] == [0, 1]
    assert {"versions", "cores", "processor", "commit", "command"} <= results[0].keys()
    assert list(tmp_path.iterdir()) == [path]  # no checkpoints are left
