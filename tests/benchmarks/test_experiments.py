"""experiments.py: what is done to the images, and that a stored result is not measured again."""

import experiments
import numpy as np
import pytest
from accuracy import measure_once, summary
from tables import plain, read

from pyimagesearch.minivggnet import MiniVGGNet


def test_moved_images_go_left_right_up_and_down_in_turn():
    images = np.zeros((8, 28, 28, 1), np.uint8)
    images[:, 10, 10] = 7
    places = [tuple(np.argwhere(image[..., 0] == 7)[0]) for image in experiments.moved(images, 4)]
    assert places == [(10, 6), (10, 14), (6, 10), (14, 10)] * 2
    images[:, 0, 0] = 9
    assert (experiments.moved(images, 1) == 9).sum(axis=(1, 2, 3)).tolist() == [0, 1, 0, 1] * 2  # black comes in


def test_shuffled_images_have_the_same_pixels_in_the_same_other_order():
    images = np.arange(2 * 784, dtype=np.int32).reshape(2, 28, 28, 1)
    shuffled = experiments.shuffle(images)
    np.testing.assert_array_equal(shuffled[1] - shuffled[0], 784)
    np.testing.assert_array_equal(np.sort(shuffled[0].ravel()), np.arange(784))
    assert (shuffled[0] != images[0]).mean() > 0.9
    np.testing.assert_array_equal(experiments.shuffle(images), shuffled)


def test_the_dense_network_has_as_many_parameters():
    assert experiments.dense(28, 28, 1, 10).count_params() == 1_678_204
    assert MiniVGGNet.build(28, 28, 1, 10).count_params() == 1_678_378


def test_a_quarter_turn_turns_the_filters_and_nothing_else():
    model = MiniVGGNet.build(28, 28, 1, 10, filters=(8,), dense=8)
    turned = experiments.turned(model)
    before, after = model.get_weights(), turned.get_weights()
    np.testing.assert_array_equal(after[0][0, :, 0, 0], before[0][:, 2, 0, 0])  # the top row was the right column
    for one, other in zip(before[1:], after[1:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_equal_steps_for_fewer_images():
    recipes = {name: experiments.recipe_of(one) for name, one in experiments.EXPERIMENTS.items()}
    steps = {
        name: recipes[f"{name} images"].epochs * (int(name.replace(",", "")) * 11 // 12 // 128)
        for name in ("1,000", "6,000")
    }
    assert steps == {
        "1,000": pytest.approx(experiments.STEPS, rel=0.01),
        "6,000": pytest.approx(experiments.STEPS, rel=0.02),
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


def test_the_table_has_means_and_counts():
    lines = []
    for seed, value in enumerate((0.9, 0.92)):
        for name in ("none", "dense"):
            values = plain(vars(experiments.recipe_of(experiments.EXPERIMENTS[name])))
            lines.append({"experiment": name, "values": values, "seed": seed, "test": value, "moved_1": value - 0.1})
    lines[-1]["values"] = lines[-1]["values"] | {"epochs": 99}  # of an older form of the recipe
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in experiments.table(lines).splitlines()]
    rows = {row[0]: row[2] for row in rows}
    assert rows["none"] == "91.00 ± 1.41 (2)"
    assert rows["one hidden layer of 2,103 units, as many parameters"] == "90.00 (1)"
    assert "test images moved by 1, 2, 4 pixels" not in rows  # as long as a figure is missing


def test_the_summary_has_a_line_for_each_recipe_and_change(capsys):
    results = [
        {"recipe": "fast", "change": {}, "values": {}, "seed": seed, "test": 0.9 + seed / 100} for seed in (0, 1)
    ]
    summary([*results, {"recipe": "fast", "change": {"epochs": 4}, "values": {}, "seed": 0, "validation": [0.1, 0.95]}])
    lines = capsys.readouterr().out.splitlines()
    assert sum("90.50 ± 0.71% (2)" in line for line in lines) == 1
    assert any("95.00% (1)" in line and '{"epochs": 4}' in line for line in lines)
